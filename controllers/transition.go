package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// What each step of a change of primary stores. The functions are pure: they take
// the cluster as it was read and return it as it is to be written, with the
// resource version that makes the write a compare-and-swap.

// Elected is the cluster with the next epoch, which has no primary yet.
func Elected(c *v1alpha1.LockstepCluster, step Step, obs Observation, now time.Time) *v1alpha1.LockstepCluster {
	s := newSituation(c, obs, now)
	next := c.DeepCopy()
	st := &next.Status
	if f := st.Failover; f != nil && f.Phase == v1alpha1.FailoverElecting {
		// The same election in a higher epoch, because an instance obeys it.
		st.Epoch, f.Epoch = int64(step.Epoch), int64(step.Epoch)
		return next
	}
	f := &v1alpha1.FailoverProgress{
		Epoch:             int64(step.Epoch),
		Phase:             v1alpha1.FailoverElecting,
		Reason:            step.Reason,
		From:              st.Primary,
		FromInstanceID:    st.PrimaryInstanceID,
		FromBootID:        st.PrimaryBootID,
		FromReplicationID: st.ReplicationID,
		FromEpoch:         st.Epoch,
		Target:            step.Target,
		StartedAt:         metav1.NewMicroTime(step.Since),
	}
	f.FromOffset, f.FromOffsetLimit = s.producedBy(s.primary.View)
	if probe := s.primary.View.Probe.At; probe.After(step.Since) {
		f.Steps.ConfirmedMillis = millisSince(step.Since, probe)
	}
	f.Steps.ElectedMillis = millisSince(step.Since, now)
	st.Epoch, st.Failover = int64(step.Epoch), f
	st.Primary, st.PrimaryInstanceID, st.PrimaryBootID = "", "", ""
	return next
}

// burst is by how much a primary may have written faster than on average while
// nobody was watching.
const burst = 2

// producedBy is how far the primary is known to have come, and how far it can have
// come before it ended or its lease does. Both are nil when not known.
func (s situation) producedBy(v View) (known, limit *int64) {
	known = knownOffset(v, s.status.PrimaryBootID)
	last, heardAt, until := v.Status, v.HeardAt, s.now.Add(s.leaseBound())
	switch {
	case known == nil:
		return nil, nil
	case last.BootID != s.status.PrimaryBootID:
		// Another process has taken its place, and it ended before that.
		last, heardAt, until = v.LastBoot, v.LastBootHeardAt, v.BootHeardAt
	case v.Severed:
		until = v.LostAt
	}
	if last.Writes == instance.WritesFenced {
		return known, known // it wrote nothing after that
	}
	rate := last.Window.WriteBytesPerSecond
	if rate == nil {
		return known, nil
	}
	most := *known + int64(burst**rate*max(0, until.Sub(heardAt).Seconds()))
	return known, &most
}

// Committed is the cluster with the new primary of its epoch. fenced is when
// enough instances had been fenced; zero when that is not known.
func Committed(c *v1alpha1.LockstepCluster, step Step, obs Observation, fenced, now time.Time) *v1alpha1.LockstepCluster {
	next := c.DeepCopy()
	st, choice := &next.Status, step.Choice
	offset := choice.Offset
	st.Primary, st.PrimaryInstanceID, st.PrimaryBootID = choice.Name, choice.InstanceID, choice.BootID
	st.ReplicationID = ""
	st.PreviousReplicationID, st.PreviousValidThrough = choice.History, &offset
	if len(choice.Voters) > 0 {
		st.Voters = choice.Voters
	}
	f := st.Failover
	f.Phase = v1alpha1.FailoverPromoting
	f.Candidate, f.CandidateInstanceID, f.CandidateOffset = choice.Name, choice.InstanceID, &offset
	if end := endOfFenced(obs, f); end != nil {
		f.FromOffset, f.FromOffsetLimit = end, end
	}
	if !choice.Standing.Eligible() {
		f.FromOffsetLimit = nil // offsets of another history say nothing
	}
	if !fenced.IsZero() {
		f.Steps.FencedMillis = millisSince(f.StartedAt.Time, fenced)
	}
	f.Steps.LeaseEndedMillis = millisSince(f.StartedAt.Time, now)
	f.Steps.CommittedMillis = f.Steps.LeaseEndedMillis
	return next
}

// endOfFenced is the last offset of an old primary that has been fenced alive; nil
// when it was not.
func endOfFenced(obs Observation, f *v1alpha1.FailoverProgress) *int64 {
	m, ok := obs.Member(f.From)
	if !ok || !fencedAt(m, uint64(f.Epoch)) || m.View.Status.BootID != f.FromBootID {
		return nil
	}
	return m.View.Status.Offset
}

// Completed is the cluster after its primary has taken the role on: with the
// history that it has begun, and the report of the change.
func Completed(c *v1alpha1.LockstepCluster, obs Observation, promoted, routed, now time.Time) *v1alpha1.LockstepCluster {
	next := c.DeepCopy()
	st := &next.Status
	if m, ok := obs.Member(st.Primary); ok && m.View.Status != nil {
		st.ReplicationID = m.View.Status.History.ReplicationID
	}
	f := st.Failover
	if f == nil {
		return next
	}
	// An operator that took over in the middle did not see it happen.
	if promoted.IsZero() {
		promoted = now
	}
	if routed.IsZero() {
		routed = now
	}
	f.Steps.PromotedMillis = millisSince(f.StartedAt.Time, promoted)
	f.Steps.RoutedMillis = millisSince(f.StartedAt.Time, routed)
	report := &v1alpha1.FailoverReport{
		Epoch: f.Epoch, From: f.From, To: f.Candidate, Reason: f.Reason,
		StartedAt: f.StartedAt, CompletedAt: metav1.NewMicroTime(later(promoted, routed)), Steps: f.Steps,
	}
	report.BytesLost, report.BytesLostExplanation = bytesLost(f)
	st.LastFailover, st.Failover = report, nil
	return next
}

// bytesLost is an upper bound of what the old primary had and the new one has not.
func bytesLost(f *v1alpha1.FailoverProgress) (*int64, string) {
	switch {
	case f.From == "":
		return nil, "there was no primary before"
	case f.FromOffset == nil:
		return nil, fmt.Sprintf("the operator did not know how far %s had come", f.From)
	case f.FromOffsetLimit == nil:
		return nil, fmt.Sprintf("%s was last heard at byte %d; how much it wrote after that is not known", f.From, *f.FromOffset)
	}
	lost := max(0, *f.FromOffsetLimit-*f.CandidateOffset)
	if *f.FromOffsetLimit == *f.FromOffset {
		return &lost, fmt.Sprintf("%s had ended its writes at byte %d; %s took over at byte %d", f.From, *f.FromOffset, f.Candidate, *f.CandidateOffset)
	}
	return &lost, fmt.Sprintf("%s was last heard at byte %d and can have reached %d at twice its write rate; %s took over at byte %d",
		f.From, *f.FromOffset, *f.FromOffsetLimit, f.Candidate, *f.CandidateOffset)
}

func millisSince(start, end time.Time) *int64 {
	ms := max(0, end.Sub(start).Milliseconds())
	return &ms
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
