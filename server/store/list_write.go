package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// listEdit is a list that is about to change.
type listEdit struct {
	edit
	object *listObject // nil while the list is packed
	limit  listLimit
}

const kindPackedList = byte(TypeList)<<4 | byte(EncodingListpack)

// editList finds the list at key. It must hold one if it exists.
func (db *DB) editList(key []byte) listEdit { return listEditOf(db.edit(key)) }

func listEditOf(w edit) listEdit {
	e := listEdit{edit: w, limit: w.limits().list()}
	if e.isLarge() {
		e.object = e.arena().objectOf(e.block()).(*listObject)
	}
	return e
}

func (e *listEdit) len() int {
	if e.object != nil {
		return e.object.len()
	}
	return listpack.Len(e.packed())
}

// splice replaces del bytes at position at of the packed list by ins bytes, which
// the caller fills in. The list will have more elements by delta.
func (e *listEdit) splice(at, del, ins, delta int) []byte {
	lp := e.edit.splice(at, del, ins)
	listpack.Spliced(lp, delta)
	return lp
}

// unpack makes an object of a packed list if so many more bytes and elements are
// too much for it.
func (e *listEdit) unpack(bytes, count int) {
	if e.object != nil {
		return
	}
	lp := e.packed()
	first, behind := listpack.Len(lp), 0
	if !e.limit.exceeded(len(lp)+bytes, first+count) {
		return
	}
	// Many elements that came at once may have made it a little too large.
	at := len(lp) - 1
	for ; at >= e.limit.bytes; behind++ {
		at = listpack.Prev(lp, at)
	}
	o := &listObject{arena: e.arena()}
	o.addPart(lp, listHeader, at, first-behind)
	if behind > 0 {
		o.addPart(lp, at, len(lp)-1, behind)
	}
	e.enlarge(o)
}

// enlarge makes an object the value.
func (e *listEdit) enlarge(o *listObject) {
	e.object = o
	e.setObject(TypeList, EncodingQuicklist, o)
}

