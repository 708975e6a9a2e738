package command

import (
	"bytes"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

func runKeys(c *Call) {
	pattern := c.Args[1]
	all := len(pattern) == 1 && pattern[0] == '*'
	mark, n := c.Out.Mark(), 0
	c.DB.Each(func(e store.Entry) bool {
		if (all || Match(pattern, e.Key())) && (c.Expiry == ExpireIgnore || !c.over(e)) {
			c.Out.Bulk(e.Key())
			n++
		}
		return true
	})
	c.Out.InsertArray(mark, n)
}

type scanOptions struct {
	count    int64
	pattern  []byte
	typeName []byte
	noValues bool // NOVALUES, NOSCORES
}

// parseScan reads the options of SCAN, HSCAN, SSCAN and ZSCAN, which begin at
// argument number from.
func parseScan(c *Call, from int) (o scanOptions, ok bool) {
	o.count = 10
	for i := from; i < len(c.Args); i += 2 {
		arg := c.Args[i]
		if noValues, noScores := equalFold(arg, "NOVALUES"), equalFold(arg, "NOSCORES"); noValues || noScores {
			switch {
			case noValues && c.Spec.Name != "hscan":
				c.Fail(errNoValuesElsewhere)
				return o, false
			case noScores && c.Spec.Name != "zscan":
				c.Fail(errNoScoresElsewhere)
				return o, false
			}
			o.noValues = true
			i--
			continue
		}
		if i+1 == len(c.Args) {
			c.Fail(ErrSyntax)
			return o, false
		}
		switch value := c.Args[i+1]; {
		case equalFold(arg, "COUNT"):
			if o.count, ok = c.intArg(i + 1); !ok {
				return o, false
			}
			if o.count < 1 {
				c.Fail(ErrSyntax)
				return o, false
			}
		case equalFold(arg, "MATCH"):
			o.pattern = value
			if string(value) == "*" {
				o.pattern = nil
			}
		case equalFold(arg, "TYPE") && c.Spec.Name == "scan":
			o.typeName = value
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

// scanEffort bounds how many groups of keys one SCAN visits for each key it was
// asked for, so that a nearly empty table does not make it long.
const scanEffort = 10

func runScan(c *Call) {
	cursor, ok := parseCursor(c.Args[1])
	if !ok {
		c.Fail(errInvalidCursor)
		return
	}
	opts, ok := parseScan(c, 2)
	if !ok {
		return
	}
	c.left.separate = true
	page := c.scanPage(cursor, opts)
	c.Out.Array(2)
	c.Out.BulkString(strconv.FormatUint(page.next, 10))
	c.Out.Array(len(page.keys))
	for _, key := range page.keys {
		c.Out.Bulk(key)
	}
}

type scanPage struct {
	next uint64
	keys [][]byte
}

// scanPage collects keys before it looks at expiry: removing a key ends the
// validity of entries.
func (c *Call) scanPage(cursor uint64, o scanOptions) scanPage {
	var names []byte
	var ends []int
	var due []bool
	visited := int64(0)
	visit := func(e store.Entry) {
		visited++
		if o.pattern != nil && !Match(o.pattern, e.Key()) {
			return
		}
		// Redis removes the expired before it filters by type, too.
		late := c.Expiry != ExpireIgnore && c.over(e)
		if !late && o.typeName != nil && !equalFold(o.typeName, e.Type().String()) {
			return
		}
		names = append(names, e.Key()...)
		ends = append(ends, len(names))
		due = append(due, late)
	}
	rounds := o.count
	if rounds < 1<<40 {
		rounds *= scanEffort
	}
	for {
		cursor = c.DB.Scan(cursor, visit)
		rounds--
		if cursor == 0 || rounds <= 0 || visited >= o.count {
			break
		}
	}
	page := scanPage{next: cursor}
	from := 0
	for i, end := range ends {
		key := names[from:end:end]
		from = end
		switch {
		case !due[i]:
			page.keys = append(page.keys, key)
		case c.Expiry == ExpireDelete:
			c.expire(c.DB, key)
		}
	}
	return page
}

func runRandomKey(c *Call) {
	c.left.separate = true
	// Where expired keys are only hidden, a database full of them must not keep
	// the loop busy.
	for tries := 0; tries < 100; tries++ {
		e, ok := c.DB.RandomEntry(c.Rand())
		if !ok {
			break
		}
		if c.Expiry == ExpireIgnore || !c.over(e) {
			c.Out.Bulk(e.Key())
			return
		}
		if c.Expiry == ExpireDelete {
			c.expire(c.DB, append([]byte(nil), e.Key()...))
			tries-- // one key less: this ends, too
		}
	}
	c.Out.Null()
}

// parseCursor reads what C's strtoul reads, which is more than SCAN gives out:
// a sign (a negative number wraps around), nothing at all, which is 0, and anything
// behind a zero byte.
func parseCursor(b []byte) (uint64, bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	neg := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		neg = b[0] == '-'
		b = b[1:]
		if len(b) == 0 {
			return 0, false
		}
	}
	var n uint64
	for _, ch := range b {
		d := uint64(ch - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if neg {
		n = -n
	}
	return n, true
}
