package rdb

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// length reads a length, or the kind of a special string.
func (r *Reader) length(what string) (n uint64, special bool, err error) {
	at := r.src.pos()
	p, err := r.src.take(1, what)
	if err != nil {
		return 0, false, err
	}
	switch first := p[0]; first & 0xC0 {
	case len6:
		return uint64(first & 63), false, nil
	case len14:
		p, err = r.src.take(1, what)
		if err != nil {
			return 0, false, err
		}
		return uint64(first&63)<<8 | uint64(p[0]), false, nil
	case lenSpec:
		return uint64(first & 63), true, nil
	default:
		return r.longLength(first, what, at)
	}
}

func (r *Reader) longLength(first byte, what string, at int64) (uint64, bool, error) {
	switch first {
	case len32:
		p, err := r.src.take(4, what)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(p)), false, nil
	case len64:
		p, err := r.src.take(8, what)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(p), false, nil
	}
	return 0, false, &FormatError{Pos: at, What: fmt.Sprintf("%#02x does not begin a length (of %s)", first, what)}
}

// count reads a length that must be a plain number.
func (r *Reader) count(what string) (int64, error) {
	at := r.src.pos()
	n, special, err := r.length(what)
	if err != nil {
		return 0, err
	}
	if special || n > math.MaxInt64 {
		return 0, &FormatError{Pos: at, What: what + " is not a number"}
	}
	return int64(n), nil
}

// recycled empties a buffer for its next use. A huge one is let go: one huge value
// shall not be paid for until the end.
func recycled(buf []byte) []byte {
	if cap(buf) > 1<<20 {
		return nil
	}
	return buf[:0]
}

// str appends a string to dst.
func (r *Reader) str(dst []byte, what string) ([]byte, error) {
	at := r.src.pos()
	n, special, err := r.length(what)
	if err != nil {
		return dst, err
	}
	if !special {
		return r.bytes(dst, n, what, at)
	}
	switch n {
	case specInt8, specInt16, specInt32:
		return r.integer(dst, n, what)
	case specLZF:
		return r.compressed(dst, what, at)
	}
	return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s has the unknown encoding %d", what, n)}
}

func (r *Reader) integer(dst []byte, kind uint64, what string) ([]byte, error) {
	p, err := r.src.take(1<<kind, what)
	if err != nil {
		return dst, err
	}
	var v int64
	switch kind {
	case specInt8:
		v = int64(int8(p[0]))
	case specInt16:
		v = int64(int16(binary.LittleEndian.Uint16(p)))
	case specInt32:
		v = int64(int32(binary.LittleEndian.Uint32(p)))
	}
	return strconv.AppendInt(dst, v, 10), nil
}

// bytes appends n bytes to dst. The buffer grows with what arrives, not with
// what is claimed.
func (r *Reader) bytes(dst []byte, n uint64, what string, at int64) ([]byte, error) {
	if n > MaxString {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s of %d bytes is longer than %d", what, n, MaxString)}
	}
	for left := int(n); left > 0; {
		p, err := r.src.takeSome(left, what)
		if err != nil {
			return dst, err
		}
		dst = append(dst, p...)
		left -= len(p)
	}
	return dst, nil
}

func (r *Reader) compressed(dst []byte, what string, at int64) ([]byte, error) {
	packed, err := r.count(what)
	if err != nil {
		return dst, err
	}
	size, err := r.count(what)
	if err != nil {
		return dst, err
	}
	if size > MaxString || size/lzfMaxRatio > packed {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s: %d compressed bytes can not stand for %d", what, packed, size)}
	}
	if r.lzf, err = r.bytes(recycled(r.lzf), uint64(packed), what, at); err != nil {
		return dst, err
	}
	dst, ok := appendLZF(dst, r.lzf, int(size))
	if !ok {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("the compressed bytes of %s are damaged", what)}
	}
	return dst, nil
}
