package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

const (
	// requestDeadline is for a request to an instance that is in touch. The
	// slowest thing that one does is to store an epoch on its disk.
	requestDeadline = time.Second
	// fenceDeadline is how long an election waits for an instance that was in
	// touch a moment ago. One that was not is told as well, and not waited for.
	fenceDeadline = 500 * time.Millisecond
	// handoverPause is for how long clients' writes may be held back.
	handoverPause = 500 * time.Millisecond
)

var errNoAddress = errors.New("the instance has no address")

// take takes one step. An error of an instance is no error of the step: what it
// has said, or not said, is seen in the next observation.
func (p *pass) take(ctx context.Context, step Step) error {
	switch step.Kind {
	case StepConfirm:
		p.confirm(ctx, step)
		return nil
	case StepElect:
		return p.elect(ctx, step)
	case StepFence:
		p.fence(ctx, step)
		return nil
	case StepCommit:
		return p.commit(ctx, step)
	case StepPromote:
		return p.promote(ctx, step)
	case StepComplete:
		return p.complete(ctx)
	case StepHandover:
		return p.handover(ctx, step)
	}
	return fmt.Errorf("step %q is not known", step.Kind)
}

// store writes the status by compare-and-swap. The elections' decisions are stored
// by it before they are acted upon; the report uses it once at the end.
func (p *pass) store(ctx context.Context, next *v1alpha1.LockstepCluster) error {
	if err := p.Client.Status().Update(ctx, next); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	p.c = next
	p.memory.written = next.DeepCopy()
	return nil
}

// storeStep stores a decision together with the conditions that follow from it, so
// that nobody reads "Ready" beside an election.
func (p *pass) storeStep(ctx context.Context, next *v1alpha1.LockstepCluster) error {
	p.setConditions(next, newSituation(next, p.obs, p.Now()), Decision{})
	return p.store(ctx, next)
}

// ask sends a request to an instance and takes in what it says of itself, also
// when it refuses.
func (p *pass) ask(ctx context.Context, name string, request func(context.Context, Instance) (*instance.Status, error)) (*instance.Status, error) {
	c, ok := p.Fleet.Client(p.key, name)
	if !ok {
		return nil, errNoAddress
	}
	sentAt := p.Now()
	st, err := request(ctx, c)
	if err != nil {
		st = statusOf(err)
	}
	if st != nil {
		p.Fleet.Record(p.key, name, sentAt, st)
	}
	return st, err
}

// confirm asks the suspect and everybody who can tell of it, all at once.
func (p *pass) confirm(ctx context.Context, step Step) {
	ctx, cancel := context.WithTimeout(ctx, min(fenceDeadline, p.c.Spec.Failover.DetectionTimeout.Duration/2))
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range step.Names {
		wg.Go(func() {
			_, _ = p.ask(ctx, name, func(ctx context.Context, i Instance) (*instance.Status, error) { return i.Status(ctx) })
		})
	}
	var probe Probe
	primary, _ := p.obs.Member(p.c.Status.Primary)
	wg.Go(func() {
		if c, ok := p.Fleet.Client(p.key, primary.Name); ok {
			probe.API = instance.FailureOf(c.Dial(ctx))
		}
	})
	if primary.Pod.IP != "" {
		wg.Go(func() { probe.Client = instance.FailureOf(p.Connect.DialClientPort(ctx, primary.Pod.IP)) })
	}
	wg.Wait()
	probe.At = p.Now()
	p.Fleet.Note(p.key, primary.Name, func(v *View) { v.Probe = probe })
}

// elect stores the next epoch. The renewals of the old primary's lease end first:
// none may be sent once the election is decided.
func (p *pass) elect(ctx context.Context, step Step) error {
	p.Leases.Revoke(p.key)
	from := p.c.Status.Primary
	if err := p.storeStep(ctx, Elected(p.c, step, p.obs, p.Now())); err != nil {
		return err
	}
	p.memory.times = stepTimes{epoch: p.c.Status.Epoch}
	if from != "" {
		p.warn("PrimaryReplaced", "Elect", "%s is to be replaced (%s): epoch %d begins", from, step.Reason, step.Epoch)
	}
	log.FromContext(ctx).Info("election", "epoch", step.Epoch, "reason", step.Reason, "from", from)
	return nil
}

