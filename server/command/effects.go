package command

// Effects receives what commands change, in the order in which a replica has to
// apply it.
type Effects interface {
	// Effect takes one command that applies to a database. The arguments are
	// valid only during the call.
	Effect(db int, args [][]byte)
	// Begin and End enclose effects that a replica must apply as one. They
	// nest. Execute uses them only around two effects and more; whoever runs a
	// transaction uses them around all of it.
	Begin()
	End()
}

type effect struct {
	db   int
	args [][]byte
}

// outcome collects what a command leaves behind until it has ended.
type outcome struct {
	dirty   int64
	pending []effect // before the command itself, e.g. DEL of keys found expired
	own     ownEffect
	rewrite [][]byte // valid when own is rewritten
	words   [][]byte // what the arguments of pending are slices of; reused
	arena   []byte   // numbers spelled out for rewrites; reused
	// separate lets a replica apply the effects one by one: the DELs of a SCAN
	// have nothing to do with each other.
	separate bool
}

type ownEffect uint8

const (
	verbatim ownEffect = iota
	rewritten
	suppressed
)

func (o *outcome) reset() {
	o.dirty = 0
	o.own = verbatim
	o.separate = false
	if len(o.pending) > outcomeKept {
		// One command with very many effects shall not be paid for for ever.
		o.pending, o.words, o.arena = nil, nil, nil
	}
	if len(o.pending) > 0 {
		clear(o.pending)
		o.pending = o.pending[:0]
		clear(o.words)
		o.words = o.words[:0]
	}
	o.arena = o.arena[:0]
}

// outcomeKept is up to how many effects beside its own a command may have for its
// buffers to be kept.
const outcomeKept = 1000

// Changed adds to the number of changes. A command that leaves it at 0 has no
// effect of its own; otherwise the effect is the command as it was sent, unless
// Rewrite or Suppress say otherwise.
func (c *Call) Changed(n int) { c.left.dirty += int64(n) }

// ForceEffect is Changed for a command that has an effect although nothing
// counts as changed, for example FLUSHALL of an empty server.
func (c *Call) ForceEffect() { c.forced = true }

// Dirty returns the changes counted so far in this call.
func (c *Call) Dirty() int64 { return c.left.dirty }

// Rewrite makes these arguments the command's effect instead of those that were
// sent. The bytes must stay as they are until Execute returns.
func (c *Call) Rewrite(args ...[]byte) {
	c.left.own = rewritten
	c.left.rewrite = append(c.left.rewrite[:0], args...)
}

// Also adds an effect in front of the command's own one.
func (c *Call) Also(args ...[]byte) { c.alsoIn(c.DBIndex, args...) }

func (c *Call) alsoIn(db int, args ...[]byte) {
	from := len(c.left.words)
	c.left.words = append(c.left.words, args...)
	words := c.left.words[from:len(c.left.words):len(c.left.words)]
	c.left.pending = append(c.left.pending, effect{db, words})
}

// Suppress leaves the command without an effect of its own; those of Also stay.
func (c *Call) Suppress() { c.left.own = suppressed }

// spell formats a number that stays valid until Execute returns.
func (c *Call) spell(n int64) []byte {
	from := len(c.left.arena)
	c.left.arena = appendInt(c.left.arena, n)
	return c.left.arena[from:len(c.left.arena):len(c.left.arena)]
}

// deliver hands the effects over once the command has ended.
func (c *Call) deliver() {
	o := &c.left
	c.Stats.Dirty += o.dirty
	own := (o.dirty > 0 || c.forced) && o.own != suppressed
	n := len(o.pending)
	if own {
		n++
	}
	if n == 0 || c.Effects == nil {
		return
	}
	if n > 1 && !o.separate {
		c.Effects.Begin()
		defer c.Effects.End()
	}
	for _, e := range o.pending {
		c.Effects.Effect(e.db, e.args)
	}
	switch {
	case !own:
	case o.own == rewritten:
		c.Effects.Effect(c.DBIndex, o.rewrite)
	default:
		c.Effects.Effect(c.DBIndex, c.Args)
	}
}
