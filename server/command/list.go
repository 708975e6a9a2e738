package command

import "github.com/lockstep-db/lockstep/server/store"

// Lists. The functions are in list_push.go, list_pop.go, list_block.go,
// list_read.go and list_edit.go.

const errIndexRange ReplyError = "ERR index out of range"

// inList describes the only key of a command on a list.
func inList(flags KeyFlags) []KeySpec { return []KeySpec{KeyAt(1, 0, 1, flags)} }

var (
	popsKey = KeyRW | KeyAccess | KeyDelete
	// fromTo is the source and the destination of a move.
	fromTo     = []KeySpec{KeyAt(1, 0, 1, popsKey), KeyAt(2, 0, 1, KeyRW|KeyInsert)}
	fromToArgs = []Arg{Key().Named("source"), Key().Named("destination").In(1)}
	listEnd    = func(name string) Arg { return OneOf(name, Token("LEFT"), Token("RIGHT")) }
	timeout    = NewArg("timeout", ArgDouble)
)

func listSpecs() []*Spec {
	specs := append(listPushSpecs(), listPopSpecs()...)
	specs = append(specs, listBlockSpecs()...)
	specs = append(specs, listReadSpecs()...)
	specs = append(specs, listEditSpecs()...)
	for _, s := range specs {
		s.Group = "list"
		s.Categories |= CatList
	}
	return specs
}

func listPushSpecs() []*Spec {
	push := func(name string, run func(*Call), since, summary, since2 string) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: inList(KeyRW | KeyInsert), Run: run, Doc: Doc{
			Since: since, Complexity: "O(N) for N elements", Summary: summary,
			History: []Change{{since2, "More than one element may be given."}},
			Args:    []Arg{Key(), NewArg("element", ArgString).Many()},
		}}
	}
	return []*Spec{
		push("lpush", runLPush, "1.0.0", "Adds elements at the head of a list", "2.4.0"),
		push("rpush", runRPush, "1.0.0", "Adds elements at the tail of a list", "2.4.0"),
		push("lpushx", runLPushX, "2.2.0", "Adds elements at the head of a list that exists", "4.0.0"),
		push("rpushx", runRPushX, "2.2.0", "Adds elements at the tail of a list that exists", "4.0.0"),
	}
}

func listPopSpecs() []*Spec {
	pop := func(name string, run func(*Call), summary string) *Spec {
		return &Spec{Name: name, Arity: -2, Flags: Write | Fast, KeySpecs: inList(popsKey), Run: run, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N elements returned", Summary: summary,
			History: []Change{{"6.2.0", "Argument `count`."}},
			Args:    []Arg{Key(), NewArg("count", ArgInteger).From("6.2.0").Opt()},
		}}
	}
	return []*Spec{
		pop("lpop", runLPop, "Removes the first elements of a list and returns them"),
		pop("rpop", runRPop, "Removes the last elements of a list and returns them"),
		{Name: "lmpop", Arity: -4, Flags: Write, Run: runLMPop,
			KeySpecs: []KeySpec{countedKeys(1, popsKey)}, Doc: Doc{
				Since: "7.0.0", Complexity: "O(N+M) for N keys and M elements returned",
				Summary: "Removes elements from an end of the first list that has any and returns them",
				Args: []Arg{NewArg("numkeys", ArgInteger), Key().Many(), listEnd("where"),
					NewArg("count", ArgInteger).After("COUNT").Opt()},
			}},
		{Name: "lmove", Arity: 5, Flags: Write | DenyOOM, KeySpecs: fromTo, Run: runLMove, Doc: Doc{
			Since: "6.2.0", Complexity: "O(1)",
			Summary: "Moves an element from an end of a list to an end of another one and returns it",
			Args:    append(fromToArgs[:2:2], listEnd("wherefrom"), listEnd("whereto")),
		}},
		{Name: "rpoplpush", Arity: 3, Flags: Write | DenyOOM, KeySpecs: fromTo, Run: runRPopLPush, Doc: Doc{
			Since: "1.2.0", Complexity: "O(1)", Deprecated: "6.2.0", ReplacedBy: "`LMOVE` with `RIGHT` and `LEFT`",
			Summary: "Moves the last element of a list to the head of another one and returns it",
			Args:    fromToArgs,
		}},
	}
}

// countedKeys describes keys behind their number, which is the argument at.
func countedKeys(at int, flags KeyFlags) KeySpec {
	return KeySpec{Flags: flags, Begin: KeyBegin{Index: at}, Find: KeyFind{How: FindCount, FirstAt: 1, Step: 1}}
}

