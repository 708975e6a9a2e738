package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

// offsetsEvery is how often offsets and lags are refreshed in the status when
// nothing else has changed. They grow all the time.
const offsetsEvery = 30 * time.Second

// report writes the status once, from what was seen last, and tells by events what
// is new.
func (p *pass) report(ctx context.Context) error {
	s := newSituation(p.c, p.obs, p.Now())
	next := p.c.DeepCopy()
	s.fillStatus(&next.Status, p.decision)
	p.setConditions(next, s, p.decision)
	p.announceMembers()
	p.announceConditions(next)
	p.Metrics.cluster(p.key, next.Status.Epoch, next.Status.ReadyInstances)

	if !p.worthWriting(next) {
		return nil
	}
	p.memory.offsets = p.Now()
	return p.store(ctx, next)
}

// setConditions derives the conditions, and the phase that sums them up.
func (p *pass) setConditions(next *v1alpha1.LockstepCluster, s situation, d Decision) {
	for _, condition := range s.conditions(d, p.problems) {
		condition.ObservedGeneration = next.Generation
		meta.SetStatusCondition(&next.Status.Conditions, condition)
	}
	next.Status.Phase = phaseOf(next)
}

// worthWriting reports whether the status says anything new. Offsets alone are worth
// a write now and then only.
func (p *pass) worthWriting(next *v1alpha1.LockstepCluster) bool {
	if equality.Semantic.DeepEqual(p.c.Status, next.Status) {
		return false
	}
	if p.Now().Sub(p.memory.offsets) >= offsetsEvery {
		return true
	}
	return !equality.Semantic.DeepEqual(withoutOffsets(p.c.Status), withoutOffsets(next.Status))
}

func withoutOffsets(status v1alpha1.LockstepClusterStatus) v1alpha1.LockstepClusterStatus {
	out := *status.DeepCopy()
	out.LagBytes, out.Window = nil, ""
	for i := range out.Members {
		out.Members[i].Offset, out.Members[i].LagBytes, out.Members[i].Window = nil, nil, ""
	}
	for i := range out.Conditions {
		if out.Conditions[i].Type == v1alpha1.ConditionBacklogSufficient {
			out.Conditions[i].Message = "" // it holds the present rate
		}
	}
	return out
}

// fillStatus sets what is observed. Decisions are not touched: they were stored
// when they were made.
func (s situation) fillStatus(st *v1alpha1.LockstepClusterStatus, d Decision) {
	st.ObservedGeneration = s.cluster.Generation
	st.Selector = desired.Selector(s.cluster)
	st.Instances, st.ReadyInstances = 0, 0
	st.LagBytes, st.Members = nil, nil
	st.Window, st.Version = s.windowInWords(s.primary.View.Status), ""
	if p := s.primary.View.Status; p != nil {
		st.Version = p.Version
	}
	for _, m := range s.obs.Members {
		if m.Pod.State != PodMissing {
			st.Instances++
		}
		if s.ready(m) && !m.Pod.Deleting {
			st.ReadyInstances++
		}
		if !m.Wanted && m.Pod.State == PodMissing {
			continue
		}
		member := s.member(m, d)
		if member.LagBytes != nil && (st.LagBytes == nil || *member.LagBytes > *st.LagBytes) {
			lag := *member.LagBytes
			st.LagBytes = &lag
		}
		st.Members = append(st.Members, member)
	}
}

func (s situation) member(m Member, d Decision) v1alpha1.Member {
	member := v1alpha1.Member{Name: m.Name, Role: v1alpha1.MemberUnknown, Node: m.Pod.Node}
	member.State, member.Message = s.stateOf(m, d)
	st := m.View.Status
	if st == nil {
		return member
	}
	epoch := int64(st.Epoch)
	member.InstanceID, member.Epoch = st.InstanceID, &epoch
	if !m.View.Heard(s.now, s.silence) {
		return member
	}
	switch st.Role {
	case instance.RolePrimary:
		member.Role = v1alpha1.MemberPrimary
	case instance.RoleReplica:
		member.Role = v1alpha1.MemberReplica
	case instance.RoleUnassigned:
		member.Role = v1alpha1.MemberUnassigned
	}
	member.ReplicationID, member.Offset = st.History.ReplicationID, st.Offset
	member.LagBytes, member.Window = s.lagOf(m), s.windowInWords(st)
	return member
}

