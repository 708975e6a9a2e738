package command

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

// elementScan visits a few elements of a collection from a cursor on, each with
// its value if there are any (otherwise nil), and returns the next cursor.
type elementScan func(e store.Entry, cursor uint64, visit func(element, value []byte)) (next uint64)

// scanElements is HSCAN, SSCAN and ZSCAN.
func scanElements(c *Call, t store.Type, scan elementScan) {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		c.Fail(errInvalidCursor)
		return
	}
	e, found, failed := c.findAs(t, c.Args[1])
	switch {
	case failed:
		return
	case !found: // whatever the options are
		c.Out.Array(2)
		c.Out.BulkString("0")
		c.Out.Array(0)
		return
	}
	opts, ok := parseScan(c, 3)
	if !ok {
		return
	}
	c.Out.Array(2)
	mark, n := c.Out.Mark(), 0
	visited := int64(0)
	visit := func(element, value []byte) {
		visited++
		if opts.pattern != nil && !Match(opts.pattern, element) {
			return
		}
		c.Out.Bulk(element)
		n++
		if value != nil && !opts.noValues {
			c.Out.Bulk(value)
			n++
		}
	}
	// As SCAN, this looks at a bounded number of groups even if they are empty.
	rounds := opts.count
	if rounds < 1<<40 {
		rounds *= scanEffort
	}
	for {
		cursor = scan(e, cursor, visit)
		rounds--
		if cursor == 0 || rounds <= 0 || visited >= opts.count {
			break
		}
	}
	c.Out.InsertArray(mark, n)
	c.Out.InsertBulk(mark, strconv.AppendUint(c.digits(), cursor, 10))
}
