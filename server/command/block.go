package command

import (
	"math"
	"math/big"

	"github.com/lockstep-db/lockstep/server/store"
)

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
	// Args replace the call's arguments when it is run anew, where these would mean
	// something else by then; nil: they do not.
	Args [][]byte
	// TimedOut replies when the deadline has passed.
	TimedOut func(*Call)
}

// Block lets the call wait. It has replied nothing and changed nothing. Package
// server keeps the arguments and, when Env.Ready was told of one of the keys,
// runs the command anew with Again set: in the order in which clients have
// begun to wait, after the command, transaction or script that made the key
// ready. A command that finds nothing for it then calls Block again, and keeps
// its place and its deadline.
//
// When the call may not wait (MayWait), it is as if the time were over at once.
func (c *Call) Block(w Wait) {
	if !c.MayWait {
		w.TimedOut(c)
		return
	}
	c.wait = w
	c.Waiting = &c.wait
}

// ready tells those who wait for a key that there is something in it.
func (c *Call) ready(key []byte) { c.readyIn(c.DBIndex, key) }

func (c *Call) readyIn(db int, key []byte) {
	if c.Ready != nil {
		c.Ready(db, key)
	}
}

const (
	errTimeoutNotFloat ReplyError = "ERR timeout is not a float or out of range"
	errTimeoutNotInt   ReplyError = "ERR timeout is not an integer or out of range"
	errTimeoutRange    ReplyError = "ERR timeout is out of range"
	errTimeoutNegative ReplyError = "ERR timeout is negative"
)

// timeoutArg reads how long a call may wait, in seconds with a fraction, and
// returns the deadline in Unix milliseconds, 0 for none; or it answers with an
// error.
func (c *Call) timeoutArg(i int) (deadline int64, ok bool) {
	if n, isInt := parseInt(c.Args[i]); isInt && n <= math.MaxInt64/1000 && n >= math.MinInt64/1000 {
		return c.deadlineIn(n * 1000)
	}
	x, ok := parseExtended(c.Args[i])
	if !ok {
		c.Fail(errTimeoutNotFloat)
		return 0, false
	}
	x.Mul(x, big.NewFloat(1000))
	if x.Cmp(new(big.Float).SetInt64(math.MaxInt64)) > 0 {
		c.Fail(errTimeoutRange)
		return 0, false
	}
	ms, accuracy := x.Int64()
	if accuracy == big.Below && !x.IsInf() {
		ms++ // rounded down to nothing, it would be for ever
	}
	return c.deadlineIn(ms)
}

// timeoutMillisArg is timeoutArg for whole milliseconds.
func (c *Call) timeoutMillisArg(i int) (deadline int64, ok bool) {
	ms, ok := parseInt(c.Args[i])
	if !ok {
		c.Fail(errTimeoutNotInt)
		return 0, false
	}
	return c.deadlineIn(ms)
}

func (c *Call) deadlineIn(ms int64) (deadline int64, ok bool) {
	switch {
	case ms < 0:
		c.Fail(errTimeoutNegative)
		return 0, false
	case ms == 0:
		return 0, true
	case ms > math.MaxInt64-c.Now:
		c.Fail(errTimeoutRange)
		return 0, false
	}
	return c.Now + ms, true
}
