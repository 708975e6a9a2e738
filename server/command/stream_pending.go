package command

import (
	"fmt"
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

const (
	errClaimMinIdle     ReplyError = "ERR Invalid min-idle-time argument for XCLAIM"
	errClaimIdle        ReplyError = "ERR Invalid IDLE option argument for XCLAIM"
	errClaimTime        ReplyError = "ERR Invalid TIME option argument for XCLAIM"
	errClaimRetryCount  ReplyError = "ERR Invalid RETRYCOUNT option argument for XCLAIM"
	errAutoClaimMinIdle ReplyError = "ERR Invalid min-idle-time argument for XAUTOCLAIM"
	errAutoClaimCount   ReplyError = "ERR COUNT must be > 0"
)

func errClaimOption(option []byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR Unrecognized XCLAIM option '%s'", quoted(option, len(option))))
}

var (
	xclaimCommand    = []byte("XCLAIM")
	zeroArg          = []byte("0")
	timeOption       = []byte("TIME")
	retryCountOption = []byte("RETRYCOUNT")
	forceOption      = []byte("FORCE")
	justIDOption     = []byte("JUSTID")
	lastIDOption     = []byte("LASTID")
)

// claimed says to whom, when and how often an entry was delivered.
type claimed struct {
	consumer    []byte
	time, count int64
}

// alsoClaim tells replicas of an entry that was delivered, and how far the group
// has come.
func (c *Call) alsoClaim(key, name []byte, g *store.StreamGroup, id []byte, d claimed) {
	c.Also(xclaimCommand, key, name, d.consumer, zeroArg, id, timeOption, c.spell(d.time),
		retryCountOption, c.spell(d.count), forceOption, justIDOption, lastIDOption, c.spellID(g.LastID))
}

func runXAck(c *Call) {
	s, ok := c.findStreamToEdit(c.Args[1])
	if !ok {
		return
	}
	g := groupOf(s, c.Args[2])
	if g == nil {
		c.Out.Int(0)
		return
	}
	var few [8]store.StreamID
	ids, ok := c.manyIDArgs(3, few[:0])
	if !ok {
		return
	}
	n := 0
	for _, id := range ids {
		if g.Acknowledge(id) {
			n++
		}
	}
	c.Changed(n)
	c.Out.Int(int64(n))
}

// pendingOptions are the options of XPENDING that ask for single entries.
type pendingOptions struct {
	minIdle    int64
	start, end store.StreamID
	limit      int64
	consumer   []byte // nil: all
}

func parsePending(c *Call) (o pendingOptions, ok bool) {
	if len(c.Args) < 6 || len(c.Args) > 9 {
		c.Fail(ErrSyntax)
		return o, false
	}
	at := 3
	if equalFold(c.Args[at], "IDLE") {
		if o.minIdle, ok = c.intArg(at + 1); !ok {
			return o, false
		}
		if len(c.Args) < 8 {
			c.Fail(ErrSyntax)
			return o, false
		}
		at += 2
	}
	if o.limit, ok = c.intArg(at + 2); !ok {
		return o, false
	}
	if o.start, ok = c.intervalStart(at); !ok {
		return o, false
	}
	if o.end, ok = c.intervalEnd(at + 1); !ok {
		return o, false
	}
	if at+3 < len(c.Args) {
		o.consumer = c.Args[at+3]
	}
	return o, true
}

func runXPending(c *Call) {
	summary := len(c.Args) == 3
	var opts pendingOptions
	if !summary {
		var ok bool
		if opts, ok = parsePending(c); !ok {
			return
		}
	}
	s, ok := c.findStream(c.Args[1])
	if !ok {
		return
	}
	g := groupOf(s, c.Args[2])
	switch {
	case g == nil:
		c.Fail(errNoGroup(c.Args[1], c.Args[2], ""))
	case summary:
		c.replyPendingSummary(g)
	default:
		opts.reply(c, g)
	}
}

func (c *Call) replyPendingSummary(g *store.StreamGroup) {
	c.Out.Array(4)
	c.Out.Int(int64(g.Pending()))
	first, _, ok := g.NextPending(store.StreamID{})
	if !ok {
		c.Out.Null()
		c.Out.Null()
		c.Out.NullArray()
		return
	}
	c.replyID(first)
	c.replyID(g.LastPending())
	mark, n := c.Out.Mark(), 0
	for _, consumer := range g.Consumers() {
		if consumer.Pending() > 0 {
			c.Out.Array(2)
			c.Out.BulkString(consumer.Name())
			c.Out.BulkInt(int64(consumer.Pending()))
			n++
		}
	}
	c.Out.InsertArray(mark, n)
}

// reply replies with single pending entries.
func (o *pendingOptions) reply(c *Call, g *store.StreamGroup) {
	var of *store.StreamConsumer
	if o.consumer != nil {
		if of = g.Consumer(o.consumer); of == nil {
			c.Out.Array(0)
			return
		}
	}
	mark, n := c.Out.Mark(), int64(0)
	eachPending(g, of, o.start, o.end, func(id store.StreamID, d *store.StreamDelivery) bool {
		if n >= o.limit {
			return false
		}
		idle := c.Now - d.Time
		if o.minIdle != 0 && idle < o.minIdle {
			return true
		}
		n++
		c.Out.Array(4)
		c.replyID(id)
		c.Out.BulkString(g.Owner(d).Name())
		c.Out.Int(max(idle, 0))
		c.Out.Int(d.Count)
		return true
	})
	c.Out.InsertArray(mark, int(n))
}

// eachPending visits what is pending at a consumer, or at any when of is nil,
// from one ID to another until visit returns false. visit may change the group.
func eachPending(g *store.StreamGroup, of *store.StreamConsumer, from, to store.StreamID, visit func(store.StreamID, *store.StreamDelivery) bool) {
	for ok := true; ok; {
		var id store.StreamID
		var d *store.StreamDelivery
		if of == nil {
			id, d, ok = g.NextPending(from)
		} else if id, ok = of.NextPending(from); ok {
			d = g.Delivery(id)
		}
		if !ok || to.Less(id) || !visit(id, d) {
			return
		}
		from, ok = id.Next()
	}
}

// claimOptions are the options of XCLAIM.
type claimOptions struct {
	minIdle       int64
	ids           []store.StreamID
	time          int64
	retries       int64 // -1: not given
	force, justID bool
	last          store.StreamID
}

func parseClaim(c *Call, ids []store.StreamID) (o claimOptions, ok bool) {
	o.retries = -1
	o.time = -1
	if o.minIdle, ok = parseInt(c.Args[4]); !ok {
		c.Fail(errClaimMinIdle)
		return o, false
	}
	o.minIdle = max(o.minIdle, 0)
	i := 5
	for ; i < len(c.Args); i++ {
		id, ok := parseStreamID(c.Args[i], 0)
		if !ok {
			break // an option, it is to be hoped
		}
		ids = append(ids, id)
	}
	o.ids = ids
	for ; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch arg := c.Args[i]; {
		case equalFold(arg, "FORCE"):
			o.force = true
		case equalFold(arg, "JUSTID"):
			o.justID = true
		case more && equalFold(arg, "IDLE"):
			i++
			if o.time, ok = c.claimArg(i, errClaimIdle); !ok {
				return o, false
			}
			o.time = c.Now - o.time
		case more && equalFold(arg, "TIME"):
			i++
			if o.time, ok = c.claimArg(i, errClaimTime); !ok {
				return o, false
			}
		case more && equalFold(arg, "RETRYCOUNT"):
			i++
			if o.retries, ok = c.claimArg(i, errClaimRetryCount); !ok {
				return o, false
			}
		case more && equalFold(arg, "LASTID"):
			i++
			if o.last, ok = c.idArg(i); !ok {
				return o, false
			}
		default:
			c.Fail(errClaimOption(arg))
			return o, false
		}
	}
	// A time that makes no sense is most likely that of a client whose clock is
	// not ours.
	if o.time < 0 || o.time > c.Now {
		o.time = c.Now
	}
	return o, true
}

