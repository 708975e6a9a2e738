package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// machine drives a Keyspace and its model with the same operations, which a
// stream of bytes chooses: a random one, or a fuzzer's.
type machine struct {
	t     testing.TB
	k     *Keyspace
	m     *model
	cut   *cutCheck
	in    []byte
	keys  int  // number of different keys, for each database
	sizes int  // 0: small values; 1: up to a few pages; 2: also huge ones
	flush bool // whether databases are flushed and swapped
}

const machineDatabases = 3

func newMachine(t testing.TB, in []byte) *machine {
	return &machine{t: t, k: New(Options{Databases: machineDatabases, Seed: 1}), m: newModel(machineDatabases), in: in, keys: 50, flush: true}
}

func (x *machine) byte() int {
	if len(x.in) == 0 {
		return 0
	}
	b := x.in[0]
	x.in = x.in[1:]
	return int(b)
}

func (x *machine) word() int { return x.byte()<<8 | x.byte() }

func (x *machine) key() string {
	n := x.word() % x.keys
	if n%17 == 0 {
		return "long:" + string(bytes.Repeat([]byte{'k'}, 240+n%40)) + strconv.Itoa(n)
	}
	return "k" + strconv.Itoa(n)
}

func (x *machine) length() int {
	n := x.word()
	switch {
	case x.sizes == 2 && n%50 == 0:
		return maxRun - 100 + n*7
	case x.sizes >= 1 && n%5 == 0:
		return n % (5 * pageSize)
	}
	return n % 300
}

func (x *machine) value() string {
	switch n := x.byte(); n % 4 {
	case 0:
		return strconv.Itoa(x.word() - 1<<15)
	case 1:
		return strconv.FormatUint(uint64(x.word())<<48|uint64(n), 10)
	}
	return string(bytes.Repeat([]byte{'a' + byte(x.byte()%26)}, x.length()))
}

func (x *machine) expire() int64 {
	if n := x.byte(); n%3 == 0 {
		return int64(n + 1)
	}
	return 0
}

// step does one operation on both and compares what they answer.
func (x *machine) step() {
	op, db := x.byte()%64, x.byte()%machineDatabases
	d := x.k.DB(db)
	switch {
	case op < 16:
		key, val, expire := x.key(), x.value(), x.expire()
		x.m.set(db, key, val, expire)
		checkEntry(x.t, d.SetString([]byte(key), []byte(val), expire), key, x.m.dbs[db][key])
	case op < 20:
		key, val := x.key(), x.value()
		x.m.set(db, key, val, x.m.dbs[db][key].expire)
		checkEntry(x.t, d.SetStringKeepTTL([]byte(key), []byte(val)), key, x.m.dbs[db][key])
	case op < 22:
		key, n := x.key(), int64(x.word())-1000
		x.m.set(db, key, strconv.FormatInt(n, 10), x.m.dbs[db][key].expire)
		checkEntry(x.t, d.SetIntKeepTTL([]byte(key), n), key, x.m.dbs[db][key])
	case op < 26:
		key, val := x.key(), x.value()
		n, err := d.Append([]byte(key), []byte(val))
		x.same("Append", err, n, len(x.m.modify(db, key, func(b []byte) []byte { return append(b, val...) })))
	case op < 30:
		key, off, val := x.key(), x.length(), x.value()
		n, err := d.SetRange([]byte(key), off, []byte(val))
		x.same("SetRange", err, n, len(x.m.setRange(db, key, off, val)))
	case op < 33:
		x.expiry(d, db, op == 32)
	case op < 44:
		key := x.key()
		_, was := x.m.dbs[db][key]
		delete(x.m.dbs[db], key)
		x.same("Delete", nil, d.Delete([]byte(key)), was)
	case op < 50:
		x.moves(d, db, op)
	case op < 52:
		key := x.key()
		if e, ok := d.Find([]byte(key)); ok {
			v := x.m.dbs[db][key]
			v.access = uint32(x.word()) << 8
			e.SetAccess(v.access)
			x.m.dbs[db][key] = v
		}
	case op < 54:
		x.k.Step(x.byte() * 4)
	case op < 60:
		x.stepCut(op)
	case x.flush:
		x.drastic(op, db)
	}
}

func (x *machine) same(what string, err error, got, want any) {
	x.t.Helper()
	if err != nil || got != want {
		x.t.Fatalf("%s: got %v, %v, want %v", what, got, err, want)
	}
}

