package rdb

import (
	"fmt"
	"hash/crc64"
)

const (
	// MaxVersion is the highest file version that a Reader takes: that of
	// Redis 7.2 and of Valkey 7.2 to 8. A higher one may change the meaning of
	// anything, so it is refused before the first entry.
	MaxVersion = 11

	// WriteVersion is what a Writer puts into its header. Every server from
	// Redis 7.0 on loads it.
	WriteVersion = 10

	// MaxString is the length in bytes of the largest key or value that is
	// read, the same as the largest that a client can send.
	MaxString = 512 << 20
)

// Opcodes: what stands where the type of an entry would.
const (
	opSlotInfo     = 244 // Redis 7.4 and later: three lengths, hints only
	opFunction2    = 245 // a function library: one string
	opFunctionOld  = 246 // the same before Redis 7.0 was released; nobody reads it
	opModuleAux    = 247 // data of a module that belongs to no key
	opIdle         = 248 // seconds since the next entry was used: a length
	opFreq         = 249 // how often the next entry is used: one byte
	opAux          = 250 // two strings
	opResizeDB     = 251 // two lengths: keys, and those with a time to live
	opExpireMillis = 252 // of the next entry: 8 bytes, little endian
	opExpireSecs   = 253 // of the next entry: 4 bytes, little endian
	opSelectDB     = 254 // a length
	opEOF          = 255 // followed by the checksum from version 5 on
)

// Types of values on the wire.
const (
	wireString       = 0
	wireModulePreGA  = 6
	wireModule       = 7
	largestKnownType = 21
)

// wireTypeNames says in words what the type byte of an entry means. The number
// is not shown to users: they know their values by these words.
var wireTypeNames = [largestKnownType + 1]string{
	0: "string", 1: "list", 2: "set", 3: "sorted set", 4: "hash", 5: "sorted set",
	6: "module", 7: "module", 9: "hash", 10: "list", 11: "set", 12: "sorted set",
	13: "hash", 14: "list", 15: "stream", 16: "hash", 17: "sorted set",
	18: "list", 19: "stream", 20: "set", 21: "stream",
}

// Length prefixes. The two top bits say how to read the rest.
const (
	len6    = 0x00 // the length is in the low six bits
	len14   = 0x40 // ... in the low six bits and the next byte
	len32   = 0x80 // ... in the next four bytes, big endian
	len64   = 0x81 // ... in the next eight bytes, big endian
	lenSpec = 0xC0 // not a length: a special string, by the low six bits

	specInt8  = 0
	specInt16 = 1
	specInt32 = 2
	specLZF   = 3
)

// The checksum is CRC-64 with the Jones polynomial, without the inversions that
// hash/crc64 makes before and after; see Checksum.
var jones = crc64.MakeTable(0x95AC9329AC4BC9B5)

// Checksum continues sum over p. Begin with 0.
func Checksum(sum uint64, p []byte) uint64 {
	return ^crc64.Update(^sum, jones, p)
}

// Type is the type of a value as users know it, whatever its encoding was.
type Type uint8

// Types of values that this package can carry. Others are refused with an
// *UnsupportedTypeError.
const (
	TypeString Type = iota
)

// String gives the word that the TYPE command would answer.
func (t Type) String() string {
	if t == TypeString {
		return "string"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Value is the value of one entry.
type Value struct {
	Type   Type
	String []byte // of TypeString; aliases the reader's buffer
}
