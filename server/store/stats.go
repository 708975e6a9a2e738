package store

// MemoryStats says where the memory of a Keyspace is, in bytes.
type MemoryStats struct {
	Keys      int // number of keys, all databases
	Entries   int // blocks that hold keys and their values, and what objects hold beside them
	Tables    int // hash tables and the index of volatile keys
	Free      int // free blocks within spans that are in use
	Idle      int // what is free and has yet to be given back, see GiveBack
	Reserved  int // all of the above: what is taken from the operating system, at most
	Detached  int // number of keys of cleared databases that Step has yet to free; Entries counts them
	Orphans   int // number of objects of removed keys that Step has yet to release; Entries counts them
	Released  int // number of orphans that Step has released so far
	Databases []DBStats
}

// DBStats is the per-database part of MemoryStats.
type DBStats struct {
	Keys     int // number of keys
	Volatile int // number of keys that have an expiry time
	Table    int // bytes of the hash table
	Index    int // bytes of the index of volatile keys
}

// Used is what the data set needs: entries and tables.
func (m MemoryStats) Used() int { return m.Entries + m.Tables }

// Fragmentation is the ratio of what is reserved to what is used; 1 for an
// empty keyspace.
func (m MemoryStats) Fragmentation() float64 {
	if m.Used() == 0 {
		return 1
	}
	return float64(m.Reserved) / float64(m.Used())
}

// MemoryStats reports where the memory is. It takes a time that does not depend
// on the number of keys.
func (k *Keyspace) MemoryStats() MemoryStats {
	a := k.arena
	m := MemoryStats{
		Entries: k.Entries(),
		Idle:    a.idle.bytes,
		Free:    a.slabs.spanBytes() - a.slabs.bytes - a.slabs.used[tableClass]*bucketSize,
	}
	for _, db := range k.dbs {
		d := db.space.stats()
		m.Keys += d.Keys
		m.Tables += d.Table + d.Index
		m.Databases = append(m.Databases, d)
	}
	m.Orphans, m.Released = len(a.objects.orphans), a.objects.released
	for _, s := range k.detached() {
		d := s.stats()
		m.Detached += d.Keys
		m.Tables += d.Table + d.Index
	}
	m.Reserved = m.Entries + m.Tables + m.Free + m.Idle + a.large.graveBytes()
	return m
}

// Entries is the part of MemoryStats that changes with every write, in bytes: it
// takes no time to ask for.
func (k *Keyspace) Entries() int {
	a := k.arena
	return a.slabs.bytes + a.runs.pages*pageSize + a.large.bytes + a.objects.outside
}

func (s *space) stats() DBStats {
	return DBStats{
		Keys:     s.table.count,
		Volatile: s.volatile.count,
		Table:    (int(s.table.buckets) + s.table.links) * bucketSize,
		Index:    s.volatile.bytes(),
	}
}

// detached are the spaces that no database refers to.
func (k *Keyspace) detached() []*space {
	detached := k.doomed[:len(k.doomed):len(k.doomed)]
	if k.cut != nil {
		for _, s := range k.cut.spaces {
			if s.cut.detached {
				detached = append(detached, s)
			}
		}
	}
	return detached
}
