package store

import "math/bits"

// Middling blocks are runs of whole pages within chunks of 1024 pages. The pages
// of a freed run stay for a while, see idle.go.

const (
	pagesPerChunk = chunkSize / pageSize
	maxRun        = 1 << 20 // bytes; a longer block gets a mapping of its own
	runOrders     = 11      // log2 of pagesPerChunk, plus 1
)

type runTable struct {
	used    pageSet               // pages that are part of a run
	idle    pageSet               // free pages that have not been given back
	idles   int                   // how many
	length  [pagesPerChunk]uint16 // pages of the run that begins here
	largest int                   // longest stretch of free pages
	pos     int32                 // position in runs.roomy[order(largest)]
}

// A pageSet has a bit for each page of a chunk.
type pageSet [pagesPerChunk / 64]uint64

type runs struct {
	roomy [runOrders][]uint32 // chunks with free pages, by log2 of their longest free stretch
	pages int                 // in use
}

func order(pages int) int { return bits.Len(uint(pages)) - 1 }

// allocRun also tells whether the run holds nothing but zeroes.
func (a *arena) allocRun(pages int) (h handle, clean bool) {
	c := a.runChunk(pages)
	t := a.info[c].runs
	first := t.fit(pages)
	t.used.mark(first, pages, true)
	n := 0
	if t.idles > 0 {
		n = t.idle.count(first, pages)
		t.idle.mark(first, pages, false)
		t.idles -= n
		a.idle.bytes -= n * pageSize
	}
	t.length[first] = uint16(pages)
	a.runs.pages += pages
	a.relist(c, t)
	return makeHandle(c, first*pageSize), n == 0
}

func (a *arena) freeRun(h handle) {
	c := h.chunk()
	t := a.info[c].runs
	first := h.offset() / pageSize
	pages := int(t.length[first])
	t.used.mark(first, pages, false)
	t.idle.mark(first, pages, true)
	t.idles += pages
	a.idle.bytes += pages * pageSize
	t.length[first] = 0
	a.runs.pages -= pages
	a.relist(c, t)
}

// releaseRuns gives a chunk without runs and idle pages back to the arena.
func (a *arena) releaseRuns(c uint32, t *runTable) {
	a.unlist(t)
	mem, region := a.chunks[c], a.info[c].region
	a.unnumber(c)
	a.returnChunk(mem, region)
}

// runChunk finds a chunk with a free stretch of pages, or adds one.
func (a *arena) runChunk(pages int) uint32 {
	// Chunks of the same order may or may not do; a few are tried, since
	// they fill up best. All those of a higher order do.
	list := a.runs.roomy[order(pages)]
	for i := len(list) - 1; i >= 0 && i >= len(list)-8; i-- {
		if a.info[list[i]].runs.largest >= pages {
			return list[i]
		}
	}
	for o := order(pages) + 1; o < runOrders; o++ {
		if list := a.runs.roomy[o]; len(list) > 0 {
			return list[len(list)-1]
		}
	}
	mem, region := a.takeChunk(false)
	t := &runTable{largest: pagesPerChunk}
	c := a.number(mem, chunkInfo{kind: kindRuns, region: region, runs: t})
	a.list(c, t)
	return c
}

func (a *arena) list(c uint32, t *runTable) {
	if t.largest == 0 {
		t.pos = -1
		return
	}
	o := order(t.largest)
	t.pos = int32(len(a.runs.roomy[o]))
	a.runs.roomy[o] = append(a.runs.roomy[o], c)
}

func (a *arena) unlist(t *runTable) {
	if t.pos < 0 {
		return
	}
	o := order(t.largest)
	list := a.runs.roomy[o]
	last := list[len(list)-1]
	list[t.pos] = last
	a.info[last].runs.pos = t.pos
	a.runs.roomy[o] = list[:len(list)-1]
	t.pos = -1
}

// relist measures the longest free stretch again after a change.
func (a *arena) relist(c uint32, t *runTable) {
	a.unlist(t)
	t.largest = t.longest()
	a.list(c, t)
}

// mark adds pages from first on to the set, or takes them out.
func (s *pageSet) mark(first, pages int, in bool) {
	for p := first; p < first+pages; {
		n := min(64-p%64, first+pages-p)
		mask := (^uint64(0) >> (64 - n)) << (p % 64)
		if in {
			s[p/64] |= mask
		} else {
			s[p/64] &^= mask
		}
		p += n
	}
}

// count is how many of the pages from first on are in the set.
func (s *pageSet) count(first, pages int) (n int) {
	for p := first; p < first+pages; {
		c := min(64-p%64, first+pages-p)
		n += bits.OnesCount64(s[p/64] >> (p % 64) << (64 - c))
		p += c
	}
	return n
}

// next is the first page from p on that is in the set, or is not, as wanted;
// pagesPerChunk if there is none.
func (s *pageSet) next(p int, in bool) int {
	for p < pagesPerChunk {
		w := s[p/64]
		if !in {
			w = ^w
		}
		if w >>= p % 64; w != 0 {
			return p + bits.TrailingZeros64(w)
		}
		p += 64 - p%64
	}
	return pagesPerChunk
}

// fit is the first page of the first free stretch of pages. There is one.
func (t *runTable) fit(pages int) int {
	for p := 0; ; {
		first := t.used.next(p, false)
		p = t.used.next(first, true)
		if p-first >= pages {
			return first
		}
		if p == pagesPerChunk {
			panic("store: a chunk has less room than it was listed with")
		}
	}
}

func (t *runTable) longest() int {
	longest := 0
	for p := 0; p < pagesPerChunk; {
		first := t.used.next(p, false)
		p = t.used.next(first, true)
		longest = max(longest, p-first)
	}
	return longest
}
