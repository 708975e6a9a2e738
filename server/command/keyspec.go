package command

import (
	"bytes"
	"slices"
	"strconv"
)

// KeyFlags say what a command does with a key and with its value.
type KeyFlags uint16

// The flags, in the order in which COMMAND INFO lists them. Exactly one of the
// first four applies to every key: what happens to it as a whole. The next four
// say whether the user's data in it is returned, changed, added to or removed.
const (
	KeyRO KeyFlags = 1 << iota
	KeyRW
	KeyOW // overwritten without looking at it
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	KeyNotKey     // routed like a key without being one
	KeyIncomplete // the description does not find all keys
	KeyVariable   // the flags depend on the arguments
)

var keyFlagNames = [...]string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key",
	"incomplete", "variable_flags",
}

// KeySpec describes where some keys of a command are, in two steps: where to
// begin, and how to go on from there.
type KeySpec struct {
	Flags KeyFlags
	Notes string
	Begin KeyBegin
	Find  KeyFind
}

// KeyBegin is either an index into the arguments (the name is 0), or the
// argument after a keyword, or unknown when both are zero.
type KeyBegin struct {
	Index   int
	Keyword string
	From    int // where the search for the keyword begins; negative counts from the end, backwards
}

// KeyFind goes on from the beginning.
type KeyFind struct {
	How FindKind
	// For FindRange: Last is the last key, relative to the beginning, or
	// counted from the end when negative; a Limit above 1 stops after one
	// Limit-th of the arguments.
	Last, Step, Limit int
	// For FindCount: where the number of keys and the first key are, relative
	// to the beginning.
	CountAt, FirstAt int
}

// FindKind is a way to go on.
type FindKind uint8

// The ways: a range of arguments, a counted range, not describable.
const (
	FindRange FindKind = iota
	FindCount
	FindUnknown
)

// KeyAt describes a range of keys from one index on. last is relative to it, or
// negative, counted from the end.
func KeyAt(index, last, step int, flags KeyFlags) KeySpec {
	return KeySpec{Flags: flags, Begin: KeyBegin{Index: index}, Find: KeyFind{Last: last, Step: step}}
}

// KeyRef is a key among the arguments of a request.
type KeyRef struct {
	Index int
	Flags KeyFlags
}

// completeKeys derives the legacy triple from the key specs or the reverse, and
// the MovableKeys flag from both.
func (s *Spec) completeKeys() {
	if s.FirstKey != 0 && s.KeyStep == 0 {
		s.KeyStep = 1
	}
	if s.FirstKey != 0 && len(s.KeySpecs) == 0 {
		last := s.LastKey
		if last > 0 {
			last -= s.FirstKey
		}
		s.KeySpecs = []KeySpec{KeyAt(s.FirstKey, last, s.KeyStep, s.keyFlagsFromFlags())}
	} else if s.FirstKey == 0 {
		s.FirstKey, s.LastKey, s.KeyStep = legacyRange(s.KeySpecs)
	}
	for _, k := range s.KeySpecs {
		plain := k.Begin.Keyword == "" && k.Begin.Index != 0 && k.Find.How == FindRange
		if !plain || (s.Keys != nil && k.Flags&KeyVariable == 0) {
			s.Flags |= MovableKeys
		}
	}
}

func (s *Spec) keyFlagsFromFlags() KeyFlags {
	if s.Flags&Write != 0 {
		return KeyRW | KeyUpdate
	}
	return KeyRO | KeyAccess
}

// legacyRange merges adjacent ranges, as COPY's 1..1 and 2..2 become 1..2. What
// does not fit in is left out: such a command has MovableKeys.
func legacyRange(specs []KeySpec) (first, last, step int) {
	for _, k := range specs {
		if k.Begin.Keyword != "" || k.Begin.Index == 0 || k.Find.How != FindRange {
			continue
		}
		end := k.Find.Last
		if end >= 0 {
			end += k.Begin.Index
		}
		switch {
		case first == 0:
			first, last, step = k.Begin.Index, end, k.Find.Step
		case last == k.Begin.Index-1:
			last = end
		}
	}
	return first, last, step
}

