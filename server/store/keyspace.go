package store

// Keyspace is a set of numbered databases. It is owned by one goroutine.
type Keyspace struct {
	arena  *arena
	hash   hasher
	dbs    []*DB
	cut    *Cut
	marks  cutMarks
	doomed []*space // contents of cleared databases, to be freed by Step
	// Limits say how long collections stay packed. The owner may change them at
	// any time; values that exist are held as they are until they are changed.
	Limits Limits
	// Added is told of every key that comes into being, under a new name or in
	// another database too. It must not use the Keyspace. nil: nobody asks.
	Added func(db int, key []byte)
	// compactFrom is the size class at which Step looks next for sparse spans.
	compactFrom int
}

// A space is what a database holds. SWAPDB exchanges the spaces of two
// databases; FLUSHDB gives a database a new one.
type space struct {
	ks       *Keyspace
	table    table
	volatile volatileIndex
	cut      cutProgress
}

// New makes an empty keyspace.
func New(o Options) *Keyspace {
	if o.Databases == 0 {
		o.Databases = 16
	}
	k := &Keyspace{arena: newArena(), hash: newHasher(o.Seed), Limits: DefaultLimits()}
	for i := range o.Databases {
		k.dbs = append(k.dbs, &DB{ks: k, id: i, space: k.newSpace()})
	}
	return k
}

func (k *Keyspace) newSpace() *space {
	return &space{
		ks:       k,
		table:    table{arena: k.arena, hash: &k.hash},
		volatile: volatileIndex{arena: k.arena},
	}
}

// Databases is the number of databases.
func (k *Keyspace) Databases() int { return len(k.dbs) }

// DB returns database i, 0 <= i < Databases().
func (k *Keyspace) DB(i int) *DB { return k.dbs[i] }

// Hash is the hash of key, for FindHashed.
func (k *Keyspace) Hash(key []byte) Hash { return Hash(k.hash.sum(key)) }

// Swap exchanges the contents of databases i and j (SWAPDB).
func (k *Keyspace) Swap(i, j int) {
	k.dbs[i].space, k.dbs[j].space = k.dbs[j].space, k.dbs[i].space
}

// FlushAll removes every key of every database (FLUSHALL). Memory is given
// back by later calls of Step, and by those that add keys.
func (k *Keyspace) FlushAll() {
	for _, db := range k.dbs {
		db.Clear()
	}
}

// Close gives all memory back to the operating system. Nothing reached from
// the Keyspace may be used afterwards.
func (k *Keyspace) Close() {
	k.arena.close()
	*k = Keyspace{}
}

// Step does a bounded amount of deferred work (freeing the keys of cleared
// databases, giving memory back to the operating system, compacting sparse
// memory) and tells whether more is left. budget is in units of roughly 100 ns;
// the server calls it from its cron and when it is idle. Entries are void after
// it.
func (k *Keyspace) Step(budget int) (more bool) {
	budget = k.Reclaim(budget)
	for ; budget > 0 && len(k.arena.large.graves) > 0; budget -= graveCost {
		k.arena.bury()
	}
	if budget > 0 {
		budget -= k.arena.releaseEmptySpans() * dropCost
		for _, db := range k.dbs {
			db.space.table.release()
		}
	}
	for budget > 0 && k.arena.idle.due > 0 && k.arena.idle.bytes > 0 {
		bytes := k.arena.giveBack()
		k.arena.idle.due -= bytes
		budget -= max(dropCost, bytes*graveCost/gravePiece)
	}
	for budget > 0 {
		cost := k.compact()
		if cost == 0 {
			return false
		}
		budget -= cost
	}
	return true
}

// Reclaim is the part of Step that frees what has been deleted already: whoever
// deletes in order to have memory calls it. It returns what is left of the
// budget; when that is positive, nothing more is waiting.
func (k *Keyspace) Reclaim(budget int) (left int) {
	for budget > 0 && len(k.doomed) > 0 {
		budget -= k.reap(budget)
	}
	for budget > 0 && len(k.arena.objects.orphans) > 0 {
		budget -= k.arena.releaseOrphan(budget)
	}
	return budget
}

// What pieces of Step's work cost, in its units.
const (
	graveCost = 2000 // dropping 1024 pages
	dropCost  = 20   // dropping a span
	moveCost  = 2    // finding and moving an entry
)

// discard has a space that no database refers to any more freed, once no cut
// needs it.
func (k *Keyspace) discard(s *space) {
	if s.cut.waiting {
		s.cut.detached = true
		return
	}
	if s.table.buckets > 0 {
		k.doomed = append(k.doomed, s)
	}
}

// reap frees at least one bucket, and up to about budget entries, of a doomed
// space. There must be one.
func (k *Keyspace) reap(budget int) (cost int) {
	s := k.doomed[len(k.doomed)-1]
	if s.volatile.segments != nil {
		s.volatile.release()
	}
	cost, done := s.table.demolish(max(budget, 1), k.arena.discard)
	if done {
		k.doomed = k.doomed[:len(k.doomed)-1]
	}
	return cost
}
