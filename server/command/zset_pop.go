package command

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

var (
	zpopminCommand = []byte("ZPOPMIN")
	zpopmaxCommand = []byte("ZPOPMAX")
)

func zpopCommand(highest bool) []byte {
	if highest {
		return zpopmaxCommand
	}
	return zpopminCommand
}

func runZPopMin(c *Call) { zpop(c, false) }
func runZPopMax(c *Call) { zpop(c, true) }

// zpop is ZPOPMIN and ZPOPMAX.
func zpop(c *Call, highest bool) {
	if len(c.Args) > 3 {
		c.Fail(ErrSyntax)
		return
	}
	count := int64(1)
	if len(c.Args) == 3 {
		var ok bool
		if count, ok = c.rangeArg(2, 0, math.MaxInt64, errNotPositive); !ok {
			return
		}
	}
	e, found, failed := c.findToWriteAs(typeSortedSet, c.Args[1])
	if failed {
		return
	}
	n := 0
	if found {
		n = int(min(count, int64(e.SortedSet().Len())))
	}
	if n == 0 {
		c.Out.Array(0)
		return
	}
	if len(c.Args) == 3 {
		s := e.SortedSet()
		c.replyMembers(s, popRank(s, highest), n, highest, true)
	} else { // one pair, which is not an array of its own
		c.Out.Array(2)
		c.replyPair(e.SortedSet(), highest)
	}
	c.take(c.Args[1], e, n, highest)
}

// popRank is the rank of the first member to be taken.
func popRank(s store.SortedSetView, highest bool) int {
	if highest {
		return s.Len() - 1
	}
	return 0
}

// replyPair replies with the member to be taken and its score, without an array
// around them.
func (c *Call) replyPair(s store.SortedSetView, highest bool) {
	s.Walk(popRank(s, highest), 1, highest, func(member []byte, score float64) bool {
		c.Out.Bulk(member)
		c.Out.Double(score)
		return true
	})
}

// take removes n members, which exist, from one end of the sorted set at a key.
func (c *Call) take(key []byte, e store.Entry, n int, highest bool) {
	event := "zpopmin"
	w := c.DB.EditSortedSetFound(key, e, true)
	rank := 0
	if highest {
		event = "zpopmax"
		rank = w.SortedSet().Len() - n
	}
	w.RemoveRange(rank, n)
	c.removedFrom(EventSortedSet, event, key, n, !w.Exists())
}

// extremeArg reads MIN or MAX, or answers with an error.
func (c *Call) extremeArg(i int) (lowest, ok bool) {
	switch {
	case equalFold(c.Args[i], "MIN"):
		return true, true
	case equalFold(c.Args[i], "MAX"):
		return false, true
	}
	c.Fail(ErrSyntax)
	return false, false
}

// firstSortedSet finds the first of several keys that exists. When that holds
// something else it answers with an error, and failed is true.
func (c *Call) firstSortedSet(keys [][]byte) (e store.Entry, key []byte, failed bool) {
	for _, key := range keys {
		e, found, failed := c.findToWriteAs(typeSortedSet, key)
		if found || failed {
			return e, key, failed
		}
	}
	return e, nil, false
}

// zpopMany takes members out of the first sorted set there is, and tells whether
// it has replied.
func zpopMany(c *Call, o mpopOptions) (replied bool) {
	e, key, failed := c.firstSortedSet(o.keys)
	if failed || key == nil {
		return failed
	}
	s := e.SortedSet()
	n := int(min(o.count, int64(s.Len())))
	c.Out.Array(2)
	c.Out.Bulk(key)
	c.Out.Array(n)
	s.Walk(popRank(s, !o.first), n, !o.first, func(member []byte, score float64) bool {
		c.Out.Array(2)
		c.Out.Bulk(member)
		c.Out.Double(score)
		return true
	})
	c.take(key, e, n, !o.first)
	c.Rewrite(zpopCommand(!o.first), key, c.spell(int64(n)))
	return true
}

func runZMPop(c *Call) {
	if o, ok := parseMPop(c, 1, (*Call).extremeArg); ok && !zpopMany(c, o) {
		c.Out.NullArray()
	}
}

func runBZMPop(c *Call) {
	deadline, ok := c.timeoutArg(1)
	if !ok {
		return
	}
	o, ok := parseMPop(c, 2, (*Call).extremeArg)
	if ok && !zpopMany(c, o) {
		c.waitForMembers(o.keys, deadline)
	}
}

func runBZPopMin(c *Call) { waitAndPop(c, false) }
func runBZPopMax(c *Call) { waitAndPop(c, true) }

func waitAndPop(c *Call, highest bool) {
	deadline, ok := c.timeoutArg(len(c.Args) - 1)
	if !ok {
		return
	}
	keys := c.Args[1 : len(c.Args)-1]
	e, key, failed := c.firstSortedSet(keys)
	switch {
	case failed:
	case key == nil:
		c.waitForMembers(keys, deadline)
	default:
		c.Out.Array(3)
		c.Out.Bulk(key)
		c.replyPair(e.SortedSet(), highest)
		c.take(key, e, 1, highest)
		c.Rewrite(zpopCommand(highest), key)
	}
}

// waitForMembers blocks until one of the keys holds a sorted set.
func (c *Call) waitForMembers(keys [][]byte, deadline int64) {
	c.Block(Wait{Keys: keys, Type: typeSortedSet, Deadline: deadline, TimedOut: func(c *Call) { c.Out.NullArray() }})
}
