package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// collections drives the hashes and sets of a keyspace beside maps that they
// must be indistinguishable from. A set is a map to empty strings.
type collections struct {
	t      *testing.T
	k      *Keyspace
	rng    *rand.Rand
	want   map[string]map[string]string
	cut    *Cut
	frozen map[string]map[string]string // what the cut has yet to emit
}

func contents(e Entry) map[string]string {
	all := map[string]string{}
	if e.Type() == TypeSet {
		e.Set().Each(func(member []byte) bool { all[string(member)] = ""; return true })
	} else {
		e.Hash().Each(func(field, value []byte) bool { all[string(field)] = string(value); return true })
	}
	return all
}

func (c *collections) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf(format, args...)
}

// element is one of few, so that the same are hit again and again: integers of
// all widths, short strings and sometimes one that is too long for a listpack.
func (c *collections) element(integers bool) string {
	n := c.rng.IntN(150)
	switch {
	case integers:
		return strconv.Itoa((n - 50) << (n % 40))
	case n%50 == 0:
		return strings.Repeat("long", 20) + fmt.Sprint(n)
	case n%3 == 0:
		return strconv.Itoa(n * 1000)
	}
	return "e" + strconv.Itoa(n)
}

func (c *collections) step() {
	n := c.rng.IntN(8)
	key := fmt.Sprint([]string{"hash", "set", "ints"}[n%3], n)
	isHash, integers := n%3 == 0, n%3 == 2
	member, value := c.element(integers), ""
	before, there := c.want[key][member]
	switch op := c.rng.IntN(40); {
	case op < 22:
		if c.want[key] == nil {
			c.want[key] = map[string]string{}
		}
		var added bool
		if isHash {
			value = c.element(false)
			w := c.editHash(key)
			added = w.Set([]byte(member), []byte(value))
		} else {
			w := c.editSet(key)
			added = w.Add([]byte(member))
		}
		c.want[key][member] = value
		if added == there {
			c.fail("add %.30q to %s: new: %v (it was %.30q)", member, key, added, before)
		}
	case op < 34:
		var removed bool
		if isHash {
			w := c.editHash(key)
			removed = w.Delete([]byte(member))
		} else {
			w := c.editSet(key)
			removed = w.Remove([]byte(member))
		}
		delete(c.want[key], member)
		if removed != there {
			c.fail("remove %.30q from %s: %v", member, key, removed)
		}
	default:
		c.rare(op, n, key)
	}
	if len(c.want[key]) == 0 {
		delete(c.want, key)
	}
}

// editHash begins with one look at the key or with two, by chance.
func (c *collections) editHash(key string) HashEdit {
	db := c.k.DB(0)
	if c.rng.IntN(2) == 0 {
		return db.EditHash([]byte(key))
	}
	e, found := db.Find([]byte(key))
	return db.EditHashFound([]byte(key), e, found)
}

func (c *collections) editSet(key string) SetEdit {
	db := c.k.DB(0)
	if c.rng.IntN(2) == 0 {
		return db.EditSet([]byte(key))
	}
	e, found := db.Find([]byte(key))
	return db.EditSetFound([]byte(key), e, found)
}

// rare are the operations on whole keys, and those of the keyspace.
func (c *collections) rare(op, n int, key string) {
	db := c.k.DB(0)
	other := fmt.Sprint([]string{"hash", "set", "ints"}[n%3], c.rng.IntN(3)*3+n%3)
	all := c.want[key]
	switch op {
	case 34:
		if c.rng.IntN(10) == 0 {
			db.Delete([]byte(key))
			delete(c.want, key)
		}
	case 35:
		if all != nil {
			db.Copy([]byte(key), db, []byte(other))
			c.want[other] = maps.Clone(all)
		}
	case 36:
		if all != nil && other != key {
			db.Rename([]byte(key), []byte(other))
			c.want[other] = all
			delete(c.want, key)
		}
	case 37:
		c.k.Step(300)
	case 38:
		if c.cut == nil {
			c.begin()
		} else if c.cut.Step(1) {
			c.ended()
		}
	case 39:
		db.SetExpire([]byte(key), int64(n+1))
	}
}

