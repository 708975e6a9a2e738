package store

// The buckets of a table lie in segments. A database's table has segments of
// 4 MiB, a chunk each, whose pages are given back as they fall idle. That of a
// collection grows in small steps: its first segment is one block, which moves
// to a larger one while the table is small, and the others are blocks of 64 KiB.
type segment struct {
	mem    []byte
	region *region // of a chunk
	h      handle  // of a block
}

const (
	chunkShift = 16 // log2 of the buckets in a chunk
	blockShift = 10 // log2 of the buckets in a full block

	// dropBuckets is how many buckets at the end of a database's table must
	// fall idle before their pages are given back, 64 KiB at a time.
	dropBuckets = 1024
)

// shift is log2 of the number of buckets in a full segment.
func (t *table) shift() uint {
	if t.object == 0 {
		return chunkShift
	}
	return blockShift
}

func (t *table) bucket(i uint64) *bucket {
	shift := t.shift()
	at := i & (1<<shift - 1) * bucketSize
	return (*bucket)(t.segments[i>>shift].mem[at : at+bucketSize])
}

// room is how many buckets the segments have room for.
func (t *table) room() uint64 {
	if len(t.segments) == 0 {
		return 0
	}
	last := len(t.segments) - 1
	return uint64(last)<<t.shift() + uint64(len(t.segments[last].mem)/bucketSize)
}

// addBucket brings bucket number t.buckets into use. Buckets and places are void
// after it.
func (t *table) addBucket() {
	if t.buckets == t.room() {
		t.addRoom()
	}
	t.buckets++
	if t.buckets == 1 {
		t.level, t.depth = 0, 1
	} else if t.buckets == 2<<t.level {
		t.level++
	}
}

// dropBucket takes the last bucket, which is empty, out of use. Buckets and
// places are void after it.
func (t *table) dropBucket() {
	t.buckets--
	if t.buckets < 1<<t.level && t.level > 0 {
		t.level--
	}
	if t.object != 0 {
		t.dropBlockRoom()
	} else {
		t.dropChunkRoom()
	}
}

func (t *table) addRoom() {
	switch {
	case t.object == 0:
		mem, region := t.arena.takeChunk(len(t.segments) > 0)
		t.segments = append(t.segments, segment{mem: mem, region: region})
	case t.buckets == 0:
		t.segments = append(t.segments, t.newBlock(1))
	case t.buckets < 1<<blockShift:
		t.resizeFirst(t.buckets)
	default:
		t.segments = append(t.segments, t.newBlock(1<<blockShift))
	}
}

func (t *table) dropChunkRoom() {
	last := &t.segments[len(t.segments)-1]
	if at := t.buckets % (1 << chunkShift); at%dropBuckets == 0 {
		end := min(at+dropBuckets, 1<<chunkShift)
		dropPages(last.mem[at*bucketSize : end*bucketSize])
		if at == 0 {
			t.arena.returnChunk(last.mem, last.region)
			t.segments = t.segments[:len(t.segments)-1]
		}
	}
}

func (t *table) dropBlockRoom() {
	last := len(t.segments) - 1
	switch {
	case t.buckets == uint64(last)<<blockShift:
		t.arena.free(t.segments[last].h)
		t.segments = t.segments[:last]
	case last == 0 && t.buckets*3 <= t.room()*2:
		t.resizeFirst(t.buckets)
	}
}

// newBlock is a segment with room for so many buckets, or a few more.
func (t *table) newBlock(buckets uint64) segment {
	size := blockSize(int(buckets) * bucketSize)
	size = min(size-size%bucketSize, 1<<blockShift*bucketSize)
	h, clean := t.arena.allocClean(size)
	mem := t.arena.block(h)[:size:size]
	if !clean {
		clear(mem)
	}
	(*bucket)(mem).mark(t.object)
	return segment{mem: mem, h: h}
}

// resizeFirst moves the first and only segment to a block with room for a quarter
// more buckets than are in use.
func (t *table) resizeFirst(inUse uint64) {
	s := t.newBlock(inUse + max(1, inUse/4))
	old := t.segments[0]
	copy(s.mem[:inUse*bucketSize], old.mem)
	t.arena.free(old.h)
	t.segments[0] = s
}

// allocLink is a block for a bucket that continues another one.
func (t *table) allocLink() handle {
	if t.object == 0 {
		return t.arena.allocSlab(tableClass)
	}
	return t.arena.alloc(bucketSize)
}
