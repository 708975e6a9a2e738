package store

import (
	"errors"
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

const (
	kindPackedSorted = byte(TypeSortedSet)<<4 | byte(EncodingListpack)
	kindLargeSorted  = byte(TypeSortedSet)<<4 | byte(EncodingSkiplist)
)

// SortedSetAdd gives member of the sorted set at key a score, which must be a
// number, under the conditions of mode. It returns the score that the member has
// then. A missing key is created, a value of another type is a caller's bug.
//
// of is how many members are being added by as many calls, 1 if it is just this
// one: when there will be too many for a packed sorted set, the first call unpacks
// it, or makes a new one large from the start.
func (db *DB) SortedSetAdd(key, member []byte, score float64, mode AddMode, of int) (now float64, out AddOutcome) {
	s := db.space
	p, h, b := s.edit(key)
	if h == 0 {
		if mode&AddExisting != 0 {
			return 0, AddRefused
		}
		db.newSortedSet(key, member, score, of)
		return score, AddedNew
	}
	if b[atKind] == kindPackedSorted {
		if of <= s.ks.Limits.SortedSetEntries {
			if now, out, ok := s.addPacked(p, h, member, score, mode); ok {
				return now, out
			}
		}
		return db.unpackSortedSet(key, valueOf(b)).add(member, score, mode)
	}
	return s.ks.arena.objectOf(b).(*sortedSet).add(member, score, mode)
}

// newSortedSet makes a sorted set of one member, with more to come.
func (db *DB) newSortedSet(key, member []byte, score float64, of int) {
	limits := &db.ks.Limits
	if of > limits.SortedSetEntries || len(member) > limits.SortedSetValue {
		z := newSortedSet(db.ks.arena, &db.ks.hash)
		z.append(member, score)
		db.setObject(key, TypeSortedSet, EncodingSkiplist, z, 0)
		return
	}
	var scratch [32]byte
	name, number := listpack.Encode(member), packScore(score, scratch[:])
	at, middle := listpack.Empty-1, listpack.Empty-1+name.Size()
	size := listpack.Empty + name.Size() + number.Size()
	_, lp := db.space.write(key, kindPackedSorted, size, 0)
	listpack.AppendEmpty(lp[:0])
	lp[size-1] = lp[at] // the end mark
	name.Put(lp[at:middle])
	number.Put(lp[middle : size-1])
	listpack.SetHeader(lp, size, 2)
}

// addPacked is SortedSetAdd for a packed sorted set; ok is false if it has to be
// unpacked before.
func (s *space) addPacked(p place, h handle, member []byte, score float64, mode AddMode) (now float64, out AddOutcome, ok bool) {
	lp := valueOf(s.ks.arena.block(h))
	old := packedFind(lp, member)
	if old.member != 0 {
		now, out = mode.decide(packedScore(lp, old.score), score)
		if out == AddedScore {
			s.packedAdd(p, h, member, now, old)
		}
		return now, out, true
	}
	if mode&AddExisting != 0 {
		return 0, AddRefused, true
	}
	if listpack.Len(lp)/2+1 > s.ks.Limits.SortedSetEntries || len(member) > s.ks.Limits.SortedSetValue {
		return 0, AddRefused, false
	}
	s.packedAdd(p, h, member, score, old)
	return score, AddedNew, true
}

// unpackSortedSet makes the packed sorted set at key, whose bytes are given, a
// large one.
func (db *DB) unpackSortedSet(key, lp []byte) *sortedSet {
	z := newSortedSet(db.ks.arena, &db.ks.hash)
	var scratch [maxIntLen]byte
	for p := packedFirst(lp); p.member != 0; p = packedNext(lp, p) {
		z.append(listpack.Get(lp, p.member, scratch[:]), packedScore(lp, p.score))
	}
	db.setObject(key, TypeSortedSet, EncodingSkiplist, z, keepExpiry)
	return z
}

// SortedSetRemove takes member out of the sorted set at key, which must not hold
// another type, and tells whether it was there. The key goes with its last
// member.
func (db *DB) SortedSetRemove(key, member []byte) bool {
	s := db.space
	p, h, b := s.edit(key)
	if h == 0 {
		return false
	}
	if b[atKind] == kindPackedSorted {
		lp := valueOf(b)
		pair := packedFind(lp, member)
		if pair.member == 0 {
			return false
		}
		if listpack.Len(lp) == 2 {
			db.Delete(key)
		} else {
			s.packedCut(p, h, pair.member, 1)
		}
		return true
	}
	z := s.ks.arena.objectOf(b).(*sortedSet)
	if !z.remove(member) {
		return false
	}
	if z.ranking.count == 0 {
		db.Delete(key)
	}
	return true
}

// SortedSetRemoveRange takes n members from a rank on out of the sorted set at
// key. They must exist. The key goes with its last member.
func (db *DB) SortedSetRemoveRange(key []byte, rank, n int) {
	s := db.space
	p, h, b := s.edit(key)
	if h == 0 || n <= 0 {
		return
	}
	if (Entry{s.ks.arena, h}).SortedSet().Len() == n {
		db.Delete(key)
		return
	}
	if b[atKind] == kindPackedSorted {
		s.packedCut(p, h, packedSeek(valueOf(b), rank).member, n)
		return
	}
	s.ks.arena.objectOf(b).(*sortedSet).removeRange(rank, n)
}

// ErrBadSortedSet is returned by LoadSortedSet for bytes that are no sorted set.
var ErrBadSortedSet = errors.New("store: members and scores do not make a sorted set")

// LoadSortedSet gives key the sorted set that a listpack from outside holds, as
// DUMP and RDB files have it, whatever key was before. The listpack must be valid.
// It stays packed if the limits allow. expireAt is as for SetString. The error is
// ErrBadSortedSet; nothing has changed then.
func (db *DB) LoadSortedSet(key, lp []byte, expireAt int64) error {
	n := listpack.Len(lp)
	if n == 0 || n%2 != 0 {
		return ErrBadSortedSet
	}
	fits := n/2 <= db.ks.Limits.SortedSetEntries
	var scratch [maxIntLen]byte
	before := math.Inf(-1)
	for p := packedFirst(lp); p.member != 0; p = packedNext(lp, p) {
		score, ok := foreignScore(lp, p.score)
		if !ok || score < before {
			return ErrBadSortedSet
		}
		before = score
		fits = fits && len(listpack.Get(lp, p.member, scratch[:])) <= db.ks.Limits.SortedSetValue
	}
	if fits {
		db.setPacked(key, TypeSortedSet, EncodingListpack, lp, expireAt)
		return nil
	}
	db.Delete(key)
	for p := packedFirst(lp); p.member != 0; p = packedNext(lp, p) {
		db.SortedSetAdd(key, listpack.Get(lp, p.member, scratch[:]), packedScore(lp, p.score), 0, n/2)
	}
	if expireAt != 0 {
		db.SetExpire(key, expireAt)
	}
	return nil
}

// foreignScore is packedScore for a listpack from outside.
func foreignScore(lp []byte, at int) (score float64, ok bool) {
	if n, isInt := listpack.Int(lp, at); isInt {
		return float64(n), true
	}
	var scratch [maxIntLen]byte
	score, err := strconv.ParseFloat(string(listpack.Get(lp, at, scratch[:])), 64)
	return score, err == nil && !math.IsNaN(score)
}