func (c *Call) claimArg(i int, err ReplyError) (n int64, ok bool) {
	if n, ok = parseInt(c.Args[i]); !ok {
		c.Fail(err)
	}
	return n, ok
}

func runXClaim(c *Call) {
	key, name := c.Args[1], c.Args[2]
	s, ok := c.findStreamToEdit(key)
	if !ok {
		return
	}
	g := groupOf(s, name)
	if g == nil {
		c.Fail(errNoGroup(key, name, ""))
		return
	}
	var few [8]store.StreamID
	opts, ok := parseClaim(c, few[:0])
	if !ok {
		return
	}
	c.Suppress()
	advanced := g.LastID.Less(opts.last)
	if advanced {
		g.LastID = opts.last
	}
	cl := claim{c: c, s: s, g: g, key: key, name: name, to: c.claimant(g), justID: opts.justID}
	mark, n := c.Out.Mark(), 0
	for i, id := range opts.ids {
		d := g.Delivery(id)
		if !s.Contains(id) {
			if d != nil {
				cl.drop(id, c.Args[5+i], d)
			}
			continue
		}
		count := int64(1)
		switch {
		case d != nil:
			if opts.minIdle > 0 && c.Now-d.Time < opts.minIdle {
				continue
			}
			count = d.Count
		case !opts.force:
			continue
		}
		if opts.retries >= 0 {
			count = opts.retries
		} else if !opts.justID {
			count++
		}
		cl.take(id, c.Args[5+i], opts.time, count)
		n++
	}
	if advanced && !cl.told {
		c.alsoSetGroup(key, name, g)
		c.Changed(1)
	}
	c.Out.InsertArray(mark, n)
}

