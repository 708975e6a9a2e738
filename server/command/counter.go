package command

import "math"

func runIncr(c *Call) { add(c, 1) }
func runDecr(c *Call) { add(c, -1) }

func runIncrBy(c *Call) {
	if n, ok := c.intArg(2); ok {
		add(c, n)
	}
}

func runDecrBy(c *Call) {
	n, ok := c.intArg(2)
	if !ok {
		return
	}
	if n == math.MinInt64 { // has no negative
		c.Fail(errDecrOverflow)
		return
	}
	add(c, -n)
}

func add(c *Call, delta int64) {
	key := c.Args[1]
	e, found, failed := c.findStringToWrite(key)
	if failed {
		return
	}
	var n int64
	if found {
		var ok bool
		if n, ok = e.Int(); !ok {
			// A number that APPEND or SETRANGE made is held as text.
			if n, ok = parseInt(c.value(e)); !ok {
				c.Fail(ErrNotInteger)
				return
			}
		}
	}
	sum := n + delta
	if (delta > 0) != (sum > n) && delta != 0 {
		c.Fail(errOverflow)
		return
	}
	c.access(c.DB.SetIntKeepTTL(key, sum))
	c.modified(EventString, "incrby", key)
	c.Out.Int(sum)
}

// runIncrByFloat propagates the result: other machines need not compute the
// same digits.
func runIncrByFloat(c *Call) {
	key := c.Args[1]
	e, found, failed := c.findStringToWrite(key)
	if failed {
		return
	}
	n := newExtended()
	if found {
		var ok bool
		if n, ok = parseExtended(c.value(e)); !ok {
			c.Fail(ErrNotFloat)
			return
		}
	}
	delta, ok := parseExtended(c.Args[2])
	if !ok {
		c.Fail(ErrNotFloat)
		return
	}
	sum, ok := addExtended(n, delta)
	if !ok {
		c.Fail(errNaNOrInfinity)
		return
	}
	text := appendExtended(nil, sum)
	c.access(c.DB.SetStringKeepTTL(key, text))
	c.Rewrite(setCommand, key, text, keepTTLOption)
	c.modified(EventString, "incrbyfloat", key)
	c.Out.Bulk(text)
}
