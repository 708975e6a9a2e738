package store

import (
	"bytes"
	"strconv"
)

// Keyspace is a set of numbered databases. Its zero value is not usable.
type Keyspace struct {
	dbs []*DB
	cut *Cut
}

type record struct {
	key    []byte
	val    []byte
	n      int64
	enc    Encoding
	expire int64
	access uint32
	done   *Cut
}

// DB is one numbered database. The pointer stays valid, and names the same
// number, for the life of the Keyspace, also across Swap and FlushAll.
type DB struct {
	ks   *Keyspace
	id   int
	recs map[string]*record
	keys []*record
}

// Entry is a key with its value, found in a database. It is valid until the
// next mutation of the Keyspace (Step included); so are the byte slices got
// from it.
type Entry struct{ r *record }

// New makes an empty keyspace.
func New(o Options) *Keyspace {
	if o.Databases == 0 {
		o.Databases = 16
	}
	k := &Keyspace{}
	for i := range o.Databases {
		k.dbs = append(k.dbs, &DB{ks: k, id: i, recs: map[string]*record{}})
	}
	return k
}

// Databases is the number of databases.
func (k *Keyspace) Databases() int { return len(k.dbs) }

// DB returns database i, 0 <= i < Databases().
func (k *Keyspace) DB(i int) *DB { return k.dbs[i] }

// Hash is the hash of key, for FindHashed.
func (k *Keyspace) Hash(key []byte) Hash { return 0 }

// Swap exchanges the contents of databases i and j (SWAPDB).
func (k *Keyspace) Swap(i, j int) {
	k.emitAll(k.dbs[i])
	k.emitAll(k.dbs[j])
	a, b := k.dbs[i], k.dbs[j]
	a.recs, b.recs = b.recs, a.recs
	a.keys, b.keys = b.keys, a.keys
}

// FlushAll removes every key of every database (FLUSHALL). Memory is given
// back by later calls of Step.
func (k *Keyspace) FlushAll() {
	for _, db := range k.dbs {
		db.Clear()
	}
}

// Close gives all memory back to the operating system. Nothing reached from
// the Keyspace may be used afterwards.
func (k *Keyspace) Close() {}

// Step does a bounded amount of deferred work (freeing the keys of cleared
// databases, compacting sparse memory, giving memory back to the operating system) and
// tells whether more is left. budget is in units of roughly 100 ns; the server
// calls it from its cron and when it is idle.
func (k *Keyspace) Step(budget int) (more bool) { return false }

// MemoryStats says where the memory of a Keyspace is, in bytes.
type MemoryStats struct {
	Keys      int // number of keys, all databases
	Entries   int // blocks that hold keys and their values
	Tables    int // hash tables and the index of volatile keys
	Free      int // free blocks and slack within spans that are in use
	Reserved  int // taken from the operating system for all of this
	Detached  int // keys of cleared databases that Step has yet to free
	Databases []DBStats
}

// DBStats is the per-database part of MemoryStats, in bytes.
type DBStats struct {
	Keys     int
	Volatile int
	Table    int // hash table
	Index    int // index of volatile keys
}

// Used is what the data set needs: entries and tables.
func (m MemoryStats) Used() int { return m.Entries + m.Tables }

// MemoryStats reports where the memory is. It takes a time that does not depend
// on the number of keys.
func (k *Keyspace) MemoryStats() MemoryStats {
	var m MemoryStats
	for _, db := range k.dbs {
		m.Keys += db.Len()
		m.Databases = append(m.Databases, DBStats{Keys: db.Len(), Volatile: db.VolatileLen()})
		for _, r := range db.recs {
			m.Entries += len(r.key) + len(r.val) + 16
		}
	}
	return m
}

// Index is the number of the database.
func (db *DB) Index() int { return db.id }

// Len is the number of keys, expired ones that nobody has deleted yet included.
func (db *DB) Len() int { return len(db.recs) }

// VolatileLen is the number of keys that have an expiry time.
func (db *DB) VolatileLen() int {
	n := 0
	for _, r := range db.recs {
		if r.expire != 0 {
			n++
		}
	}
	return n
}

// Find looks a key up. It pays no attention to expiry times.
func (db *DB) Find(key []byte) (Entry, bool) {
	r, ok := db.recs[string(key)]
	return Entry{r}, ok
}

// FindHashed is Find for a caller that already has the key's hash.
func (db *DB) FindHashed(h Hash, key []byte) (Entry, bool) { return db.Find(key) }

func (db *DB) touch(r *record) {
	if c := db.ks.cut; c != nil && r.done != c {
		r.done = c
		c.emit(db.id, Entry{r})
	}
}

func (k *Keyspace) emitAll(db *DB) {
	for _, r := range db.recs {
		db.touch(r)
	}
}

func (db *DB) upsert(key []byte) *record {
	r := db.recs[string(key)]
	if r == nil {
		r = &record{key: bytes.Clone(key), done: db.ks.cut}
		db.recs[string(key)] = r
		db.keys = append(db.keys, r)
		return r
	}
	db.touch(r)
	return r
}

