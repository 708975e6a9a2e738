package command

import (
	"math"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

func runSInter(c *Call) {
	sets, ok := findSets(c, c.Args[1:])
	if !ok {
		return
	}
	mark, n := c.Out.Mark(), 0
	intersect(sets, func(member []byte) bool {
		c.Out.Bulk(member)
		n++
		return true
	})
	c.Out.InsertSet(mark, n)
}

func runSInterCard(c *Call) {
	numKeys, ok := c.rangeArg(1, 1, math.MaxInt64, errNumKeys)
	if !ok {
		return
	}
	if numKeys > int64(len(c.Args)-2) {
		c.Fail(errManyKeys)
		return
	}
	limit := int64(0)
	for i := 2 + int(numKeys); i < len(c.Args); i += 2 {
		if !equalFold(c.Args[i], "LIMIT") || i+1 == len(c.Args) {
			c.Fail(ErrSyntax)
			return
		}
		if limit, ok = c.rangeArg(i+1, 0, math.MaxInt64, errCardLimit); !ok {
			return
		}
	}
	sets, ok := findSets(c, c.Args[2:2+numKeys])
	if !ok {
		return
	}
	n := int64(0)
	intersect(sets, func([]byte) bool {
		n++
		return n != limit
	})
	c.Out.Int(n)
}

// runSInterStore: the result begins as an intset if the smallest set is one, else
// as a listpack, and becomes an intset if all its members are integers.
func runSInterStore(c *Call) {
	sets, ok := findSets(c, c.Args[2:])
	if !ok {
		return
	}
	encoding := store.EncodingIntset
	if smallest := bySize(sets)[0]; smallest.found && smallest.set.Encoding() != store.EncodingIntset {
		encoding = store.EncodingListpack
	}
	result, integers := c.Keyspace.NewSet(encoding), true
	intersect(sets, func(member []byte) bool {
		if integers {
			_, integers = parseInt(member)
		}
		result.Add(member)
		return true
	})
	if integers {
		result.ToIntset()
	}
	storeSet(c, "sinterstore", result)
}

func bySize(sets []source) []source {
	return slices.SortedStableFunc(slices.Values(sets), func(a, b source) int { return a.len() - b.len() })
}

// intersect visits what all sets have until visit returns false.
func intersect(sets []source, visit func(member []byte) bool) {
	sorted := bySize(sets)
	others := sorted[1:]
	sorted[0].each(func(member []byte) bool {
		for _, s := range others {
			if !s.has(member) {
				return true
			}
		}
		return visit(member)
	})
}