func (s situation) windowInWords(st *instance.Status) string {
	length, unlimited, known := windowOf(st)
	switch {
	case !known:
		return ""
	case unlimited:
		return "unlimited"
	}
	return length.Round(time.Second).String()
}

// stateOf puts an instance's state into a word, and what is wrong into a sentence.
func (s situation) stateOf(m Member, d Decision) (v1alpha1.MemberState, string) {
	st := m.View.Status
	heard := m.View.Heard(s.now, s.silence)
	switch {
	case m.Pod.State == PodMissing:
		return v1alpha1.MemberMissing, "it has no pod"
	case m.Pod.State == PodEnded:
		return v1alpha1.MemberFailed, "its pod has ended and is replaced"
	case m.Pod.Deleting:
		return v1alpha1.MemberTerminating, ""
	case m.Pod.Trouble != "" && !heard:
		return v1alpha1.MemberFailed, m.Pod.Trouble
	case m.Pod.Unschedulable != "":
		return v1alpha1.MemberPending, m.Pod.Unschedulable
	case m.Pod.State == PodPending:
		return v1alpha1.MemberPending, ""
	case !heard && st == nil && m.View.Failure == instance.FailureTLS:
		return v1alpha1.MemberUnreachable, "it does not accept the operator's certificate, or shows one that the operator does not accept"
	case !heard && (st == nil || m.View.Failure == instance.FailureRefused):
		return v1alpha1.MemberStarting, ""
	case !heard && m.Pod.NodeLost:
		return v1alpha1.MemberUnreachable, "its node " + m.Pod.Node + " is not ready"
	case !heard:
		return v1alpha1.MemberUnreachable, "nothing is heard of it: " + string(m.View.Failure)
	case st.Loading != nil:
		return v1alpha1.MemberLoading, ""
	case stalled(st, s.silence):
		return v1alpha1.MemberBusy, fmt.Sprintf("one command has kept it busy for more than %v", s.silence)
	}
	return s.roleState(m, d)
}

// roleState is about an instance that answers.
func (s situation) roleState(m Member, d Decision) (v1alpha1.MemberState, string) {
	st := m.View.Status
	switch {
	case slices.Contains(d.Withheld, m.Name):
		return v1alpha1.MemberWaiting, "it waits for its turn to take a full copy"
	case st.Role == instance.RoleUnassigned:
		return v1alpha1.MemberWaiting, ""
	case st.Writes == instance.WritesFenced || st.Epoch > st.RoleEpoch:
		return v1alpha1.MemberFenced, ""
	case st.Role == instance.RolePrimary && st.Writes == instance.WritesLeaseExpired:
		return v1alpha1.MemberFenced, "it hears neither a majority of the instances nor the operator, and takes no writes"
	case st.Role == instance.RolePrimary:
		return v1alpha1.MemberReady, ""
	case st.Upstream == nil || st.Upstream.State == instance.LinkNone:
		return v1alpha1.MemberConnecting, ""
	case st.Upstream.State == instance.LinkSyncing:
		return v1alpha1.MemberSyncing, transferInWords(st.Upstream.Transfer)
	case st.Upstream.State != instance.LinkConnected:
		return v1alpha1.MemberConnecting, st.Upstream.LastError
	}
	return v1alpha1.MemberReady, ""
}

