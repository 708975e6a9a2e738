package role

import (
	"math"
	"slices"
	"time"
)

const (
	// forever is the end of the lease of a primary that is a majority all by
	// itself.
	forever = time.Duration(math.MaxInt64)
	never   = time.Duration(math.MinInt64)
)

// lease is a primary's permission to take writes. It is kept either by a majority
// of the members, this instance included, or by the operator.
type lease struct {
	members  int
	duration time.Duration
	// confirmed is, for each replica by its instance ID, the latest time of
	// which it has confirmed that it was still following: the time at which the
	// bytes were sent that it has acknowledged. The time at which the
	// acknowledgement came would be too late by the way back: a replica may
	// have been fenced in the meantime.
	confirmed map[string]time.Duration
	granted   time.Duration // the operator's grant; valid when hasGrant
	hasGrant  bool
	// end is when writes stop unless more is heard: what all of the above comes
	// to. It is kept because it is asked for before every write.
	end time.Duration
}

func newLease(members int, duration time.Duration) lease {
	l := lease{confirmed: map[string]time.Duration{}}
	l.setTerms(members, duration)
	return l
}

func (l *lease) setTerms(members int, duration time.Duration) {
	l.members, l.duration = members, duration
	l.reckon()
}

func (l *lease) grant(from time.Duration) {
	if !l.hasGrant || from > l.granted {
		l.granted, l.hasGrant = from, true
		l.reckon()
	}
}

func (l *lease) acked(instanceID string, sentAt time.Duration) {
	if at, known := l.confirmed[instanceID]; !known || sentAt > at {
		l.confirmed[instanceID] = sentAt
		l.reckon()
	}
}

// majorityAt is the latest time at which a majority was still following. With 5
// members a majority is 3, so besides this instance it takes 2 replicas: the time
// is the second newest of theirs. With one member there is nobody to ask.
func (l *lease) majorityAt() (at time.Duration, known bool) {
	needed := l.members / 2
	if needed > len(l.confirmed) {
		return 0, false
	}
	times := make([]time.Duration, 0, 8)
	for _, at := range l.confirmed {
		times = append(times, at)
	}
	slices.Sort(times)
	return times[len(times)-needed], true
}

// reckon finds the end of the lease anew. The clock may be at any value when an
// instance starts, also below zero in a test, so "nothing heard yet" is the
// lowest of all times.
func (l *lease) reckon() {
	l.end = never
	if l.members == 1 {
		l.end = forever
		return
	}
	if at, known := l.majorityAt(); known {
		l.end = at + l.duration
	}
	if l.hasGrant {
		l.end = max(l.end, l.granted+l.duration)
	}
}

// remaining is how long writes may go on; 0 when they may not.
func (l *lease) remaining(now time.Duration) time.Duration {
	if l.end == forever {
		return forever
	}
	if l.end <= now {
		return 0
	}
	return l.end - now
}

// statusTimes remembers when the last statuses were made. Their numbers follow
// each other, so a ring indexed by number does.
type statusTimes struct {
	newest uint64
	at     [statusesKept]time.Duration
}

// statusesKept: a primary makes a status at every change and at least every 100
// ms, so this is a minute at 60 changes a second. The longest lease is a minute.
const statusesKept = 4096

func (s *statusTimes) add(seq uint64, now time.Duration) {
	s.newest = seq
	s.at[seq%statusesKept] = now
}

func (s *statusTimes) madeAt(seq uint64) (time.Duration, bool) {
	if seq == 0 || seq > s.newest || s.newest-seq >= statusesKept {
		return 0, false
	}
	return s.at[seq%statusesKept], true
}
