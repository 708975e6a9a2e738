package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// listEdit is a list that is about to change.
type listEdit struct {
	db     *DB
	key    []byte
	p      place
	h      handle
	packed []byte      // the listpack, which begins anew with every splice
	object *listObject // or this
	limit  listLimit
}

const kindPackedList = byte(TypeList)<<4 | byte(EncodingListpack)

// editList finds the list at key. It must hold one if it exists.
func (db *DB) editList(key []byte) (e listEdit, found bool) {
	p, h, b := db.space.edit(key)
	e = listEdit{db: db, key: key, p: p, h: h, limit: db.ks.Limits.list()}
	switch {
	case h == 0:
		return e, false
	case isObject(b[atKind]):
		e.object = db.ks.arena.objectOf(b).(*listObject)
	default:
		e.packed = valueOf(b)
	}
	return e, true
}

// editFound is editList for the entry that Find has just given for key. A large list
// need not be looked up again, unless a cut may have to see it first.
func (db *DB) editFound(found Entry, key []byte) listEdit {
	if !db.space.cut.waiting {
		if b := found.block(); isObject(b[atKind]) {
			object := db.ks.arena.objectOf(b).(*listObject)
			return listEdit{db: db, key: key, h: found.h, object: object, limit: db.ks.Limits.list()}
		}
	}
	e, _ := db.editList(key)
	return e
}

func (e *listEdit) len() int {
	if e.object != nil {
		return e.object.len()
	}
	return listpack.Len(e.packed)
}

// splice replaces del bytes at position at of the packed list by ins bytes, which
// the caller fills in. The list will have count elements.
func (e *listEdit) splice(at, del, ins, count int) {
	e.h, e.packed = e.db.space.splice(e.p, e.h, at, del, ins)
	listpack.SetHeader(e.packed, len(e.packed), count)
}

// unpack makes an object of a packed list if so many more bytes and elements are
// too much for it.
func (e *listEdit) unpack(bytes, count int) {
	if e.object != nil || !e.limit.exceeded(len(e.packed)+bytes, listpack.Len(e.packed)+count) {
		return
	}
	e.object = &listObject{arena: e.db.ks.arena}
	// Many elements that came at once may have made it a little too large.
	first, behind := listpack.Len(e.packed), 0
	at := len(e.packed) - 1
	for ; at >= e.limit.bytes; behind++ {
		at = listpack.Prev(e.packed, at)
	}
	e.object.addPart(e.packed, listHeader, at, first-behind)
	if behind > 0 {
		e.object.addPart(e.packed, at, len(e.packed)-1, behind)
	}
	e.db.setObject(e.key, TypeList, EncodingQuicklist, e.object, keepExpiry)
}

// shrunk ends a change that has removed something: it removes a list without
// elements, and packs one that has become small.
func (e *listEdit) shrunk() (length int) {
	length = e.len()
	switch {
	case length == 0:
		e.db.Delete(e.key)
	case e.object != nil:
		if lp, fits := e.object.asListpack(e.limit.half()); fits {
			// The object is released later: its bytes stay until they are copied.
			e.db.setPacked(e.key, TypeList, EncodingListpack, lp, keepExpiry)
		}
	}
	return length
}

// asListpack is the only node of a list that can be packed within a limit.
func (l *listObject) asListpack(limit listLimit) (lp []byte, fits bool) {
	if l.last-l.first != 1 {
		return nil, false
	}
	plain, lp := l.data(0)
	return lp, !plain && !limit.exceeded(len(lp), l.len())
}

// ListPush adds values at the head (left), the last one coming to be the first, or
// at the tail of the list at key, which is created if there is none, and returns
// the number of elements.
func (db *DB) ListPush(key []byte, left bool, values ...[]byte) (length int) {
	e, found := db.editList(key)
	if !found {
		return e.create(left, values)
	}
	return e.push(left, values)
}

// ListPushFound is ListPush for the entry that Find has just given for key, which
// saves looking it up again.
func (db *DB) ListPushFound(found Entry, key []byte, left bool, values ...[]byte) (length int) {
	e := db.editFound(found, key)
	return e.push(left, values)
}

// create makes a list of values.
func (e *listEdit) create(left bool, values [][]byte) (length int) {
	db, key := e.db, e.key
	if e.limit.exceeded(listpack.Empty+textSize(values), len(values)) {
		e.object = &listObject{arena: db.ks.arena}
		db.setObject(key, TypeList, EncodingQuicklist, e.object, 0)
		return e.push(left, values)
	}
	_, e.packed = db.space.create(db.ks.hash.sum(key), key, kindPackedList, listpack.Empty+encodedSize(values), 0)
	listpack.AppendEmpty(e.packed[:0])
	e.packed[len(e.packed)-1] = e.packed[listHeader] // the end mark
	listpack.SetHeader(e.packed, len(e.packed), len(values))
	putAll(e.packed[listHeader:], left, values)
	return len(values)
}

func (e *listEdit) push(left bool, values [][]byte) (length int) {
	e.unpack(textSize(values), len(values))
	if e.object != nil {
		for _, v := range values {
			e.object.push(left, v, e.limit)
		}
		return e.object.len()
	}
	at := listHeader
	if !left {
		at = len(e.packed) - 1
	}
	length = listpack.Len(e.packed) + len(values)
	e.splice(at, 0, encodedSize(values), length)
	putAll(e.packed[at:], left, values)
	return length
}

