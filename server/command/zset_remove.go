package command

func runZRem(c *Call) {
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeSortedSet, key)
	if failed {
		return
	}
	n := 0
	if found {
		w := c.DB.EditSortedSetFound(key, e, true)
		for _, m := range c.Args[2:] {
			if w.Remove(m) {
				n++
			}
		}
		c.removedFrom(EventSortedSet, "zrem", key, n, !w.Exists())
	}
	c.Out.Int(int64(n))
}

func runZRemRangeByRank(c *Call) {
	removeRange(c, rangeOptions{by: byRank, count: -1}, "zremrangebyrank")
}

func runZRemRangeByScore(c *Call) {
	removeRange(c, rangeOptions{by: byScore, count: -1}, "zremrangebyscore")
}

func runZRemRangeByLex(c *Call) {
	removeRange(c, rangeOptions{by: byLex, count: -1}, "zremrangebylex")
}

func removeRange(c *Call, o rangeOptions, event string) {
	if !parseEnds(c, &o, c.Args[2], c.Args[3], 2) {
		return
	}
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeSortedSet, key)
	if failed {
		return
	}
	n := 0
	if found {
		var rank int
		rank, n = o.in(e.SortedSet())
		w := c.DB.EditSortedSetFound(key, e, true)
		w.RemoveRange(rank, n)
		c.removedFrom(EventSortedSet, event, key, n, !w.Exists())
	}
	c.Out.Int(int64(n))
}
