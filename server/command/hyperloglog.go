package command

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

// HyperLogLogs: how many different elements there were, estimated from 16384
// registers. The value is a string, in the binary form that Redis gives it, since it
// travels as one (GET, DUMP, replication). hyperloglog_form.go is that form,
// hyperloglog_count.go the estimate.

func hyperLogLogSpecs() []*Spec {
	updating := "RW because it may change the internal representation of the key, and propagate to replicas"
	specs := []*Spec{
		{Name: "pfadd", Arity: -2, Flags: Write | DenyOOM | Fast, Run: runPFAdd,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyInsert)}, Doc: Doc{
				Since: "2.8.9", Complexity: "O(1) for each element",
				Summary: "Counts elements with the HyperLogLog at a key, which is created when missing",
				Args:    []Arg{Key(), NewArg("element", ArgString).Opt().Many()},
			}},
		{Name: "pfcount", Arity: -2, Flags: ReadOnly | MayReplicate, Run: runPFCount,
			KeySpecs: []KeySpec{{Notes: updating, Flags: KeyRW | KeyAccess, Begin: KeyBegin{Index: 1}, Find: KeyFind{Last: -1, Step: 1}}},
			Doc: Doc{
				Since: "2.8.9", Complexity: "O(1) with one key, O(N) with N keys",
				Summary: "Estimates how many different elements were counted at one or several keys",
				Args:    []Arg{Key().Many()},
			}},
		{Name: "pfmerge", Arity: -2, Flags: Write | DenyOOM, Run: runPFMerge,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyRW|KeyAccess|KeyInsert), KeyAt(2, -1, 1, KeyRO|KeyAccess)}, Doc: Doc{
				Since: "2.8.9", Complexity: "O(N) for N keys",
				Summary: "Merges HyperLogLogs into the one at a key",
				Args:    []Arg{Key().Named("destkey"), Key().Named("sourcekey").In(1).Opt().Many()},
			}},
		{Name: "pfdebug", Arity: 3, Flags: Write | DenyOOM | Admin, Run: runPFDebug,
			KeySpecs: []KeySpec{KeyAt(2, 0, 1, KeyRW|KeyAccess)}, Doc: Doc{
				Since: "2.8.9", Complexity: "N/A", SysCmd: true,
				Summary: "Shows or changes how the HyperLogLog at a key is held",
				Args:    []Arg{NewArg("subcommand", ArgString), Key()},
			}},
		{Name: "pfselftest", Arity: 1, Flags: Admin, Run: runPFSelfTest, Doc: Doc{
			Since: "2.8.9", Complexity: "N/A", SysCmd: true,
			Summary: "Checks this server's HyperLogLogs against what is known",
		}},
	}
	for _, s := range specs {
		s.Group = "hyperloglog"
		s.Categories |= CatHyperLogLog
	}
	return specs
}

// hyperLogLog takes the value of an entry for one, or answers with an error. It is
// not to be modified.
func (c *Call) hyperLogLog(e store.Entry) (h hyperLogLog, ok bool) {
	if c.isNot(typeString, e) {
		return nil, false
	}
	if h = hyperLogLog(c.value(e)); !h.plausible() {
		c.Fail(errNoHyperLogLog)
		return nil, false
	}
	return h, true
}

func runPFAdd(c *Call) {
	key := c.Args[1]
	e, found := c.FindWrite(key)
	updated := 0
	h := emptyHyperLogLog
	if found {
		var ok bool
		if h, ok = c.hyperLogLog(e); !ok {
			return
		}
	} else {
		updated++
	}
	if h.dense() {
		c.addDense(key, h)
		return
	}
	// The work is done on a copy, so that a damaged value is left as it was.
	h = append(c.hll[:0], h...)
	for _, element := range c.Args[2:] {
		var changed, ok bool
		if h, changed, ok = h.count(element, c.Keyspace.Limits.HLLSparseBytes); !ok {
			c.Fail(errDamagedHyperLogLog)
			return
		}
		if changed {
			updated++
		}
	}
	c.hll = h
	if updated == 0 {
		c.Out.Int(0)
		return
	}
	h.forgetEstimate()
	c.storeHyperLogLog(key, h)
	c.pfAdded(key, updated)
}

// addDense is PFADD to dense registers, which are changed where they are.
func (c *Call) addDense(key []byte, h hyperLogLog) {
	updated := 0
	for _, element := range c.Args[2:] {
		i, value := hllPlace(element)
		if h.register(i) >= value {
			continue
		}
		if updated++; updated == 1 {
			h = c.changeHyperLogLog(key)
		}
		h.setRegister(i, value)
	}
	if updated == 0 {
		c.Out.Int(0)
		return
	}
	h.forgetEstimate()
	c.pfAdded(key, updated)
}

func (c *Call) pfAdded(key []byte, updated int) {
	c.Changed(updated)
	c.Touch(key)
	c.notify(EventString, "pfadd", key)
	c.Out.Int(1)
}

// storeHyperLogLog gives a key its new value.
func (c *Call) storeHyperLogLog(key []byte, h hyperLogLog) {
	c.access(c.DB.SetRawKeepTTL(key, h))
}

// changeHyperLogLog is the value at a key, for changes in place.
func (c *Call) changeHyperLogLog(key []byte) hyperLogLog {
	b, _ := c.DB.GrowString(key, 0) // does not grow
	return b
}

