package rdb

import "hash/crc64"

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

// Types of values on the wire: what a value is, and how it is spelled. Servers
// have added spellings over the years, and never given one up.
const (
	wireString      = 0
	wireList        = 1 // elements
	wireSet         = 2 // elements
	wireZSetText    = 3 // members, each with its score as text
	wireHash        = 4 // fields and values
	wireZSet        = 5 // members, each with its score as a double
	wireModulePreGA = 6
	wireModule      = 7
	wireHashZipmap  = 9
	wireListZiplist = 10
	wireIntset      = 11
	wireZSetZiplist = 12
	wireHashZiplist = 13
	wireQuicklist   = 14 // nodes: ziplists
	wireStream1     = 15
	wireHashPacked  = 16 // a listpack
	wireZSetPacked  = 17 // a listpack
	wireQuicklist2  = 18 // nodes: listpacks, or large elements as they are
	wireStream2     = 19 // with the stream's counters
	wireSetPacked   = 20 // a listpack
	wireStream3     = 21 // with the consumers' active times
)

// Kinds of nodes of a list of wireQuicklist2.
const (
	plainNode  = 1 // a single element as it is
	packedNode = 2 // a listpack
)

// wireTypes tells what the type byte of an entry means. A name that is empty
// belongs to no type.
var wireTypes = [...]struct {
	name string
	is   Type
}{
	wireString: {"string", TypeString},
	wireList:   {"list", TypeList}, wireListZiplist: {"list", TypeList},
	wireQuicklist: {"list", TypeList}, wireQuicklist2: {"list", TypeList},
	wireSet: {"set", TypeSet}, wireIntset: {"set", TypeSet}, wireSetPacked: {"set", TypeSet},
	wireZSetText: {"sorted set", TypeSortedSet}, wireZSet: {"sorted set", TypeSortedSet},
	wireZSetZiplist: {"sorted set", TypeSortedSet}, wireZSetPacked: {"sorted set", TypeSortedSet},
	wireHash: {"hash", TypeHash}, wireHashZipmap: {"hash", TypeHash},
	wireHashZiplist: {"hash", TypeHash}, wireHashPacked: {"hash", TypeHash},
	wireModulePreGA: {"module", 0}, wireModule: {"module", 0},
	wireStream1: {"stream", TypeStream}, wireStream2: {"stream", TypeStream}, wireStream3: {"stream", TypeStream},
}

func knownWireType(b byte) bool { return int(b) < len(wireTypes) && wireTypes[b].name != "" }

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
