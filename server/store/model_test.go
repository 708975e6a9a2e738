package store

import (
	"maps"
	"strconv"
	"testing"
)

// model is what a Keyspace must be indistinguishable from.
type model struct {
	dbs []map[string]modelValue
}

type modelValue struct {
	val    string
	enc    Encoding
	expire int64
	access uint32
}

func newModel(databases int) *model {
	m := &model{}
	for range databases {
		m.dbs = append(m.dbs, map[string]modelValue{})
	}
	return m
}

func (m *model) clone() *model {
	c := &model{}
	for _, db := range m.dbs {
		c.dbs = append(c.dbs, maps.Clone(db))
	}
	return c
}

func (m *model) volatile(db int) int {
	n := 0
	for _, v := range m.dbs[db] {
		if v.expire != 0 {
			n++
		}
	}
	return n
}

func encodingOf(val string) Encoding {
	if n, err := strconv.ParseInt(val, 10, 64); err == nil && strconv.FormatInt(n, 10) == val {
		return EncodingInt
	}
	if len(val) <= 44 {
		return EncodingEmbstr
	}
	return EncodingRaw
}

func (m *model) set(db int, key, val string, expire int64) {
	m.dbs[db][key] = modelValue{val: val, enc: encodingOf(val), expire: expire, access: m.dbs[db][key].access}
}

func (m *model) modify(db int, key string, change func(val []byte) []byte) string {
	v := m.dbs[db][key]
	v.val, v.enc = string(change([]byte(v.val))), EncodingRaw
	m.dbs[db][key] = v
	return v.val
}

func (m *model) setRange(db int, key string, off int, val string) string {
	if val == "" {
		return m.dbs[db][key].val
	}
	return m.modify(db, key, func(b []byte) []byte {
		if need := off + len(val); need > len(b) {
			b = append(b, make([]byte, need-len(b))...)
		}
		copy(b[off:], val)
		return b
	})
}

func (m *model) move(from int, key string, to int, name string, keep bool) bool {
	v, ok := m.dbs[from][key]
	if !ok {
		return false
	}
	if !keep {
		delete(m.dbs[from], key)
	}
	m.dbs[to][name] = v
	return true
}

// valueOfEntry reads an entry the way a caller would.
func valueOfEntry(e Entry) modelValue {
	var scratch [20]byte
	v := modelValue{val: string(e.StringBytes(scratch[:])), enc: e.Encoding(), access: e.Access()}
	v.expire, _ = e.ExpireAt()
	return v
}

// checkEntry compares everything that an entry tells with a value.
func checkEntry(t testing.TB, e Entry, key string, want modelValue) {
	t.Helper()
	if got := valueOfEntry(e); got != want {
		t.Fatalf("key %.40q: got %.200v, want %.200v", key, got, want)
	}
	if string(e.Key()) != key {
		t.Fatalf("entry found at %.40q calls itself %.40q", key, e.Key())
	}
	if e.Type() != TypeString {
		t.Fatalf("key %.40q: type %v", key, e.Type())
	}
	if e.StringLen() != len(want.val) {
		t.Fatalf("key %.40q: length %d, want %d", key, e.StringLen(), len(want.val))
	}
	if n, ok := e.Int(); ok != (want.enc == EncodingInt) || ok && strconv.FormatInt(n, 10) != want.val {
		t.Fatalf("key %.40q: integer %d, %v, want %.40q", key, n, ok, want.val)
	}
	if e.Size() < len(key) {
		t.Fatalf("key %.40q: size %d is less than the key's", key, e.Size())
	}
}

// checkEqual compares whole keyspaces, by lookup and by iteration.
func checkEqual(t testing.TB, k *Keyspace, m *model) {
	t.Helper()
	for i, want := range m.dbs {
		db := k.DB(i)
		if db.Len() != len(want) || db.VolatileLen() != m.volatile(i) {
			t.Fatalf("database %d: %d keys, %d volatile; want %d, %d", i, db.Len(), db.VolatileLen(), len(want), m.volatile(i))
		}
		for key, v := range want {
			e, ok := db.Find([]byte(key))
			if !ok {
				t.Fatalf("database %d: key %.40q is missing", i, key)
			}
			checkEntry(t, e, key, v)
		}
		seen := 0
		db.Each(func(e Entry) bool {
			seen++
			if _, ok := want[string(e.Key())]; !ok {
				t.Fatalf("database %d: key %.40q is too many", i, e.Key())
			}
			return true
		})
		if seen != len(want) {
			t.Fatalf("database %d: %d keys visited, want %d", i, seen, len(want))
		}
		checkVolatile(t, db)
	}
	checkAccounts(t, k)
}

