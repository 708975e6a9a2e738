package command

import (
	"math"

	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

func runZRandMember(c *Call) {
	if len(c.Args) > 2 {
		sampleMembers(c)
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case !found:
		c.Out.Null()
	default:
		s.Walk(c.anyRank(s), 1, false, func(member []byte, _ float64) bool {
			c.Out.Bulk(member)
			return true
		})
	}
}

func (c *Call) anyRank(s store.SortedSetView) int { return int(c.Rand() % uint64(s.Len())) }

// sampleMembers is ZRANDMEMBER with a number: so many different members, or, if it
// is negative, so many that may be the same.
func sampleMembers(c *Call) {
	count, ok := c.countArg(2)
	if !ok {
		return
	}
	scores := len(c.Args) == 4
	switch {
	case len(c.Args) > 4 || scores && !equalFold(c.Args[3], "WITHSCORES"):
		c.Fail(ErrSyntax)
		return
	case scores && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		c.Fail(errOutOfRange)
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case !found || count == 0:
		c.Out.Array(0)
	case count >= int64(s.Len()):
		c.replyMembers(s, 0, s.Len(), false, scores)
	case count < 0:
		begin := func(n int64) { c.beginSample(scores, int(n)) }
		c.repeat(-count, begin, func() { c.replyRank(s, scores, c.anyRank(s)) })
	default:
		ranks := c.differentRanks(s.Len(), int(count))
		c.beginSample(scores, len(ranks))
		for _, rank := range ranks {
			c.replyRank(s, scores, rank)
		}
	}
}

// differentRanks draws n of the ranks below length, each choice with the same
// chance (Floyd's algorithm), in the order in which they were drawn.
func (c *Call) differentRanks(length, n int) []int {
	drawn := make(map[int]struct{}, n)
	ranks := make([]int, 0, n)
	for top := length - n; top < length; top++ {
		r := int(c.Rand() % uint64(top+1))
		if _, again := drawn[r]; again {
			r = top
		}
		drawn[r] = struct{}{}
		ranks = append(ranks, r)
	}
	return ranks
}

// beginSample begins a reply of n members: in version 3 with a pair for each one
// and its score.
func (c *Call) beginSample(scores bool, n int) {
	if scores && !c.Out.RESP3() {
		n *= 2
	}
	c.Out.Array(n)
}

// replyRank replies with the member of a rank.
func (c *Call) replyRank(s store.SortedSetView, scores bool, rank int) {
	s.Walk(rank, 1, false, func(member []byte, score float64) bool {
		if scores && c.Out.RESP3() {
			c.Out.Array(2)
		}
		c.Out.Bulk(member)
		if scores {
			c.Out.Double(score)
		}
		return true
	})
}

func runZScan(c *Call) {
	var scratch [32]byte
	scanElements(c, typeSortedSet, func(e store.Entry, cursor uint64, visit func(element, value []byte)) uint64 {
		spell := resp.AppendDouble
		if e.Encoding() == store.EncodingSkiplist {
			spell = resp.AppendSeventeen // also in 7.2, where all others spell scores in few digits
		}
		return e.SortedSet().Scan(cursor, func(member []byte, score float64) {
			visit(member, spell(scratch[:0], score)) // a string in version 3, too
		})
	})
}
