package command

import "github.com/lockstep-db/lockstep/server/store"

// Sorted sets. Their functions are in zset_add.go, zset_get.go, zset_range.go,
// zset_remove.go, zset_pop.go, zset_sample.go and zset_combine.go; score.go reads
// numbers.

const typeSortedSet = store.TypeSortedSet

// Errors of commands on sorted sets.
const (
	errNaN           ReplyError = "ERR resulting score is not a number (NaN)"
	errAddXXNX       ReplyError = "ERR XX and NX options at the same time are not compatible"
	errAddGTLTNX     ReplyError = "ERR GT, LT, and/or NX options at the same time are not compatible"
	errAddIncrement  ReplyError = "ERR INCR option supports a single increment-element pair"
	errScoreRange    ReplyError = "ERR min or max is not a float"
	errLexRange      ReplyError = "ERR min or max not valid string range item"
	errLimitByRank   ReplyError = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errScoresByLex   ReplyError = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
	errWeight        ReplyError = "ERR weight value is not a float"
	errNegativeLimit ReplyError = "ERR LIMIT can't be negative"
)

func errNoInputKey(c *Call) ReplyError {
	return ReplyError("ERR at least 1 input key is needed for '" + c.Spec.FullName() + "' command")
}

func sortedSetSpecs() []*Spec {
	var specs []*Spec
	for _, group := range [][]*Spec{
		sortedSetAdders(), sortedSetRemovers(), sortedSetGetters(), sortedSetRanges(), sortedSetOldRanges(),
		sortedSetCombiners(), sortedSetPoppers(), sortedSetSamplers(),
	} {
		specs = append(specs, group...)
	}
	for _, s := range specs {
		s.Group = "sorted-set"
		s.Categories |= CatSortedSet
	}
	return specs
}

// sortedSet finds the sorted set at a key, for a command that reads it. When the
// key holds something else it answers with an error, and failed is true.
func (c *Call) sortedSet(key []byte) (s store.SortedSetView, found, failed bool) {
	e, found, failed := c.findAs(typeSortedSet, key)
	if found && !failed {
		s = e.SortedSet()
	}
	return s, found, failed
}

func memberArg() Arg { return NewArg("member", ArgString) }

func sortedSetAdders() []*Spec {
	return []*Spec{
		{Name: "zadd", Arity: -4, Flags: Write | DenyOOM | Fast, FirstKey: 1, LastKey: 1, Run: runZAdd, Doc: Doc{
			Since: "1.2.0", Complexity: "O(log(N)) for each member, in a sorted set of N",
			Summary: "Adds members to a sorted set, or changes their scores",
			History: []Change{
				{"2.4.0", "More than one member may be given."},
				{"3.0.2", "Options `XX`, `NX`, `CH` and `INCR`."},
				{"6.2.0", "Options `GT` and `LT`."},
			},
			Args: []Arg{
				Key(), OneOf("condition", Token("NX"), Token("XX")).From("3.0.2").Opt(),
				OneOf("comparison", Token("GT"), Token("LT")).From("6.2.0").Opt(),
				Token("CH").Named("change").From("3.0.2").Opt(), Token("INCR").Named("increment").From("3.0.2").Opt(),
				Block("data", NewArg("score", ArgDouble), memberArg()).Many(),
			},
		}},
		{Name: "zincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Run: runZIncrBy,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyUpdate)}, Doc: Doc{
				Since: "1.2.0", Complexity: "O(log(N)) in a sorted set of N members",
				Summary: "Adds to the score of a member, which is added when missing",
				Args:    []Arg{Key(), NewArg("increment", ArgInteger), memberArg()},
			}},
	}
}