// fence tells instances of the epoch. Those in touch are waited for; the others may
// answer later, and are seen then.
func (p *pass) fence(ctx context.Context, step Step) {
	var awaited sync.WaitGroup
	now := p.Now()
	for _, name := range step.Names {
		m, _ := p.obs.Member(name)
		p.Fleet.NoteFenceTried(p.key, name, step.Epoch)
		tell := func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fenceDeadline)
			defer cancel()
			_, _ = p.ask(ctx, name, func(ctx context.Context, i Instance) (*instance.Status, error) {
				return i.Fence(ctx, instance.FenceRequest{Epoch: step.Epoch})
			})
		}
		if m.View.Heard(now, p.c.Spec.Failover.DetectionTimeout.Duration) {
			awaited.Go(tell)
		} else {
			p.background.Go(tell)
		}
	}
	awaited.Wait()
	p.memory.times.fenced = p.Now()
}

func (p *pass) commit(ctx context.Context, step Step) error {
	fenced := p.memory.times.fenced
	if p.memory.times.epoch != p.c.Status.Epoch {
		fenced = time.Time{}
	}
	if err := p.storeStep(ctx, Committed(p.c, step, p.obs, fenced, p.Now())); err != nil {
		return err
	}
	log.FromContext(ctx).Info("committed", "epoch", step.Epoch, "primary", step.Choice.Name,
		"offset", step.Choice.Offset, "standing", step.Choice.Standing, "oldPrimaryEnded", step.Choice.Proof)
	return nil
}

// promote tells the committed primary, and points the writers' service at it at the
// same time: the commitment is the decision, and routing takes a while to reach all
// nodes.
func (p *pass) promote(ctx context.Context, step Step) error {
	name := p.c.Status.Primary
	m, _ := p.obs.Member(name)
	times := &p.memory.times
	if times.epoch != p.c.Status.Epoch {
		*times = stepTimes{epoch: p.c.Status.Epoch}
	}
	var routing error
	var wg sync.WaitGroup
	wg.Go(func() {
		if routing = p.routePrimary(ctx, m); routing == nil {
			times.routed = p.Now()
		}
	})
	request := instance.PromoteRequest{
		Epoch: step.Epoch, Members: max(1, len(p.c.Status.Voters)),
		LeaseMillis: p.c.Spec.Failover.LeaseDuration.Milliseconds(),
		BootID:      p.c.Status.PrimaryBootID,
	}
	if st := m.View.Status; p.Leases.Note(p.key, step.Epoch, m.View.HeardAt) {
		request.StatusSeq = st.Seq
	}
	tell, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := p.ask(tell, name, func(ctx context.Context, i Instance) (*instance.Status, error) { return i.Promote(ctx, request) })
	if err == nil {
		times.promoted = p.Now()
	}
	wg.Wait()
	if err != nil {
		return fmt.Errorf("promote %s: %w", name, err)
	}
	return routing
}

// complete stores the new history, which lets the others be told of the primary.
func (p *pass) complete(ctx context.Context) error {
	times := p.memory.times
	if times.epoch != p.c.Status.Epoch {
		times = stepTimes{}
	}
	if times.routed.IsZero() {
		m, _ := p.obs.Member(p.c.Status.Primary)
		if err := p.routePrimary(ctx, m); err != nil {
			return err
		}
	}
	changing := p.c.Status.Failover != nil
	if err := p.storeStep(ctx, Completed(p.c, p.obs, times.promoted, times.routed, p.Now())); err != nil {
		return err
	}
	p.memory.handover = nil
	if changing {
		p.announceFailover(ctx, p.c.Status.LastFailover)
	}
	return nil
}

