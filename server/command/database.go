package command

import "github.com/lockstep-db/lockstep/server/store"

func databaseSpecs() []*Spec {
	how := []Arg{OneOf("flush-type", Token("ASYNC").From("4.0.0"), Token("SYNC").From("6.2.0")).Opt()}
	history := []Change{{"4.0.0", "Option `ASYNC`."}, {"6.2.0", "Option `SYNC`."}}
	specs := []*Spec{
		{Name: "flushdb", Arity: -1, Flags: Write, Categories: CatDangerous, Run: runFlushDB, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys in the database",
			Summary: "Removes all keys of the current database", History: history, Tips: allShardsOK, Args: how,
		}},
		{Name: "flushall", Arity: -1, Flags: Write, Categories: CatDangerous, Run: runFlushAll, Doc: Doc{
			Since: "1.0.0", Complexity: "O(N) for N keys in all databases",
			Summary: "Removes all keys of all databases", History: history, Tips: allShardsOK, Args: how,
		}},
		{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast, Run: runDBSize, Doc: Doc{
			Since: "1.0.0", Complexity: "O(1)",
			Summary: "Returns the number of keys in the current database",
			Tips:    []string{"request_policy:all_shards", "response_policy:agg_sum"},
		}},
		{Name: "swapdb", Arity: 3, Flags: Write | Fast, Categories: CatDangerous, Run: runSwapDB, Doc: Doc{
			Since: "4.0.0", Complexity: "O(N) for N clients that watch or wait for keys of either database",
			Summary: "Lets two databases trade their keys",
			Args:    []Arg{NewArg("index1", ArgInteger), NewArg("index2", ArgInteger)},
		}},
	}
	for _, s := range specs {
		s.Group = "server"
		s.Categories |= CatKeyspace
	}
	return specs
}

// parseFlush checks the option. It does not matter which: emptying takes
// constant time and the memory comes back in small steps.
func parseFlush(c *Call) bool {
	if len(c.Args) == 1 ||
		(len(c.Args) == 2 && (equalFold(c.Args[1], "SYNC") || equalFold(c.Args[1], "ASYNC"))) {
		return true
	}
	c.Fail(ErrSyntax)
	return false
}

// Both propagate also when there was nothing to remove, as a replica might
// have something.

func runFlushDB(c *Call) {
	if !parseFlush(c) {
		return
	}
	c.empty(c.DB)
	c.flushed()
	c.ForceEffect()
	c.Out.OK()
}

func runFlushAll(c *Call) {
	if !parseFlush(c) {
		return
	}
	if c.FlushingAll != nil {
		c.FlushingAll()
	}
	for i := range c.Keyspace.Databases() {
		c.empty(c.Keyspace.DB(i))
	}
	c.flushed()
	c.ForceEffect()
	c.Out.OK()
}

func (c *Call) empty(db *store.DB) {
	if c.Emptied != nil {
		c.Emptied(db.Index())
	}
	c.Changed(db.Len())
	db.Clear()
}

func (c *Call) flushed() {
	if c.Flushed != nil {
		c.Flushed()
	}
}

func runDBSize(c *Call) { c.Out.Int(int64(c.DB.Len())) }

func runSwapDB(c *Call) {
	a, ok := c.swapArg(1, errSwapFirst)
	if !ok {
		return
	}
	b, ok := c.swapArg(2, errSwapSecond)
	if !ok {
		return
	}
	n := int64(c.Keyspace.Databases())
	if a < 0 || a >= n || b < 0 || b >= n {
		c.Fail(ErrDBOutOfRange)
		return
	}
	if a != b {
		c.Keyspace.Swap(int(a), int(b))
		if c.Swapped != nil {
			c.Swapped(int(a), int(b))
		}
	}
	c.Changed(1)
	c.Out.OK()
}

func (c *Call) swapArg(i int, err ReplyError) (int64, bool) {
	n, ok := parseInt(c.Args[i])
	if !ok || n != int64(int32(n)) {
		c.Fail(err)
		return 0, false
	}
	return n, true
}
