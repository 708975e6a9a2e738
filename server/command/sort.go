package command

import (
	"bytes"

	"github.com/lockstep-db/lockstep/server/store"
)

// SORT. sort_run.go sorts, sort_pattern.go follows BY and GET to other keys.

func sortSpecs() []*Spec {
	source := KeyAt(1, 0, 1, KeyRO|KeyAccess)
	patterns := KeySpec{Flags: KeyRO | KeyAccess, Find: KeyFind{How: FindUnknown},
		Notes: "Keys made from the elements by BY and GET are known only while sorting"}
	store := KeySpec{Flags: KeyOW | KeyUpdate, Find: KeyFind{How: FindUnknown},
		Notes: "STORE may be anywhere among the options"}
	args := []Arg{
		Key(), NewArg("pattern", ArgPattern).After("BY").In(1).Opt(),
		Block("offset_count", NewArg("offset", ArgInteger), NewArg("count", ArgInteger)).After("LIMIT").Opt(),
		{Name: "pattern", Type: ArgPattern, Token: "GET", KeySpec: 1, Optional: true, Multiple: true, MultipleToken: true},
		OneOf("order", Token("ASC"), Token("DESC")).Opt(),
		Token("ALPHA").Named("sorting").Opt(),
	}
	const (
		summary    = "Sorts the elements of a list, set or sorted set"
		complexity = "O(N+M*log(M)) for N elements of which M are returned"
		cats       = CatSet | CatSortedSet | CatList | CatDangerous
	)
	return []*Spec{
		{Name: "sort", Arity: -2, Flags: Write | DenyOOM, Categories: cats, Run: runSort, Keys: sortKeys,
			KeySpecs: []KeySpec{source, patterns, store},
			Doc: Doc{Since: "1.0.0", Complexity: complexity, Summary: summary + ", and returns or stores them",
				Args: append(args[:len(args):len(args)], Key().Named("destination").After("STORE").In(2).Opt())}},
		{Name: "sort_ro", Arity: -2, Flags: ReadOnly, Categories: cats, Run: runSort, Keys: sortKeys,
			KeySpecs: []KeySpec{source, patterns},
			Doc:      Doc{Since: "7.0.0", Complexity: complexity, Summary: summary + " and returns them", Args: args}},
	}
}

// sortKeys finds the source and, wherever it is, the destination.
func sortKeys(args [][]byte) []KeyRef {
	refs := []KeyRef{{1, KeyRO | KeyAccess}}
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "LIMIT"):
			i += 2
		case equalFold(args[i], "GET"), equalFold(args[i], "BY"):
			i++
		case equalFold(args[i], "STORE") && i+1 < len(args) && equalFold(args[0], "SORT"):
			i++
			store = i
		}
	}
	if store != 0 {
		refs = append(refs, KeyRef{store, KeyOW | KeyUpdate})
	}
	return refs
}

type sortOptions struct {
	desc, alpha  bool
	by           []byte // nil: the elements themselves
	asIs         bool   // BY without a *: nothing is sorted
	get          [][]byte
	store        []byte // nil: to the client
	offset, most int64  // LIMIT; most -1: all
}

func parseSort(c *Call) (o sortOptions, ok bool) {
	o.most = -1
	for i := 2; i < len(c.Args); i++ {
		arg, more := c.Args[i], len(c.Args)-1-i
		switch {
		case equalFold(arg, "ASC"):
			o.desc = false
		case equalFold(arg, "DESC"):
			o.desc = true
		case equalFold(arg, "ALPHA"):
			o.alpha = true
		case equalFold(arg, "LIMIT") && more >= 2:
			if o.offset, ok = c.intArg(i + 1); !ok {
				return o, false
			}
			if o.most, ok = c.intArg(i + 2); !ok {
				return o, false
			}
			i += 2
		case equalFold(arg, "STORE") && more >= 1 && c.Spec.Has(Write):
			i++
			o.store = c.Args[i]
		case equalFold(arg, "BY") && more >= 1:
			i++
			o.by = c.Args[i]
			constant := bytes.IndexByte(o.by, '*') < 0
			o.asIs = o.asIs || constant // whatever BY comes after it
			if !constant && !c.readsAll() {
				c.Fail(errSortByDenied)
				return o, false
			}
		case equalFold(arg, "GET") && more >= 1:
			i++
			if !c.readsAll() {
				c.Fail(errSortGetDenied)
				return o, false
			}
			o.get = append(o.get, c.Args[i])
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

// readsAll says whether the user may read every key: BY and GET make up names.
func (c *Call) readsAll() bool { return c.ReadsAll == nil || c.ReadsAll(c) }

func runSort(c *Call) {
	o, ok := parseSort(c)
	if !ok {
		return
	}
	s := sorting{sortOptions: o}
	if e, found := c.FindRead(c.Args[1]); found {
		switch e.Type() {
		case store.TypeList, store.TypeSet, store.TypeSortedSet:
		default:
			c.Fail(ErrWrongType)
			return
		}
		s.source = e.Type()
		// What a set gives in any order must not depend on the order in which a
		// machine happens to keep it, when it is stored.
		if s.asIs && s.source == store.TypeSet && (s.store != nil || c.Scripted) {
			s.asIs, s.alpha, s.by = false, true, nil
		}
		s.load(e)
	}
	if !s.asIs && !s.sort(c) {
		c.Fail(errSortWeights)
		return
	}
	if s.store != nil {
		s.keep(c)
	} else {
		s.reply(c)
	}
}

// reply sends the elements, or what the GETs find.
func (s *sorting) reply(c *Call) {
	c.Out.Array(len(s.items) * max(1, len(s.get)))
	for i := range s.items {
		element := s.items[i].element
		if len(s.get) == 0 {
			c.Out.Bulk(element)
		}
		for _, pattern := range s.get {
			if value, found := c.follow(pattern, element); found {
				c.Out.Bulk(value)
			} else {
				c.Out.Null()
			}
		}
	}
}

// keep stores the elements, or what the GETs find, as a list; what they do not find
// is empty.
func (s *sorting) keep(c *Call) {
	n := len(s.items) * max(1, len(s.get))
	c.Out.Int(int64(n))
	if n == 0 {
		if c.DB.Delete(s.store) {
			c.modified(EventGeneric, "del", s.store)
		}
		return
	}
	list := c.DB.LoadList(s.store, 0)
	for i := range s.items {
		element := s.items[i].element
		if len(s.get) == 0 {
			list.Add(element)
		}
		for _, pattern := range s.get {
			value, _ := c.follow(pattern, element)
			list.Add(value)
		}
	}
	c.FindWrite(s.store) // if its time is over, it expires and is not replaced
	list.Done()
	c.created(s.store)
	c.Changed(n)
	c.Touch(s.store)
	c.notify(EventList, "sortstore", s.store)
	c.ready(s.store)
}
