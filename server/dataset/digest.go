package dataset

import (
	"crypto/sha1" //nolint:gosec // a fingerprint that has to equal Redis', not a protection
	"encoding/binary"
	"fmt"

	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

// Digest is a fingerprint of data that equals what DEBUG DIGEST of a Redis tells of
// the same data.
type Digest [sha1.Size]byte

func (d Digest) String() string { return fmt.Sprintf("%x", d[:]) }

// xor mixes in the fingerprint of b where order does not matter.
func (d *Digest) xor(b []byte) {
	sum := sha1.Sum(b) //nolint:gosec // see the import
	for i := range d {
		d[i] ^= sum[i]
	}
}

// mix does the same where order matters.
func (d *Digest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:]) //nolint:gosec // see the import
}

// number is a number as it goes into a digest.
func number(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// digestTypes are the numbers of the types in a digest.
var digestTypes = map[store.Type]int{
	store.TypeString: 0, store.TypeList: 1, store.TypeSet: 2, store.TypeSortedSet: 3, store.TypeHash: 4, store.TypeStream: 6,
}

// OfKeyspace is the digest of everything.
func OfKeyspace(ks *store.Keyspace) Digest {
	var final Digest
	for i := range ks.Databases() {
		db := ks.DB(i)
		if db.Len() == 0 {
			continue
		}
		final.mix(number(i))
		db.Each(func(e store.Entry) bool {
			var d Digest
			d.mix(e.Key())
			d.value(e)
			final.xor(d[:])
			return true
		})
	}
	return final
}

// OfValue is the digest of a value and of whether it expires.
func OfValue(e store.Entry) Digest {
	var d Digest
	d.value(e)
	return d
}

func (d *Digest) value(e store.Entry) {
	d.mix(number(digestTypes[e.Type()]))
	switch e.Type() {
	case store.TypeString:
		d.mix(e.StringBytes(nil))
	case store.TypeList:
		e.List().Each(func(p []byte) bool {
			d.mix(p)
			return true
		})
	case store.TypeSet:
		e.Set().Each(func(member []byte) bool {
			d.xor(member)
			return true
		})
	case store.TypeSortedSet:
		e.SortedSet().Each(func(member []byte, score float64) bool {
			d.pair(member, resp.AppendSeventeen(nil, score))
			return true
		})
	case store.TypeHash:
		e.Hash().Each(func(field, value []byte) bool {
			d.pair(field, value)
			return true
		})
	case store.TypeStream:
		d.stream(e.Stream())
	}
	if _, volatile := e.ExpireAt(); volatile {
		d.xor([]byte("!!expire!!"))
	}
}

// pair mixes in two things that belong together, in any order with other pairs.
func (d *Digest) pair(a, b []byte) {
	var own Digest
	own.mix(a)
	own.mix(b)
	d.xor(own[:])
}

// stream mixes in the entries. Groups are no part of a digest.
func (d *Digest) stream(s *store.Stream) {
	s.Each(func(it *store.StreamIterator) bool {
		id := it.ID()
		d.mix(fmt.Appendf(nil, "%d.%d", id.Ms, id.Seq))
		for range it.Fields() {
			name, value := it.Field()
			d.mix(name)
			d.mix(value)
		}
		return true
	})
}
