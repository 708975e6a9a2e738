package store

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// A set of integers is an intset up to Limits.SetIntsetEntries; another one is a
// listpack up to Limits.SetEntries and SetValue; a larger one is a dict.

// SetView is a set as it is read. It is valid until the next mutation, and so are
// the bytes got from it.
type SetView struct {
	encoding Encoding
	packed   []byte
	large    *dict
}

// Set is the value of an entry of TypeSet.
func (e Entry) Set() SetView { return setOf(e.arena, e.block()) }

func setOf(a *arena, b []byte) SetView {
	v := SetView{encoding: Encoding(b[atKind] & 15)}
	if v.encoding == EncodingHashtable {
		v.large = a.dictOf(b)
	} else {
		v.packed = valueOf(b)
	}
	return v
}

// Encoding is how the set is held.
func (v SetView) Encoding() Encoding { return v.encoding }

// Len is the number of members.
func (v SetView) Len() int {
	switch v.encoding {
	case EncodingIntset:
		return intset.Len(v.packed)
	case EncodingListpack:
		return listpack.Len(v.packed)
	}
	return v.large.len()
}

// Has tells whether member is in the set.
func (v SetView) Has(member []byte) bool {
	switch v.encoding {
	case EncodingIntset:
		n, ok := listpack.ParseInt(member)
		if ok {
			_, ok = intset.Find(v.packed, n)
		}
		return ok
	case EncodingListpack:
		return listpack.Find(v.packed, 0, member, 0) != 0
	}
	return v.large.find(member) != 0
}

// Each visits the members until visit returns false. visit must not mutate the
// Keyspace, and keep nothing.
func (v SetView) Each(visit func(member []byte) bool) {
	var digits []byte
	switch v.encoding {
	case EncodingIntset:
		for i := range intset.Len(v.packed) {
			digits = appendInt(digits, intset.Get(v.packed, i))
			if !visit(digits) {
				return
			}
		}
	case EncodingListpack:
		for at := listpack.First(v.packed); at != 0; at = listpack.Next(v.packed, at) {
			if !visit(spelled(v.packed, at, &digits)) {
				return
			}
		}
	default:
		v.large.each(func(h handle) bool { return visit(v.large.name(h)) })
	}
}

// Scan visits a few members and returns the cursor to go on with, as DB.Scan
// does; a packed set is visited as a whole.
func (v SetView) Scan(cursor uint64, visit func(member []byte)) (next uint64) {
	if v.large != nil {
		return v.large.scan(cursor, func(h handle) { visit(v.large.name(h)) })
	}
	v.Each(func(member []byte) bool {
		visit(member)
		return true
	})
	return 0
}

// Random draws a member, each with the same chance, given r. There must be one.
func (v SetView) Random(r uint64) []byte {
	if v.large != nil {
		return v.large.name(v.large.random(r))
	}
	i := below(r, v.Len())
	if v.encoding == EncodingIntset {
		return appendInt(nil, intset.Get(v.packed, i))
	}
	return listpack.Get(v.packed, listpack.Seek(v.packed, i), nil)
}

// withMember is the encoding that a set of n members needs once another one has
// joined, which is an integer or not. extremes are the least and the greatest
// member of an intset.
func (l *Limits) withMember(was Encoding, n int, extremes [2]int64, length int, isInt bool) Encoding {
	switch {
	case was == EncodingIntset && isInt:
		if n < min(l.SetIntsetEntries, 1<<30) {
			return EncodingIntset
		}
		return EncodingHashtable
	case was == EncodingHashtable, n >= l.SetEntries, length > l.SetValue:
		return EncodingHashtable
	case was == EncodingIntset && n > 0 && max(intLen(extremes[0]), intLen(extremes[1])) > l.SetValue:
		return EncodingHashtable
	}
	return EncodingListpack
}

// firstEncoding is how a set begins, with its first member and perhaps expected
// ones.
func (l *Limits) firstEncoding(isInt bool, expected int) Encoding {
	switch {
	case isInt && expected <= l.SetIntsetEntries:
		return EncodingIntset
	case expected <= l.SetEntries:
		return EncodingListpack
	}
	return EncodingHashtable
}

