package command

import (
	"bytes"
	"math"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

// combination is a way to make one sorted set of several.
type combination uint8

const (
	combineUnion combination = iota
	combineInter
	combineDiff
)

func runZUnion(c *Call)      { combine(c, combineUnion, 1) }
func runZInter(c *Call)      { combine(c, combineInter, 1) }
func runZDiff(c *Call)       { combine(c, combineDiff, 1) }
func runZUnionStore(c *Call) { combineStore(c, combineUnion, "zunionstore") }
func runZInterStore(c *Call) { combineStore(c, combineInter, "zinterstore") }
func runZDiffStore(c *Call)  { combineStore(c, combineDiff, "zdiffstore") }

// aggregate makes one score of two.
type aggregate uint8

const (
	aggregateSum aggregate = iota
	aggregateMin
	aggregateMax
)

func (a aggregate) of(x, y float64) float64 {
	switch a {
	case aggregateMin:
		if y < x {
			return y
		}
		return x
	case aggregateMax:
		if y > x {
			return y
		}
		return x
	}
	// Infinities of different signs cancel each other out.
	if sum := x + y; !math.IsNaN(sum) {
		return sum
	}
	return 0
}

// combineOptions are those of ZUNION and its like.
type combineOptions struct {
	sources   []scoredSource
	aggregate aggregate
	scores    bool
	limit     int64 // ZINTERCARD
}

// A scoredSource is one of the sorted sets, or sets, to be combined.
type scoredSource struct {
	sorted store.SortedSetView
	set    store.SetView
	isSet  bool
	found  bool
	weight float64
	key    []byte
}

func (s *scoredSource) len() int {
	switch {
	case !s.found:
		return 0
	case s.isSet:
		return s.set.Len()
	}
	return s.sorted.Len()
}

// score is that of a member, which is 1 in a set.
func (s *scoredSource) score(member []byte) (score float64, ok bool) {
	switch {
	case !s.found:
		return 0, false
	case s.isSet:
		return 1, s.set.Has(member)
	}
	return s.sorted.Score(member)
}

func (s *scoredSource) each(visit func(member []byte, score float64) bool) {
	switch {
	case !s.found:
	case s.isSet:
		s.set.Each(func(member []byte) bool { return visit(member, 1) })
	default:
		s.sorted.Each(visit)
	}
}

// weighted is a score times the weight, where infinity times 0 is 0.
func (s *scoredSource) weighted(score float64) float64 {
	if w := score * s.weight; !math.IsNaN(w) {
		return w
	}
	return 0
}

// parseCombination finds the sources, whose number is at an index, and reads the
// options behind them.
func parseCombination(c *Call, how combination, at int, cardinality bool) (o combineOptions, ok bool) {
	n, ok := c.intArg(at)
	if !ok {
		return o, false
	}
	switch {
	case n < 1:
		c.Fail(errNoInputKey(c))
		return o, false
	case n > int64(len(c.Args)-at-1):
		c.Fail(ErrSyntax)
		return o, false
	}
	behind := at + 1 + int(n)
	if o.sources, ok = findSources(c, c.Args[at+1:behind]); !ok {
		return o, false
	}
	o.limit = math.MaxInt64
	weighs, storing := how != combineDiff && !cardinality, at == 2
	for i := behind; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		switch arg := c.Args[i]; {
		case weighs && int64(more) >= n && equalFold(arg, "WEIGHTS"):
			for s := range o.sources {
				i++
				if o.sources[s].weight, ok = c.doubleArg(c.Args[i], errWeight); !ok {
					return o, false
				}
			}
		case weighs && more >= 1 && equalFold(arg, "AGGREGATE"):
			i++
			if o.aggregate, ok = parseAggregate(c, c.Args[i]); !ok {
				return o, false
			}
		case !storing && !cardinality && equalFold(arg, "WITHSCORES"):
			o.scores = true
		case cardinality && more >= 1 && equalFold(arg, "LIMIT"):
			i++
			if o.limit, ok = c.rangeArg(i, 0, math.MaxInt64, errNegativeLimit); !ok {
				return o, false
			}
			if o.limit == 0 {
				o.limit = math.MaxInt64
			}
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func parseAggregate(c *Call, word []byte) (a aggregate, ok bool) {
	switch {
	case equalFold(word, "SUM"):
		return aggregateSum, true
	case equalFold(word, "MIN"):
		return aggregateMin, true
	case equalFold(word, "MAX"):
		return aggregateMax, true
	}
	c.Fail(ErrSyntax)
	return a, false
}

// findSources looks the keys up, or answers with an error if one holds neither a
// sorted set nor a set.
func findSources(c *Call, keys [][]byte) ([]scoredSource, bool) {
	for _, key := range keys {
		e, found := c.FindRead(key)
		if found && e.Type() != typeSortedSet && e.Type() != store.TypeSet {
			c.Fail(ErrWrongType)
			return nil, false
		}
	}
	// An entry is valid until the next key is found expired and removed, so
	// they are looked up again once that is over.
	sources := make([]scoredSource, len(keys))
	for i, key := range keys {
		sources[i] = scoredSource{key: key, weight: 1}
		e, found := c.find(c.DB, key, c.Expiry)
		switch {
		case !found:
		case e.Type() == store.TypeSet:
			sources[i].set, sources[i].isSet, sources[i].found = e.Set(), true, true
		default:
			sources[i].sorted, sources[i].found = e.SortedSet(), true
		}
	}
	return sources, true
}

// result combines the sources. The members come in order.
func (o *combineOptions) result(how combination) *scored {
	r := &scored{}
	switch how {
	case combineUnion:
		o.bySize()
		o.union(r)
	case combineInter:
		o.bySize()
		o.intersect(func(member []byte, score float64) bool {
			r.add(member, score)
			return true
		})
	default:
		o.subtract(r)
	}
	return r.sorted()
}

// bySize puts small sources first, as Redis does: it is less work, and decides
// in which order scores are added up, which rounding makes visible.
func (o *combineOptions) bySize() {
	slices.SortStableFunc(o.sources, func(a, b scoredSource) int { return a.len() - b.len() })
}

func (o *combineOptions) union(r *scored) {
	at := make(map[string]int, o.sources[len(o.sources)-1].len())
	for i := range o.sources {
		s := &o.sources[i]
		s.each(func(member []byte, score float64) bool {
			score = s.weighted(score)
			if j, known := at[string(member)]; known {
				r.scores[j] = o.aggregate.of(r.scores[j], score)
				return true
			}
			at[string(member)] = r.len()
			r.add(member, score)
			return true
		})
	}
}

// intersect visits the members that all sources have, until visit returns false.
// The smallest scoredSource is the first one.
func (o *combineOptions) intersect(visit func(member []byte, score float64) bool) {
	first, others := &o.sources[0], o.sources[1:]
	first.each(func(member []byte, score float64) bool {
		total := first.weighted(score)
		for i := range others {
			other, ok := others[i].score(member)
			if !ok {
				return true
			}
			total = o.aggregate.of(total, other*others[i].weight)
		}
		return visit(member, total)
	})
}

func (o *combineOptions) subtract(r *scored) {
	first, others := &o.sources[0], o.sources[1:]
	first.each(func(member []byte, score float64) bool {
		for i := range others {
			if _, ok := others[i].score(member); ok {
				return true
			}
		}
		r.add(member, score)
		return true
	})
}

// sorted is the same members in order.
func (r *scored) sorted() *scored {
	order := make([]int, r.len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch x, y := r.scores[a], r.scores[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return bytes.Compare(r.member(a), r.member(b))
	})
	s := &scored{names: make([]byte, 0, len(r.names)), ends: make([]int, 0, r.len()), scores: make([]float64, 0, r.len())}
	for _, i := range order {
		s.add(r.member(i), r.scores[i])
	}
	return s
}

func combine(c *Call, how combination, at int) {
	o, ok := parseCombination(c, how, at, false)
	if !ok {
		return
	}
	r := o.result(how)
	pairs := o.scores && c.Out.RESP3()
	if o.scores && !pairs {
		c.Out.Array(2 * r.len())
	} else {
		c.Out.Array(r.len())
	}
	for i := range r.len() {
		if pairs {
			c.Out.Array(2)
		}
		c.Out.Bulk(r.member(i))
		if o.scores {
			c.Out.Double(r.scores[i])
		}
	}
}

func combineStore(c *Call, how combination, event string) {
	if o, ok := parseCombination(c, how, 2, false); ok {
		c.storeScored(c.Args[1], o.result(how), event, 1)
	}
}

func runZInterCard(c *Call) {
	o, ok := parseCombination(c, combineInter, 1, true)
	if !ok {
		return
	}
	o.bySize()
	n := int64(0)
	o.intersect(func([]byte, float64) bool {
		n++
		return n < o.limit
	})
	c.Out.Int(n)
}
