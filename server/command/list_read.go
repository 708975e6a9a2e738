package command

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

func runLLen(c *Call) {
	e, found, failed := c.findList(c.Args[1])
	switch {
	case failed:
	case !found:
		c.Out.Int(0)
	default:
		c.Out.Int(int64(e.List().Len()))
	}
}

func runLIndex(c *Call) {
	e, found, failed := c.findList(c.Args[1])
	if failed {
		return
	}
	if !found {
		c.Out.Null()
		return
	}
	index, ok := c.intArg(2)
	if !ok {
		return
	}
	if it := e.List().From(int(index)); it.Valid() {
		c.Out.Bulk(it.Get(c.digits()))
	} else {
		c.Out.Null()
	}
}

// indexRange reads two indexes of a list, or answers with an error.
func (c *Call) indexRange(at int) (first, last int64, ok bool) {
	if first, ok = c.intArg(at); !ok {
		return 0, 0, false
	}
	last, ok = c.intArg(at + 1)
	return first, last, ok
}

// listRange makes indexes of n elements count from the head and lie within them;
// last is less than first when nothing is between them.
func listRange(first, last int64, n int) (int, int) {
	if first < 0 {
		first = max(0, first+int64(n))
	}
	if last < 0 {
		last += int64(n)
	}
	last = min(last, int64(n)-1)
	if first > last {
		return 0, -1
	}
	return int(first), int(last)
}

func runLRange(c *Call) {
	first, last, ok := c.indexRange(2)
	if !ok {
		return
	}
	e, found, failed := c.findList(c.Args[1])
	if failed {
		return
	}
	if !found {
		c.Out.Array(0)
		return
	}
	l := e.List()
	from, to := listRange(first, last, l.Len())
	c.Out.Array(to - from + 1)
	if from > to {
		return
	}
	it := l.From(from)
	for range to - from + 1 {
		c.Out.Bulk(it.Get(c.digits()))
		it.Step()
	}
}

type lposOptions struct {
	rank  int64 // the first match that counts; from the tail when negative
	count int64 // matches; 0: all; -1: one, which is not in an array
	most  int64 // elements to look at; 0: all
}

func parseLPos(c *Call) (o lposOptions, ok bool) {
	o = lposOptions{rank: 1, count: -1}
	for i := 3; i < len(c.Args); i += 2 {
		more := i+1 < len(c.Args)
		switch arg := c.Args[i]; {
		case equalFold(arg, "RANK") && more:
			if o.rank, ok = c.countArg(i + 1); !ok {
				return o, false
			}
			if o.rank == 0 {
				c.Fail(errZeroRank)
				return o, false
			}
		case equalFold(arg, "COUNT") && more:
			if o.count, ok = c.rangeArg(i+1, 0, math.MaxInt64, "ERR COUNT can't be negative"); !ok {
				return o, false
			}
		case equalFold(arg, "MAXLEN") && more:
			if o.most, ok = c.rangeArg(i+1, 0, math.MaxInt64, "ERR MAXLEN can't be negative"); !ok {
				return o, false
			}
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

const errZeroRank ReplyError = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"

func runLPos(c *Call) {
	opts, ok := parseLPos(c)
	if !ok {
		return
	}
	e, found, failed := c.findList(c.Args[1])
	switch {
	case failed:
	case !found && opts.count >= 0:
		c.Out.Array(0)
	case !found:
		c.Out.Null()
	default:
		replyPositions(c, e.List(), opts)
	}
}

func replyPositions(c *Call, l store.List, o lposOptions) {
	mark, found := c.Out.Mark(), 0
	it, index, step := l.From(0), 0, 1
	if o.rank < 0 {
		it, index, step = l.BackFrom(-1), l.Len()-1, -1
		o.rank = -o.rank
	}
	want := o.count
	switch want {
	case 0:
		want = math.MaxInt64
	case -1:
		want = 1
	}
	if o.most == 0 {
		o.most = math.MaxInt64
	}
	for value := c.Args[2]; it.Valid() && o.most > 0 && int64(found) < want; it.Step() {
		if it.Equal(value) {
			if o.rank--; o.rank <= 0 {
				c.Out.Int(int64(index))
				found++
			}
		}
		index += step
		o.most--
	}
	switch {
	case o.count >= 0:
		c.Out.InsertArray(mark, found)
	case found == 0:
		c.Out.Null()
	}
}
