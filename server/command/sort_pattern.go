package command

import (
	"bytes"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

// follow finds the value that a pattern of BY or GET leads to from an element: "#" is
// the element itself; otherwise the element takes the place of the "*" in a key's
// name, and after a "->" comes the name of a field of a hash. The value is valid
// until the next mutation.
func (c *Call) follow(pattern, element []byte) (value []byte, found bool) {
	if string(pattern) == "#" {
		return element, true
	}
	prefix, suffix, ok := bytes.Cut(pattern, []byte("*"))
	if !ok {
		return nil, false
	}
	suffix, field, inHash := bytes.Cut(suffix, []byte("->"))
	if inHash && len(field) == 0 { // then the arrow is a part of the name
		suffix, inHash = pattern[len(prefix)+1:], false
	}
	// The name is not to be used again: if the key's time is over, it goes out in a DEL.
	e, ok := c.FindRead(slices.Concat(prefix, element, suffix))
	switch {
	case !ok:
		return nil, false
	case inHash && e.Type() == store.TypeHash:
		return e.Hash().Get(field, nil)
	case !inHash && e.Type() == store.TypeString:
		return c.value(e), true
	}
	return nil, false
}
