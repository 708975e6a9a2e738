package command

import "github.com/lockstep-db/lockstep/server/store"

// Hashes. Their functions are in hash_get.go, hash_set.go and hash_random.go.

const typeHash = store.TypeHash

func hashSpecs() []*Spec {
	specs := append(hashReaders(), hashWriters()...)
	for _, s := range specs {
		s.Group = "hash"
		s.Categories |= CatHash
	}
	return specs
}

func hashReaders() []*Spec {
	field := NewArg("field", ArgString)
	about := []KeySpec{KeyAt(1, 0, 1, KeyRO)}
	unordered := []string{"nondeterministic_output_order"}
	return []*Spec{
		{Name: "hget", Arity: 3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runHGet, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary: "Returns the value of a field of a hash",
			Args:    []Arg{Key(), field},
		}},
		{Name: "hmget", Arity: -3, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Run: runHMGet, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields asked for",
			Summary: "Returns the values of several fields of a hash",
			Args:    []Arg{Key(), field.Many()},
		}},
		{Name: "hlen", Arity: 2, Flags: ReadOnly | Fast, KeySpecs: about, Run: runHLen, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary: "Returns the number of fields of a hash",
			Args:    []Arg{Key()},
		}},
		{Name: "hstrlen", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: about, Run: runHStrlen, Doc: Doc{
			Since: "3.2.0", Complexity: "O(1)",
			Summary: "Returns the length of the value of a field of a hash",
			Args:    []Arg{Key(), field},
		}},
		{Name: "hexists", Arity: 3, Flags: ReadOnly | Fast, KeySpecs: about, Run: runHExists, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary: "Tells whether a hash has a field",
			Args:    []Arg{Key(), field},
		}},
		{Name: "hkeys", Arity: 2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runHKeys, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary: "Returns all fields of a hash", Tips: unordered,
			Args: []Arg{Key()},
		}},
		{Name: "hvals", Arity: 2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runHVals, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary: "Returns all values of a hash", Tips: unordered,
			Args: []Arg{Key()},
		}},
		{Name: "hgetall", Arity: 2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runHGetAll, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary: "Returns all fields of a hash with their values", Tips: unordered,
			Args: []Arg{Key()},
		}},
		{Name: "hscan", Arity: -3, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runHScan, Doc: Doc{
			Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a whole iteration over N fields",
			Summary: "Iterates over the fields of a hash, a few at a time",
			Tips:    []string{"nondeterministic_output"},
			Args: []Arg{Key(), NewArg("cursor", ArgInteger), NewArg("pattern", ArgPattern).After("MATCH").Opt(),
				NewArg("count", ArgInteger).After("COUNT").Opt(), Token("NOVALUES").From("8.0.0").Opt()},
		}},
		{Name: "hrandfield", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runHRandField, Doc: Doc{
			Since: "6.2.0", Complexity: "O(N) for N fields returned",
			Summary: "Returns fields of a hash drawn at random",
			Tips:    []string{"nondeterministic_output"},
			Args: []Arg{Key(), Block("options", NewArg("count", ArgInteger),
				Token("WITHVALUES").Opt()).Opt()},
		}},
	}
}

func hashWriters() []*Spec {
	key := func(flags KeyFlags) []KeySpec { return []KeySpec{KeyAt(1, 0, 1, KeyRW|flags)} }
	pairs := []Arg{Key(), Block("field_value", NewArg("field", ArgString), NewArg("value", ArgString)).Many()}
	return []*Spec{
		{Name: "hset", Arity: -4, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyUpdate), Run: runHSet, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary: "Sets fields of a hash, which is created when missing",
			History: []Change{{"4.0.0", "Several fields with their values."}},
			Args:    pairs,
		}},
		{Name: "hmset", Arity: -4, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyUpdate), Run: runHMSet, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary:    "Sets fields of a hash, which is created when missing",
			Deprecated: "4.0.0", ReplacedBy: "`HSET` with multiple field-value pairs",
			Args: pairs,
		}},
		{Name: "hsetnx", Arity: 4, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyInsert), Run: runHSetNX, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary: "Sets a field of a hash unless the field exists",
			Args:    []Arg{Key(), NewArg("field", ArgString), NewArg("value", ArgString)},
		}},
		{Name: "hincrby", Arity: 4, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyAccess | KeyUpdate), Run: runHIncrBy, Doc: Doc{
			Since: "2.0.0", Complexity: "O(1)",
			Summary: "Adds to the integer in a field of a hash, which counts as 0 when missing",
			Args:    []Arg{Key(), NewArg("field", ArgString), NewArg("increment", ArgInteger)},
		}},
		{Name: "hincrbyfloat", Arity: 4, Flags: Write | DenyOOM | Fast, KeySpecs: key(KeyAccess | KeyUpdate), Run: runHIncrByFloat, Doc: Doc{
			Since: "2.6.0", Complexity: "O(1)",
			Summary: "Adds a floating point number to the number in a field of a hash, which counts as 0 when missing",
			Args:    []Arg{Key(), NewArg("field", ArgString), NewArg("increment", ArgDouble)},
		}},
		{Name: "hdel", Arity: -3, Flags: Write | Fast, KeySpecs: key(KeyDelete), Run: runHDel, Doc: Doc{
			Since: "2.0.0", Complexity: "O(N) for N fields",
			Summary: "Removes fields of a hash, and the hash with its last one",
			History: []Change{{"2.4.0", "Several fields."}},
			Args:    []Arg{Key(), NewArg("field", ArgString).Many()},
		}},
	}
}