func listBlockSpecs() []*Spec {
	fraction := []Change{{"6.0.0", "The timeout may have a fraction."}}
	pop := func(name string, run func(*Call), summary string) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: Write | Blocking, KeySpecs: []KeySpec{KeyAt(1, -2, 1, popsKey)}, Run: run, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N keys", Summary: summary, History: fraction,
			Args: []Arg{Key().Many(), timeout},
		}}
	}
	return []*Spec{
		pop("blpop", runBLPop, "Removes the first element of the first list that has any, or waits for one"),
		pop("brpop", runBRPop, "Removes the last element of the first list that has any, or waits for one"),
		{Name: "blmpop", Arity: -5, Flags: Write | Blocking, Run: runBLMPop,
			KeySpecs: []KeySpec{countedKeys(2, popsKey)}, Doc: Doc{
				Since: "7.0.0", Complexity: "O(N+M) for N keys and M elements returned",
				Summary: "Removes elements from an end of the first list that has any, or waits for one",
				Args: []Arg{timeout, NewArg("numkeys", ArgInteger), Key().Many(), listEnd("where"),
					NewArg("count", ArgInteger).After("COUNT").Opt()},
			}},
		{Name: "blmove", Arity: 6, Flags: Write | DenyOOM | Blocking, KeySpecs: fromTo, Run: runBLMove, Doc: Doc{
			Since: "6.2.0", Complexity: "O(1)",
			Summary: "Moves an element from an end of a list to an end of another one, or waits for one",
			Args:    append(fromToArgs[:2:2], listEnd("wherefrom"), listEnd("whereto"), timeout),
		}},
		{Name: "brpoplpush", Arity: 4, Flags: Write | DenyOOM | Blocking, KeySpecs: fromTo, Run: runBRPopLPush, Doc: Doc{
			Since: "2.2.0", Complexity: "O(1)", Deprecated: "6.2.0", ReplacedBy: "`BLMOVE` with `RIGHT` and `LEFT`",
			Summary: "Moves the last element of a list to the head of another one, or waits for one",
			History: fraction, Args: append(fromToArgs[:2:2], timeout),
		}},
	}
}

func listReadSpecs() []*Spec {
	return []*Spec{
		{Name: "llen", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: inList(KeyRO), Run: runLLen, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns the number of elements of a list", Args: []Arg{Key()},
		}},
		{Name: "lindex", Arity: 3, Flags: ReadOnly, KeySpecs: inList(KeyRO | KeyAccess), Run: runLIndex, Doc: Doc{
			Since: "1.0.0", Complexity: "O(log N) for N elements",
			Summary: "Returns the element at an index of a list", Args: []Arg{Key(), NewArg("index", ArgInteger)},
		}},
		{Name: "lrange", Arity: 4, Flags: ReadOnly, KeySpecs: inList(KeyRO | KeyAccess), Run: runLRange, Doc: Doc{
			Since: "1.0.0", Complexity: "O(log N+M) for N elements of which M are returned",
			Summary: "Returns the elements between two indexes of a list",
			Args:    []Arg{Key(), NewArg("start", ArgInteger), NewArg("stop", ArgInteger)},
		}},
		{Name: "lpos", Arity: -3, Flags: ReadOnly, KeySpecs: inList(KeyRO | KeyAccess), Run: runLPos, Doc: Doc{
			Since: "6.0.6", Complexity: "O(N) for N elements looked at",
			Summary: "Returns the indexes of elements that equal a value",
			Args: []Arg{Key(), NewArg("element", ArgString), NewArg("rank", ArgInteger).After("RANK").Opt(),
				NewArg("num-matches", ArgInteger).After("COUNT").Opt(), NewArg("len", ArgInteger).After("MAXLEN").Opt()},
		}},
	}
}

func listEditSpecs() []*Spec {
	return []*Spec{
		{Name: "lset", Arity: 4, Flags: Write | DenyOOM, KeySpecs: inList(KeyRW | KeyUpdate), Run: runLSet, Doc: Doc{
			Since: "1.0.0", Complexity: "O(log N) for N elements",
			Summary: "Replaces the element at an index of a list",
			Args:    []Arg{Key(), NewArg("index", ArgInteger), NewArg("element", ArgString)},
		}},
		{Name: "linsert", Arity: 5, Flags: Write | DenyOOM, KeySpecs: inList(KeyRW | KeyInsert), Run: runLInsert, Doc: Doc{
			Since: "2.2.0", Complexity: "O(N) for N elements up to the one that is looked for",
			Summary: "Adds an element before or after another one of a list",
			Args: []Arg{Key(), OneOf("where", Token("BEFORE"), Token("AFTER")),
				NewArg("pivot", ArgString), NewArg("element", ArgString)},
		}},
		{Name: "lrem", Arity: 4, Flags: Write, KeySpecs: inList(KeyRW | KeyDelete), Run: runLRem, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N elements",
			Summary: "Removes the elements of a list that equal a value",
			Args:    []Arg{Key(), NewArg("count", ArgInteger), NewArg("element", ArgString)},
		}},
		{Name: "ltrim", Arity: 4, Flags: Write, KeySpecs: inList(KeyRW | KeyDelete), Run: runLTrim, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N elements removed",
			Summary: "Removes the elements that are not between two indexes of a list",
			Args:    []Arg{Key(), NewArg("start", ArgInteger), NewArg("stop", ArgInteger)},
		}},
	}
}

func (c *Call) findList(key []byte) (e store.Entry, found, failed bool) {
	return c.findAs(store.TypeList, key)
}

func (c *Call) findListToWrite(key []byte) (e store.Entry, found, failed bool) {
	return c.findToWriteAs(store.TypeList, key)
}

// keyGone tells listeners that the last element has gone, and the key with it.
func (c *Call) keyGone(key []byte) { c.notify(EventGeneric, "del", key) }
