package store

import (
	"encoding/binary"
	"math/bits"
)

// A bucket is one cache line with room for ten entries:
//
//	bytes 0 to 3    the mark: flags in the two high bits of byte 0, and the
//	                number of the object that the table belongs to
//	bytes 4 to 13   the tag of each slot, 8 bits of the hash; 0 is a free slot
//	bytes 14 to 63  the handle of each slot, 5 bytes
//
// In a chain of buckets all slots but those of the last one are taken. A linked
// bucket has in slot 9 no entry but the handle of another one that continues it.
//
// The first bucket of a block is marked, so that compaction can tell what the
// block is, and whose; within a block the others have no need of it.
type bucket [bucketSize]byte

const (
	bucketSize  = 64
	bucketSlots = 10
	linkSlot    = bucketSlots - 1
	tagsAt      = 4
	handlesAt   = 14

	bucketFlag = 1 << 7 // the bucket is marked; no entry has such a first byte
	linkFlag   = 1 << 6
	// maxObjects is how many object numbers a mark has room for.
	maxObjects = 1 << 30
)

// mark makes b the first bucket of a block that belongs to an object.
func (b *bucket) mark(object uint32) {
	binary.LittleEndian.PutUint32(b[:], object>>6<<8|object&0x3F|bucketFlag|uint32(b[0]&linkFlag))
}

// objectOfBucket is the number in the mark at the beginning of a block.
func objectOfBucket(block []byte) uint32 {
	w := binary.LittleEndian.Uint32(block)
	return w>>8<<6 | w&0x3F
}

// reset empties a bucket and leaves it marked as it is.
func (b *bucket) reset() {
	mark := binary.LittleEndian.Uint32(b[:]) &^ linkFlag
	*b = bucket{}
	binary.LittleEndian.PutUint32(b[:], mark)
}

// tagOf is never 0.
func tagOf(hash uint64) byte {
	t := byte(hash >> 56)
	if t == 0 {
		return 1
	}
	return t
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// zeroBytes has the high bit set of each byte of w that is 0, and perhaps of
// bytes above the lowest such one that are 1: candidates, to be verified.
func zeroBytes(w uint64) uint64 { return (w - everyByte) &^ w & highBits }

// candidates are the slots that may have the tag, as a set of bits.
func (b *bucket) candidates(tag byte) uint32 {
	pattern := uint64(tag) * everyByte
	low := zeroBytes(binary.LittleEndian.Uint64(b[tagsAt:]) ^ pattern)
	// Gather the high bits of the eight bytes in the lowest byte.
	set := uint32(low * 0x0002040810204081 >> 56)
	if b[tagsAt+8] == tag {
		set |= 1 << 8
	}
	if b[tagsAt+9] == tag {
		set |= 1 << 9
	}
	return set
}

func (b *bucket) tag(slot int) byte { return b[tagsAt+slot] }

func (b *bucket) handle(slot int) handle {
	return handle(binary.LittleEndian.Uint64(b[handlesAt-3+handleBytes*slot:]) >> 24)
}

func (b *bucket) setHandle(slot int, h handle) {
	at := handlesAt + handleBytes*slot
	binary.LittleEndian.PutUint32(b[at:], uint32(h))
	b[at+4] = byte(h >> 32)
}

func (b *bucket) set(slot int, tag byte, h handle) {
	b[tagsAt+slot] = tag
	b.setHandle(slot, h)
}

func (b *bucket) clearSlot(slot int) { b.set(slot, 0, 0) }

func (b *bucket) linked() bool { return b[0]&linkFlag != 0 }

// link makes next the continuation of a bucket whose slot 9 has been vacated.
func (b *bucket) link(next handle) {
	b[0] |= linkFlag
	b.set(linkSlot, 0, next)
}

func (b *bucket) unlink() {
	b[0] &^= linkFlag
	b.clearSlot(linkSlot)
}

// freeSlot is the first free slot of a bucket that is not linked; bucketSlots
// if there is none.
func (b *bucket) freeSlot() int {
	if m := zeroBytes(binary.LittleEndian.Uint64(b[tagsAt:])); m != 0 {
		return bits.TrailingZeros64(m) / 8
	}
	if b.tag(8) == 0 {
		return 8
	}
	if b.tag(9) == 0 {
		return 9
	}
	return bucketSlots
}

// lastUsed is the last slot with an entry; -1 if there is none.
func (b *bucket) lastUsed() int {
	for slot := bucketSlots - 1; slot >= 0; slot-- {
		if b.tag(slot) != 0 {
			return slot
		}
	}
	return -1
}
