package command

import (
	"fmt"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

const (
	errReadNoGroup     ReplyError = "ERR Missing GROUP option for XREADGROUP"
	errReadGroupOption ReplyError = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
	errReadNoAckOption ReplyError = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
	errReadNewID       ReplyError = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
	errReadTopID       ReplyError = "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set."
	errReadLastID      ReplyError = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)

func errUnbalanced(c *Call, id byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.",
		c.Spec.FullName(), id))
}

func errScriptBlocks(name []byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR %s command is not allowed with BLOCK option from scripts", name))
}

func errNoGroup(key, group []byte, where string) ReplyError {
	return ReplyError(fmt.Sprintf("NOGROUP No such key '%s' or consumer group '%s'%s",
		quoted(key, len(key)), quoted(group, len(group)), where))
}

// readOptions are the options of XREAD and XREADGROUP.
type readOptions struct {
	group, consumer []byte // nil for XREAD
	noAck           bool
	limit           int64 // entries of each stream; 0: all
	blocks          bool
	deadline        int64 // Unix milliseconds; 0: none
	keysAt, streams int   // the IDs follow the keys
}

func runXRead(c *Call)      { readStreams(c, false) }
func runXReadGroup(c *Call) { readStreams(c, true) }

func parseRead(c *Call, grouped bool) (o readOptions, ok bool) {
	for i := 1; i < len(c.Args) && o.keysAt == 0; i++ {
		more := len(c.Args) - 1 - i
		switch arg := c.Args[i]; {
		case more >= 1 && equalFold(arg, "BLOCK"):
			if c.Scripted {
				c.Fail(errScriptBlocks(c.Args[0]))
				return o, false
			}
			i++
			if o.deadline, ok = c.timeoutMillisArg(i); !ok {
				return o, false
			}
			o.blocks = true
		case more >= 1 && equalFold(arg, "COUNT"):
			i++
			if o.limit, ok = c.intArg(i); !ok {
				return o, false
			}
			o.limit = max(o.limit, 0)
		case more >= 1 && equalFold(arg, "STREAMS"):
			o.keysAt, o.streams = i+1, more/2
			if more%2 != 0 {
				id := byte('$')
				if grouped {
					id = '>'
				}
				c.Fail(errUnbalanced(c, id))
				return o, false
			}
		case more >= 2 && equalFold(arg, "GROUP"):
			if !grouped {
				c.Fail(errReadGroupOption)
				return o, false
			}
			o.group, o.consumer = c.Args[i+1], c.Args[i+2]
			i += 2
		case equalFold(arg, "NOACK"):
			if !grouped {
				c.Fail(errReadNoAckOption)
				return o, false
			}
			o.noAck = true
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	switch {
	case o.keysAt == 0:
		c.Fail(ErrSyntax)
		return o, false
	case grouped && o.group == nil:
		c.Fail(errReadNoGroup)
		return o, false
	}
	return o, true
}

// resolve reads the IDs after which to read: MaxStreamID stands for >.
func (o *readOptions) resolve(c *Call, ids []store.StreamID) (all []store.StreamID, ok bool) {
	for i := range o.streams {
		key := c.Args[o.keysAt+i]
		s, ok := c.findStream(key)
		if !ok {
			return nil, false
		}
		if o.group != nil && (s == nil || s.Group(o.group) == nil) {
			c.Fail(errNoGroup(key, o.group, " in XREADGROUP with GROUP option"))
			return nil, false
		}
		id, at := store.StreamID{}, o.keysAt+o.streams+i
		switch arg := c.Args[at]; {
		case string(arg) == "$":
			if o.group != nil {
				c.Fail(errReadLastID)
				return nil, false
			}
			if s != nil {
				id = s.LastID
			}
		case string(arg) == "+":
			if o.group != nil {
				c.Fail(errReadTopID)
				return nil, false
			}
			id = beforeTop(s)
		case string(arg) == ">":
			if o.group == nil {
				c.Fail(errReadNewID)
				return nil, false
			}
			id = store.MaxStreamID
		default:
			if id, ok = c.idArg(at); !ok {
				return nil, false
			}
		}
		ids = append(ids, id)
	}
	return ids, true
}

// beforeTop is what + stands for: the ID after which there is nothing but the last
// entry of a stream, which may be nil, or after which the first one will come.
func beforeTop(s *store.Stream) (id store.StreamID) {
	switch {
	case s == nil:
	case s.Length == 0:
		id = s.LastID
	default:
		id, _ = s.TopID().Prev()
	}
	return id
}

func readStreams(c *Call, grouped bool) {
	// The effects of XREADGROUP are those on the group, one by one.
	c.Suppress()
	opts, ok := parseRead(c, grouped)
	if !ok {
		return
	}
	var few [8]store.StreamID
	ids, ok := opts.resolve(c, few[:0])
	if !ok {
		return
	}
	mark, served := c.Out.Mark(), 0
	for i := range opts.streams {
		key := c.Args[opts.keysAt+i]
		if grouped && opts.readGrouped(c, key, ids[i]) || !grouped && opts.read(c, key, ids[i]) {
			served++
		}
	}
	switch {
	case served > 0 && c.Out.RESP3():
		c.Out.InsertMap(mark, served)
	case served > 0:
		c.Out.InsertArray(mark, served)
	case !opts.blocks:
		c.Out.NullArray()
	default:
		opts.wait(c, ids)
	}
}

// wait blocks the call. What $ stands for is now that, and not what it will be
// when there is something to read; + is what is last then.
func (o *readOptions) wait(c *Call, ids []store.StreamID) {
	var args [][]byte
	for i, id := range ids {
		if at := o.keysAt + o.streams + i; string(c.Args[at]) == "$" {
			if args == nil {
				args = slices.Clone(c.Args) // who monitors sees what was sent
			}
			args[at] = appendStreamID(nil, id)
		}
	}
	c.Block(Wait{
		Args: args, Keys: c.Args[o.keysAt : o.keysAt+o.streams], Type: store.TypeStream, Gone: o.group != nil,
		Deadline: o.deadline, TimedOut: replyNothingRead,
	})
}

func replyNothingRead(c *Call) { c.Out.NullArray() }

// replyStream begins the part of the reply that a stream has.
func (c *Call) replyStream(key []byte) {
	if !c.Out.RESP3() {
		c.Out.Array(2)
	}
	c.Out.Bulk(key)
}

// read replies with the entries of a stream after an ID, if there are any.
func (o *readOptions) read(c *Call, key []byte, after store.StreamID) bool {
	e, found := c.FindRead(key)
	if !found {
		return false
	}
	s := e.Stream()
	if s.Length == 0 || !after.Less(s.TopID()) {
		return false
	}
	c.replyStream(key)
	from, _ := after.Next()
	c.replyEntries(s.Range(from, store.MaxStreamID, false), o.limit)
	return true
}

// readGrouped is read for a consumer of a group: new entries, or those that are
// pending at the consumer.
func (o *readOptions) readGrouped(c *Call, key []byte, after store.StreamID) bool {
	e, found := c.FindRead(key)
	if !found {
		return false
	}
	s := c.DB.EditStream(e)
	g := s.Group(o.group)
	consumer := g.Consumer(o.consumer)
	if consumer == nil {
		consumer = g.AddConsumer(o.consumer, c.Now)
		c.groupChanged("xgroup-createconsumer", key)
		if o.noAck {
			c.Also(xgroupCommand, createConsumerOption, key, o.group, o.consumer)
		}
	}
	consumer.Seen = c.Now
	if after != store.MaxStreamID {
		c.replyStream(key)
		from, _ := after.Next()
		c.replyPending(s, g, consumer, from, o.limit)
		c.Changed(1)
		return true
	}
	if s.Length == 0 || !g.LastID.Less(s.TopID()) {
		return false
	}
	c.replyStream(key)
	o.deliver(c, s, g, consumer, key)
	c.Changed(1)
	return true
}

// deliver replies with new entries and makes them pending at the consumer.
func (o *readOptions) deliver(c *Call, s *store.Stream, g *store.StreamGroup, to *store.StreamConsumer, key []byte) {
	from, _ := g.LastID.Next()
	it := s.Range(from, store.MaxStreamID, false)
	mark, n := c.Out.Mark(), int64(0)
	for (o.limit == 0 || n < o.limit) && it.Next() {
		s.Delivered(g, it.ID())
		c.replyEntry(&it)
		n++
		if o.noAck {
			continue
		}
		// Somebody may have set the group back, so that the entry is pending
		// already.
		g.Deliver(it.ID(), to, c.Now, 1)
		to.Active = c.Now
		c.alsoClaim(key, o.group, g, c.spellID(it.ID()), claimed{o.consumer, c.Now, 1})
	}
	c.Out.InsertArray(mark, int(n))
	if n > 0 {
		// A claim does not tell how many entries the group has read: without this the
		// lag would be unknown on a replica, and after a failover.
		c.alsoSetGroup(key, o.group, g)
	}
}

// replyPending replies with what is pending at a consumer, from an ID on. Entries
// that were deleted meanwhile have null in the place of their fields.
func (c *Call) replyPending(s *store.Stream, g *store.StreamGroup, of *store.StreamConsumer, from store.StreamID, limit int64) {
	mark, n := c.Out.Mark(), int64(0)
	for id, ok := of.NextPending(from); ok && (limit == 0 || n < limit); n++ {
		if c.replyEntryByID(s, id) {
			d := g.Delivery(id)
			d.Time = c.Now
			d.Count++
		} else {
			c.Out.Array(2)
			c.replyID(id)
			c.Out.NullArray()
		}
		if from, ok = id.Next(); ok {
			id, ok = of.NextPending(from)
		}
	}
	c.Out.InsertArray(mark, int(n))
}
