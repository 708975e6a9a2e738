package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
)

func TestEveryBlockIsAsLargeAsAskedAndOverlapsNoOther(t *testing.T) {
	a := newArena()
	defer a.close()
	rng := rand.New(rand.NewPCG(1, 2))
	type block struct {
		h    handle
		size int
		mark byte
	}
	var live []block
	sizes := []int{1, 16, 17, 56, 64, 128, 129, 1000, 4096, 8191, 8192, 8193, 12288, 70000, 1 << 20, 1<<20 + 1, 3 << 20}
	for i := range 6000 {
		if len(live) > 120 || len(live) > 0 && rng.IntN(3) == 0 {
			n := rng.IntN(len(live))
			b := live[n]
			if mem := a.block(b.h); mem[0] != b.mark || mem[b.size-1] != b.mark || a.capacity(b.h) < b.size {
				t.Fatalf("block of %d bytes: %d to %d, want %d; capacity %d", b.size, mem[0], mem[b.size-1], b.mark, a.capacity(b.h))
			}
			a.free(b.h)
			live[n] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		size := sizes[rng.IntN(len(sizes))]
		b := block{a.alloc(size), size, byte(1 + i%250)}
		if got := a.capacity(b.h); got != blockSize(size) {
			t.Fatalf("capacity for %d bytes is %d, foretold was %d", size, got, blockSize(size))
		}
		mem := a.block(b.h)
		mem[0], mem[size/2], mem[size-1] = b.mark, b.mark, b.mark
		live = append(live, b)
	}
	for _, b := range live {
		a.free(b.h)
	}
	a.releaseEmptySpans()
	giveAllBack(a)
	if a.runs.pages != 0 || a.slabs.spanBytes() != 0 || a.large.bytes != 0 {
		t.Errorf("all is freed, and yet in use: %d pages, %d bytes of spans, %d bytes of mappings", a.runs.pages, a.slabs.spanBytes(), a.large.bytes)
	}
	for c := range a.info {
		if a.info[c].kind != kindNone {
			t.Errorf("chunk %d is still in use", c)
		}
	}
}

func TestRegionsThatNobodyUsesAreUnmapped(t *testing.T) {
	a := newArena()
	defer a.close()
	var blocks []handle
	for range 5 * regionChunks * chunkSize / maxRun / 2 {
		blocks = append(blocks, a.alloc(maxRun)) // never touched, so this takes no memory
	}
	if len(a.regions) != 3 {
		t.Fatalf("two and a half regions' worth of blocks takes %d regions", len(a.regions))
	}
	for _, h := range blocks {
		a.free(h)
	}
	giveAllBack(a)
	if len(a.regions) != 1 {
		t.Errorf("%d regions are left", len(a.regions))
	}
}

func giveAllBack(a *arena) {
	for a.idle.bytes > 0 {
		a.giveBack()
	}
}

func TestFreedMemoryIsUsedAgainOrGivenBackWhenItHasTo(t *testing.T) {
	for _, size := range []int{1000, 3 * pageSize} {
		k := New(Options{Databases: 1})
		a := k.arena
		var blocks []handle
		fill := func() {
			for range 20 * chunkSize / size {
				blocks = append(blocks, a.alloc(size))
			}
		}
		fill()
		chunks := len(a.chunks)
		for _, h := range blocks {
			a.free(h)
		}
		blocks = blocks[:0]
		if a.idle.bytes < 19*chunkSize {
			t.Errorf("blocks of %d bytes: 20 chunks are free, and %d bytes are idle", size, a.idle.bytes)
		}
		fill()
		if len(a.chunks) != chunks || a.idle.bytes > 2*chunkSize {
			t.Errorf("blocks of %d bytes again: %d chunks, %d before; %d bytes are idle", size, len(a.chunks), chunks, a.idle.bytes)
		}
		for _, h := range blocks {
			a.free(h)
		}
		before := a.idle.bytes
		for range 10 * chunkSize / maxRun {
			a.alloc(maxRun) // from other chunks if these are spans
		}
		if taken := before - a.idle.bytes; taken < 9*chunkSize {
			t.Errorf("10 chunks of other blocks have made %d idle bytes of blocks of %d be given back or used", taken, size)
		}
		for _, part := range []int{2, 1} {
			before = a.idle.bytes
			k.GiveBack(part)
			for range 100 {
				k.Step(300)
			}
			if left := a.idle.bytes; left > before-before/part || part != 1 && left < before/part-chunkSize {
				t.Errorf("%d of %d idle bytes are left when 1/%d was to go", left, before, part)
			}
		}
		k.Close()
	}
}

func TestRunningOutOfMemoryIsSaidInTheTermsOfWhoAsked(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		var oom *OutOfMemoryError
		if !ok || !errors.As(err, &oom) || oom.Bytes != 1<<60 || !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("mapping 2^60 bytes panics with %v", err)
		}
	}()
	mapMemory(1 << 60)
}

func TestNoBlockWastesMoreThanAnEighth(t *testing.T) {
	for size := 65; size <= maxSlab; size++ {
		if waste := blockSize(size) - size; waste < 0 || waste*8 > blockSize(size) {
			t.Fatalf("a block of %d bytes takes %d", size, blockSize(size))
		}
	}
}

