package command

import "github.com/lockstep-db/lockstep/server/store"

// Streams. The functions are in stream_add.go (entries added and removed),
// stream_range.go (read by ID), stream_read.go (XREAD and XREADGROUP),
// stream_group.go (groups and consumers), stream_pending.go (what was delivered
// and not acknowledged) and stream_info.go.

func streamSpecs() []*Spec {
	specs := append(streamEntrySpecs(), streamReadSpecs()...)
	specs = append(specs, streamPendingSpecs()...)
	for _, s := range specs {
		s.Categories |= CatStream
	}
	for _, s := range []*Spec{xgroupSpec(), xinfoSpec()} {
		for _, sub := range s.Subcommands {
			sub.Categories |= CatStream
		}
		specs = append(specs, s)
	}
	for _, s := range specs {
		s.Group = "stream"
	}
	return specs
}

var (
	streamReading  = []KeySpec{KeyAt(1, 0, 1, KeyRO|KeyAccess)}
	streamUpdating = []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyUpdate)}
	streamRemoving = []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyDelete)}

	streamCount = NewArg("count", ArgInteger).After("COUNT").Opt()
	manyIDs     = NewArg("id", ArgString).Many()
)

// streamTrimArg describes what XADD and XTRIM have in common.
func streamTrimArg() Arg {
	return Block("trim",
		OneOf("strategy", Token("MAXLEN"), Token("MINID").From("6.2.0")),
		OneOf("operator", Token("=").Named("equal"), Token("~").Named("approximately")).Opt(),
		NewArg("threshold", ArgString),
		NewArg("count", ArgInteger).After("LIMIT").From("6.2.0").Opt(),
	)
}

func streamEntrySpecs() []*Spec {
	rangeArgs := func(first, second string) []Arg {
		return []Arg{Key(), NewArg(first, ArgString), NewArg(second, ArgString), streamCount}
	}
	exclusive := []Change{{"6.2.0", "A parenthesis in front of an ID excludes it."}}
	return []*Spec{
		{Name: "xadd", Arity: -5, Flags: Write | DenyOOM | Fast, Run: runXAdd,
			KeySpecs: []KeySpec{{Flags: KeyRW | KeyUpdate, Begin: KeyBegin{Index: 1}, Find: KeyFind{Step: 1},
				Notes: "Update and not insert, since old entries may be removed"}}, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1), and O(N) for N entries that are removed",
				Summary: "Appends an entry to a stream, which is created when missing", Tips: unstable,
				History: []Change{
					{"6.2.0", "Options `NOMKSTREAM`, `MINID` and `LIMIT`."},
					{"7.0.0", "IDs of the form `<ms>-*`."},
				},
				Args: []Arg{
					Key(), Token("NOMKSTREAM").From("6.2.0").Opt(), streamTrimArg().Opt(),
					OneOf("id-selector", Token("*").Named("auto-id"), NewArg("id", ArgString)),
					Block("data", NewArg("field", ArgString), NewArg("value", ArgString)).Many(),
				},
			}},
		{Name: "xlen", Arity: 2, Flags: ReadOnly | Fast, Run: runXLen,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRO)}, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1)",
				Summary: "Returns the number of entries of a stream", Args: []Arg{Key()},
			}},
		{Name: "xrange", Arity: -4, Flags: ReadOnly, Run: runXRange, KeySpecs: streamReading, Doc: Doc{
			Since: "5.0.0", Complexity: "O(N) for N entries returned", History: exclusive,
			Summary: "Returns the entries of a stream from one ID to another", Args: rangeArgs("start", "end"),
		}},
		{Name: "xrevrange", Arity: -4, Flags: ReadOnly, Run: runXRevRange, KeySpecs: streamReading, Doc: Doc{
			Since: "5.0.0", Complexity: "O(N) for N entries returned", History: exclusive,
			Summary: "Returns the entries of a stream from one ID back to another", Args: rangeArgs("end", "start"),
		}},
		{Name: "xdel", Arity: -3, Flags: Write | Fast, Run: runXDel, KeySpecs: streamRemoving, Doc: Doc{
			Since: "5.0.0", Complexity: "O(log N) for each ID, N being the number of entries",
			Summary: "Removes entries from a stream and returns how many there were", Args: []Arg{Key(), manyIDs},
		}},
		{Name: "xtrim", Arity: -4, Flags: Write, Run: runXTrim, KeySpecs: streamRemoving, Doc: Doc{
			Since: "5.0.0", Complexity: "O(N) for N entries removed, a node of many at a time",
			Summary: "Removes entries from the beginning of a stream", Tips: unstable,
			History: []Change{{"6.2.0", "Options `MINID` and `LIMIT`."}},
			Args:    []Arg{Key(), streamTrimArg()},
		}},
		{Name: "xsetid", Arity: -3, Flags: Write | DenyOOM | Fast, Run: runXSetID, KeySpecs: streamUpdating, Doc: Doc{
			Since: "5.0.0", Complexity: "O(1)",
			Summary: "Sets what a stream remembers beside its entries, as replication needs it",
			History: []Change{{"7.0.0", "Options `ENTRIESADDED` and `MAXDELETEDID`."}},
			Args: []Arg{
				Key(), NewArg("last-id", ArgString),
				NewArg("entries-added", ArgInteger).After("ENTRIESADDED").From("7.0.0").Opt(),
				NewArg("max-deleted-id", ArgString).After("MAXDELETEDID").From("7.0.0").Opt(),
			},
		}},
	}
}

