package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

const (
	// mostSteps bounds one reconcile. A failover takes six.
	mostSteps = 20
	// lookAgain is how long a reconcile is content without an event.
	lookAgain = 30 * time.Second
	// lookSoon is for a cluster that is not what it should be: something may be
	// growing that triggers nothing, such as an offset that catches up.
	lookSoon = time.Second
	// firstRetry and lastRetry bound how soon a reconcile that failed is tried
	// again.
	firstRetry = 10 * time.Millisecond
	lastRetry  = time.Second
	// retryAfter is how soon a step that failed is tried again.
	retryAfter = 100 * time.Millisecond
)

// Options are what an operator is made of.
type Options struct {
	Client     client.Client // reads from caches
	Live       client.Reader // reads from the API server
	Connect    Connector
	Leadership *Leadership
	Events     events.EventRecorder
	Metrics    *Metrics
	// Image runs when a spec names none.
	Image string
	Now   func() time.Time // with a monotonic reading
	// Workers is how many clusters are reconciled at the same time.
	Workers int
}

// Reconciler reconciles LockstepClusters.
type Reconciler struct {
	Options
	observer
	Fleet  *Fleet       // fixed; to be added to the manager
	Leases *LeaseKeeper // fixed; to be added to the manager

	background sync.WaitGroup // requests that outlive the step that sent them

	mu     sync.Mutex // guards what follows
	memory map[types.NamespacedName]*memory
	queue  workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// memory is what a reconciler keeps of a cluster between reconciles. All of it may
// be lost at any time; it then costs an event twice, or a write that changes
// nothing. It is used by one reconcile at a time.
type memory struct {
	uid types.UID
	// written is the last version of the cluster that a status write returned.
	// A cache may be behind it.
	written  *v1alpha1.LockstepCluster
	handover *FailedHandover
	yielded  *PlannedMove
	times    stepTimes
	applied  map[string]appliedObject
	certsDue time.Time
	seen     map[string]seenMember
	offsets  time.Time // when offsets were last refreshed in the status
}

// stepTimes are when steps of the present epoch were complete.
type stepTimes struct {
	epoch                    int64
	fenced, promoted, routed time.Time
}

// NewReconciler makes one, with its fleet and its lease keeper.
func NewReconciler(o Options) *Reconciler {
	r := &Reconciler{Options: o, memory: map[types.NamespacedName]*memory{}}
	r.Fleet = NewFleet(o.Connect, o.Now)
	r.Leases = NewLeaseKeeper(r.Fleet, o.Leadership)
	r.Fleet.changed = r.trigger
	r.observer = observer{reader: o.Client, fleet: r.Fleet, leases: r.Leases, leadership: o.Leadership, image: o.Image, now: o.Now}
	return r
}

// AddTo adds everything that has to run to the manager.
func (r *Reconciler) AddTo(mgr ctrl.Manager) error {
	for _, runnable := range []interface {
		Start(context.Context) error
	}{r.Leadership, r.Fleet, r.Leases} {
		if err := mgr.Add(runnable); err != nil {
			return fmt.Errorf("add to manager: %w", err)
		}
	}
	if err := r.addListener(mgr); err != nil {
		return err
	}
	err := ctrl.NewControllerManagedBy(mgr).
		Named("lockstepcluster").
		For(&v1alpha1.LockstepCluster{}).
		Owns(&corev1.Pod{}).
		Owns(&corev1.PersistentVolumeClaim{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&discoveryv1.EndpointSlice{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		WatchesRawSource(source.Func(r.feed)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: max(1, r.Workers),
			// An election that failed because the API server was away must not
			// wait for minutes when it is back.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("build controller: %w", err)
	}
	return nil
}

// addListener keeps the fleet aimed on every replica of the operator, also on those
// that do not lead.
func (r *Reconciler) addListener(mgr ctrl.Manager) error {
	everywhere := false
	err := ctrl.NewControllerManagedBy(mgr).
		Named("listener").
		For(&v1alpha1.LockstepCluster{}).
		Owns(&corev1.Pod{}).
		WithOptions(controller.Options{NeedLeaderElection: &everywhere}).
		Complete(reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			c := &v1alpha1.LockstepCluster{}
			err := r.Client.Get(ctx, req.NamespacedName, c)
			if apierrors.IsNotFound(err) {
				r.Fleet.Forget(req.NamespacedName)
				return reconcile.Result{}, nil
			}
			if err == nil {
				_, err = r.aim(ctx, c)
			}
			return reconcile.Result{}, err
		}))
	if err != nil {
		return fmt.Errorf("build listener: %w", err)
	}
	return nil
}

// feed takes the queue, so that what the fleet hears gets there without a detour.
func (r *Reconciler) feed(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = queue
	return nil
}

func (r *Reconciler) trigger(cluster types.NamespacedName) {
	r.mu.Lock()
	queue := r.queue
	r.mu.Unlock()
	if queue != nil {
		queue.Add(reconcile.Request{NamespacedName: cluster})
	}
}

// Wait returns when nothing that was begun is under way any more.
func (r *Reconciler) Wait() { r.background.Wait() }

// Reconcile brings one cluster closer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	c := &v1alpha1.LockstepCluster{}
	err := r.Client.Get(ctx, req.NamespacedName, c)
	if apierrors.IsNotFound(err) || err == nil && c.DeletionTimestamp != nil {
		// Kubernetes deletes what the cluster owns. Without renewals and
		// acknowledgements the primary stops by itself if its pod lingers.
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("get cluster: %w", err)
	}
	p := &pass{Reconciler: r, key: req.NamespacedName, memory: r.remember(c)}
	p.c = p.newest(c)
	if err := p.run(ctx); err != nil {
		if apierrors.IsConflict(err) {
			return p.afterConflict(ctx)
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: p.again()}, nil
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.Leases.Forget(key)
	r.Fleet.Forget(key)
	r.Metrics.forget(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.memory, key)
}

// remember is what is kept of a cluster; empty when it is another one of the same
// name.
func (r *Reconciler) remember(c *v1alpha1.LockstepCluster) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(c)
	m := r.memory[key]
	if m == nil || m.uid != c.UID {
		m = &memory{uid: c.UID, applied: map[string]appliedObject{}, seen: map[string]seenMember{}}
		r.memory[key] = m
	}
	return m
}

// pass is one reconcile of one cluster.
type pass struct {
	*Reconciler
	key      types.NamespacedName
	memory   *memory
	c        *v1alpha1.LockstepCluster // the newest version known
	obs      Observation
	objects  objects
	decision Decision
	problems []problem
}

// newest is the cluster as the cache has it, or as it was last written if the cache
// does not show that yet.
func (p *pass) newest(cached *v1alpha1.LockstepCluster) *v1alpha1.LockstepCluster {
	written := p.memory.written
	if written == nil || written.UID != cached.UID {
		return cached.DeepCopy()
	}
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, written.ResourceVersion)
	if err != nil || order >= 0 {
		return cached.DeepCopy()
	}
	return written.DeepCopy()
}

