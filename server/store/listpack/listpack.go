// Package listpack is Redis' listpack: a list of byte strings and integers in
// one piece of memory, bit for bit as RDB files and DUMP payloads hold it.
//
//	4 bytes  length of the whole, little endian
//	2 bytes  number of elements; 65535 means that they have to be counted
//	         the elements: encoding and data, then the length of that backwards
//	1 byte   255
//
// Elements are named by their position, the offset of their first byte; 0 is no
// position. Functions that change a listpack return it, as append does: a slice
// that has no room is replaced by a larger one. Bytes from outside have to pass
// Valid (deep) before anything else may look at them; nothing here checks
// bounds that a valid listpack keeps.
//
// The package knows nothing of the keyspace. It imports the standard library
// only.
package listpack

import "encoding/binary"

const (
	headerSize = 6
	end        = 0xFF
	// unknown is the count of a listpack with so many elements or more.
	unknown = 65535

	// Empty is the length of a listpack without elements in bytes.
	Empty = headerSize + 1
)

// The first byte of an element says how it is encoded: integers of 7, 13, 16,
// 24, 32 and 64 bits, and strings whose lengths take 6, 12 and 32 bits.
const (
	int7   = 0x00 // 0xxxxxxx
	str6   = 0x80 // 10xxxxxx
	int13  = 0xC0 // 110xxxxx
	str12  = 0xE0 // 1110xxxx
	str32  = 0xF0
	int16_ = 0xF1
	int24  = 0xF2
	int32_ = 0xF3
	int64_ = 0xF4
)

// New returns an empty listpack.
func New() []byte { return AppendEmpty(nil) }

// AppendEmpty appends an empty listpack to dst.
func AppendEmpty(dst []byte) []byte { return append(dst, Empty, 0, 0, 0, 0, 0, end) }

// Len is the number of elements. It counts them when there are 65535 or more.
func Len(lp []byte) int {
	if n := int(binary.LittleEndian.Uint16(lp[4:])); n != unknown {
		return n
	}
	n := 0
	for at := First(lp); at != 0; at = Next(lp, at) {
		n++
	}
	return n
}

// SetHeader writes the length of the whole in bytes and the number of elements,
// or that it is unknown when count is negative or 65535 or more. It is for
// whoever puts elements in with Element.Put.
func SetHeader(lp []byte, total, count int) {
	if count < 0 || count > unknown {
		count = unknown
	}
	binary.LittleEndian.PutUint32(lp, uint32(total))
	binary.LittleEndian.PutUint16(lp[4:], uint16(count))
}

// Spliced brings the header up to date: to the length of lp, and to delta more
// elements than it tells, unless it does not know. It is for whoever makes room
// in the middle on their own and fills it with Element.Put.
func Spliced(lp []byte, delta int) {
	count := int(binary.LittleEndian.Uint16(lp[4:]))
	if count != unknown {
		count += delta
	}
	SetHeader(lp, len(lp), count)
}

// encoded returns how long the encoding and the data of the element at a
// position are, and how much of that is before a string's bytes.
func encoded(lp []byte, at int) (size, head int) {
	switch c := lp[at]; {
	case c < str6:
		return 1, 1
	case c < int13:
		return 1 + int(c&0x3F), 1
	case c < str12:
		return 2, 2
	case c < str32:
		return 2 + int(c&0x0F)<<8 + int(lp[at+1]), 2
	case c == str32:
		return 5 + int(binary.LittleEndian.Uint32(lp[at+1:])), 5
	case c == int16_:
		return 3, 3
	case c == int24:
		return 4, 4
	case c == int32_:
		return 5, 5
	default:
		return 9, 9
	}
}

// backSize is how many bytes the length of an element backwards takes. That the
// borders are one lower than they could be is how Redis has it.
func backSize(size int) int {
	switch {
	case size <= 127:
		return 1
	case size < 16383:
		return 2
	case size < 2097151:
		return 3
	case size < 268435455:
		return 4
	}
	return 5
}