func sortedSetRemovers() []*Spec {
	take := []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyDelete)}
	ranged := func(name string, run func(*Call), since, summary string, args ...Arg) *Spec {
		return &Spec{Name: name, Arity: 4, Flags: Write, KeySpecs: take, Run: run, Doc: Doc{
			Since: since, Complexity: "O(log(N)+M) for M members removed from N", Summary: summary,
			Args: append([]Arg{Key()}, args...),
		}}
	}
	return []*Spec{
		{Name: "zrem", Arity: -3, Flags: Write | Fast, KeySpecs: take, Run: runZRem, Doc: Doc{
			Since: "1.2.0", Complexity: "O(M*log(N)) for M members to remove from N",
			Summary: "Removes members from a sorted set",
			History: []Change{{"2.4.0", "More than one member may be given."}},
			Args:    []Arg{Key(), memberArg().Many()},
		}},
		ranged("zremrangebyrank", runZRemRangeByRank, "2.0.0", "Removes the members between two ranks",
			NewArg("start", ArgInteger), NewArg("stop", ArgInteger)),
		ranged("zremrangebyscore", runZRemRangeByScore, "1.2.0", "Removes the members between two scores",
			NewArg("min", ArgDouble), NewArg("max", ArgDouble)),
		ranged("zremrangebylex", runZRemRangeByLex, "2.8.9", "Removes the members between two members, all scores being the same",
			NewArg("min", ArgString), NewArg("max", ArgString)),
	}
}

func sortedSetGetters() []*Spec {
	rank := func(name string, run func(*Call), summary string) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: run, Doc: Doc{
			Since: "2.0.0", Complexity: "O(log(N)) in a sorted set of N members", Summary: summary,
			History: []Change{{"7.2.0", "Option `WITHSCORE`."}},
			Args:    []Arg{Key(), memberArg(), Token("WITHSCORE").Opt()},
		}}
	}
	count := func(name string, run func(*Call), since, summary string, end ArgType) *Spec {
		return &Spec{Name: name, Arity: 4, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: run, Doc: Doc{
			Since: since, Complexity: "O(log(N)) in a sorted set of N members", Summary: summary,
			Args: []Arg{Key(), NewArg("min", end), NewArg("max", end)},
		}}
	}
	return []*Spec{
		{Name: "zcard", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRO)}, Run: runZCard, Doc: Doc{
			Since: "1.2.0", Complexity: "O(1)", Summary: "Returns the number of members of a sorted set", Args: []Arg{Key()},
		}},
		count("zcount", runZCount, "2.0.0", "Counts the members between two scores", ArgDouble),
		count("zlexcount", runZLexCount, "2.8.9", "Counts the members between two members, all scores being the same", ArgString),
		{Name: "zscore", Arity: 3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runZScore, Doc: Doc{
			Since: "1.2.0", Complexity: "O(1)", Summary: "Returns the score of a member", Args: []Arg{Key(), memberArg()},
		}},
		{Name: "zmscore", Arity: -3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runZMScore, Doc: Doc{
			Since: "6.2.0", Complexity: "O(N) for N members asked for", Summary: "Returns the scores of several members",
			Args: []Arg{Key(), memberArg().Many()},
		}},
		rank("zrank", runZRank, "Returns how many members come before a member"),
		rank("zrevrank", runZRevRank, "Returns how many members come behind a member"),
	}
}

var (
	rangeCost = "O(log(N)+M) for M members returned of N"
	sortBy    = OneOf("sortby", Token("BYSCORE"), Token("BYLEX")).Opt()
	limitArg  = Block("limit", NewArg("offset", ArgInteger), NewArg("count", ArgInteger)).After("LIMIT").Opt()
)

func sortedSetRanges() []*Spec {
	return []*Spec{
		{Name: "zrange", Arity: -4, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runZRange, Doc: Doc{
			Since: "1.2.0", Complexity: rangeCost,
			Summary: "Returns the members between two ranks, scores or members",
			History: []Change{{"6.2.0", "Options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."}},
			Args: []Arg{
				Key(), NewArg("start", ArgString), NewArg("stop", ArgString), sortBy.From("6.2.0"),
				Token("REV").From("6.2.0").Opt(), limitArg.From("6.2.0"), Token("WITHSCORES").Opt(),
			},
		}},
		{Name: "zrangestore", Arity: -5, Flags: Write | DenyOOM, Run: runZRangeStore,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyUpdate), KeyAt(2, 0, 1, KeyRO|KeyAccess)}, Doc: Doc{
				Since: "6.2.0", Complexity: "O(log(N)+M) for M members stored of N",
				Summary: "Stores the members between two ranks, scores or members at another key",
				Args: []Arg{
					Key().Named("dst"), Key().Named("src").In(1), NewArg("min", ArgString), NewArg("max", ArgString),
					sortBy, Token("REV").Opt(), limitArg,
				},
			}},
	}
}

