package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/instance"
)

// LeaseKeeper renews the leases of primaries, each every quarter of its duration,
// beside the reconciles: a slow one must not cost a primary its lease.
//
// A renewal names the last status that was received of the primary, and grants
// time from the moment at which that status was made. So however long a renewal is
// under way, it grants nothing beyond GrantedFrom plus the lease's duration, and
// an election knows how long to wait. After Revoke has returned none is begun any
// more; one that was begun before counts in GrantedFrom.
type LeaseKeeper struct {
	fleet      *Fleet      // fixed
	leadership *Leadership // fixed

	mu      sync.Mutex // guards what follows
	running context.Context
	leases  map[types.NamespacedName]*keptLease
	wg      sync.WaitGroup
}

// keptLease is the grants to one primary. The LeaseKeeper's mutex guards it.
type keptLease struct {
	assignment  LeaseAssignment
	grantedFrom time.Time // when the newest status that was granted upon had arrived
	grantedSeq  uint64    // its number
	stop        context.CancelFunc
}

// NewLeaseKeeper renews nothing yet.
func NewLeaseKeeper(fleet *Fleet, leadership *Leadership) *LeaseKeeper {
	return &LeaseKeeper{fleet: fleet, leadership: leadership, leases: map[types.NamespacedName]*keptLease{}}
}

// Start lets assignments be kept until the context ends, and returns when the last
// renewal has.
func (k *LeaseKeeper) Start(ctx context.Context) error {
	k.mu.Lock()
	k.running = ctx
	k.mu.Unlock()
	<-ctx.Done()
	k.wg.Wait()
	return nil
}

// NeedLeaderElection says that only the leader grants.
func (k *LeaseKeeper) NeedLeaderElection() bool { return true }

// Assign says whose lease to renew from now on.
func (k *LeaseKeeper) Assign(cluster types.NamespacedName, a LeaseAssignment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.of(cluster, a.Epoch)
	if l.assignment == a && l.stop != nil {
		return
	}
	k.halt(l)
	l.assignment = a
	if k.running == nil || k.running.Err() != nil || a.Terms.Duration <= 0 {
		return
	}
	ctx, stop := context.WithCancel(k.running)
	l.stop = stop
	k.wg.Add(1)
	go func() {
		defer k.wg.Done()
		k.keep(ctx, cluster, a)
	}()
}

// Revoke ends the renewals. What was granted stays known.
func (k *LeaseKeeper) Revoke(cluster types.NamespacedName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.leases[cluster]; l != nil {
		k.halt(l)
	}
}

// Forget is for a cluster that is gone.
func (k *LeaseKeeper) Forget(cluster types.NamespacedName) {
	k.Revoke(cluster)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.leases, cluster)
}

// GrantedFrom is when the newest status had arrived on which a grant to the present
// or the last primary was based; zero when there was none.
func (k *LeaseKeeper) GrantedFrom(cluster types.NamespacedName) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.leases[cluster]; l != nil {
		return l.grantedFrom
	}
	return time.Time{}
}

// Note is for a grant that is made by other means: a promotion that names a
// status. It has to be called before that is sent. ok is false when another
// operator may be leading, and nothing may be granted.
func (k *LeaseKeeper) Note(cluster types.NamespacedName, epoch uint64, heardAt time.Time) (ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.leadership.MayGrant() {
		return false
	}
	l := k.of(cluster, epoch)
	if heardAt.After(l.grantedFrom) {
		l.grantedFrom = heardAt
	}
	return true
}

// of is the record of a cluster's grants. A new epoch does not begin a new one:
// what was granted to the old primary may still have to be waited out when the
// new one does not come about. The caller holds the mutex.
func (k *LeaseKeeper) of(cluster types.NamespacedName, epoch uint64) *keptLease {
	l := k.leases[cluster]
	if l == nil {
		l = &keptLease{}
		k.leases[cluster] = l
	}
	if l.assignment.Epoch != epoch {
		k.halt(l)
		l.assignment, l.grantedSeq = LeaseAssignment{Epoch: epoch}, 0
	}
	return l
}

// halt ends a lease's goroutine and the renewal that it has under way. The caller
// holds the mutex.
func (k *LeaseKeeper) halt(l *keptLease) {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

func (k *LeaseKeeper) keep(ctx context.Context, cluster types.NamespacedName, a LeaseAssignment) {
	interval := a.Terms.LeaseInterval()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if request, client, ok := k.begin(ctx, cluster, a); ok {
			k.send(ctx, cluster, a, client, request, interval)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// begin decides, under the mutex, whether a renewal may be sent, and notes it. ok
// is false when the lease was revoked, when another operator may be leading, or
// when nothing new was heard of the primary.
func (k *LeaseKeeper) begin(ctx context.Context, cluster types.NamespacedName, a LeaseAssignment) (instance.LeaseRequest, Instance, bool) {
	view := k.fleet.Views(cluster, a.Epoch)[a.Name]
	client, reachable := k.fleet.Client(cluster, a.Name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil || !k.leadership.MayGrant() || !reachable {
		return instance.LeaseRequest{}, nil, false
	}
	l, st := k.leases[cluster], view.Status
	if l == nil || l.assignment != a || st == nil || st.BootID != a.BootID || st.Seq <= l.grantedSeq {
		return instance.LeaseRequest{}, nil, false
	}
	l.grantedSeq = st.Seq
	if view.HeardAt.After(l.grantedFrom) {
		l.grantedFrom = view.HeardAt
	}
	return instance.LeaseRequest{
		Epoch: a.Epoch, BootID: st.BootID, StatusSeq: st.Seq,
		Members: a.Terms.Members, LeaseMillis: a.Terms.Duration.Milliseconds(),
	}, client, true
}

func (k *LeaseKeeper) send(ctx context.Context, cluster types.NamespacedName, a LeaseAssignment, client Instance, request instance.LeaseRequest, deadline time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	sentAt := k.fleet.now()
	st, err := client.Lease(ctx, request)
	if err != nil {
		// The next renewal is due in a moment, and what is wrong with the
		// primary shows in its stream. A primary of a later epoch tells so.
		if refused := statusOf(err); refused != nil {
			k.fleet.Record(cluster, a.Name, sentAt, refused)
		}
		return
	}
	k.fleet.Record(cluster, a.Name, sentAt, st)
}
