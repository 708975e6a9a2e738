package command

import "github.com/lockstep-db/lockstep/server/store"

func runSAdd(c *Call) {
	key, members := c.Args[1], c.Args[2:]
	e, found, failed := c.findToWriteAs(typeSet, key)
	if failed {
		return
	}
	w := c.DB.EditSetFound(key, e, found)
	if len(members) > 1 {
		w.Expect(members)
	}
	added := 0
	for _, member := range members {
		if w.Add(member) {
			added++
		}
	}
	if !found {
		c.access(w.Entry())
	}
	if added > 0 {
		c.Changed(added - 1)
		c.modified(EventSet, "sadd", key)
	}
	c.Out.Int(int64(added))
}

func runSRem(c *Call) {
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeSet, key)
	if failed {
		return
	}
	removed := 0
	if found {
		w := c.DB.EditSetFound(key, e, found)
		for _, member := range c.Args[2:] {
			if w.Remove(member) {
				removed++
			}
		}
		c.removedFrom(EventSet, "srem", key, removed, !w.Exists())
	}
	c.Out.Int(int64(removed))
}

func runSMove(c *Call) {
	from, to, member := c.Args[1], c.Args[2], c.Args[3]
	_, found := c.FindWrite(from)
	target, exists := c.FindWrite(to)
	if !found {
		c.Out.Int(0)
		return
	}
	source, _ := c.DB.Find(from) // looking for the target may have removed a key
	if c.isNot(typeSet, source) || exists && c.isNot(typeSet, target) {
		return
	}
	if string(from) == string(to) {
		c.replyFlag(source.Set().Has(member))
		return
	}
	w := c.DB.EditSet(from)
	if !w.Remove(member) {
		c.Out.Int(0)
		return
	}
	c.removedFrom(EventSet, "srem", from, 1, !w.Exists())
	w = c.DB.EditSet(to)
	if w.Add(member) {
		c.modified(EventSet, "sadd", to)
	}
	if !exists {
		c.access(w.Entry())
	}
	c.Out.Int(1)
}

func runSCard(c *Call) {
	e, found, failed := c.findAs(typeSet, c.Args[1])
	switch {
	case failed:
	case found:
		c.Out.Int(int64(e.Set().Len()))
	default:
		c.Out.Int(0)
	}
}

func runSIsMember(c *Call) {
	e, found, failed := c.findAs(typeSet, c.Args[1])
	if !failed {
		c.replyFlag(found && e.Set().Has(c.Args[2]))
	}
}

func runSMIsMember(c *Call) {
	e, found, failed := c.findAs(typeSet, c.Args[1])
	if failed {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		c.replyFlag(found && e.Set().Has(member))
	}
}

func runSMembers(c *Call) {
	e, found, failed := c.findAs(typeSet, c.Args[1])
	switch {
	case failed:
	case found:
		c.replySet(e.Set())
	default:
		c.Out.Set(0)
	}
}

// replySet replies with all members of a set.
func (c *Call) replySet(set store.SetView) {
	c.Out.Set(set.Len())
	set.Each(func(member []byte) bool {
		c.Out.Bulk(member)
		return true
	})
}

func runSScan(c *Call) {
	scanElements(c, typeSet, func(e store.Entry, cursor uint64, visit func(member, value []byte)) uint64 {
		return e.Set().Scan(cursor, func(member []byte) { visit(member, nil) })
	})
}
