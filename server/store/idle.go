package store

import "math/bits"

// Memory that has become free stays with the arena for a while: giving pages back
// and getting them again costs more than most writes do, and a queue that fills
// and empties would do so all the time. Such memory is idle. Whoever owns the
// Keyspace says when idle memory has to go (GiveBack), and Step gives it back.
//
// What is taken anew makes up for what is idle: taking a chunk gives as much back.
// So the memory of the process never exceeds what it would have been at its peak.

// idle keeps account of the idle memory.
type idle struct {
	bytes int    // how much there is
	due   int    // how much of it Step is to give back; negative when that was too much
	from  uint32 // the chunk at which to look for it next
}

// GiveBack has Step give one part of the memory that is free but still kept back to the
// operating system: half of it if part is 2, all of it if part is 1. Several calls add
// up.
func (k *Keyspace) GiveBack(part int) {
	i := &k.arena.idle
	if part == 1 {
		i.due = i.bytes
		return
	}
	const least = chunkSize / 16 // so that it comes to an end
	i.due = min(i.due+max(i.bytes/part, least), i.bytes)
}

// giveBack gives the idle memory of one chunk back. There is some.
func (a *arena) giveBack() (bytes int) {
	for {
		if a.idle.from++; int(a.idle.from) >= len(a.info) {
			a.idle.from = 1
		}
		c := a.idle.from
		switch info := &a.info[c]; {
		case info.kind == kindSlab && info.spans.idle != 0:
			bytes = a.dropSpans(c, info.spans)
		case info.kind == kindRuns && info.runs.idles > 0:
			bytes = a.dropRuns(c, info.runs)
		default:
			continue
		}
		a.idle.bytes -= bytes
		return bytes
	}
}

// dropSpans gives the idle spans of a chunk back, and the chunk if that was all.
func (a *arena) dropSpans(c uint32, t *spanTable) (bytes int) {
	mem := a.chunks[c]
	for t.idle != 0 {
		first := bits.TrailingZeros64(t.idle)
		n := bits.TrailingZeros64(^(t.idle >> first))
		dropPages(mem[first*spanSize : (first+n)*spanSize])
		t.idle &^= (^uint64(0) >> (64 - n)) << first
		bytes += n * spanSize
	}
	if t.vacant == ^uint64(0) {
		a.releaseChunk(c, t)
	}
	return bytes
}

// dropRuns is dropSpans for a chunk of runs.
func (a *arena) dropRuns(c uint32, t *runTable) (bytes int) {
	mem := a.chunks[c]
	for p := t.idle.next(0, true); p < pagesPerChunk; {
		end := t.idle.next(p, false)
		dropPages(mem[p*pageSize : end*pageSize])
		bytes += (end - p) * pageSize
		p = t.idle.next(end, true)
	}
	t.idle, t.idles = pageSet{}, 0
	if t.largest == pagesPerChunk {
		a.releaseRuns(c, t)
	}
	return bytes
}
