package replication

import "time"

// Marks remembers when stream bytes were sent, so that an acknowledgement of
// them tells how recent it is at least. The lease of a primary counts from the
// moment of sending, never from the arrival of an acknowledgement: whoever
// acknowledges late has heard us long ago.
//
// The marks are a fixed ring; when it is full, the oldest are forgotten, and an
// acknowledgement that only reaches a forgotten one proves nothing.
type Marks struct {
	spacing time.Duration // between two marks
	ring    [256]mark
	n       int   // marks set so far
	told    int64 // the last byte that Sent was told of, marked or not
}

type mark struct {
	through int64
	sentAt  time.Duration
}

// NewMarks makes an empty ring. Marks are spaced by a hundred and twenty-eighth of
// the lease, so that under any write rate they reach back two leases, and an
// acknowledgement counts from at most that much too early.
func NewMarks(lease time.Duration) *Marks { return &Marks{spacing: lease / 128} }

// Sent notes that the stream up to byte number through was sent at that time. Only
// bytes that no call before has told of say anything new: others may have been
// acknowledged as a result of the earlier sending. That holds also for those that
// came too soon after a mark to get one of their own. If they got it from the next
// call, a primary that is frozen in between would take the acknowledgement that
// waits for it for one of bytes that it sends when it goes on.
func (m *Marks) Sent(through int64, at time.Duration) {
	if m.n > 0 && through <= m.told {
		return
	}
	m.told = through
	if m.n > 0 && at-m.ring[(m.n-1)%len(m.ring)].sentAt < m.spacing {
		return
	}
	m.ring[m.n%len(m.ring)] = mark{through, at}
	m.n++
}

// SentAt returns when the newest marked byte that acked covers was sent.
func (m *Marks) SentAt(acked int64) (time.Duration, bool) {
	for i := m.n - 1; i >= 0 && i >= m.n-len(m.ring); i-- {
		if k := m.ring[i%len(m.ring)]; k.through <= acked {
			return k.sentAt, true
		}
	}
	return 0, false
}