func streamReadSpecs() []*Spec {
	after := func(from int) []KeySpec {
		return []KeySpec{{Flags: KeyRO | KeyAccess, Begin: KeyBegin{Keyword: "STREAMS", From: from},
			Find: KeyFind{Last: -1, Step: 1, Limit: 2}}}
	}
	block := NewArg("milliseconds", ArgInteger).After("BLOCK").Opt()
	streams := Block("streams", Key().Many(), manyIDs).After("STREAMS")
	return []*Spec{
		{Name: "xread", Arity: -4, Flags: ReadOnly | Blocking, Run: runXRead, KeySpecs: after(1), Doc: Doc{
			Since: "5.0.0", Complexity: "O(N) for N entries returned; XADD pays for each client that waits",
			Summary: "Returns the entries of streams after given IDs, and waits for some if so wished",
			Args:    []Arg{streamCount, block, streams},
		}},
		{Name: "xreadgroup", Arity: -7, Flags: Write | Blocking, Run: runXReadGroup, KeySpecs: after(4), Doc: Doc{
			Since: "5.0.0", Complexity: "O(N*log(M)) for N entries returned with M pending; XADD pays for each client that waits",
			Summary: "Returns entries that no consumer of a group has got yet, or those pending at one consumer",
			Args: []Arg{
				Block("group-block", NewArg("group", ArgString), NewArg("consumer", ArgString)).After("GROUP"),
				streamCount, block, Token("NOACK").Opt(), streams,
			},
		}},
	}
}

func streamPendingSpecs() []*Spec {
	group, consumer := NewArg("group", ArgString), NewArg("consumer", ArgString)
	idle := NewArg("min-idle-time", ArgString)
	return []*Spec{
		{Name: "xack", Arity: -4, Flags: Write | Fast, Run: runXAck, KeySpecs: streamUpdating, Doc: Doc{
			Since: "5.0.0", Complexity: "O(log N) for each ID, N being the number of pending entries",
			Summary: "Acknowledges entries that were delivered to a group and returns how many were pending",
			Args:    []Arg{Key(), group, manyIDs},
		}},
		{Name: "xclaim", Arity: -6, Flags: Write | Fast, Run: runXClaim, KeySpecs: streamUpdating, Doc: Doc{
			Since: "5.0.0", Complexity: "O(log N) for each ID, N being the number of pending entries",
			Summary: "Makes pending entries those of another consumer", Tips: unstable,
			Args: []Arg{
				Key(), group, consumer, idle, manyIDs,
				NewArg("ms", ArgInteger).After("IDLE").Opt(),
				NewArg("unix-time-milliseconds", ArgUnixTime).After("TIME").Opt(),
				NewArg("count", ArgInteger).After("RETRYCOUNT").Opt(),
				Token("FORCE").Opt(), Token("JUSTID").Opt(),
				NewArg("lastid", ArgString).After("LASTID").Opt(),
			},
		}},
		{Name: "xautoclaim", Arity: -6, Flags: Write | Fast, Run: runXAutoClaim, KeySpecs: streamRemoving, Doc: Doc{
			Since: "6.2.0", Complexity: "O(N) for COUNT N",
			Summary: "Makes entries that have been pending for long those of another consumer, one portion a call", Tips: unstable,
			History: []Change{{"7.0.0", "The reply has a third element: IDs of entries that do not exist any more."}},
			Args:    []Arg{Key(), group, consumer, idle, NewArg("start", ArgString), streamCount, Token("JUSTID").Opt()},
		}},
		{Name: "xpending", Arity: -3, Flags: ReadOnly, Run: runXPending, KeySpecs: streamReading, Doc: Doc{
			Since: "5.0.0", Complexity: "O(N) for N entries looked at, or for N consumers in the summary",
			Summary: "Tells what was delivered to a group and not acknowledged", Tips: unstable,
			History: []Change{{"6.2.0", "Option `IDLE`, and exclusive ranges."}},
			Args: []Arg{
				Key(), group,
				Block("filters",
					NewArg("min-idle-time", ArgInteger).After("IDLE").From("6.2.0").Opt(),
					NewArg("start", ArgString), NewArg("end", ArgString), NewArg("count", ArgInteger),
					NewArg("consumer", ArgString).Opt(),
				).Opt(),
			},
		}},
	}
}

// streamOf is the value of an entry that was found, nil without one. It answers
// with an error if that is not a stream.
func (c *Call) streamOf(e store.Entry, found bool) (s *store.Stream, ok bool) {
	switch {
	case !found:
		return nil, true
	case e.Type() != store.TypeStream:
		c.Fail(ErrWrongType)
		return nil, false
	}
	return e.Stream(), true
}

// findStream is FindRead for a stream: nil if there is no key. It answers with
// an error itself.
func (c *Call) findStream(key []byte) (s *store.Stream, ok bool) {
	return c.streamOf(c.FindRead(key))
}

// findStreamToEdit is findStream for commands that change groups, which Redis
// counts as reading.
func (c *Call) findStreamToEdit(key []byte) (s *store.Stream, ok bool) {
	return c.editStream(c.FindRead(key))
}

// findStreamToWrite is FindWrite for a stream.
func (c *Call) findStreamToWrite(key []byte) (s *store.Stream, ok bool) {
	return c.editStream(c.FindWrite(key))
}

// editStream is streamOf for changing it.
func (c *Call) editStream(e store.Entry, found bool) (s *store.Stream, ok bool) {
	if s, ok = c.streamOf(e, found); s != nil {
		s = c.DB.EditStream(e)
	}
	return s, ok
}

// groupChanged is modified for what concerns a group only: those who watch the
// key need not know.
func (c *Call) groupChanged(event string, key []byte) {
	c.Changed(1)
	c.notify(EventStream, event, key)
}

func errSubcommandSyntax(sub []byte, parent string) ReplyError {
	return ReplyError("ERR unknown subcommand or wrong number of arguments for '" +
		string(quoted(sub, maxQuoted)) + "'. Try " + upper(parent) + " HELP.")
}
