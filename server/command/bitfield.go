package command

import "math"

func bitfieldSpecs() []*Spec {
	encoding, offset := NewArg("encoding", ArgString), NewArg("offset", ArgInteger)
	get := Block("get-block", encoding, offset).After("GET")
	write := Block("write",
		OneOf("overflow-block", Token("WRAP"), Token("SAT"), Token("FAIL")).After("OVERFLOW").Opt(),
		OneOf("write-operation",
			Block("set-block", encoding, offset, NewArg("value", ArgInteger)).After("SET"),
			Block("incrby-block", encoding, offset, NewArg("increment", ArgInteger)).After("INCRBY")))
	return []*Spec{
		{Name: "bitfield", Arity: -2, Flags: Write | DenyOOM, Run: runBitfield, Keys: bitfieldKeys,
			KeySpecs: []KeySpec{{
				Notes: "With GET alone the key is only read",
				Flags: KeyRW | KeyAccess | KeyUpdate | KeyVariable,
				Begin: KeyBegin{Index: 1}, Find: KeyFind{Step: 1},
			}}, Doc: Doc{
				Since: "3.2.0", Complexity: "O(1) for each operation",
				Summary: "Reads and writes integers of any width within the string at a key",
				Args:    []Arg{Key(), OneOf("operation", get, write).Many().Opt()},
			}},
		{Name: "bitfield_ro", Arity: -2, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runBitfieldRO, Doc: Doc{
			Since: "6.0.0", Complexity: "O(1) for each operation",
			Summary: "Reads integers of any width within the string at a key",
			Args: []Arg{Key(), {Name: "get-block", Type: ArgBlock, Token: "GET",
				Optional: true, Multiple: true, MultipleToken: true, Args: []Arg{encoding, offset}}},
		}},
	}
}

// bitfieldKeys says whether BITFIELD only reads, which its arguments decide;
// when they make no sense, writing is the safer guess.
func bitfieldKeys(args [][]byte) []KeyRef {
	flags := KeyRO | KeyAccess
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "GET") && i+2 < len(args):
			i += 2
		case equalFold(args[i], "OVERFLOW") && i+1 < len(args):
			i++
		default:
			flags = KeyRW | KeyAccess | KeyUpdate
		}
	}
	return []KeyRef{{1, flags}}
}

type bitOverflow uint8

const (
	wrapAround bitOverflow = iota
	saturate
	refuse
)

// bitOp is one operation of BITFIELD on a field of a width at an offset.
type bitOp struct {
	set, incr bool // neither: get
	signed    bool
	width     int64
	offset    int64
	operand   int64
	overflow  bitOverflow
}

func (o bitOp) writes() bool { return o.set || o.incr }

func runBitfield(c *Call)   { bitfield(c, false) }
func runBitfieldRO(c *Call) { bitfield(c, true) }

func bitfield(c *Call, readOnly bool) {
	ops, ok := parseBitfield(c)
	if !ok {
		return
	}
	last := int64(-1) // the highest bit to be written
	for _, op := range ops {
		if op.writes() {
			last = max(last, op.offset+op.width-1)
		}
	}
	if last < 0 {
		readBitfield(c, ops)
		return
	}
	if readOnly {
		c.Fail(errBitfieldRO)
		return
	}
	b, grown, ok := c.growForBits(c.Args[1], last)
	if !ok {
		return
	}
	changes := 0
	c.Out.Array(len(ops))
	for _, op := range ops {
		if op.run(c, b) || (grown && op.writes()) {
			changes++
		}
	}
	if changes > 0 {
		c.modified(EventString, "setbit", c.Args[1])
		c.Changed(changes - 1)
	}
}

func readBitfield(c *Call, ops []bitOp) {
	e, found, failed := c.FindString(c.Args[1])
	if failed {
		return
	}
	var b []byte
	if found {
		b = c.value(e)
	}
	c.Out.Array(len(ops))
	for _, op := range ops {
		op.run(c, b)
	}
}

// run replies with the result of the operation and says whether it has changed
// the field.
func (o bitOp) run(c *Call, b []byte) bool {
	old := o.load(b)
	if !o.writes() {
		c.Out.Int(old)
		return false
	}
	value, fits := o.target(old)
	if !fits && o.overflow == refuse {
		c.Out.Null()
		return false
	}
	o.store(b, value)
	if o.set {
		c.Out.Int(old)
	} else {
		c.Out.Int(value)
	}
	return value != old
}

