package server

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/rdb"
)

// loadBatch is a run of entries on its way from the parser to the reactor. The
// bytes of all of them are in one arena, so that a batch is two allocations.
type loadBatch struct {
	arena []byte
	items []loadItem
}

type loadItem struct {
	kind     rdb.Kind // entry, more of it, or function
	db       int
	keyEnd   int       // in the arena; the key begins where the previous item ended
	valueEnd int       // in the arena
	value    rdb.Value // without its bytes
	expireAt int64
	used     rdb.Access
}

// A batch is applied in one turn of the loop, so its size is what bounds the turn.
const (
	batchItems = 1024
	batchBytes = 256 << 10
)

func (b *loadBatch) add(rec *rdb.Record) {
	it := loadItem{kind: rec.Kind, db: rec.DB, value: rec.Value, expireAt: rec.ExpireAt,
		used: rdb.Access{IdleSeconds: rec.IdleSeconds, Frequency: rec.Frequency}}
	b.arena = append(b.arena, rec.Key...)
	it.keyEnd = len(b.arena)
	b.arena = append(b.arena, rec.Value.Data...)
	it.valueEnd = len(b.arena)
	it.value.Data = nil
	b.items = append(b.items, it)
}

func (l *load) apply(b *loadBatch) {
	from := 0
	for i := range b.items {
		it := &b.items[i]
		key := b.arena[from:it.keyEnd]
		it.value.Data = b.arena[it.keyEnd:it.valueEnd]
		from = it.valueEnd
		if err := l.applyItem(it, key); err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *load) applyItem(it *loadItem, key []byte) error {
	ks := l.server.keyspace
	switch {
	case it.kind == rdb.KindFunction:
		if err := l.server.functions.load(it.value.Data, true); err != nil {
			return fmt.Errorf("load function library: %w", err)
		}
		return nil
	case it.db >= ks.Databases():
		return fmt.Errorf("load key %q into database %d: %w (0 to %d; see the directive databases)", key, it.db, errNoSuchDB, ks.Databases()-1)
	case it.kind == rdb.KindEntry:
		return l.applyEntry(it, key)
	case l.leftOut: // with the first part
		return nil
	}
	if err := l.loader.More(&it.value); err != nil {
		return fmt.Errorf("load key %q into database %d: %w", key, it.db, err)
	}
	return nil
}

// applyEntry loads a value, or the first part of it.
func (l *load) applyEntry(it *loadItem, key []byte) error {
	db := l.server.keyspace.DB(it.db)
	l.leftOut = true
	switch {
	case it.value.Empty():
		l.empty++
		return nil
	case !l.keepOld && it.expireAt != 0 && it.expireAt <= l.server.clock.unixMs:
		l.expired++
		l.onExpired(it.db, key)
		return nil
	}
	l.leftOut = false
	_, exists := db.Find(key)
	if exists && l.replaces {
		exists = !db.Delete(key)
	}
	err := errDuplicateKey
	if !exists {
		err = l.loader.Load(db, key, &it.value, it.expireAt)
	}
	if err != nil {
		return fmt.Errorf("load key %q into database %d: %w", key, it.db, err)
	}
	if e, ok := db.Find(key); ok {
		e.SetAccess(l.server.env.LoadedAccess(it.used.IdleSeconds, it.used.Frequency, l.server.clock.unixMs))
	}
	l.keys++
	return nil
}
