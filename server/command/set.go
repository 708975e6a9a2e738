package command

import "github.com/lockstep-db/lockstep/server/store"

// Sets. Their functions are in set_member.go, set_random.go, set_combine.go and
// set_inter.go.

const typeSet = store.TypeSet

func setSpecs() []*Spec {
	specs := append(setReaders(), setWriters()...)
	specs = append(specs, setCombinations()...)
	for _, s := range specs {
		s.Group = "set"
		s.Categories |= CatSet
	}
	return specs
}

func setReaders() []*Spec {
	member := NewArg("member", ArgString)
	about := []KeySpec{KeyAt(1, 0, 1, KeyRO)}
	return []*Spec{
		{Name: "scard", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: about, Run: runSCard, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns the number of members of a set",
			Args:    []Arg{Key()},
		}},
		{Name: "sismember", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: about, Run: runSIsMember, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Tells whether something is a member of a set",
			Args:    []Arg{Key(), member},
		}},
		{Name: "smismember", Arity: -3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runSMIsMember, Doc: Doc{
			Since: "6.2.0", Complexity: "O(N) for N members asked for",
			Summary: "Tells of several things whether they are members of a set",
			Args:    []Arg{Key(), member.Many()},
		}},
		{Name: "smembers", Arity: 2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runSMembers, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N members",
			Summary: "Returns all members of a set",
			Tips:    []string{"nondeterministic_output_order"},
			Args:    []Arg{Key()},
		}},
		{Name: "sscan", Arity: -3, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runSScan, Doc: Doc{
			Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a whole iteration over N members",
			Summary: "Iterates over the members of a set, a few at a time",
			Tips:    []string{"nondeterministic_output"},
			Args: []Arg{Key(), NewArg("cursor", ArgInteger), NewArg("pattern", ArgPattern).After("MATCH").Opt(),
				NewArg("count", ArgInteger).After("COUNT").Opt()},
		}},
		{Name: "srandmember", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runSRandMember, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N members returned",
			Summary: "Returns members of a set drawn at random",
			Tips:    []string{"nondeterministic_output"},
			History: []Change{{"2.6.0", "The `count` argument."}},
			Args:    []Arg{Key(), NewArg("count", ArgInteger).From("2.6.0").Opt()},
		}},
	}
}

func setWriters() []*Spec {
	key := func(flags KeyFlags) []KeySpec { return []KeySpec{KeyAt(1, 0, 1, KeyRW|flags)} }
	member := NewArg("member", ArgString)
	several := []Change{{"2.4.0", "Several members."}}
	return []*Spec{
		{Name: "sadd", Arity: -3, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyInsert), Run: runSAdd, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N members",
			Summary: "Adds members to a set, which is created when missing",
			History: several,
			Args:    []Arg{Key(), member.Many()},
		}},
		{Name: "srem", Arity: -3, Flags: Write | Fast, KeySpecs: key(KeyDelete), Run: runSRem, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N members",
			Summary: "Removes members of a set, and the set with its last one",
			History: several,
			Args:    []Arg{Key(), member.Many()},
		}},
		{Name: "smove", Arity: 4, Flags: Write | Fast, Run: runSMove,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyDelete), KeyAt(2, 0, 1, KeyRW|KeyInsert)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)",
				Summary: "Moves a member from one set to another",
				Args:    []Arg{Key().Named("source"), Key().Named("destination").In(1), member},
			}},
		{Name: "spop", Arity: -2, Flags: Write | Fast, KeySpecs: key(KeyAccess | KeyDelete), Run: runSPop, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N members removed",
			Summary: "Removes members of a set drawn at random and returns them",
			Tips:    []string{"nondeterministic_output"},
			History: []Change{{"3.2.0", "The `count` argument."}},
			Args:    []Arg{Key(), NewArg("count", ArgInteger).From("3.2.0").Opt()},
		}},
	}
}

func setCombinations() []*Spec {
	const (
		linear = "O(N) for N members in all sets"
		inter  = "O(N*M) at worst, for N members of the smallest of M sets"
	)
	read := func(name, complexity, summary string, run func(*Call)) *Spec {
		return &Spec{Name: name, Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: -1, Run: run, Doc: Doc{
			Since: "1.0.0", Complexity: complexity, Summary: summary,
			Tips: []string{"nondeterministic_output_order"},
			Args: []Arg{Key().Many()},
		}}
	}
	write := func(name, complexity, summary string, flag KeyFlags, run func(*Call)) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: Write | DenyOOM, Run: run,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, flag|KeyUpdate), KeyAt(2, -1, 1, KeyRO|KeyAccess)}, Doc: Doc{
				Since: "1.0.0", Complexity: complexity, Summary: summary,
				Args: []Arg{Key().Named("destination"), Key().In(1).Many()},
			}}
	}
	return []*Spec{
		read("sinter", inter, "Returns the members that all of several sets have", runSInter),
		read("sunion", linear, "Returns the members that any of several sets has", runSUnion),
		read("sdiff", linear, "Returns the members that the first of several sets has and no other one", runSDiff),
		write("sinterstore", inter, "Stores the members that all of several sets have", KeyRW, runSInterStore),
		write("sunionstore", linear, "Stores the members that any of several sets has", KeyOW, runSUnionStore),
		write("sdiffstore", linear, "Stores the members that the first of several sets has and no other one", KeyOW, runSDiffStore),
		{Name: "sintercard", Arity: -3, Flags: ReadOnly, Run: runSInterCard,
			KeySpecs: []KeySpec{{Flags: KeyRO | KeyAccess, Begin: KeyBegin{Index: 1},
				Find: KeyFind{How: FindCount, CountAt: 0, FirstAt: 1, Step: 1}}}, Doc: Doc{
				Since: "7.0.0", Complexity: inter,
				Summary: "Returns the number of members that all of several sets have",
				Args: []Arg{NewArg("numkeys", ArgInteger), Key().Many(),
					NewArg("limit", ArgInteger).After("LIMIT").Opt()},
			}},
	}
}
