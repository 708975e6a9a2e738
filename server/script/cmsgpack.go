package script

import (
	"encoding/binary"
	"math"

	"github.com/lockstep-db/lockstep/server/lua"
)

// openMsgpack makes the library cmsgpack.
func (e *Engine) openMsgpack() {
	t := e.l.NewTable(0, 8)
	e.register(t, map[string]lua.Native{
		"pack": e.msgPack, "unpack": e.msgUnpack, "unpack_one": e.msgUnpackOne, "unpack_limit": e.msgUnpackLimit,
	})
	t.SetString("_NAME", lua.String("cmsgpack"))
	t.SetString("_VERSION", lua.String("lua-cmsgpack 0.4.0"))
	t.SetString("_DESCRIPTION", lua.String("MessagePack C implementation for Lua"))
	t.SetString("_COPYRIGHT", lua.String("Copyright (C) 2012, Redis Ltd."))
	e.globals.SetString("cmsgpack", t.Value())
}

// maxMsgNesting is up to where tables are packed; deeper ones become nil.
const maxMsgNesting = 16

type msgPacker struct {
	t       *lua.Thread
	out     []byte
	charged int
}

func (e *Engine) msgPack(t *lua.Thread) int {
	n := t.NArgs()
	if n == 0 {
		t.ArgError(0, "MessagePack pack needs input.")
	}
	w := msgPacker{t: t}
	for i := 1; i <= n; i++ {
		w.value(t.Arg(i), 0)
	}
	t.PushString(string(w.out))
	return 1
}

func (w *msgPacker) value(v lua.Value, depth int) {
	if len(w.out) > w.charged {
		w.charged = 2*len(w.out) + 64
		w.t.Charge(w.charged)
	}
	w.t.Spend(1)
	switch v.Kind() {
	case lua.KindString:
		w.str(v.Str())
	case lua.KindBool:
		if v.Truth() {
			w.out = append(w.out, 0xc3)
		} else {
			w.out = append(w.out, 0xc2)
		}
	case lua.KindNumber:
		w.number(v.Float())
	case lua.KindTable:
		switch {
		case depth == maxMsgNesting:
			w.out = append(w.out, 0xc0)
		case isMsgArray(v.Table()):
			w.array(v.Table(), depth)
		default:
			w.pairs(v.Table(), depth)
		}
	default:
		w.out = append(w.out, 0xc0)
	}
}

func (w *msgPacker) str(s string) {
	w.t.Charge(len(s))
	switch n := len(s); {
	case n < 32:
		w.out = append(w.out, 0xa0|byte(n))
	case n <= math.MaxUint8:
		w.out = append(w.out, 0xd9, byte(n))
	default:
		w.length(n, 0xda)
	}
	w.out = append(w.out, s...)
}

// length appends a length in 16 bits behind a code, or in 32 behind the next code.
func (w *msgPacker) length(n int, code byte) {
	if n <= math.MaxUint16 {
		w.out = binary.BigEndian.AppendUint16(append(w.out, code), uint16(n))
	} else {
		w.out = binary.BigEndian.AppendUint32(append(w.out, code+1), uint32(n))
	}
}

