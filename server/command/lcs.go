package command

import "math"

type lcsOptions struct {
	length, ranges, lengths bool
	minLen                  int64
}

func runLCS(c *Call) {
	a, b, ok := lcsOperands(c)
	if !ok {
		return
	}
	opts, ok := parseLCS(c)
	if !ok {
		return
	}
	table, ok := newLCSTable(c, a, b)
	if !ok {
		return
	}
	switch {
	case opts.ranges:
		table.replyRanges(c, opts)
	case opts.length:
		c.Out.Int(int64(table.at(len(a), len(b))))
	default:
		c.Out.Bulk(table.subsequence())
	}
}

func lcsOperands(c *Call) (a, b []byte, ok bool) {
	x, foundX := c.FindRead(c.Args[1])
	y, foundY := c.FindRead(c.Args[2])
	if (foundX && x.Type() != typeString) || (foundY && y.Type() != typeString) {
		c.Fail(errLCSNotStrings)
		return nil, nil, false
	}
	// Looking the second key up may have removed it (its time was over), which
	// ends the validity of the first entry.
	if foundX && !foundY {
		x, foundX = c.DB.Find(c.Args[1])
	}
	if foundX {
		a = x.StringBytes(make([]byte, 0, 32))
	}
	if foundY {
		b = y.StringBytes(make([]byte, 0, 32))
	}
	return a, b, true
}

func parseLCS(c *Call) (o lcsOptions, ok bool) {
	for i := 3; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case equalFold(arg, "IDX"):
			o.ranges = true
		case equalFold(arg, "LEN"):
			o.length = true
		case equalFold(arg, "WITHMATCHLEN"):
			o.lengths = true
		case equalFold(arg, "MINMATCHLEN") && i+1 < len(c.Args):
			i++
			if o.minLen, ok = c.intArg(i); !ok {
				return o, false
			}
			o.minLen = max(o.minLen, 0)
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	if o.ranges && o.length {
		c.Fail(errLCSLenAndIdx)
		return o, false
	}
	return o, true
}

// lcsTable holds, for every pair of prefixes, the length of their longest
// common subsequence.
type lcsTable struct {
	a, b  []byte
	cells []uint32
}

func newLCSTable(c *Call, a, b []byte) (*lcsTable, bool) {
	if len(a) >= math.MaxUint32-1 || len(b) >= math.MaxUint32-1 {
		c.Fail(errLCSTooLong)
		return nil, false
	}
	size := (uint64(len(a)) + 1) * (uint64(len(b)) + 1)
	if size > uint64(c.maxString())/4 {
		c.Fail(errLCSMemory)
		return nil, false
	}
	t := &lcsTable{a: a, b: b, cells: make([]uint32, size)}
	width := len(b) + 1
	for i := range a {
		above, row := t.cells[i*width:(i+1)*width], t.cells[(i+1)*width:(i+2)*width]
		for j := range b {
			if a[i] == b[j] {
				row[j+1] = above[j] + 1
			} else {
				row[j+1] = max(above[j+1], row[j])
			}
		}
	}
	return t, true
}

// at is the length for the first i bytes of a and the first j bytes of b.
func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// backwards walks from the ends of both strings to the beginning and calls
// visit for every byte of the subsequence, the last one first, with its place
// in either string. Where two ways are equally long, the one that goes back in
// b is taken: clients see which.
func (t *lcsTable) backwards(visit func(i, j int)) {
	i, j := len(t.a), len(t.b)
	for i > 0 && j > 0 {
		switch {
		case t.a[i-1] == t.b[j-1]:
			i, j = i-1, j-1
			visit(i, j)
		case t.at(i-1, j) > t.at(i, j-1):
			i--
		default:
			j--
		}
	}
}

func (t *lcsTable) subsequence() []byte {
	n := t.at(len(t.a), len(t.b))
	found := make([]byte, n)
	t.backwards(func(i, _ int) {
		n--
		found[n] = t.a[i]
	})
	return found
}

// replyRanges replies with the runs in which the subsequence is contiguous in
// both strings, the last one first, and with its length.
func (t *lcsTable) replyRanges(c *Call, o lcsOptions) {
	c.Out.Map(2)
	c.Out.BulkString("matches")
	mark, count := c.Out.Mark(), 0
	first, second, length := 0, 0, int64(0) // the run being collected
	emit := func() {
		if length == 0 || length < o.minLen {
			return
		}
		count++
		if o.lengths {
			c.Out.Array(3)
		} else {
			c.Out.Array(2)
		}
		for _, from := range [...]int{first, second} {
			c.Out.Array(2)
			c.Out.Int(int64(from))
			c.Out.Int(int64(from) + length - 1)
		}
		if o.lengths {
			c.Out.Int(length)
		}
	}
	t.backwards(func(i, j int) {
		if length > 0 && i == first-1 && j == second-1 {
			length++
		} else {
			emit()
			length = 1
		}
		first, second = i, j
	})
	emit()
	c.Out.InsertArray(mark, count)
	c.Out.BulkString("len")
	c.Out.Int(int64(t.at(len(t.a), len(t.b))))
}
