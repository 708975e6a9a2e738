// Package intset is Redis' intset: a sorted set of integers in one piece of
// memory, bit for bit as RDB files and DUMP payloads hold it.
//
//	4 bytes  width of an element, little endian: 2, 4 or 8 bytes
//	4 bytes  number of elements
//	         the elements in ascending order, little endian
//
// Functions that change a set return it, as append does. Bytes from outside have
// to pass Valid before anything else may look at them.
//
// The package knows nothing of the keyspace. It imports the standard library
// only.
package intset

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// HeaderSize is the length of an empty set in bytes.
const HeaderSize = 8

// New returns an empty set.
func New() []byte { return []byte{2, 0, 0, 0, 0, 0, 0, 0} }

// Len is the number of elements.
func Len(set []byte) int { return int(binary.LittleEndian.Uint32(set[4:])) }

// SetLen writes the number of elements; it is for whoever puts some in with Put.
func SetLen(set []byte, n int) { binary.LittleEndian.PutUint32(set[4:], uint32(n)) }

// Width is how many bytes an element takes: 2, 4 or 8.
func Width(set []byte) int { return int(set[0]) }

// WidthOf is the smallest width that holds n.
func WidthOf(n int64) int {
	switch {
	case n == int64(int16(n)):
		return 2
	case n == int64(int32(n)):
		return 4
	}
	return 8
}

// Get is element i, 0 <= i < Len, in ascending order.
func Get(set []byte, i int) int64 {
	switch p := set[HeaderSize:]; set[0] {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p[2*i:])))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p[4*i:])))
	default:
		return int64(binary.LittleEndian.Uint64(p[8*i:]))
	}
}

// Put writes n as element i; the width of the set holds it.
func Put(set []byte, i int, n int64) {
	switch p := set[HeaderSize:]; set[0] {
	case 2:
		binary.LittleEndian.PutUint16(p[2*i:], uint16(n))
	case 4:
		binary.LittleEndian.PutUint32(p[4*i:], uint32(n))
	default:
		binary.LittleEndian.PutUint64(p[8*i:], uint64(n))
	}
}

// Fill makes set, which is HeaderSize and WidthOf(n) bytes long, the set of n.
func Fill(set []byte, n int64) {
	binary.LittleEndian.PutUint32(set, uint32(WidthOf(n)))
	SetLen(set, 1)
	Put(set, 0, n)
}

// Find tells whether n is in the set, and the number that it has or would get.
func Find(set []byte, n int64) (i int, found bool) {
	low, high := 0, Len(set)
	// Sets are often filled in ascending order.
	if high > 0 && n > Get(set, high-1) {
		return high, false
	}
	for low < high {
		mid := int(uint(low+high) / 2)
		switch v := Get(set, mid); {
		case v == n:
			return mid, true
		case v < n:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// Add adds n and tells whether it was not there yet.
func Add(set []byte, n int64) (changed []byte, added bool) {
	if WidthOf(n) > Width(set) {
		set = widen(set, WidthOf(n))
	}
	i, found := Find(set, n)
	if found {
		return set, false
	}
	width, count, size := Width(set), Len(set), len(set)
	set = slices.Grow(set, width)[:size+width]
	at := HeaderSize + i*width
	copy(set[at+width:], set[at:size])
	Put(set, i, n)
	SetLen(set, count+1)
	return set, true
}

// widen gives the elements more bytes each, from the last one on, so that none
// is overwritten before it was read.
func widen(set []byte, width int) []byte {
	count, was := Len(set), set[0]
	set = slices.Grow(set, count*(width-int(was)))[:HeaderSize+count*width]
	for i := count - 1; i >= 0; i-- {
		set[0] = was
		n := Get(set, i)
		set[0] = byte(width)
		Put(set, i, n)
	}
	set[0] = byte(width)
	return set
}

// Remove takes n out and tells whether it was there. The width stays.
func Remove(set []byte, n int64) (changed []byte, removed bool) {
	i, found := Find(set, n)
	if !found {
		return set, false
	}
	width := Width(set)
	set = slices.Delete(set, HeaderSize+i*width, HeaderSize+(i+1)*width)
	SetLen(set, Len(set)-1)
	return set, true
}

// An InvalidError says what is wrong with bytes that should be a set.
type InvalidError struct {
	At   int // position of the byte that is wrong, or of the element
	What string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("intset: byte %d: %s", e.At, e.What) }

// Valid checks bytes from outside completely. The error is an *InvalidError.
func Valid(p []byte) error {
	if len(p) < HeaderSize {
		return &InvalidError{len(p), "shorter than an empty set"}
	}
	width := binary.LittleEndian.Uint32(p)
	if width != 2 && width != 4 && width != 8 {
		return &InvalidError{0, "the width is none of 2, 4 and 8"}
	}
	count := binary.LittleEndian.Uint32(p[4:])
	if uint64(len(p)) != HeaderSize+uint64(count)*uint64(width) {
		return &InvalidError{4, "the number of elements does not go with the length"}
	}
	for i := 1; i < int(count); i++ {
		if Get(p, i-1) >= Get(p, i) {
			return &InvalidError{HeaderSize + i*int(width), "the elements are not in ascending order"}
		}
	}
	return nil
}