// sortedSetOldRanges are what ZRANGE has replaced.
func sortedSetOldRanges() []*Spec {
	old := func(name string, run func(*Call), since, summary, instead string, history []Change, args ...Arg) *Spec {
		return &Spec{Name: name, Arity: -4, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: run, Doc: Doc{
			Since: since, Complexity: rangeCost, Summary: summary, Deprecated: "6.2.0",
			ReplacedBy: "`ZRANGE` with the " + instead, History: history, Args: append([]Arg{Key()}, args...),
		}}
	}
	min, max := NewArg("min", ArgDouble), NewArg("max", ArgDouble)
	from, to := NewArg("min", ArgString), NewArg("max", ArgString)
	scores := Token("WITHSCORES").Opt()
	return []*Spec{
		old("zrevrange", runZRevRange, "1.2.0", "Returns the members between two ranks, counted from the last one",
			"`REV` argument", nil, NewArg("start", ArgInteger), NewArg("stop", ArgInteger), scores),
		old("zrangebyscore", runZRangeByScore, "1.0.5", "Returns the members between two scores",
			"`BYSCORE` argument", []Change{{"2.0.0", "Option `WITHSCORES`."}}, min, max, scores.From("2.0.0"), limitArg),
		old("zrevrangebyscore", runZRevRangeByScore, "2.2.0", "Returns the members between two scores, in reverse order",
			"`REV` and `BYSCORE` arguments", []Change{{"2.1.6", "Bounds can be exclusive."}}, max, min, scores, limitArg),
		old("zrangebylex", runZRangeByLex, "2.8.9", "Returns the members between two members, all scores being the same",
			"`BYLEX` argument", nil, from, to, limitArg),
		old("zrevrangebylex", runZRevRangeByLex, "2.8.9",
			"Returns the members between two members, all scores being the same, in reverse order",
			"`REV` and `BYLEX` arguments", nil, to, from, limitArg),
	}
}

// keysFrom describes a number of keys, which is itself an argument, and the keys
// behind it.
func keysFrom(index int, flags KeyFlags) KeySpec {
	return KeySpec{Flags: flags, Begin: KeyBegin{Index: index}, Find: KeyFind{How: FindCount, FirstAt: 1, Step: 1}}
}

func sortedSetCombiners() []*Spec {
	weights := NewArg("weight", ArgInteger).After("WEIGHTS").Opt().Many()
	aggregate := OneOf("aggregate", Token("SUM"), Token("MIN"), Token("MAX")).After("AGGREGATE").Opt()
	read := func(name, since, summary, cost string, run func(*Call), args ...Arg) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: ReadOnly, KeySpecs: []KeySpec{keysFrom(1, KeyRO|KeyAccess)}, Run: run,
			Doc: Doc{Since: since, Complexity: cost, Summary: summary,
				Args: append([]Arg{NewArg("numkeys", ArgInteger), Key().Many()}, args...)}}
	}
	write := func(name, since, summary, cost string, run func(*Call), args ...Arg) *Spec {
		return &Spec{Name: name, Arity: -4, Flags: Write | DenyOOM, Run: run,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyUpdate), keysFrom(2, KeyRO|KeyAccess)},
			Doc: Doc{Since: since, Complexity: cost, Summary: summary + ", and stores the result at a key",
				Args: append([]Arg{Key().Named("destination"), NewArg("numkeys", ArgInteger), Key().In(1).Many()}, args...)}}
	}
	const (
		union = "Returns the members that any of several sorted sets has"
		inter = "Returns the members that all of several sorted sets have"
		diff  = "Returns the members of a sorted set that none of the others has"

		unionCost = "O(N)+O(M*log(M)) for N members in all and M in the result"
		interCost = "O(N*K)+O(M*log(M)) for N members in the smallest of K sorted sets and M in the result"
		diffCost  = "O(L)+O(M*log(M)) for L members in all and M in the result"
	)
	scores := Token("WITHSCORES").Opt()
	return []*Spec{
		read("zunion", "6.2.0", union, unionCost, runZUnion, weights, aggregate, scores),
		read("zinter", "6.2.0", inter, interCost, runZInter, weights, aggregate, scores),
		read("zdiff", "6.2.0", diff, diffCost, runZDiff, scores),
		write("zunionstore", "2.0.0", "Finds the members that any of several sorted sets has", unionCost, runZUnionStore, weights, aggregate),
		write("zinterstore", "2.0.0", "Finds the members that all of several sorted sets have", interCost, runZInterStore, weights, aggregate),
		write("zdiffstore", "6.2.0", "Finds the members of a sorted set that none of the others has", diffCost, runZDiffStore),
		read("zintercard", "7.0.0", "Counts the members that all of several sorted sets have",
			"O(N*K) for N members in the smallest of K sorted sets", runZInterCard,
			NewArg("limit", ArgInteger).After("LIMIT").Opt()),
	}
}