// Each of these ends with an empty keyspace, which must hold nothing.
func TestMemoryIsGivenBack(t *testing.T) {
	const keys = 30000
	for _, c := range []struct {
		name string
		do   func(k *Keyspace)
	}{
		{"after deleting every key in the order of insertion", func(k *Keyspace) {
			for i := range keys {
				k.DB(0).Delete(key(i))
			}
		}},
		{"after deleting every key in another order", func(k *Keyspace) {
			for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(keys) {
				k.DB(0).Delete(key(i))
			}
		}},
		{"after a flush", func(k *Keyspace) { k.FlushAll() }},
		{"after a flush in the middle of a cut that completes", func(k *Keyspace) {
			cut, _ := k.Cut(func(int, Entry) {})
			cut.Step(100)
			k.FlushAll()
			for !cut.Step(1000) {
			}
		}},
		{"after a flush in the middle of a cut that is aborted", func(k *Keyspace) {
			cut, _ := k.Cut(func(int, Entry) {})
			cut.Step(100)
			k.FlushAll()
			cut.Abort()
		}},
		{"after every key had an expiry time and a flush", func(k *Keyspace) {
			for i := range keys {
				k.DB(0).SetExpire(key(i), 1)
			}
			k.FlushAll()
		}},
		{"after values of all sizes came and went", func(k *Keyspace) {
			for i := range 200 {
				k.DB(0).SetString(key(i), make([]byte, i*i*50), 0)
			}
			k.DB(0).SetString(key(1), make([]byte, 5*gravePiece/2), 0)
			k.DB(0).SetString(key(1), make([]byte, 3*gravePiece), 0)
			k.DB(0).Clear()
		}},
		{"after a string grew byte by byte", func(k *Keyspace) {
			for range 100000 {
				_, _ = k.DB(0).Append(key(0), []byte("x"))
			}
			k.FlushAll()
		}},
		{"after keys moved between databases", func(k *Keyspace) {
			for i := range keys {
				k.DB(0).Move(key(i), k.DB(i%4), fmt.Appendf(nil, "moved:%d", i))
			}
			for i := range 4 {
				k.DB(i).Clear()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := filled(t, keys)
			c.do(k)
			checkReleased(t, k)
		})
	}
}

func TestSparseMemoryIsCompacted(t *testing.T) {
	const keys = 100000
	k := New(Options{Databases: 2, Seed: 5})
	defer k.Close()
	m := newModel(2)
	for i := range keys {
		db, name, val := i%2, string(key(i)), string(bytes.Repeat([]byte{'v'}, i%40))
		k.DB(db).SetString([]byte(name), []byte(val), int64(i%3))
		m.set(db, name, val, int64(i%3))
	}
	full := k.MemoryStats()
	for i := range keys {
		if i%10 != 0 {
			k.DB(i % 2).Delete(key(i))
			delete(m.dbs[i%2], string(key(i)))
		}
	}
	sparse := k.MemoryStats()
	for range 1 << 20 {
		k.GiveBack(1)
		if !k.Step(500) {
			break
		}
	}
	compact := k.MemoryStats()
	if sparse.Reserved < full.Reserved/2 {
		t.Fatalf("the deletions alone gave memory back (%d of %d bytes left): nothing is tested", sparse.Reserved, full.Reserved)
	}
	if compact.Reserved > full.Reserved/5 {
		t.Errorf("a tenth of the keys is left, and %d of %d bytes", compact.Reserved, full.Reserved)
	}
	if f := compact.Fragmentation(); f > 1.5 {
		t.Errorf("fragmentation is %.2f after compaction (was %.2f)", f, sparse.Fragmentation())
	}
	checkEqual(t, k, m)
}

func TestLoadingAfterAFlushNeedsNoSecondHelpingOfMemory(t *testing.T) {
	const keys = 50000
	k := filled(t, keys)
	once := k.MemoryStats().Reserved
	k.FlushAll()
	most := 0
	for i := range keys {
		k.DB(0).SetString(fmt.Appendf(nil, "new:%d", i), key(i), 0)
		if i%1000 == 0 {
			most = max(most, k.MemoryStats().Reserved)
		}
	}
	if most > once*3/2 {
		t.Errorf("%d bytes at most, %d for one data set", most, once)
	}
	if d := k.MemoryStats().Detached; d != 0 {
		t.Errorf("%d flushed keys are left after as many were added", d)
	}
}

func TestTheHotPathAllocatesNothing(t *testing.T) {
	k := filled(t, 10000)
	db := k.DB(0)
	val := []byte("some value of about the same size")
	name, other := key(77), key(1<<20)
	var scratch [20]byte
	n := 0
	for what, f := range map[string]func(){
		"Find":                     func() { e, _ := db.Find(name); n += len(e.StringBytes(scratch[:])) },
		"SetString":                func() { db.SetString(name, val, 0) },
		"SetString, TTL":           func() { db.SetString(name, val, 5) },
		"add and delete":           func() { db.SetString(other, val, 0); db.Delete(other) },
		"SetIntKeepTTL":            func() { db.SetIntKeepTTL(other, 5) },
		"Append":                   func() { _, _ = db.Append(key17, val); db.SetString(key17, nil, 0) },
		"SetExpire":                func() { db.SetExpire(name, 9); db.Persist(name) },
		"Scan":                     func() { db.Scan(3, func(Entry) { n++ }) },
		"RandomEntry":              func() { db.RandomEntry(9) },
		"SampleVolatile":           func() { db.SampleVolatile(9, 3, func(Entry) { n++ }) },
		"Rename and back":          func() { db.Rename(name, other); db.Rename(other, name) },
		"Step, with nothing to do": func() { k.Step(10) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s allocates %v times", what, got)
		}
	}
}

var key17 = key(17)
