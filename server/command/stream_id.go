package command

import (
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

const (
	errStreamID      ReplyError = "ERR Invalid stream ID specified as stream command argument"
	errIntervalStart ReplyError = "ERR invalid start ID for the interval"
	errIntervalEnd   ReplyError = "ERR invalid end ID for the interval"
)

const (
	maxStreamID = 41  // the longest ID in its usual form
	maxIDLength = 127 // the longest one that is read: Redis has a buffer of that size
)

func appendStreamID(dst []byte, id store.StreamID) []byte {
	dst = strconv.AppendUint(dst, id.Ms, 10)
	return strconv.AppendUint(append(dst, '-'), id.Seq, 10)
}

// replyID appends an ID to the reply.
func (c *Call) replyID(id store.StreamID) {
	var text [maxStreamID]byte
	c.Out.Bulk(appendStreamID(text[:0], id))
}

// spellID formats an ID that stays valid until Execute returns.
func (c *Call) spellID(id store.StreamID) []byte {
	from := len(c.left.arena)
	c.left.arena = appendStreamID(c.left.arena, id)
	return c.left.arena[from:len(c.left.arena):len(c.left.arena)]
}

// parseStreamID reads <ms>-<seq>, or <ms> alone to which missing is added.
func parseStreamID(b []byte, missing uint64) (id store.StreamID, ok bool) {
	if len(b) > maxIDLength {
		return id, false
	}
	for i, ch := range b {
		if ch == '-' {
			if id.Ms, ok = parseUint(b[:i]); ok {
				id.Seq, ok = parseUint(b[i+1:])
			}
			return id, ok
		}
	}
	id.Seq = missing
	id.Ms, ok = parseUint(b)
	return id, ok
}

// parseNewStreamID reads the ID for a new entry, which may be <ms>-*.
func parseNewStreamID(b []byte) (id store.StreamID, autoSeq, ok bool) {
	if n := len(b); n > 2 && n <= maxIDLength && b[n-1] == '*' && b[n-2] == '-' {
		id.Ms, ok = parseUint(b[:n-2])
		return id, true, ok
	}
	id, ok = parseStreamID(b, 0)
	return id, false, ok
}

// parseUint reads an unsigned integer as C's strtoull does: with blanks, a plus
// sign and zeroes in front of it.
func parseUint(b []byte) (n uint64, ok bool) {
	for len(b) > 0 && (b[0] == ' ' || '\t' <= b[0] && b[0] <= '\r') {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, ch := range b {
		d := uint64(ch - '0')
		if ch < '0' || ch > '9' || n > math.MaxUint64/10 || n == math.MaxUint64/10 && d > math.MaxUint64%10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// idArg reads an argument as an ID, or answers with an error.
func (c *Call) idArg(i int) (id store.StreamID, ok bool) {
	if id, ok = parseStreamID(c.Args[i], 0); !ok {
		c.Fail(errStreamID)
	}
	return id, ok
}

// anyIDArg is idArg that takes - and + for the smallest and the greatest ID, too.
func (c *Call) anyIDArg(i int, missing uint64) (id store.StreamID, ok bool) {
	switch string(c.Args[i]) {
	case "-":
		return store.StreamID{}, true
	case "+":
		return store.MaxStreamID, true
	}
	if id, ok = parseStreamID(c.Args[i], missing); !ok {
		c.Fail(errStreamID)
	}
	return id, ok
}

// manyIDArgs reads the arguments from an index on as IDs: all of them, before
// anything is done with the first. ids may be used for the result.
func (c *Call) manyIDArgs(from int, ids []store.StreamID) (all []store.StreamID, ok bool) {
	for i := from; i < len(c.Args); i++ {
		id, ok := c.idArg(i)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// intervalStart reads the lower end of a range of IDs, with a parenthesis if it
// is not part of it.
func (c *Call) intervalStart(i int) (id store.StreamID, ok bool) {
	open, ok := c.openEnd(i, 0, &id)
	if open && ok {
		if id, ok = id.Next(); !ok {
			c.Fail(errIntervalStart)
		}
	}
	return id, ok
}

// intervalEnd reads the upper end.
func (c *Call) intervalEnd(i int) (id store.StreamID, ok bool) {
	open, ok := c.openEnd(i, math.MaxUint64, &id)
	if open && ok {
		if id, ok = id.Prev(); !ok {
			c.Fail(errIntervalEnd)
		}
	}
	return id, ok
}

func (c *Call) openEnd(i int, missing uint64, id *store.StreamID) (open, ok bool) {
	arg := c.Args[i]
	if len(arg) < 2 || arg[0] != '(' {
		*id, ok = c.anyIDArg(i, missing)
		return false, ok
	}
	if *id, ok = parseStreamID(arg[1:], missing); !ok {
		c.Fail(errStreamID)
	}
	return true, ok
}
