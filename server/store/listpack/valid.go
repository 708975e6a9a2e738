package listpack

import (
	"encoding/binary"
	"fmt"
)

// An InvalidError says what is wrong with bytes that should be a listpack.
type InvalidError struct {
	At   int // position of the byte that is wrong, or of the element
	What string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("listpack: byte %d: %s", e.At, e.What) }

// Valid checks bytes from outside. Only after a deep check may everything else
// in this package be used on them: the other one merely looks at both ends, for
// bytes that a checksum has already proved to be what a sound server wrote. The
// error is an *InvalidError.
func Valid(p []byte, deep bool) error {
	switch {
	case len(p) < Empty:
		return &InvalidError{len(p), "shorter than an empty listpack"}
	case uint64(binary.LittleEndian.Uint32(p)) != uint64(len(p)):
		return &InvalidError{0, "the length is not that of the bytes"}
	case p[len(p)-1] != end:
		return &InvalidError{len(p) - 1, "the end is not marked"}
	case !deep:
		return nil
	}
	count, at := 0, headerSize
	for at < len(p)-1 {
		size, ok := soundSize(p[at : len(p)-1])
		if !ok {
			return &InvalidError{at, "an element that does not fit, or of an unknown encoding"}
		}
		n := backSize(size)
		if at+size+n > len(p)-1 || !soundBack(p[at+size:at+size+n], size) {
			return &InvalidError{at + size, "the length backwards is not that of the element"}
		}
		at += size + n
		count++
	}
	if n := int(binary.LittleEndian.Uint16(p[4:])); n != unknown && n != count {
		return &InvalidError{4, "the count is not that of the elements"}
	}
	return nil
}

// soundSize is encoded for bytes from outside, which begin with an element.
func soundSize(p []byte) (size int, ok bool) {
	c := p[0]
	need := 1 // bytes that encoded looks at
	switch {
	case c >= str12 && c < str32:
		need = 2
	case c == str32:
		need = 5
	case c > int64_:
		return 0, false
	}
	if len(p) < need {
		return 0, false
	}
	size, _ = encoded(p, 0)
	return size, size <= len(p)
}

func soundBack(p []byte, size int) bool {
	var want [5]byte
	putBack(want[:], size)
	return string(p) == string(want[:len(p)])
}
