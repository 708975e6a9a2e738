package dataset

import (
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// ErrDuplicate says that a value has the same member or field twice.
var ErrDuplicate = errors.New("an element occurs twice")

// ErrEnd says that a value has ended before its last part.
var ErrEnd = errors.New("the value ends too early")

// Loader puts values into databases, part by part where they come so. The zero value
// is ready to use.
type Loader struct {
	db   *store.DB // of the value under way; nil: none is
	key  []byte    // of the value under way
	list *store.ListLoader

	stream streamLoader // of a stream under way
}

// Load gives key the value v with an expiry time in Unix milliseconds (0: none). The
// key must not exist, and v not be empty. If v is but the first part of a value, More
// brings the others; a list appears with the last one. After an error there is
// nothing of the value left.
func Load(db *store.DB, key []byte, v *rdb.Value, expireAt int64) error {
	var l Loader
	return l.Load(db, key, v, expireAt)
}

// Load is the function of that name.
func (l *Loader) Load(db *store.DB, key []byte, v *rdb.Value, expireAt int64) error {
	if l.db != nil {
		l.Abandon()
		return ErrEnd
	}
	if v.Type == rdb.TypeString {
		db.SetString(key, v.Data, expireAt)
		return nil
	}
	if v.More {
		l.db, l.key = db, append(l.key[:0], key...)
	}
	err := l.begin(db, key, v, expireAt)
	if err != nil {
		db.Delete(key)
		l.Abandon()
		return fmt.Errorf("load %v: %w", v.Type, err)
	}
	return nil
}

// More adds the next part of the value under way.
func (l *Loader) More(v *rdb.Value) error {
	if l.db == nil {
		return ErrEnd
	}
	if err := l.add(l.db, l.key, v); err != nil {
		l.Abandon()
		return fmt.Errorf("load %v: %w", v.Type, err)
	}
	if !v.More {
		l.db = nil
	}
	return nil
}

// Abandon removes the value under way, if there is one.
func (l *Loader) Abandon() {
	if l.list != nil {
		l.list.Drop()
		l.list = nil
	}
	if l.db != nil {
		l.db.Delete(l.key)
		l.db = nil
	}
}

// begin makes the value, packed if it is.
func (l *Loader) begin(db *store.DB, key []byte, v *rdb.Value, expireAt int64) error {
	switch v.Type {
	case rdb.TypeStream:
		return l.loadStream(db, key, v, expireAt)
	case rdb.TypeList:
		l.list = db.LoadList(key, expireAt)
		return l.add(db, key, v)
	case rdb.TypeSet:
		switch v.Form {
		case rdb.FormIntset:
			db.SetSetPacked(key, store.EncodingIntset, v.Data, expireAt)
			return nil
		case rdb.FormListpack:
			db.SetSetPacked(key, store.EncodingListpack, v.Data, expireAt)
			return nil
		}
		set := db.EditSet(key)
		set.ExpectMany(int(v.Count))
	case rdb.TypeHash:
		if v.Form == rdb.FormListpack {
			db.SetHashPacked(key, v.Data, expireAt)
			return nil
		}
		hash := db.EditHash(key)
		hash.ExpectMany(int(v.Count))
	case rdb.TypeSortedSet:
		if v.Form == rdb.FormListpack {
			_, err := db.SetSortedSetPacked(key, v.Data, expireAt)
			return err
		}
	}
	if err := l.add(db, key, v); err != nil {
		return err
	}
	if expireAt != 0 {
		db.SetExpire(key, expireAt)
	}
	return nil
}

// add adds elements to the value at a key.
func (l *Loader) add(db *store.DB, key []byte, v *rdb.Value) error {
	switch v.Type {
	case rdb.TypeList:
		return l.addList(v)
	case rdb.TypeSet:
		return addSet(db, key, v)
	case rdb.TypeHash:
		return addHash(db, key, v)
	case rdb.TypeSortedSet:
		return addSortedSet(db, key, v)
	}
	return l.addStream(v)
}

func (l *Loader) addList(v *rdb.Value) error {
	if v.Form == rdb.FormNodes {
		for node, packed := range v.Nodes() {
			if packed {
				l.list.AddListpack(node)
			} else {
				l.list.AddPlain(node)
			}
		}
	} else {
		for p := range v.Elements() {
			l.list.Add(p)
		}
	}
	if v.More {
		return nil
	}
	done := l.list.Done()
	l.list = nil
	if !done {
		return ErrEnd
	}
	return nil
}

func addSet(db *store.DB, key []byte, v *rdb.Value) error {
	set := db.EditSet(key)
	for member := range v.Elements() {
		if !set.Add(member) {
			return fmt.Errorf("%.40q: %w", member, ErrDuplicate)
		}
	}
	return nil
}

func addHash(db *store.DB, key []byte, v *rdb.Value) error {
	hash := db.EditHash(key)
	for field, value := range v.Pairs() {
		if !hash.Set(field, value) {
			return fmt.Errorf("%.40q: %w", field, ErrDuplicate)
		}
	}
	return nil
}

func addSortedSet(db *store.DB, key []byte, v *rdb.Value) error {
	// What is going to be large is so from the start, as in Redis: in packed form a score
	// of -0 would become 0.
	longest := 0
	if v.Count <= int64(db.Limits().SortedSetEntries) {
		for member := range v.Scored() {
			longest = max(longest, len(member))
		}
	}
	w := db.EditSortedSet(key)
	w.Expect(int(v.Count), longest)
	for member, score := range v.Scored() {
		if _, out := w.Add(member, score, 0); out != store.AddedNew {
			return fmt.Errorf("%.40q: %w", member, ErrDuplicate)
		}
	}
	return nil
}