func transferInWords(t *instance.Progress) string {
	if t == nil || t.TotalBytes == nil {
		return "it takes a full copy"
	}
	// Rounded, so that the status is not written for every chunk.
	tenths := 0
	if *t.TotalBytes > 0 {
		tenths = int(10 * t.DoneBytes / *t.TotalBytes)
	}
	return fmt.Sprintf("it takes a full copy of %d bytes: %d0%%", *t.TotalBytes, tenths)
}

// conditions derives all conditions from what was seen.
func (s situation) conditions(d Decision, problems []problem) []metav1.Condition {
	conditions := []metav1.Condition{
		s.primaryAvailable(d), s.replicationHealthy(d), s.backlogSufficient(), s.failoverInProgress(d),
		s.rollingUpdate(), s.storageReady(), s.stalledCondition(d, problems),
	}
	conditions = append(conditions, s.readyCondition(d), s.reconciling(conditions))
	return conditions
}

func condition(kind string, status bool, reason, format string, args ...any) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	if status {
		c.Status = metav1.ConditionTrue
	}
	return c
}

func (s situation) primaryAvailable(d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionPrimaryAvailable
	st := s.primary.View.Status
	switch {
	case s.status.Failover != nil:
		return condition(kind, false, v1alpha1.ReasonElectionInProgress, "epoch %d: %s", s.epoch, orElse(d.Step.Message, "a primary is being chosen"))
	case s.status.Primary == "":
		return condition(kind, false, v1alpha1.ReasonWaitingForInstances, "%s", orElse(d.Step.Message, "there has been no primary yet"))
	case !s.primary.View.Heard(s.now, s.silence) || d.Step.Kind == StepWait:
		return condition(kind, false, v1alpha1.ReasonPrimaryUnreachable, "%s", orElse(d.Step.Message, s.status.Primary+" is not reached"))
	case stalled(st, s.silence):
		return condition(kind, false, v1alpha1.ReasonPrimaryBusy, "%s", orElse(d.Step.Message, s.status.Primary+" is busy"))
	case !s.acting() || st.Writes != instance.WritesAllowed && st.Writes != instance.WritesPaused:
		return condition(kind, false, v1alpha1.ReasonPrimaryRefusesWrites, "%s refuses writes: %s", s.status.Primary, st.Writes)
	}
	return condition(kind, true, v1alpha1.ReasonPrimaryTakesWrites, "%s takes writes in epoch %d", s.status.Primary, s.epoch)
}