// run is the story: steps about the primary until there is none that can be taken
// now, then everything else, then the report.
func (p *pass) run(ctx context.Context) error {
	if err := p.settle(ctx); err != nil {
		return err
	}
	if err := p.ensureObjects(ctx); err != nil {
		return err
	}
	if err := p.carryOut(ctx); err != nil {
		return err
	}
	return p.report(ctx)
}

// settle takes the steps about the primary, one after the other without a pause.
func (p *pass) settle(ctx context.Context) error {
	for range mostSteps {
		if err := p.look(ctx); err != nil {
			return err
		}
		step := p.decision.Step
		if !step.Acts() {
			return nil
		}
		log.FromContext(ctx).V(1).Info("step", "kind", step.Kind, "epoch", step.Epoch, "names", step.Names)
		if err := p.take(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// look observes and decides.
func (p *pass) look(ctx context.Context) error {
	var err error
	if p.obs, p.objects, err = p.observe(ctx, p.c); err != nil {
		return err
	}
	p.obs.Handover, p.obs.Yielded = p.memory.handover, p.memory.yielded
	p.decision = Decide(p.c, p.obs, p.Now())
	if p.decision.Lease == nil {
		p.Leases.Revoke(p.key)
	} else {
		p.Leases.Assign(p.key, *p.decision.Lease)
	}
	return nil
}

// afterConflict is for a status write that was beaten by another write, such as a
// change of the spec. Nothing was acted upon, so all is decided anew.
func (p *pass) afterConflict(ctx context.Context) (reconcile.Result, error) {
	fresh := &v1alpha1.LockstepCluster{}
	if err := p.Live.Get(ctx, p.key, fresh); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("get cluster after a conflict: %w", err)
	} else if err == nil {
		p.memory.written = fresh
	}
	return reconcile.Result{RequeueAfter: time.Millisecond}, nil
}

// again is when to reconcile next if nothing happens before.
func (p *pass) again() time.Duration {
	after := lookAgain
	if len(p.problems) > 0 || !p.allWell() {
		after = lookSoon
	}
	if wake := p.decision.Wake; !wake.IsZero() && p.decision.Step.Kind == StepWait {
		after = min(after, max(wake.Sub(p.Now()), time.Millisecond))
	}
	if p.decision.Step.Acts() {
		after = retryAfter
	}
	if due := p.memory.certsDue; !due.IsZero() {
		after = min(after, max(due.Sub(p.Now()), time.Second))
	}
	return after
}
