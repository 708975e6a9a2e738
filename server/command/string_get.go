package command

import "github.com/lockstep-db/lockstep/server/store"

func runGet(c *Call) {
	if e, found, failed := c.FindString(c.Args[1]); !failed {
		c.replyValue(e, found)
	}
}

// replyValue replies with a string, or with null when there is none.
func (c *Call) replyValue(e store.Entry, found bool) {
	if found {
		c.Out.Bulk(c.value(e))
	} else {
		c.Out.Null()
	}
}

func runMGet(c *Call) {
	c.Out.Array(len(c.Args) - 1)
	for i, key := range c.Args[1:] {
		c.prefetch(i+1, 1)
		// A key of another type is no error here: for MGET it has no string.
		if e, ok := c.FindRead(key); ok && e.Type() == typeString {
			c.Out.Bulk(c.value(e))
		} else {
			c.Out.Null()
		}
	}
}

// prefetch has the next keys looked up in one go if argument i, where the keys are
// every step arguments, begins a batch of them: it is called before each.
func (c *Call) prefetch(i, step int) {
	const batch = store.PrefetchBatch
	n := min((len(c.Args)-i+step-1)/step, batch)
	if (i-1)%(batch*step) != 0 || n < 2 {
		return
	}
	var hashes [batch]store.Hash
	for j := range n {
		hashes[j] = c.Keyspace.Hash(c.Args[i+j*step])
	}
	c.DB.Prefetch(hashes[:n])
}

func runStrlen(c *Call) {
	e, found, failed := c.FindString(c.Args[1])
	switch {
	case failed:
	case !found:
		c.Out.Int(0)
	default:
		c.Out.Int(int64(e.StringLen()))
	}
}

// runGetDel: DEL is the effect, which needs no support for GETDEL elsewhere.
func runGetDel(c *Call) {
	key := c.Args[1]
	e, found, failed := c.FindString(key)
	if failed {
		return
	}
	c.replyValue(e, found)
	if !found {
		return
	}
	c.DB.Delete(key)
	c.Rewrite(delCommand, key)
	c.modified(EventGeneric, "del", key)
}

func runGetEX(c *Call) {
	opts, ok := parseExpiry(c, 2, forGetEX)
	if !ok {
		return
	}
	key := c.Args[1]
	e, found, failed := c.FindString(key)
	if failed {
		return
	}
	if !found {
		c.Out.Null()
		return
	}
	at, ok := opts.expireAt(c)
	if !ok {
		return
	}
	c.Out.Bulk(c.value(e))
	switch {
	case opts.unit.absolute() && c.past(at):
		c.DB.Delete(key)
		c.Rewrite(RemovalWord(c.LazyExpire), key)
		c.modified(EventGeneric, "del", key)
	case opts.unit != noExpiry:
		c.DB.SetExpire(key, at)
		c.Rewrite(pexpireatCommand, key, c.spell(at))
		c.modified(EventGeneric, "expire", key)
	case opts.persist && c.DB.Persist(key):
		c.Rewrite(persistCommand, key)
		c.modified(EventGeneric, "persist", key)
	}
}
