package command

import "github.com/lockstep-db/lockstep/server/store"

func runBLPop(c *Call) { blockingPop(c, true) }
func runBRPop(c *Call) { blockingPop(c, false) }

func blockingPop(c *Call, left bool) {
	last := len(c.Args) - 1
	deadline, ok := c.timeoutArg(last)
	if !ok {
		return
	}
	keys := c.Args[1:last]
	for _, key := range keys {
		e, found, failed := c.findListToWrite(key)
		if failed {
			return
		}
		if found {
			c.Out.Array(2)
			c.Out.Bulk(key)
			c.popOne(key, e, left)
			c.Rewrite(popCommand(left), key)
			return
		}
	}
	c.awaitList(keys, deadline)
}

// awaitList waits for an element in one of the lists.
func (c *Call) awaitList(keys [][]byte, deadline int64) {
	c.Block(Wait{Keys: keys, Type: store.TypeList, Deadline: deadline, TimedOut: (*Call).replyNullArray})
}

func (c *Call) replyNullArray() { c.Out.NullArray() }

func runBLMPop(c *Call) {
	opts, ok := parseMPop(c, 2, (*Call).endArg)
	if !ok {
		return
	}
	deadline, ok := c.timeoutArg(1)
	if ok && !popFirst(c, opts) {
		c.awaitList(opts.keys, deadline)
	}
}

func runBRPopLPush(c *Call) {
	deadline, ok := c.timeoutArg(3)
	if ok && c.blockingMove(false, true, deadline) {
		c.Rewrite(rpoplpushCommand, c.Args[1], c.Args[2])
	}
}

func runBLMove(c *Call) {
	fromLeft, ok := c.endArg(3)
	if !ok {
		return
	}
	toLeft, ok := c.endArg(4)
	if !ok {
		return
	}
	deadline, ok := c.timeoutArg(5)
	if ok && c.blockingMove(fromLeft, toLeft, deadline) {
		c.Rewrite(lmoveCommand, c.Args[1], c.Args[2], c.Args[3], c.Args[4])
	}
}

// blockingMove tells whether something was moved, or the reply is an error.
func (c *Call) blockingMove(fromLeft, toLeft bool, deadline int64) bool {
	switch {
	case c.move(c.Args[1], c.Args[2], fromLeft, toLeft):
		return true
	case !c.MayWait:
		c.Out.Null() // not the reply of a wait that was in vain
	default:
		c.awaitList(c.Args[1:2], deadline)
	}
	return false
}
