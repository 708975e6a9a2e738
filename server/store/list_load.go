package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// ListLoader builds a list piece by piece, from the head to the tail.
type ListLoader struct {
	db       *DB
	key      []byte
	expireAt int64
	object   *listObject
	limit    listLimit
}

// LoadList begins to build a list that is to become the value of key, whatever is
// there, with an expiry time in Unix milliseconds or 0. The key is not to be
// changed before Done.
func (db *DB) LoadList(key []byte, expireAt int64) *ListLoader {
	return &ListLoader{db, key, expireAt, &listObject{arena: db.ks.arena}, db.ks.Limits.list()}
}

// Add adds an element.
func (l *ListLoader) Add(p []byte) { l.object.push(false, p, l.limit) }

// AddListpack adds a node as Nodes gives it: a listpack, which must be valid. One
// without elements is left out.
func (l *ListLoader) AddListpack(lp []byte) {
	if listpack.First(lp) != 0 {
		l.object.addListpack(lp)
	}
}

// AddPlain adds a node of one element.
func (l *ListLoader) AddPlain(p []byte) { l.object.addPlain(l.object.last-l.object.first, p) }

// Done makes the list the value of its key and tells whether it has elements;
// otherwise nothing changes.
func (l *ListLoader) Done() bool {
	o := l.object
	if o.len() == 0 {
		return false
	}
	if lp, fits := o.asListpack(l.limit); fits {
		l.db.setPacked(l.key, TypeList, EncodingListpack, lp, l.expireAt)
		o.Release(1)
		return true
	}
	l.db.setObject(l.key, TypeList, EncodingQuicklist, o, l.expireAt)
	return true
}

// Drop gives back what was added: the list is not wanted.
func (l *ListLoader) Drop() {
	objects := &l.db.ks.arena.objects
	objects.remove(objects.add(l.object))
}
