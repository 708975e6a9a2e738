package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// A hash is a listpack of fields and values by turns, or, beyond
// Limits.HashEntries and HashValue, a dict.

// HashView is a hash as it is read. It is valid until the next mutation, and so
// are the bytes got from it.
type HashView struct {
	packed []byte
	large  *dict // nil: packed
}

// Hash is the value of an entry of TypeHash.
func (e Entry) Hash() HashView { return hashOf(e.arena, e.block()) }

func hashOf(a *arena, b []byte) HashView {
	if isObject(b[atKind]) {
		return HashView{large: a.dictOf(b)}
	}
	return HashView{packed: valueOf(b)}
}

// Len is the number of fields.
func (v HashView) Len() int {
	if v.large != nil {
		return v.large.len()
	}
	return listpack.Len(v.packed) / 2
}

// Get is the value of a field. A number may be spelled out in scratch, which is
// grown if it holds less than 20 bytes.
func (v HashView) Get(field, scratch []byte) (value []byte, ok bool) {
	if v.large != nil {
		h := v.large.find(field)
		if h == 0 {
			return nil, false
		}
		return v.large.value(h), true
	}
	at := listpack.Find(v.packed, 0, field, 1)
	if at == 0 {
		return nil, false
	}
	return listpack.Get(v.packed, listpack.Next(v.packed, at), scratch), true
}

// Has tells whether there is a field.
func (v HashView) Has(field []byte) bool {
	if v.large != nil {
		return v.large.find(field) != 0
	}
	return listpack.Find(v.packed, 0, field, 1) != 0
}

// Each visits the fields with their values until visit returns false. visit must
// not mutate the Keyspace, and keep nothing.
func (v HashView) Each(visit func(field, value []byte) bool) {
	if v.large != nil {
		v.large.each(func(h handle) bool { return visit(v.large.name(h), v.large.value(h)) })
		return
	}
	var digits [2][]byte
	for at := listpack.First(v.packed); at != 0; {
		next := listpack.Next(v.packed, at)
		field, value := spelled(v.packed, at, &digits[0]), spelled(v.packed, next, &digits[1])
		if !visit(field, value) {
			return
		}
		at = listpack.Next(v.packed, next)
	}
}

// spelled is an element of a listpack; digits is for numbers, and made when
// there is one.
func spelled(lp []byte, at int, digits *[]byte) []byte {
	n, ok := listpack.Int(lp, at)
	if !ok {
		return listpack.Get(lp, at, nil)
	}
	*digits = appendInt(*digits, n)
	return *digits
}

// Scan visits a few fields and returns the cursor to go on with, as DB.Scan does;
// a packed hash is visited as a whole.
func (v HashView) Scan(cursor uint64, visit func(field, value []byte)) (next uint64) {
	if v.large != nil {
		return v.large.scan(cursor, func(h handle) { visit(v.large.name(h), v.large.value(h)) })
	}
	v.Each(func(field, value []byte) bool {
		visit(field, value)
		return true
	})
	return 0
}

// Random draws a field with its value, each with the same chance, given r. There
// must be one.
func (v HashView) Random(r uint64) (field, value []byte) {
	if v.large != nil {
		h := v.large.random(r)
		return v.large.name(h), v.large.value(h)
	}
	at := listpack.Seek(v.packed, 2*below(r, v.Len()))
	return listpack.Get(v.packed, at, nil), listpack.Get(v.packed, listpack.Next(v.packed, at), nil)
}

// HashEdit changes the hash at one key, which is created with its first field and
// removed with its last one. While it is in use nothing else may change the
// Keyspace.
type HashEdit struct{ edit }

// EditHash begins to change the hash at key, which holds a hash or nothing.
func (db *DB) EditHash(key []byte) HashEdit { return HashEdit{db.edit(key)} }

// EditHashFound is EditHash for whoever has just looked key up, and has found e or
// nothing.
func (db *DB) EditHashFound(key []byte, e Entry, found bool) HashEdit {
	return HashEdit{db.editAfterLook(key, e, found)}
}

