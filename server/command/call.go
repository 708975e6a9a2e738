package command

import (
	"math"
	"strings"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

// ExpiryMode says what happens to a key whose time is over when a command meets
// it.
type ExpiryMode uint8

const (
	// ExpireDelete removes the key and adds a DEL to the effects: a primary.
	ExpireDelete ExpiryMode = iota
	// ExpireHide answers as if the key were gone and leaves it to the primary
	// to say so: clients of a replica, and of a primary whose writes are paused or
	// whose data is being imported.
	ExpireHide
	// ExpireIgnore takes the key as it is: commands from a primary, which has
	// decided already, and from where data is imported.
	ExpireIgnore
)

// Stats are the counters that commands keep.
type Stats struct {
	Hits    int64 // keys read and found
	Misses  int64 // keys read and not found
	Expired int64 // keys removed because their time was over
	Dirty   int64 // changes since whoever reads it last subtracted
}

// Env is what all calls of a server share. Its owner is the reactor.
type Env struct {
	Keyspace *store.Keyspace
	Effects  Effects // nil: effects are dropped
	Stats    Stats
	// Rand is the source of all random choices.
	Rand func() uint64
	// MaxBulk bounds the length of a string in bytes (proto-max-bulk-len); 0
	// means 512 MiB.
	MaxBulk int64
	// LFU says that an LFU eviction policy is selected, so that the access
	// field of entries holds frequencies instead of times.
	LFU bool
	// LFULogFactor and LFUDecay (minutes, 0: never) tune the frequencies
	// (lfu-log-factor, lfu-decay-time).
	LFULogFactor, LFUDecay int
	// LazyExpire and LazyServerDel choose UNLINK instead of DEL for the effect of a
	// key whose time is over, and of one that RESTORE or SPOP removes
	// (lazyfree-lazy-expire, lazyfree-lazy-server-del).
	LazyExpire, LazyServerDel bool
	// Dumps spells the payloads of DUMP.
	Dumps rdb.Encoder
	// Touched is told of every key that is modified, removed or replaced, for
	// WATCH. nil: nobody watches.
	Touched func(db int, key []byte)
	// Emptied is told before all keys of a database vanish at once, Swapped
	// after two databases have traded places. nil: nobody watches.
	Emptied func(db int)
	Swapped func(a, b int)
	// Flushed is told once of every FLUSHDB and FLUSHALL. nil: nobody asks.
	Flushed func()
	// FlushingAll is told before FLUSHALL empties everything. nil: nobody asks.
	FlushingAll func()
	// Ready is told of a key to which elements were added that a blocked call
	// may wait for (Call.Block). nil: nobody waits.
	Ready func(db int, key []byte)
	// ReadsAll says whether the user of a call may read every key. nil: all may.
	ReadsAll func(*Call) bool
	// Notify receives keyspace events. nil: none are wanted.
	Notify func(class EventClass, event string, db int, key []byte)
}

// EventClass is a class of keyspace notifications.
type EventClass uint32

// Classes by the letters of notify-keyspace-events.
const (
	EventGeneric   EventClass = 1 << iota // g
	EventString                           // $
	EventExpired                          // x
	EventEvicted                          // e
	EventNew                              // n
	EventMiss                             // m
	EventList                             // l
	EventSet                              // s
	EventHash                             // h
	EventSortedSet                        // z
	EventStream                           // t
	EventModule                           // d
)

// Call is one execution of one command. A server keeps a Call and fills the
// exported fields anew for each command.
type Call struct {
	*Env

	Spec    *Spec // set by Execute
	Args    [][]byte
	Out     *resp.Writer
	DB      *store.DB
	DBIndex int
	// Now is the time in Unix milliseconds: one value for a command, and one
	// for all commands of a transaction or script.
	Now    int64
	Expiry ExpiryMode
	// Importing says that ExpireHide is for an import of data into a primary, which
	// tells its replicas of what has to be removed all the same.
	Importing bool
	// FromPrimary says that the command came down the replication link (or from
	// a log being replayed), where times in the past are not refused.
	FromPrimary bool
	// NoTouch leaves access times alone (CLIENT NO-TOUCH).
	NoTouch bool
	// Session is the connection, for commands of package server.
	Session any
	// MayWait says that Block is possible: not in a transaction or a script, nor
	// on a connection that must not block.
	MayWait bool
	// Again says that the call has been blocked before and is run anew because
	// a key it waits for has changed.
	Again bool
	// Scripted says that a script calls the command.
	Scripted bool
	// Failed is set when the reply is an error, Counted when that error was
	// counted already: a script passes on what a command in it has replied.
	Failed  bool
	Counted bool
	// Waiting is set by Block: the call has not replied, it is to be run again.
	Waiting *Wait

	wait    Wait // what Waiting points to
	left    outcome
	forced  bool
	scratch []byte      // integers of the keyspace spelled out; reused
	hll     hyperLogLog // what PFADD and its like work on; reused
}

// Execute runs a command on a call whose arity was checked by Lookup, and hands
// over its effects.
func (t *Table) Execute(c *Call, spec *Spec) {
	c.Spec = spec
	c.Failed, c.Counted, c.forced, c.Waiting = false, false, false, nil
	c.left.reset()
	spec.Run(c)
	c.deliver()
}

// Fail replies with an error.
func (c *Call) Fail(err ReplyError) {
	c.Failed = true
	c.Out.Error(strings.TrimRight(string(err), "\r\n"))
}

// Touch tells watchers that a key has been modified.
func (c *Call) Touch(key []byte) { c.touchIn(c.DBIndex, key) }

func (c *Call) touchIn(db int, key []byte) {
	if c.Touched != nil {
		c.Touched(db, key)
	}
}

func (c *Call) notify(class EventClass, event string, key []byte) {
	c.notifyIn(c.DBIndex, class, event, key)
}

func (c *Call) notifyIn(db int, class EventClass, event string, key []byte) {
	if c.Notify != nil {
		c.Notify(class, event, db, key)
	}
}

// muteAdded keeps silent about keys that come into being in the store but not for
// anybody else, until the returned function is called.
func (c *Call) muteAdded() (unmute func()) {
	added := c.Keyspace.Added
	c.Keyspace.Added = nil
	return func() { c.Keyspace.Added = added }
}

// modified says that the command has changed a key once: to replicas, watchers
// and listeners.
func (c *Call) modified(class EventClass, event string, key []byte) {
	c.Changed(1)
	c.Touch(key)
	c.notify(class, event, key)
}

// intArg reads an argument as an integer, or answers with an error.
func (c *Call) intArg(i int) (n int64, ok bool) {
	if n, ok = parseInt(c.Args[i]); !ok {
		c.Fail(ErrNotInteger)
	}
	return n, ok
}

// rangeArg reads an argument as an integer from low to high, or answers with the
// error.
func (c *Call) rangeArg(i int, low, high int64, err ReplyError) (n int64, ok bool) {
	if n, ok = parseInt(c.Args[i]); !ok || n < low || n > high {
		c.Fail(err)
		return 0, false
	}
	return n, true
}

// countArg reads an argument as a number of elements, which is negative where
// the same may come more than once, or answers with an error.
func (c *Call) countArg(i int) (n int64, ok bool) {
	if n, ok = c.intArg(i); ok && n == math.MinInt64 {
		c.Fail(errCountRange)
		return 0, false
	}
	return n, ok
}

// int32Arg reads an argument as an integer of 32 bits, or answers with an error.
func (c *Call) int32Arg(i int) (n int64, ok bool) {
	if n, ok = c.intArg(i); ok && n != int64(int32(n)) {
		c.Fail(errInt32Range)
		return 0, false
	}
	return n, ok
}
