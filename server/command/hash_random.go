package command

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store"
)

func runHRandField(c *Call) {
	if len(c.Args) > 2 {
		randomFields(c)
		return
	}
	e, found, failed := c.findAs(typeHash, c.Args[1])
	switch {
	case failed:
	case !found:
		c.Out.Null()
	default:
		field, _ := e.Hash().Random(c.Rand())
		c.Out.Bulk(field)
	}
}

// randomFields is HRANDFIELD with a count.
func randomFields(c *Call) {
	count, ok := c.countArg(2)
	if !ok {
		return
	}
	withValues := len(c.Args) > 3
	switch {
	case len(c.Args) > 4 || withValues && !equalFold(c.Args[3], "WITHVALUES"):
		c.Fail(ErrSyntax)
		return
	case withValues && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		c.Fail(errOutOfRange)
		return
	}
	e, found, failed := c.findAs(typeHash, c.Args[1])
	if failed {
		return
	}
	if !found || count == 0 {
		c.Out.Array(0)
		return
	}
	hash := e.Hash()
	reply := c.pairReply(withValues)
	if count < 0 {
		reply.begin(-count)
		for range -count {
			reply.pair(hash.Random(c.Rand()))
		}
		return
	}
	n := int64(hash.Len())
	count = min(count, n)
	reply.begin(count)
	if count < n/sparseChoice && e.Encoding() == store.EncodingHashtable {
		c.drawDistinct(count, hash.Random, reply.pair)
		return
	}
	pick := c.choose(count, n)
	hash.Each(func(field, value []byte) bool {
		if pick.next() {
			reply.pair(field, value)
		}
		return pick.wanted > 0
	})
}

// pairReply is a reply of elements, perhaps with values: one after the other in
// version 2 of the protocol, in pairs in version 3.
type pairReply struct {
	c          *Call
	withValues bool
}

func (c *Call) pairReply(withValues bool) pairReply { return pairReply{c, withValues} }

func (r pairReply) begin(n int64) {
	if r.withValues && !r.c.Out.RESP3() {
		n *= 2
	}
	r.c.Out.Array(int(n))
}

func (r pairReply) pair(element, value []byte) {
	if !r.withValues {
		r.c.Out.Bulk(element)
		return
	}
	if r.c.Out.RESP3() {
		r.c.Out.Array(2)
	}
	r.c.Out.Bulk(element)
	r.c.Out.Bulk(value)
}

// sparseChoice is how many times more elements there must be than wanted ones for
// drawing them one by one, until all are different, to be quick.
const sparseChoice = 3

// drawDistinct draws elements until it has so many different ones.
func (c *Call) drawDistinct(count int64, draw func(r uint64) (element, value []byte), take func(element, value []byte)) {
	seen := make(map[string]bool, count)
	for int64(len(seen)) < count {
		element, value := draw(c.Rand())
		if !seen[string(element)] {
			seen[string(element)] = true
			take(element, value)
		}
	}
}

// A choice picks a number of elements out of a sequence that is walked once, all
// with the same chance (selection sampling).
type choice struct {
	c            *Call
	wanted, left int64
}

func (c *Call) choose(wanted, of int64) *choice { return &choice{c, wanted, of} }

// next says whether the next element is picked.
func (p *choice) next() bool {
	picked := int64(p.c.Rand()%uint64(p.left)) < p.wanted
	p.left--
	if picked {
		p.wanted--
	}
	return picked
}
