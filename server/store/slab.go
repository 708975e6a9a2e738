package store

import (
	"encoding/binary"
	"math/bits"
)

// Small blocks live in spans of 64 KiB, each of which holds blocks of one size
// class. A span's free blocks form a list through the blocks themselves; blocks
// that were never used are not on it, so that a new span's pages are touched
// one by one as they are needed.

const (
	spanSize      = 64 << 10
	spansPerChunk = chunkSize / spanSize // 64: one bit each in a word
	maxSlab       = 8 << 10              // the largest block that lives in a span

	// tableClass is the class of the overflow buckets of hash tables. They
	// have spans of their own, since compaction could not tell them from entries.
	tableClass = 0

	// Parts of objects have classes and spans of their own, too: class c of the
	// entries is partClass+c of the parts.
	partClass  = 64
	maxClasses = 2 * partClass

	// smallChunks is how many chunks of spans do without huge pages.
	smallChunks = 2
)

// classSize is the block size of each class, and sizeClass the class of entries
// for a size in units, rounded up. Entries have the classes below numClasses.
var classSize, sizeClass, numClasses = sizeClasses()

// sizeClasses builds the classes: steps of 8 bytes up to 128, where most entries
// are, and then 8 steps from each power of two to the next. At most an eighth of
// a block is wasted, a sixteenth on average.
func sizeClasses() (sizes [maxClasses]uint16, classes [maxSlab/unit + 1]uint8, count int) {
	sizes[tableClass] = bucketSize
	count = 1
	next := 0
	for size := 16; size <= maxSlab; size += max(unit, 1<<(bits.Len(uint(size))-4)) {
		sizes[count], sizes[partClass+count] = uint16(size), uint16(size)
		for ; next <= size/unit; next++ {
			classes[next] = uint8(count)
		}
		count++
	}
	return sizes, classes, count
}

func classOf(size int) uint8 { return sizeClass[(size+unit-1)/unit] }

type span struct {
	class uint8
	inUse bool
	used  uint16 // blocks handed out
	free  uint16 // first free block: its offset in units, plus 1; 0 is none
	fresh uint16 // blocks from here on (counted) were never handed out
	pos   int32  // position in slabs.partial[class]; -1 if not there
}

type spanTable struct {
	spans  [spansPerChunk]span
	vacant uint64 // bit i: spans[i] is not in use
	idle   uint64 // bit i: spans[i] is vacant, and its pages have not been given back
	pos    int32  // position in slabs.vacant; -1 if no span is vacant
}

func (t *spanTable) at(offset int) *span { return &t.spans[offset/spanSize] }

type slabs struct {
	partial [maxClasses][]uint32 // spans with free blocks, as chunk*64+span
	vacant  []uint32             // chunks with vacant spans
	count   [maxClasses]int      // spans in use
	used    [maxClasses]int      // blocks handed out
	bytes   int                  // what these hold, those of hash tables excepted
	chunks  int                  // chunks of kindSlab
}

func perSpan(class uint8) int { return spanSize / int(classSize[class]) }

// tally counts blocks that are handed out, or taken back when n is negative.
func (s *slabs) tally(class uint8, n int) {
	s.used[class] += n
	if class != tableClass {
		s.bytes += n * int(classSize[class])
	}
}

func (a *arena) allocSlab(class uint8) handle {
	s := &a.slabs
	n := len(s.partial[class])
	if n == 0 {
		a.addSpan(class)
		n = 1
	}
	id := s.partial[class][n-1]
	sp := a.span(id)
	size := int(classSize[class])
	base := int(id%spansPerChunk) * spanSize
	chunk := id / spansPerChunk
	var offset int
	if sp.free != 0 {
		offset = base + int(sp.free-1)*unit
		sp.free = nextFree(a.chunks[chunk][offset:])
	} else {
		offset = base + int(sp.fresh)*size
		sp.fresh++
	}
	sp.used++
	s.tally(class, 1)
	if sp.free == 0 && int(sp.fresh) == spanSize/size {
		a.dropPartial(sp)
	}
	return makeHandle(chunk, offset)
}