func (c *collections) begin() {
	c.frozen = map[string]map[string]string{}
	for key, all := range c.want {
		c.frozen[key] = maps.Clone(all)
	}
	var err error
	c.cut, err = c.k.Cut(func(_ int, e Entry) {
		want, ok := c.frozen[string(e.Key())]
		if got := contents(e); !ok || !maps.Equal(got, want) {
			c.fail("the cut emits %s as %.200q, it was %.200q", e.Key(), got, want)
		}
		delete(c.frozen, string(e.Key()))
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *collections) ended() {
	if len(c.frozen) > 0 {
		c.fail("the cut is complete and lacks %d keys", len(c.frozen))
	}
	c.cut = nil
}

// check compares everything.
func (c *collections) check() {
	c.t.Helper()
	db := c.k.DB(0)
	if db.Len() != len(c.want) {
		c.fail("%d keys, want %d", db.Len(), len(c.want))
	}
	for key, want := range c.want {
		e, ok := db.Find([]byte(key))
		if !ok {
			c.fail("%s is missing", key)
		}
		if got := contents(e); !maps.Equal(got, want) {
			c.fail("%s, a %v, holds %.300q, want %.300q", key, e.Encoding(), got, want)
		}
		c.checkLookups(e, want)
		c.checkForm(e, len(want))
	}
	checkAccounts(c.t, c.k)
}

func (c *collections) checkLookups(e Entry, want map[string]string) {
	c.t.Helper()
	for member, value := range want {
		if e.Type() == TypeSet {
			if !e.Set().Has([]byte(member)) || e.Set().Has([]byte("no"+member)) {
				c.fail("%.30q is not found in %s, or what is not in there is", member, e.Key())
			}
		} else if v, ok := e.Hash().Get([]byte(member), nil); !ok || string(v) != value || e.Hash().Has([]byte("no"+member)) {
			c.fail("%.30q of %s is %.30q, %v", member, e.Key(), v, ok)
		}
	}
}

// checkForm checks that the packed form is sound and within the limits.
func (c *collections) checkForm(e Entry, n int) {
	c.t.Helper()
	var err error
	limit := 1 << 30
	switch {
	case e.Encoding() == EncodingIntset:
		err, limit = intset.Valid(e.Packed()), c.k.Limits.SetIntsetEntries
	case e.Encoding() == EncodingListpack && e.Type() == TypeSet:
		err, limit = listpack.Valid(e.Packed(), true), c.k.Limits.SetEntries
	case e.Encoding() == EncodingListpack:
		err, limit = listpack.Valid(e.Packed(), true), c.k.Limits.HashEntries
	}
	if err != nil || n > limit {
		c.fail("%s holds %d elements as %v: %v", e.Key(), n, e.Encoding(), err)
	}
	if e.Type() == TypeSet && e.Set().Len() != n || e.Type() == TypeHash && e.Hash().Len() != n {
		c.fail("%s counts its %d elements otherwise", e.Key(), n)
	}
}

func TestHashesAndSetsBehaveLikeMapsUnderRandomOperationsAndCuts(t *testing.T) {
	for seed := range uint64(12) {
		c := &collections{t: t, k: New(Options{Databases: 1, Seed: 9}), want: map[string]map[string]string{}, rng: rand.New(rand.NewPCG(seed, 2))}
		if seed%3 > 0 { // otherwise nothing gets large but by its elements' lengths
			c.k.Limits.HashEntries, c.k.Limits.SetEntries, c.k.Limits.SetIntsetEntries = 20, 20, 40
		}
		for i := range 8000 {
			c.step()
			if i%400 == 0 {
				c.check()
			}
		}
		for c.cut != nil {
			if c.cut.Step(100) {
				c.ended()
			}
		}
		c.check()
		for key, all := range c.want {
			for member := range all {
				if hash := c.k.DB(0).EditHash([]byte(key)); strings.HasPrefix(key, "hash") {
					hash.Delete([]byte(member))
				} else {
					set := c.k.DB(0).EditSet([]byte(key))
					set.Remove([]byte(member))
				}
			}
		}
		checkReleased(t, c.k)
		c.k.Close()
	}
}

// Where Redis 7.2 changes the form of a collection, it is changed here.
func TestACollectionChangesItsFormWhereRedisDoes(t *testing.T) {
	long := strings.Repeat("x", 65)
	ints := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, strconv.Itoa(i))
		}
		return all
	}
	words := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, "w"+strconv.Itoa(i))
		}
		return all
	}
	for _, c := range []struct {
		name string
		add  []string
		at   int // the first so many in one go
		want Encoding
	}{
		{"512 integers", ints(512), 0, EncodingIntset},
		{"513 integers", ints(513), 0, EncodingHashtable},
		{"512 integers in one go", ints(512), 512, EncodingIntset},
		{"513 integers in one go", ints(513), 513, EncodingHashtable},
		{"128 words", words(128), 0, EncodingListpack},
		{"129 words", words(129), 0, EncodingHashtable},
		{"129 words in one go", words(129), 129, EncodingHashtable},
		{"127 integers and a word", append(ints(127), "w"), 0, EncodingListpack},
		{"128 integers and a word", append(ints(128), "w"), 0, EncodingHashtable},
		{"an integer and 300 more and a word in one go", append(ints(301), "w"), 302, EncodingHashtable},
		{"a word and an integer", []string{"w", "1"}, 0, EncodingListpack},
		{"a word of 64 bytes", []string{long[:64]}, 0, EncodingListpack},
		{"a word of 65 bytes", []string{long}, 0, EncodingHashtable},
		{"an integer and a word of 65 bytes", []string{"1", long}, 0, EncodingHashtable},
		{"a word 129 times in one go", strings.Fields(strings.Repeat("w ", 129)), 129, EncodingHashtable},
	} {
		t.Run("a set of "+c.name, func(t *testing.T) {
			k := New(Options{Databases: 1, Seed: 9})
			defer k.Close()
			w := k.DB(0).EditSet([]byte("s"))
			var args [][]byte
			for _, member := range c.add {
				args = append(args, []byte(member))
			}
			if c.at > 0 {
				w.Expect(args[:c.at])
			}
			for _, member := range args {
				w.Add(member)
			}
			if e := w.Entry(); e.Encoding() != c.want {
				t.Errorf("%d members are held as %v, want %v", e.Set().Len(), e.Encoding(), c.want)
			}
			checkAccounts(t, k)
		})
	}
	for _, c := range []struct {
		name  string
		pairs []string
		want  Encoding
	}{
		{"512 fields", words(1024), EncodingListpack},
		{"513 fields", words(1026), EncodingHashtable},
		{"a field of 65 bytes", []string{long, "v"}, EncodingHashtable},
		{"a value of 65 bytes", []string{"f", "v", "g", long}, EncodingHashtable},
		{"a value of 64 bytes", []string{"f", "v", "g", long[:64]}, EncodingListpack},
	} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("a hash of %s, together: %v", c.name, together), func(t *testing.T) {
				k := New(Options{Databases: 1, Seed: 9})
				defer k.Close()
				w := k.DB(0).EditHash([]byte("h"))
				var args [][]byte
				for _, p := range c.pairs {
					args = append(args, []byte(p))
				}
				if together {
					w.Expect(args)
				}
				for i := 0; i < len(args); i += 2 {
					w.Set(args[i], args[i+1])
				}
				if e := w.Entry(); e.Encoding() != c.want || e.Hash().Len() != len(args)/2 {
					t.Errorf("%d fields are held as %v, want %v", e.Hash().Len(), e.Encoding(), c.want)
				}
				checkAccounts(t, k)
			})
		}
	}
}

