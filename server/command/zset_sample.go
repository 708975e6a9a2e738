package command

import (
	"math"
	"strconv"

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
	count, ok := c.intArg(2)
	if !ok {
		return
	}
	if count == math.MinInt64 {
		c.Fail(errSampleRange)
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
		c.replySample(s, scores, int(-count), func(int) int { return c.anyRank(s) })
	default:
		ranks := c.differentRanks(s.Len(), int(count))
		c.replySample(s, scores, len(ranks), func(i int) int { return ranks[i] })
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

func (c *Call) replySample(s store.SortedSetView, scores bool, n int, rank func(i int) int) {
	pairs := scores && c.Out.RESP3()
	if scores && !pairs {
		c.Out.Array(2 * n)
	} else {
		c.Out.Array(n)
	}
	for i := range n {
		s.Walk(rank(i), 1, false, func(member []byte, score float64) bool {
			if pairs {
				c.Out.Array(2)
			}
			c.Out.Bulk(member)
			if scores {
				c.Out.Double(score)
			}
			return true
		})
	}
}

func runZScan(c *Call) {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		c.Fail(errInvalidCursor)
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	if !found {
		c.Out.Array(2)
		c.Out.BulkString("0")
		c.Out.Array(0)
		return
	}
	opts, ok := parseScan(c)
	if !ok {
		return
	}
	var r scored
	visited := int64(0)
	rounds := opts.count
	if rounds < 1<<40 {
		rounds *= scanEffort
	}
	for {
		cursor = s.Scan(cursor, func(member []byte, score float64) {
			visited++
			if opts.pattern == nil || Match(opts.pattern, member) {
				r.add(member, score)
			}
		})
		if rounds--; cursor == 0 || rounds <= 0 || visited >= opts.count {
			break
		}
	}
	c.Out.Array(2)
	c.Out.BulkString(strconv.FormatUint(cursor, 10))
	c.Out.Array(2 * r.len())
	var scratch [32]byte
	for i := range r.len() {
		c.Out.Bulk(r.member(i))
		c.Out.Bulk(resp.AppendDouble(scratch[:0], r.scores[i])) // a string in version 3, too
	}
}