func (r *record) setBytes(val []byte) {
	r.val = bytes.Clone(val)
	if n, err := strconv.ParseInt(string(val), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(val) {
		r.enc, r.n = EncodingInt, n
	} else if len(val) <= embstrMax {
		r.enc = EncodingEmbstr
	} else {
		r.enc = EncodingRaw
	}
}

func (r *record) setInt(n int64) {
	r.n, r.enc, r.val = n, EncodingInt, strconv.AppendInt(nil, n, 10)
}

// SetString sets key to val, whatever it was before. expireAt is the new expiry
// time in Unix milliseconds; 0 means that the key never expires. A val that is
// the canonical decimal form of a 64 bit integer is held as one. The access
// bits of an existing key are kept, those of a new one are 0.
//
// key and val may not be slices got from an Entry.
func (db *DB) SetString(key, val []byte, expireAt int64) Entry {
	r := db.upsert(key)
	r.setBytes(val)
	r.expire = expireAt
	return Entry{r}
}

// SetStringKeepTTL is SetString, but an existing key keeps its expiry time.
func (db *DB) SetStringKeepTTL(key, val []byte) Entry {
	r := db.upsert(key)
	r.setBytes(val)
	return Entry{r}
}

// SetInt is SetString for an integer.
func (db *DB) SetInt(key []byte, n, expireAt int64) Entry {
	r := db.upsert(key)
	r.setInt(n)
	r.expire = expireAt
	return Entry{r}
}

// SetIntKeepTTL is SetStringKeepTTL for an integer. It writes in place when the
// key already holds an integer.
func (db *DB) SetIntKeepTTL(key []byte, n int64) Entry {
	r := db.upsert(key)
	r.setInt(n)
	return Entry{r}
}

// Append appends suffix to the string at key, which is created when missing,
// and returns the new length.
func (db *DB) Append(key, suffix []byte) (newLen int, err error) {
	r := db.upsert(key)
	if len(r.val)+len(suffix) > MaxLen {
		return 0, ErrValueTooLong
	}
	r.val, r.enc = append(r.val, suffix...), EncodingRaw
	return len(r.val), nil
}

// SetRange overwrites the string at key from byte off on, after filling up with
// zero bytes to off, and returns the new length. The key is created when
// missing. off must not be negative.
func (db *DB) SetRange(key []byte, off int, val []byte) (newLen int, err error) {
	b, err := db.GrowString(key, off+len(val))
	if err != nil {
		return 0, err
	}
	copy(b[off:], val)
	return len(b), nil
}

// GrowString makes the string at key at least minLen bytes long, filling up
// with zero bytes, and returns its bytes for the caller to modify in place
// before the next call of anything in this package (SETBIT, BITFIELD). The key
// is created when missing.
func (db *DB) GrowString(key []byte, minLen int) ([]byte, error) {
	if minLen > MaxLen {
		return nil, ErrValueTooLong
	}
	r := db.upsert(key)
	if len(r.val) < minLen {
		r.val = append(r.val, make([]byte, minLen-len(r.val))...)
	}
	r.enc = EncodingRaw
	return r.val, nil
}

// SetExpire gives key an expiry time in Unix milliseconds, not 0, and tells
// whether the key exists.
func (db *DB) SetExpire(key []byte, expireAt int64) bool {
	r := db.recs[string(key)]
	if r == nil {
		return false
	}
	db.touch(r)
	r.expire = expireAt
	return true
}

// Persist takes the expiry time of key away and tells whether it had one.
func (db *DB) Persist(key []byte) bool {
	r := db.recs[string(key)]
	if r == nil || r.expire == 0 {
		return false
	}
	db.touch(r)
	r.expire = 0
	return true
}

// Delete removes key and tells whether it was there.
func (db *DB) Delete(key []byte) bool {
	r := db.recs[string(key)]
	if r == nil {
		return false
	}
	db.touch(r)
	delete(db.recs, string(key))
	for i := range db.keys {
		if db.keys[i] == r {
			db.keys = append(db.keys[:i], db.keys[i+1:]...)
			break
		}
	}
	return true
}

// Rename gives the value and expiry time at from the name to, replacing what
// was at to, and tells whether from exists. It works for every type of value.
func (db *DB) Rename(from, to []byte) bool { return db.Move(from, db, to) }

// Move is Rename into another database of the same Keyspace (MOVE, when both
// names are the same).
func (db *DB) Move(from []byte, dst *DB, to []byte) bool {
	r := db.recs[string(from)]
	if r == nil {
		return false
	}
	if db == dst && bytes.Equal(from, to) {
		return true
	}
	old := *r
	db.Delete(from)
	n := dst.upsert(to)
	n.val, n.n, n.enc, n.expire, n.access = old.val, old.n, old.enc, old.expire, old.access
	return true
}

// Copy gives dst's key to a copy of the value and expiry time at from,
// replacing what was at to, and tells whether from exists.
func (db *DB) Copy(from []byte, dst *DB, to []byte) bool {
	r := db.recs[string(from)]
	if r == nil {
		return false
	}
	n := dst.upsert(to)
	n.val, n.n, n.enc, n.expire, n.access = bytes.Clone(r.val), r.n, r.enc, r.expire, r.access
	return true
}

// Clear removes every key of the database (FLUSHDB). Memory is given back by
// later calls of Keyspace.Step.
func (db *DB) Clear() {
	db.ks.emitAll(db)
	db.recs, db.keys = map[string]*record{}, nil
}

// Scan visits one small group of keys at the cursor and returns the cursor of
// the next; 0 begins, and 0 is returned at the end. A key that exists from
// beginning to end of an iteration is visited at least once, whatever happens
// to the others and to the size of the table; a key may be visited twice.
// visit must not mutate the Keyspace.
func (db *DB) Scan(cursor uint64, visit func(Entry)) (next uint64) {
	for i := cursor; i < uint64(len(db.keys)) && i < cursor+10; i++ {
		visit(Entry{db.keys[i]})
	}
	if cursor+10 >= uint64(len(db.keys)) {
		return 0
	}
	return cursor + 10
}

// Each visits every key, in no particular order, until visit returns false.
// visit must not mutate the Keyspace. It takes a time proportional to Len.
func (db *DB) Each(visit func(Entry) bool) {
	for _, r := range db.keys {
		if !visit(Entry{r}) {
			return
		}
	}
}

// RandomEntry returns a key drawn with equal chances from all of the database,
// given r, a random number. It finds none only if the database is empty.
func (db *DB) RandomEntry(r uint64) (Entry, bool) {
	if len(db.keys) == 0 {
		return Entry{}, false
	}
	return Entry{db.keys[r%uint64(len(db.keys))]}, true
}

// SampleVolatile visits up to n different keys that have an expiry time, drawn
// with equal chances given r, a random number (the active expiry cycle). visit
// must not mutate the Keyspace. It returns the number visited.
func (db *DB) SampleVolatile(r uint64, n int, visit func(Entry)) int {
	seen := 0
	for i := range db.keys {
		e := db.keys[(uint64(i)+r)%uint64(len(db.keys))]
		if e.expire != 0 && seen < n {
			seen++
			visit(Entry{e})
		}
	}
	return seen
}

// Key is the key's bytes, not to be modified.
func (e Entry) Key() []byte { return e.r.key }

// Type is the type of the value.
func (e Entry) Type() Type { return TypeString }

// Encoding is how the value is held.
func (e Entry) Encoding() Encoding { return e.r.enc }

// ExpireAt is the expiry time in Unix milliseconds; ok is false if the key
// never expires.
func (e Entry) ExpireAt() (unixMilli int64, ok bool) { return e.r.expire, e.r.expire != 0 }

// StringBytes is the value of a string, not to be modified. An integer is
// formatted into scratch, which is grown if it holds less than 20 bytes.
func (e Entry) StringBytes(scratch []byte) []byte { return e.r.val }

// Int is the value if it is held as an integer.
func (e Entry) Int() (int64, bool) { return e.r.n, e.r.enc == EncodingInt }

// StringLen is the length of a string, as STRLEN tells it.
func (e Entry) StringLen() int { return len(e.r.val) }

// Size is the number of bytes that the key, its value and its share of the
// tables take (MEMORY USAGE).
func (e Entry) Size() int { return len(e.r.key) + len(e.r.val) + 16 }

// Access is the 24 bits kept for the caller with each entry: an access clock
// or a frequency, as the eviction policy has it.
func (e Entry) Access() uint32 { return e.r.access }

// SetAccess replaces the 24 access bits. It is not a mutation: entries stay
// valid, and a cut does not care.
func (e Entry) SetAccess(bits uint32) { e.r.access = bits & 0xffffff }

// Cut is an iteration over the whole Keyspace as it was at the moment of the
// call of Keyspace.Cut.
type Cut struct {
	ks   *Keyspace
	emit func(db int, e Entry)
}

// Cut begins a snapshot of exactly this moment. emit is called once for every
// entry of the moment, with the number that its database had and with the value
// and the expiry time that the entry had: from Cut.Step, or from a mutation,
// just before it touches an entry that Step has not come to yet. emit must not
// call anything that mutates the Keyspace.
//
// A database and its keys come in no particular order, and entries of different
// databases can be interleaved.
func (k *Keyspace) Cut(emit func(db int, e Entry)) (*Cut, error) {
	if k.cut != nil {
		return nil, ErrCutActive
	}
	k.cut = &Cut{ks: k, emit: emit}
	return k.cut, nil
}

// Step walks on by about maxEntries entries and tells whether the cut is
// complete; then every entry has been emitted.
func (c *Cut) Step(maxEntries int) (done bool) {
	if c.ks.cut != c {
		return true
	}
	for _, db := range c.ks.dbs {
		for _, r := range db.recs {
			if r.done != c {
				if maxEntries <= 0 {
					return false
				}
				maxEntries--
				db.touch(r)
			}
		}
	}
	c.ks.cut = nil
	return true
}

// Abort ends the cut early. Nothing is emitted any more.
func (c *Cut) Abort() {
	if c.ks.cut == c {
		c.ks.cut = nil
	}
}
