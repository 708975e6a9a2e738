package store

import "math/bits"

// PrefetchBatch is how many hashes Prefetch takes at once.
const PrefetchBatch = 16

// prefetchAbove is the number of buckets of a table that, with its entries, has no
// room in a processor's own cache.
const prefetchAbove = 1 << 10

// PrefetchPays says whether Prefetch can be of use: in a small keyspace everything
// is near in any case.
func (db *DB) PrefetchPays() bool { return db.space.table.buckets >= prefetchAbove }

// Prefetch reads, for up to PrefetchBatch hashes (the rest is ignored), what
// Find is going to read, into the processor's caches, and changes nothing.
//
// In a large keyspace nearly all of the time of a Find is spent waiting for two
// lines of memory, of which the second is known only when the first has come.
// Whoever knows several keys in advance, as a pipeline of commands does, can have
// the processor wait for all of them at once.
func (db *DB) Prefetch(hashes []Hash) {
	t := &db.space.table
	if t.buckets == 0 {
		return
	}
	var buckets [PrefetchBatch]*bucket
	n := min(len(hashes), PrefetchBatch)
	var seen byte // keeps the compiler from leaving the reads out
	for i, h := range hashes[:n] {
		buckets[i] = t.bucket(t.index(uint64(h)))
		seen |= buckets[i][0]
	}
	for i, h := range hashes[:n] {
		b := buckets[i]
		if set := b.candidates(tagOf(uint64(h))); set != 0 {
			if e := b.handle(bits.TrailingZeros32(set)); e != 0 {
				seen |= t.arena.block(e)[atFlags]
			}
		}
	}
	db.prefetched = seen
}
