package store

import (
	"encoding/binary"
	"strconv"
)

// Entry is a key with its value, found in a database. It is valid until the
// next mutation of the Keyspace (Step included); so are the byte slices got
// from it.
type Entry struct {
	arena *arena
	h     handle
}

func (e Entry) block() []byte { return e.arena.block(e.h) }

// Key is the key's bytes, not to be modified.
func (e Entry) Key() []byte { return keyOf(e.block()) }

// Type is the type of the value.
func (e Entry) Type() Type { return Type(e.block()[atKind] >> 4) }

// Encoding is how the value is held.
func (e Entry) Encoding() Encoding { return Encoding(e.block()[atKind] & 15) }

// ExpireAt is the expiry time in Unix milliseconds; ok is false if the key
// never expires.
func (e Entry) ExpireAt() (unixMilli int64, ok bool) {
	b := e.block()
	if b[atFlags]&flagVolatile == 0 {
		return 0, false
	}
	return expiryOf(b), true
}

// StringBytes is the value of a string, not to be modified. An integer is
// formatted into scratch, which is grown if it holds less than 20 bytes.
func (e Entry) StringBytes(scratch []byte) []byte { return stringOf(e.block(), scratch) }

func stringOf(b, scratch []byte) []byte {
	if b[atKind] == kindInt {
		return strconv.AppendInt(scratch[:0], intOf(b), 10)
	}
	return valueOf(b)
}

// Int is the value if it is held as an integer.
func (e Entry) Int() (n int64, ok bool) {
	b := e.block()
	if b[atKind] != kindInt {
		return 0, false
	}
	return intOf(b), true
}

func intOf(b []byte) int64 { return int64(binary.LittleEndian.Uint64(valueOf(b))) }

// StringLen is the length of a string in bytes, as STRLEN tells it.
func (e Entry) StringLen() int { return stringLen(e.block()) }

func stringLen(b []byte) int {
	if b[atKind] == kindInt {
		return intLen(intOf(b))
	}
	return shapeOf(b).val
}

// Size is the number of bytes that the key, its value and its share of the
// tables take (MEMORY USAGE).
func (e Entry) Size() int {
	size := e.arena.capacity(e.h) + bucketSize/splitAbove
	b := e.block()
	if b[atFlags]&flagVolatile != 0 {
		size += indexWidth
	}
	if isObject(b[atKind]) {
		size += e.arena.objectOf(b).Size()
	}
	return size
}

// Access is the 24 bits kept for the caller with each entry: an access clock
// or a frequency, as the eviction policy has it.
func (e Entry) Access() uint32 { return accessOf(e.block()) }

// SetAccess replaces the 24 access bits. It is not a mutation: entries stay
// valid, and a cut does not care.
func (e Entry) SetAccess(bits uint32) { setAccess(e.block(), bits) }
