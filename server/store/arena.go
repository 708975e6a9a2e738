package store

import (
	"fmt"
	"syscall"
)

// An arena hands out blocks of memory that the garbage collector does not know.
//
// Memory comes from the operating system in regions, which are cut into chunks
// of 4 MiB. A chunk is either 64 spans for small blocks (slab.go), or 1024
// pages for middling ones (runs.go), or a segment of a hash table. A block of
// more than 1 MiB is a mapping of its own and counts as one (long) chunk.
//
// A block is named by a handle: 21 bits of chunk number and 19 bits of offset in
// units of 8 bytes. So handles fit 5 bytes, reach 8 TiB, and survive anything but
// the freeing of their block.
type arena struct {
	chunks    [][]byte    // by chunk number; [0] stays empty, so that handle 0 is none
	info      []chunkInfo // parallel to chunks
	spareNums []uint32    // chunk numbers to use again
	regions   []*region

	slabs slabs
	runs  runs
	large large
	idle  idle

	objects objects

	// spell is where integers of packed collections are spelled out for whoever
	// walks them, each until the next one.
	spell [maxIntLen]byte
}

type handle uint64

const (
	unit        = 8 // bytes; what handles count in, and the alignment of every block
	offsetBits  = 19
	offsetMask  = 1<<offsetBits - 1
	chunkSize   = unit << offsetBits
	maxChunks   = 1 << (handleBits - offsetBits)
	handleBits  = 40
	handleBytes = handleBits / 8

	// regionChunks is how many chunks one mapping holds. Fewer mappings are
	// kinder to the kernel (it allows a process 65,530), and untouched pages of
	// a mapping cost nothing.
	regionChunks = 16

	pageSize = 4096
)

type chunkKind uint8

const (
	kindNone chunkKind = iota
	kindSlab
	kindRuns
	kindLarge
)

type chunkInfo struct {
	kind   chunkKind
	region *region // nil for kindLarge
	spans  *spanTable
	runs   *runTable
}

// A region is one mapping of regionChunks chunks.
type region struct {
	mem  []byte
	free []uint8 // numbers of the chunks in mem that nobody uses; their pages are given back
}

// OutOfMemoryError is what an operation panics with when the operating system
// gives no more memory. There is no way to go on from inside a half-done write.
type OutOfMemoryError struct {
	Bytes int
	Cause error
}

func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("store: map %d bytes of memory: %v", e.Bytes, e.Cause)
}

func (e *OutOfMemoryError) Unwrap() error { return e.Cause }

func newArena() *arena {
	return &arena{chunks: make([][]byte, 1), info: make([]chunkInfo, 1)}
}

func mapMemory(size int) []byte {
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		panic(&OutOfMemoryError{Bytes: size, Cause: err})
	}
	return mem
}

func unmapMemory(mem []byte) {
	if err := syscall.Munmap(mem); err != nil {
		panic(fmt.Errorf("store: unmap %d bytes: %w", len(mem), err))
	}
}

// dropPages gives the pages of mem back; they read as zeroes afterwards. mem
// begins and ends on page boundaries.
func dropPages(mem []byte) {
	if err := syscall.Madvise(mem, syscall.MADV_DONTNEED); err != nil {
		// Locked memory (mlockall) can not be dropped. Callers rely on the
		// zeroes, so they are written instead.
		clear(mem)
	}
}

// takeChunk returns 4 MiB of zeroes from some region.
//
// Huge pages make a random access a third cheaper, but round what is touched up
// to 2 MiB: callers ask for them once they are past their first few chunks.
func (a *arena) takeChunk(huge bool) ([]byte, *region) {
	if a.idle.bytes >= chunkSize {
		a.giveBack()
	}
	for _, r := range a.regions {
		if n := len(r.free); n > 0 {
			c := int(r.free[n-1])
			r.free = r.free[:n-1]
			mem := r.mem[c*chunkSize : (c+1)*chunkSize : (c+1)*chunkSize]
			advice := syscall.MADV_NOHUGEPAGE
			if huge {
				advice = syscall.MADV_HUGEPAGE
			}
			// A kernel without huge pages refuses, which is fine.
			_ = syscall.Madvise(mem, advice)
			return mem, r
		}
	}
	r := &region{mem: mapMemory(regionChunks * chunkSize), free: make([]uint8, 0, regionChunks)}
	for c := regionChunks - 1; c >= 0; c-- {
		r.free = append(r.free, uint8(c))
	}
	a.regions = append(a.regions, r)
	return a.takeChunk(huge)
}

