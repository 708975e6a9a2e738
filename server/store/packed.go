package store

// Packed is the bytes of a collection that is held within its entry, in the
// form that its encoding says. It is valid until the next mutation.
func (e Entry) Packed() []byte { return valueOf(e.block()) }

// setPacked gives key a packed value, whatever it was before, with the expiry
// time as for write. packed may not be a slice got from an Entry.
func (db *DB) setPacked(key []byte, t Type, enc Encoding, packed []byte, expireAt int64) Entry {
	h, dst := db.space.write(key, byte(t)<<4|byte(enc), len(packed), expireAt)
	copy(dst, packed)
	return Entry{db.ks.arena, h}
}

// splice makes room within the value of the entry in block h, found at p: del
// bytes at position at are replaced by ins bytes, which the caller fills in. It
// returns the whole value. An active cut has seen the entry (edit).
//
// A packed value that outgrows its block gets one with room for as many bytes as
// are expected to be added in all, or a little more than it needs: more of the
// same is likely.
func (s *space) splice(p place, h handle, at, del, ins, expected int) (handle, []byte) {
	a := s.ks.arena
	b := a.block(h)
	want := shapeOf(b)
	was := want.val
	want.val += ins - del
	if ins < del {
		value := valueOf(b)
		copy(value[at+ins:], value[at+del:])
	}
	room := want.size()
	if ins > del {
		room += max(expected-ins, min(room/8, 256))
	}
	// A value that has shrunk a lot moves to a smaller block; one that merely
	// became shorter stays.
	if ins < del && a.capacity(h) > 2*blockSize(want.size()) {
		h = s.shrink(p, h, want)
	} else {
		h = s.reshape(p, h, want, room)
	}
	value := valueOf(a.block(h))
	if ins > del {
		copy(value[at+ins:], value[at+del:was])
	}
	return h, value
}

// shrink moves an entry whose value is to become shorter to a block that fits.
func (s *space) shrink(p place, h handle, want shape) handle {
	a := s.ks.arena
	target := a.alloc(want.size())
	old, b := a.block(h), a.block(target)
	was, expireAt := shapeOf(old), expiryOf(old)
	i := s.reindex(old, h, target, want.volatile)
	copy(b[:shortSize], old[:shortSize])
	setShape(b, want)
	if want.volatile {
		setExpiry(b, want, expireAt, i)
	}
	copy(b[want.keyAt():want.size()], old[was.keyAt():was.size()])
	p.b.setHandle(p.slot, target)
	a.free(h)
	return target
}