func (w *msgPacker) number(f float64) {
	n := int64(f)
	if float64(n) != f || f >= math.MaxInt64 {
		w.float(f)
		return
	}
	switch {
	case n >= 0 && n <= 127:
		w.out = append(w.out, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		w.out = append(w.out, 0xcc, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		w.out = binary.BigEndian.AppendUint16(append(w.out, 0xcd), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		w.out = binary.BigEndian.AppendUint32(append(w.out, 0xce), uint32(n))
	case n >= 0:
		w.out = binary.BigEndian.AppendUint64(append(w.out, 0xcf), uint64(n))
	case n >= -32:
		w.out = append(w.out, byte(n))
	case n >= math.MinInt8:
		w.out = append(w.out, 0xd0, byte(n))
	case n >= math.MinInt16:
		w.out = binary.BigEndian.AppendUint16(append(w.out, 0xd1), uint16(n))
	case n >= math.MinInt32:
		w.out = binary.BigEndian.AppendUint32(append(w.out, 0xd2), uint32(n))
	default:
		w.out = binary.BigEndian.AppendUint64(append(w.out, 0xd3), uint64(n))
	}
}

func (w *msgPacker) float(f float64) {
	if float64(float32(f)) == f {
		w.out = binary.BigEndian.AppendUint32(append(w.out, 0xca), math.Float32bits(float32(f)))
	} else {
		w.out = binary.BigEndian.AppendUint64(append(w.out, 0xcb), math.Float64bits(f))
	}
}

// isMsgArray says whether a table has the keys 1 to n and no others.
func isMsgArray(t *lua.Table) bool {
	most, count := 0.0, 0.0
	for key := lua.Nil; ; {
		k, _, _ := t.Next(key)
		if k.IsNil() {
			return most == count
		}
		n := k.Float()
		if !k.IsNumber() || n <= 0 || math.Floor(n) != n {
			return false
		}
		most = max(most, n)
		count++
		key = k
	}
}

func (w *msgPacker) array(t *lua.Table, depth int) {
	n := t.Len()
	if n < 16 {
		w.out = append(w.out, 0x90|byte(n))
	} else {
		w.length(n, 0xdc)
	}
	for i := 1; i <= n; i++ {
		w.value(t.GetInt(i), depth+1)
	}
}

func (w *msgPacker) pairs(t *lua.Table, depth int) {
	n := 0
	each(t, func(_, _ lua.Value) { n++ })
	if n < 16 {
		w.out = append(w.out, 0x80|byte(n))
	} else {
		w.length(n, 0xde)
	}
	each(t, func(k, v lua.Value) {
		w.value(k, depth+1)
		w.value(v, depth+1)
	})
}

func (e *Engine) msgUnpack(t *lua.Thread) int { return e.unpackMessages(t, 0, 0) }

func (e *Engine) msgUnpackOne(t *lua.Thread) int { return e.unpackMessages(t, 1, t.OptInt(2, 0)) }

func (e *Engine) msgUnpackLimit(t *lua.Thread) int {
	return e.unpackMessages(t, t.CheckInt(2), t.OptInt(3, 0))
}

// unpackMessages returns up to limit values from an offset on, with the offset of
// the next one, or -1, in front; or all values and no offset, when both are 0.
func (e *Engine) unpackMessages(t *lua.Thread, limit, offset int) int {
	s := t.CheckString(1)
	switch {
	case offset < 0 || limit < 0:
		t.Errorf("Invalid request to unpack with offset of %d and limit of %d.", offset, len(s))
	case offset > len(s):
		t.Errorf("Start offset %d greater than input length %d.", offset, len(s))
	}
	all := limit == 0 && offset == 0
	if all {
		limit = math.MaxInt32
	}
	d := msgUnpacker{e: e, t: t, rest: s[offset:]}
	var values []lua.Value
	for len(d.rest) > 0 && len(values) < limit {
		values = append(values, d.value(0))
		if len(values) > maxMsgValues {
			t.Errorf("stack overflow (%s)", "in function mp_unpack_full")
		}
	}
	n := len(values)
	if !all {
		next := -1
		if len(d.rest) > 0 {
			next = len(s) - len(d.rest)
		}
		t.Push(lua.Number(float64(next)))
		n++
	}
	for _, v := range values {
		t.Push(v)
	}
	return n
}

const (
	maxMsgValues = 7900 // values that a function may return
	maxMsgDepth  = 3900 // arrays in arrays for which C's stack has room
)

// msgUnpacker reads MessagePack.
type msgUnpacker struct {
	e    *Engine
	t    *lua.Thread
	rest string
}

func (d *msgUnpacker) take(n int) string {
	if n > len(d.rest) {
		d.t.Errorf("Missing bytes in input.")
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

// uint reads a big-endian number of n bytes.
func (d *msgUnpacker) uint(n int) uint64 {
	v := uint64(0)
	for _, b := range []byte(d.take(n)) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (d *msgUnpacker) str(n uint64) lua.Value {
	if n > uint64(len(d.rest)) {
		d.t.Errorf("Missing bytes in input.")
	}
	d.t.Charge(64 + int(n))
	return lua.String(d.take(int(n)))
}

func (d *msgUnpacker) value(depth int) lua.Value {
	d.t.Spend(1)
	code := d.take(1)[0]
	switch {
	case code < 0x80:
		return lua.Number(float64(code))
	case code < 0x90:
		return d.pairs(uint64(code&15), depth)
	case code < 0xa0:
		return d.array(uint64(code&15), depth)
	case code < 0xc0:
		return d.str(uint64(code & 31))
	case code >= 0xe0:
		return lua.Number(float64(int8(code)))
	}
	return d.coded(code, depth)
}

func (d *msgUnpacker) coded(code byte, depth int) lua.Value {
	switch code {
	case 0xc0:
		return lua.Nil
	case 0xc2:
		return lua.Bool(false)
	case 0xc3:
		return lua.Bool(true)
	case 0xca:
		return lua.Number(float64(math.Float32frombits(uint32(d.uint(4)))))
	case 0xcb:
		return lua.Number(math.Float64frombits(d.uint(8)))
	case 0xcf:
		return lua.Number(float64(int64(d.uint(8)))) // C's integers are signed
	case 0xcc, 0xcd, 0xce:
		return lua.Number(float64(d.uint(1 << (code - 0xcc))))
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (code - 0xd0)
		shift := 64 - 8*size
		return lua.Number(float64(int64(d.uint(size)<<shift) >> shift))
	case 0xd9:
		return d.str(d.uint(1))
	case 0xda:
		return d.str(d.uint(2))
	case 0xdb:
		return d.str(d.uint(4))
	case 0xdc:
		return d.array(d.uint(2), depth)
	case 0xdd:
		return d.array(d.uint(4), depth)
	case 0xde:
		return d.pairs(d.uint(2), depth)
	case 0xdf:
		return d.pairs(d.uint(4), depth)
	}
	d.t.Errorf("Bad data format in input.")
	return lua.Nil
}

func (d *msgUnpacker) descend(depth int, where string) {
	if depth > maxMsgDepth {
		d.t.Errorf("stack overflow (in function %s)", where)
	}
}

func (d *msgUnpacker) array(n uint64, depth int) lua.Value {
	d.descend(depth, "mp_decode_to_lua_array")
	t := d.e.l.NewTable(0, 0)
	for i := range n {
		t.SetInt(int(i)+1, d.value(depth+1))
	}
	return t.Value()
}

func (d *msgUnpacker) pairs(n uint64, depth int) lua.Value {
	d.descend(depth, "mp_decode_to_lua_hash")
	t := d.e.l.NewTable(0, 0)
	for range n {
		k := d.value(depth + 1)
		v := d.value(depth + 1)
		switch {
		case k.IsNil():
			d.t.Throw(lua.String("table index is nil"))
		case k.IsNumber() && math.IsNaN(k.Float()):
			d.t.Throw(lua.String("table index is NaN"))
		}
		t.Set(k, v)
	}
	return t.Value()
}
