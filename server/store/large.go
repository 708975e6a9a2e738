package store

// large keeps account of the blocks that are mappings of their own.
type large struct {
	bytes  int // in use
	graves []grave
}

// A grave is the mapping of a freed block. Unmapping half a gigabyte at once
// would keep every client waiting for tens of milliseconds, so the pages are
// given back bit by bit.
type grave struct {
	mem  []byte
	left int // mem[:left] has yet to be dropped
}

// gravePiece is how much of a grave is given back at a time: about 0.2 ms.
const gravePiece = 4 << 20

func (a *arena) allocLarge(size int) handle {
	size = (size + pageSize - 1) &^ (pageSize - 1)
	// Bury at least as fast as new blocks come, so that overwriting a large
	// value in a loop can not pile up graves faster than Step clears them.
	for buried := 0; buried < size && len(a.large.graves) > 0; buried += gravePiece {
		a.bury()
	}
	for given := 0; given < size && a.idle.bytes > 0; {
		given += a.giveBack()
	}
	mem := mapMemory(size)
	a.large.bytes += size
	return makeHandle(a.number(mem, chunkInfo{kind: kindLarge}), 0)
}

func (a *arena) freeLarge(c uint32) {
	mem := a.chunks[c]
	a.unnumber(c)
	a.large.bytes -= len(mem)
	a.large.graves = append(a.large.graves, grave{mem: mem, left: len(mem)})
}

// bury gives one piece of the last grave back to the operating system. There
// must be one.
func (a *arena) bury() {
	g := &a.large.graves[len(a.large.graves)-1]
	if g.left > gravePiece {
		dropPages(g.mem[g.left-gravePiece : g.left])
		g.left -= gravePiece
		return
	}
	unmapMemory(g.mem)
	a.large.graves = a.large.graves[:len(a.large.graves)-1]
}

// graveBytes is what bury has yet to give back.
func (l *large) graveBytes() int {
	n := 0
	for _, g := range l.graves {
		n += g.left
	}
	return n
}
