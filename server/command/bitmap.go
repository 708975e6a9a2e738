package command

import (
	"crypto/subtle"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Strings as arrays of bits: bit 0 is the highest bit of the first byte.
// BITFIELD is in bitfield.go.

func bitmapSpecs() []*Spec {
	unit := OneOf("unit", Token("BYTE"), Token("BIT")).From("7.0.0").Opt()
	units := []Change{{"7.0.0", "Option `BYTE|BIT`."}}
	specs := []*Spec{
		{Name: "setbit", Arity: 4, Flags: Write | DenyOOM, Run: runSetBit,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyUpdate)}, Doc: Doc{
				Since: "2.2.0", Complexity: "O(1)",
				Summary: "Sets or clears a bit of the string at a key and returns what it was",
				Args:    []Arg{Key(), NewArg("offset", ArgInteger), NewArg("value", ArgInteger)},
			}},
		{Name: "getbit", Arity: 3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runGetBit, Doc: Doc{
			Since: "2.2.0", Complexity: "O(1)",
			Summary: "Returns a bit of the string at a key",
			Args:    []Arg{Key(), NewArg("offset", ArgInteger)},
		}},
		{Name: "bitcount", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runBitCount, Doc: Doc{
			Since: "2.6.0", Complexity: "O(N) for N bytes",
			History: append(slices.Clip(units), Change{"8.0.0", "The end is optional."}),
			Summary: "Counts the bits that are set in the string at a key",
			Args: []Arg{Key(), Block("range", NewArg("start", ArgInteger),
				Block("end-unit-block", NewArg("end", ArgInteger), unit).From("8.0.0").Opt()).Opt()},
		}},
		{Name: "bitpos", Arity: -3, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runBitPos, Doc: Doc{
			Since: "2.8.7", Complexity: "O(N) for N bytes", History: units,
			Summary: "Finds the first set or clear bit in the string at a key",
			Args: []Arg{Key(), NewArg("bit", ArgInteger), Block("range", NewArg("start", ArgInteger),
				Block("end-unit-block", NewArg("end", ArgInteger), unit).Opt()).Opt()},
		}},
		{Name: "bitop", Arity: -4, Flags: Write | DenyOOM, Run: runBitOp,
			KeySpecs: []KeySpec{KeyAt(2, 0, 1, KeyOW|KeyUpdate), KeyAt(3, -1, 1, KeyRO|KeyAccess)}, Doc: Doc{
				Since: "2.6.0", Complexity: "O(N) for N bytes of the longest string",
				Summary: "Combines the bits of strings and stores the result",
				Args: []Arg{
					OneOf("operation", Token("AND"), Token("OR"), Token("XOR"), Token("NOT")),
					Key().Named("destkey"), Key().In(1).Many(),
				},
			}},
	}
	specs = append(specs, bitfieldSpecs()...)
	for _, s := range specs {
		s.Group = "bitmap"
		s.Categories |= CatBitmap
	}
	return specs
}

// bitOffset reads the offset of a bit, which must lie in a string of allowed
// length, or answers with an error. A # makes it an index of fields of a width.
func (c *Call) bitOffset(arg []byte, width int64) (int64, bool) {
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg = arg[1:]
	} else {
		width = 1
	}
	limit := c.maxString()
	if c.FromPrimary {
		limit = max(limit, defaultMaxBulk)
	}
	n, ok := parseInt(arg)
	if !ok || n < 0 || n >= limit*8 || n*width >= limit*8 {
		c.Fail(errBitOffset)
		return 0, false
	}
	return n * width, true
}

// growForBits makes the string at a key, which may be missing, long enough for
// a bit. changed says that this alone made a difference.
func (c *Call) growForBits(key []byte, offset int64) (b []byte, changed, ok bool) {
	e, found, failed := c.findStringToWrite(key)
	if failed {
		return nil, false, false
	}
	before := -1
	if found {
		before = e.StringLen()
	}
	b, err := c.DB.GrowString(key, int(offset>>3)+1)
	if err != nil {
		c.Fail(errStringTooLong)
		return nil, false, false
	}
	if !found {
		c.created(key)
	}
	return b, len(b) != before, true
}

func runSetBit(c *Call) {
	key := c.Args[1]
	offset, ok := c.bitOffset(c.Args[2], 0)
	if !ok {
		return
	}
	on, ok := parseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		c.Fail(errBitValue)
		return
	}
	b, changed, ok := c.growForBits(key, offset)
	if !ok {
		return
	}
	shift := 7 - uint(offset&7)
	before := b[offset>>3] >> shift & 1
	if changed || before != byte(on) {
		b[offset>>3] = b[offset>>3]&^(1<<shift) | byte(on)<<shift
		c.modified(EventString, "setbit", key)
	}
	c.Out.Int(int64(before))
}

