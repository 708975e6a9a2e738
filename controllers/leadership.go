package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Leadership is what the operator knows of its own being the leader. It is safe
// for concurrent use.
type Leadership struct {
	duration time.Duration    // fixed; of the lock; 0: there is no lock, and nobody to share with
	now      func() time.Time // fixed

	mu      sync.Mutex // guards what follows
	since   time.Time  // when leading began; zero while not leading
	renewed time.Time  // when the last successful write of the lock was sent
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

// Since is when leading began; ok is false while it has not.
func (l *Leadership) Since() (since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since, !l.since.IsZero()
}

// Sure reports whether nobody else can be leading at this moment. The lock's own
// machinery finds out some time after a pause of the process that the lock was
// lost; this looks at the clock.
func (l *Leadership) Sure() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		return false
	}
	return l.duration == 0 || l.now().Sub(l.renewed) < l.duration
}

// Lock wraps the lock so that its renewals are noted.
func (l *Leadership) Lock(lock resourcelock.Interface) resourcelock.Interface {
	return notedLock{lock, l}
}

type notedLock struct {
	resourcelock.Interface
	leadership *Leadership
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
	n.leadership.renewed = sent
	if record.HolderIdentity != n.Identity() {
		n.leadership.renewed = time.Time{} // it was given back
	}
	return nil
}