// afterMember is withMember for a set that is packed.
func (l *Limits) afterMember(v SetView, length int, isInt bool) Encoding {
	n := v.Len()
	var extremes [2]int64
	if v.encoding == EncodingIntset && n > 0 {
		extremes = [2]int64{intset.Get(v.packed, 0), intset.Get(v.packed, n-1)}
	}
	if len(v.packed)+length > maxPacked {
		return EncodingHashtable
	}
	return l.withMember(v.encoding, n, extremes, length, isInt)
}

// toDict is a dict of all members.
func (v SetView) toDict(k *Keyspace) *dict {
	d := k.newDict()
	v.Each(func(member []byte) bool {
		d.put(member, nil)
		return true
	})
	return d
}

// toListpack is a listpack of all members of an intset.
func (v SetView) toListpack() []byte {
	lp := listpack.New()
	for i := range intset.Len(v.packed) {
		lp = listpack.AppendInt(lp, intset.Get(v.packed, i))
	}
	return lp
}

// SetEdit changes the set at one key, which is created with its first member and
// removed with its last one. While it is in use nothing else may change the
// Keyspace.
type SetEdit struct {
	edit
	expected int
}

// EditSet begins to change the set at key, which holds a set or nothing.
func (db *DB) EditSet(key []byte) SetEdit { return SetEdit{edit: db.edit(key)} }

// EditSetFound is EditSet for whoever has just looked key up, and has found e or
// nothing.
func (db *DB) EditSetFound(key []byte, e Entry, found bool) SetEdit {
	return SetEdit{edit: db.editAfterLook(key, e, found)}
}

// Set is the set as it is now. There is one.
func (w *SetEdit) Set() SetView { return setOf(w.arena(), w.block()) }

// Expect says that these members are going to be added, so that the form that
// they need is found and room is made at once. Like Redis it takes them all for
// new ones: too many for a packed set make it a large one.
func (w *SetEdit) Expect(members [][]byte) {
	w.expected = len(members)
	if w.isLarge() {
		return
	}
	l, enc := w.limits(), EncodingHashtable
	if w.h == 0 {
		_, isInt := listpack.ParseInt(members[0])
		enc = l.firstEncoding(isInt, len(members))
	} else {
		enc = w.Set().encoding
		if enc == EncodingListpack && len(members) > l.SetEntries || enc == EncodingIntset && len(members) > l.SetIntsetEntries {
			w.setObject(TypeSet, EncodingHashtable, w.Set().toDict(w.db.ks))
		}
	}
	if enc == EncodingListpack && len(members) > 1 && len(members) <= l.SetEntries {
		w.expect(members)
	}
}

// ExpectMany is Expect for n members that come one after the other, not at hand yet:
// when there are too many for any packed set, it begins as a large one.
func (w *SetEdit) ExpectMany(n int) {
	if l := w.limits(); w.h == 0 && n > max(l.SetEntries, l.SetIntsetEntries) {
		w.setObject(TypeSet, EncodingHashtable, w.db.ks.newDict())
	}
}

// Add adds a member and tells whether it is new.
func (w *SetEdit) Add(member []byte) (added bool) {
	if d := w.dict(); d != nil {
		return d.put(member, nil)
	}
	n, isInt := listpack.ParseInt(member)
	if w.h == 0 {
		w.begin(member, n, isInt)
		return true
	}
	v := w.Set()
	if v.encoding == EncodingIntset && isInt {
		return w.addInt(v, n)
	}
	e := listpack.Encode(member)
	if v.encoding == EncodingListpack && e.Find(v.packed, 0, 0) != 0 {
		return false
	}
	switch w.limits().afterMember(v, len(member), isInt) {
	case EncodingHashtable:
		w.setObject(TypeSet, EncodingHashtable, v.toDict(w.db.ks))
		return w.dict().put(member, nil)
	case v.encoding:
	default:
		w.setPacked(TypeSet, EncodingListpack, v.toListpack())
	}
	lp := w.packed()
	at := len(lp) - 1
	lp = w.splice(at, 0, e.Size())
	e.Put(lp[at:])
	listpack.Spliced(lp, 1)
	return true
}