func sortedSetPoppers() []*Spec {
	takes := KeyRW | KeyAccess | KeyDelete
	const (
		cost     = "O(M*log(N)) for M members taken from N"
		costMany = "O(K)+O(M*log(N)) for K keys and M members taken from N"
	)
	one := []KeySpec{KeyAt(1, 0, 1, takes)}
	pop := func(name string, run func(*Call), summary string) *Spec {
		return &Spec{Name: name, Arity: -2, Flags: Write | Fast, KeySpecs: one, Run: run, Doc: Doc{
			Since: "5.0.0", Complexity: cost, Summary: summary, Args: []Arg{Key(), NewArg("count", ArgInteger).Opt()},
		}}
	}
	wait := func(name string, run func(*Call), summary string) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: Write | Blocking | Fast, Run: run,
			KeySpecs: []KeySpec{KeyAt(1, -2, 1, takes)}, Doc: Doc{
				Since: "5.0.0", Complexity: "O(log(N)) in a sorted set of N members", Summary: summary,
				History: []Change{{"6.0.0", "The timeout may have a fraction."}},
				Args:    []Arg{Key().Many(), NewArg("timeout", ArgDouble)},
			}}
	}
	many := []Arg{
		NewArg("numkeys", ArgInteger), Key().Many(), OneOf("where", Token("MIN"), Token("MAX")),
		NewArg("count", ArgInteger).After("COUNT").Opt(),
	}
	return []*Spec{
		pop("zpopmin", runZPopMin, "Takes the members with the lowest scores out of a sorted set"),
		pop("zpopmax", runZPopMax, "Takes the members with the highest scores out of a sorted set"),
		{Name: "zmpop", Arity: -4, Flags: Write, KeySpecs: []KeySpec{keysFrom(1, takes)}, Run: runZMPop, Doc: Doc{
			Since: "7.0.0", Complexity: costMany,
			Summary: "Takes members out of the first of several sorted sets that exists", Args: many,
		}},
		wait("bzpopmin", runBZPopMin, "Takes the member with the lowest score out of one of several sorted sets, or waits for one"),
		wait("bzpopmax", runBZPopMax, "Takes the member with the highest score out of one of several sorted sets, or waits for one"),
		{Name: "bzmpop", Arity: -5, Flags: Write | Blocking, KeySpecs: []KeySpec{keysFrom(2, takes)}, Run: runBZMPop, Doc: Doc{
			Since: "7.0.0", Complexity: costMany,
			Summary: "Takes members out of the first of several sorted sets that exists, or waits for one",
			Args:    append([]Arg{NewArg("timeout", ArgDouble)}, many...),
		}},
	}
}

func sortedSetSamplers() []*Spec {
	return []*Spec{
		{Name: "zrandmember", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runZRandMember, Doc: Doc{
			Since: "6.2.0", Complexity: "O(M*log(N)) for M members returned of N",
			Summary: "Returns members drawn at random", Tips: unstable,
			Args: []Arg{Key(), Block("options", NewArg("count", ArgInteger), Token("WITHSCORES").Opt()).Opt()},
		}},
		{Name: "zscan", Arity: -3, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runZScan, Doc: Doc{
			Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a whole iteration over N members",
			Summary: "Returns some of the members with their scores, and a cursor to go on from", Tips: unstable,
			Args: []Arg{
				Key(), NewArg("cursor", ArgInteger), NewArg("pattern", ArgPattern).After("MATCH").Opt(),
				NewArg("count", ArgInteger).After("COUNT").Opt(), Token("NOSCORES").From("8.0.0").Opt(),
			},
		}},
	}
}
