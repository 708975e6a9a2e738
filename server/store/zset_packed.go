package store

import (
	"bytes"
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// A packed sorted set is a listpack of members and scores in turn, in order, just
// as RDB files have it: a score is an integer if it is a whole number, otherwise
// a string with the fewest digits that tell it from all others.

// packedScore is the score at a position.
func packedScore(lp []byte, at int) float64 {
	if n, ok := listpack.Int(lp, at); ok {
		return float64(n)
	}
	var scratch [maxIntLen]byte
	score, err := strconv.ParseFloat(string(listpack.Get(lp, at, scratch[:])), 64)
	if err != nil && !math.IsInf(score, 0) {
		return 0 // can not be: SetSortedSetPacked has looked at what comes from outside
	}
	return score
}

// exactLimit bounds the whole numbers that are spelled as integers: 2^62, as in
// Redis.
const exactLimit = 1 << 62

// packScore is a score as an element. scratch is for its digits.
func packScore(score float64, scratch []byte) listpack.Element {
	if score >= -exactLimit && score <= exactLimit && score == math.Trunc(score) {
		return listpack.EncodeInt(int64(score))
	}
	switch {
	case math.IsInf(score, 1):
		return listpack.Encode(append(scratch[:0], "inf"...))
	case math.IsInf(score, -1):
		return listpack.Encode(append(scratch[:0], "-inf"...))
	}
	return listpack.Encode(strconv.AppendFloat(scratch[:0], score, 'g', -1, 64))
}

// A packedPair is where a member and its score are.
type packedPair struct {
	member, score int // positions; 0 is none
}

func packedFirst(lp []byte) packedPair {
	at := listpack.First(lp)
	if at == 0 {
		return packedPair{}
	}
	return packedPair{at, listpack.Next(lp, at)}
}

func packedNext(lp []byte, p packedPair) packedPair {
	at := listpack.Next(lp, p.score)
	if at == 0 {
		return packedPair{}
	}
	return packedPair{at, listpack.Next(lp, at)}
}

func packedPrev(lp []byte, p packedPair) packedPair {
	at := listpack.Prev(lp, p.member)
	if at == 0 {
		return packedPair{}
	}
	return packedPair{listpack.Prev(lp, at), at}
}

func packedLast(lp []byte) packedPair {
	at := listpack.Last(lp)
	if at == 0 {
		return packedPair{}
	}
	return packedPair{listpack.Prev(lp, at), at}
}

func packedSeek(lp []byte, rank int) packedPair {
	at := listpack.Seek(lp, 2*rank)
	return packedPair{at, listpack.Next(lp, at)}
}

func packedFind(lp, member []byte) packedPair {
	at := listpack.Find(lp, 0, member, 1)
	if at == 0 {
		return packedPair{}
	}
	return packedPair{at, listpack.Next(lp, at)}
}

// packedPlace is where a member with a score goes: the position of the member
// that will be next, or of the end.
func packedPlace(lp, member []byte, score float64) int {
	var scratch [maxIntLen]byte
	for p := packedFirst(lp); p.member != 0; p = packedNext(lp, p) {
		s := packedScore(lp, p.score)
		if s > score || s == score && bytes.Compare(listpack.Get(lp, p.member, scratch[:]), member) > 0 {
			return p.member
		}
	}
	return len(lp) - 1
}

// packedRange is SortedSetView.ScoreRange.
func packedRange(lp []byte, min, max ScoreBound) (first, n int) {
	for p := packedFirst(lp); p.member != 0; p = packedNext(lp, p) {
		switch score := packedScore(lp, p.score); {
		case min.above(score):
			first++
		case max.below(score):
			return first, n
		default:
			n++
		}
	}
	return first, n
}

// packedLexRange is SortedSetView.LexRange. It looks at one member after the other,
// so that what it gives for members of different scores is what Redis gives.
func packedLexRange(lp []byte, min, max LexBound, down bool) (first, n int) {
	var scratch [maxIntLen]byte
	member := func(p packedPair) []byte { return listpack.Get(lp, p.member, scratch[:]) }
	length := listpack.Len(lp) / 2
	if head, tail := packedFirst(lp), packedLast(lp); min.above(member(tail)) || max.below(member(head)) {
		return 0, 0
	}
	if down {
		p, rank := packedLast(lp), length-1
		for ; p.member != 0 && max.below(member(p)); p = packedPrev(lp, p) {
			rank--
		}
		for ; p.member != 0 && !min.above(member(p)); p = packedPrev(lp, p) {
			n++
		}
		return rank - n + 1, n
	}
	p := packedFirst(lp)
	for ; p.member != 0 && min.above(member(p)); p = packedNext(lp, p) {
		first++
	}
	for ; p.member != 0 && !max.below(member(p)); p = packedNext(lp, p) {
		n++
	}
	return first, n
}

// packedWalk is SortedSetView.Walk.
func packedWalk(lp []byte, spell []byte, rank, n int, down bool, visit func(member []byte, score float64) bool) {
	for p := packedSeek(lp, rank); n > 0; n-- {
		if !visit(listpack.Get(lp, p.member, spell), packedScore(lp, p.score)) || n == 1 {
			return
		}
		if down {
			p = packedPrev(lp, p)
		} else {
			p = packedNext(lp, p)
		}
	}
}
