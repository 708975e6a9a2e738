package store

// keepExpiry, as an expiry time, leaves an existing key's as it is.
const keepExpiry = -1 << 63

// lookup finds a key in order to change it: an active cut gets to see it first.
func (s *space) lookup(hash uint64, key []byte) (place, handle) {
	p, h := s.table.find(hash, key)
	if h != 0 {
		s.preserve(h, hash)
	}
	return p, h
}

// write gives key a value of the kind and of size bytes, for the caller to
// fill in. The access bits of an existing key are kept.
func (s *space) write(key []byte, kind byte, size int, expireAt int64) (handle, []byte) {
	hash := s.ks.hash.sum(key)
	p, h := s.lookup(hash, key)
	if h == 0 {
		if expireAt == keepExpiry {
			expireAt = 0
		}
		return s.create(hash, key, kind, size, expireAt)
	}
	old := s.ks.arena.block(h)
	if expireAt == keepExpiry {
		expireAt = expiryOf(old)
	}
	want := shape{key: len(key), val: size, volatile: expireAt != 0}
	target := h
	if !s.ks.arena.suits(h, want.size()) {
		target = s.ks.arena.alloc(want.size())
	}
	s.ks.arena.orphan(old)
	b := s.ks.arena.block(target)
	i := s.reindex(old, h, target, want.volatile)
	b[atKind], b[atSettled] = kind, old[atSettled]
	setAccess(b, accessOf(old))
	setShape(b, want)
	if want.volatile {
		setExpiry(b, want, expireAt, i)
	}
	copy(b[want.keyAt():], key)
	if target != h {
		p.b.setHandle(p.slot, target)
		s.ks.arena.free(h)
	}
	return target, b[want.valAt():want.size():want.size()]
}

// create adds a key that is not there yet.
func (s *space) create(hash uint64, key []byte, kind byte, size int, expireAt int64) (handle, []byte) {
	if len(s.ks.doomed) > 0 {
		// Free faster than we add, so that loading a new data set after a
		// flush never needs the memory of both.
		s.ks.reap(2)
	}
	want := shape{key: len(key), val: size, volatile: expireAt != 0}
	h := s.ks.arena.alloc(want.size())
	b := s.ks.arena.block(h)
	b[atKind] = kind
	setAccess(b, 0)
	setShape(b, want)
	if want.volatile {
		setExpiry(b, want, expireAt, s.volatile.add(h))
	}
	copy(b[want.keyAt():], key)
	s.settle(b, hash)
	s.table.insert(hash, h)
	if s.ks.Added != nil {
		s.added(key)
	}
	return h, b[want.valAt():want.size():want.size()]
}

// reindex brings the index of volatile keys up to date for an entry at old,
// whose block h, that is about to become target, and returns its place there.
func (s *space) reindex(old []byte, h, target handle, volatile bool) (i uint32) {
	was := old[atFlags]&flagVolatile != 0
	switch {
	case was && volatile:
		i = indexOf(old)
		if target != h {
			s.volatile.set(i, target)
		}
	case was:
		s.volatile.remove(indexOf(old))
	case volatile:
		i = s.volatile.add(target)
	}
	return i
}

// reshape gives the entry in block h, found at p, another shape with the same
// key, in a block with room for at least room bytes. The value keeps its first
// bytes, as many as fit the old and the new size; the expiry time is kept if
// there was one and is still to be one.
func (s *space) reshape(p place, h handle, want shape, room int) handle {
	a := s.ks.arena
	old := a.block(h)
	was, expireAt := shapeOf(old), expiryOf(old)
	target := h
	if a.capacity(h) < want.size() {
		target = a.alloc(max(room, want.size()))
	}
	i := s.reindex(old, h, target, want.volatile)
	b := a.block(target)
	// Key and value lie next to each other and move as one; within a block they
	// may overlap where they were, which copy allows. The header is written
	// after that, for it may lie where they were.
	header := [shortSize]byte(old)
	copy(b[want.keyAt():want.size()], old[was.keyAt():was.size()])
	copy(b, header[:])
	setShape(b, want)
	if want.volatile {
		setExpiry(b, want, expireAt, i)
	}
	if target != h {
		p.b.setHandle(p.slot, target)
		a.free(h)
	}
	return target
}

func (s *space) setExpire(key []byte, expireAt int64) bool {
	p, h := s.lookup(s.ks.hash.sum(key), key)
	if h == 0 {
		return false
	}
	b := s.ks.arena.block(h)
	want := shapeOf(b)
	if volatile := expireAt != 0; want.volatile != volatile {
		want.volatile = volatile
		b = s.ks.arena.block(s.reshape(p, h, want, 0))
	}
	if want.volatile {
		setExpiry(b, want, expireAt, indexOf(b))
	}
	return true
}

// take removes a key and returns its block, which now belongs to the caller; 0
// if the key is not there.
func (s *space) take(hash uint64, key []byte) handle {
	p, h := s.lookup(hash, key)
	if h == 0 {
		return 0
	}
	if b := s.ks.arena.block(h); b[atFlags]&flagVolatile != 0 {
		s.volatile.remove(indexOf(b))
	}
	s.table.remove(hash, p)
	return h
}

// adopt adds what take has removed elsewhere, under a key that is not there.
func (s *space) adopt(h handle, key []byte) {
	b := s.ks.arena.block(h)
	if was := shapeOf(b); was.key != len(key) {
		value := valueOf(b)
		c, dst := s.create(s.ks.hash.sum(key), key, b[atKind], len(value), expiryOf(b))
		copy(dst, value)
		setAccess(s.ks.arena.block(c), accessOf(b))
		s.ks.arena.free(h) // an object, if the value is one, now belongs to the new entry
		return
	}
	copy(keyOf(b), key)
	if b[atFlags]&flagVolatile != 0 {
		setIndex(b, s.volatile.add(h))
	}
	hash := s.ks.hash.sum(key)
	s.settle(b, hash)
	s.table.insert(hash, h)
	if s.ks.Added != nil {
		s.added(key)
	}
}

// added tells that a key has come into being.
func (s *space) added(key []byte) {
	for _, db := range s.ks.dbs {
		if db.space == s {
			s.ks.Added(db.id, key)
		}
	}
}

// clone adds a copy of the entry in block h under a key that is not there.
func (s *space) clone(h handle, key []byte) {
	b := s.ks.arena.block(h)
	value := valueOf(b)
	c, dst := s.create(s.ks.hash.sum(key), key, b[atKind], len(value), expiryOf(b))
	if b = s.ks.arena.block(h); isObject(b[atKind]) {
		setObject(dst, s.ks.arena.objects.add(s.ks.arena.objectOf(b).Clone()))
	} else {
		copy(dst, value)
	}
	setAccess(s.ks.arena.block(c), accessOf(b))
}