func TestASetThatIsBuiltAsideIsStoredOrFreed(t *testing.T) {
	for _, c := range []struct {
		name    string
		begin   Encoding
		members []string
		ints    bool
		want    Encoding
	}{
		{"integers", EncodingIntset, []string{"3", "1", "3", "-5"}, false, EncodingIntset},
		{"integers, then words", EncodingIntset, []string{"3", "w", "v", "3"}, false, EncodingListpack},
		{"integers in a large set", EncodingHashtable, []string{"3", "1", "3"}, false, EncodingHashtable},
		{"integers in a large set that becomes small", EncodingHashtable, []string{"3", "1", "3"}, true, EncodingIntset},
		{"a long word", EncodingListpack, []string{"3", strings.Repeat("w", 65)}, false, EncodingHashtable},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := New(Options{Databases: 1, Seed: 9})
			defer k.Close()
			b := k.NewSet(c.begin)
			want := map[string]string{}
			for _, m := range c.members {
				if _, was := want[m]; b.Add([]byte(m)) == was {
					t.Errorf("add %.20q: it was there: %v", m, was)
				}
				want[m] = ""
			}
			b.Add([]byte("7"))
			if !b.Remove([]byte("7")) || b.Remove([]byte("7")) {
				t.Error("a member can not be removed exactly once")
			}
			if c.ints {
				b.ToIntset()
			}
			e := b.Store(k.DB(0), []byte("s"))
			if got := contents(e); !maps.Equal(got, want) || e.Encoding() != c.want {
				t.Errorf("%v %.100q, want %v %.100q", e.Encoding(), got, c.want, want)
			}
			gone := k.NewSet(c.begin)
			gone.Add([]byte(c.members[1]))
			gone.Discard()
			k.FlushAll()
			checkReleased(t, k)
		})
	}
}