func runPFCount(c *Call) {
	if len(c.Args) > 2 {
		countUnion(c)
		return
	}
	key := c.Args[1]
	e, found := c.FindRead(key)
	if !found {
		c.Out.Int(0)
		return
	}
	h, ok := c.hyperLogLog(e)
	if !ok {
		return
	}
	if n, known := h.estimate(); known {
		c.Out.Int(int64(n))
		return
	}
	n, ok := h.compute()
	if !ok {
		c.Fail(errDamagedHyperLogLog)
		return
	}
	c.Out.Int(int64(n))
	if c.Expiry == ExpireHide {
		return // a replica leaves it to its primary to note the estimate
	}
	c.changeHyperLogLog(key).noteEstimate(n)
	c.Changed(1)
	c.Touch(key)
}

func countUnion(c *Call) {
	var registers hllRegisters
	for _, key := range c.Args[1:] {
		if _, ok := c.mergeRegisters(&registers, key); !ok {
			return
		}
	}
	c.Out.Int(int64(registers.estimate()))
}

// mergeRegisters adds what the HyperLogLog at a key has counted, if there is one, or
// answers with an error.
func (c *Call) mergeRegisters(r *hllRegisters, key []byte) (dense, ok bool) {
	e, found := c.FindRead(key)
	if !found {
		return false, true
	}
	h, ok := c.hyperLogLog(e)
	if !ok {
		return false, false
	}
	if !h.mergeInto(r) {
		c.Fail(errDamagedHyperLogLog)
		return false, false
	}
	return h.dense(), true
}

func runPFMerge(c *Call) {
	var registers hllRegisters
	anyDense := false
	for _, key := range c.Args[1:] {
		dense, ok := c.mergeRegisters(&registers, key)
		if !ok {
			return
		}
		anyDense = anyDense || dense
	}
	key := c.Args[1]
	h := emptyHyperLogLog
	if e, found := c.FindWrite(key); found {
		h = hyperLogLog(c.value(e)) // was merged, so it is good
	}
	h = append(c.hll[:0], h...)
	if anyDense && !h.dense() {
		h, _ = h.toDense()
	}
	for i, n := range registers {
		if n > 0 {
			h, _, _ = h.set(i, n, c.Keyspace.Limits.HLLSparseBytes)
		}
	}
	c.hll = h
	h.forgetEstimate()
	c.storeHyperLogLog(key, h)
	c.modified(EventString, "pfadd", key)
	c.Out.OK()
}

func runPFDebug(c *Call) {
	key := c.Args[2]
	e, found := c.FindWrite(key)
	if !found {
		c.Fail(errNoHyperLogLogKey)
		return
	}
	h, ok := c.hyperLogLog(e)
	if !ok {
		return
	}
	switch sub := c.Args[1]; {
	case equalFold(sub, "GETREG"):
		if h, _, ok = c.densify(key, h); !ok {
			return
		}
		c.Out.Array(hllCount)
		for i := range hllCount {
			c.Out.Int(int64(h.register(i)))
		}
	case equalFold(sub, "DECODE"):
		if h.dense() {
			c.Fail(errHyperLogLogDense)
			return
		}
		c.Out.Bulk(h.spell())
	case equalFold(sub, "ENCODING"):
		c.Out.Simple(map[bool]string{true: "dense", false: "sparse"}[h.dense()])
	case equalFold(sub, "TODENSE"):
		_, converted, ok := c.densify(key, h)
		if !ok {
			return
		}
		n := int64(0)
		if converted {
			n = 1
		}
		c.Out.Int(n)
	default:
		c.Fail(errUnknownPFDebug(sub))
	}
}

// densify makes the value at a key a dense one, or answers with an error.
func (c *Call) densify(key []byte, h hyperLogLog) (dense hyperLogLog, converted, ok bool) {
	if h.dense() {
		return h, false, true
	}
	if dense, ok = h.toDense(); !ok {
		c.Fail(errDamagedHyperLogLog)
		return h, false, false
	}
	c.storeHyperLogLog(key, dense)
	c.Changed(1)
	return dense, true, true
}

// runPFSelfTest counts numbers in both forms and compares the estimates with the
// truth at every power of two.
func runPFSelfTest(c *Call) {
	sparse := append(hyperLogLog(nil), emptyHyperLogLog...)
	dense, _ := append(hyperLogLog(nil), emptyHyperLogLog...).toDense()
	const limit = 1 << 17
	for i := 1; i <= limit; i++ {
		element := strconv.AppendInt(nil, int64(i), 10)
		sparse, _, _ = sparse.count(element, defaultHLLBytes)
		dense, _, _ = dense.count(element, 0)
		if i&(i-1) != 0 {
			continue
		}
		a, okA := sparse.compute()
		b, okB := dense.compute()
		// Four times the standard error of 1.04/128, and one for small numbers.
		tolerance := uint64(i)*4*104/12800 + 1
		if !okA || !okB || a != b || max(a, uint64(i))-min(a, uint64(i)) > tolerance {
			c.Fail(errHyperLogLogTest(i, a, b))
			return
		}
	}
	c.Out.OK()
}

const defaultHLLBytes = 3000
