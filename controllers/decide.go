package controllers

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

// Decision is what to do now. Everything in it may be done at once and in any
// order, except that Step comes first: when it changes something, the rest is
// decided anew.
type Decision struct {
	// Step is the next one of what concerns the primary.
	Step Step
	// Follow are orders to instances to become replicas of the primary.
	Follow []FollowOrder
	// Withheld are instances that wait for their turn to take a full copy.
	Withheld []string
	// Resize are instances whose window is not of the size that the spec asks for.
	Resize []string
	// Terms, when set, are the lease's new terms to tell the primary.
	Terms *Terms
	// Voters, when set, is the new list to store.
	Voters []string
	// Lease says whose lease to renew; nil: nobody's.
	Lease *LeaseAssignment
	// CreatePods are the names of instances that need a pod.
	CreatePods []string
	// DeletePod, when set, is the one pod to delete.
	DeletePod *PodDeletion
	// DropSwitchover, when set, removes the user's wish for a switchover: it is
	// done or refused, and this says why.
	DropSwitchover *SwitchoverAnswer
	// Wake is when to decide again if nothing happens before; zero: no need.
	Wake time.Time
}

// Terms are what a lease is reckoned with.
type Terms struct {
	Members  int
	Duration time.Duration
}

// LeaseAssignment names the primary whose lease the operator renews.
type LeaseAssignment struct {
	Name   string
	BootID string
	Epoch  uint64
	Terms  Terms
}

// FollowOrder tells an instance to follow the primary.
type FollowOrder struct {
	Name    string
	Request instance.FollowRequest
	Full    bool // it will have to take a full copy
}

// PodDeletion names a pod that has to go, and why.
type PodDeletion struct {
	Name   string
	UID    string
	Reason DeletionReason
}

// DeletionReason says why a pod is deleted.
type DeletionReason string

const (
	DeleteOutdated DeletionReason = "Outdated" // the spec asks for another one
	DeleteSurplus  DeletionReason = "Surplus"  // the cluster was scaled down
	DeleteEnded    DeletionReason = "Ended"    // it has failed or succeeded and does not come back by itself
)

// SwitchoverAnswer ends a user's wish for a switchover.
type SwitchoverAnswer struct {
	Done    bool
	Message string
}

// situation is the input of one decision with what everybody asks of it.
type situation struct {
	cluster  *v1alpha1.LockstepCluster
	status   *v1alpha1.LockstepClusterStatus
	obs      Observation
	now      time.Time
	epoch    uint64
	silence  time.Duration // after which an instance is out of touch
	lease    time.Duration
	busy     time.Duration
	lineage  Lineage
	primary  Member // the committed one; zero when there is none
	assigned bool   // a primary is committed
}

func newSituation(c *v1alpha1.LockstepCluster, obs Observation, now time.Time) situation {
	f := c.Spec.Failover
	s := situation{
		cluster: c, status: &c.Status, obs: obs, now: now,
		epoch:   uint64(c.Status.Epoch),
		silence: f.DetectionTimeout.Duration,
		lease:   f.LeaseDuration.Duration,
		busy:    f.BusyTimeout.Duration,
		lineage: lineageOf(&c.Status),
	}
	s.primary, s.assigned = obs.Member(c.Status.Primary)
	return s
}

// lineageOf reads the history that a new primary must continue from the stored
// decisions.
func lineageOf(status *v1alpha1.LockstepClusterStatus) Lineage {
	l := Lineage{ID: status.ReplicationID, Previous: status.PreviousReplicationID, Primary: status.PrimaryInstanceID}
	if status.PreviousValidThrough != nil {
		l.PreviousThrough = *status.PreviousValidThrough
	}
	if f := status.Failover; f != nil && f.Phase == v1alpha1.FailoverElecting {
		l.Primary = f.FromInstanceID
	}
	return l
}

// Decide says what to do, given what is wanted, what was decided before and what
// is known now. It is a pure function.
func Decide(c *v1alpha1.LockstepCluster, obs Observation, now time.Time) Decision {
	s := newSituation(c, obs, now)
	d := Decision{Step: s.nextStep()}
	d.Wake = d.Step.Until
	if d.Step.Acts() {
		// What follows would be decided on a state that is about to change. Only
		// missing pods can not wait: without them there may be no candidate.
		d.CreatePods = s.missingPods()
		return d
	}
	d.Lease = s.leaseAssignment()
	s.planReplication(&d)
	s.planMembership(&d)
	return d
}

// acting reports whether the committed primary is in touch and holds the role of
// the present epoch, with its history stored.
func (s situation) acting() bool {
	v := s.primary.View
	return s.assigned && v.Heard(s.now, s.silence) && s.isPrimaryOfEpoch(v.Status) &&
		s.status.ReplicationID == v.Status.History.ReplicationID
}

// isPrimaryOfEpoch reports whether a status is that of the process that was
// committed, with the role that was committed.
func (s situation) isPrimaryOfEpoch(st *instance.Status) bool {
	return st.InstanceID == s.status.PrimaryInstanceID && st.BootID == s.status.PrimaryBootID &&
		st.Role == instance.RolePrimary && st.RoleEpoch == s.epoch && st.Epoch == s.epoch
}

// leaseAssignment says whose lease to renew: that of the acting primary, also
// while it is merely suspected. A renewal needs a newer status of it each time, so
// one that is silent gets none.
func (s situation) leaseAssignment() *LeaseAssignment {
	st := s.primary.View.Status
	if !s.assigned || st == nil || !s.isPrimaryOfEpoch(st) || st.Writes == instance.WritesFenced {
		return nil
	}
	return &LeaseAssignment{Name: s.primary.Name, BootID: st.BootID, Epoch: s.epoch, Terms: s.terms()}
}

// clientAddress is where an instance serves clients and replicas.
func clientAddress(m Member) string { return clientEndpoint(m).Address() }

func clientEndpoint(m Member) instance.Endpoint {
	return instance.Endpoint{Host: m.Pod.IP, Port: desired.ClientPort}
}
