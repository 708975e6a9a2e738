package store

import (
	"errors"
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// SortedSetEdit changes the sorted set at one key, which is created with its first
// member and removed with its last one. While it is in use nothing else may change
// the Keyspace.
type SortedSetEdit struct {
	edit
	begin bool // a new one is large from the start
}

// EditSortedSet begins to change the sorted set at key, which holds a sorted set or
// nothing.
func (db *DB) EditSortedSet(key []byte) SortedSetEdit { return SortedSetEdit{edit: db.edit(key)} }

// EditSortedSetFound is EditSortedSet for whoever has just looked key up, and has
// found e or nothing.
func (db *DB) EditSortedSetFound(key []byte, e Entry, found bool) SortedSetEdit {
	return SortedSetEdit{edit: db.editAfterLook(key, e, found)}
}

// SortedSet is the sorted set as it is now. There is one.
func (w *SortedSetEdit) SortedSet() SortedSetView { return sortedSetOf(w.arena(), w.block()) }

// Expect says that n members are going to be added, the first one of so many
// bytes. Like Redis it takes all of them for new ones: too many for a packed sorted
// set make it a large one.
func (w *SortedSetEdit) Expect(n, bytes int) {
	l := w.limits()
	switch {
	case w.h == 0:
		w.begin = n > l.SortedSetEntries || bytes > l.SortedSetValue
	case n > l.SortedSetEntries:
		w.enlarge()
	}
}

// Add gives a member a score, which must be a number, under the conditions of
// mode. It returns the score that the member has then.
func (w *SortedSetEdit) Add(member []byte, score float64, mode AddMode) (now float64, out AddOutcome) {
	if w.isLarge() {
		return w.large().add(member, score, mode)
	}
	old := packedPair{}
	if w.h != 0 {
		if old = packedFind(w.packed(), member); old.member != 0 {
			now, out = mode.decide(packedScore(w.packed(), old.score), score)
			if out == AddedScore {
				w.cut(old.member, 1)
				w.place(member, now)
			}
			return now, out
		}
	}
	l := w.limits()
	switch {
	case mode&AddExisting != 0:
		return 0, AddRefused
	case w.begin && w.h == 0, len(member) > l.SortedSetValue, l.SortedSetEntries == 0,
		w.h != 0 && (listpack.Len(w.packed())/2 >= l.SortedSetEntries || len(w.packed())+len(member) > maxPacked):
		w.enlarge()
		return w.large().add(member, score, mode)
	}
	w.place(member, score)
	return score, AddedNew
}

// Remove takes a member out and tells whether it was there.
func (w *SortedSetEdit) Remove(member []byte) bool {
	switch {
	case w.h == 0:
		return false
	case w.isLarge():
		if !w.large().remove(member) {
			return false
		}
		if w.large().ranking.count == 0 {
			w.remove()
		}
		return true
	}
	old := packedFind(w.packed(), member)
	if old.member == 0 {
		return false
	}
	w.cut(old.member, 1)
	if listpack.Len(w.packed()) == 0 {
		w.remove()
	}
	return true
}

// RemoveRange takes n members out, from a rank on. They must exist.
func (w *SortedSetEdit) RemoveRange(rank, n int) {
	switch {
	case n <= 0:
	case n == w.SortedSet().Len():
		w.remove()
	case w.isLarge():
		w.large().removeRange(rank, n)
	default:
		w.cut(packedSeek(w.packed(), rank).member, n)
	}
}

func (w *SortedSetEdit) large() *sortedSet { return w.arena().objectOf(w.block()).(*sortedSet) }

// place adds a member that is not there to a packed sorted set, or to none.
func (w *SortedSetEdit) place(member []byte, score float64) {
	var scratch [32]byte
	name, number := listpack.Encode(member), packScore(score, scratch[:])
	if w.h == 0 {
		w.createListpack(TypeSortedSet, name, number)
		return
	}
	at, size := packedPlace(w.packed(), member, score), name.Size()
	lp := w.splice(at, 0, size+number.Size())
	name.Put(lp[at:])
	number.Put(lp[at+size:])
	listpack.Spliced(lp, 2)
}

// cut takes n pairs out of a packed sorted set, from the one at a position on.
func (w *SortedSetEdit) cut(at, n int) {
	lp, size := w.packed(), 0
	for range 2 * n {
		size += listpack.EntrySize(lp, at+size)
	}
	listpack.Spliced(w.splice(at, size, 0), -2*n)
}

// enlarge makes the sorted set, or none, a large one, if it is not.
func (w *SortedSetEdit) enlarge() {
	if w.isLarge() {
		return
	}
	z := newSortedSet(w.arena(), &w.db.ks.hash)
	if w.h != 0 {
		w.SortedSet().Each(func(member []byte, score float64) bool {
			z.append(member, score)
			return true
		})
	}
	w.setObject(TypeSortedSet, EncodingSkiplist, z)
}

// ErrBadSortedSet is returned by SetSortedSetPacked for what is no sorted set.
var ErrBadSortedSet = errors.New("store: members and scores do not make a sorted set")

// SetSortedSetPacked gives key a sorted set in the form of a listpack that is known
// to be sound and to hold no member twice, with the expiry time as for SetString.
// With more members than Limits.SortedSetEntries it becomes a large one; as in
// Redis, long members are left as they are. The error is ErrBadSortedSet: scores
// are no numbers or not in order; nothing has changed then.
func (db *DB) SetSortedSetPacked(key, packed []byte, expireAt int64) (Entry, error) {
	n := listpack.Len(packed)
	if n == 0 || n%2 != 0 {
		return Entry{}, ErrBadSortedSet
	}
	before := math.Inf(-1)
	for p := packedFirst(packed); p.member != 0; p = packedNext(packed, p) {
		score, ok := foreignScore(packed, p.score)
		if !ok || score < before {
			return Entry{}, ErrBadSortedSet
		}
		before = score
	}
	e := db.setPacked(key, TypeSortedSet, EncodingListpack, packed, expireAt)
	if n/2 <= db.ks.Limits.SortedSetEntries {
		return e, nil
	}
	w := db.EditSortedSet(key)
	w.enlarge()
	return w.Entry(), nil
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
