package command

import "github.com/lockstep-db/lockstep/server/store"

func xinfoSpec() *Spec {
	key := []KeySpec{KeyAt(2, 0, 1, KeyRO|KeyAccess)}
	return &Spec{Name: "xinfo", Arity: -2,
		Doc: Doc{Since: "5.0.0", Complexity: "Depends on the subcommand.", Summary: "Tells about streams and their groups"},
		Subcommands: []*Spec{
			{Name: "stream", Arity: -3, Flags: ReadOnly, KeySpecs: key, Run: runXInfoStream, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1); with FULL, O(N) for N entries, groups, consumers and pending entries",
				Summary: "Tells about a stream",
				History: []Change{
					{"6.0.0", "Option `FULL`."},
					{"7.0.0", "Fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`."},
					{"7.2.0", "Field `active-time`, and a new meaning of `seen-time`."},
				},
				Args: []Arg{Key(), Block("full-block", streamCount).After("FULL").Opt()},
			}},
			{Name: "groups", Arity: 3, Flags: ReadOnly, KeySpecs: key, Run: runXInfoGroups, Doc: Doc{
				Since: "5.0.0", Complexity: "O(N) for N groups", Summary: "Lists the groups of a stream",
				History: []Change{{"7.0.0", "Fields `entries-read` and `lag`."}},
				Args:    []Arg{Key()},
			}},
			{Name: "consumers", Arity: 4, Flags: ReadOnly, KeySpecs: key, Run: runXInfoConsumers, Doc: Doc{
				Since: "5.0.0", Complexity: "O(N) for N consumers", Summary: "Lists the consumers of a group", Tips: unstable,
				History: []Change{{"7.2.0", "Field `inactive`."}},
				Args:    []Arg{Key(), NewArg("group", ArgString)},
			}},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Run: runXInfoHelp,
				Doc: Doc{Since: "5.0.0", Complexity: "O(1)", Summary: "Explains the subcommands"}},
		},
	}
}

// infoStream finds the stream of an XINFO subcommand, or answers with an error.
func (c *Call) infoStream() (s *store.Stream, ok bool) {
	if s, ok = c.findStream(c.Args[2]); ok && s == nil {
		c.Fail(ErrNoSuchKey)
		return nil, false
	}
	return s, ok
}

// infoOptions are the options of XINFO STREAM.
type infoOptions struct {
	full  bool
	limit int64 // entries, and pending ones of each group and consumer; 0: all
}

func parseInfo(c *Call) (o infoOptions, ok bool) {
	const few = 10 // when nobody says how many
	o.limit = few
	opts := c.Args[3:]
	switch {
	case len(opts) == 0:
		return o, true
	case len(opts) != 1 && len(opts) != 3, !equalFold(opts[0], "FULL"), len(opts) == 3 && !equalFold(opts[1], "COUNT"):
		c.Fail(errSubcommandSyntax(c.Args[1], c.Spec.Parent().Name))
		return o, false
	case len(opts) == 3:
		if o.limit, ok = c.intArg(5); !ok {
			return o, false
		}
		if o.limit < 0 {
			o.limit = few
		}
	}
	o.full = true
	return o, true
}

func runXInfoStream(c *Call) {
	s, ok := c.infoStream()
	if !ok {
		return
	}
	opts, ok := parseInfo(c)
	if !ok {
		return
	}
	fields := 10
	if opts.full {
		fields = 9
	}
	c.Out.Map(fields)
	c.infoInt("length", s.Length)
	// There is no radix tree here: a node for each key and a root come nearest.
	c.infoInt("radix-tree-keys", int64(s.Nodes()))
	c.infoInt("radix-tree-nodes", int64(s.Nodes())+1)
	c.infoID("last-generated-id", s.LastID)
	c.infoID("max-deleted-entry-id", s.MaxDeletedID)
	c.infoInt("entries-added", s.Added)
	c.infoID("recorded-first-entry-id", s.FirstID)
	if opts.full {
		c.Out.BulkString("entries")
		c.replyEntries(s.Range(store.StreamID{}, store.MaxStreamID, false), opts.limit)
		c.Out.BulkString("groups")
		c.Out.Array(len(s.Groups()))
		for _, g := range s.Groups() {
			opts.replyGroup(c, s, g)
		}
		return
	}
	c.infoInt("groups", int64(len(s.Groups())))
	c.infoEntry("first-entry", s, false)
	c.infoEntry("last-entry", s, true)
}