// begin creates the set with its first member.
func (w *SetEdit) begin(member []byte, n int64, isInt bool) {
	l := w.limits()
	enc := l.firstEncoding(isInt, max(1, w.expected))
	if enc != EncodingHashtable {
		enc = l.withMember(enc, 0, [2]int64{}, len(member), isInt)
	}
	switch enc {
	case EncodingHashtable:
		d := w.db.ks.newDict()
		d.put(member, nil)
		w.setObject(TypeSet, enc, d)
	case EncodingIntset:
		width := intset.WidthOf(n)
		set := w.create(byte(TypeSet)<<4|byte(enc), intset.HeaderSize+width)
		intset.Fill(set, n)
	default:
		w.createListpack(TypeSet, listpack.Encode(member))
	}
}

// addInt adds to an intset.
func (w *SetEdit) addInt(v SetView, n int64) (added bool) {
	i, found := intset.Find(v.packed, n)
	if found {
		return false
	}
	if w.limits().afterMember(v, 0, true) == EncodingHashtable {
		d := v.toDict(w.db.ks)
		d.put(strconv.AppendInt(nil, n, 10), nil)
		w.setObject(TypeSet, EncodingHashtable, d)
		return true
	}
	width, count := intset.Width(v.packed), v.Len()
	if intset.WidthOf(n) > width {
		wider, _ := intset.Add(append([]byte(nil), v.packed...), n)
		w.setPacked(TypeSet, EncodingIntset, wider)
		return true
	}
	set := w.splice(intset.HeaderSize+i*width, 0, width)
	intset.Put(set, i, n)
	intset.SetLen(set, count+1)
	return true
}

// Remove removes a member and tells whether it was there.
func (w *SetEdit) Remove(member []byte) bool {
	if w.h == 0 {
		return false
	}
	v := w.Set()
	if v.large != nil {
		removed := v.large.remove(member)
		if v.large.len() == 0 {
			w.remove()
		}
		return removed
	}
	at, del := v.locate(member)
	switch {
	case at == 0:
		return false
	case v.Len() == 1:
		w.remove()
	case v.encoding == EncodingIntset:
		count := v.Len()
		intset.SetLen(w.splice(at, del, 0), count-1)
	default:
		listpack.Spliced(w.splice(at, del, 0), -1)
	}
	return true
}

// locate is where a member lies in a packed set and how many bytes it takes; at
// is 0 if it is not there.
func (v SetView) locate(member []byte) (at, size int) {
	if v.encoding == EncodingIntset {
		n, ok := listpack.ParseInt(member)
		if !ok {
			return 0, 0
		}
		i, found := intset.Find(v.packed, n)
		if !found {
			return 0, 0
		}
		width := intset.Width(v.packed)
		return intset.HeaderSize + i*width, width
	}
	if at = listpack.Find(v.packed, 0, member, 0); at != 0 {
		size = listpack.EntrySize(v.packed, at)
	}
	return at, size
}

// SetSetPacked gives key a set in the form of an intset or a listpack, as
// encoding says, that is known to be sound, not empty and without a member
// twice, with the expiry time as for SetString. Beyond Limits it becomes a large
// one.
func (db *DB) SetSetPacked(key []byte, encoding Encoding, packed []byte, expireAt int64) Entry {
	e := db.setPacked(key, TypeSet, encoding, packed, expireAt)
	limit := db.ks.Limits.SetEntries
	if encoding == EncodingIntset {
		limit = db.ks.Limits.SetIntsetEntries
	}
	v := e.Set()
	if v.Len() <= limit {
		return e
	}
	return db.setObject(key, TypeSet, EncodingHashtable, v.toDict(db.ks), keepExpiry)
}
