package controllers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/instance"
)

var testKey = types.NamespacedName{Namespace: "default", Name: "demo"}

// leaseStub is an instance that streams statuses and counts renewals.
type leaseStub struct {
	Instance
	seq      atomic.Uint64
	renewals atomic.Int64
	hang     atomic.Bool // it answers nothing
	mu       sync.Mutex
	last     instance.LeaseRequest
}

func (s *leaseStub) status() *instance.Status {
	return &instance.Status{Seq: s.seq.Add(1), InstanceID: "id", BootID: "boot", Role: instance.RolePrimary, Epoch: 1, RoleEpoch: 1}
}

func (s *leaseStub) Watch(ctx context.Context, _ time.Duration, each func(*instance.Status) error) error {
	for {
		if err := each(s.status()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return &instance.TransportError{Failure: instance.FailureCancelled, Err: ctx.Err()}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *leaseStub) Lease(ctx context.Context, r instance.LeaseRequest) (*instance.Status, error) {
	s.renewals.Add(1)
	s.mu.Lock()
	s.last = r
	s.mu.Unlock()
	if s.hang.Load() {
		<-ctx.Done()
		return nil, &instance.TransportError{Failure: instance.FailureTimeout, Err: ctx.Err()}
	}
	return s.status(), nil
}

func (s *leaseStub) Close() {}

type stubConnector struct{ stub *leaseStub }

func (c stubConnector) Instance(context.Context, types.NamespacedName, string) (Instance, error) {
	return c.stub, nil
}
func (c stubConnector) DialClientPort(context.Context, string) error {
	return errors.New("not dialled")
}
func (c stubConnector) Forget(types.NamespacedName) {}

// keeping runs a fleet and a lease keeper with a stub in a bubble of fake time.
func keeping(t *testing.T, test func(t *testing.T, k *LeaseKeeper, stub *leaseStub, leadership *Leadership)) {
	synctest.Test(t, func(t *testing.T) {
		stub := &leaseStub{}
		fleet := NewFleet(stubConnector{stub}, time.Now)
		leadership := NewLeadership(3*time.Second, time.Now)
		k := NewLeaseKeeper(fleet, leadership)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, start := range []func(context.Context) error{fleet.Start, leadership.Start, k.Start} {
			wg.Go(func() { _ = start(ctx) })
		}
		synctest.Wait()
		leadership.hold()
		fleet.Track(testKey, []Target{{Name: "demo-1", IP: "10.0.0.1", Silence: time.Second}})
		synctest.Wait()
		test(t, k, stub, leadership)
		cancel()
		wg.Wait()
	})
}

// hold renews the lock.
func (l *Leadership) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = time.Now()
}

var testAssignment = LeaseAssignment{Name: "demo-1", BootID: "boot", Epoch: 1, Terms: Terms{Members: 3, Duration: 2 * time.Second}}

func TestALeaseIsRenewedEveryQuarterOnNewerStatuses(t *testing.T) {
	keeping(t, func(t *testing.T, k *LeaseKeeper, stub *leaseStub, leadership *Leadership) {
		k.Assign(testKey, testAssignment)
		for range 21 {
			time.Sleep(100 * time.Millisecond)
			leadership.hold()
		}
		synctest.Wait()
		if n := stub.renewals.Load(); n != 5 {
			t.Errorf("%d renewals in 2.1 s, want 5", n)
		}
		if stub.last.StatusSeq == 0 || stub.last.BootID != "boot" || stub.last.Members != 3 || stub.last.LeaseMillis != 2000 {
			t.Errorf("the last renewal was %+v", stub.last)
		}
	})
}

func TestNoRenewalIsBegunAfterRevocation(t *testing.T) {
	keeping(t, func(t *testing.T, k *LeaseKeeper, stub *leaseStub, _ *Leadership) {
		k.Assign(testKey, testAssignment)
		time.Sleep(time.Second)
		synctest.Wait()
		k.Revoke(testKey)
		before, granted := stub.renewals.Load(), k.GrantedFrom(testKey)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := stub.renewals.Load(); n != before {
			t.Errorf("%d renewals after the revocation", n-before)
		}
		if granted.IsZero() || !k.GrantedFrom(testKey).Equal(granted) {
			t.Errorf("granted from %v, and later %v: what was granted must stay known", granted, k.GrantedFrom(testKey))
		}
	})
}

func TestARenewalUnderWayCountsAndDoesNotHoldUpTheRevocation(t *testing.T) {
	keeping(t, func(t *testing.T, k *LeaseKeeper, stub *leaseStub, _ *Leadership) {
		stub.hang.Store(true)
		begun := time.Now()
		k.Assign(testKey, testAssignment)
		synctest.Wait()
		if stub.renewals.Load() != 1 {
			t.Fatal("no renewal is under way")
		}
		k.Revoke(testKey)
		if time.Since(begun) > 0 {
			t.Errorf("the revocation waited for %v", time.Since(begun))
		}
		if !k.GrantedFrom(testKey).Equal(begun) {
			t.Errorf("granted from %v, want %v: the renewal may still arrive", k.GrantedFrom(testKey), begun)
		}
	})
}

func TestASilentPrimaryGetsNoRenewal(t *testing.T) {
	keeping(t, func(t *testing.T, k *LeaseKeeper, stub *leaseStub, _ *Leadership) {
		other := testAssignment
		other.BootID = "another boot"
		k.Assign(testKey, other)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := stub.renewals.Load(); n != 0 {
			t.Errorf("%d renewals on statuses of another process", n)
		}
	})
}

func TestAnOperatorThatIsNotSureToLeadGrantsNothing(t *testing.T) {
	keeping(t, func(t *testing.T, k *LeaseKeeper, stub *leaseStub, leadership *Leadership) {
		k.Assign(testKey, testAssignment)
		// The lock is not renewed. Nobody else can have it for 3 s; grants end
		// earlier, so that the next leader need not wait for them.
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		before := stub.renewals.Load()
		if before == 0 {
			t.Fatal("no renewals while the lock was held")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := stub.renewals.Load() - before; n != 0 {
			t.Errorf("%d renewals after the lock may have been lost", n)
		}
		if k.Note(testKey, 2, time.Now()) {
			t.Error("a promotion may grant a lease although another operator may lead")
		}
	})
}