// shrunk ends a change that has removed something: it removes a list without
// elements, and packs one that has become small.
func (e *listEdit) shrunk() (length int) {
	length = e.len()
	switch {
	case length == 0:
		e.remove()
	case e.object != nil:
		if lp, fits := e.object.asListpack(e.limit.half()); fits {
			// The object is released later: its bytes stay until they are copied.
			e.setPacked(TypeList, EncodingListpack, lp)
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

// ListPush adds values, which may not refer to the keyspace, at the head (left), the
// last one coming to be the first, or at the tail of the list at key, which is created
// if there is none, and returns the number of elements.
func (db *DB) ListPush(key []byte, left bool, values ...[]byte) (length int) {
	e := db.editList(key)
	return e.push(left, values)
}

// ListPushFound is ListPush for whoever has just looked key up, and has found e or
// nothing.
func (db *DB) ListPushFound(key []byte, e Entry, found, left bool, values ...[]byte) (length int) {
	if found {
		if o := db.largeList(e); o != nil {
			limit := db.ks.Limits.list()
			for _, v := range values {
				o.push(left, v, limit)
			}
			return o.len()
		}
	}
	w := listEditOf(db.editAfterLook(key, e, found))
	return w.push(left, values)
}

// largeList is the object of a list that may be changed at once; nil if there is none,
// or if a cut has to see it first.
func (db *DB) largeList(e Entry) *listObject {
	if b := e.block(); isObject(b[atKind]) && !db.space.cut.waiting {
		return e.arena.objectOf(b).(*listObject)
	}
	return nil
}

// createOf makes a list of values.
func (e *listEdit) createOf(left bool, values [][]byte) (length int) {
	if e.limit.exceeded(listpack.Empty+textSize(values), len(values)) {
		e.enlarge(&listObject{arena: e.arena()})
		return e.pushAll(left, values)
	}
	size := listpack.Empty + encodedSize(values)
	lp := e.create(kindPackedList, size)
	listpack.AppendEmpty(lp[:0])
	lp[size-1] = lp[listHeader] // the end mark
	listpack.SetHeader(lp, size, len(values))
	putAll(lp[listHeader:], left, values)
	return len(values)
}

func (e *listEdit) push(left bool, values [][]byte) (length int) {
	if !e.Exists() {
		return e.createOf(left, values)
	}
	e.unpack(textSize(values), len(values))
	if e.object != nil {
		return e.pushAll(left, values)
	}
	at := listHeader
	if !left {
		at = len(e.packed()) - 1
	}
	lp := e.splice(at, 0, encodedSize(values), len(values))
	putAll(lp[at:], left, values)
	return listpack.Len(lp)
}

// pushAll is push for an object.
func (e *listEdit) pushAll(left bool, values [][]byte) (length int) {
	for _, v := range values {
		e.object.push(left, v, e.limit)
	}
	return e.object.len()
}

func textSize(values [][]byte) int {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	return size
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
		at += listpack.Encode(values[i]).Put(dst[at:])
	}
}

// ListPop removes n elements, all of them if there are no more, from the head
// (left) or the tail of the list at key, which has just been looked up and found to
// be e. It returns how many are left.
func (db *DB) ListPop(key []byte, e Entry, left bool, n int) (length int) {
	if o := db.largeList(e); o != nil && n == 1 && o.last-o.first > 2 {
		// One element less, and it is still too large to be packed.
		o.popEnd(left)
		return o.len()
	}
	w := listEditOf(db.editAfterLook(key, e, true))
	return w.pop(left, n)
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
	lp := e.packed()
	from, to := listpack.Seek(lp, index), len(lp)-1
	if index+n < listpack.Len(lp) {
		if to = from + listpack.EntrySize(lp, from); n > 1 {
			to = listpack.Seek(lp, index+n)
		}
	}
	e.splice(from, to-from, 0, -n)
}

// ListTrim removes what is not between two indexes of the list at key, which must
// exist: from 0 at the head, both inclusive. It returns the number of elements
// that were removed.
func (db *DB) ListTrim(key []byte, first, last int) (removed int) {
	e := db.editList(key)
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
	e := db.editList(key)
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
	lp := e.packed()
	at := listpack.Seek(lp, index)
	element := listpack.Encode(value)
	lp = e.splice(at, listpack.EntrySize(lp, at), element.Size(), 0)
	element.Put(lp[at:])
	return true
}

// ListInsert puts value before or after the first element that equals pivot into
// the list at key, which must exist. It returns the number of elements, or found
// is false.
func (db *DB) ListInsert(key []byte, before bool, pivot, value []byte) (length int, found bool) {
	e := db.editList(key)
	// Also if there is no such element, as in Redis.
	e.unpack(len(value), 1)
	if e.object != nil {
		return e.object.insertAt(before, pivot, value, e.limit)
	}
	lp := e.packed()
	at := listpack.Find(lp, 0, pivot, 0)
	if at == 0 {
		return 0, false
	}
	if !before {
		at += listpack.EntrySize(lp, at)
	}
	element := listpack.Encode(value)
	lp = e.splice(at, 0, element.Size(), 1)
	element.Put(lp[at:])
	return listpack.Len(lp), true
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

// ListRemove removes elements that equal value from the list at key, which must
// exist: the first n, or the last -n, or all if n is 0. It returns how many.
func (db *DB) ListRemove(key []byte, n int, value []byte) (removed int) {
	e := db.editList(key)
	back := n < 0
	switch {
	case n == 0:
		n = e.len()
	case back:
		n = -n
	}
	if e.object != nil {
		removed = e.object.removeAll(value, n, back)
	} else {
		lp, stop := e.packed(), 0
		if stop, removed = squeeze(lp, value, n, back); removed > 0 {
			e.splice(stop, len(lp)-1-stop, 0, -removed)
		}
	}
	if removed > 0 {
		e.shrunk()
	}
	return removed
}