func runGetBit(c *Call) {
	offset, ok := c.bitOffset(c.Args[2], 0)
	if !ok {
		return
	}
	e, found, failed := c.FindString(c.Args[1])
	if failed {
		return
	}
	bit := byte(0)
	if found {
		if value := c.value(e); offset>>3 < int64(len(value)) {
			bit = value[offset>>3] >> (7 - uint(offset&7)) & 1
		}
	}
	c.Out.Int(int64(bit))
}

// bitRange is the options of BITCOUNT and BITPOS: an inclusive range in bytes or
// bits, in which negative numbers count from the end.
type bitRange struct {
	start, end int64
	hasEnd     bool
	inBits     bool
}

// parseBitRange reads the range from an argument on. Which of two mistakes is
// complained of differs between the commands: BITPOS looks at the unit before it
// looks at the end.
func parseBitRange(c *Call, from int, unitFirst bool) (r bitRange, ok bool) {
	r.end = -1
	n := len(c.Args) - from
	if n > 3 {
		c.Fail(ErrSyntax)
		return r, false
	}
	if n > 0 {
		if r.start, ok = c.intArg(from); !ok {
			return r, false
		}
	}
	if n > 2 && unitFirst && !r.parseUnit(c, from+2) {
		return r, false
	}
	if n > 1 {
		r.hasEnd = true
		if r.end, ok = c.intArg(from + 1); !ok {
			return r, false
		}
	}
	if n > 2 && !unitFirst && !r.parseUnit(c, from+2) {
		return r, false
	}
	return r, true
}

func (r *bitRange) parseUnit(c *Call, at int) bool {
	r.inBits = equalFold(c.Args[at], "BIT")
	if r.inBits || equalFold(c.Args[at], "BYTE") {
		return true
	}
	c.Fail(ErrSyntax)
	return false
}

// in returns the range as bits [from, to) of a string of n bytes.
func (r bitRange) in(n int) (from, to int64) {
	if r.inBits {
		return clampRange(r.start, r.end, int64(n)*8)
	}
	from, to = clampRange(r.start, r.end, int64(n))
	return from * 8, to * 8
}

func runBitCount(c *Call) {
	r, ok := parseBitRange(c, 2, false)
	if !ok {
		return
	}
	e, found, failed := c.FindString(c.Args[1])
	if failed {
		return
	}
	if !found || (r.start < 0 && r.end < 0 && r.start > r.end) {
		c.Out.Int(0)
		return
	}
	value := c.value(e)
	from, to := r.in(len(value))
	c.Out.Int(countBits(value, from, to))
}

func countBits(b []byte, from, to int64) int64 {
	n := int64(0)
	for ; from < to && from&7 != 0; from++ {
		n += int64(b[from>>3] >> (7 - uint(from&7)) & 1)
	}
	for ; to > from && to&7 != 0; to-- {
		n += int64(b[(to-1)>>3] >> (7 - uint((to-1)&7)) & 1)
	}
	whole := b[from>>3 : to>>3]
	for ; len(whole) >= 8; whole = whole[8:] {
		n += int64(bits.OnesCount64(binary.LittleEndian.Uint64(whole)))
	}
	for _, x := range whole {
		n += int64(bits.OnesCount8(x))
	}
	return n
}

func runBitPos(c *Call) {
	bit, ok := c.intArg(2)
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.Fail(errBitArgument)
		return
	}
	r, ok := parseBitRange(c, 3, true)
	if !ok {
		return
	}
	e, found, failed := c.FindString(c.Args[1])
	if failed {
		return
	}
	if !found { // endless zeros
		c.Out.Int(-bit)
		return
	}
	value := c.value(e)
	from, to := r.in(len(value))
	pos := findBit(value, from, to, byte(bit))
	// Without an end the string goes on with zeros, unless the range is empty.
	if pos < 0 && bit == 0 && !r.hasEnd && from < to {
		pos = to
	}
	c.Out.Int(pos)
}

// findBit returns the position of the first bit of a value in [from, to), or -1.
func findBit(b []byte, from, to int64, bit byte) int64 {
	without := uint64(math.MaxUint64) // eight bytes that do not have the bit
	if bit == 1 {
		without = 0
	}
	for from < to {
		if from&7 == 0 {
			from += 64 * leadingWords(b[from>>3:to>>3], without)
			for from+8 <= to && b[from>>3] == byte(without) {
				from += 8
			}
			if from == to {
				break
			}
		}
		if b[from>>3]>>(7-uint(from&7))&1 == bit {
			return from
		}
		from++
	}
	return -1
}

