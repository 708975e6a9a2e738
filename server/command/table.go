package command

import (
	"fmt"
	"sort"
)

// Table holds all commands of a server. It is filled while the server starts
// and fixed from then on.
type Table struct {
	specs  []*Spec // in the order of Add, containers before their subcommands
	top    []*Spec // commands without subcommands, in the order of Add
	lookup index
}

// NewTable returns a table with the commands of this package.
func NewTable() *Table {
	t := &Table{}
	for _, group := range [][]*Spec{
		stringSpecs(), genericSpecs(), databaseSpecs(), bitmapSpecs(), commandSpecs(t),
		hashSpecs(), setSpecs(), sortedSetSpecs(), geoSpecs(), listSpecs(), streamSpecs(),
		hyperLogLogSpecs(),
	} {
		t.Add(group...)
	}
	return t
}

// Add puts commands into the table. It panics on a name that is there already
// and on a spec that contradicts itself: both are mistakes in the program.
func (t *Table) Add(specs ...*Spec) {
	for _, s := range specs {
		t.admit(s, nil)
		if !t.lookup.add(s) {
			panic(fmt.Sprintf("command %q is in the table already", s.Name))
		}
		t.top = append(t.top, s)
	}
}

func (t *Table) admit(s *Spec, parent *Spec) {
	if s.Name == "" || len(s.Name) > maxNameLen || lower(s.Name) != s.Name {
		panic(fmt.Sprintf("command name %q: lower case, 1 to %d bytes", s.Name, maxNameLen))
	}
	if s.Arity == 0 || (s.Run == nil && len(s.Subcommands) == 0) {
		panic(fmt.Sprintf("command %q needs an arity and a function", s.Name))
	}
	s.parent, s.full, s.id = parent, s.Name, len(t.specs)
	if parent != nil {
		s.full = parent.Name + "|" + s.Name
	}
	if s.Group == "" && parent != nil {
		s.Group = parent.Group
	}
	s.Categories = s.Flags.implied(s.Categories)
	s.completeKeys()
	t.specs = append(t.specs, s)
	for _, sub := range s.Subcommands {
		t.admit(sub, s)
		if !s.subs.add(sub) {
			panic(fmt.Sprintf("subcommand %q is in the table already", sub.full))
		}
	}
}

// Len returns how many IDs the table has given out.
func (t *Table) Len() int { return len(t.specs) }

// ByID returns the command or subcommand with that ID.
func (t *Table) ByID(id int) *Spec { return t.specs[id] }

// Commands returns the commands in the order in which they were added, without
// subcommands. The slice is the table's own.
func (t *Table) Commands() []*Spec { return t.top }

// Sorted returns all commands and subcommands by full name.
func (t *Table) Sorted() []*Spec {
	all := append([]*Spec(nil), t.specs...)
	sort.Slice(all, func(i, j int) bool { return all[i].full < all[j].full })
	return all
}

// Lookup finds what a request asks for: the subcommand where there is one. The
// error is a ReplyError: no such command or subcommand, or the wrong number of
// arguments (then the spec is returned with it). Nothing is allocated unless
// there is an error.
func (t *Table) Lookup(args [][]byte) (*Spec, error) {
	s := t.lookup.find(args[0])
	if s == nil {
		return nil, errUnknownCommand(args)
	}
	if len(s.Subcommands) > 0 && len(args) > 1 {
		container := s
		if s = container.subs.find(args[1]); s == nil {
			return nil, errUnknownSubcommand(container.Name, args[1])
		}
	} else if s.Run == nil {
		return s, errArity(s.full)
	}
	if !s.ArityOK(len(args)) {
		return s, errArity(s.full)
	}
	return s, nil
}

// Find returns a command by name, or a subcommand by "command|subcommand"; case
// does not matter.
func (t *Table) Find(name []byte) (*Spec, bool) {
	for i, b := range name {
		if b == '|' {
			if s := t.lookup.find(name[:i]); s != nil {
				sub := s.subs.find(name[i+1:])
				return sub, sub != nil
			}
			return nil, false
		}
	}
	s := t.lookup.find(name)
	return s, s != nil
}

// maxNameLen bounds command names, so that a name can be folded to lower case
// in a fixed array.
const maxNameLen = 32

// index finds specs by name without regard to case and without allocating: open
// addressing with linear probing, at most half full.
type index struct {
	slots []*Spec // length is a power of two
	count int
}

func (x *index) find(name []byte) *Spec {
	if len(x.slots) == 0 || len(name) > maxNameLen || len(name) == 0 {
		return nil
	}
	var folded [maxNameLen]byte
	h := uint32(hashStart)
	for i, b := range name {
		b = lowerByte(b)
		folded[i] = b
		h = hashStep(h, b)
	}
	mask := uint32(len(x.slots) - 1)
	for i := h & mask; x.slots[i] != nil; i = (i + 1) & mask {
		if string(folded[:len(name)]) == x.slots[i].Name {
			return x.slots[i]
		}
	}
	return nil
}

func (x *index) add(s *Spec) bool {
	if x.find([]byte(s.Name)) != nil {
		return false
	}
	if (x.count+1)*2 > len(x.slots) {
		old := x.slots
		x.slots = make([]*Spec, max(8, 2*len(old)))
		for _, o := range old {
			if o != nil {
				x.place(o)
			}
		}
	}
	x.place(s)
	x.count++
	return true
}

func (x *index) place(s *Spec) {
	h := uint32(hashStart)
	for i := range len(s.Name) {
		h = hashStep(h, s.Name[i])
	}
	mask := uint32(len(x.slots) - 1)
	for x.slots[h&mask] != nil {
		h++
	}
	x.slots[h&mask] = s
}

// The hash is FNV-1a: names are short and ours, so that it needs no seed.
const hashStart = 2166136261

func hashStep(h uint32, b byte) uint32 { return (h ^ uint32(b)) * 16777619 }