// returnChunk takes back what takeChunk gave. Its pages have been dropped.
func (a *arena) returnChunk(mem []byte, r *region) {
	for c := range regionChunks {
		if &r.mem[c*chunkSize] == &mem[0] {
			r.free = append(r.free, uint8(c))
			break
		}
	}
	if len(r.free) == regionChunks && len(a.regions) > 1 {
		for i := range a.regions {
			if a.regions[i] == r {
				a.regions = append(a.regions[:i], a.regions[i+1:]...)
				break
			}
		}
		unmapMemory(r.mem)
	}
}

// number enters a chunk into the directory.
func (a *arena) number(mem []byte, info chunkInfo) uint32 {
	if n := len(a.spareNums); n > 0 {
		c := a.spareNums[n-1]
		a.spareNums = a.spareNums[:n-1]
		a.chunks[c], a.info[c] = mem, info
		return c
	}
	if len(a.chunks) == maxChunks {
		panic(&OutOfMemoryError{Bytes: len(mem), Cause: syscall.ENOMEM})
	}
	a.chunks = append(a.chunks, mem)
	a.info = append(a.info, info)
	return uint32(len(a.chunks) - 1)
}

func (a *arena) unnumber(c uint32) {
	a.chunks[c], a.info[c] = nil, chunkInfo{}
	a.spareNums = append(a.spareNums, c)
}

// block is the memory from the beginning of block h to the end of its chunk:
// whoever reads it knows where it ends.
func (a *arena) block(h handle) []byte {
	return a.chunks[h>>offsetBits][(h&offsetMask)*unit:]
}

func makeHandle(chunk uint32, offset int) handle {
	return handle(chunk)<<offsetBits | handle(offset/unit)
}

func (h handle) chunk() uint32 { return uint32(h >> offsetBits) }
func (h handle) offset() int   { return int(h&offsetMask) * unit }

// alloc returns a block of size bytes or a little more. Its contents are
// whatever was there before.
func (a *arena) alloc(size int) handle {
	switch {
	case size <= maxSlab:
		return a.allocSlab(classOf(size))
	case size <= maxRun:
		h, _ := a.allocRun((size + pageSize - 1) / pageSize)
		return h
	}
	return a.allocLarge(size)
}

// allocClean is alloc. It tells whether the block is known to hold
// nothing but zeroes, which then are better left alone: they take no memory as yet.
func (a *arena) allocClean(size int) (h handle, clean bool) {
	if size > maxSlab && size <= maxRun {
		return a.allocRun((size + pageSize - 1) / pageSize)
	}
	return a.alloc(size), size > maxRun
}

// allocPart is alloc for a part of an object. Compaction leaves such blocks where
// they are, since only their object knows who refers to them.
func (a *arena) allocPart(size int) handle {
	if size <= maxSlab {
		return a.allocSlab(partClass + classOf(size))
	}
	return a.alloc(size)
}

// free takes a block back. The handle must not be used again.
func (a *arena) free(h handle) {
	switch c := h.chunk(); a.info[c].kind {
	case kindSlab:
		a.freeSlab(h)
	case kindRuns:
		a.freeRun(h)
	default:
		a.freeLarge(c)
	}
}

// capacity is the true size of block h in bytes.
func (a *arena) capacity(h handle) int {
	c := h.chunk()
	switch info := &a.info[c]; info.kind {
	case kindSlab:
		return int(classSize[info.spans.at(h.offset()).class])
	case kindRuns:
		return int(info.runs.length[h.offset()/pageSize]) * pageSize
	}
	return len(a.chunks[c])
}

// suits tells whether size bytes fit block h without wasting much: a block that
// is more than a quarter larger than a new one would be is better replaced, since
// an overwrite by something shorter must give memory back.
func (a *arena) suits(h handle, size int) bool {
	room := a.capacity(h)
	return size <= room && blockSize(size) >= room-room/4
}

// blockSize is the capacity that alloc(size) would give.
func blockSize(size int) int {
	if size <= maxSlab {
		return int(classSize[classOf(size)])
	}
	return (size + pageSize - 1) &^ (pageSize - 1)
}

// close unmaps everything.
func (a *arena) close() {
	for c := range a.info {
		if a.info[c].kind == kindLarge {
			unmapMemory(a.chunks[c])
		}
	}
	for _, g := range a.large.graves {
		unmapMemory(g.mem)
	}
	for _, r := range a.regions {
		unmapMemory(r.mem)
	}
	*a = arena{}
}
