package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// listModel is what a list must be indistinguishable from.
type listModel []string

func (m *listModel) push(left bool, values ...string) {
	for _, v := range values {
		if left {
			*m = slices.Insert(*m, 0, v)
		} else {
			*m = append(*m, v)
		}
	}
}

func (m *listModel) remove(n int, value string) (removed int) {
	match := func(i int) bool { return (*m)[i] == value }
	for i := 0; n >= 0 && i < len(*m) && (n == 0 || removed < n); {
		if match(i) {
			*m = slices.Delete(*m, i, i+1)
			removed++
		} else {
			i++
		}
	}
	for i := len(*m) - 1; n < 0 && i >= 0 && removed < -n; i-- {
		if match(i) {
			*m = slices.Delete(*m, i, i+1)
			removed++
		}
	}
	return removed
}

func readList(l List) []string {
	all := []string{}
	l.Each(func(p []byte) bool {
		all = append(all, string(p))
		return true
	})
	return all
}

func checkList(t testing.TB, db *DB, key string, want listModel) {
	t.Helper()
	e, found := db.Find([]byte(key))
	if found != (len(want) > 0) {
		t.Fatalf("list of %d elements: the key exists: %v", len(want), found)
	}
	if !found {
		return
	}
	l := e.List()
	if got := readList(l); !slices.Equal(got, want) || l.Len() != len(want) {
		t.Fatalf("%s of %d elements %.600q, want %d: %.600q", e.Encoding(), l.Len(), got, len(want), []string(want))
	}
	var back []string
	for it := l.BackFrom(-1); it.Valid(); it.Step() {
		back = append(back, string(it.Get(nil)))
	}
	if slices.Reverse(back); !slices.Equal(back, want) {
		t.Fatalf("backwards %.300q, want %.300q", back, []string(want))
	}
	checkNodes(t, l)
}

// checkNodes checks what the directory tells of the nodes.
func checkNodes(t testing.TB, l List) {
	t.Helper()
	nodes := 0
	l.Nodes(func(plain bool, data []byte) bool {
		nodes++
		if plain {
			return true
		}
		if err := listpack.Valid(data, true); err != nil {
			t.Fatalf("node %d: %v", nodes, err)
		}
		if o := l.object; o != nil && listpack.Len(data) != o.count(nodes-1) {
			t.Fatalf("node %d holds %d elements, the directory says %d", nodes, listpack.Len(data), o.count(nodes-1))
		}
		return true
	})
	if nodes != l.NodeCount() {
		t.Fatalf("%d nodes, counted %d", nodes, l.NodeCount())
	}
	if o := l.object; o != nil {
		held := 0
		for _, n := range o.nodes() {
			held += o.arena.capacity(n.block)
		}
		if held != o.held {
			t.Fatalf("nodes hold %d bytes, accounted for %d", held, o.held)
		}
	}
}

func listElement(rng *rand.Rand, size int) string {
	switch rng.IntN(6) {
	case 0:
		return strconv.Itoa(rng.IntN(100) - 50)
	case 1:
		return strings.Repeat("x", rng.IntN(size))
	case 2:
		return strconv.FormatInt(int64(rng.Uint64()), 10)
	}
	return "e" + strconv.Itoa(rng.IntN(20))
}

func asBytes(values []string) [][]byte {
	var all [][]byte
	for _, v := range values {
		all = append(all, []byte(v))
	}
	return all
}

func TestAListBehavesLikeASliceUnderRandomOperations(t *testing.T) {
	for _, c := range []struct{ limit, elementSize, steps, drift int }{
		{-1, 40, 4000, 3},   // packed and not
		{-1, 3000, 1500, 2}, // few elements a node
		{-1, 6000, 1500, 2}, // large elements, too
		{4, 40, 3000, 2},    // tiny nodes
		{1, 40, 1500, 2},    // one element a node
		{0, 20000, 800, 1},  // nodes limited by safety
		{-5, 70000, 300, 1}, // nodes of many pages
		{-2, 200, 3000, 3},  // the default
		{128, 100, 3000, 3}, // limited by elements
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("limit %d, elements of %d bytes, seed %d", c.limit, c.elementSize, seed), func(t *testing.T) {
				k := New(Options{Seed: 7})
				defer k.Close()
				k.Limits.ListSize = c.limit
				rng := rand.New(rand.NewPCG(seed, uint64(c.elementSize)))
				r := &listRun{t: t, k: k, db: k.DB(0), rng: rng, size: c.elementSize}
				for step := range c.steps {
					// Grow for a while, then shrink.
					r.step(step%200 < 100+10*c.drift)
					if step%17 == 0 {
						checkList(t, r.db, "list", r.model)
					}
				}
				checkList(t, r.db, "list", r.model)
				r.db.Delete([]byte("list"))
				checkReleased(t, k)
			})
		}
	}
}