// KeyRefs returns where the keys of a request are. It is nil if the request has
// none, or if the description meets arguments that make no sense.
func (s *Spec) KeyRefs(args [][]byte) []KeyRef { return s.AppendKeyRefs(nil, args) }

// AppendKeyRefs is KeyRefs, in the room that an empty slice has.
func (s *Spec) AppendKeyRefs(refs []KeyRef, args [][]byte) []KeyRef {
	if s.Keys != nil {
		return s.Keys(args)
	}
	for i := range s.KeySpecs {
		if s.KeySpecs[i].Flags&KeyNotKey != 0 {
			continue // for those who route requests alone
		}
		found, exact, ok := s.KeySpecs[i].refs(args, refs)
		if !ok || len(found) == len(refs) && s.KeySpecs[i].Find.How == FindCount && !s.Has(NoMandatoryKeys) {
			return nil
		}
		if !exact {
			found = slices.Concat(found[len(refs):], refs)
			for i := range found {
				found[i].Flags = 0
			}
		}
		refs = found
	}
	return refs
}

// HasKeys says whether the command takes keys at all.
func (s *Spec) HasKeys() bool {
	isKey := func(k KeySpec) bool { return k.Flags&KeyNotKey == 0 }
	return s.Keys != nil || slices.ContainsFunc(s.KeySpecs, isKey)
}

// refs appends the keys that the description finds. They are exact unless their number
// was read from what is no number: where keys are only looked for and nothing is
// executed, Redis then goes by the digits that it begins with, names these keys before
// all others, and does not know what is done with any.
func (k *KeySpec) refs(args [][]byte, refs []KeyRef) (all []KeyRef, exact, ok bool) {
	begin, ok := k.begin(args)
	if !ok {
		return refs, true, true
	}
	last, step, exact := 0, max(k.Find.Step, 1), true
	switch k.Find.How {
	case FindUnknown:
		return refs, true, true
	case FindRange:
		last = begin + k.Find.Last
		if k.Find.Last < 0 {
			last = len(args) + k.Find.Last
			if k.Find.Limit > 1 {
				last = begin + (len(args)-begin)/k.Find.Limit + k.Find.Last
			}
		}
	case FindCount:
		if begin+k.Find.CountAt >= len(args) {
			return refs, exact, false
		}
		n, isNumber := parseInt(args[begin+k.Find.CountAt])
		if !isNumber {
			n, exact = looseInt(args[begin+k.Find.CountAt]), false
		}
		if n < 0 || n > int64(len(args)) {
			return refs, exact, false
		}
		begin += k.Find.FirstAt
		last = begin + (int(n)-1)*step
	}
	if last >= len(args) {
		return refs, exact, false
	}
	for i := begin; i <= last; i += step {
		refs = append(refs, KeyRef{i, k.Flags})
	}
	return refs, exact, true
}

// looseInt reads a number of keys as C's atoi does: what follows the digits does not
// matter, and without any it is 0.
func looseInt(b []byte) int64 {
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	end := 0
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		end = 1
	}
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(b[:end]), 10, 64)
	if err != nil && n == 0 {
		return 0 // no digits; numbers that are too large come out as the largest
	}
	return n
}

func (k *KeySpec) begin(args [][]byte) (int, bool) {
	b := k.Begin
	if b.Keyword == "" {
		return b.Index, b.Index != 0 && b.Index < len(args)
	}
	at, step := b.From, 1
	if b.From < 0 {
		at, step = len(args)+b.From, -1
	}
	for ; at > 0 && at < len(args); at += step {
		if equalFold(args[at], b.Keyword) {
			return at + 1, at+1 < len(args)
		}
	}
	return 0, false
}
