package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func key(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }

// filled is a keyspace with keys 0 to n-1 in database 0, each with itself as
// value.
func filled(t testing.TB, n int) *Keyspace {
	k := New(Options{Seed: 7})
	t.Cleanup(func() { k.Close() })
	for i := range n {
		k.DB(0).SetString(key(i), key(i), 0)
	}
	return k
}

func TestAKeyIsFoundAtEverySizeOfTheTable(t *testing.T) {
	k := filled(t, 0)
	db := k.DB(0)
	for i := range 3000 {
		db.SetString(key(i), key(i), 0)
		for j := 0; j <= i; j += 1 + i/50 {
			if _, ok := db.Find(key(j)); !ok {
				t.Fatalf("key %d is not found among %d", j, i+1)
			}
		}
	}
	for i := range 3000 {
		if !db.Delete(key(i)) {
			t.Fatalf("key %d is not there to be deleted", i)
		}
		for j := i + 1; j < 3000; j += 1 + (3000-i)/50 {
			if _, ok := db.Find(key(j)); !ok {
				t.Fatalf("key %d is not found after %d were deleted", j, i+1)
			}
		}
	}
	checkReleased(t, k)
}

func TestTheTableNeverNeedsMoreThanAFewBytesForAKey(t *testing.T) {
	k := filled(t, 0)
	db := k.DB(0)
	check := func(what string, n, limit int) {
		if d := k.MemoryStats().Databases[0]; n >= 100 && d.Table > n*limit {
			t.Fatalf("%s %d keys the table takes %d bytes, more than %d a key", what, n, d.Table, limit)
		}
	}
	for i := range 20000 {
		db.SetString(key(i), nil, 0)
		check("growing to", i+1, 14)
	}
	for i := range 20000 {
		db.Delete(key(i))
		check("shrinking to", 20000-i-1, 28)
	}
}

// The worst that can happen to a chain: every key is in the same bucket,
// however far the table has been split.
func TestKeysThatShareOneBucketAreKeptApart(t *testing.T) {
	k := filled(t, 0)
	db := k.DB(0)
	var keys [][]byte
	for i := 0; len(keys) < 200; i++ {
		if k.Hash(key(i))%1024 == 5 {
			keys = append(keys, key(i))
		}
	}
	for _, key := range keys {
		db.SetString(key, key, 0)
	}
	if db.space.table.links < 15 {
		t.Fatalf("only %d overflow buckets: nothing is tested", db.space.table.links)
	}
	checkAccounts(t, k)
	order := rand.New(rand.NewPCG(1, 1)).Perm(len(keys))
	for i, victim := range order {
		for _, j := range order[i:] {
			if _, ok := db.Find(keys[j]); !ok {
				t.Fatalf("%s is not found after %d keys were deleted", keys[j], i)
			}
		}
		if !db.Delete(keys[victim]) {
			t.Fatalf("%s is not there to be deleted", keys[victim])
		}
		checkAccounts(t, k)
	}
	checkReleased(t, k)
}

func TestScanVisitsEveryKeyThatStaysWhileTheTableGrowsAndShrinks(t *testing.T) {
	for _, c := range []struct {
		name         string
		before       int // keys that come and go
		during       func(db *DB, step int)
		mostlyOnce   bool
		stayingFirst int
	}{
		{"nothing changes", 0, func(*DB, int) {}, true, 5000},
		{"the table grows", 0, func(db *DB, step int) {
			for i := range 15 {
				db.SetString(fmt.Appendf(nil, "new:%d:%d", step, i), nil, 0)
			}
		}, true, 1000},
		{"the table shrinks", 20000, func(db *DB, step int) {
			for i := range 50 {
				db.Delete(fmt.Appendf(nil, "gone:%d", step*50+i))
			}
		}, true, 1000},
		{"the table grows, then shrinks, again and again", 0, func(db *DB, step int) {
			for i := range 200 {
				name := fmt.Appendf(nil, "flap:%d", i+step%7*200)
				if step/7%2 == 0 {
					db.SetString(name, nil, 0)
				} else {
					db.Delete(name)
				}
			}
		}, true, 300},
		{"the staying keys are overwritten by longer values", 0, func(db *DB, step int) {
			for i := range 20 {
				db.SetString(fmt.Appendf(nil, "stay:%d", (step*20+i)%1000), make([]byte, step), 0)
			}
		}, true, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := New(Options{Seed: 3})
			defer k.Close()
			db := k.DB(0)
			for i := range c.stayingFirst {
				db.SetString(fmt.Appendf(nil, "stay:%d", i), nil, 0)
			}
			for i := range c.before {
				db.SetString(fmt.Appendf(nil, "gone:%d", i), nil, 0)
			}
			seen := map[string]int{}
			cursor := uint64(0)
			for step := range 100000 {
				cursor = db.Scan(cursor, func(e Entry) { seen[string(e.Key())]++ })
				if cursor == 0 {
					break
				}
				c.during(db, step)
			}
			if cursor != 0 {
				t.Fatal("the scan does not end")
			}
			for i := range c.stayingFirst {
				if n := seen[fmt.Sprintf("stay:%d", i)]; n != 1 {
					t.Fatalf("key %d, which stayed, was visited %d times", i, n)
				}
			}
		})
	}
}

