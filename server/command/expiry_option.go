package command

import "math"

var (
	setCommand       = []byte("SET")
	persistCommand   = []byte("PERSIST")
	pexpireatCommand = []byte("PEXPIREAT")
	pxatOption       = []byte("PXAT")
	keepTTLOption    = []byte("KEEPTTL")
	absTTLOption     = []byte("ABSTTL")
)

// expiryUnit is the way in which a client gives a time.
type expiryUnit uint8

const (
	noExpiry expiryUnit = iota
	inSeconds
	inMillis
	atSeconds
	atMillis
)

func (u expiryUnit) absolute() bool { return u == atSeconds || u == atMillis }
func (u expiryUnit) seconds() bool  { return u == inSeconds || u == atSeconds }

// setOptions are the options of SET and GETEX.
type setOptions struct {
	nx, xx, get      bool
	ifEqual          bool
	expected         []byte // what the string must be for ifEqual
	keepTTL, persist bool
	unit             expiryUnit
	when             []byte // the number that came with unit
}

type expiryUser uint8

const (
	forSet expiryUser = iota
	forGetEX
)

// parseExpiry reads the options from an index on. It answers with an error
// itself.
func parseExpiry(c *Call, from int, user expiryUser) (o setOptions, ok bool) {
	for i := from; i < len(c.Args); i++ {
		arg := c.Args[i]
		unit := expiryUnitOf(arg)
		switch {
		// The same unit twice is accepted, and the last one counts; two units
		// are not.
		case unit != noExpiry && i+1 < len(c.Args) && !o.keepTTL && !o.persist && (o.unit == noExpiry || o.unit == unit):
			i++
			o.unit, o.when = unit, c.Args[i]
		case user == forGetEX && equalFold(arg, "PERSIST") && o.unit == noExpiry:
			o.persist = true
		case user == forSet && equalFold(arg, "NX") && !o.xx && !o.ifEqual:
			o.nx = true
		case user == forSet && equalFold(arg, "XX") && !o.nx && !o.ifEqual:
			o.xx = true
		case user == forSet && equalFold(arg, "IFEQ") && i+1 < len(c.Args) && !o.nx && !o.xx:
			i++
			o.ifEqual, o.expected = true, c.Args[i]
		case user == forSet && equalFold(arg, "GET"):
			o.get = true
		case user == forSet && equalFold(arg, "KEEPTTL") && o.unit == noExpiry:
			o.keepTTL = true
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func expiryUnitOf(arg []byte) expiryUnit {
	switch {
	case equalFold(arg, "EX"):
		return inSeconds
	case equalFold(arg, "PX"):
		return inMillis
	case equalFold(arg, "EXAT"):
		return atSeconds
	case equalFold(arg, "PXAT"):
		return atMillis
	}
	return noExpiry
}

// expireAt is the time in Unix milliseconds, 0 without one. It answers with an
// error itself: times must be positive, also after everything was added up.
func (o *setOptions) expireAt(c *Call) (at int64, ok bool) {
	if o.unit == noExpiry {
		return 0, true
	}
	at, isInt := parseInt(o.when)
	if !isInt {
		c.Fail(ErrNotInteger)
		return 0, false
	}
	ok = at > 0
	if o.unit.seconds() {
		ok = ok && at <= math.MaxInt64/1000
		at *= 1000
	}
	if !o.unit.absolute() {
		at += c.Now // at most two positive numbers: an overflow is negative
	}
	if !ok || at <= 0 {
		c.Fail(errExpireTime(c.Spec.FullName()))
		return 0, false
	}
	return at, true
}

// past says whether an expiry time given by a client is over, so that the key
// is to be removed at once. What comes from a primary is kept until the primary
// removes it.
func (c *Call) past(at int64) bool {
	return at <= c.Now && !c.FromPrimary && c.Expiry == ExpireDelete
}
