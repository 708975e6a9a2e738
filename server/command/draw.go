package command

// Drawing elements of collections at random, for HRANDFIELD, SRANDMEMBER,
// ZRANDMEMBER and SPOP.

// repeat replies with n elements that may be the same: begin writes the header,
// one draws one of them. Redis would go on until there is no memory left; here a
// reply that is going to exceed maxRepeated bytes is refused, as soon as the
// elements drawn so far show that.
func (c *Call) repeat(n int64, begin func(n int64), one func()) {
	mark := c.Out.Mark()
	begin(n)
	for i := int64(1); i <= n; i++ {
		one()
		written := len(c.Out.Buf) - mark
		if (i >= sampleDraws || written >= sampleBytes) && written > maxRepeated/int(n)*int(i) {
			// What was written goes, and the memory with it.
			c.Out.Buf = append([]byte(nil), c.Out.Buf[:mark]...)
			c.Fail(errReplyTooLong)
			return
		}
	}
}

const (
	maxRepeated = 512 << 20
	// So many elements, or bytes, tell how long the others are going to be.
	sampleDraws = 64
	sampleBytes = 4 << 20
)

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