// target is the value to be written, and whether the field could hold it as it
// was; if not, it has been wrapped around or moved to a limit.
func (o bitOp) target(old int64) (value int64, fits bool) {
	base, delta := old, o.operand
	if o.set {
		base, delta = o.operand, 0
	}
	above, below, lo, hi := o.outside(base, delta)
	switch {
	case !above && !below:
		return base + delta, true
	case o.overflow == wrapAround:
		return o.extend(uint64(base + delta)), false
	case above:
		return hi, false
	}
	return lo, false
}

// outside says whether base + delta is above or below what the field can hold.
// A base far below the limits of a signed field counts as above them, because
// the room up to the limit overflows: so it does in Redis, and a replica must
// come to the same value.
func (o bitOp) outside(base, delta int64) (above, below bool, lo, hi int64) {
	if !o.signed {
		hi = math.MaxInt64 >> (63 - o.width)
		above = uint64(base) > uint64(hi) || (delta > 0 && delta > hi-base)
		return above, !above && delta < 0 && delta < -base, 0, hi
	}
	lo, hi = math.MinInt64>>(64-o.width), math.MaxInt64>>(64-o.width)
	up, down := hi-base, lo-base
	above = base > hi || (delta > up && (o.width != 64 || (base >= 0 && delta > 0)))
	below = base < lo || (delta < down && (o.width != 64 || (base < 0 && delta < 0)))
	return above, below && !above, lo, hi
}

// extend takes the bits of the field's width as the number that they mean.
func (o bitOp) extend(raw uint64) int64 {
	shift := uint(64 - o.width)
	if o.signed {
		return int64(raw<<shift) >> shift
	}
	return int64(raw << shift >> shift)
}

// load reads a field; bits behind the end are zero.
func (o bitOp) load(b []byte) int64 {
	var raw uint64
	for i := o.offset; i < o.offset+o.width; i++ {
		raw <<= 1
		if i>>3 < int64(len(b)) {
			raw |= uint64(b[i>>3] >> (7 - uint(i&7)) & 1)
		}
	}
	return o.extend(raw)
}

func (o bitOp) store(b []byte, value int64) {
	for i := o.offset + o.width - 1; i >= o.offset; i-- {
		shift := 7 - uint(i&7)
		b[i>>3] = b[i>>3]&^(1<<shift) | byte(value&1)<<shift
		value >>= 1
	}
}

func parseBitfield(c *Call) (ops []bitOp, ok bool) {
	overflow := wrapAround
	for i := 2; i < len(c.Args); i++ {
		name, more := c.Args[i], len(c.Args)-1-i
		op := bitOp{overflow: overflow}
		switch {
		case equalFold(name, "GET") && more >= 2:
		case equalFold(name, "SET") && more >= 3:
			op.set = true
		case equalFold(name, "INCRBY") && more >= 3:
			op.incr = true
		case equalFold(name, "OVERFLOW") && more >= 1:
			i++
			if overflow, ok = parseBitOverflow(c, c.Args[i]); !ok {
				return nil, false
			}
			continue
		default:
			c.Fail(ErrSyntax)
			return nil, false
		}
		if !op.parse(c, i+1) {
			return nil, false
		}
		i += 2
		if op.writes() {
			i++
		}
		ops = append(ops, op)
	}
	return ops, true
}

// parse reads type, offset and operand, the latter unless the operation is GET.
func (o *bitOp) parse(c *Call, at int) (ok bool) {
	kind := c.Args[at]
	widest := int64(63)
	if len(kind) > 0 && kind[0] == 'i' {
		o.signed, widest = true, 64
	}
	if len(kind) > 0 && (o.signed || kind[0] == 'u') {
		o.width, ok = parseInt(kind[1:])
	}
	if !ok || o.width < 1 || o.width > widest {
		c.Fail(errBitfieldType)
		return false
	}
	if o.offset, ok = c.bitOffset(c.Args[at+1], o.width); !ok {
		return false
	}
	if o.writes() {
		o.operand, ok = c.intArg(at + 2)
	}
	return ok
}

func parseBitOverflow(c *Call, name []byte) (bitOverflow, bool) {
	switch {
	case equalFold(name, "WRAP"):
		return wrapAround, true
	case equalFold(name, "SAT"):
		return saturate, true
	case equalFold(name, "FAIL"):
		return refuse, true
	}
	c.Fail(errBitfieldFlow)
	return 0, false
}
