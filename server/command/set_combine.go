package command

import (
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

func runSUnion(c *Call) {
	sets, ok := findSets(c, c.Args[1:])
	if !ok {
		return
	}
	result := union(c, sets, replyEncoding(sets))
	c.replySet(result.Set())
	result.Discard()
}

func runSUnionStore(c *Call) {
	if sets, ok := findSets(c, c.Args[2:]); ok {
		storeSet(c, "sunionstore", union(c, sets, store.EncodingIntset))
	}
}

func runSDiff(c *Call) {
	sets, ok := findSets(c, c.Args[1:])
	if !ok {
		return
	}
	result := subtract(c, sets, replyEncoding(sets))
	c.replySet(result.Set())
	result.Discard()
}

func runSDiffStore(c *Call) {
	if sets, ok := findSets(c, c.Args[2:]); ok {
		storeSet(c, "sdiffstore", subtract(c, sets, store.EncodingIntset))
	}
}

// A source is one of the sets that a command combines. A missing one is empty.
type source struct {
	key   []byte
	found bool
	set   store.SetView
}

func (s source) len() int {
	if !s.found {
		return 0
	}
	return s.set.Len()
}

func (s source) has(member []byte) bool { return s.found && s.set.Has(member) }

func (s source) each(visit func(member []byte) bool) {
	if s.found {
		s.set.Each(visit)
	}
}

// findSets looks up the sets at keys, or answers with an error.
func findSets(c *Call, keys [][]byte) (sets []source, ok bool) {
	for _, key := range keys {
		_, found, failed := c.findAs(typeSet, key)
		if failed {
			return nil, false
		}
		sets = append(sets, source{key: key, found: found})
	}
	// Looking them up may have removed others, so that entries are taken now.
	for i := range sets {
		if e, found := c.DB.Find(sets[i].key); found && sets[i].found {
			sets[i].set = e.Set()
		}
	}
	return sets, true
}

// replyEncoding is how a result is best held that is only a reply.
func replyEncoding(sets []source) store.Encoding {
	for _, s := range sets {
		if s.found && s.set.Encoding() != store.EncodingIntset {
			return store.EncodingHashtable
		}
	}
	return store.EncodingIntset
}

func union(c *Call, sets []source, encoding store.Encoding) *store.SetBuilder {
	result := c.Keyspace.NewSet(encoding)
	for _, s := range sets {
		s.each(func(member []byte) bool {
			result.Add(member)
			return true
		})
	}
	return result
}

// subtract finds what the first set has and no other one. As Redis does, it either
// looks every member up in the others, or removes the members of the others from
// a copy, whichever is less work.
func subtract(c *Call, sets []source, encoding store.Encoding) *store.SetBuilder {
	result := c.Keyspace.NewSet(encoding)
	first, others := sets[0], sets[1:]
	if first.len() == 0 || slices.ContainsFunc(others, func(s source) bool { return string(s.key) == string(first.key) }) {
		return result
	}
	lookups, removals := 0, 0
	for _, s := range sets {
		if s.found {
			lookups += first.len()
			removals += s.len()
		}
	}
	if lookups/2 > removals {
		first.each(func(member []byte) bool { result.Add(member); return true })
		for _, s := range others {
			s.each(func(member []byte) bool { result.Remove(member); return result.Len() > 0 })
		}
		return result
	}
	// A member of the largest ones is most likely found soon.
	others = slices.SortedStableFunc(slices.Values(others), func(a, b source) int { return b.len() - a.len() })
	first.each(func(member []byte) bool {
		if !slices.ContainsFunc(others, func(s source) bool { return s.has(member) }) {
			result.Add(member)
		}
		return true
	})
	return result
}

// storeSet gives the first key the result as its value, or removes the key when
// the result is empty.
func storeSet(c *Call, event string, result *store.SetBuilder) {
	key, n := c.Args[1], result.Len()
	if n == 0 {
		result.Discard()
		if c.DB.Delete(key) {
			c.modified(EventGeneric, "del", key)
		}
		c.Out.Int(0)
		return
	}
	c.access(result.Store(c.DB, key))
	c.modified(EventSet, event, key)
	c.Out.Int(int64(n))
}