// claimant is the consumer of XCLAIM and XAUTOCLAIM, created when missing.
func (c *Call) claimant(g *store.StreamGroup) *store.StreamConsumer {
	to := g.Consumer(c.Args[3])
	if to == nil {
		to = g.AddConsumer(c.Args[3], c.Now)
		c.groupChanged("xgroup-createconsumer", c.Args[1])
	}
	to.Seen = c.Now
	return to
}

// A claim moves pending entries to a consumer.
type claim struct {
	c         *Call
	s         *store.Stream
	g         *store.StreamGroup
	key, name []byte
	to        *store.StreamConsumer
	justID    bool
	told      bool // replicas know of the group's last ID
}

// drop takes an entry that was deleted off what is pending.
func (cl *claim) drop(id store.StreamID, text []byte, d *store.StreamDelivery) {
	owner := []byte(cl.g.Owner(d).Name())
	cl.c.alsoClaim(cl.key, cl.name, cl.g, text, claimed{owner, d.Time, d.Count})
	cl.c.Changed(1)
	cl.told = true
	cl.g.Acknowledge(id)
}

// take makes an entry pending at the consumer and replies with it.
func (cl *claim) take(id store.StreamID, text []byte, time, count int64) {
	cl.g.Deliver(id, cl.to, time, count)
	if cl.justID {
		cl.c.replyID(id)
	} else {
		cl.c.replyEntryByID(cl.s, id)
	}
	cl.to.Active = cl.c.Now
	cl.c.alsoClaim(cl.key, cl.name, cl.g, text, claimed{cl.c.Args[3], time, count})
	cl.c.Changed(1)
	cl.told = true
}

// autoClaimOptions are the options of XAUTOCLAIM.
type autoClaimOptions struct {
	minIdle int64
	start   store.StreamID
	limit   int64
	justID  bool
}

// autoClaimTries is how many pending entries are looked at for each that is
// asked for.
const autoClaimTries = 10

func parseAutoClaim(c *Call) (o autoClaimOptions, ok bool) {
	o.limit = 100
	if o.minIdle, ok = parseInt(c.Args[4]); !ok {
		c.Fail(errAutoClaimMinIdle)
		return o, false
	}
	o.minIdle = max(o.minIdle, 0)
	if o.start, ok = c.intervalStart(5); !ok {
		return o, false
	}
	for i := 6; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case equalFold(arg, "COUNT") && i+1 < len(c.Args):
			i++
			const most = math.MaxInt64 / 16 // so that ten times as many can be counted
			if o.limit, ok = parseInt(c.Args[i]); !ok || o.limit < 1 || o.limit > most {
				c.Fail(errAutoClaimCount)
				return o, false
			}
		case equalFold(arg, "JUSTID"):
			o.justID = true
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func runXAutoClaim(c *Call) {
	key, name := c.Args[1], c.Args[2]
	e, found := c.FindRead(key)
	opts, ok := parseAutoClaim(c)
	if !ok {
		return
	}
	s, ok := c.editStream(e, found)
	if !ok {
		return
	}
	g := groupOf(s, name)
	if g == nil {
		c.Fail(errNoGroup(key, name, ""))
		return
	}
	c.Suppress()
	cl := claim{c: c, s: s, g: g, key: key, name: name, to: c.claimant(g), justID: opts.justID}
	c.Out.Array(3)
	mark, n := c.Out.Mark(), 0
	deleted, next := opts.run(&cl, &n)
	// The cursor comes first, but is known last.
	c.Out.InsertArray(mark, n)
	var text [maxStreamID]byte
	c.Out.InsertBulk(mark, appendStreamID(text[:0], next))
	c.Out.Array(len(deleted))
	for _, id := range deleted {
		c.replyID(id)
	}
}

// run claims a portion and returns the IDs that do not exist any more, and where
// the next portion begins, 0-0 at the end.
func (o *autoClaimOptions) run(cl *claim, n *int) (deleted []store.StreamID, next store.StreamID) {
	left := o.limit
	next = o.start
	for tries := o.limit * autoClaimTries; tries > 0 && left > 0; tries-- {
		id, d, ok := cl.g.NextPending(next)
		if !ok {
			return deleted, store.StreamID{}
		}
		idle := cl.c.Now - d.Time
		switch {
		case !cl.s.Contains(id):
			cl.drop(id, cl.c.spellID(id), d)
			deleted = append(deleted, id)
			left--
		case o.minIdle == 0 || idle >= o.minIdle:
			count := d.Count
			if !o.justID {
				count++
			}
			cl.take(id, cl.c.spellID(id), cl.c.Now, count)
			*n++
			left--
		}
		if next, ok = id.Next(); !ok {
			return deleted, store.StreamID{}
		}
	}
	if id, _, ok := cl.g.NextPending(next); ok {
		return deleted, id
	}
	return deleted, store.StreamID{}
}
