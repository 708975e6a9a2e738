package controllers

import (
	"fmt"
	"math"
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
	f.FromOffset, f.FromOffsetLimit = produced(s.primary.View, st.PrimaryBootID, uint64(st.Epoch), now.Add(s.leaseBound()))
	if probe := s.primary.View.Probe.At; probe.After(step.Since) {
		f.Steps.ConfirmedMillis = millisSince(step.Since, probe)
	}
	f.Steps.ElectedMillis = millisSince(step.Since, now)
	carryLoss(st.Failover, f)
	st.Epoch, st.Failover = int64(step.Epoch), f
	st.Primary, st.PrimaryInstanceID, st.PrimaryBootID = "", "", ""
	return next
}

// carryLoss takes over what was lost by a change that did not come to an end: the
// primary that it had committed is now itself replaced, and nobody else will report
// it.
func carryLoss(unfinished, f *v1alpha1.FailoverProgress) {
	if unfinished == nil || unfinished.From == "" {
		return
	}
	lost, _ := bytesLost(unfinished)
	f.LostBefore, f.LostBeforeUnknown = lost, lost == nil
}

// burst is by how much a primary may have written faster than on average while
// nobody was watching.
const burst = 2

// produced is how far a process is known to have come as the primary of an epoch, and
// how far it can have come by the moment after which it took no more writes. Both
// are nil when not known.
func produced(v View, bootID string, epoch uint64, stopped time.Time) (known, limit *int64) {
	known = knownOffset(v, bootID)
	last, madeAfter, peak := v.Status, v.MadeAfter, v.PeakRate
	switch {
	case known == nil:
		return nil, nil
	case last.BootID != bootID:
		// Another process has taken its place, and it ended before that.
		last, madeAfter, peak, stopped = v.LastBoot, v.LastBootMadeAfter, v.LastBootPeakRate, v.BootHeardAt
	case v.Severed:
		stopped = v.LostAt
	}
	if last.Role == instance.RolePrimary && last.RoleEpoch == epoch && last.Writes == instance.WritesFenced {
		return known, known // it wrote nothing after that
	}
	rate, measured := fastest(last.Window.WriteBytesPerSecond, peak)
	if !measured {
		return known, nil
	}
	most := *known + int64(math.Ceil(rate*max(0, stopped.Sub(madeAfter).Seconds())))
	return known, &most
}

// fastest is how many bytes a second a primary may have written: the most that was
// seen, or a multiple of its average, whichever is more.
func fastest(average, peak *float64) (rate float64, measured bool) {
	if average != nil {
		rate = burst * *average
	}
	if peak != nil {
		rate = max(rate, *peak)
	}
	return rate, average != nil || peak != nil
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
	// How far the old primary came is reckoned anew: by now its lease has ended,
	// however long that took. An operator that has not heard it does not know.
	old, _ := obs.Member(f.From)
	known, limit := produced(old.View, f.FromBootID, uint64(f.FromEpoch), now)
	if known != nil {
		f.FromOffset = known
	}
	f.FromOffsetLimit = limit
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

// bytesLost is an upper bound of what the old primary had and the new one has not,
// and how it was obtained; nil when there is none.
func bytesLost(f *v1alpha1.FailoverProgress) (*int64, string) {
	switch {
	case f.From == "":
		return nil, "there was no primary before"
	case f.LostBeforeUnknown:
		return nil, "a change of primary that was under way before did not come to an end, and what it lost is not known"
	case f.FromOffset == nil:
		return nil, fmt.Sprintf("the operator did not know how far %s had come", f.From)
	case f.FromOffsetLimit == nil:
		return nil, fmt.Sprintf("%s was last heard at byte %d; how much it wrote after that is not known", f.From, *f.FromOffset)
	}
	lost := max(0, *f.FromOffsetLimit-*f.CandidateOffset)
	words := fmt.Sprintf("%s was last heard at byte %d", f.From, *f.FromOffset)
	if *f.FromOffsetLimit != *f.FromOffset {
		words += fmt.Sprintf(" and can have reached %d at its highest write rate", *f.FromOffsetLimit)
	}
	words += fmt.Sprintf("; %s took over at byte %d", f.Candidate, *f.CandidateOffset)
	if f.LostBefore != nil {
		lost += *f.LostBefore
		words += fmt.Sprintf("; a change of primary that did not come to an end lost %d before", *f.LostBefore)
	}
	return &lost, words
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