func (x *machine) expiry(d *DB, db int, persist bool) {
	key := x.key()
	v, was := x.m.dbs[db][key]
	if persist {
		x.same("Persist", nil, d.Persist([]byte(key)), v.expire != 0)
		v.expire = 0
	} else {
		v.expire = int64(x.byte() + 1)
		x.same("SetExpire", nil, d.SetExpire([]byte(key), v.expire), was)
	}
	if was {
		x.m.dbs[db][key] = v
	}
}

func (x *machine) moves(d *DB, db, op int) {
	from, to, other := x.key(), x.key(), x.byte()%machineDatabases
	switch op % 3 {
	case 0:
		x.same("Rename", nil, d.Rename([]byte(from), []byte(to)), x.m.move(db, from, db, to, from == to))
	case 1:
		same := from == to && db == other
		x.same("Move", nil, d.Move([]byte(from), x.k.DB(other), []byte(to)), x.m.move(db, from, other, to, same))
	case 2:
		x.same("Copy", nil, d.Copy([]byte(from), x.k.DB(other), []byte(to)), x.m.move(db, from, other, to, true))
	}
}

func (x *machine) stepCut(op int) {
	switch {
	case x.cut == nil:
		x.cut = beginCut(x.t, x.k, x.m)
	case op == 54 && x.byte()%4 == 0:
		x.cut.cut.Abort()
		x.cut = nil
	case x.cut.step(x.byte() / 8):
		x.cut = nil
	}
}

func (x *machine) drastic(op, db int) {
	switch n := x.byte(); {
	case op == 60 && n%8 == 0:
		x.k.FlushAll()
		clear(x.m.dbs[0])
		clear(x.m.dbs[1])
		clear(x.m.dbs[2])
	case op == 61 && n%4 == 0:
		x.k.DB(db).Clear()
		clear(x.m.dbs[db])
	case op == 62:
		other := n % machineDatabases
		x.k.Swap(db, other)
		x.m.dbs[db], x.m.dbs[other] = x.m.dbs[other], x.m.dbs[db]
	}
}

// finish completes the cut, compares everything, and empties the keyspace.
func (x *machine) finish() {
	checkEqual(x.t, x.k, x.m)
	for x.cut != nil && !x.cut.step(7) {
	}
	checkEqual(x.t, x.k, x.m)
	checkNoMarks(x.t, x.k)
	for i, keys := range x.m.dbs {
		for key := range keys {
			x.same("Delete", nil, x.k.DB(i).Delete([]byte(key)), true)
		}
	}
	checkReleased(x.t, x.k)
	x.k.Close()
}

// checkNoMarks: after a complete cut nothing may carry a mark.
func checkNoMarks(t testing.TB, k *Keyspace) {
	if k.marks.current != 0 {
		return // the last cut was aborted
	}
	for _, db := range k.dbs {
		db.Each(func(e Entry) bool {
			if e.block()[atSettled] != 0 {
				t.Fatalf("key %.40q still carries the mark of a cut", e.Key())
			}
			return true
		})
	}
}

func TestAKeyspaceBehavesLikeAMapUnderRandomOperations(t *testing.T) {
	for _, c := range []struct {
		name              string
		keys, ops, rounds int
		sizes             int
	}{
		{"few keys, so that the same are hit again and again", 20, 3000, 40, 0},
		{"many keys, so that tables grow and shrink", 4000, 60000, 3, 0},
		{"values of some pages", 60, 4000, 8, 1},
		{"values with mappings of their own", 12, 600, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range c.rounds {
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					in := make([]byte, c.ops*12)
					rng := rand.NewChaCha8([32]byte{byte(seed), byte(c.sizes)})
					_, _ = rng.Read(in)
					x := newMachine(t, in)
					x.keys, x.sizes = c.keys, c.sizes
					for i := range c.ops {
						x.step()
						if i%(c.ops/8) == 0 {
							checkEqual(t, x.k, x.m)
						}
					}
					x.finish()
				})
			}
		})
	}
}

func FuzzKeyspaceBehavesLikeAMap(f *testing.F) {
	f.Add([]byte("set and delete and cut and flush"))
	for seed := range byte(8) {
		in := make([]byte, 400)
		_, _ = rand.NewChaCha8([32]byte{seed, 'f'}).Read(in)
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<14 {
			t.Skip("longer inputs show nothing new")
		}
		x := newMachine(t, in)
		x.sizes = 1
		for len(x.in) > 0 {
			x.step()
		}
		x.finish()
	})
}
