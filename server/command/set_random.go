package command

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

var sremCommand = []byte("SREM")

func runSRandMember(c *Call) {
	switch len(c.Args) {
	case 2:
	case 3:
		randomMembers(c)
		return
	default:
		c.Fail(ErrSyntax)
		return
	}
	e, found, failed := c.findAs(typeSet, c.Args[1])
	switch {
	case failed:
	case found:
		c.Out.Bulk(e.Set().Random(c.Rand()))
	default:
		c.Out.Null()
	}
}

// randomMembers is SRANDMEMBER with a count.
func randomMembers(c *Call) {
	count, ok := c.countArg(2)
	if !ok {
		return
	}
	e, found, failed := c.findAs(typeSet, c.Args[1])
	if failed {
		return
	}
	if !found || count == 0 {
		c.Out.Array(0)
		return
	}
	set := e.Set()
	if count < 0 {
		begin := func(n int64) { c.Out.Array(int(n)) }
		c.repeat(-count, begin, func() { c.Out.Bulk(set.Random(c.Rand())) })
		return
	}
	count = min(count, int64(set.Len()))
	c.Out.Array(int(count))
	c.someMembers(set, count, c.Out.Bulk)
}

// someMembers draws count different members, no more than there are.
func (c *Call) someMembers(set store.SetView, count int64, take func(member []byte)) {
	n := int64(set.Len())
	if count < n/sparseChoice && set.Encoding() == store.EncodingHashtable {
		draw := func(r uint64) (member, value []byte) { return set.Random(r), nil }
		c.drawDistinct(count, draw, func(member, _ []byte) { take(member) })
		return
	}
	pick := c.choose(count, n)
	set.Each(func(member []byte) bool {
		if pick.next() {
			take(member)
		}
		return pick.wanted > 0
	})
}

func runSPop(c *Call) {
	switch len(c.Args) {
	case 2:
		popMember(c)
	case 3:
		popMembers(c)
	default:
		c.Fail(ErrSyntax)
	}
}

// popMember is SPOP without a count. The effect names the member.
func popMember(c *Call) {
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeSet, key)
	if failed {
		return
	}
	if !found {
		c.Out.Null()
		return
	}
	member := c.keep(e.Set().Random(c.Rand()))
	w := c.DB.EditSetFound(key, e, true)
	w.Remove(member)
	c.Out.Bulk(member)
	c.Rewrite(sremCommand, key, member)
	c.removedFrom(EventSet, "spop", key, 1, !w.Exists())
}

// keep copies bytes that have to stay as they are until Execute returns.
func (c *Call) keep(b []byte) []byte {
	from := len(c.left.arena)
	c.left.arena = append(c.left.arena, b...)
	return c.left.arena[from:len(c.left.arena):len(c.left.arena)]
}

// popMembers is SPOP with a count.
func popMembers(c *Call) {
	count, ok := c.rangeArg(2, 0, math.MaxInt64, errNotPositive)
	if !ok {
		return
	}
	key := c.Args[1]
	e, found, failed := c.findToWriteAs(typeSet, key)
	if failed {
		return
	}
	if !found || count == 0 {
		c.Out.Set(0)
		return
	}
	set := e.Set()
	if n := int64(set.Len()); count >= n {
		c.Stats.Hits++ // Redis looks it up once more, to read it
		c.replySet(set)
		c.DB.Delete(key)
		c.Rewrite(RemovalWord(c.LazyServerDel), key)
		c.removedFrom(EventSet, "spop", key, int(n), true)
		return
	}
	popped := c.takeOut(key, set, count)
	c.Out.Set(len(popped))
	for _, member := range popped {
		c.Out.Bulk(member)
	}
	c.Suppress()
	for batch := popped; len(batch) > 0; {
		n := min(len(batch), popBatch)
		c.Also(append([][]byte{sremCommand, key}, batch[:n]...)...)
		batch = batch[n:]
	}
	c.removedFrom(EventSet, "spop", key, len(popped), false)
}

// popBatch is how many members one SREM names.
const popBatch = 1024

// takeOut removes count members, fewer than there are, drawn at random.
func (c *Call) takeOut(key []byte, set store.SetView, count int64) [][]byte {
	popped := make([][]byte, 0, count)
	take := func(member []byte) { popped = append(popped, append([]byte(nil), member...)) }
	remaining := int64(set.Len()) - count
	if remaining*fewRemain > count || set.Encoding() == store.EncodingListpack {
		c.someMembers(set, count, take)
		w := c.DB.EditSet(key)
		for _, member := range popped {
			w.Remove(member)
		}
		return popped
	}
	// Those that stay are few: they make a new set, which may be packed again. As in
	// Redis it is an intset only if they come from one.
	encoding := set.Encoding()
	if encoding == store.EncodingHashtable {
		encoding = store.EncodingListpack
	}
	rest := c.Keyspace.NewSet(encoding)
	c.someMembers(set, remaining, func(member []byte) { rest.Add(member) })
	set.Each(func(member []byte) bool {
		if !rest.Set().Has(member) {
			take(member)
		}
		return true
	})
	rest.StoreKeepTTL(c.DB, key)
	return popped
}

// fewRemain is how many times more members have to go than stay for the set to be
// made anew.
const fewRemain = 5