type listRun struct {
	t     *testing.T
	k     *Keyspace
	db    *DB
	rng   *rand.Rand
	size  int
	model listModel
}

func (r *listRun) step(growing bool) {
	r.t.Helper()
	key, rng := []byte("list"), r.rng
	n := len(r.model)
	if n == 0 || growing && rng.IntN(3) > 0 {
		values := make([]string, 1+rng.IntN(4))
		for i := range values {
			values[i] = listElement(rng, r.size)
		}
		left := rng.IntN(2) == 0
		r.model.push(left, values...)
		r.equal("push", r.push(key, left, asBytes(values)), len(r.model))
		return
	}
	i, value := rng.IntN(n), listElement(rng, r.size)
	switch rng.IntN(8) {
	case 0, 1:
		count := min(n, 1+rng.IntN(3))
		left := rng.IntN(2) == 0
		if left {
			r.model = r.model[count:]
		} else {
			r.model = r.model[:n-count]
		}
		r.equal("pop", pop(r.db, key, left, count), len(r.model))
	case 2:
		r.model[i] = value
		r.equal("set", r.db.ListSet(key, i-n*rng.IntN(2), []byte(value)), true)
	case 3, 4:
		r.insert(key, i, value)
	case 5:
		count := rng.IntN(5) - 2
		victim := r.model[i]
		r.equal("remove", r.db.ListRemove(key, count, []byte(victim)), r.model.remove(count, victim))
	case 6:
		first, last := rng.IntN(1+n/8), n-1-rng.IntN(1+n/8)
		if first > last {
			return
		}
		r.model = r.model[first : last+1]
		r.equal("trim", r.db.ListTrim(key, first, last), n-len(r.model))
	case 7:
		it := r.list().From(i)
		r.equal("index", string(it.Get(nil)), r.model[i])
		r.equal("find", r.list().Index([]byte(value)), slices.Index(r.model, value))
	}
}

// push begins with one look at the key or with two, by chance.
func (r *listRun) push(key []byte, left bool, values [][]byte) int {
	if r.rng.IntN(2) == 0 {
		return r.db.ListPush(key, left, values...)
	}
	e, found := r.db.Find(key)
	return r.db.ListPushFound(key, e, found, left, values...)
}

func pop(db *DB, key []byte, left bool, n int) (length int) {
	e, _ := db.Find(key)
	return db.ListPop(key, e, left, n)
}

func (r *listRun) insert(key []byte, i int, value string) {
	pivot, before := r.model[i], r.rng.IntN(2) == 0
	at := slices.Index(r.model, pivot)
	if !before {
		at++
	}
	r.model = slices.Insert(r.model, at, value)
	length, found := r.db.ListInsert(key, before, []byte(pivot), []byte(value))
	if !found || length != len(r.model) {
		r.t.Fatalf("insert: %d, %v; want %d", length, found, len(r.model))
	}
}

func (r *listRun) list() List {
	e, _ := r.db.Find([]byte("list"))
	return e.List()
}

