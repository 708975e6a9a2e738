package command

// Strings. Their functions are in string_get.go, string_set.go,
// string_range.go, counter.go and lcs.go.

func stringSpecs() []*Spec {
	specs := append(stringReaders(), stringSetters()...)
	specs = append(specs, stringCounters()...)
	for _, s := range specs {
		s.Group = "string"
		s.Categories |= CatString
	}
	return specs
}

func stringReaders() []*Spec {
	return []*Spec{
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runGet, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns the string at a key",
			Args:    []Arg{Key()},
		}},
		{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: -1, Run: runMGet, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys",
			Summary: "Returns the strings at several keys",
			Tips:    []string{"request_policy:multi_shard"},
			Args:    []Arg{Key().Many()},
		}},
		{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRO)}, Run: runStrlen, Doc: Doc{
			Since: "2.2.0", Complexity: "O(1)",
			Summary: "Returns the length of the string at a key",
			Args:    []Arg{Key()},
		}},
		{Name: "getrange", Arity: 4, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGetRange, Doc: Doc{
			Since: "2.4.0", Complexity: "O(N) for N returned bytes",
			Summary: "Returns a part of the string at a key",
			Args:    []Arg{Key(), NewArg("start", ArgInteger), NewArg("end", ArgInteger)},
		}},
		{Name: "substr", Arity: 4, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGetRange, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N returned bytes",
			Summary:    "Returns a part of the string at a key (the old name of GETRANGE)",
			Deprecated: "2.0.0", ReplacedBy: "`GETRANGE`",
			Args: []Arg{Key(), NewArg("start", ArgInteger), NewArg("end", ArgInteger)},
		}},
		{Name: "lcs", Arity: -3, Flags: ReadOnly, FirstKey: 1, LastKey: 2, Run: runLCS, Doc: Doc{
			Since: "7.0.0", Complexity: "O(N*M) for strings of N and M bytes",
			Summary: "Finds the longest common subsequence of two strings",
			Args: []Arg{
				Key().Named("key1"), Key().Named("key2"),
				Token("LEN").Opt(), Token("IDX").Opt(),
				NewArg("min-match-len", ArgInteger).After("MINMATCHLEN").Opt(),
				Token("WITHMATCHLEN").Opt(),
			},
		}},
	}
}