// Hash is the hash as it is now. There is one.
func (w *HashEdit) Hash() HashView { return hashOf(w.arena(), w.block()) }

// Expect says that these fields and values, by turns, are going to be set, so
// that the form that they need is found and room is made at once. Like Redis it
// takes all fields for new ones: too many for a packed hash make it a large one.
func (w *HashEdit) Expect(pairs [][]byte) {
	l := w.limits()
	if w.isLarge() {
		return
	}
	large := len(pairs)/2 > l.HashEntries
	for _, p := range pairs {
		large = large || len(p) > l.HashValue
	}
	if large {
		w.enlarge()
	} else if len(pairs) > 2 {
		w.expect(pairs)
	}
}

// ExpectMany is Expect for n fields that come one after the other, not at hand yet.
func (w *HashEdit) ExpectMany(n int) {
	if n > w.limits().HashEntries {
		w.enlarge()
	}
}

// Set gives a field a value and tells whether the field is new.
func (w *HashEdit) Set(field, value []byte) (added bool) {
	if d := w.dict(); d != nil {
		return d.put(field, value)
	}
	l := w.limits()
	if len(field) > l.HashValue || len(value) > l.HashValue {
		w.enlarge()
		return w.dict().put(field, value)
	}
	f, v := listpack.Encode(field), listpack.Encode(value)
	if w.h == 0 {
		w.createListpack(TypeHash, f, v)
	} else {
		lp := w.packed()
		if at := f.Find(lp, 0, 1); at != 0 {
			w.replace(lp, listpack.Next(lp, at), v)
			return false
		}
		at, size := len(lp)-1, f.Size()
		lp = w.splice(at, 0, size+v.Size())
		f.Put(lp[at:])
		v.Put(lp[at+size:])
		listpack.Spliced(lp, 2)
	}
	if lp := w.packed(); listpack.Len(lp)/2 > l.HashEntries || len(lp) > maxPacked {
		w.enlarge()
	}
	return true
}

// replace puts v in the place of the element at a position of lp.
func (w *HashEdit) replace(lp []byte, at int, v listpack.Element) {
	was, size := listpack.EntrySize(lp, at), v.Size()
	if was != size {
		lp = w.splice(at, was, size)
		listpack.Spliced(lp, 0)
	}
	v.Put(lp[at:])
}

// Delete removes a field and tells whether it was there.
func (w *HashEdit) Delete(field []byte) bool {
	if w.h == 0 {
		return false
	}
	if d := w.dict(); d != nil {
		removed := d.remove(field)
		if d.len() == 0 {
			w.remove()
		}
		return removed
	}
	lp := w.packed()
	at := listpack.Find(lp, 0, field, 1)
	if at == 0 {
		return false
	}
	if listpack.Len(lp) == 2 {
		w.remove()
		return true
	}
	value := listpack.Next(lp, at)
	listpack.Spliced(w.splice(at, value-at+listpack.EntrySize(lp, value), 0), -2)
	return true
}

// enlarge makes the hash a dict, if it is none.
func (w *HashEdit) enlarge() {
	if w.dict() != nil {
		return
	}
	d := w.db.ks.newDict()
	if w.h != 0 {
		w.Hash().Each(func(field, value []byte) bool {
			d.put(field, value)
			return true
		})
	}
	w.setObject(TypeHash, EncodingHashtable, d)
}

// SetHashPacked gives key a hash in the form of a listpack that is known to be
// sound and to hold no field twice, with the expiry time as for SetString. Beyond
// Limits.HashEntries it becomes a large one.
func (db *DB) SetHashPacked(key, packed []byte, expireAt int64) Entry {
	e := db.setPacked(key, TypeHash, EncodingListpack, packed, expireAt)
	if listpack.Len(packed)/2 <= db.ks.Limits.HashEntries {
		return e
	}
	w := db.EditHash(key)
	w.enlarge()
	return w.Entry()
}
