package store

import (
	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// SetBuilder is a set that belongs to no key yet: the result of a union, say. It
// ends with Store or Discard.
type SetBuilder struct {
	k *Keyspace
	v SetView
}

// NewSet makes an empty set as Redis begins one whose first member it does not
// know: EncodingIntset, EncodingListpack or EncodingHashtable.
func (k *Keyspace) NewSet(encoding Encoding) *SetBuilder {
	b := &SetBuilder{k: k, v: SetView{encoding: encoding}}
	switch encoding {
	case EncodingIntset:
		b.v.packed = intset.New()
	case EncodingListpack:
		b.v.packed = listpack.New()
	default:
		b.v.large = k.newDict()
	}
	return b
}

// Set is the set as it is now.
func (b *SetBuilder) Set() SetView { return b.v }

// Len is the number of members.
func (b *SetBuilder) Len() int { return b.v.Len() }

// Add adds a member and tells whether it is new. member is not kept.
func (b *SetBuilder) Add(member []byte) (added bool) {
	if b.v.large != nil {
		return b.v.large.put(member, nil)
	}
	n, isInt := listpack.ParseInt(member)
	if b.v.Has(member) {
		return false
	}
	switch enc := b.k.Limits.afterMember(b.v, len(member), isInt); {
	case enc == EncodingHashtable:
		b.v = SetView{encoding: enc, large: b.v.toDict(b.k)}
		return b.v.large.put(member, nil)
	case enc == EncodingIntset:
		b.v.packed, _ = intset.Add(b.v.packed, n)
		return true
	case enc != b.v.encoding:
		b.v = SetView{encoding: enc, packed: b.v.toListpack()}
	}
	b.v.packed = listpack.Append(b.v.packed, member)
	return true
}

// Remove removes a member and tells whether it was there.
func (b *SetBuilder) Remove(member []byte) bool {
	if b.v.large != nil {
		return b.v.large.remove(member)
	}
	at, _ := b.v.locate(member)
	if at == 0 {
		return false
	}
	if b.v.encoding == EncodingIntset {
		n, _ := listpack.ParseInt(member)
		b.v.packed, _ = intset.Remove(b.v.packed, n)
	} else {
		b.v.packed = listpack.Delete(b.v.packed, at, 1)
	}
	return true
}

// ToIntset makes a set of which all members are integers an intset, unless they
// are too many for that.
func (b *SetBuilder) ToIntset() {
	if b.v.encoding == EncodingIntset || b.Len() > min(b.k.Limits.SetIntsetEntries, 1<<30) {
		return
	}
	packed := intset.New()
	b.v.Each(func(member []byte) bool {
		if n, ok := listpack.ParseInt(member); ok {
			packed, _ = intset.Add(packed, n)
		}
		return true
	})
	b.Discard()
	b.v = SetView{encoding: EncodingIntset, packed: packed}
}

// Store gives key the set as its value, without an expiry time. The set must not
// be empty, and is not to be used any more.
func (b *SetBuilder) Store(db *DB, key []byte) Entry { return b.store(db, key, 0) }

// StoreKeepTTL is Store, but an existing key keeps its expiry time.
func (b *SetBuilder) StoreKeepTTL(db *DB, key []byte) Entry { return b.store(db, key, keepExpiry) }

func (b *SetBuilder) store(db *DB, key []byte, expireAt int64) Entry {
	if b.v.large != nil {
		return db.setObject(key, TypeSet, EncodingHashtable, b.v.large, expireAt)
	}
	return db.setPacked(key, TypeSet, b.v.encoding, b.v.packed, expireAt)
}

// Discard gives the set up; Keyspace.Step frees what it takes.
func (b *SetBuilder) Discard() {
	if b.v.large != nil {
		b.k.arena.objects.remove(b.v.large.number())
	}
}
