package listpack

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Element is a string or an integer as a listpack is going to hold it, so that
// whoever looks for it and then inserts it finds out only once which.
type Element struct {
	text  []byte
	n     int64
	isInt bool
}

// Encode makes an element of p, which it refers to. What looks like an integer
// of 64 bits, without a plus sign or leading zeroes, becomes one.
func Encode(p []byte) Element {
	n, ok := ParseInt(p)
	return Element{p, n, ok}
}

// EncodeInt makes an element of an integer.
func EncodeInt(n int64) Element { return Element{n: n, isInt: true} }

// Size is the number of bytes that the element takes in a listpack.
func (e Element) Size() int {
	size := e.dataSize()
	return size + backSize(size)
}

func (e Element) dataSize() int {
	if !e.isInt {
		switch n := len(e.text); {
		case n < 1<<6:
			return 1 + n
		case n < 1<<12:
			return 2 + n
		default:
			return 5 + n
		}
	}
	switch n := e.n; {
	case n >= 0 && n <= 127:
		return 1
	case n >= -4096 && n <= 4095:
		return 2
	case n == int64(int16(n)):
		return 3
	case n >= -1<<23 && n < 1<<23:
		return 4
	case n == int64(int32(n)):
		return 5
	}
	return 9
}

// MaxOverhead is how much longer than its text a string can be in a listpack, and
// as long as any integer, in bytes.
const MaxOverhead = 10

// Put writes the element to dst, which has room for Size bytes, and returns how
// many these were.
func (e Element) Put(dst []byte) (size int) {
	size = e.putData(dst)
	putBack(dst[size:], size)
	return size + backSize(size)
}

// putData writes the element without the length at its end.
func (e Element) putData(dst []byte) int {
	size := e.dataSize()
	if e.isInt {
		e.putInt(dst, size)
	} else {
		switch n := len(e.text); {
		case n < 1<<6:
			dst[0] = str6 | byte(n)
		case n < 1<<12:
			dst[0], dst[1] = str12|byte(n>>8), byte(n)
		default:
			dst[0] = str32
			binary.LittleEndian.PutUint32(dst[1:], uint32(n))
		}
		copy(dst[size-len(e.text):], e.text)
	}
	return size
}

func (e Element) putInt(dst []byte, size int) {
	u := uint64(e.n)
	switch size {
	case 1:
		dst[0] = byte(u)
		return
	case 2:
		dst[0], dst[1] = int13|byte(u>>8)&0x1F, byte(u)
		return
	case 3:
		dst[0] = int16_
	case 4:
		dst[0] = int24
	case 5:
		dst[0] = int32_
	default:
		dst[0] = int64_
	}
	for i := 1; i < size; i++ {
		dst[i] = byte(u)
		u >>= 8
	}
}

// Fill makes dst, which has the right length, a listpack of elements.
func Fill(dst []byte, elements []Element) {
	at := headerSize
	for _, e := range elements {
		at += e.Put(dst[at:])
	}
	dst[at] = end
	SetHeader(dst, len(dst), len(elements))
}

// Find is Find for an element.
func (e Element) Find(lp []byte, from, skip int) int {
	at := from
	if at == 0 {
		at = headerSize
	}
	for left := 0; ; left-- {
		c := lp[at]
		if c == end {
			return 0
		}
		size, head := 0, 0
		if c < str6 {
			size, head = 1, 1
		} else if c < int13 {
			size, head = 1+int(c&0x3F), 1
		} else {
			size, head = encoded(lp, at)
		}
		if left == 0 {
			if e.is(lp, at, size, head) {
				return at
			}
			left = skip + 1
		}
		at += size + backSize(size)
	}
}

// is compares with the element at a position. A number may be held as a string,
// though nobody who makes listpacks does that.
func (e Element) is(lp []byte, at, size, head int) bool {
	if c := lp[at]; c >= str6 && c < int13 || c >= str12 && c <= str32 {
		if e.isInt && e.text == nil {
			n, ok := ParseInt(lp[at+head : at+size])
			return ok && n == e.n
		}
		return string(lp[at+head:at+size]) == string(e.text)
	}
	if !e.isInt {
		return false
	}
	n, _ := Int(lp, at)
	return n == e.n
}

// EncodedSize is the number of bytes that p takes in a listpack.
func EncodedSize(p []byte) int { return Encode(p).Size() }

// ParseInt reads p if it is exactly what an integer would be formatted to: no plus
// sign, no leading zeroes, no minus zero.
func ParseInt(p []byte) (n int64, ok bool) {
	if len(p) == 0 || len(p) > 20 {
		return 0, false
	}
	digits := p
	negative := p[0] == '-'
	if negative {
		digits = p[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(p) > 1 {
		return 0, false
	}
	var u uint64 // 19 digits do not overflow it
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case negative && u <= 1<<63:
		return -int64(u), true
	case !negative && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
