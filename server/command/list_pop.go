package command

import (
	"bytes"
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

var (
	lpopCommand      = []byte("LPOP")
	rpopCommand      = []byte("RPOP")
	lmoveCommand     = []byte("LMOVE")
	rpoplpushCommand = []byte("RPOPLPUSH")
)

func runLPop(c *Call) { pop(c, true) }
func runRPop(c *Call) { pop(c, false) }

func pop(c *Call, left bool) {
	if len(c.Args) > 3 {
		c.Fail(errArity(c.Spec.full))
		return
	}
	n, counted := int64(1), len(c.Args) == 3
	if counted {
		var ok bool
		if n, ok = c.rangeArg(2, 0, math.MaxInt64, errNotPositive); !ok {
			return
		}
	}
	key := c.Args[1]
	e, found, failed := c.findListToWrite(key)
	switch {
	case failed:
	case !found && counted:
		c.Out.NullArray()
	case !found:
		c.Out.Null()
	case counted:
		c.popMany(key, e, left, n)
	default:
		c.popOne(key, e, left)
	}
}

// popOne replies with the element at an end of a list and removes it.
func (c *Call) popOne(key []byte, e store.Entry, left bool) {
	c.Out.Bulk(e.List().End(left, c.digits()))
	c.popped(key, e, left, 1)
}

// popMany replies with an array of up to n elements and removes them. It returns
// how many they are.
func (c *Call) popMany(key []byte, e store.Entry, left bool, n int64) int {
	l := e.List()
	count := int(min(n, int64(l.Len())))
	c.Out.Array(count)
	if count == 0 {
		return 0
	}
	it := fromEnd(l, left)
	for range count {
		c.Out.Bulk(it.Get(c.digits()))
		it.Step()
	}
	c.popped(key, e, left, count)
	return count
}

// fromEnd begins at an end.
func fromEnd(l store.List, left bool) store.ListIterator {
	if left {
		return l.From(0)
	}
	return l.BackFrom(-1)
}

// popped removes elements that have been replied with.
func (c *Call) popped(key []byte, e store.Entry, left bool, n int) {
	rest := c.DB.ListPop(key, e, left, n)
	c.Changed(n)
	c.tellPopped(key, left, rest)
}

// tellPopped tells listeners that elements have gone, and how many are left.
func (c *Call) tellPopped(key []byte, left bool, rest int) {
	c.Touch(key)
	if left {
		c.notify(EventList, "lpop", key)
	} else {
		c.notify(EventList, "rpop", key)
	}
	if rest == 0 {
		c.keyGone(key)
	}
}

// mpopOptions are those of LMPOP, ZMPOP and of their variants that wait.
type mpopOptions struct {
	keys  [][]byte
	first bool // LEFT or MIN
	count int64
}

// parseMPop reads the options from the number of keys on. end reads the argument
// that says from which end to take.
func parseMPop(c *Call, at int, end func(c *Call, i int) (first, ok bool)) (o mpopOptions, ok bool) {
	n, ok := c.rangeArg(at, 1, math.MaxInt64, errNumKeys)
	if !ok {
		return o, false
	}
	if n >= int64(len(c.Args)-at-1) {
		c.Fail(ErrSyntax)
		return o, false
	}
	where := at + 1 + int(n)
	o.keys, o.count = c.Args[at+1:where], 1
	if o.first, ok = end(c, where); !ok {
		return o, false
	}
	switch rest := c.Args[where+1:]; {
	case len(rest) == 0:
		return o, true
	case len(rest) == 1 || !equalFold(rest[0], "COUNT"):
		c.Fail(ErrSyntax)
		return o, false
	}
	if o.count, ok = c.rangeArg(where+2, 1, math.MaxInt64, errPopCount); !ok {
		return o, false
	}
	if len(c.Args) > where+3 {
		c.Fail(ErrSyntax)
		return o, false
	}
	return o, true
}

// endArg reads LEFT or RIGHT, or answers with an error.
func (c *Call) endArg(i int) (left, ok bool) {
	switch {
	case equalFold(c.Args[i], "LEFT"):
		return true, true
	case equalFold(c.Args[i], "RIGHT"):
		return false, true
	}
	c.Fail(ErrSyntax)
	return false, false
}

func runLMPop(c *Call) {
	if opts, ok := parseMPop(c, 1, (*Call).endArg); ok && !popFirst(c, opts) {
		c.Out.NullArray()
	}
}

// popFirst pops from the first of the lists that exists, and tells whether it has
// replied. LPOP or RPOP is the effect: a replica need not look for the list.
func popFirst(c *Call, o mpopOptions) (replied bool) {
	for _, key := range o.keys {
		e, found, failed := c.findListToWrite(key)
		if failed {
			return true
		}
		if !found {
			continue
		}
		c.Out.Array(2)
		c.Out.Bulk(key)
		n := c.popMany(key, e, o.first, o.count)
		c.Rewrite(popCommand(o.first), key, c.spell(int64(n)))
		return true
	}
	return false
}

func popCommand(left bool) []byte {
	if left {
		return lpopCommand
	}
	return rpopCommand
}

func runRPopLPush(c *Call) {
	if !c.move(c.Args[1], c.Args[2], false, true) {
		c.Out.Null()
	}
}

func runLMove(c *Call) {
	fromLeft, ok := c.endArg(3)
	if !ok {
		return
	}
	toLeft, ok := c.endArg(4)
	if ok && !c.move(c.Args[1], c.Args[2], fromLeft, toLeft) {
		c.Out.Null()
	}
}

// move takes an element from one list to another and replies with it; false means
// that there is no source, and no reply yet.
func (c *Call) move(from, to []byte, fromLeft, toLeft bool) (replied bool) {
	if _, found, failed := c.findListToWrite(from); failed || !found {
		return failed
	}
	_, exists, failed := c.findListToWrite(to)
	if failed {
		return true
	}
	// Looked up again: what was found first may have moved since.
	e, _ := c.DB.Find(from)
	l := e.List()
	it := fromEnd(l, fromLeft)
	value := append(c.digits()[:0], it.Get(c.digits())...)
	defer func() { c.keepScratch(value) }()
	c.Out.Bulk(value)
	rest := 1
	if l.Len() > 1 || !bytes.Equal(from, to) { // otherwise the only element stays where it is
		rest = c.DB.ListPop(from, e, fromLeft, 1)
		c.DB.ListPush(to, toLeft, value)
	}
	c.Changed(1)
	c.tellPushed(to, toLeft, !exists)
	c.tellPopped(from, fromLeft, rest)
	return true
}

// keepScratch keeps a buffer for the next command, unless it has become large.
func (c *Call) keepScratch(b []byte) {
	if cap(b) <= 64<<10 {
		c.scratch = b[:0]
	}
}
