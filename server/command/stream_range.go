package command

import "github.com/lockstep-db/lockstep/server/store"

func runXLen(c *Call) {
	s, ok := c.findStream(c.Args[1])
	switch {
	case !ok:
	case s == nil:
		c.Out.Int(0)
	default:
		c.Out.Int(s.Length)
	}
}

func runXRange(c *Call)    { streamRange(c, 2, 3, false) }
func runXRevRange(c *Call) { streamRange(c, 3, 2, true) }

// streamRange replies with the entries from the ID in one argument to that in
// another.
func streamRange(c *Call, startAt, endAt int, reverse bool) {
	start, ok := c.intervalStart(startAt)
	if !ok {
		return
	}
	end, ok := c.intervalEnd(endAt)
	if !ok {
		return
	}
	limit := int64(-1)
	for i := 4; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) || !equalFold(c.Args[i], "COUNT") {
			c.Fail(ErrSyntax)
			return
		}
		if limit, ok = c.intArg(i + 1); !ok {
			return
		}
		limit = max(limit, 0)
	}
	s, ok := c.findStream(c.Args[1])
	switch {
	case !ok:
	case s == nil:
		c.Out.Array(0)
	case limit == 0:
		c.Out.NullArray()
	default:
		c.replyEntries(s.Range(start, end, reverse), limit)
	}
}

// replyEntries replies with what an iterator gives, up to limit entries when
// that is positive.
func (c *Call) replyEntries(it store.StreamIterator, limit int64) {
	mark, n := c.Out.Mark(), int64(0)
	for (limit <= 0 || n < limit) && it.Next() {
		c.replyEntry(&it)
		n++
	}
	c.Out.InsertArray(mark, int(n))
}

// replyEntry replies with the entry that an iterator is at.
func (c *Call) replyEntry(it *store.StreamIterator) {
	c.Out.Array(2)
	c.replyID(it.ID())
	fields := it.Fields()
	c.Out.Array(2 * fields)
	for range fields {
		name, value := it.Field()
		c.Out.Bulk(name)
		c.Out.Bulk(value)
	}
}

// replyEntryByID replies with one entry, and tells whether it is there.
func (c *Call) replyEntryByID(s *store.Stream, id store.StreamID) bool {
	it := s.Range(id, id, false)
	if !it.Next() {
		return false
	}
	c.replyEntry(&it)
	return true
}
