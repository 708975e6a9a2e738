package server

import (
	"fmt"
	"runtime/metrics"
	"time"
)

// memoryPeak follows how much memory is in use.
type memoryPeak struct {
	peak     int64
	peakAt   int64 // unix seconds
	startup  int64 // in use when the server had started
	resident int64
	sampled  time.Duration

	clients int64 // what connections occupied when it was last sampled
}

// residentEvery bounds how often the kernel is asked: it has to add up pages.
const residentEvery = time.Second

func (m *memoryPeak) sample(s *Server) {
	now := s.clock.elapsed()
	if m.sampled != 0 && now-m.sampled < residentEvery {
		return
	}
	m.sampled = now
	m.resident = residentMemory()
	m.clients = s.clientMemory()
	used := s.usedMemory()
	if m.startup == 0 {
		m.startup = used
	}
	if used > m.peak {
		m.peak, m.peakAt = used, s.clock.unix
	}
}

// usedMemory is what data, connections and the log need, in bytes. It takes a
// time that grows with the number of connections only.
func (s *Server) usedMemory() int64 {
	return int64(s.keyspace.MemoryStats().Used()) + s.clientMemory() + s.logMemory() + s.scriptMemory() + baseMemory
}

// baseMemory stands for what the process needs without data: code, tables, the
// runtime.
const baseMemory = 1 << 20

func (s *Server) clientMemory() int64 {
	n := int64(0)
	for _, c := range s.conns {
		n += int64(c.memory())
	}
	return n
}

// replicaMemory is the part of clientMemory that is replicas' connections.
func (s *Server) replicaMemory() int64 {
	n := int64(0)
	for _, f := range s.repl.feeds {
		n += int64(f.c.memory())
	}
	return n
}

// infoReclaim is how much of what has been deleted is freed before memory is reported,
// in units of the store's Step: about ten milliseconds. Who asks after FLUSHALL wants to
// see the difference.
const infoReclaim = 100_000

func (s *Server) infoMemory(b *infoBuilder) {
	s.keyspace.Reclaim(infoReclaim)
	s.memory.sampled = 0
	s.memory.sample(s)
	store := s.keyspace.MemoryStats()
	m := &s.memory
	used, data := s.usedMemory(), int64(store.Used())
	overhead := used - int64(store.Entries)
	clients, replicas := s.clientMemory(), s.replicaMemory()
	b.section("Memory")
	memoryField(b, "used_memory", used)
	memoryField(b, "used_memory_rss", m.resident)
	memoryField(b, "used_memory_peak", m.peak)
	b.fieldf("used_memory_peak_perc", "%.2f%%", percent(used, m.peak))
	b.field("used_memory_overhead", overhead)
	b.field("used_memory_startup", m.startup)
	b.field("used_memory_dataset", used-overhead)
	b.fieldf("used_memory_dataset_perc", "%.2f%%", percent(used-overhead, used-m.startup))
	b.field("allocator_allocated", data)
	b.field("allocator_active", store.Reserved)
	b.field("allocator_resident", store.Reserved)
	memoryField(b, "total_system_memory", systemMemory())
	s.infoScripts(b)
	memoryField(b, "maxmemory", s.config.Maxmemory)
	b.field("maxmemory_policy", s.config.MaxmemoryPolicy)
	b.fieldf("allocator_frag_ratio", "%.2f", ratio(int64(store.Reserved), data))
	b.field("allocator_frag_bytes", store.Free)
	b.fieldf("allocator_rss_ratio", "%.2f", 1.0)
	b.field("allocator_rss_bytes", 0)
	b.fieldf("rss_overhead_ratio", "%.2f", ratio(m.resident, int64(store.Reserved)))
	b.field("rss_overhead_bytes", m.resident-int64(store.Reserved))
	b.fieldf("mem_fragmentation_ratio", "%.2f", ratio(m.resident, used))
	b.field("mem_fragmentation_bytes", m.resident-used)
	b.field("mem_not_counted_for_evict", s.logMemory())
	b.field("mem_replication_backlog", s.logMemory())
	b.field("mem_total_replication_buffers", s.logMemory())
	b.field("mem_clients_slaves", replicas)
	b.field("mem_clients_normal", clients-replicas)
	b.field("mem_cluster_links", 0)
	b.field("mem_aof_buffer", 0)
	b.field("mem_allocator", "lockstep-slab")
	b.field("active_defrag_running", 0)
	b.field("mem_overhead_db_hashtable_rehashing", 0)
	b.field("lazyfree_pending_objects", store.Detached+store.Orphans)
	b.field("lazyfreed_objects", store.Released-s.stats.releasedBefore)
	s.infoCollector(b)
}

// infoScripts tells what scripts and functions occupy: the machines they run in, and
// what was loaded into them.
func (s *Server) infoScripts(b *infoBuilder) {
	eval, scripts := s.scripts.memory()
	functions, libraries := s.functions.memory()
	memoryField(b, "used_memory_lua", eval)
	b.field("used_memory_vm_eval", eval)
	b.field("used_memory_scripts_eval", scripts)
	b.field("number_of_cached_scripts", len(s.scripts.bySHA))
	b.field("number_of_functions", s.functions.count())
	b.field("number_of_libraries", len(s.functions.libraries))
	b.field("used_memory_vm_functions", functions)
	memoryField(b, "used_memory_vm_total", eval+functions)
	b.field("used_memory_functions", libraries)
	memoryField(b, "used_memory_scripts", scripts+libraries)
}

// scriptMemory is what scripts and functions occupy, in bytes.
func (s *Server) scriptMemory() int64 {
	eval, scripts := s.scripts.memory()
	functions, libraries := s.functions.memory()
	return eval + scripts + functions + libraries
}

// infoCollector tells of the Go heap, on which no data is. These numbers can be
// read without stopping the world.
func (s *Server) infoCollector(b *infoBuilder) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	for i, name := range []string{"go_heap_bytes", "go_gc_cycles"} {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			continue // a later Go may not have it
		}
		n := samples[i].Value.Uint64()
		if i == 0 {
			n -= uint64(len(s.ballast))
		}
		b.field(name, n)
	}
}

// memoryField adds a size in bytes and once more for people.
func memoryField(b *infoBuilder, name string, n int64) {
	b.field(name, n)
	b.field(name+"_human", humanBytes(n))
}

func humanBytes(n int64) string {
	switch f := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%dB", n)
	case n < 1<<20:
		return fmt.Sprintf("%.2fK", f/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.2fM", f/(1<<20))
	case n < 1<<40:
		return fmt.Sprintf("%.2fG", f/(1<<30))
	default:
		return fmt.Sprintf("%.2fT", f/(1<<40))
	}
}

func ratio(a, b int64) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func percent(a, b int64) float64 { return 100 * ratio(a, b) }