// leadingWords is how many groups of eight bytes b begins with that are the word.
func leadingWords(b []byte, word uint64) (n int64) {
	for ; len(b) >= 8 && binary.LittleEndian.Uint64(b) == word; b = b[8:] {
		n++
	}
	return n
}

func runBitOp(c *Call) {
	op, ok := bitOperation(c.Args[1])
	if !ok {
		c.Fail(ErrSyntax)
		return
	}
	dst, keys := c.Args[2], c.Args[3:]
	if op == bitNot && len(keys) != 1 {
		c.Fail(errBitopNot)
		return
	}
	sources, ok := c.bitSources(keys)
	if !ok {
		return
	}
	result := combineBits(op, sources)
	if len(result) == 0 {
		if c.DB.Delete(dst) {
			c.modified(EventGeneric, "del", dst)
		}
		c.Out.Int(0)
		return
	}
	c.announceExpired(dst)
	c.DB.SetString(dst, nil, 0)
	b, err := c.DB.GrowString(dst, len(result))
	if err != nil {
		c.Fail(errStringTooLong)
		return
	}
	copy(b, result)
	c.created(dst)
	c.modified(EventString, "set", dst)
	c.Out.Int(int64(len(result)))
}

type bitwise uint8

const (
	bitAnd bitwise = iota
	bitOr
	bitXor
	bitNot
)

func bitOperation(name []byte) (op bitwise, ok bool) {
	switch {
	case equalFold(name, "AND"):
		return bitAnd, true
	case equalFold(name, "OR"):
		return bitOr, true
	case equalFold(name, "XOR"):
		return bitXor, true
	}
	return bitNot, equalFold(name, "NOT")
}

// bitSources looks all keys up before it takes any bytes: finding a key expired
// removes it, which ends the validity of what was got before.
func (c *Call) bitSources(keys [][]byte) ([][]byte, bool) {
	present := make([]bool, len(keys))
	for i, key := range keys {
		var failed bool
		if _, present[i], failed = c.FindString(key); failed {
			return nil, false
		}
	}
	sources := make([][]byte, len(keys))
	for i, key := range keys {
		if !present[i] {
			continue
		}
		if e, ok := c.DB.Find(key); ok {
			sources[i] = e.StringBytes(make([]byte, 0, 24))
		}
	}
	return sources, true
}

// combineBits combines strings as if the shorter ones went on with zeros. NOT has
// only one.
func combineBits(op bitwise, sources [][]byte) []byte {
	n := 0
	for _, s := range sources {
		n = max(n, len(s))
	}
	result := make([]byte, n)
	copy(result, sources[0])
	if op == bitNot {
		for i := range result {
			result[i] = ^result[i]
		}
		return result
	}
	// In parts that stay in the processor's cache while all sources go over them.
	const part = 16 << 10
	for from := 0; from < n; from += part {
		into := result[from:min(n, from+part)]
		for _, s := range sources[1:] {
			s = s[min(from, len(s)):min(len(s), from+part)]
			combineInto(op, into[:len(s)], s)
			if op == bitAnd {
				clear(into[len(s):])
			}
		}
	}
	return result
}

// combineInto combines a with b, which is as long.
func combineInto(op bitwise, a, b []byte) {
	switch op {
	case bitAnd:
		for ; len(a) >= 16 && len(b) >= 16; a, b = a[16:], b[16:] {
			binary.LittleEndian.PutUint64(a, binary.LittleEndian.Uint64(a)&binary.LittleEndian.Uint64(b))
			binary.LittleEndian.PutUint64(a[8:], binary.LittleEndian.Uint64(a[8:])&binary.LittleEndian.Uint64(b[8:]))
		}
		for i := range a {
			a[i] &= b[i]
		}
	case bitOr:
		for ; len(a) >= 16 && len(b) >= 16; a, b = a[16:], b[16:] {
			binary.LittleEndian.PutUint64(a, binary.LittleEndian.Uint64(a)|binary.LittleEndian.Uint64(b))
			binary.LittleEndian.PutUint64(a[8:], binary.LittleEndian.Uint64(a[8:])|binary.LittleEndian.Uint64(b[8:]))
		}
		for i := range a {
			a[i] |= b[i]
		}
	case bitXor:
		subtle.XORBytes(a, a, b)
	}
}
