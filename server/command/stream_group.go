package command

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/store"
)

const (
	errGroupNoKey ReplyError = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
	errGroupBusy  ReplyError = "BUSYGROUP Consumer Group name already exists"
	errGroupRead  ReplyError = "ERR value for ENTRIESREAD must be positive or -1"
)

func errNoSuchGroup(key, group []byte) ReplyError {
	return ReplyError(fmt.Sprintf("NOGROUP No such consumer group '%s' for key name '%s'",
		quoted(group, len(group)), quoted(key, len(key))))
}

func xgroupSpec() *Spec {
	key := func(flags KeyFlags) []KeySpec { return []KeySpec{KeyAt(2, 0, 1, flags)} }
	group, consumer := NewArg("group", ArgString), NewArg("consumer", ArgString)
	id := OneOf("id-selector", NewArg("id", ArgString), Token("$").Named("new-id"))
	read := NewArg("entries-read", ArgInteger).After("ENTRIESREAD").Opt()
	return &Spec{Name: "xgroup", Arity: -2,
		Doc: Doc{Since: "5.0.0", Complexity: "Depends on the subcommand.", Summary: "Manages the consumer groups of a stream"},
		Subcommands: []*Spec{
			{Name: "create", Arity: -5, Flags: Write | DenyOOM, KeySpecs: key(KeyRW | KeyInsert), Run: runXGroupCreate, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1)", Summary: "Creates a group that goes on after an ID",
				History: []Change{{"7.0.0", "Option `ENTRIESREAD`."}},
				Args:    []Arg{Key(), group, id, Token("MKSTREAM").Opt(), read},
			}},
			{Name: "setid", Arity: -5, Flags: Write, KeySpecs: key(KeyRW | KeyUpdate), Run: runXGroupSetID, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1)", Summary: "Sets the ID after which a group goes on",
				History: []Change{{"7.0.0", "Option `ENTRIESREAD`."}},
				Args:    []Arg{Key(), group, id, read},
			}},
			{Name: "destroy", Arity: 4, Flags: Write, KeySpecs: key(KeyRW | KeyDelete), Run: runXGroupDestroy, Doc: Doc{
				Since: "5.0.0", Complexity: "O(1)",
				Summary: "Removes a group with its consumers and all that is pending", Args: []Arg{Key(), group},
			}},
			{Name: "createconsumer", Arity: 5, Flags: Write | DenyOOM, KeySpecs: key(KeyRW | KeyInsert), Run: runXGroupCreateConsumer, Doc: Doc{
				Since: "6.2.0", Complexity: "O(1)",
				Summary: "Creates a consumer of a group", Args: []Arg{Key(), group, consumer},
			}},
			{Name: "delconsumer", Arity: 5, Flags: Write, KeySpecs: key(KeyRW | KeyDelete), Run: runXGroupDelConsumer, Doc: Doc{
				Since: "5.0.0", Complexity: "O(N*log(M)) for N entries pending at the consumer of M at the group",
				Summary: "Removes a consumer with what is pending at it", Args: []Arg{Key(), group, consumer},
			}},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Run: runXGroupHelp,
				Doc: Doc{Since: "5.0.0", Complexity: "O(1)", Summary: "Explains the subcommands"}},
		},
	}
}

var (
	xgroupCommand        = []byte("XGROUP")
	setIDOption          = []byte("SETID")
	entriesReadOption    = []byte("ENTRIESREAD")
	createConsumerOption = []byte("CREATECONSUMER")
)

// alsoSetGroup tells replicas how far a group has come, where no XCLAIM does.
func (c *Call) alsoSetGroup(key, name []byte, g *store.StreamGroup) {
	c.Also(xgroupCommand, setIDOption, key, name, c.spellID(g.LastID), entriesReadOption, c.spell(g.Read))
}

// groupOptions are the options of XGROUP CREATE and XGROUP SETID.
type groupOptions struct {
	mkStream bool
	read     int64
}

func parseGroup(c *Call, creating bool) (o groupOptions, ok bool) {
	o.read = store.UnknownRead
	for i := 5; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case creating && equalFold(arg, "MKSTREAM"):
			o.mkStream = true
		case equalFold(arg, "ENTRIESREAD") && i+1 < len(c.Args):
			i++
			if o.read, ok = c.intArg(i); !ok {
				return o, false
			}
			if o.read < 0 && o.read != store.UnknownRead {
				c.Fail(errGroupRead)
				return o, false
			}
		default:
			c.Fail(errSubcommandSyntax(c.Args[1], c.Spec.Parent().Name))
			return o, false
		}
	}
	return o, true
}