func (c *Call) infoInt(name string, n int64) {
	c.Out.BulkString(name)
	c.Out.Int(n)
}

func (c *Call) infoID(name string, id store.StreamID) {
	c.Out.BulkString(name)
	c.replyID(id)
}

func (c *Call) infoEntry(name string, s *store.Stream, last bool) {
	c.Out.BulkString(name)
	it := s.Range(store.StreamID{}, store.MaxStreamID, last)
	if it.Next() {
		c.replyEntry(&it)
	} else {
		c.Out.Null()
	}
}

// infoProgress replies with how far a group has come.
func (c *Call) infoProgress(s *store.Stream, g *store.StreamGroup) {
	c.infoID("last-delivered-id", g.LastID)
	c.infoKnown("entries-read", g.Read, g.Read != store.UnknownRead)
	lag, known := s.Lag(g)
	c.infoKnown("lag", lag, known)
}

func (c *Call) infoKnown(name string, n int64, known bool) {
	c.Out.BulkString(name)
	if known {
		c.Out.Int(n)
	} else {
		c.Out.Null()
	}
}

// replyGroup replies with all about a group.
func (o *infoOptions) replyGroup(c *Call, s *store.Stream, g *store.StreamGroup) {
	c.Out.Map(7)
	c.Out.BulkString("name")
	c.Out.BulkString(g.Name())
	c.infoProgress(s, g)
	c.infoInt("pel-count", int64(g.Pending()))
	c.Out.BulkString("pending")
	o.replyDeliveries(c, g, nil)
	c.Out.BulkString("consumers")
	c.Out.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		c.Out.Map(5)
		c.Out.BulkString("name")
		c.Out.BulkString(consumer.Name())
		c.infoInt("seen-time", consumer.Seen)
		c.infoInt("active-time", consumer.Active)
		c.infoInt("pel-count", int64(consumer.Pending()))
		c.Out.BulkString("pending")
		o.replyDeliveries(c, g, consumer)
	}
}

// replyDeliveries replies with what is pending at a consumer, or at whom when of
// is nil.
func (o *infoOptions) replyDeliveries(c *Call, g *store.StreamGroup, of *store.StreamConsumer) {
	mark, n := c.Out.Mark(), int64(0)
	eachPending(g, of, store.StreamID{}, store.MaxStreamID, func(id store.StreamID, d *store.StreamDelivery) bool {
		if o.limit != 0 && n == o.limit {
			return false
		}
		n++
		if of == nil {
			c.Out.Array(4)
			c.replyID(id)
			c.Out.BulkString(g.Owner(d).Name())
		} else {
			c.Out.Array(3)
			c.replyID(id)
		}
		c.Out.Int(d.Time)
		c.Out.Int(d.Count)
		return true
	})
	c.Out.InsertArray(mark, int(n))
}

func runXInfoGroups(c *Call) {
	s, ok := c.infoStream()
	if !ok {
		return
	}
	c.Out.Array(len(s.Groups()))
	for _, g := range s.Groups() {
		c.Out.Map(6)
		c.Out.BulkString("name")
		c.Out.BulkString(g.Name())
		c.infoInt("consumers", int64(len(g.Consumers())))
		c.infoInt("pending", int64(g.Pending()))
		c.infoProgress(s, g)
	}
}

func runXInfoConsumers(c *Call) {
	s, ok := c.infoStream()
	if !ok {
		return
	}
	g := s.Group(c.Args[3])
	if g == nil {
		c.Fail(errNoSuchGroup(c.Args[2], c.Args[3]))
		return
	}
	c.Out.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		inactive := consumer.Active
		if inactive != -1 {
			inactive = c.Now - inactive
		}
		c.Out.Map(4)
		c.Out.BulkString("name")
		c.Out.BulkString(consumer.Name())
		c.infoInt("pending", int64(consumer.Pending()))
		c.infoInt("idle", max(c.Now-consumer.Seen, 0))
		c.infoInt("inactive", inactive)
	}
}

func runXInfoHelp(c *Call) {
	c.ReplyHelp(
		"CONSUMERS <key> <group>",
		"    The consumers of <group>.",
		"GROUPS <key>",
		"    The groups of a stream.",
		"STREAM <key> [FULL [COUNT <n>]]",
		"    The stream itself; with FULL also its entries, groups, consumers and",
		"    pending entries, up to <n> of each.",
	)
}