func stringSetters() []*Spec {
	overwrite := []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyUpdate)}
	return []*Spec{
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Run: runSet, Keys: setKeys,
			KeySpecs: []KeySpec{{
				Notes: "RW and ACCESS due to the optional `GET` argument",
				Flags: KeyRW | KeyAccess | KeyUpdate | KeyVariable,
				Begin: KeyBegin{Index: 1}, Find: KeyFind{Step: 1},
			}}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)",
				Summary: "Sets the string at a key, whatever was there before",
				History: []Change{
					{"2.6.12", "Options `EX`, `PX`, `NX` and `XX`."},
					{"6.0.0", "Option `KEEPTTL`."},
					{"6.2.0", "Options `GET`, `EXAT` and `PXAT`."},
					{"7.0.0", "`NX` and `GET` may be combined."},
					{"8.1.0", "Option `IFEQ`."},
				},
				Args: []Arg{
					Key(), NewArg("value", ArgString),
					OneOf("condition", Token("NX").From("2.6.12"), Token("XX").From("2.6.12"),
						NewArg("comparison-value", ArgString).After("IFEQ").From("8.1.0")).Opt(),
					Token("GET").From("6.2.0").Opt(),
					OneOf("expiration", append(expiryArgs("2.6.12", "6.2.0"), Token("KEEPTTL").From("6.0.0"))...).Opt(),
				},
			}},
		{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Run: runSetNX,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyInsert)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)",
				Summary:    "Sets the string at a key unless the key exists",
				Deprecated: "2.6.12", ReplacedBy: "`SET` with the `NX` argument",
				Args: []Arg{Key(), NewArg("value", ArgString)},
			}},
		{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Run: runSetEX, KeySpecs: overwrite, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary:    "Sets the string at a key together with its time to live in seconds",
			Deprecated: "2.6.12", ReplacedBy: "`SET` with the `EX` argument",
			Args: []Arg{Key(), NewArg("seconds", ArgInteger), NewArg("value", ArgString)},
		}},
		{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Run: runPSetEX, KeySpecs: overwrite, Doc: Doc{
			Since: "2.6.0", Complexity: "O(1)",
			Summary:    "Sets the string at a key together with its time to live in milliseconds",
			Deprecated: "2.6.12", ReplacedBy: "`SET` with the `PX` argument",
			Args: []Arg{Key(), NewArg("milliseconds", ArgInteger), NewArg("value", ArgString)},
		}},
		{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Run: runMSet,
			KeySpecs: []KeySpec{KeyAt(1, -1, 2, KeyOW|KeyUpdate)}, Doc: Doc{
				Since: "1.0.1", Complexity: "O(N) for N keys",
				Summary: "Sets the strings at several keys at once",
				Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
				Args:    []Arg{Block("key_value", Key(), NewArg("value", ArgString)).Many()},
			}},
		{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Run: runMSetNX,
			KeySpecs: []KeySpec{KeyAt(1, -1, 2, KeyOW|KeyInsert)}, Doc: Doc{
				Since: "1.0.1", Complexity: "O(N) for N keys",
				Summary: "Sets the strings at several keys at once unless one of them exists",
				Tips:    []string{"request_policy:multi_shard", "response_policy:agg_min"},
				Args:    []Arg{Block("key_value", Key(), NewArg("value", ArgString)).Many()},
			}},
		{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Run: runGetSet,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyUpdate)}, Doc: Doc{
				Since: "1.0.0", Complexity: "O(1)",
				Summary:    "Sets the string at a key and returns the one before",
				Deprecated: "6.2.0", ReplacedBy: "`SET` with the `GET` argument",
				Args: []Arg{Key(), NewArg("value", ArgString)},
			}},
		{Name: "getdel", Arity: 2, Flags: Write | Fast, Run: runGetDel,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyDelete)}, Doc: Doc{
				Since: "6.2.0", Complexity: "O(1)",
				Summary: "Returns the string at a key and removes the key",
				Args:    []Arg{Key()},
			}},
		{Name: "getex", Arity: -2, Flags: Write | Fast, Run: runGetEX,
			KeySpecs: []KeySpec{{
				Notes: "RW and UPDATE because it changes the TTL",
				Flags: KeyRW | KeyAccess | KeyUpdate,
				Begin: KeyBegin{Index: 1}, Find: KeyFind{Step: 1},
			}}, Doc: Doc{
				Since: "6.2.0", Complexity: "O(1)",
				Summary: "Returns the string at a key and gives it a time to live, or takes that away",
				Args: []Arg{Key(),
					OneOf("expiration", append(expiryArgs("", ""), Token("PERSIST"))...).Opt()},
			}},
		{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Run: runAppend,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyInsert)}, Doc: Doc{
				Since: "2.0.0", Complexity: "O(1), amortised, for short values appended to strings of any length",
				Summary: "Appends to the string at a key, which is created when missing",
				Args:    []Arg{Key(), NewArg("value", ArgString)},
			}},
		{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, FirstKey: 1, LastKey: 1, Run: runSetRange, Doc: Doc{
			Since: "2.2.0", Complexity: "O(1) for short values, otherwise O(M) for M bytes",
			Summary: "Overwrites a part of the string at a key, filling up with zero bytes",
			Args:    []Arg{Key(), NewArg("offset", ArgInteger), NewArg("value", ArgString)},
		}},
	}
}

func stringCounters() []*Spec {
	counter := func(name string, run func(*Call), summary string, args ...Arg) *Spec {
		return &Spec{Name: name, Arity: 2 + len(args), Flags: Write | DenyOOM | Fast, Run: run,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyUpdate)},
			Doc:      Doc{Since: "1.0.0", Complexity: "O(1)", Summary: summary, Args: append([]Arg{Key()}, args...)}}
	}
	float := counter("incrbyfloat", runIncrByFloat, "Adds a floating point number to the number at a key",
		NewArg("increment", ArgDouble))
	float.Since = "2.6.0"
	return []*Spec{
		counter("incr", runIncr, "Adds one to the integer at a key, which counts as 0 when missing"),
		counter("decr", runDecr, "Subtracts one from the integer at a key, which counts as 0 when missing"),
		counter("incrby", runIncrBy, "Adds to the integer at a key, which counts as 0 when missing",
			NewArg("increment", ArgInteger)),
		counter("decrby", runDecrBy, "Subtracts from the integer at a key, which counts as 0 when missing",
			NewArg("decrement", ArgInteger)),
		float,
	}
}

// expiryArgs documents the four ways to give a time; since tells the versions
// of the relative and of the absolute ones.
func expiryArgs(relative, absolute string) []Arg {
	return []Arg{
		NewArg("seconds", ArgInteger).After("EX").From(relative),
		NewArg("milliseconds", ArgInteger).After("PX").From(relative),
		NewArg("unix-time-seconds", ArgUnixTime).After("EXAT").From(absolute),
		NewArg("unix-time-milliseconds", ArgUnixTime).After("PXAT").From(absolute),
	}
}
