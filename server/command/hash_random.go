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
		c.repeat(-count, reply.begin, func() { reply.pair(hash.Random(c.Rand())) })
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
