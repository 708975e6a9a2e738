package command

import "github.com/lockstep-db/lockstep/server/store"

func runHGet(c *Call) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	if failed {
		return
	}
	if found {
		c.replyField(e.Hash(), c.Args[2])
	} else {
		c.Out.Null()
	}
}

// replyField replies with the value of a field, or with null when there is none.
func (c *Call) replyField(hash store.HashView, field []byte) {
	if value, ok := hash.Get(field, c.digits()); ok {
		c.Out.Bulk(value)
	} else {
		c.Out.Null()
	}
}

func runHMGet(c *Call) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	if failed {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		if found {
			c.replyField(e.Hash(), field)
		} else {
			c.Out.Null()
		}
	}
}

func runHLen(c *Call) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	switch {
	case failed:
	case found:
		c.Out.Int(int64(e.Hash().Len()))
	default:
		c.Out.Int(0)
	}
}

func runHStrlen(c *Call) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	if failed {
		return
	}
	length := 0
	if found {
		value, _ := e.Hash().Get(c.Args[2], c.digits())
		length = len(value)
	}
	c.Out.Int(int64(length))
}

func runHExists(c *Call) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	if !failed {
		c.replyFlag(found && e.Hash().Has(c.Args[2]))
	}
}

// replyFlag replies with 1 or 0.
func (c *Call) replyFlag(yes bool) {
	if yes {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
}

func runHKeys(c *Call) {
	c.replyFields(c.Out.Array, func(field, _ []byte) { c.Out.Bulk(field) })
}

func runHVals(c *Call) {
	c.replyFields(c.Out.Array, func(_, value []byte) { c.Out.Bulk(value) })
}

func runHGetAll(c *Call) {
	c.replyFields(c.Out.Map, func(field, value []byte) {
		c.Out.Bulk(field)
		c.Out.Bulk(value)
	})
}

// replyFields replies with something of every field, after a header.
func (c *Call) replyFields(header func(n int), reply func(field, value []byte)) {
	e, found, failed := c.findAs(typeHash, c.Args[1])
	switch {
	case failed:
	case !found:
		header(0)
	default:
		header(e.Hash().Len())
		e.Hash().Each(func(field, value []byte) bool {
			reply(field, value)
			return true
		})
	}
}

func runHScan(c *Call) {
	scanElements(c, typeHash, func(e store.Entry, cursor uint64, visit func(field, value []byte)) uint64 {
		return e.Hash().Scan(cursor, visit)
	})
}
