package replication

import "time"

// Times are readings of one monotonic clock, as durations since an arbitrary
// beginning that is the same for all of them.

// Phase is how far a primary has come with one replica.
type Phase uint8

// The phases, in order.
const (
	WaitingSnapshot Phase = iota // asked for one, none has begun
	SendingSnapshot
	Online // the stream flows, or will with the first acknowledgement
)

// Wire is the phase's name in INFO.
func (p Phase) Wire() string {
	switch p {
	case WaitingSnapshot:
		return "wait_bgsave"
	case SendingSnapshot:
		return "send_bulk"
	}
	return "online"
}

// Progress is what a primary knows of one replica.
type Progress struct {
	Phase Phase
	// Confirmed is the largest offset that the replica acknowledged; meaningful
	// when HasAcked. It never moves back.
	Confirmed int64
	HasAcked  bool
	HeardAt   time.Duration // of the last acknowledgement or sign of life
	AckedAt   time.Duration // of the last acknowledgement; meaningful when HasAcked
	// Gated holds the stream back after a snapshot without a known size until the
	// first acknowledgement shows that the replica has found its end.
	Gated bool
	// NeverAcks is a client of the old SYNC: it is not expected to say anything.
	NeverAcks bool
}

// Ack takes an acknowledgement. opened reports that it was the one that the gate
// waited for.
func (p *Progress) Ack(offset int64, now time.Duration) (opened bool) {
	if !p.HasAcked || offset > p.Confirmed {
		p.Confirmed = offset
	}
	p.HasAcked = true
	p.HeardAt, p.AckedAt = now, now
	opened = p.Gated && p.Phase == Online
	if opened {
		p.Gated = false
	}
	return opened
}

// Lag is how long ago the replica was last heard.
func (p *Progress) Lag(now time.Duration) time.Duration { return now - p.HeardAt }

// Good reports whether the replica counts for min-replicas-to-write.
func (p *Progress) Good(now time.Duration, maxLag time.Duration) bool {
	return p.Phase == Online && p.Lag(now).Truncate(time.Second) <= maxLag
}

// Holds reports whether the replica has acknowledged everything up to offset.
func (p *Progress) Holds(offset int64) bool {
	return p.Phase == Online && (offset == 0 || p.HasAcked && p.Confirmed >= offset)
}

// TimedOut reports whether a replica is to be dropped for its silence. While a
// snapshot is being prepared or sent, silence is no sign of anything on its side.
func (p *Progress) TimedOut(now time.Duration, timeout time.Duration) bool {
	return p.Phase == Online && !p.NeverAcks && now-p.HeardAt > timeout
}
