package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// grantWithin is for how long after the last renewal of its lock a leader grants
// leases. It renews every half second, so that nothing is missed while the API
// server answers. A leader that is cut off, perhaps together with the primary,
// stops granting long before another one can take over: with a lock of 3 s the next
// leader comes 2 s after the last grant, and a lease of 2 s is over by then.
const grantWithin = time.Second

// Leadership is what the operator knows of its own being the leader. It is safe
// for concurrent use.
type Leadership struct {
	duration time.Duration    // fixed; of the lock; 0: there is no lock, and nobody to share with
	now      func() time.Time // fixed

	mu      sync.Mutex // guards what follows
	since   time.Time  // when leading began; zero while not leading
	renewed time.Time  // when the last successful write of the lock was sent
	// holder is who held the lock when it was last read; expired: this operator
	// has taken it over from a holder that had not given it back.
	holder  string
	expired bool
}

// NewLeadership is for a lock that nobody else can take before duration has passed
// since its last renewal. A duration of 0 means that there is no lock: whoever
// runs leads.
func NewLeadership(duration time.Duration, now func() time.Time) *Leadership {
	return &Leadership{duration: duration, now: now}
}

// Start notes that leading begins, and waits for its end.
func (l *Leadership) Start(ctx context.Context) error {
	l.mu.Lock()
	l.since = l.now()
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	l.since = time.Time{}
	l.mu.Unlock()
	return nil
}

// NeedLeaderElection says that Start is called when leading begins.
func (l *Leadership) NeedLeaderElection() bool { return true }

// OthersUntil is the moment up to which another operator may have granted leases.
// Until leading has begun that is now.
func (l *Leadership) OthersUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.since.IsZero():
		return l.now()
	case l.expired && l.duration > grantWithin:
		// The lock could be taken no earlier than its duration after the last
		// renewal of its holder, which has granted for grantWithin after that.
		return l.since.Add(grantWithin - l.duration)
	}
	// The holder before may have granted until it gave the lock back.
	return l.since
}

// MayGrant reports whether this operator leads and has lately renewed its lock. The
// lock's own machinery finds out some time after a pause of the process that the
// lock was lost; this looks at the clock.
func (l *Leadership) MayGrant() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		return false
	}
	return l.duration == 0 || l.now().Sub(l.renewed) < min(grantWithin, l.duration)
}

// Lock wraps the lock so that its renewals are noted.
func (l *Leadership) Lock(lock resourcelock.Interface) resourcelock.Interface {
	return notedLock{lock, l}
}

type notedLock struct {
	resourcelock.Interface
	leadership *Leadership
}

func (n notedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := n.Interface.Get(ctx)
	if err == nil {
		n.leadership.mu.Lock()
		n.leadership.holder = record.HolderIdentity
		n.leadership.mu.Unlock()
	}
	return record, raw, err
}

func (n notedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	sent := n.leadership.now()
	return n.note(record, sent, n.Interface.Create(ctx, record))
}

func (n notedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	sent := n.leadership.now()
	return n.note(record, sent, n.Interface.Update(ctx, record))
}

// note takes the time at which a write was sent: others count from when they see
// it, which is later.
func (n notedLock) note(record resourcelock.LeaderElectionRecord, sent time.Time, err error) error {
	if err != nil {
		return err
	}
	n.leadership.mu.Lock()
	defer n.leadership.mu.Unlock()
	l := n.leadership
	l.renewed = sent
	switch before := l.holder; {
	case record.HolderIdentity != n.Identity():
		l.renewed = time.Time{} // it was given back
	case before != n.Identity():
		l.expired = before != ""
	}
	l.holder = record.HolderIdentity
	return nil
}
