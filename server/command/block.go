package command

import "github.com/lockstep-db/lockstep/server/store"

// Wait is what a blocked call waits for.
type Wait struct {
	// Keys are the keys of the call's database that can end the wait. They
	// alias the arguments.
	Keys [][]byte
	// Type is the type of value that serves the call. A key that holds another
	// one does not end the wait, unless Gone is set.
	Type store.Type
	// Gone ends the wait, too, when a key is removed or gets a value of another
	// type (XREADGROUP, which then has an error to reply).
	Gone bool
	// Deadline is in Unix milliseconds; 0 waits for ever.
	Deadline int64
	// TimedOut replies when the deadline has passed.
	TimedOut func(*Call)
}

// Block lets the call wait. It has replied nothing and changed nothing. Package
// server keeps the arguments and, when Env.Ready was told of one of the keys,
// runs the command anew with Again set: in the order in which clients have
// begun to wait, after the command, transaction or script that made the key
// ready. A command that finds nothing for it then calls Block again, and keeps
// its place.
//
// When the call may not wait (MayWait), it is as if the time were over at once.
func (c *Call) Block(w Wait) {
	if !c.MayWait {
		w.TimedOut(c)
		return
	}
	c.Waiting = &w
}

// ready tells those who wait for a key that there is something in it.
func (c *Call) ready(key []byte) { c.readyIn(c.DBIndex, key) }

func (c *Call) readyIn(db int, key []byte) {
	if c.Ready != nil {
		c.Ready(db, key)
	}
}
