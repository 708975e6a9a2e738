package command

import "math"

func runExpire(c *Call)    { expire(c, inSeconds) }
func runPExpire(c *Call)   { expire(c, inMillis) }
func runExpireAt(c *Call)  { expire(c, atSeconds) }
func runPExpireAt(c *Call) { expire(c, atMillis) }

// expireOptions are conditions on the time that the key has already.
type expireOptions struct {
	nx, xx, gt, lt bool
}

func parseExpire(c *Call) (o expireOptions, ok bool) {
	for _, arg := range c.Args[3:] {
		switch {
		case equalFold(arg, "NX"):
			o.nx = true
		case equalFold(arg, "XX"):
			o.xx = true
		case equalFold(arg, "GT"):
			o.gt = true
		case equalFold(arg, "LT"):
			o.lt = true
		default:
			c.Fail(errUnsupportedOption(arg))
			return o, false
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		c.Fail(errExpireNXOnly)
	case o.gt && o.lt:
		c.Fail(errExpireGTLT)
	default:
		return o, true
	}
	return o, false
}

// allow says whether a key that expires at a time, or never, may expire at when
// instead. Never is later than every time.
func (o expireOptions) allow(at int64, has bool, when int64) bool {
	switch {
	case o.nx && has, o.xx && !has:
		return false
	case o.gt && (!has || when <= at):
		return false
	case o.lt && has && when >= at:
		return false
	}
	return true
}

func expire(c *Call, unit expiryUnit) {
	opts, ok := parseExpire(c)
	if !ok {
		return
	}
	when, ok := expireWhen(c, unit)
	if !ok {
		return
	}
	key := c.Args[1]
	e, found := c.FindWrite(key)
	if !found {
		c.Out.Int(0)
		return
	}
	if at, has := e.ExpireAt(); !opts.allow(at, has, when) {
		c.Out.Int(0)
		return
	}
	c.Out.Int(1)
	if c.past(when) {
		c.DB.Delete(key)
		c.Rewrite(RemovalWord(c.LazyExpire), key)
		c.modified(EventGeneric, "del", key)
		return
	}
	// The store has no room for times before 1970, and one past is as good as
	// another.
	c.DB.SetExpire(key, max(when, 1))
	if unit != atMillis {
		args := append(c.left.rewrite[:0], pexpireatCommand, key, c.spell(when))
		c.Rewrite(append(args, c.Args[3:]...)...)
	}
	c.modified(EventGeneric, "expire", key)
}

// expireWhen turns the argument into Unix milliseconds, which may be negative.
func expireWhen(c *Call, unit expiryUnit) (when int64, ok bool) {
	if when, ok = c.intArg(2); !ok {
		return 0, false
	}
	base := int64(0)
	if !unit.absolute() {
		base = c.Now
	}
	if unit.seconds() {
		ok = when <= math.MaxInt64/1000 && when >= math.MinInt64/1000
		when *= 1000
	}
	if !ok || when > math.MaxInt64-base {
		c.Fail(errExpireTime(c.Spec.FullName()))
		return 0, false
	}
	return when + base, true
}

func runPersist(c *Call) {
	key := c.Args[1]
	if _, found := c.FindWrite(key); !found || !c.DB.Persist(key) {
		c.Out.Int(0)
		return
	}
	c.modified(EventGeneric, "persist", key)
	c.Out.Int(1)
}

func runTTL(c *Call)         { timeOf(c, func(at int64) int64 { return rounded(c.remaining(at)) }) }
func runPTTL(c *Call)        { timeOf(c, c.remaining) }
func runExpireTime(c *Call)  { timeOf(c, rounded) }
func runPExpireTime(c *Call) { timeOf(c, func(at int64) int64 { return at }) }

// remaining is how much of an expiry time is left, in milliseconds.
func (c *Call) remaining(at int64) int64 { return max(at-c.Now, 0) }

// rounded turns milliseconds into seconds: 1499 is 1, 1500 is 2. Nothing is
// added to ms, which may be the largest number there is.
func rounded(ms int64) int64 {
	seconds := ms / 1000
	if ms%1000 >= 500 {
		seconds++
	}
	return seconds
}

// timeOf replies with a key's expiry time as show has it; -1 stands for never,
// -2 for a missing key.
func timeOf(c *Call, show func(at int64) int64) {
	e, found := c.Peek(c.Args[1])
	if !found {
		c.Out.Int(-2)
		return
	}
	if at, has := e.ExpireAt(); has {
		c.Out.Int(show(at))
		return
	}
	c.Out.Int(-1)
}