func encodedSize(values [][]byte) int {
	size := 0
	for _, v := range values {
		size += listpack.EncodedSize(v)
	}
	return size
}

// putAll writes elements to dst, the last one first if backwards is set.
func putAll(dst []byte, backwards bool, values [][]byte) {
	at := 0
	for i := range values {
		if backwards {
			i = len(values) - 1 - i
		}
		e := listpack.Encode(values[i])
		e.Put(dst[at:])
		at += e.Size()
	}
}

func textSize(values [][]byte) int {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	return size
}

// ListPop removes n elements, all of them if there are no more, from the head
// (left) or the tail of the list at key, which must exist, and returns how many
// are left.
func (db *DB) ListPop(key []byte, left bool, n int) (length int) {
	e, _ := db.editList(key)
	return e.pop(left, n)
}

// ListPopFound is ListPop for the entry that Find has just given for key, which
// saves looking it up again.
func (db *DB) ListPopFound(found Entry, key []byte, left bool, n int) (length int) {
	e := db.editFound(found, key)
	return e.pop(left, n)
}

func (e *listEdit) pop(left bool, n int) (length int) {
	length = e.len()
	n = min(n, length)
	if left {
		e.cut(0, n)
	} else {
		e.cut(length-n, n)
	}
	return e.shrunk()
}

// cut removes n elements from the one with an index on. They exist.
func (e *listEdit) cut(index, n int) {
	if n == 0 {
		return
	}
	if e.object != nil {
		e.object.cut(index, n)
		return
	}
	count := listpack.Len(e.packed)
	from := listpack.Seek(e.packed, index)
	to := len(e.packed) - 1
	if index+n < count {
		if to = from + listpack.EntrySize(e.packed, from); n > 1 {
			to = listpack.Seek(e.packed, index+n)
		}
	}
	e.splice(from, to-from, 0, count-n)
}

// ListTrim removes what is not between two indexes of the list at key, which must
// exist: from 0 at the head, both inclusive. It returns the number of elements
// that were removed.
func (db *DB) ListTrim(key []byte, first, last int) (removed int) {
	e, _ := db.editList(key)
	n := e.len()
	if first > last || first >= n {
		e.cut(0, n)
	} else {
		last = min(last, n-1)
		e.cut(last+1, n-1-last)
		e.cut(0, first)
	}
	return n - e.shrunk()
}

// ListSet replaces the element with an index, from 0 at the head or from -1 at the
// tail, of the list at key, which must exist, and tells whether there is one.
func (db *DB) ListSet(key []byte, index int, value []byte) bool {
	e, _ := db.editList(key)
	e.unpack(len(value), 1)
	n := e.len()
	if index < 0 {
		index += n
	}
	if index < 0 || index >= n {
		return false
	}
	if e.object != nil {
		e.object.replace(index, value, e.limit)
		e.shrunk()
		return true
	}
	at := listpack.Seek(e.packed, index)
	element := listpack.Encode(value)
	e.splice(at, listpack.EntrySize(e.packed, at), element.Size(), n)
	element.Put(e.packed[at:])
	return true
}

// ListInsert puts value before or after the first element that equals pivot into
// the list at key, which must exist. It returns the number of elements, or found
// is false.
func (db *DB) ListInsert(key []byte, before bool, pivot, value []byte) (length int, found bool) {
	e, _ := db.editList(key)
	// Also if there is no such element, as in Redis.
	e.unpack(len(value), 1)
	if e.object != nil {
		return e.object.insertAt(before, pivot, value, e.limit)
	}
	at := listpack.Find(e.packed, 0, pivot, 0)
	if at == 0 {
		return 0, false
	}
	if !before {
		at += listpack.EntrySize(e.packed, at)
	}
	length = listpack.Len(e.packed) + 1
	element := listpack.Encode(value)
	e.splice(at, 0, element.Size(), length)
	element.Put(e.packed[at:])
	return length, true
}

// insertAt is ListInsert for an object.
func (l *listObject) insertAt(before bool, pivot, value []byte, limit listLimit) (length int, found bool) {
	index := List{object: l}.Index(pivot)
	if index < 0 {
		return 0, false
	}
	if !before {
		index++
	}
	if index == l.len() {
		l.push(false, value, limit)
	} else {
		l.insert(index, value, limit)
	}
	return l.len(), true
}

// Index is the index of the first element that equals p; -1 if there is none.
func (l List) Index(p []byte) int {
	i := 0
	for it := l.From(0); it.Valid(); it.Step() {
		if it.Equal(p) {
			return i
		}
		i++
	}
	return -1
}

// ListRemove removes elements that equal value from the list at key, which must
// exist: the first n, or the last -n, or all if n is 0. It returns how many.
func (db *DB) ListRemove(key []byte, n int, value []byte) (removed int) {
	e, _ := db.editList(key)
	back := n < 0
	switch {
	case n == 0:
		n = e.len()
	case back:
		n = -n
	}
	if e.object != nil {
		removed = e.object.removeAll(value, n, back)
	} else if stop, some := squeeze(e.packed, value, n, back); some > 0 {
		removed = some
		e.splice(stop, len(e.packed)-1-stop, 0, listpack.Len(e.packed)-some)
	}
	if removed > 0 {
		e.shrunk()
	}
	return removed
}
