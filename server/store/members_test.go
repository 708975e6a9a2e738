package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// namesOnly is the simplest object made of members.
type namesOnly struct{ members }

func (o *namesOnly) Size() int                      { return o.size() }
func (o *namesOnly) Release(budget int) (int, bool) { return o.release(budget) }
func (o *namesOnly) Clone() Object {
	c := &namesOnly{}
	c.init(o.table.arena, o.table.hash, c)
	o.copyTo(&c.members, nil)
	return c
}

func newNamesOnly(k *Keyspace, key string) *namesOnly {
	o := &namesOnly{}
	o.init(k.arena, &k.hash, o)
	k.DB(0).setObject([]byte(key), TypeHash, EncodingHashtable, o, 0)
	return o
}

// checkMembers compares with a map, by lookup and by iteration, and checks that
// the account of memory is right.
func checkMembers(t *testing.T, m *members, want map[string]string) {
	t.Helper()
	seen, bytes := 0, 0
	m.each(func(h handle) bool {
		seen++
		bytes += m.table.arena.capacity(h)
		if v, ok := want[string(m.name(h))]; !ok || v != string(m.value(h)) {
			t.Fatalf("%.40q has the value %.40q, want %.40q", m.name(h), m.value(h), v)
		}
		if objectOfMember(m.table.arena.block(h)) != m.number() {
			t.Fatalf("%.40q says it belongs to another object", m.name(h))
		}
		return true
	})
	if seen != len(want) || m.len() != len(want) || bytes != m.bytes {
		t.Fatalf("%d members in %d bytes, counted %d in %d, want %d", seen, bytes, m.len(), m.bytes, len(want))
	}
	for name := range want {
		if m.find([]byte(name)) == 0 {
			t.Fatalf("%.40q is not found", name)
		}
	}
}

func drain(t *testing.T, k *Keyspace) {
	t.Helper()
	for range 1 << 20 {
		k.GiveBack(1)
		if !k.Step(500) {
			return
		}
	}
	t.Fatal("deferred work does not end")
}

func TestMembersBehaveLikeAMapUnderRandomOperations(t *testing.T) {
	for seed := range uint64(6) {
		names := []int{30, 3000, 40000}[seed%3]
		rng := rand.New(rand.NewPCG(seed, 1))
		k := New(Options{Databases: 1, Seed: 3})
		o := newNamesOnly(k, "object")
		want := map[string]string{}
		name := func() string {
			n := rng.IntN(names)
			if n%19 == 0 {
				return strings.Repeat("long", 70) + fmt.Sprint(n)
			}
			return fmt.Sprint("n", n)
		}
		grow := true
		for step := range names * 6 {
			if step%(names*2) == 0 {
				grow = !grow
			}
			n, v := name(), strings.Repeat("v", rng.IntN(60))
			if rng.IntN(3) == 0 != grow {
				_, was := want[n]
				if o.put([]byte(n), []byte(v)) == was {
					t.Fatalf("put %.40q: it was there: %v", n, was)
				}
				want[n] = v
			} else {
				_, was := want[n]
				if o.remove([]byte(n)) != was {
					t.Fatalf("remove %.40q: it was there: %v", n, was)
				}
				delete(want, n)
			}
			if rng.IntN(100) == 0 {
				k.Step(200)
			}
			if step%(names/2) == 0 {
				checkMembers(t, &o.members, want)
				checkAccounts(t, k)
			}
		}
		k.DB(0).Copy([]byte("object"), k.DB(0), []byte("copy"))
		c, _ := k.DB(0).Find([]byte("copy"))
		checkMembers(t, &c.Object().(*namesOnly).members, want)
		k.FlushAll()
		checkReleased(t, k)
		k.Close()
	}
}

func TestTheMemoryOfMembersIsCompacted(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	var objects []*namesOnly
	want := make([]map[string]string, 700)
	for i := range want {
		objects = append(objects, newNamesOnly(k, fmt.Sprint("object", i)))
		want[i] = map[string]string{}
		for n := range 1 + i*2 {
			objects[i].put(key(n), key(i))
			want[i][string(key(n))] = string(key(i))
		}
	}
	full := k.MemoryStats()
	for i, o := range objects {
		for n := range 1 + i*2 {
			if n%10 != 0 {
				o.remove(key(n))
				delete(want[i], string(key(n)))
			}
		}
		if i%4 == 0 {
			k.DB(0).Delete(fmt.Append(nil, "object", i))
		}
	}
	drain(t, k)
	for i, o := range objects {
		if i%4 != 0 {
			checkMembers(t, &o.members, want[i])
		}
	}
	checkAccounts(t, k)
	if m := k.MemoryStats(); m.Reserved > full.Reserved/5 || m.Fragmentation() > 2 {
		t.Errorf("a tenth of the members is left, and %d of %d bytes, fragmentation %.2f", m.Reserved, full.Reserved, m.Fragmentation())
	}
	k.FlushAll()
	checkReleased(t, k)
}

func TestTheTableOfMembersIsAsSmallAsTheyAreFew(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	o := newNamesOnly(k, "object")
	check := func(what string, limit int) {
		t.Helper()
		if size := o.size() - o.bytes; size > 2*bucketSize+o.len()*limit {
			t.Fatalf("%s %d members the table takes %d bytes", what, o.len(), size)
		}
	}
	for i := range 5000 {
		o.put(key(i), nil)
		check("growing to", 18)
	}
	for i := range 5000 {
		o.remove(key(i))
		check("shrinking to", 42)
	}
}

func TestScanVisitsEveryMemberThatStaysWhileTheTableGrowsAndShrinks(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	o := newNamesOnly(k, "object")
	for i := range 500 {
		o.put(key(i), nil)
	}
	seen := map[string]int{}
	steps, cursor := 0, uint64(0)
	for {
		cursor = o.scan(cursor, func(h handle) { seen[string(o.name(h))]++ })
		if cursor == 0 {
			break
		}
		for i := range 200 {
			name := fmt.Appendf(nil, "flap:%d", i+steps%7*200)
			if steps/7%2 == 0 {
				o.put(name, nil)
			} else {
				o.remove(name)
			}
		}
		if steps++; steps > 10000 {
			t.Fatal("the scan does not end")
		}
	}
	for i := range 500 {
		if seen[string(key(i))] == 0 {
			t.Errorf("%s was there all the time and has not been visited", key(i))
		}
	}
	if steps < 50 {
		t.Errorf("the scan took %d steps only: nothing is tested", steps)
	}
}