func TestHotPathsOfHashesAndSetsAllocateNothing(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 9})
	defer k.Close()
	db := k.DB(0)
	for i := range 5000 {
		w, s := db.EditHash([]byte("large")), db.EditSet([]byte("large set"))
		w.Set(key(i), key(i))
		s.Add(key(i))
	}
	for i := range 50 {
		w, s := db.EditHash([]byte("small")), db.EditSet([]byte("small set"))
		w.Set(key(i), key(i))
		s.Add(key(i))
	}
	for i := range 500 {
		s := db.EditSet([]byte("intset"))
		s.Add(strconv.AppendInt(nil, int64(i), 10))
	}
	value, n := []byte("value:77"), 0
	for what, f := range map[string]func(name []byte){
		"HashSet": func(name []byte) { w := db.EditHash(name); w.Set(key17, value); n++ },
		"HashSet and Delete": func(name []byte) {
			w := db.EditHash(name)
			w.Set(value, value)
			w.Delete(value)
		},
		"HashGet": func(name []byte) { e, _ := db.Find(name); e.Hash().Get(key17, nil) },
	} {
		for _, name := range []string{"large", "small"} {
			key := []byte(name)
			if got := testing.AllocsPerRun(100, func() { f(key) }); got != 0 {
				t.Errorf("%s of a %s hash allocates %v times", what, name, got)
			}
		}
	}
	for _, name := range []string{"large set", "small set", "intset"} {
		set, member := []byte(name), key(7777)
		if name == "intset" {
			member = []byte("7777")
		}
		if got := testing.AllocsPerRun(100, func() {
			w := db.EditSet(set)
			w.Add(member)
			w.Remove(member)
		}); got != 0 {
			t.Errorf("adding to a %s and removing allocates %v times", name, got)
		}
	}
}

// What a redis-server 7.0 takes for the same, measured as the growth of its
// resident memory: 369 bytes for a hash of ten fields (the key included), 120 for
// a field of a large hash, 87 for a member of a large set.
func TestHashesAndSetsTakeLessMemoryThanInRedis(t *testing.T) {
	pairs := func(n int) [][]byte {
		var all [][]byte
		for i := range n {
			all = append(all, fmt.Appendf(nil, "field%05d", i), fmt.Appendf(nil, "v%09d", i))
		}
		return all
	}
	for _, c := range []struct {
		name  string
		n     int
		limit float64
		fill  func(db *DB)
	}{
		{"hashes of ten fields", 20000, 369, func(db *DB) {
			ten := pairs(10)
			for i := range 20000 {
				w := db.EditHash(fmt.Appendf(nil, "key:%012d", i))
				w.Expect(ten)
				for j := 0; j < len(ten); j += 2 {
					w.Set(ten[j], ten[j+1])
				}
			}
		}},
		{"fields of a large hash", 200000, 120, func(db *DB) {
			for i := range 200000 {
				w := db.EditHash([]byte("hash"))
				w.Set(fmt.Appendf(nil, "key:%012d", i), fmt.Appendf(nil, "val:%012d", i))
			}
		}},
		{"members of a large set", 200000, 87, func(db *DB) {
			for i := range 200000 {
				w := db.EditSet([]byte("set"))
				w.Add(fmt.Appendf(nil, "key:%012d", i))
			}
		}},
	} {
		k := New(Options{Databases: 1, Seed: 9})
		c.fill(k.DB(0))
		if each := float64(k.MemoryStats().Reserved) / float64(c.n); each > c.limit*0.85 {
			t.Errorf("%s take %.1f bytes each, redis-server's %.0f", c.name, each, c.limit)
		} else {
			t.Logf("%s take %.1f bytes each, redis-server's %.0f", c.name, each, c.limit)
		}
		k.Close()
	}
}
