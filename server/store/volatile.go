package store

import (
	"encoding/binary"
	"math/bits"
)

// A volatileIndex lists the entries of a database that have an expiry time, so
// that some can be drawn at random however rare they are. An entry knows its
// place in the list; the last one moves into the gap when one leaves.
type volatileIndex struct {
	arena    *arena
	segments []segment
	count    int
}

const (
	indexWidth     = 8 // bytes; a power of two, so that none straddles a segment
	segmentIndexes = chunkSize / indexWidth
	dropIndexes    = spanSize / indexWidth
)

func (v *volatileIndex) cell(i uint32) []byte {
	return v.segments[i/segmentIndexes].mem[i%segmentIndexes*indexWidth:]
}

func (v *volatileIndex) get(i uint32) handle { return handle(binary.LittleEndian.Uint64(v.cell(i))) }

func (v *volatileIndex) set(i uint32, h handle) { binary.LittleEndian.PutUint64(v.cell(i), uint64(h)) }

// add appends h and returns its place.
func (v *volatileIndex) add(h handle) uint32 {
	if v.count == len(v.segments)*segmentIndexes {
		mem, region := v.arena.takeChunk(len(v.segments) > 0)
		v.segments = append(v.segments, segment{mem: mem, region: region})
	}
	i := uint32(v.count)
	v.count++
	v.set(i, h)
	return i
}

// remove takes the entry at place i out; another one may move there, and is told
// so.
func (v *volatileIndex) remove(i uint32) {
	v.count--
	last := uint32(v.count)
	if i != last {
		h := v.get(last)
		v.set(i, h)
		setIndex(v.arena.block(h), i)
	}
	if last%dropIndexes == 0 {
		v.trim(last)
	}
}

// trim gives the pages from place i on back; i is a multiple of dropIndexes.
func (v *volatileIndex) trim(i uint32) {
	s := &v.segments[len(v.segments)-1]
	at := int(i%segmentIndexes) * indexWidth
	dropPages(s.mem[at : at+spanSize])
	if at == 0 {
		v.arena.returnChunk(s.mem, s.region)
		v.segments = v.segments[:len(v.segments)-1]
	}
}

// release gives everything back; the entries are not told.
func (v *volatileIndex) release() {
	for _, s := range v.segments {
		dropPages(s.mem)
		v.arena.returnChunk(s.mem, s.region)
	}
	v.segments, v.count = nil, 0
}

func (v *volatileIndex) bytes() int { return v.count * indexWidth }

// sample calls f for n different entries, or all if there are fewer, and returns
// how many that were. From a random place it goes on in equal, random steps
// that have no divisor in common with the length: so every entry has the same
// chance, no two are the same, and neighbours (which tend to expire together)
// are not preferred.
func (v *volatileIndex) sample(r uint64, n int, f func(handle)) int {
	if v.count == 0 || n <= 0 {
		return 0
	}
	length := uint64(v.count)
	at, _ := bits.Mul64(mix(r), length)
	step := mix(r+golden)%length | 1
	for gcd(step, length) != 1 {
		step++
	}
	n = min(n, v.count)
	for range n {
		f(v.get(uint32(at)))
		at = (at + step) % length
	}
	return n
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
