package store

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// edit is what the changes of packed collections have in common: it knows where
// the entry is while the entry moves. While it is in use nothing else may change
// the Keyspace.
type edit struct {
	db   *DB
	key  []byte
	hash uint64 // 0: to be computed
	at   place  // no bucket: to be looked up
	h    handle // 0: there is no such key (yet)
	room int    // bytes that are going to be added
}

// maxPacked is the length of a packed collection in bytes beyond which it is made
// an object, whatever the limits say.
const maxPacked = 1 << 30

// edit finds key; an active cut gets to see its value.
func (db *DB) edit(key []byte) edit {
	hash := db.ks.hash.sum(key)
	p, h := db.space.lookup(hash, key)
	return edit{db: db, key: key, hash: hash, at: p, h: h}
}

// editAfterLook is edit for whoever has just looked the key up in vain or found e. Only
// a cut that may yet have to see the value makes it look again.
func (db *DB) editAfterLook(key []byte, e Entry, found bool) edit {
	switch {
	case !found:
		return edit{db: db, key: key, hash: db.ks.hash.sum(key)}
	case db.space.cut.waiting:
		return db.edit(key)
	}
	return edit{db: db, key: key, h: e.h}
}

// Entry is the key with its value as it is now. There is one.
func (w *edit) Entry() Entry { return Entry{w.db.ks.arena, w.h} }

// Exists tells whether there is such a key now.
func (w *edit) Exists() bool { return w.h != 0 }

func (w *edit) arena() *arena   { return w.db.ks.arena }
func (w *edit) block() []byte   { return w.arena().block(w.h) }
func (w *edit) packed() []byte  { return valueOf(w.block()) }
func (w *edit) limits() *Limits { return &w.db.ks.Limits }
func (w *edit) isLarge() bool   { return w.h != 0 && isObject(w.block()[atKind]) }

// dict is the object of the entry; nil if there is none.
func (w *edit) dict() *dict {
	if !w.isLarge() {
		return nil
	}
	return w.arena().dictOf(w.block())
}

// create adds the key with a packed value of size bytes for the caller to fill
// in, in a block with room for all that is expected.
func (w *edit) create(kind byte, size int) []byte {
	room := max(size, w.room)
	h, value := w.db.space.create(w.hash, w.key, kind, room, 0)
	w.h, w.at = h, place{}
	if room > size {
		want := shapeOf(w.block())
		want.val = size
		w.h = w.db.space.reshape(place{}, h, want, 0) // has room, so it stays
		value = w.packed()
	}
	w.room -= min(size, w.room)
	return value
}

// createListpack is create for a listpack of these elements.
func (w *edit) createListpack(t Type, elements ...listpack.Element) {
	size := listpack.Empty
	for _, e := range elements {
		size += e.Size()
	}
	listpack.Fill(w.create(byte(t)<<4|byte(EncodingListpack), size), elements)
}

// expect makes room for elements that are going to be added to a listpack.
func (w *edit) expect(elements [][]byte) {
	w.room = listpack.Empty
	for _, p := range elements {
		w.room += listpack.EncodedSize(p)
	}
}

// splice is space.splice, with room for all that is expected.
func (w *edit) splice(at, del, ins int) []byte {
	if w.at.b == nil {
		if w.hash == 0 {
			w.hash = w.db.ks.hash.sum(w.key)
		}
		w.at, _ = w.db.space.table.locate(w.hash, w.h)
	}
	var value []byte
	w.h, value = w.db.space.splice(w.at, w.h, at, del, ins, w.room)
	w.room = max(0, w.room-ins)
	return value
}

// setPacked replaces the value by a packed one.
func (w *edit) setPacked(t Type, enc Encoding, packed []byte) {
	w.h, w.at = w.db.setPacked(w.key, t, enc, packed, keepExpiry).h, place{}
}

// setObject replaces the value by an object.
func (w *edit) setObject(t Type, enc Encoding, obj Object) {
	w.h, w.at = w.db.setObject(w.key, t, enc, obj, keepExpiry).h, place{}
}

// remove removes the key.
func (w *edit) remove() {
	w.db.Delete(w.key)
	w.h, w.at = 0, place{}
}

// appendInt spells n out in the place of what dst holds.
func appendInt(dst []byte, n int64) []byte {
	if dst == nil {
		dst = make([]byte, 0, 24)
	}
	return strconv.AppendInt(dst[:0], n, 10)
}

// below maps a random number to 0 <= i < n.
func below(r uint64, n int) int { return int(mix(r) % uint64(n)) }
