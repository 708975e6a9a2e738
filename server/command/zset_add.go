package command

import "github.com/lockstep-db/lockstep/server/store"

func runZAdd(c *Call)    { zadd(c, c.Args, 0) }
func runZIncrBy(c *Call) { zadd(c, c.Args, store.AddIncrement) }

// zaddOptions are those of ZADD.
type zaddOptions struct {
	mode  store.AddMode
	ch    bool     // count changed scores, too
	pairs [][]byte // scores and members
}

func parseZAdd(c *Call, args [][]byte, mode store.AddMode) (o zaddOptions, ok bool) {
	o.mode = mode
	i := 2
options:
	for ; i < len(args); i++ {
		switch arg := args[i]; {
		case len(arg) > 4 || arg == nil: // nearly all are scores
			break options
		case equalFold(arg, "NX"):
			o.mode |= store.AddMissing
		case equalFold(arg, "XX"):
			o.mode |= store.AddExisting
		case equalFold(arg, "GT"):
			o.mode |= store.AddGreater
		case equalFold(arg, "LT"):
			o.mode |= store.AddLess
		case equalFold(arg, "INCR"):
			o.mode |= store.AddIncrement
		case equalFold(arg, "CH"):
			o.ch = true
		default:
			break options
		}
	}
	o.pairs = args[i:]
	has := func(m store.AddMode) bool { return o.mode&m != 0 }
	switch {
	case len(o.pairs) == 0 || len(o.pairs)%2 != 0:
		c.Fail(ErrSyntax)
	case has(store.AddMissing) && has(store.AddExisting):
		c.Fail(errAddXXNX)
	case has(store.AddMissing) && has(store.AddGreater|store.AddLess), has(store.AddGreater) && has(store.AddLess):
		c.Fail(errAddGTLTNX)
	case has(store.AddIncrement) && len(o.pairs) > 2:
		c.Fail(errAddIncrement)
	default:
		return o, true
	}
	return o, false
}

// zadd is ZADD for these arguments, ZINCRBY when they add to scores.
func zadd(c *Call, args [][]byte, mode store.AddMode) {
	o, ok := parseZAdd(c, args, mode)
	if !ok {
		return
	}
	// All scores are read before anything changes.
	var few [16]float64
	scores := few[:0]
	for i := 0; i < len(o.pairs); i += 2 {
		score, ok := c.doubleArg(o.pairs[i], ErrNotFloat)
		if !ok {
			return
		}
		scores = append(scores, score)
	}
	zaddScores(c, args[1], o, scores)
}

func zaddScores(c *Call, key []byte, o zaddOptions, scores []float64) {
	e, found, failed := c.findToWriteAs(typeSortedSet, key)
	if failed {
		return
	}
	if !found && o.mode&store.AddExisting != 0 {
		replyAdded(c, o, zaddCount{})
		return
	}
	w := c.DB.EditSortedSetFound(key, e, found)
	w.Expect(len(scores), len(o.pairs[1]))
	var n zaddCount
	for i, score := range scores {
		now, out := w.Add(o.pairs[2*i+1], score, o.mode)
		n.now, n.last = now, out
		switch out {
		case store.AddedNew:
			n.added++
		case store.AddedScore:
			n.updated++
		}
	}
	if !found {
		c.access(w.Entry())
	}
	replyAdded(c, o, n)
	if n.added+n.updated == 0 {
		return
	}
	c.Changed(n.added + n.updated)
	c.Touch(key)
	if o.mode&store.AddIncrement != 0 {
		c.notify(EventSortedSet, "zincr", key)
	} else {
		c.notify(EventSortedSet, "zadd", key)
	}
	if n.added > 0 {
		c.ready(key)
	}
}

type zaddCount struct {
	added, updated int
	now            float64 // the last member's score
	last           store.AddOutcome
}

func replyAdded(c *Call, o zaddOptions, n zaddCount) {
	switch {
	case n.last == store.AddNaN:
		c.Fail(errNaN)
	case o.mode&store.AddIncrement != 0 && n.last == store.AddRefused:
		c.Out.Null()
	case o.mode&store.AddIncrement != 0:
		c.Out.Double(n.now)
	case o.ch:
		c.Out.Int(int64(n.added + n.updated))
	default:
		c.Out.Int(int64(n.added))
	}
}
