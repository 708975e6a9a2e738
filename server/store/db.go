package store

import "math/bits"

// DB is one numbered database. The pointer stays valid, and names the same
// number, for the life of the Keyspace, also across Swap and FlushAll.
type DB struct {
	ks    *Keyspace
	id    int
	space *space

	prefetched byte // of no meaning; see Prefetch
}

// Index is the number of the database.
func (db *DB) Index() int { return db.id }

// Len is the number of keys, expired ones that nobody has deleted yet included.
func (db *DB) Len() int { return db.space.table.count }

// VolatileLen is the number of keys that have an expiry time.
func (db *DB) VolatileLen() int { return db.space.volatile.count }

// Find looks a key up. It pays no attention to expiry times.
func (db *DB) Find(key []byte) (Entry, bool) {
	return db.FindHashed(Hash(db.ks.hash.sum(key)), key)
}

// FindHashed is Find for a caller that already has the key's hash.
func (db *DB) FindHashed(h Hash, key []byte) (Entry, bool) {
	_, found := db.space.table.find(uint64(h), key)
	return Entry{db.ks.arena, found}, found != 0
}

// SetExpire gives key an expiry time in Unix milliseconds, not 0, and tells
// whether the key exists.
func (db *DB) SetExpire(key []byte, expireAt int64) bool {
	return db.space.setExpire(key, expireAt)
}

// Persist takes the expiry time of key away and tells whether it had one.
func (db *DB) Persist(key []byte) bool {
	e, ok := db.Find(key)
	if !ok {
		return false
	}
	if _, ok := e.ExpireAt(); !ok {
		return false
	}
	return db.space.setExpire(key, 0)
}

// Delete removes key and tells whether it was there.
func (db *DB) Delete(key []byte) bool {
	h := db.space.take(db.ks.hash.sum(key), key)
	if h == 0 {
		return false
	}
	db.ks.arena.discard(h)
	return true
}

// Rename gives the value and expiry time at from the name to, replacing what
// was at to, and tells whether from exists. It works for every type of value.
func (db *DB) Rename(from, to []byte) bool { return db.Move(from, db, to) }

// Move is Rename into another database of the same Keyspace (MOVE, when both
// names are the same).
func (db *DB) Move(from []byte, dst *DB, to []byte) bool {
	if db == dst && string(from) == string(to) {
		_, ok := db.Find(from)
		return ok
	}
	h := db.space.take(db.ks.hash.sum(from), from)
	if h == 0 {
		return false
	}
	dst.Delete(to)
	dst.space.adopt(h, to)
	return true
}

// Copy gives dst's key to a copy of the value and expiry time at from,
// replacing what was at to, and tells whether from exists.
func (db *DB) Copy(from []byte, dst *DB, to []byte) bool {
	e, ok := db.Find(from)
	if !ok || db == dst && string(from) == string(to) {
		return ok
	}
	dst.Delete(to)
	dst.space.clone(e.h, to)
	return true
}

// Clear removes every key of the database (FLUSHDB). Memory is given back by
// later calls of Keyspace.Step, and by those that add keys.
func (db *DB) Clear() {
	old := db.space
	db.space = db.ks.newSpace()
	db.ks.discard(old)
}

// Scan visits one small group of keys at the cursor and returns the cursor of
// the next; 0 begins, and 0 is returned at the end. A key that exists from
// beginning to end of an iteration is visited at least once, whatever happens
// to the others and to the size of the table; a key that is removed and added
// again may be visited twice. visit must not mutate the Keyspace.
//
// The cursor is a position (see table) with its bits in reverse order, so that
// cursors are small numbers while the table is small. Any number is accepted.
func (db *DB) Scan(cursor uint64, visit func(Entry)) (next uint64) {
	t := &db.space.table
	if t.buckets == 0 {
		return 0
	}
	return position(t.walk(position(cursor), func(h handle) { visit(Entry{t.arena, h}) }))
}

// Each visits every key, in no particular order, until visit returns false.
// visit must not mutate the Keyspace. It takes a time proportional to Len.
func (db *DB) Each(visit func(Entry) bool) {
	t := &db.space.table
	more := true
	for i := uint64(0); i < t.buckets && more; i++ {
		t.visit(i, func(h handle) { more = more && visit(Entry{t.arena, h}) })
	}
}

// RandomEntry returns a key drawn with equal chances from all of the database,
// given r, a random number. It finds none only if the database is empty.
func (db *DB) RandomEntry(r uint64) (Entry, bool) {
	h := db.space.table.random(r)
	return Entry{db.ks.arena, h}, h != 0
}

// Sample visits about n different keys in a few neighbouring groups, from a place
// drawn given r, a random number (eviction, where speed counts more than equal
// chances). visit must not mutate the Keyspace. It returns the number visited.
func (db *DB) Sample(r uint64, n int, visit func(Entry)) int {
	t := &db.space.table
	if t.count == 0 {
		return 0
	}
	i, _ := bits.Mul64(mix(r), t.buckets)
	seen := 0
	for looked := uint64(0); seen < n && looked < t.buckets; looked++ {
		t.visit(i, func(h handle) {
			if seen < n {
				seen++
				visit(Entry{t.arena, h})
			}
		})
		if i++; i == t.buckets {
			i = 0
		}
	}
	return seen
}

// SampleVolatile visits up to n different keys that have an expiry time, drawn
// with equal chances given r, a random number (the active expiry cycle). visit
// must not mutate the Keyspace. It returns the number visited.
func (db *DB) SampleVolatile(r uint64, n int, visit func(Entry)) int {
	return db.space.volatile.sample(r, n, func(h handle) { visit(Entry{db.ks.arena, h}) })
}
