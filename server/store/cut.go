package store

import "slices"

// Cut is an iteration over the whole Keyspace as it was at the moment of the
// call of Keyspace.Cut.
//
// It walks the tables by position. An entry beyond the walk is *settled* if it
// is none of the cut's business any more: it has been emitted because somebody
// was about to change it, or it has come into being since the cut. Settled
// entries carry the number of the cut. An entry behind the walk needs no mark,
// and the walk takes off whatever mark it meets: after a complete cut there
// are none, and only aborted cuts leave some behind. No number is used again
// before a complete cut, or a sweep, has cleared these.
//
// An object that is too large to be emitted in one go is emitted in parts, while the
// walk stands still. Whoever is about to change it waits for the rest.
type Cut struct {
	// Parts, unless nil, is asked about every entry that Step comes to whose value is
	// an object. It begins to emit the entry and returns how to go on, or returns nil
	// and leaves it to emit. The function that it returns is called with a number of
	// elements to emit, about, and tells whether these were the last; until then the
	// object does not change. In between emit may be called for other entries.
	Parts func(db int, e Entry) (more func(n int) (done bool))

	ks     *Keyspace
	emit   func(db int, e Entry)
	spaces []*space // yet to be walked; the first one is under way

	enough bool                    // the step under way ends early
	more   func(n int) (done bool) // nil: no object is being emitted in parts
	object uint32                  // the number of that object
	left   []handle                // objects of the bucket under way that have to wait for it
}

// cutProgress is how far the active cut has come with a space.
type cutProgress struct {
	waiting  bool   // the cut has yet to walk positions from next on
	next     uint64 // position
	walked   bool   // to the end, but what was begun last is not complete
	db       int    // number of the database at the time of the cut
	detached bool   // no database refers to the space any more
}

// cutMarks is which numbers entries may be marked with.
type cutMarks struct {
	current byte // the active cut's, or the last one's; no entry is marked with a higher one
}

const maxMark = 255

// Cut begins a snapshot of exactly this moment. emit is called once for every
// entry of the moment, with the number that its database had and with the value
// and the expiry time that the entry had: from Cut.Step, or from a mutation,
// just before it touches an entry that Step has not come to yet. emit must not
// call anything that mutates the Keyspace.
//
// Keys come in no particular order, and entries of different databases can be
// interleaved. The error is ErrCutActive.
func (k *Keyspace) Cut(emit func(db int, e Entry)) (*Cut, error) {
	if k.cut != nil {
		return nil, ErrCutActive
	}
	if k.marks.current == maxMark {
		k.sweepMarks()
	}
	k.marks.current++
	c := &Cut{ks: k, emit: emit}
	for _, db := range k.dbs {
		if db.Len() > 0 {
			db.space.cut = cutProgress{waiting: true, db: db.id}
			c.spaces = append(c.spaces, db.space)
		}
	}
	k.cut = c
	return c, nil
}

// Step walks on by about maxEntries entries, or elements of a large one, and tells
// whether the cut is complete; then every entry has been emitted.
func (c *Cut) Step(maxEntries int) (done bool) {
	for ; len(c.spaces) > 0; c.leave() {
		s := c.spaces[0]
		for c.more != nil || s.table.count > 0 && !s.cut.walked {
			if maxEntries <= 0 || c.enough {
				c.enough = false
				return false
			}
			if c.more != nil {
				c.goOn(maxEntries)
				maxEntries = 0
				continue
			}
			n, ended := s.cutBucket(c)
			maxEntries -= 1 + n
			s.cut.walked = ended
		}
	}
	if c.ks.cut == c {
		c.ks.cut = nil
		c.ks.marks.current = 0
	}
	return true
}

// Enough ends a Step early: what has been emitted was a lot. It is for emit to call.
func (c *Cut) Enough() { c.enough = true }

// goOn emits about n elements of the object that is being emitted in parts.
func (c *Cut) goOn(n int) {
	if c.more(n) {
		c.more = nil
	}
}

// finish emits the rest of it.
func (c *Cut) finish() {
	for c.more != nil {
		c.goOn(1 << 20)
	}
}

// Abort ends the cut early. Nothing is emitted any more.
func (c *Cut) Abort() {
	c.more = nil
	for len(c.spaces) > 0 {
		c.leave()
	}
	if c.ks.cut == c {
		c.ks.cut = nil
	}
}

// leave is done with the first space.
func (c *Cut) leave() {
	s := c.spaces[0]
	c.spaces = c.spaces[1:]
	detached := s.cut.detached
	s.cut = cutProgress{}
	if detached {
		c.ks.discard(s)
	}
}

// cutBucket emits what is not settled of the bucket that the walk has come to, and
// walks on. It returns the number of entries looked at, and whether the walk has come
// to its end.
//
// A bucket with more than one object is walked again for each of them: while the first
// one is emitted in parts, the others are left, and all else is settled.
func (s *space) cutBucket(c *Cut) (n int, ended bool) {
	c.left = c.left[:0]
	current := c.ks.marks.current
	end := s.table.walk(s.cut.next, func(h handle) {
		n++
		b := s.table.arena.block(h)
		mark := b[atSettled]
		if mark != 0 {
			b[atSettled] = 0
		}
		switch e := (Entry{s.table.arena, h}); {
		case mark == current:
		case c.more != nil && isObject(b[atKind]):
			c.left = append(c.left, h)
		case !c.begin(s.cut.db, b, e):
			c.emit(s.cut.db, e)
		}
	})
	if len(c.left) > 0 {
		s.table.walk(s.cut.next, func(h handle) {
			if !slices.Contains(c.left, h) {
				s.table.arena.block(h)[atSettled] = current
			}
		})
		return n, false
	}
	s.cut.next = end
	return n, end == 0
}

// begin has an entry emitted in parts, if that is possible now and wanted.
func (c *Cut) begin(db int, b []byte, e Entry) bool {
	if c.Parts == nil || !isObject(b[atKind]) {
		return false
	}
	c.more, c.object = c.Parts(db, e), objectNumber(b)
	return c.more != nil
}

// beyond tells whether the walk of an active cut has yet to come to a key.
func (s *space) beyond(hash uint64) bool {
	return s.cut.waiting && !s.cut.walked && position(hash) >= s.cut.next
}

// preserve emits an entry that is about to change, if a cut has yet to see it.
func (s *space) preserve(h handle, hash uint64) {
	if !s.cut.waiting {
		return
	}
	b := s.ks.arena.block(h)
	if c := s.ks.cut; c.more != nil && isObject(b[atKind]) && objectNumber(b) == c.object {
		c.finish()
		return
	}
	if !s.beyond(hash) {
		return
	}
	if b[atSettled] != s.ks.marks.current {
		b[atSettled] = s.ks.marks.current
		s.ks.cut.emit(s.cut.db, Entry{s.ks.arena, h})
	}
}

// settle marks an entry that is about to join the table as new: the cut must
// not emit it. Elsewhere it must not carry a mark, which could be taken for one
// of a later cut.
func (s *space) settle(b []byte, hash uint64) {
	b[atSettled] = 0
	if s.beyond(hash) {
		b[atSettled] = s.ks.marks.current
	}
}

// sweepMarks takes all marks off, so that their numbers can be used again. It
// takes a time proportional to the number of keys, but comes only after 255
// aborted cuts with no complete one in between.
func (k *Keyspace) sweepMarks() {
	for _, db := range k.dbs {
		db.Each(func(e Entry) bool {
			e.block()[atSettled] = 0
			return true
		})
	}
	k.marks.current = 0
}
