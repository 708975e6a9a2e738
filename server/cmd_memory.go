package server

import (
	"fmt"
	"runtime/debug"

	"github.com/lockstep-db/lockstep/server/command"
)

func (s *Server) memorySpec() *command.Spec {
	sub := func(name string, arity int, flags command.Flags, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	usage := sub("usage", -3, command.ReadOnly, s.cmdMemoryUsage)
	usage.KeySpecs = []command.KeySpec{{Flags: command.KeyRO, Begin: command.KeyBegin{Index: 2}, Find: command.KeyFind{Step: 1}}}
	usage.Categories = command.CatRead
	return &command.Spec{Name: "memory", Arity: -2,
		Subcommands: []*command.Spec{
			usage,
			sub("doctor", 2, 0, s.cmdMemoryDoctor),
			sub("malloc-stats", 2, 0, s.cmdMallocStats),
			sub("purge", 2, 0, s.cmdMemoryPurge),
			sub("stats", 2, 0, s.cmdMemoryStats),
			helpSpec("memory", command.Loading|command.Stale,
				"DOCTOR", "    Return memory problems reports.",
				"MALLOC-STATS", "    Return internal statistics report from the memory allocator.",
				"PURGE", "    Attempt to purge dirty pages for reclamation by the allocator.",
				"STATS", "    Return information about the memory usage of the server.",
				"USAGE <key> [SAMPLES <count>]", "    Return memory in bytes used by <key> and its value. Nested values are",
				"    sampled up to <count> times (default: 5, 0 means sample all)."),
		}}
}

func (s *Server) cmdMemoryUsage(call *command.Call) {
	switch {
	case len(call.Args) == 3:
	case len(call.Args) == 5 && foldIs(call.Args[3], "samples"):
		if n, ok := parseInt(call.Args[4]); !ok {
			call.Fail(errNotInteger)
			return
		} else if n < 0 {
			call.Fail(errSyntax)
			return
		}
	default:
		call.Fail(errSyntax)
		return
	}
	entry, ok := call.DB.Find(call.Args[2])
	if at, volatile := int64(0), false; ok {
		if at, volatile = entry.ExpireAt(); volatile && at <= call.Now && call.Expiry != command.ExpireIgnore {
			ok = false
		}
	}
	if !ok {
		call.Out.Null()
		return
	}
	call.Out.Int(int64(entry.Size()))
}

func (s *Server) cmdMemoryDoctor(call *command.Call) {
	stats := s.keyspace.MemoryStats()
	var text string
	switch used := int64(stats.Used()); {
	case used < 5<<20:
		text = "There is too little data to judge: this server holds less than 5 MB."
	case ratio(s.memory.resident, s.usedMemory()) > 1.5:
		text = fmt.Sprintf("The process occupies %s for %s of data. MEMORY PURGE gives free memory back to the system.",
			humanBytes(s.memory.resident), humanBytes(used))
	default:
		text = "Nothing unusual was found."
	}
	call.Out.Verbatim("txt", text+"\n")
}

func (s *Server) cmdMallocStats(call *command.Call) {
	m := s.keyspace.MemoryStats()
	call.Out.Verbatim("txt", fmt.Sprintf("keys: %d\nentries: %d\ntables: %d\nfree: %d\nreserved: %d\ndetached keys: %d\n",
		m.Keys, m.Entries, m.Tables, m.Free, m.Reserved, m.Detached))
}

func (s *Server) cmdMemoryPurge(call *command.Call) {
	for range 1000 { // bounded: the rest goes with the cron
		s.keyspace.GiveBack(1)
		if !s.keyspace.Step(storeStepUnits) {
			break
		}
	}
	debug.FreeOSMemory()
	call.Out.OK()
}

func (s *Server) cmdMemoryStats(call *command.Call) {
	s.memory.sample(s)
	m, used := s.keyspace.MemoryStats(), s.usedMemory()
	overhead := used - int64(m.Entries)
	out := call.Out
	mark, n := out.Mark(), 0
	number := func(name string, v int64) { out.BulkString(name); out.Int(v); n++ }
	fraction := func(name string, v float64) { out.BulkString(name); out.Double(v); n++ }
	number("peak.allocated", s.memory.peak)
	number("total.allocated", used)
	number("startup.allocated", s.memory.startup)
	number("replication.backlog", s.logMemory())
	number("clients.slaves", s.replicaMemory())
	number("clients.normal", s.clientMemory()-s.replicaMemory())
	number("cluster.links", 0)
	number("aof.buffer", 0)
	_, scripts := s.scripts.memory()
	_, libraries := s.functions.memory()
	number("lua.caches", scripts)
	number("functions.caches", libraries)
	for i, db := range m.Databases {
		if db.Keys > 0 {
			out.BulkString(fmt.Sprintf("db.%d", i))
			out.Map(3)
			out.BulkString("overhead.hashtable.main")
			out.Int(int64(db.Table))
			out.BulkString("overhead.hashtable.expires")
			out.Int(int64(db.Index))
			out.BulkString("overhead.hashtable.slot-to-keys")
			out.Int(0)
			n++
		}
	}
	number("overhead.total", overhead)
	number("keys.count", int64(m.Keys))
	perKey := int64(0)
	if m.Keys > 0 {
		perKey = (used - s.memory.startup) / int64(m.Keys)
	}
	number("keys.bytes-per-key", perKey)
	number("dataset.bytes", used-overhead)
	fraction("dataset.percentage", percent(used-overhead, used-s.memory.startup))
	fraction("peak.percentage", percent(used, s.memory.peak))
	number("allocator.allocated", int64(m.Used()))
	number("allocator.active", int64(m.Reserved))
	number("allocator.resident", int64(m.Reserved))
	fraction("allocator-fragmentation.ratio", ratio(int64(m.Reserved), int64(m.Used())))
	number("allocator-fragmentation.bytes", int64(m.Free))
	fraction("allocator-rss.ratio", 1)
	number("allocator-rss.bytes", 0)
	fraction("rss-overhead.ratio", ratio(s.memory.resident, int64(m.Reserved)))
	number("rss-overhead.bytes", s.memory.resident-int64(m.Reserved))
	fraction("fragmentation", ratio(s.memory.resident, used))
	number("fragmentation.bytes", s.memory.resident-used)
	out.InsertMap(mark, n)
}