func orElse(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

func (s situation) replicationHealthy(d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionReplicationHealthy
	if !s.acting() {
		return condition(kind, false, v1alpha1.ReasonReplicationNotStarted, "there is no acting primary to replicate from")
	}
	var syncing, apart, outside []string
	replicas := 0
	for _, m := range s.obs.Members {
		if m.Name == s.status.Primary || !m.Wanted {
			continue
		}
		replicas++
		switch {
		case s.ready(m):
		case m.View.Heard(s.now, s.silence) && m.View.Status.Upstream != nil && m.View.Status.Upstream.State == instance.LinkSyncing:
			syncing = append(syncing, m.Name)
		case slices.Contains(d.Withheld, m.Name):
			outside = append(outside, m.Name)
		default:
			apart = append(apart, m.Name)
		}
	}
	switch {
	case replicas == 0:
		return condition(kind, true, v1alpha1.ReasonNoReplicas, "the cluster has one instance")
	case len(apart) > 0:
		return condition(kind, false, v1alpha1.ReasonReplicaDisconnected, "%s: not linked to %s", strings.Join(apart, ", "), s.status.Primary)
	case len(syncing) > 0:
		message := strings.Join(syncing, ", ") + ": a full copy is under way"
		if len(outside) > 0 {
			message += "; waiting for their turn: " + strings.Join(outside, ", ")
		}
		return condition(kind, false, v1alpha1.ReasonReplicaResyncing, "%s", message)
	case len(outside) > 0:
		return condition(kind, false, v1alpha1.ReasonReplicaOutsideWindow, "%s: outside the window of %s, waiting for their turn to take a full copy", strings.Join(outside, ", "), s.status.Primary)
	}
	return condition(kind, true, v1alpha1.ReasonAllReplicasConnected, "%d of %d replicas follow %s", replicas, replicas, s.status.Primary)
}

func (s situation) backlogSufficient() metav1.Condition {
	const kind = v1alpha1.ConditionBacklogSufficient
	length, unlimited, known := windowOf(s.primary.View.Status)
	want := s.cluster.Spec.Replication.Backlog.MinWindow.Duration
	switch {
	case !known || !s.acting():
		c := condition(kind, false, v1alpha1.ReasonWindowUnknown, "the write rate has not been measured yet")
		c.Status = metav1.ConditionUnknown
		return c
	case unlimited:
		return condition(kind, true, v1alpha1.ReasonWindowSufficient, "nothing is being written")
	}
	w := s.primary.View.Status.Window
	now := fmt.Sprintf("%d bytes last %v at %.0f bytes a second", w.CapacityBytes, length.Round(time.Second), *w.WriteBytesPerSecond)
	if length >= want {
		return condition(kind, true, v1alpha1.ReasonWindowSufficient, "%s", now)
	}
	need := int64(*w.WriteBytesPerSecond * want.Seconds())
	return condition(kind, false, v1alpha1.ReasonWindowTooShort, "%s, which is less than %v: set spec.replication.backlog.memory to %dMi or more",
		now, want, need>>20+1)
}

func (s situation) failoverInProgress(d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionFailoverInProgress
	f := s.status.Failover
	if f == nil {
		switch d.Step.Why {
		case WhyDisabled:
			return condition(kind, false, v1alpha1.ReasonFailoverDisabled, "%s", d.Step.Message)
		case WhyNoMajority:
			return condition(kind, false, v1alpha1.ReasonNoMajority, "%s", d.Step.Message)
		case WhyNoCandidate:
			return condition(kind, false, v1alpha1.ReasonNoCandidate, "%s", d.Step.Message)
		}
		if waits := s.switchoverWaits(); waits != "" {
			return condition(kind, false, v1alpha1.ReasonSwitchoverWaiting, "%s", waits)
		}
		return condition(kind, false, v1alpha1.ReasonNoFailover, "no change of primary is under way")
	}
	reason := v1alpha1.ReasonElecting
	switch {
	case f.Phase == v1alpha1.FailoverPromoting:
		reason = v1alpha1.ReasonPromoting
	case d.Step.Why == WhyNoMajority:
		reason = v1alpha1.ReasonNoMajority
	case d.Step.Why == WhyNoCandidate:
		reason = v1alpha1.ReasonNoCandidate
	case f.Target != "":
		reason = v1alpha1.ReasonSwitchingOver
	}
	return condition(kind, true, reason, "epoch %d, because of %s: %s", f.Epoch, f.Reason, orElse(d.Step.Message, "instances are being told"))
}

func (s situation) rollingUpdate() metav1.Condition {
	const kind = v1alpha1.ConditionRollingUpdate
	var outdated, awaited []string
	for _, m := range s.obs.Members {
		if m.Wanted && m.Pod.Outdated {
			outdated = append(outdated, m.Name)
		}
		if m.Wanted && !s.ready(m) {
			awaited = append(awaited, m.Name)
		}
	}
	if len(outdated) == 0 {
		return condition(kind, false, v1alpha1.ReasonNoUpdate, "every pod is what the spec asks for")
	}
	if len(awaited) > 0 {
		return condition(kind, true, v1alpha1.ReasonUpdateWaiting, "to be replaced: %s; waiting for every instance to be ready, and these are not: %s",
			strings.Join(outdated, ", "), strings.Join(awaited, ", "))
	}
	return condition(kind, true, v1alpha1.ReasonReplacingPods, "to be replaced: %s", strings.Join(outdated, ", "))
}

func (s situation) storageReady() metav1.Condition {
	const kind = v1alpha1.ConditionStorageReady
	if s.cluster.Spec.Storage.Ephemeral {
		return condition(kind, true, v1alpha1.ReasonEphemeralStorage, "data lives as long as each pod does")
	}
	var pending []string
	for _, m := range s.obs.Members {
		if m.Wanted && m.Claim != ClaimBound {
			pending = append(pending, m.Name)
		}
	}
	if len(pending) > 0 {
		return condition(kind, false, v1alpha1.ReasonVolumesPending, "without a volume: %s", strings.Join(pending, ", "))
	}
	return condition(kind, true, v1alpha1.ReasonVolumesBound, "every instance has its volume")
}

// stalledCondition is true when waiting alone will not help. Its reason is that of
// the most urgent problem; the message has all of them.
func (s situation) stalledCondition(d Decision, problems []problem) metav1.Condition {
	const kind = v1alpha1.ConditionStalled
	all := s.mostUrgentFirst(d, problems)
	if len(all) == 0 {
		return condition(kind, false, v1alpha1.ReasonNotStalled, "nothing waits for anybody's help")
	}
	var messages []string
	for _, one := range all {
		if !slices.Contains(messages, one.message) {
			messages = append(messages, one.message)
		}
	}
	return condition(kind, true, all[0].reason, "%s", strings.Join(messages, "; also: "))
}

// mostUrgentFirst lists everything that somebody has to put right: that there is no
// primary, then what was met while acting, then instances that do not start. Those
// that have never started come before those that crash, because a pod that is wrong
// explains more.
func (s situation) mostUrgentFirst(d Decision, problems []problem) []problem {
	var all, crashing, homeless []problem
	switch d.Step.Why {
	case WhyDisabled, WhyNoCandidate, WhyNoMajority, WhyDiverged:
		all = append(all, problem{v1alpha1.ReasonFailoverRefused, d.Step.Message})
	}
	all = append(all, problems...)
	for _, m := range s.obs.Members {
		switch failed := (problem{v1alpha1.ReasonPodsCanNotStart, m.Name + ": " + m.Pod.Trouble}); {
		case !m.Wanted:
		case s.failing(m) && strings.HasPrefix(m.Pod.Trouble, crashLoop):
			crashing = append(crashing, failed)
		case s.failing(m):
			all = append(all, failed)
		case m.Pod.Unschedulable != "":
			homeless = append(homeless, problem{v1alpha1.ReasonPodsUnschedulable, m.Name + ": " + m.Pod.Unschedulable})
		}
	}
	return slices.Concat(all, crashing, homeless)
}

func (s situation) readyCondition(d Decision) metav1.Condition {
	const kind = v1alpha1.ConditionReady
	available := s.primaryAvailable(d)
	if available.Status != metav1.ConditionTrue {
		if s.epoch == 0 {
			return condition(kind, false, v1alpha1.ReasonCreating, "%s", available.Message)
		}
		return condition(kind, false, v1alpha1.ReasonNoPrimary, "%s", available.Message)
	}
	ready, wanted := 0, 0
	for _, m := range s.obs.Members {
		wanted += yes(m.Wanted)
		ready += yes(m.Wanted && s.ready(m) && !m.Pod.Deleting)
	}
	if ready < wanted {
		return condition(kind, false, v1alpha1.ReasonInstancesNotReady, "%d of %d instances are ready", ready, wanted)
	}
	return condition(kind, true, v1alpha1.ReasonAllInstancesReady, "%d of %d instances are ready, and %s takes writes", ready, wanted, s.status.Primary)
}

// reconciling is true while something is on its way to what the spec asks for.
func (s situation) reconciling(others []metav1.Condition) metav1.Condition {
	const kind = v1alpha1.ConditionReconciling
	surplus, missing := 0, 0
	for _, m := range s.obs.Members {
		surplus += yes(!m.Wanted && m.Pod.State != PodMissing)
		missing += yes(m.Wanted && m.Pod.State == PodMissing)
	}
	switch {
	case surplus > 0 || missing > 0:
		return condition(kind, true, v1alpha1.ReasonScaling, "%d pods to be made, %d to be removed", missing, surplus)
	case meta.IsStatusConditionTrue(others, v1alpha1.ConditionRollingUpdate):
		return condition(kind, true, v1alpha1.ReasonUpdating, "pods are being replaced")
	case !s.allReady() || s.status.Failover != nil:
		return condition(kind, true, v1alpha1.ReasonProgressing, "instances are on their way to being ready")
	}
	return condition(kind, false, v1alpha1.ReasonUpToDate, "the cluster is what the spec asks for")
}

// phaseOf sums the conditions up for people.
func phaseOf(c *v1alpha1.LockstepCluster) v1alpha1.Phase {
	is := func(kind string) bool { return meta.IsStatusConditionTrue(c.Status.Conditions, kind) }
	switch {
	case c.DeletionTimestamp != nil:
		return v1alpha1.PhaseDeleting
	case is(v1alpha1.ConditionReady) && !is(v1alpha1.ConditionRollingUpdate) && !is(v1alpha1.ConditionReconciling):
		return v1alpha1.PhaseHealthy
	case is(v1alpha1.ConditionStalled) && !is(v1alpha1.ConditionPrimaryAvailable):
		return v1alpha1.PhaseStalled
	case c.Status.Epoch == 0 || c.Status.Failover != nil && c.Status.Failover.From == "":
		return v1alpha1.PhaseCreating
	case c.Status.Failover != nil:
		return v1alpha1.PhaseFailingOver
	case !is(v1alpha1.ConditionPrimaryAvailable):
		return v1alpha1.PhaseUnavailable
	case is(v1alpha1.ConditionStalled):
		return v1alpha1.PhaseStalled
	case is(v1alpha1.ConditionRollingUpdate):
		return v1alpha1.PhaseUpdating
	}
	return v1alpha1.PhaseDegraded
}

// allWell reports whether there is nothing to keep an eye on.
func (p *pass) allWell() bool {
	return p.c.Status.Phase == v1alpha1.PhaseHealthy
}

// announceConditions tells by an event when a condition that people act upon has
// changed.
func (p *pass) announceConditions(next *v1alpha1.LockstepCluster) {
	for _, kind := range []string{v1alpha1.ConditionBacklogSufficient, v1alpha1.ConditionStalled, v1alpha1.ConditionReplicationHealthy} {
		before, now := meta.FindStatusCondition(p.c.Status.Conditions, kind), meta.FindStatusCondition(next.Status.Conditions, kind)
		if before == nil || before.Status == now.Status && before.Reason == now.Reason {
			continue
		}
		bad := now.Status == metav1.ConditionFalse
		if kind == v1alpha1.ConditionStalled {
			bad = now.Status == metav1.ConditionTrue
		}
		switch {
		case bad:
			p.warn(now.Reason, "Observe", "%s", now.Message)
		case now.Status != metav1.ConditionUnknown && before.Status != metav1.ConditionUnknown:
			p.note(now.Reason, "Observe", "%s", now.Message)
		}
	}
	p.announceWaitingSwitchover(next)
}

// announceWaitingSwitchover tells once that a user's wish has to wait: whoever
// expressed it looks at the events for the answer.
func (p *pass) announceWaitingSwitchover(next *v1alpha1.LockstepCluster) {
	const kind = v1alpha1.ConditionFailoverInProgress
	before, now := meta.FindStatusCondition(p.c.Status.Conditions, kind), meta.FindStatusCondition(next.Status.Conditions, kind)
	if now.Reason == v1alpha1.ReasonSwitchoverWaiting && (before == nil || before.Reason != now.Reason) {
		p.warn(now.Reason, "Switchover", "%s", now.Message)
	}
}