// checkVolatile checks that index and entries know each other.
func checkVolatile(t testing.TB, db *DB) {
	t.Helper()
	v := &db.space.volatile
	for i := range v.count {
		b := db.ks.arena.block(v.get(uint32(i)))
		if b[atFlags]&flagVolatile == 0 || indexOf(b) != uint32(i) {
			t.Fatalf("database %d: place %d of the index refers to an entry that does not know it", db.id, i)
		}
	}
}

// checkAccounts checks that the blocks handed out are exactly those that
// the tables refer to, and that chains are dense.
func checkAccounts(t testing.TB, k *Keyspace) {
	t.Helper()
	bytes, links := k.arena.objects.outside, 0
	for _, o := range k.arena.objects.byNumber {
		bytes += blocksOf(o)
	}
	spaces := k.detached()
	for _, db := range k.dbs {
		spaces = append(spaces, db.space)
	}
	for _, s := range spaces {
		count := 0
		for i := range s.table.buckets {
			s.table.visit(i, func(h handle) {
				count++
				bytes += k.arena.capacity(h)
				if s.table.index(s.table.hashOf(h)) != i && len(k.doomed) == 0 {
					t.Fatalf("an entry is in bucket %d, where nobody will look", i)
				}
			})
			for b := s.table.bucket(i); b.linked(); b = s.table.next(b) {
				links++
				for slot := range linkSlot {
					if b.tag(slot) == 0 {
						t.Fatalf("bucket %d has a gap and a continuation", i)
					}
				}
			}
		}
		if count != s.table.count {
			t.Fatalf("table holds %d entries and counts %d", count, s.table.count)
		}
	}
	if got := k.MemoryStats().Entries; got != bytes {
		t.Fatalf("%d bytes are handed out to entries, %d are referred to", got, bytes)
	}
	if used := k.arena.slabs.used[tableClass]; used != links {
		t.Fatalf("%d overflow buckets are handed out, %d are linked", used, links)
	}
}

// blocksOf is what the blocks of an object take exactly; only objects made of
// members are known here.
func blocksOf(o Object) int {
	m, ok := o.(interface{ blocks() int })
	if !ok {
		return 0
	}
	return m.blocks()
}

func (m *members) blocks() int {
	n := m.bytes + m.table.links*bucketSize
	for _, s := range m.table.segments {
		n += m.table.arena.capacity(s.h)
	}
	return n
}

// checkReleased drains deferred work and checks that an empty keyspace holds
// nothing.
func checkReleased(t testing.TB, k *Keyspace) {
	t.Helper()
	for range 1 << 20 {
		k.GiveBack(1)
		if !k.Step(10000) && k.arena.idle.bytes == 0 {
			if m := k.MemoryStats(); m.Reserved != 0 || m.Detached != 0 {
				t.Fatalf("an empty keyspace holds memory: %+v", m)
			}
			for _, r := range k.arena.regions {
				if len(r.free) != regionChunks {
					t.Fatalf("an empty keyspace holds %d chunks", regionChunks-len(r.free))
				}
			}
			if len(k.arena.regions) > 1 {
				t.Fatalf("an empty keyspace holds %d regions", len(k.arena.regions))
			}
			return
		}
	}
	t.Fatal("deferred work does not end")
}

// cutCheck collects what a cut emits and compares it with the model of its
// moment.
type cutCheck struct {
	t    testing.TB
	want *model
	cut  *Cut
	k    *Keyspace
}

func beginCut(t testing.TB, k *Keyspace, m *model) *cutCheck {
	t.Helper()
	c := &cutCheck{t: t, want: m.clone(), k: k}
	cut, err := k.Cut(c.emit)
	if err != nil {
		t.Fatal(err)
	}
	c.cut = cut
	return c
}

func (c *cutCheck) emit(db int, e Entry) {
	key := string(e.Key())
	want, ok := c.want.dbs[db][key]
	if !ok {
		c.t.Fatalf("cut emits key %.40q of database %d twice, or it was not there", key, db)
	}
	got := valueOfEntry(e)
	got.access = want.access // not part of a cut
	if got != want {
		c.t.Fatalf("cut emits key %.40q of database %d as %.200v, it was %.200v", key, db, got, want)
	}
	delete(c.want.dbs[db], key)
}

// step returns true when the cut is complete and all has been emitted.
func (c *cutCheck) step(n int) bool {
	c.t.Helper()
	if !c.cut.Step(n) {
		return false
	}
	for db := range c.want.dbs {
		for key := range c.want.dbs[db] {
			c.t.Fatalf("cut is complete and has not emitted key %.40q of database %d", key, db)
		}
	}
	return true
}
