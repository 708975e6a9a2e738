package script

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lockstep-db/lockstep/server/lua"
)

// openStruct makes the library struct, which packs values as C structures.
func (e *Engine) openStruct() {
	t := e.l.NewTable(0, 3)
	e.register(t, map[string]lua.Native{"pack": structPack, "unpack": structUnpack, "size": structSize})
	e.globals.SetString("struct", t.Value())
}

const (
	nativeAlign    = 8  // of a struct that asks for the machine's alignment
	maxStructInt   = 32 // bytes of an integer, as a format may ask
	maxStructBytes = math.MaxInt32
)

// structFormat walks through a format string.
type structFormat struct {
	t     *lua.Thread
	rest  string
	order binary.ByteOrder
	align int
}

func newStructFormat(t *lua.Thread, format string) *structFormat {
	return &structFormat{t: t, rest: format, order: binary.LittleEndian, align: 1}
}

// number reads digits of the format.
func (f *structFormat) number(otherwise int) int {
	if f.rest == "" || !digit(f.rest[0]) {
		return otherwise
	}
	n := 0
	for f.rest != "" && digit(f.rest[0]) {
		d := int(f.rest[0] - '0')
		if n > (math.MaxInt32-d)/10 {
			f.t.Errorf("integral size overflow")
		}
		n = n*10 + d
		f.rest = f.rest[1:]
	}
	return n
}

func digit(ch byte) bool { return ch >= '0' && ch <= '9' }

// next returns the next option, and the size and alignment of what it stands for.
func (f *structFormat) next() (opt byte, size int) {
	opt = f.rest[0]
	f.rest = f.rest[1:]
	switch opt {
	case 'B', 'b', 'x':
		return opt, 1
	case 'H', 'h':
		return opt, 2
	case 'L', 'l', 'T', 'd':
		return opt, 8
	case 'f':
		return opt, 4
	case 'c':
		return opt, f.number(1)
	case 'i', 'I':
		size = f.number(4)
		if size > maxStructInt {
			f.t.Errorf("integral size %d is larger than limit of %d", size, maxStructInt)
		}
		return opt, size
	}
	return opt, 0
}

// padding is what has to be skipped at a position for a value of a size.
func (f *structFormat) padding(opt byte, size, at int) int {
	if size == 0 || opt == 'c' {
		return 0
	}
	align := min(size, f.align)
	if align <= 1 {
		return 0
	}
	return (align - at&(align-1)) & (align - 1)
}

// control deals with options that stand for no value.
func (f *structFormat) control(opt byte) {
	switch opt {
	case ' ':
	case '>':
		f.order = binary.BigEndian
	case '<':
		f.order = binary.LittleEndian
	case '!':
		a := f.number(nativeAlign)
		if a <= 0 || a&(a-1) != 0 {
			f.t.Errorf("alignment %d is not a power of 2", a)
		}
		f.align = a
	default:
		f.t.ArgError(1, fmt.Sprintf("invalid format option '%c'", opt))
	}
}

func structPack(t *lua.Thread) int {
	f := newStructFormat(t, t.CheckString(1))
	t.Push(lua.Nil) // an argument that is missing is nil, one behind it is not there
	arg := 2
	var out []byte
	for f.rest != "" {
		opt, size := f.next()
		out = append(out, make([]byte, f.padding(opt, size, len(out)))...)
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			out = appendInteger(out, structNumber(t.CheckNumber(arg)), size, f.order)
			arg++
		case 'x':
			out = append(out, 0)
		case 'f':
			out = appendUint(out, uint64(math.Float32bits(float32(t.CheckNumber(arg)))), 4, f.order)
			arg++
		case 'd':
			out = appendUint(out, math.Float64bits(t.CheckNumber(arg)), 8, f.order)
			arg++
		case 'c', 's':
			s := t.CheckString(arg)
			arg++
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				t.ArgError(arg, "string too short")
			}
			t.Charge(size)
			out = append(out, s[:size]...)
			if opt == 's' {
				out = append(out, 0)
			}
		default:
			f.control(opt)
		}
	}
	t.PushString(string(out))
	return 1
}

// structNumber takes a number as C casts it: toward zero, to a signed or, when it is
// too large for that, an unsigned integer.
func structNumber(n float64) uint64 {
	if n < 0 {
		return uint64(int64(n))
	}
	return uint64(n)
}