func (r *listRun) equal(what string, got, want any) {
	r.t.Helper()
	if got != want {
		r.t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func encodingAt(t testing.TB, db *DB, key string) Encoding {
	t.Helper()
	e, ok := db.Find([]byte(key))
	if !ok {
		t.Fatalf("%s is missing", key)
	}
	return e.Encoding()
}

func TestAListIsPackedUpToTheLimitAndAgainFromHalfOfIt(t *testing.T) {
	k := New(Options{Seed: 7})
	defer k.Close()
	db, key := k.DB(0), []byte("list")
	value := bytes.Repeat([]byte("v"), 93) // 96 bytes in a listpack
	n := db.ListPush(key, false, value)
	for encodingAt(t, db, "list") == EncodingListpack {
		n = db.ListPush(key, false, value)
	}
	if n != 86 { // 7+96*84+93 <= 8192
		t.Errorf("the list was unpacked for the element %d", n)
	}
	for encodingAt(t, db, "list") == EncodingQuicklist {
		n = pop(db, key, false, 1)
	}
	if n != 42 { // 7+96*42 <= 4096
		t.Errorf("%d elements when the list was packed again", n)
	}
	k.Limits.ListSize = 4
	db.Delete(key)
	db.ListPush(key, false, value, value, value, value)
	if got := encodingAt(t, db, "list"); got != EncodingListpack {
		t.Errorf("four elements are held as %v", got)
	}
	db.ListPush(key, true, value)
	if got := encodingAt(t, db, "list"); got != EncodingQuicklist {
		t.Errorf("five elements are held as %v", got)
	}
	pop(db, key, true, 2)
	if got := encodingAt(t, db, "list"); got != EncodingQuicklist {
		t.Errorf("three elements are held as %v", got)
	}
	pop(db, key, true, 1)
	if got := encodingAt(t, db, "list"); got != EncodingListpack {
		t.Errorf("two elements are held as %v", got)
	}
}

func TestManyShortElementsAtOnceMakeNoNodeThatIsTooLarge(t *testing.T) {
	k := New(Options{Seed: 7})
	defer k.Close()
	db, key := k.DB(0), []byte("list")
	// What counts beforehand is their bytes, not what they take in the listpack.
	values := bytes.Split(bytes.Repeat([]byte("ab "), 4000), []byte(" "))
	db.ListPush(key, false, values[:4000]...)
	if got := encodingAt(t, db, "list"); got != EncodingListpack {
		t.Fatalf("they are held as %v", got)
	}
	db.ListPush(key, false, values[0])
	var sizes []int
	l := mustFind(t, db, "list").List()
	l.Nodes(func(_ bool, data []byte) bool {
		sizes = append(sizes, len(data))
		return true
	})
	if l.Len() != 4001 || len(sizes) != 2 || sizes[0] > 8192 || sizes[0] < 8000 {
		t.Errorf("%d elements in nodes of %d bytes", l.Len(), sizes)
	}
	checkNodes(t, l)
}

func mustFind(t testing.TB, db *DB, key string) Entry {
	t.Helper()
	e, ok := db.Find([]byte(key))
	if !ok {
		t.Fatalf("%s is missing", key)
	}
	return e
}

func TestAListKeepsItsExpiryTimeThroughAllEncodings(t *testing.T) {
	k := New(Options{Seed: 7})
	defer k.Close()
	db, key := k.DB(0), []byte("list")
	db.ListPush(key, true, []byte("first"))
	db.SetExpire(key, 4711)
	check := func(when string) {
		t.Helper()
		if at, _ := mustFind(t, db, "list").ExpireAt(); at != 4711 {
			t.Errorf("%s it expires at %d", when, at)
		}
	}
	db.ListPush(key, true, make([]byte, 9000))
	check("unpacked")
	pop(db, key, true, 1)
	check("packed again")
	if encodingAt(t, db, "list") != EncodingListpack {
		t.Errorf("it was not packed again")
	}
}

func TestACopyOfAListSharesNothingWithIt(t *testing.T) {
	k := New(Options{Seed: 7})
	defer k.Close()
	db := k.DB(0)
	var want listModel
	for i := range 3000 {
		want.push(i%3 == 0, fmt.Sprintf("element %d", i))
		db.ListPush([]byte("list"), i%3 == 0, fmt.Appendf(nil, "element %d", i))
	}
	db.ListPush([]byte("list"), false, make([]byte, 10000))
	want.push(false, string(make([]byte, 10000)))
	db.Copy([]byte("list"), db, []byte("copy"))
	db.ListSet([]byte("list"), 1500, []byte("changed"))
	db.ListTrim([]byte("list"), 100, 200)
	checkList(t, db, "copy", want)
	db.Delete([]byte("list"))
	for k.Step(1000) {
	}
	checkList(t, db, "copy", want)
	db.ListPush([]byte("copy"), true, []byte("more"))
	want.push(true, "more")
	checkList(t, db, "copy", want)
}

func TestALoadedListIsTheOneThatItsNodesWereTakenFrom(t *testing.T) {
	for _, n := range []int{0, 1, 50, 5000} {
		k := New(Options{Seed: 7})
		defer k.Close()
		db := k.DB(0)
		var want listModel
		for i := range n {
			v := fmt.Sprintf("element %d", i)
			if i%1000 == 10 {
				v = strings.Repeat("large", 2000)
			}
			want.push(false, v)
			db.ListPush([]byte("list"), false, []byte(v))
		}
		loader := db.LoadList([]byte("copy"), 77)
		if e, ok := db.Find([]byte("list")); ok {
			e.List().Nodes(func(plain bool, data []byte) bool {
				if plain {
					loader.AddPlain(bytes.Clone(data))
				} else {
					loader.AddListpack(bytes.Clone(data))
				}
				return true
			})
		}
		loader.AddListpack(listpack.New())
		if done := loader.Done(); done != (n > 0) {
			t.Errorf("%d elements: %v", n, done)
		}
		checkList(t, db, "copy", want)
		if n > 0 {
			if at, _ := mustFind(t, db, "copy").ExpireAt(); at != 77 {
				t.Errorf("it expires at %d", at)
			}
		}
		k.FlushAll()
		checkReleased(t, k)
	}
}

func TestACutEmitsListsAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(db *DB, key []byte)
	}{
		{"while they are pushed to", func(db *DB, key []byte) {
			db.ListPush(key, true, []byte("new"))
			e, found := db.Find(key)
			db.ListPushFound(key, e, found, false, []byte("new"))
		}},
		{"while they outgrow their entries", func(db *DB, key []byte) { db.ListPush(key, true, make([]byte, 20000)) }},
		{"while they are popped from", func(db *DB, key []byte) {
			pop(db, key, true, 1)
			pop(db, key, false, 1)
		}},
		{"while they are trimmed to a few", func(db *DB, key []byte) { db.ListTrim(key, 1, 2) }},
		{"while they are emptied", func(db *DB, key []byte) { pop(db, key, true, 1<<30) }},
		{"while elements are replaced", func(db *DB, key []byte) { db.ListSet(key, 1, []byte("new")) }},
		{"while elements are inserted", func(db *DB, key []byte) { db.ListInsert(key, true, []byte("e1"), []byte("new")) }},
		{"while elements are removed", func(db *DB, key []byte) { db.ListRemove(key, 0, []byte("e1")) }},
		{"while they are deleted", func(db *DB, key []byte) { db.Delete(key) }},
		{"while they are moved", func(db *DB, key []byte) { db.Move(key, db.ks.DB(1), key) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := New(Options{Seed: 7})
			defer k.Close()
			db := k.DB(0)
			want := map[string]listModel{}
			for i := range 60 {
				name := "list" + strconv.Itoa(i)
				for j := range 2 + i*i {
					v := "e" + strconv.Itoa(j%7)
					db.ListPush([]byte(name), false, []byte(v))
					want[name] = append(want[name], v)
				}
			}
			cut, err := k.Cut(func(_ int, e Entry) {
				name := string(e.Key())
				if got := readList(e.List()); !slices.Equal(got, want[name]) {
					t.Errorf("%s: %d elements %.200q, want %d: %.200q", name, len(got), got, len(want[name]), []string(want[name]))
				}
				delete(want, name)
			})
			if err != nil {
				t.Fatal(err)
			}
			cut.Step(20)
			for i := range 60 {
				c.do(db, fmt.Appendf(nil, "list%d", i))
			}
			for !cut.Step(10) {
			}
			if len(want) > 0 {
				t.Errorf("%d lists were not emitted", len(want))
			}
		})
	}
}

func TestPushingToAndPoppingFromALargeListAllocatesNothing(t *testing.T) {
	k := New(Options{Seed: 7})
	defer k.Close()
	db, key := k.DB(0), []byte("list")
	value := [][]byte{bytes.Repeat([]byte("v"), 32)}
	for range 10000 {
		db.ListPush(key, false, value...)
	}
	for _, left := range []bool{true, false} {
		allocs := testing.AllocsPerRun(20000, func() {
			db.ListPush(key, left, value...)
			db.ListPush(key, left, value...)
			pop(db, key, !left, 1)
		})
		if allocs > 0 {
			t.Errorf("%v allocations for two pushes and a pop", allocs)
		}
	}
}

func BenchmarkListPushAndPop(b *testing.B) {
	for _, left := range []bool{true, false} {
		b.Run(fmt.Sprintf("left %v", left), func(b *testing.B) {
			k := New(Options{Seed: 7})
			defer k.Close()
			db, key := k.DB(0), []byte("mylist")
			value := [][]byte{bytes.Repeat([]byte("v"), 32)}
			for range 1000 {
				db.ListPush(key, left, value...)
			}
			for b.Loop() {
				db.ListPush(key, left, value...)
				pop(db, key, !left, 1)
			}
		})
	}
}
