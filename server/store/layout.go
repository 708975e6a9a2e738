package store

import (
	"encoding/binary"
	"math"
)

// An entry is one block:
//
//	byte  0        type in the high, encoding in the low four bits; never 0
//	byte  1        flags
//	bytes 2 to 4   access bits, the caller's
//	byte  5        the number of the cut that has settled this entry (cut.go)
//	byte  6        length of the key  } unless flagLong
//	byte  7        length of the value}
//
// With flagLong, the two lengths follow as 4 bytes each instead. With flagLong or
// flagVolatile there follow the expiry time (8 bytes, Unix milliseconds) and the
// place in the index of volatile keys (4 bytes), meaningless without
// flagVolatile: a long entry has room for them from the start, so that a large
// value need not move when its key is given an expiry time. Then come the key
// and the value.
//
// So a key of 16 bytes with a value of 32 takes 56 bytes.
const (
	atKind     = 0
	atFlags    = 1
	atAccess   = 2
	atSettled  = 5
	atShortKey = 6
	atShortVal = 7
	shortSize  = 8
	longSize   = 16 // header with the long lengths
	expirySize = 12

	flagLong     = 1
	flagVolatile = 2 // has an expiry time

	maxShort = math.MaxUint8
	intSize  = 8 // an integer's value
)

// A shape says how an entry is laid out, which follows from three things.
type shape struct {
	key, val int
	volatile bool
}

func (s shape) long() bool { return s.key > maxShort || s.val > maxShort }

// keyAt is where the key begins.
func (s shape) keyAt() int {
	switch {
	case s.long():
		return longSize + expirySize
	case s.volatile:
		return shortSize + expirySize
	}
	return shortSize
}

func (s shape) valAt() int { return s.keyAt() + s.key }
func (s shape) size() int  { return s.valAt() + s.val }

// expiryAt is where the expiry time is, if the entry has room for one.
func (s shape) expiryAt() int { return s.keyAt() - expirySize }

func shapeOf(b []byte) shape {
	flags := b[atFlags]
	s := shape{volatile: flags&flagVolatile != 0}
	if flags&flagLong == 0 {
		s.key, s.val = int(b[atShortKey]), int(b[atShortVal])
	} else {
		s.key = int(binary.LittleEndian.Uint32(b[shortSize:]))
		s.val = int(binary.LittleEndian.Uint32(b[shortSize+4:]))
	}
	return s
}

// keyOf is the key of the entry at b; it is shapeOf in short, for the hot path.
func keyOf(b []byte) []byte {
	if b[atFlags] == 0 {
		end := shortSize + int(b[atShortKey])
		return b[shortSize:end:end]
	}
	s := shapeOf(b)
	return b[s.keyAt():s.valAt():s.valAt()]
}

// valueOf is the bytes of the value as they are held.
func valueOf(b []byte) []byte {
	s := shapeOf(b)
	return b[s.valAt():s.size():s.size()]
}

func expiryOf(b []byte) int64 {
	s := shapeOf(b)
	if !s.volatile {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b[s.expiryAt():]))
}

// indexOf is the entry's place in the index of volatile keys; it must be
// volatile.
func indexOf(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b[shapeOf(b).expiryAt()+8:])
}

func setIndex(b []byte, i uint32) {
	binary.LittleEndian.PutUint32(b[shapeOf(b).expiryAt()+8:], i)
}

// setShape writes the flags and the lengths, and no expiry time.
func setShape(b []byte, s shape) {
	b[atFlags] = 0
	if s.volatile {
		b[atFlags] |= flagVolatile
	}
	if s.long() {
		b[atFlags] |= flagLong
		b[atShortKey], b[atShortVal] = 0, 0
		binary.LittleEndian.PutUint32(b[shortSize:], uint32(s.key))
		binary.LittleEndian.PutUint32(b[shortSize+4:], uint32(s.val))
	} else {
		b[atShortKey], b[atShortVal] = byte(s.key), byte(s.val)
	}
}

// setExpiry writes the expiry time and the place in the index of a volatile
// entry.
func setExpiry(b []byte, s shape, expireAt int64, i uint32) {
	binary.LittleEndian.PutUint64(b[s.expiryAt():], uint64(expireAt))
	binary.LittleEndian.PutUint32(b[s.expiryAt()+8:], i)
}

func accessOf(b []byte) uint32 {
	return uint32(b[atAccess]) | uint32(b[atAccess+1])<<8 | uint32(b[atAccess+2])<<16
}

func setAccess(b []byte, bits uint32) {
	b[atAccess], b[atAccess+1], b[atAccess+2] = byte(bits), byte(bits>>8), byte(bits>>16)
}

// maxIntLen is the length of "-9223372036854775808".
const maxIntLen = 20

// intLen is the length of n in decimal.
func intLen(n int64) int {
	u, length := uint64(n), 1
	if n < 0 {
		u, length = -u, 2
	}
	for ; u >= 10; u /= 10 {
		length++
	}
	return length
}