func TestScanTakesAnyCursorThatAClientMayInvent(t *testing.T) {
	k := filled(t, 1000)
	for _, cursor := range []uint64{1, 1 << 20, 1 << 63, ^uint64(0), 0x123456789abcdef} {
		end := cursor
		for range 2000 {
			if end = k.DB(0).Scan(end, func(Entry) {}); end == 0 {
				break
			}
		}
		if end != 0 {
			t.Errorf("the scan from %d does not end", cursor)
		}
	}
	if next := k.DB(1).Scan(5, func(Entry) { t.Error("an empty database has an entry") }); next != 0 {
		t.Errorf("the scan of an empty database goes on at %d", next)
	}
}

func TestARandomEntryIsAnyEntryWithTheSameChance(t *testing.T) {
	for _, n := range []int{1, 2, 10, 100, 333} {
		t.Run(fmt.Sprint(n, " keys"), func(t *testing.T) {
			k := filled(t, n)
			const draws = 1000
			seen := map[string]int{}
			rng := rand.New(rand.NewPCG(4, 5))
			for range draws * n {
				e, ok := k.DB(0).RandomEntry(rng.Uint64())
				if !ok {
					t.Fatal("no entry found")
				}
				seen[string(e.Key())]++
			}
			checkEven(t, seen, n, draws)
		})
	}
	k := filled(t, 0)
	if _, ok := k.DB(0).RandomEntry(1); ok {
		t.Error("an empty database has an entry")
	}
}

// checkEven makes sure that n keys have each been drawn about want times. The
// standard deviation is about the root of want; six of them never happen.
func checkEven(t *testing.T, seen map[string]int, n, want int) {
	t.Helper()
	if len(seen) != n {
		t.Fatalf("%d different keys drawn, want %d", len(seen), n)
	}
	for key, times := range seen {
		if d := times - want; d*d > 36*want {
			t.Errorf("key %s was drawn %d times, expected about %d", key, times, want)
		}
	}
}

func TestVolatileKeysAreSampledWithTheSameChanceAndNeverTwiceAtOnce(t *testing.T) {
	k := filled(t, 1000)
	db := k.DB(0)
	const volatile = 60
	for i := range volatile {
		db.SetExpire(key(i*16), int64(i+1))
	}
	rng := rand.New(rand.NewPCG(6, 7))
	for _, n := range []int{1, 7, 20} {
		seen := map[string]int{}
		const rounds = 6000
		for range rounds {
			atOnce := map[string]bool{}
			got := db.SampleVolatile(rng.Uint64(), n, func(e Entry) {
				if _, ok := e.ExpireAt(); !ok {
					t.Fatalf("key %s never expires", e.Key())
				}
				atOnce[string(e.Key())] = true
				seen[string(e.Key())]++
			})
			if got != n || len(atOnce) != n {
				t.Fatalf("sampled %d, different ones %d, want %d", got, len(atOnce), n)
			}
		}
		checkEven(t, seen, volatile, rounds*n/volatile)
	}
	if got := db.SampleVolatile(1, 1000, func(Entry) {}); got != volatile {
		t.Errorf("a sample larger than the database has %d, want %d", got, volatile)
	}
	if got := k.DB(1).SampleVolatile(1, 10, func(Entry) {}); got != 0 {
		t.Errorf("a sample of an empty database has %d", got)
	}
}

func TestPrefetchChangesNothingWhateverItIsAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 2000} {
		k := filled(t, n)
		var hashes []Hash
		for i := range 3000 {
			hashes = append(hashes, k.Hash(key(i)))
		}
		for i := range hashes {
			k.DB(0).Prefetch(hashes[i:])
		}
		k.DB(0).Prefetch(nil)
		if k.DB(0).Len() != n {
			t.Errorf("%d keys, there were %d", k.DB(0).Len(), n)
		}
		checkAccounts(t, k)
	}
}