// handover asks the primary to hand over. When it has, its status says that it
// takes no more writes, and the election follows from that.
func (p *pass) handover(ctx context.Context, step Step) error {
	target, _ := p.obs.Member(step.Target)
	ctx, cancel := context.WithTimeout(ctx, handoverPause+requestDeadline)
	defer cancel()
	_, err := p.ask(ctx, p.c.Status.Primary, func(ctx context.Context, i Instance) (*instance.Status, error) {
		return i.Handover(ctx, instance.HandoverRequest{
			Epoch: step.Epoch, TargetInstanceID: target.View.Status.InstanceID, TimeoutMillis: handoverPause.Milliseconds(),
		})
	})
	if err == nil {
		p.memory.handover = nil
		p.memory.yielded = &PlannedMove{Epoch: step.Epoch, Target: step.Target, Reason: step.Reason, Since: step.Since}
		return nil
	}
	failed := &FailedHandover{At: p.Now(), Target: step.Target, Failures: 1, Err: err}
	if last := p.memory.handover; last != nil && last.Target == step.Target {
		failed.Failures += last.Failures
	}
	p.memory.handover = failed
	if failed.Failures == 1 {
		p.warn("HandoverFailed", "Handover", "%s could not hand over to %s, writes go on, it is tried again: %v", p.c.Status.Primary, step.Target, err)
	}
	return nil
}

// carryOut does what was decided beside the primary.
func (p *pass) carryOut(ctx context.Context) error {
	d := p.decision
	p.tellFollowers(ctx, d.Follow)
	p.tellWindows(ctx, d.Resize)
	if err := p.changeVoters(ctx, d); err != nil {
		return err
	}
	if err := p.syncRoutes(ctx); err != nil {
		return err
	}
	for _, name := range d.CreatePods {
		if err := p.createPod(ctx, name); err != nil {
			return err
		}
	}
	if d.DeletePod != nil {
		if err := p.deletePod(ctx, *d.DeletePod); err != nil {
			return err
		}
	}
	if d.DropSwitchover != nil {
		if err := p.dropSwitchover(ctx, *d.DropSwitchover); err != nil {
			return err
		}
	}
	return p.labelRoles(ctx)
}

func (p *pass) tellFollowers(ctx context.Context, orders []FollowOrder) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	var wg sync.WaitGroup
	for _, order := range orders {
		wg.Go(func() {
			st, err := p.ask(ctx, order.Name, func(ctx context.Context, i Instance) (*instance.Status, error) { return i.Follow(ctx, order.Request) })
			if err != nil {
				log.FromContext(ctx).Info("follow", "instance", order.Name, "error", err.Error())
				return
			}
			p.Fleet.Note(p.key, order.Name, func(v *View) {
				if v.Status != nil && v.Status.BootID == st.BootID {
					v.Followed = &order.Request
				}
			})
			if order.Full {
				p.announceFullCopy(order)
			}
		})
	}
	wg.Wait()
}

func (p *pass) tellWindows(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	want := p.c.Spec.Replication.Backlog.Memory.Value()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			_, err := p.ask(ctx, name, func(ctx context.Context, i Instance) (*instance.Status, error) {
				return i.Resize(ctx, instance.WindowRequest{Epoch: uint64(p.c.Status.Epoch), CapacityBytes: want})
			})
			if err != nil {
				log.FromContext(ctx).Info("resize window", "instance", name, "error", err.Error())
			}
		})
	}
	wg.Wait()
}

