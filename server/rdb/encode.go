package rdb

import (
	"encoding/binary"
	"math"
)

// Shape is a spelling of a value that an Encoder writes.
type Shape uint8

// The shapes, with what follows an Entry or a Type of each.
const (
	ShapeString          Shape = wireString     // String
	ShapeSet             Shape = wireSet        // Count, then a String each
	ShapeSortedSet       Shape = wireZSet       // Count, then String and Score each
	ShapeHash            Shape = wireHash       // Count, then two Strings each
	ShapeIntset          Shape = wireIntset     // String: the intset
	ShapeHashListpack    Shape = wireHashPacked // String: the listpack
	ShapeSortedSetPacked Shape = wireZSetPacked // String: the listpack
	ShapeList            Shape = wireQuicklist2 // Count, then a Node each
	ShapeStream          Shape = wireStream2    // see stream.go
)

// Encoder spells entries. What it has made is in Buf.
type Encoder struct {
	Buf []byte
	// Compress has strings compressed where that makes them shorter
	// (rdbcompression).
	Compress bool
	// HandOver, unless nil, is called as soon as Buf has Full bytes, also in the
	// middle of a value: large values need no large buffer. It leaves Buf empty.
	HandOver func()
	Full     int

	lzf    *compressor // made when it is needed: it is large
	packed []byte
}

const (
	// compressFrom: shorter strings are not worth it.
	compressFrom = 21
	// compressUpTo: longer strings are written as they are, since compressing takes
	// about 4 ms a megabyte, in which nobody is served.
	compressUpTo = 256 << 10
)

func (e *Encoder) handOver() {
	if e.HandOver != nil && len(e.Buf) >= e.Full {
		e.HandOver()
	}
}

// Access is what a file keeps about the use of a key, for eviction.
type Access struct {
	IdleSeconds int64 // -1: not recorded
	Frequency   int   // 0 to 255; -1: not recorded
}

// NoAccess records nothing.
var NoAccess = Access{-1, -1}

// Entry begins an entry. expireAt is in milliseconds since 1970; 0 when the key does
// not expire.
func (e *Encoder) Entry(shape Shape, key []byte, expireAt int64, used Access) {
	if expireAt != 0 {
		e.Buf = append(e.Buf, opExpireMillis)
		e.Buf = binary.LittleEndian.AppendUint64(e.Buf, uint64(expireAt))
	}
	if used.IdleSeconds >= 0 {
		e.Buf = appendLength(append(e.Buf, opIdle), uint64(used.IdleSeconds))
	}
	if used.Frequency >= 0 {
		e.Buf = append(e.Buf, opFreq, byte(used.Frequency))
	}
	e.Type(shape)
	e.String(key)
}

// Type begins a value that belongs to no key.
func (e *Encoder) Type(shape Shape) { e.Buf = append(e.Buf, byte(shape)) }

// Count writes a number.
func (e *Encoder) Count(n uint64) { e.Buf = appendLength(e.Buf, n) }

// String writes a string, in the shortest spelling.
func (e *Encoder) String(s []byte) {
	if e.Compress && len(s) >= compressFrom && len(s) <= compressUpTo {
		if e.lzf == nil {
			e.lzf = &compressor{}
		}
		var ok bool
		// Four bytes must be saved at least: so many more the lengths can take.
		if e.packed, ok = e.lzf.append(e.packed[:0], s, len(s)-4); ok {
			e.Buf = append(e.Buf, lenSpec|specLZF)
			e.Buf = appendLength(e.Buf, uint64(len(e.packed)))
			e.Buf = appendLength(e.Buf, uint64(len(s)))
			e.raw(e.packed)
			return
		}
	}
	if v, ok := smallInt(s); ok {
		e.Buf = appendSmallInt(e.Buf, v)
		e.handOver()
		return
	}
	e.Buf = appendLength(e.Buf, uint64(len(s)))
	e.raw(s)
}

// Int writes the string that a number is spelled as.
func (e *Encoder) Int(n int64) {
	if n == int64(int32(n)) {
		e.Buf = appendSmallInt(e.Buf, n)
		e.handOver()
		return
	}
	e.Buf = appendLongInt(e.Buf, n)
	e.handOver()
}

// Score writes the score of a member.
func (e *Encoder) Score(f float64) {
	e.Buf = binary.LittleEndian.AppendUint64(e.Buf, math.Float64bits(f))
}

// Node writes a node of a list: a listpack, or a single element as it is.
func (e *Encoder) Node(p []byte, packed bool) {
	kind := byte(plainNode)
	if packed {
		kind = packedNode
	}
	e.Buf = append(e.Buf, kind)
	e.String(p)
}

// Raw writes bytes that are spelled already.
func (e *Encoder) Raw(p []byte) { e.raw(p) }

// raw hands over piece by piece, so that the buffer stays small.
func (e *Encoder) raw(p []byte) {
	if e.HandOver == nil {
		e.Buf = append(e.Buf, p...)
		return
	}
	for {
		n := min(len(p), max(1, e.Full-len(e.Buf)))
		e.Buf = append(e.Buf, p[:n]...)
		p = p[n:]
		e.handOver()
		if len(p) == 0 {
			return
		}
	}
}

// AppendFooter ends the payload of DUMP that begins at begin.
func AppendFooter(dst []byte, begin int) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, WriteVersion)
	return binary.LittleEndian.AppendUint64(dst, Checksum(0, dst[begin:]))
}
