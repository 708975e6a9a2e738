package command

import "github.com/lockstep-db/lockstep/server/store"

func objectSpec() *Spec {
	about := func(name string, run func(*Call), since, summary string) *Spec {
		return &Spec{Name: name, Arity: 3, Flags: ReadOnly, Categories: CatKeyspace, Run: run,
			KeySpecs: []KeySpec{KeyAt(2, 0, 1, KeyRO)},
			Doc:      Doc{Since: since, Complexity: "O(1)", Summary: summary, Tips: unstable, Args: []Arg{Key()}}}
	}
	return &Spec{Name: "object", Arity: -2,
		Doc: Doc{Since: "2.2.3", Complexity: "Depends on the subcommand.", Group: "generic",
			Summary: "Tells how the value at a key is held"},
		Subcommands: []*Spec{
			about("encoding", runObjectEncoding, "2.2.3", "Returns the encoding of the value at a key"),
			about("freq", runObjectFreq, "4.0.0", "Returns how often a key is used, on a logarithmic scale"),
			about("idletime", runObjectIdleTime, "2.2.3", "Returns how many seconds ago a key was used"),
			about("refcount", runObjectRefCount, "2.2.3", "Returns how many keys share the value at a key"),
			{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: CatKeyspace, Run: runObjectHelp,
				Doc: Doc{Since: "6.2.0", Complexity: "O(1)", Summary: "Explains the subcommands"}},
		},
	}
}

// object looks at a key without counting as a use of it.
func object(c *Call, show func(store.Entry)) {
	if e, ok := c.inspect(c.Args[2]); ok {
		show(e)
		return
	}
	c.Out.Null()
}

func runObjectEncoding(c *Call) {
	object(c, func(e store.Entry) { c.Out.BulkString(e.Encoding().String()) })
}

// runObjectRefCount: no value is shared between keys here.
func runObjectRefCount(c *Call) {
	object(c, func(store.Entry) { c.Out.Int(1) })
}

func runObjectIdleTime(c *Call) {
	object(c, func(e store.Entry) {
		if c.LFU {
			c.Fail(errNoIdle)
			return
		}
		c.Out.Int(c.idleSeconds(e))
	})
}

func runObjectFreq(c *Call) {
	object(c, func(e store.Entry) {
		if !c.LFU {
			c.Fail(errNoFreq)
			return
		}
		c.Out.Int(int64(c.lfuCounter(e.Access())))
	})
}

func runObjectHelp(c *Call) {
	c.ReplyHelp(
		"ENCODING <key>",
		"    How the value at <key> is held.",
		"FREQ <key>",
		"    How often <key> is used, as LFU eviction sees it.",
		"IDLETIME <key>",
		"    Seconds since <key> was used.",
		"REFCOUNT <key>",
		"    How many keys share the value at <key>.",
	)
}

// ReplyHelp answers the HELP subcommand of a container.
func (c *Call) ReplyHelp(lines ...string) {
	c.Out.Array(len(lines) + 3)
	name := c.Spec.Name
	if c.Spec.Parent() != nil {
		name = c.Spec.Parent().Name
	}
	c.Out.Simple(upper(name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Out.Simple(l)
	}
	c.Out.Simple("HELP")
	c.Out.Simple("    This list.")
}
