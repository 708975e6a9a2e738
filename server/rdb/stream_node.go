package rdb

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// checkStreamNode checks that a node is a sound listpack and that its frame is
// whole: the master entry with its fields, and as many entries as it says, each of
// the size that it states (package store tells how nodes are made). What else may be
// wrong, such as IDs out of order, harms nobody but who reads the stream.
func checkStreamNode(node []byte) error {
	if err := listpack.Valid(node, true); err != nil {
		return err
	}
	n := nodeCheck{lp: node, at: listpack.First(node)}
	entries, deleted, fields := n.int(), n.int(), n.int()
	n.skip(fields)
	if n.int() != 0 {
		n.fail("the master entry has no end")
	}
	if entries < 0 || deleted < 0 {
		n.fail("a negative number of entries")
	}
	for left := entries + deleted; left > 0 && n.err == nil; left-- {
		n.entry(fields)
	}
	if n.at != 0 {
		n.fail("more than the entries that the node says")
	}
	return n.err
}

// A nodeCheck walks over a node of which only the listpack is known to be sound.
// After an error it stays where it is.
type nodeCheck struct {
	lp  []byte
	at  int // 0: the end
	err error
}

func (n *nodeCheck) fail(what string) {
	if n.err == nil {
		n.err = fmt.Errorf("byte %d: %s", n.at, what)
	}
}

func (n *nodeCheck) next() {
	if n.err == nil && n.at == 0 {
		n.at = len(n.lp) - 1
		n.fail("it ends within an entry")
	}
	if n.err == nil {
		n.at = listpack.Next(n.lp, n.at)
	}
}

// skip passes over so many elements.
func (n *nodeCheck) skip(elements int64) {
	if elements < 0 || elements > int64(len(n.lp)) {
		n.fail("a number of fields that there is no room for")
	}
	for ; elements > 0 && n.err == nil; elements-- {
		n.next()
	}
}

// int passes over an element that must be an integer.
func (n *nodeCheck) int() (v int64) {
	if n.err == nil && n.at != 0 {
		var ok bool
		if v, ok = listpack.Int(n.lp, n.at); !ok {
			n.fail("text where a number belongs")
		}
	}
	n.next()
	return v
}

// entry passes over an entry of a node whose master entry has so many fields.
func (n *nodeCheck) entry(fields int64) {
	const sameFields = 2
	flags := n.int()
	n.int()
	n.int()
	size := 3 + fields
	if flags&sameFields != 0 {
		n.skip(fields)
	} else {
		own := n.int()
		n.skip(own)
		n.skip(own)
		size = 3 + 1 + 2*own
	}
	if n.int() != size {
		n.fail("an entry states another size than it has")
	}
}
