package store

// Keys that come and go leave spans half empty. Since nothing but one slot of a
// table refers to an entry, entries can simply be moved together. Among them lie
// blocks of collections, which say whose they are.

// compact empties one sparse span into others of its class and returns what that
// cost in units of Step; 0 means that there is nothing worth doing.
func (k *Keyspace) compact() (cost int) {
	if len(k.doomed) > 0 || len(k.arena.objects.orphans) > 0 {
		// Tables that are being taken down can not be searched.
		return 0
	}
	for range numClasses {
		class := k.compactFrom
		if class != tableClass {
			if id, ok := k.arena.sparse(uint8(class)); ok {
				return k.evacuate(id)
			}
		}
		k.compactFrom = (k.compactFrom + 1) % numClasses
	}
	return 0
}

// sparse finds a span worth emptying: more than a quarter of the class's room
// is free, and the span is among the emptier ones.
func (a *arena) sparse(class uint8) (id uint32, ok bool) {
	s := &a.slabs
	per := perSpan(class)
	room := s.count[class] * per
	free := room - s.used[class]
	// The entries of one span must fit the others with some room left, lest
	// the next ones to come need a new span again.
	if free < per+per/4 || free*4 < room {
		return 0, false
	}
	// Looking at a few is enough: what counts is not to choose a full one.
	const tries = 16
	list := s.partial[class]
	lowest := per
	for i := 0; i < len(list); i += max(1, len(list)/tries) {
		if sp := a.span(list[i]); int(sp.used) < lowest {
			id, lowest = list[i], int(sp.used)
		}
	}
	return id, lowest < per
}

// evacuate moves all blocks of a span elsewhere and releases it.
func (k *Keyspace) evacuate(id uint32) (cost int) {
	a := k.arena
	sp := a.span(id)
	a.dropPartial(sp) // so that nothing is put into it
	chunk, i := id/spansPerChunk, int(id%spansPerChunk)
	size := int(classSize[sp.class])
	for block := range int(sp.fresh) {
		offset := i*spanSize + block*size
		if a.chunks[chunk][offset] != 0 {
			k.relocate(makeHandle(chunk, offset), sp.class, size)
			cost += moveCost
		}
	}
	a.slabs.tally(sp.class, -int(sp.used))
	a.releaseSpan(chunk, i)
	return cost + dropCost
}

// relocate moves what is in a block to another one of its class.
func (k *Keyspace) relocate(from handle, class uint8, size int) {
	a := k.arena
	b := a.block(from)
	to := a.allocSlab(class)
	copy(a.block(to)[:size], b[:size])
	switch {
	case b[0]&bucketFlag != 0:
		a.objects.byNumber[objectOfBucket(b)].(mover).moved(from, to)
		return
	case isMember(b):
		a.objects.byNumber[objectOfMember(b)].(mover).moved(from, to)
		return
	}
	s, p := k.owner(from, b)
	p.b.setHandle(p.slot, to)
	if b[atFlags]&flagVolatile != 0 {
		s.volatile.set(indexOf(b), to)
	}
}

// owner finds the space and the slot that refer to an entry. Entries do not say
// which database they belong to; most databases are empty, and asking the
// others is cheap.
func (k *Keyspace) owner(h handle, b []byte) (*space, place) {
	hash := k.hash.sum(keyOf(b))
	for _, db := range k.dbs {
		if p, ok := db.space.table.locate(hash, h); ok {
			return db.space, p
		}
	}
	if k.cut != nil {
		for _, s := range k.cut.spaces {
			if p, ok := s.table.locate(hash, h); ok {
				return s, p
			}
		}
	}
	panic("store: an entry belongs to no database")
}