// putBack writes the length backwards, whose size is backSize: 7 bits a byte,
// the lowest ones last, and the high bit set in all bytes but the first.
func putBack(dst []byte, size int) {
	n := backSize(size)
	for i := n - 1; i >= 0; i-- {
		dst[i] = byte(size & 127)
		if i > 0 {
			dst[i] |= 128
		}
		size >>= 7
	}
}

// back reads the length whose last byte is at a position.
func back(lp []byte, at int) int {
	size := 0
	for shift := 0; shift <= 28 && at >= headerSize; shift, at = shift+7, at-1 {
		size |= int(lp[at]&127) << shift
		if lp[at]&128 == 0 {
			break
		}
	}
	return size
}

// EntrySize is the number of bytes that the element at a position takes.
func EntrySize(lp []byte, at int) int {
	size, _ := encoded(lp, at)
	return size + backSize(size)
}

// First is the position of the first element, 0 if there is none.
func First(lp []byte) int {
	if lp[headerSize] == end {
		return 0
	}
	return headerSize
}

// Next is the position of the element after the one at a position, 0 at the end.
func Next(lp []byte, at int) int {
	if at += EntrySize(lp, at); lp[at] == end {
		return 0
	}
	return at
}

// Prev is the position of the element before the one at a position, 0 at the
// beginning. From len(lp)-1, where the end is, it finds the last element.
func Prev(lp []byte, at int) int {
	if at <= headerSize {
		return 0
	}
	size := back(lp, at-1)
	return at - size - backSize(size)
}

// Last is the position of the last element, 0 if there is none.
func Last(lp []byte) int { return Prev(lp, len(lp)-1) }

// Seek is the position of an element by its number: from 0 at the head, or from
// -1 at the tail; 0 if there is none. It walks from the nearer end.
func Seek(lp []byte, index int) int {
	n := int(binary.LittleEndian.Uint16(lp[4:]))
	if n != unknown {
		switch {
		case index < -n || index >= n:
			return 0
		case index >= 0 && index > n/2:
			index -= n
		case index < -n/2:
			index += n
		}
	}
	if index < 0 {
		at := Last(lp)
		for ; index < -1 && at != 0; index++ {
			at = Prev(lp, at)
		}
		return at
	}
	at := First(lp)
	for ; index > 0 && at != 0; index-- {
		at = Next(lp, at)
	}
	return at
}

// Int is the element at a position if it is encoded as an integer.
func Int(lp []byte, at int) (n int64, ok bool) {
	switch c := lp[at]; {
	case c < str6:
		return int64(c), true
	case c >= int13 && c < str12:
		// 13 bits; shifting up and down again extends the sign.
		return int64(int16(uint16(c)<<11|uint16(lp[at+1])<<3) >> 3), true
	case c == int16_:
		return int64(int16(binary.LittleEndian.Uint16(lp[at+1:]))), true
	case c == int24:
		// The byte before the three is shifted out.
		return int64(int32(binary.LittleEndian.Uint32(lp[at:])) >> 8), true
	case c == int32_:
		return int64(int32(binary.LittleEndian.Uint32(lp[at+1:]))), true
	case c == int64_:
		return int64(binary.LittleEndian.Uint64(lp[at+1:])), true
	}
	return 0, false
}

// text is the bytes of the element at a position, which is a string.
func text(lp []byte, at int) []byte {
	size, head := encoded(lp, at)
	return lp[at+head : at+size : at+size]
}

// Get is the element at a position as bytes. A string aliases lp; an integer is
// spelled out in scratch, which is grown if it holds less than 20 bytes.
func Get(lp []byte, at int, scratch []byte) []byte {
	if n, ok := Int(lp, at); ok {
		return appendInt(scratch[:0], n)
	}
	return text(lp, at)
}

// Equal says whether the element at a position is p.
func Equal(lp []byte, at int, p []byte) bool {
	if n, ok := Int(lp, at); ok {
		m, isInt := ParseInt(p)
		return isInt && m == n
	}
	return string(text(lp, at)) == string(p)
}

// Find is the position of the first element that is p, from position from on;
// 0 if there is none. After each comparison skip elements are passed over: 1
// looks at the keys of pairs. From may be 0.
func Find(lp []byte, from int, p []byte, skip int) int { return Encode(p).Find(lp, from, skip) }
