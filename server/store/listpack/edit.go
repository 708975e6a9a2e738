package listpack

import "slices"

// Append adds p at the tail.
func Append(lp, p []byte) []byte { return Encode(p).Insert(lp, 0) }

// AppendInt adds an integer at the tail.
func AppendInt(lp []byte, n int64) []byte { return EncodeInt(n).Insert(lp, 0) }

// Insert adds p before the element at a position; before 0 is at the tail. The
// new element is then at that position.
func Insert(lp []byte, at int, p []byte) []byte { return Encode(p).Insert(lp, at) }

// Insert is Insert for an element, which must not refer to lp.
func (e Element) Insert(lp []byte, at int) []byte {
	if at == 0 {
		at = len(lp) - 1
	}
	lp = open(lp, at, 0, e.Size())
	e.Put(lp[at:])
	Spliced(lp, 1)
	return lp
}

// Replace puts p in the place of the element at a position.
func Replace(lp []byte, at int, p []byte) []byte {
	e := Encode(p)
	lp = open(lp, at, EntrySize(lp, at), e.Size())
	e.Put(lp[at:])
	Spliced(lp, 0)
	return lp
}

// Delete removes n elements from the one at a position on, or all that there are.
// What followed them is then at that position.
func Delete(lp []byte, at, n int) []byte {
	stop, count := at, 0
	for ; count < n && lp[stop] != end; count++ {
		stop += EntrySize(lp, stop)
	}
	lp = open(lp, at, stop-at, 0)
	Spliced(lp, -count)
	return lp
}

// open makes ins bytes of room in the place of del bytes.
func open(lp []byte, at, del, ins int) []byte {
	n := len(lp)
	if ins > del {
		lp = slices.Grow(lp, ins-del)
	}
	wide := lp[: n+ins-del : max(cap(lp), n+ins-del)]
	copy(wide[at+ins:], lp[at+del:n])
	return wide
}

// SetInt overwrites the integer at a position with another that takes as many
// bytes, and tells whether it does.
func SetInt(lp []byte, at int, n int64) bool {
	if lp[at] < str6 && n >= 0 && n < str6 {
		lp[at] = byte(n) // a number of 7 bits is its own encoding
		return true
	}
	e := EncodeInt(n)
	if e.Size() != EntrySize(lp, at) {
		return false
	}
	e.Put(lp[at:])
	return true
}