// findGroup finds the stream of an XGROUP subcommand and its group, nil if there
// is none of that name. It answers with an error itself.
func (c *Call) findGroup(optional bool) (s *store.Stream, g *store.StreamGroup, ok bool) {
	s, ok = c.findStreamToWrite(c.Args[2])
	switch {
	case !ok:
		return nil, nil, false
	case s == nil:
		c.Fail(errGroupNoKey)
		return nil, nil, false
	}
	if g = s.Group(c.Args[3]); g == nil && !optional {
		c.Fail(errNoSuchGroup(c.Args[2], c.Args[3]))
		return nil, nil, false
	}
	return s, g, true
}

func runXGroupCreate(c *Call) {
	opts, ok := parseGroup(c, true)
	if !ok {
		return
	}
	key := c.Args[2]
	s, ok := c.findStreamToWrite(key)
	switch {
	case !ok:
		return
	case s == nil && !opts.mkStream:
		c.Fail(errGroupNoKey)
		return
	case len(c.Args) > 8: // an option was repeated
		c.Fail(errSubcommandSyntax(c.Args[1], c.Spec.Parent().Name))
		return
	}
	var id store.StreamID
	if string(c.Args[4]) != "$" {
		if id, ok = c.idArg(4); !ok {
			return
		}
	} else if s != nil {
		id = s.LastID
	}
	if s == nil {
		s = c.DB.CreateStream(key, 0)
		c.created(key)
		c.Touch(key)
	}
	if s.AddGroup(c.Args[3], id, opts.read) == nil {
		c.Fail(errGroupBusy)
		return
	}
	c.Out.OK()
	c.groupChanged("xgroup-create", key)
}

func runXGroupSetID(c *Call) {
	opts, ok := parseGroup(c, false)
	if !ok {
		return
	}
	s, g, ok := c.findGroup(false)
	if !ok {
		return
	}
	if len(c.Args) != 5 && len(c.Args) != 7 {
		c.Fail(errSubcommandSyntax(c.Args[1], c.Spec.Parent().Name))
		return
	}
	id := s.LastID
	if string(c.Args[4]) != "$" {
		if id, ok = c.anyIDArg(4, 0); !ok {
			return
		}
	}
	g.LastID, g.Read = id, opts.read
	c.Out.OK()
	c.groupChanged("xgroup-setid", c.Args[2])
}

func runXGroupDestroy(c *Call) {
	s, g, ok := c.findGroup(true)
	if !ok {
		return
	}
	if g == nil {
		c.Out.Int(0)
		return
	}
	s.RemoveGroup(c.Args[3])
	c.Out.Int(1)
	c.groupChanged("xgroup-destroy", c.Args[2])
	// Who waits for entries of the group gets an error.
	c.ready(c.Args[2])
}

func runXGroupCreateConsumer(c *Call) {
	_, g, ok := c.findGroup(false)
	if !ok {
		return
	}
	if g.AddConsumer(c.Args[4], c.Now) == nil {
		c.Out.Int(0)
		return
	}
	c.Out.Int(1)
	c.groupChanged("xgroup-createconsumer", c.Args[2])
}

func runXGroupDelConsumer(c *Call) {
	_, g, ok := c.findGroup(false)
	if !ok {
		return
	}
	consumer := g.Consumer(c.Args[4])
	if consumer == nil {
		c.Out.Int(0)
		return
	}
	c.Out.Int(int64(consumer.Pending()))
	g.RemoveConsumer(consumer)
	c.groupChanged("xgroup-delconsumer", c.Args[2])
}

func runXGroupHelp(c *Call) {
	c.ReplyHelp(
		"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
		"    Create a group that goes on after <id>, or after the last entry.",
		"    MKSTREAM creates the stream when missing; ENTRIESREAD tells how many",
		"    entries of the stream were read before, for the lag.",
		"CREATECONSUMER <key> <group> <consumer>",
		"    Create a consumer.",
		"DELCONSUMER <key> <group> <consumer>",
		"    Remove a consumer with what is pending at it.",
		"DESTROY <key> <group>",
		"    Remove a group.",
		"SETID <key> <group> <id|$> [ENTRIESREAD <n>]",
		"    Let a group go on after <id>.",
	)
}

// groupOf is a group of a stream, which may be nil, as there may be none of that name.
func groupOf(s *store.Stream, name []byte) *store.StreamGroup {
	if s == nil {
		return nil
	}
	return s.Group(name)
}