func appendInteger(out []byte, v uint64, size int, order binary.ByteOrder) []byte {
	if size <= 8 {
		return appendUint(out, v, size, order)
	}
	// More bytes than C's integer has: the value, and zeros.
	wide := make([]byte, size)
	for i := range 8 {
		b := byte(v >> (8 * i))
		if order == binary.ByteOrder(binary.LittleEndian) {
			wide[i] = b
		} else {
			wide[size-1-i] = b
		}
	}
	return append(out, wide...)
}

func appendUint(out []byte, v uint64, size int, order binary.ByteOrder) []byte {
	for i := range size {
		shift := 8 * i
		if order == binary.ByteOrder(binary.BigEndian) {
			shift = 8 * (size - 1 - i)
		}
		out = append(out, byte(v>>shift))
	}
	return out
}

func readUint(b []byte, order binary.ByteOrder) uint64 {
	v := uint64(0)
	for i := range b {
		at := len(b) - 1 - i
		if order == binary.ByteOrder(binary.BigEndian) {
			at = i
		}
		v = v<<8 | uint64(b[at])
	}
	return v
}

func structUnpack(t *lua.Thread) int {
	f := newStructFormat(t, t.CheckString(1))
	data := t.CheckString(2)
	at := t.OptInt(3, 1) - 1
	switch {
	case at == -1:
		t.ArgError(3, "offset must be 1 or greater")
	case at < 0 && f.rest != "": // in C these are large numbers
		t.ArgError(2, "data string too short")
	}
	var values []lua.Value
	for f.rest != "" {
		opt, size := f.next()
		at += f.padding(opt, size, at)
		if at > len(data) || size > len(data)-at {
			t.ArgError(2, "data string too short")
		}
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			values = append(values, lua.Number(readInteger([]byte(data[at:at+size]), f.order, opt >= 'a')))
		case 'x':
		case 'f':
			bits := uint32(readUint([]byte(data[at:at+4]), f.order))
			values = append(values, lua.Number(float64(math.Float32frombits(bits))))
		case 'd':
			values = append(values, lua.Number(math.Float64frombits(readUint([]byte(data[at:at+8]), f.order))))
		case 'c':
			if size == 0 {
				values, size = popSize(t, values)
				if size > len(data)-at {
					t.ArgError(2, "data string too short")
				}
			}
			values = append(values, lua.String(data[at:at+size]))
		case 's':
			end := at
			for end < len(data) && data[end] != 0 {
				end++
			}
			if end == len(data) {
				t.Errorf("unfinished string in data")
			}
			values = append(values, lua.String(data[at:end]))
			size = end - at + 1
		default:
			f.control(opt)
		}
		at += size
		t.Charge(96)
	}
	for _, v := range values {
		t.Push(v)
	}
	t.Push(lua.Number(float64(at + 1)))
	return len(values) + 1
}

// popSize takes the value before a c0, which is its length.
func popSize(t *lua.Thread, values []lua.Value) ([]lua.Value, int) {
	if len(values) == 0 || !values[len(values)-1].IsNumber() {
		t.Errorf("format 'c0' needs a previous size")
	}
	n := values[len(values)-1].Float()
	if n < 0 || n > maxStructBytes {
		t.ArgError(2, "data string too short")
	}
	return values[:len(values)-1], int(n)
}

func readInteger(b []byte, order binary.ByteOrder, signed bool) float64 {
	if len(b) > 8 {
		if order == binary.ByteOrder(binary.BigEndian) {
			b = b[len(b)-8:]
		} else {
			b = b[:8]
		}
	}
	v := readUint(b, order)
	if !signed {
		return float64(v)
	}
	shift := 64 - 8*len(b)
	return float64(int64(v<<shift) >> shift)
}

func structSize(t *lua.Thread) int {
	f := newStructFormat(t, t.CheckString(1))
	at := 0
	for f.rest != "" {
		opt, size := f.next()
		at += f.padding(opt, size, at)
		switch opt {
		case 's':
			t.ArgError(1, "option 's' has no fixed size")
		case 'c':
			if size == 0 {
				t.ArgError(1, "option 'c0' has no fixed size")
			}
		default:
			// Letters and digits that mean nothing take no room.
			if !digit(opt) && (opt|0x20 < 'a' || opt|0x20 > 'z') {
				f.control(opt)
			}
		}
		if at > maxStructBytes-size {
			t.Errorf("size overflow")
		}
		at += size
	}
	t.Push(lua.Number(float64(at)))
	return 1
}
