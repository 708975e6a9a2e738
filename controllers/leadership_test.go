package controllers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// memoryLock is a lock that keeps its record.
type memoryLock struct {
	resourcelock.Interface
	id     string
	record *resourcelock.LeaderElectionRecord
}

func (m *memoryLock) Identity() string { return m.id }
func (m *memoryLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return m.record, nil, nil
}
func (m *memoryLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	m.record = &r
	return nil
}

// leading runs a test in the moment after this operator has taken the lock from the
// holder before.
func leading(t *testing.T, before string, test func(l *Leadership, lock resourcelock.Interface)) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLeadership(3*time.Second, time.Now)
		lock := l.Lock(&memoryLock{id: "me", record: &resourcelock.LeaderElectionRecord{HolderIdentity: before}})
		if _, _, err := lock.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = l.Start(ctx) }()
		synctest.Wait()
		test(l, lock)
		cancel()
		synctest.Wait()
	})
}

func TestALockThatHasExpiredBoundsWhatItsHolderGranted(t *testing.T) {
	leading(t, "another", func(l *Leadership, lock resourcelock.Interface) {
		// The holder's last renewal was at least 3 s ago, and it granted for 1 s
		// after that.
		if want := time.Now().Add(-2 * time.Second); !l.OthersUntil().Equal(want) {
			t.Errorf("others may have granted until %v, want %v", l.OthersUntil(), want)
		}
		// Renewing one's own lock changes nothing about that.
		time.Sleep(500 * time.Millisecond)
		if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
			t.Fatal(err)
		}
		if want := time.Now().Add(-2500 * time.Millisecond); !l.OthersUntil().Equal(want) {
			t.Errorf("others may have granted until %v, want %v", l.OthersUntil(), want)
		}
	})
}

func TestALockThatWasGivenBackDoesNot(t *testing.T) {
	leading(t, "", func(l *Leadership, _ resourcelock.Interface) {
		if !l.OthersUntil().Equal(time.Now()) {
			t.Errorf("others may have granted until %v, want now", l.OthersUntil())
		}
	})
}

func TestGrantsEndASecondAfterTheLastRenewalOfTheLock(t *testing.T) {
	leading(t, "another", func(l *Leadership, lock resourcelock.Interface) {
		time.Sleep(999 * time.Millisecond)
		if !l.MayGrant() {
			t.Error("may not grant 999 ms after the renewal")
		}
		time.Sleep(time.Millisecond)
		if l.MayGrant() {
			t.Error("may grant a second after the renewal")
		}
		if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
			t.Fatal(err)
		}
		if !l.MayGrant() {
			t.Error("may not grant after another renewal")
		}
		if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{}); err != nil {
			t.Fatal(err)
		}
		if l.MayGrant() {
			t.Error("may grant after giving the lock back")
		}
	})
}

func TestBeforeLeadingAnybodyElseMayGrant(t *testing.T) {
	l := NewLeadership(3*time.Second, func() time.Time { return testNow })
	if l.MayGrant() || !l.OthersUntil().Equal(testNow) {
		t.Errorf("may grant: %v; others until %v", l.MayGrant(), l.OthersUntil())
	}
}