// changeVoters stores a new list, or tells the primary of new terms; which of the
// two comes first is decided in membership.go.
func (p *pass) changeVoters(ctx context.Context, d Decision) error {
	if d.Terms != nil {
		ctx, cancel := context.WithTimeout(ctx, requestDeadline)
		defer cancel()
		_, err := p.ask(ctx, p.c.Status.Primary, func(ctx context.Context, i Instance) (*instance.Status, error) {
			return i.Lease(ctx, instance.LeaseRequest{
				Epoch: uint64(p.c.Status.Epoch), Members: d.Terms.Members, LeaseMillis: d.Terms.Duration.Milliseconds(),
			})
		})
		if err != nil {
			log.FromContext(ctx).Info("change the lease's terms", "error", err.Error())
		}
	}
	if d.Voters == nil {
		return nil
	}
	next := p.c.DeepCopy()
	next.Status.Voters = d.Voters
	return p.store(ctx, next)
}

func (p *pass) createPod(ctx context.Context, name string) error {
	pod := desired.Pod(p.c, name, desired.PodInputs{DefaultImage: p.Image})
	err := p.Client.Create(ctx, pod)
	switch {
	case apierrors.IsAlreadyExists(err):
		return p.foreignOrCached(ctx, &corev1.Pod{}, pod.Name)
	case refusedForGood(err):
		p.problem(v1alpha1.ReasonObjectRefused, "the API server refuses the pod of %s: %v", name, err)
		return nil
	case err != nil:
		return fmt.Errorf("create pod %s: %w", name, err)
	}
	p.noteOf(name, "PodCreated", "CreatePod", "created pod %s", name)
	return nil
}

func (p *pass) deletePod(ctx context.Context, d PodDeletion) error {
	uid := types.UID(d.UID)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.c.Namespace, Name: d.Name}}
	err := p.Client.Delete(ctx, pod, client.Preconditions{UID: &uid})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or another one already
	}
	if err != nil {
		return fmt.Errorf("delete pod %s: %w", d.Name, err)
	}
	p.noteOf(d.Name, "PodDeleted", "DeletePod", "deleted pod %s: %s", d.Name, deletionInWords[d.Reason])
	return nil
}

var deletionInWords = map[DeletionReason]string{
	DeleteOutdated: "the spec asks for another one",
	DeleteSurplus:  "the cluster was scaled down; its volume claim is kept",
	DeleteEnded:    "it has ended and does not come back by itself",
}

func (p *pass) dropSwitchover(ctx context.Context, answer SwitchoverAnswer) error {
	without := p.c.DeepCopy()
	delete(without.Annotations, v1alpha1.AnnotationSwitchover)
	if err := p.Client.Patch(ctx, without, client.MergeFrom(p.c)); err != nil {
		return fmt.Errorf("remove annotation %s: %w", v1alpha1.AnnotationSwitchover, err)
	}
	p.c = without
	p.memory.written = without.DeepCopy()
	if answer.Done {
		p.note("SwitchoverDone", "Switchover", "%s", answer.Message)
	} else {
		p.warn("SwitchoverRefused", "Switchover", "%s", answer.Message)
	}
	return nil
}

// labelRoles shows the roles on the pods, for people.
func (p *pass) labelRoles(ctx context.Context) error {
	s := newSituation(p.c, p.obs, p.Now())
	for _, m := range p.obs.Members {
		pod := p.objects.pods[m.Name]
		if pod == nil || pod.DeletionTimestamp != nil {
			continue
		}
		role := ""
		switch {
		case m.Name == p.c.Status.Primary && s.acting():
			role = v1alpha1.RoleLabelPrimary
		case s.follows(m):
			role = v1alpha1.RoleLabelReplica
		default:
			continue
		}
		if pod.Labels[v1alpha1.LabelRole] == role {
			continue
		}
		labelled := pod.DeepCopy()
		if labelled.Labels == nil {
			labelled.Labels = map[string]string{}
		}
		labelled.Labels[v1alpha1.LabelRole] = role
		if err := p.Client.Patch(ctx, labelled, client.MergeFrom(pod)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("label pod %s: %w", m.Name, err)
		}
	}
	return nil
}

// refusedForGood reports whether trying again will not help until somebody changes
// something.
func refusedForGood(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
