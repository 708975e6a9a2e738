package command

import "math"

func runLSet(c *Call) {
	key := c.Args[1]
	_, found, failed := c.findListToWrite(key)
	switch {
	case failed:
		return
	case !found:
		c.Fail(ErrNoSuchKey)
		return
	}
	index, ok := c.intArg(2)
	if !ok {
		return
	}
	if !c.DB.ListSet(key, int(index), c.Args[3]) {
		c.Fail(errIndexRange)
		return
	}
	c.Out.OK()
	c.modified(EventList, "lset", key)
}

func runLInsert(c *Call) {
	before := equalFold(c.Args[2], "BEFORE")
	if !before && !equalFold(c.Args[2], "AFTER") {
		c.Fail(ErrSyntax)
		return
	}
	key := c.Args[1]
	_, found, failed := c.findListToWrite(key)
	switch {
	case failed:
		return
	case !found:
		c.Out.Int(0)
		return
	}
	length, ok := c.DB.ListInsert(key, before, c.Args[3], c.Args[4])
	if !ok {
		c.Out.Int(-1)
		return
	}
	c.Out.Int(int64(length))
	c.modified(EventList, "linsert", key)
}

func runLRem(c *Call) {
	n, ok := c.intArg(2)
	if !ok {
		return
	}
	key := c.Args[1]
	_, found, failed := c.findListToWrite(key)
	switch {
	case failed:
		return
	case !found:
		c.Out.Int(0)
		return
	}
	n = max(n, -math.MaxInt64) // which is all of them anyway
	removed := c.DB.ListRemove(key, int(n), c.Args[3])
	c.Out.Int(int64(removed))
	if removed == 0 {
		return
	}
	c.Changed(removed)
	c.Touch(key)
	c.notify(EventList, "lrem", key)
	c.tellIfGone(key)
}

// tellIfGone tells listeners if a list has lost its last element.
func (c *Call) tellIfGone(key []byte) {
	if _, exists := c.DB.Find(key); !exists {
		c.keyGone(key)
	}
}

func runLTrim(c *Call) {
	first, last, ok := c.indexRange(2)
	if !ok {
		return
	}
	key := c.Args[1]
	e, found, failed := c.findListToWrite(key)
	if failed {
		return
	}
	c.Out.OK()
	if !found {
		return
	}
	from, to := listRange(first, last, e.List().Len())
	c.Changed(c.DB.ListTrim(key, from, to))
	c.Touch(key)
	c.notify(EventList, "ltrim", key)
	c.tellIfGone(key)
}
