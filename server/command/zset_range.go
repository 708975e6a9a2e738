package command

import "github.com/lockstep-db/lockstep/server/store"

// rangeBy is what the ends of a range are.
type rangeBy uint8

const (
	byAny rangeBy = iota // until an option says so
	byRank
	byScore
	byLex
)

func runZRange(c *Call)           { zrange(c, rangeOptions{}, true) }
func runZRevRange(c *Call)        { zrange(c, rangeOptions{by: byRank, down: true}, false) }
func runZRangeByScore(c *Call)    { zrange(c, rangeOptions{by: byScore}, false) }
func runZRevRangeByScore(c *Call) { zrange(c, rangeOptions{by: byScore, down: true}, false) }
func runZRangeByLex(c *Call)      { zrange(c, rangeOptions{by: byLex}, false) }
func runZRevRangeByLex(c *Call)   { zrange(c, rangeOptions{by: byLex, down: true}, false) }

// rangeOptions are those of ZRANGE and of all that is like it.
type rangeOptions struct {
	by            rangeBy
	down          bool
	scores        bool
	offset, count int64 // count -1: no limit

	start, stop int64            // byRank
	min, max    store.ScoreBound // byScore
	from, to    store.LexBound   // byLex
}

// parseRange reads the ends, which are at an index, and the options behind them.
// With free, options may say which range is meant and which way it goes; with
// store, scores are not to be asked for.
func parseRange(c *Call, o *rangeOptions, at int, free, store bool) bool {
	o.count = -1
	bound := o.by != byAny
	for i := at + 2; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case !store && equalFold(arg, "WITHSCORES"):
			o.scores = true
		case equalFold(arg, "LIMIT") && i+2 < len(c.Args):
			var ok bool
			if o.offset, ok = c.intArg(i + 1); !ok {
				return false
			}
			if o.count, ok = c.intArg(i + 2); !ok {
				return false
			}
			i += 2
		case free && !o.down && equalFold(arg, "REV"):
			o.down = true
		case !bound && o.by == byAny && equalFold(arg, "BYLEX"):
			o.by = byLex
		case !bound && o.by == byAny && equalFold(arg, "BYSCORE"):
			o.by = byScore
		default:
			c.Fail(ErrSyntax)
			return false
		}
	}
	if o.by == byAny {
		o.by = byRank
	}
	switch {
	case o.count != -1 && o.by == byRank:
		c.Fail(errLimitByRank)
	case o.scores && o.by == byLex:
		c.Fail(errScoresByLex)
	default:
		return parseEnds(c, o, c.Args[at], c.Args[at+1], at)
	}
	return false
}

// parseEnds reads the ends of a range; one that goes down is given from the upper
// one.
func parseEnds(c *Call, o *rangeOptions, first, second []byte, at int) (ok bool) {
	if o.down {
		first, second = second, first
	}
	switch o.by {
	case byScore:
		o.min, o.max, ok = c.parseScoreRange(first, second)
	case byLex:
		o.from, o.to, ok = c.parseLexRange(first, second)
	default:
		if o.start, ok = c.intArg(at); ok {
			o.stop, ok = c.intArg(at + 1)
		}
	}
	return ok
}

// in is what a range is of a sorted set: n members, from the one of a rank on, in
// the direction of the range.
func (o *rangeOptions) in(s store.SortedSetView) (rank, n int) {
	switch o.by {
	case byScore:
		rank, n = s.ScoreRange(o.min, o.max)
	case byLex:
		rank, n = s.LexRange(o.from, o.to, o.down)
	default:
		rank, n = rankRange(o.start, o.stop, s.Len())
		if o.down {
			rank = s.Len() - rank - n
		}
	}
	skip := n
	if o.offset >= 0 && o.offset < int64(n) {
		skip = int(o.offset)
	}
	if o.by == byRank {
		skip = 0
	}
	left := n - skip
	if o.count >= 0 && o.by != byRank {
		left = int(min(o.count, int64(left)))
	}
	if o.down {
		return rank + n - 1 - skip, left
	}
	return rank + skip, left
}

// rankRange turns ranks that may count from the end into the first rank and a
// number of members.
func rankRange(start, stop int64, length int) (rank, n int) {
	size := int64(length)
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	if stop = min(stop, size-1); start > stop {
		return 0, 0
	}
	return int(start), int(stop - start + 1)
}

func zrange(c *Call, o rangeOptions, free bool) {
	if !parseRange(c, &o, 2, free, false) {
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case !found:
		c.Out.Array(0)
	default:
		rank, n := o.in(s)
		c.replyMembers(s, rank, n, o.down, o.scores)
	}
}

// replyMembers replies with n members from a rank on. Version 3 of the protocol
// has members and scores in pairs.
func (c *Call) replyMembers(s store.SortedSetView, rank, n int, down, scores bool) {
	pairs := scores && c.Out.RESP3()
	if scores && !pairs {
		c.Out.Array(2 * n)
	} else {
		c.Out.Array(n)
	}
	s.Walk(rank, n, down, func(member []byte, score float64) bool {
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

func runZRangeStore(c *Call) {
	var o rangeOptions
	if !parseRange(c, &o, 3, true, true) {
		return
	}
	s, found, failed := c.sortedSet(c.Args[2])
	if failed {
		return
	}
	result := scored{uncounted: o.by != byRank}
	if found {
		rank, n := o.in(s)
		s.Walk(rank, n, o.down, func(member []byte, score float64) bool {
			result.add(member, score)
			return true
		})
	}
	c.storeScored(c.Args[1], &result, "zrangestore", 1)
}

// scored is members with scores on their way from one sorted set to another.
type scored struct {
	names  []byte
	ends   []int // of each member in names
	scores []float64
	// uncounted says that Redis does not know their number before it has stored
	// them: the sorted set is packed until there are too many, and loses the sign
	// of zeroes.
	uncounted bool
}

func (r *scored) add(member []byte, score float64) {
	r.names = append(r.names, member...)
	r.ends = append(r.ends, len(r.names))
	r.scores = append(r.scores, score)
}

func (r *scored) len() int { return len(r.scores) }

func (r *scored) member(i int) []byte {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.names[from:r.ends[i]:r.ends[i]]
}

// storeScored replaces what is at a key by a sorted set, or by nothing if there
// are no members, and replies with their number. changes is how many changes that
// counts as; 0 means one for each member.
func (c *Call) storeScored(key []byte, r *scored, event string, changes int) {
	if r.len() > 0 {
		c.FindWrite(key) // what has expired there is said to have
	}
	existed := c.DB.Delete(key)
	c.Out.Int(int64(r.len()))
	if r.len() == 0 {
		if existed {
			c.modified(EventGeneric, "del", key)
		}
		return
	}
	longest := 0
	for i := range r.len() {
		longest = max(longest, len(r.member(i)))
	}
	if existed { // then nothing comes into being
		defer c.muteAdded()()
	}
	w := c.DB.EditSortedSet(key)
	if !r.uncounted {
		w.Expect(r.len(), longest)
	}
	for i := range r.len() {
		w.Add(r.member(i), r.scores[i], 0)
	}
	c.access(w.Entry())
	if changes == 0 {
		changes = r.len()
	}
	c.Changed(changes)
	c.Touch(key)
	c.notify(EventSortedSet, event, key)
	c.ready(key)
}
