package command

// Keys whatever their values are. The functions are in keys.go, expire.go,
// scan.go, object.go, dump.go and sort.go.

func genericSpecs() []*Spec {
	specs := []*Spec{}
	specs = append(specs, keySpecs()...)
	specs = append(specs, expireSpecs()...)
	specs = append(specs, iterationSpecs()...)
	specs = append(specs, objectSpec(), dumpSpec(), restoreSpec(), restoreAskingSpec())
	for _, s := range specs {
		s.Categories |= CatKeyspace
	}
	// Without its subcommands OBJECT touches no key.
	specs = append(specs, sortSpecs()...)
	for _, s := range specs {
		if s.Group == "" {
			s.Group = "generic"
		}
		if s.Name == "object" {
			s.Categories = 0
		}
	}
	return specs
}

var (
	manyKeys     = []Arg{Key().Many()}
	perShardSum  = []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	unstable     = []string{"nondeterministic_output"}
	allShardsOK  = []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	existsOnly   = []KeySpec{KeyAt(1, -1, 1, KeyRO)}
	removeEach   = []KeySpec{KeyAt(1, -1, 1, KeyRM|KeyDelete)}
	renameChange = []Change{{"3.2.0", "Both names being the same is no error any more."}}
)

func keySpecs() []*Spec {
	return []*Spec{
		{Name: "del", Arity: -2, Flags: Write, KeySpecs: removeEach, Run: runDel, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys, and for the elements of collections among them",
			Summary: "Removes keys", Tips: perShardSum, Args: manyKeys,
		}},
		{Name: "unlink", Arity: -2, Flags: Write | Fast, KeySpecs: removeEach, Run: runDel, Doc: Doc{
			Since: "4.0.0", Complexity: "O(1) for each key; memory is given back later",
			Summary: "Removes keys and gives their memory back later", Tips: perShardSum, Args: manyKeys,
		}},
		{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: existsOnly, Run: runExists, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys",
			Summary: "Counts how many of the given keys exist", Tips: perShardSum, Args: manyKeys,
			History: []Change{{"3.0.3", "More than one key may be given."}},
		}},
		{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, KeySpecs: existsOnly, Run: runTouch, Doc: Doc{
			Since: "3.2.1", Complexity: "O(N) for N keys",
			Summary: "Counts existing keys and marks them as just used", Tips: perShardSum, Args: manyKeys,
		}},
		{Name: "type", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRO)}, Run: runType, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns the type of the value at a key", Args: []Arg{Key()},
		}},
		{Name: "rename", Arity: 3, Flags: Write, Run: runRename,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyDelete), KeyAt(2, 0, 1, KeyOW|KeyUpdate)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)", History: renameChange,
				Summary: "Gives a key another name, replacing what has that name",
				Args:    []Arg{Key(), Key().Named("newkey").In(1)},
			}},
		{Name: "renamenx", Arity: 3, Flags: Write | Fast, Run: runRenameNX,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyDelete), KeyAt(2, 0, 1, KeyOW|KeyInsert)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)", History: renameChange,
				Summary: "Gives a key another name unless something has that name",
				Args:    []Arg{Key(), Key().Named("newkey").In(1)},
			}},
		{Name: "copy", Arity: -3, Flags: Write | DenyOOM, Run: runCopy,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRO|KeyAccess), KeyAt(2, 0, 1, KeyOW|KeyUpdate)}, Doc: Doc{
				Since: "6.2.0", Complexity: "O(N) for N bytes or elements",
				Summary: "Copies the value and the expiry time of a key to another key",
				Args: []Arg{
					Key().Named("source"), Key().Named("destination").In(1),
					NewArg("destination-db", ArgInteger).After("DB").Opt(), Token("REPLACE").Opt(),
				},
			}},
		{Name: "move", Arity: 3, Flags: Write | Fast, Run: runMove,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyUpdate)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)",
				Summary: "Moves a key to another database",
				Args:    []Arg{Key(), NewArg("db", ArgInteger)},
			}},
	}
}

func expireSpecs() []*Spec {
	set := func(name string, run func(*Call), since, summary string, when Arg) *Spec {
		return &Spec{Name: name, Arity: -3, Flags: Write | Fast, FirstKey: 1, LastKey: 1, Run: run, Doc: Doc{
			Since: since, Complexity: "O(1)", Summary: summary,
			History: []Change{{"7.0.0", "Options `NX`, `XX`, `GT` and `LT`."}},
			Args: []Arg{Key(), when,
				OneOf("condition", Token("NX"), Token("XX"), Token("GT"), Token("LT")).From("7.0.0").Opt()},
		}}
	}
	get := func(name string, run func(*Call), since, summary string, doc Doc) *Spec {
		doc.Since, doc.Summary, doc.Complexity, doc.Args = since, summary, "O(1)", []Arg{Key()}
		return &Spec{Name: name, Arity: 2, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: run, Doc: doc}
	}
	missing := Doc{Tips: unstable, History: []Change{{"2.8.0", "A missing key gives -2."}}}
	return []*Spec{
		set("expire", runExpire, "1.0.0", "Lets a key expire after so many seconds", NewArg("seconds", ArgInteger)),
		set("pexpire", runPExpire, "2.6.0", "Lets a key expire after so many milliseconds", NewArg("milliseconds", ArgInteger)),
		set("expireat", runExpireAt, "1.2.0", "Lets a key expire at a time in seconds", NewArg("unix-time-seconds", ArgUnixTime)),
		set("pexpireat", runPExpireAt, "2.6.0", "Lets a key expire at a time in milliseconds", NewArg("unix-time-milliseconds", ArgUnixTime)),
		get("ttl", runTTL, "1.0.0", "Returns how many seconds a key has left", missing),
		get("pttl", runPTTL, "2.6.0", "Returns how many milliseconds a key has left", missing),
		get("expiretime", runExpireTime, "7.0.0", "Returns the time in seconds at which a key expires", Doc{}),
		get("pexpiretime", runPExpireTime, "7.0.0", "Returns the time in milliseconds at which a key expires", Doc{}),
		{Name: "persist", Arity: 2, Flags: Write | Fast, FirstKey: 1, LastKey: 1, Run: runPersist, Doc: Doc{
			Since: "2.2.0", Complexity: "O(1)",
			Summary: "Takes a key's expiry time away", Args: []Arg{Key()},
		}},
	}
}

func iterationSpecs() []*Spec {
	return []*Spec{
		{Name: "keys", Arity: 2, Flags: ReadOnly, Categories: CatDangerous, Run: runKeys, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys in the database",
			Summary: "Returns all keys that match a pattern",
			Tips:    []string{"request_policy:all_shards", "nondeterministic_output_order"},
			Args:    []Arg{NewArg("pattern", ArgPattern)},
		}},
		{Name: "scan", Arity: -2, Flags: ReadOnly, Run: runScan, Doc: Doc{
			Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a whole iteration over N keys",
			Summary: "Returns some of the keys, and a cursor to go on from",
			Tips:    []string{"nondeterministic_output", "request_policy:special"},
			History: []Change{{"6.0.0", "Option `TYPE`."}},
			Args: []Arg{
				NewArg("cursor", ArgInteger),
				NewArg("pattern", ArgPattern).After("MATCH").Opt(),
				NewArg("count", ArgInteger).After("COUNT").Opt(),
				NewArg("type", ArgString).After("TYPE").From("6.0.0").Opt(),
			},
		}},
		{Name: "randomkey", Arity: 1, Flags: ReadOnly, Run: runRandomKey, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns one of the keys",
			Tips:    []string{"request_policy:all_shards", "nondeterministic_output"},
		}},
	}
}
