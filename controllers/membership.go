package controllers

import (
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// terms are those that the acting primary's lease should have.
//
// The stored list of voters must never be longer than what the primary reckons
// with: an election that believes in a majority of 3 while the primary is content
// with 2 could end while the primary still has its lease. So an addition is told
// to the primary before it is stored, and a removal is stored before it is told.
func (s situation) terms() Terms {
	members := max(1, len(s.status.Voters))
	if s.newVoter() != "" {
		members++
	}
	return Terms{Members: members, Duration: s.lease}
}

// newVoter is the next instance to join the voters: one that is wanted and linked,
// so that it can do its part at once.
func (s situation) newVoter() string {
	if s.status.Failover != nil || !s.acting() {
		return ""
	}
	for _, m := range s.obs.Members {
		if m.Wanted && !m.Voter && s.linked(m) && m.View.Status.Offset != nil {
			return m.Name
		}
	}
	return ""
}

// surplusVoter is the next instance to leave the voters.
func (s situation) surplusVoter() string {
	for _, m := range slices.Backward(s.obs.Members) {
		if m.Voter && !m.Wanted && m.Name != s.status.Primary {
			return m.Name
		}
	}
	return ""
}

// planVoters changes the voters by one instance at a time.
func (s situation) planVoters(d *Decision) {
	lease := s.primary.View.Status.Lease
	if lease == nil {
		return
	}
	if name := s.surplusVoter(); name != "" {
		d.Voters = slices.DeleteFunc(slices.Clone(s.status.Voters), func(v string) bool { return v == name })
		return
	}
	want := s.terms()
	if lease.Members != want.Members || lease.DurationMillis != want.Duration.Milliseconds() {
		d.Terms = &want
		return
	}
	if name := s.newVoter(); name != "" {
		d.Voters = append(slices.Clone(s.status.Voters), name)
		slices.Sort(d.Voters)
	}
}

// planMembership says which pods have to be made and which one has to go.
func (s situation) planMembership(d *Decision) {
	d.CreatePods = s.missingPods()
	d.DropSwitchover = s.answerSwitchover()
	d.DeletePod = s.podToDelete()
}

func (s situation) missingPods() []string {
	var names []string
	for _, m := range s.obs.Members {
		if m.Wanted && m.Pod.State == PodMissing {
			names = append(names, m.Name)
		}
	}
	return names
}

// podToDelete is one at most, so that the effect of a deletion is seen before the
// next.
func (s situation) podToDelete() *PodDeletion {
	for _, m := range s.obs.Members {
		if m.Pod.State == PodEnded && !m.Pod.Deleting {
			return &PodDeletion{m.Name, m.Pod.UID, DeleteEnded}
		}
	}
	if name := s.surplusPod(); name != "" {
		m, _ := s.obs.Member(name)
		return &PodDeletion{m.Name, m.Pod.UID, DeleteSurplus}
	}
	return s.nextOutdated()
}

// surplusPod is the instance with the highest ordinal that is not wanted, once it
// votes no more and the primary knows. The primary itself is never it: it hands
// over first.
func (s situation) surplusPod() string {
	if !s.acting() || s.status.Failover != nil {
		return ""
	}
	lease := s.primary.View.Status.Lease
	if lease == nil || lease.Members > len(s.status.Voters) {
		return ""
	}
	for _, m := range slices.Backward(s.obs.Members) {
		switch {
		case m.Wanted || m.Pod.State == PodMissing || m.Pod.State == PodUnknown:
			continue
		case m.Voter || m.Name == s.status.Primary || m.Pod.Deleting:
			return ""
		}
		return m.Name
	}
	return ""
}

// plannedMove says whether the primary should move although it is well.
func (s situation) plannedMove() (PlannedMove, bool) {
	move := func(target string, reason v1alpha1.FailoverReason) PlannedMove {
		return PlannedMove{Epoch: s.epoch, Target: target, Reason: reason, Since: s.now}
	}
	switch pod := s.primary.Pod; {
	case pod.Deleting && pod.NodeCordoned:
		return move(s.bestTarget(), v1alpha1.FailoverNodeDrain), true
	case pod.Deleting:
		return move(s.bestTarget(), v1alpha1.FailoverPodDeleted), true
	case s.switchoverTarget() != "" && s.switchoverTarget() != s.status.Primary:
		m, _ := s.obs.Member(s.switchoverTarget())
		target := ""
		if s.canTakeOver(m) {
			target = m.Name
		}
		return move(target, v1alpha1.FailoverSwitchover), true
	case !s.primary.Wanted:
		return move(s.bestTarget(), v1alpha1.FailoverScaleDown), true
	case pod.Outdated && s.onlyPrimaryOutdated():
		return move(s.bestTarget(), v1alpha1.FailoverRollingUpdate), true
	}
	if s.primary.Pod.State == PodMissing {
		// Deleted by force: its server stops in order, and may be heard till then.
		return move("", v1alpha1.FailoverPodDeleted), false
	}
	return move("", v1alpha1.FailoverSwitchover), false
}

// bestTarget is the replica that needs the least to be complete.
func (s situation) bestTarget() string {
	var best Member
	for _, m := range s.obs.Members {
		if !s.canTakeOver(m) || !m.Wanted {
			continue
		}
		if best.Name == "" || *m.View.Status.Offset > *best.View.Status.Offset {
			best = m
		}
	}
	return best.Name
}

// catchUp is how many bytes a target may be behind when the primary pauses for it:
// a fraction of what a slow network carries in the 500 ms that a handover may
// take.
const catchUp = 4 << 20

// canTakeOver reports whether a handover to an instance can be expected to work.
func (s situation) canTakeOver(m Member) bool {
	lag := s.lagOf(m)
	return m.Name != s.status.Primary && !m.Pod.Deleting && s.linked(m) && lag != nil && *lag <= catchUp
}

// handover asks the primary to hand over, unless that has just failed.
func (s situation) handover(m PlannedMove) Step {
	if f := s.obs.Handover; f != nil && f.Target == m.Target && s.now.Sub(f.At) < handoverRetry {
		return Step{Kind: StepNone, Why: WhyActing, Until: f.At.Add(handoverRetry)}
	}
	return Step{Kind: StepHandover, Epoch: s.epoch, Reason: m.Reason, Target: m.Target, Since: m.Since}
}

func (s situation) switchoverTarget() string {
	return s.cluster.Annotations[v1alpha1.AnnotationSwitchover]
}

// answerSwitchover ends a user's wish that is fulfilled, or can not be.
func (s situation) answerSwitchover() *SwitchoverAnswer {
	name := s.switchoverTarget()
	if name == "" || !s.acting() || s.status.Failover != nil {
		return nil
	}
	m, known := s.obs.Member(name)
	switch f := s.obs.Handover; {
	case name == s.status.Primary:
		return &SwitchoverAnswer{Done: true, Message: name + " is the primary"}
	case !known || !m.Wanted:
		return &SwitchoverAnswer{Message: fmt.Sprintf("there is no instance %q; the instances are %v", name, s.wanted())}
	case f != nil && f.Target == name && f.Failures >= handoverAttempts:
		return &SwitchoverAnswer{Message: fmt.Sprintf("%s could not hand over to %s in %d attempts: %v", s.status.Primary, name, f.Failures, f.Err)}
	}
	return nil
}

// switchoverWaits says why a user's wish for a switchover is not fulfilled yet; empty
// when nothing is in its way, or when it is answered otherwise. It holds no number
// that grows by itself: it shows in a condition.
func (s situation) switchoverWaits() string {
	name := s.switchoverTarget()
	m, known := s.obs.Member(name)
	if !known || !m.Wanted || name == s.status.Primary || !s.acting() || s.status.Failover != nil || s.canTakeOver(m) {
		return ""
	}
	why := "is not ready"
	switch {
	case m.Pod.Deleting:
		why = "is being deleted"
	case s.ready(m):
		why = "is too far behind"
	}
	return fmt.Sprintf("the switchover waits for %s, which %s; remove the annotation %s to give it up",
		name, why, v1alpha1.AnnotationSwitchover)
}

// LeaseInterval is how often the operator renews: as often as replicas
// acknowledge, so that three renewals may be lost.
func (t Terms) LeaseInterval() time.Duration { return t.Duration / 4 }
