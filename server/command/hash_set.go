package command

import "github.com/lockstep-db/lockstep/server/store"

var hsetCommand = []byte("HSET")

func runHSet(c *Call) {
	if added, ok := setFields(c); ok {
		c.Out.Int(added)
	}
}

func runHMSet(c *Call) {
	if _, ok := setFields(c); ok {
		c.Out.OK()
	}
}

// setFields is HSET but for the reply.
func setFields(c *Call) (added int64, ok bool) {
	if len(c.Args)%2 == 1 {
		c.Fail(errArity(c.Spec.FullName()))
		return 0, false
	}
	key, pairs := c.Args[1], c.Args[2:]
	e, found, failed := c.findToWriteAs(typeHash, key)
	if failed {
		return 0, false
	}
	w := c.DB.EditHashFound(key, e, found)
	w.Expect(pairs)
	for i := 0; i < len(pairs); i += 2 {
		if w.Set(pairs[i], pairs[i+1]) {
			added++
		}
	}
	if !found {
		c.access(w.Entry())
	}
	c.Changed(len(pairs)/2 - 1)
	c.modified(EventHash, "hset", key)
	return added, true
}

func runHSetNX(c *Call) {
	key, field := c.Args[1], c.Args[2]
	e, found, failed := c.findToWriteAs(typeHash, key)
	if failed {
		return
	}
	if found && e.Hash().Has(field) {
		c.Out.Int(0)
		return
	}
	c.setField(e, found, key, field, c.Args[3])
	c.modified(EventHash, "hset", key)
	c.Out.Int(1)
}

// setField sets one field of a hash that was found or is to be created.
func (c *Call) setField(e store.Entry, found bool, key, field, value []byte) {
	w := c.DB.EditHashFound(key, e, found)
	w.Set(field, value)
	if !found {
		c.access(w.Entry())
	}
}

func runHIncrBy(c *Call) {
	delta, ok := c.intArg(3)
	if !ok {
		return
	}
	key, field := c.Args[1], c.Args[2]
	e, found, failed := c.findToWriteAs(typeHash, key)
	if failed {
		return
	}
	var n int64
	if found {
		if value, has := e.Hash().Get(field, c.digits()); has {
			if n, ok = parseInt(value); !ok {
				c.Fail(errHashNotInteger)
				return
			}
		}
	}
	sum := n + delta
	if (delta > 0) != (sum > n) && delta != 0 {
		c.Fail(errOverflow)
		return
	}
	c.setField(e, found, key, field, appendInt(c.digits(), sum))
	c.modified(EventHash, "hincrby", key)
	c.Out.Int(sum)
}

// runHIncrByFloat propagates the result: other machines need not compute the
// same digits.
func runHIncrByFloat(c *Call) {
	delta, ok := parseExtended(c.Args[3])
	if !ok {
		c.Fail(ErrNotFloat)
		return
	}
	if delta.IsInf() {
		c.Fail(errIncrNaN)
		return
	}
	key, field := c.Args[1], c.Args[2]
	e, found, failed := c.findToWriteAs(typeHash, key)
	if failed {
		return
	}
	n := newExtended()
	if found {
		if value, has := e.Hash().Get(field, c.digits()); has {
			if n, ok = parseExtended(value); !ok {
				c.Fail(errHashNotFloat)
				return
			}
		}
	}
	sum, ok := addExtended(n, delta)
	if !ok {
		c.Fail(errNaNOrInfinity)
		return
	}
	text := appendExtended(nil, sum)
	c.setField(e, found, key, field, text)
	c.Rewrite(hsetCommand, key, field, text)
	c.modified(EventHash, "hincrbyfloat", key)
	c.Out.Bulk(text)
}

func runHDel(c *Call) {
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeHash, key)
	if failed {
		return
	}
	removed := 0
	if found {
		w := c.DB.EditHashFound(key, e, found)
		for _, field := range c.Args[2:] {
			if w.Delete(field) {
				removed++
			}
		}
		c.removedFrom(EventHash, "hdel", key, removed, !w.Exists())
	}
	c.Out.Int(int64(removed))
}

// removedFrom says that so many elements of a collection were removed, and
// perhaps with the last one the key.
func (c *Call) removedFrom(class EventClass, event string, key []byte, n int, gone bool) {
	if n == 0 {
		return
	}
	c.Changed(n - 1)
	c.modified(class, event, key)
	if gone {
		c.notify(EventGeneric, "del", key)
	}
}