func (a *arena) freeSlab(h handle) {
	s := &a.slabs
	chunk, offset := h.chunk(), h.offset()
	sp := a.info[chunk].spans.at(offset)
	setFree(a.chunks[chunk][offset:], sp.free)
	sp.free = uint16(offset%spanSize/unit) + 1
	sp.used--
	s.tally(sp.class, -1)
	if sp.pos < 0 {
		sp.pos = int32(len(s.partial[sp.class]))
		s.partial[sp.class] = append(s.partial[sp.class], chunk*spansPerChunk+uint32(offset/spanSize))
	}
	// An empty span is kept while it is its class's only one with room, so that
	// a key that comes and goes finds it ready.
	if sp.used == 0 && len(s.partial[sp.class]) > 1 {
		a.dropPartial(sp)
		a.releaseSpan(chunk, offset/spanSize)
	}
}

// A free block has 0 where an entry has its type, and the next one's place in
// bytes 2 and 3.
func setFree(block []byte, next uint16) {
	block[0] = 0
	binary.LittleEndian.PutUint16(block[2:], next)
}

func nextFree(block []byte) uint16 { return binary.LittleEndian.Uint16(block[2:]) }

func (a *arena) span(id uint32) *span {
	return &a.info[id/spansPerChunk].spans.spans[id%spansPerChunk]
}

// addSpan makes a vacant span the class's last partial one.
func (a *arena) addSpan(class uint8) {
	s := &a.slabs
	if len(s.vacant) == 0 {
		mem, region := a.takeChunk(s.chunks >= smallChunks)
		s.chunks++
		t := &spanTable{vacant: ^uint64(0), pos: 0}
		s.vacant = append(s.vacant, a.number(mem, chunkInfo{kind: kindSlab, region: region, spans: t}))
	}
	c := s.vacant[len(s.vacant)-1]
	t := a.info[c].spans
	i := bits.TrailingZeros64(t.vacant)
	if t.idle != 0 {
		i = bits.TrailingZeros64(t.idle) // its pages are there already
		t.idle &^= 1 << i
		a.idle.bytes -= spanSize
	}
	t.vacant &^= 1 << i
	if t.vacant == 0 {
		s.vacant = s.vacant[:len(s.vacant)-1]
		t.pos = -1
	}
	t.spans[i] = span{class: class, inUse: true, pos: int32(len(s.partial[class]))}
	s.partial[class] = append(s.partial[class], c*spansPerChunk+uint32(i))
	s.count[class]++
}

// dropPartial takes a span off its class's list.
func (a *arena) dropPartial(sp *span) {
	list := a.slabs.partial[sp.class]
	last := list[len(list)-1]
	list[sp.pos] = last
	a.span(last).pos = sp.pos
	a.slabs.partial[sp.class] = list[:len(list)-1]
	sp.pos = -1
}

// releaseSpan makes an empty span vacant, which is on no list. Its pages stay for
// a while, see idle.go.
func (a *arena) releaseSpan(chunk uint32, i int) {
	s := &a.slabs
	t := a.info[chunk].spans
	s.count[t.spans[i].class]--
	t.spans[i] = span{pos: -1}
	t.vacant |= 1 << i
	t.idle |= 1 << i
	a.idle.bytes += spanSize
	if t.pos < 0 {
		t.pos = int32(len(s.vacant))
		s.vacant = append(s.vacant, chunk)
	}
}

// releaseChunk gives a chunk of spans, none of which is in use or idle, back to
// the arena.
func (a *arena) releaseChunk(chunk uint32, t *spanTable) {
	s := &a.slabs
	last := s.vacant[len(s.vacant)-1]
	s.vacant[t.pos] = last
	a.info[last].spans.pos = t.pos
	s.vacant = s.vacant[:len(s.vacant)-1]
	mem, region := a.chunks[chunk], a.info[chunk].region
	a.unnumber(chunk)
	a.returnChunk(mem, region)
	s.chunks--
}

// releaseEmptySpans releases what freeSlab has kept, and reports how many spans
// that were.
func (a *arena) releaseEmptySpans() int {
	n := 0
	for class := range maxClasses {
		list := a.slabs.partial[class]
		if len(list) != 1 {
			continue
		}
		if sp := a.span(list[0]); sp.used == 0 {
			id := list[0]
			a.dropPartial(sp)
			a.releaseSpan(id/spansPerChunk, int(id%spansPerChunk))
			n++
		}
	}
	return n
}

// spanBytes is what all spans in use take.
func (s *slabs) spanBytes() int {
	n := 0
	for class := range maxClasses {
		n += s.count[class] * spanSize
	}
	return n
}
