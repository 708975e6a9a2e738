package controllers

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Observation is everything that one decision may look at besides the cluster's
// spec and its earlier decisions. Times are on the operator's own clock and carry
// its monotonic reading; instances tell only how long ago something was.
type Observation struct {
	// Members are the instances that exist, vote or are wanted, in the order of
	// their ordinals.
	Members []Member
	Self    Self
	// Handover is the last planned move that came to nothing; nil when there was
	// none in the present epoch.
	Handover *FailedHandover
	// Yielded is the planned move for which the primary has handed over; nil when
	// this operator has not asked for one in the present epoch.
	Yielded *PlannedMove
}

// PlannedMove is a change of primary that somebody has asked for.
type PlannedMove struct {
	Epoch  uint64 // of the primary that hands over
	Target string // empty while nobody can take over
	Reason v1alpha1.FailoverReason
	Since  time.Time // when it began
}

// Self is what the operator knows of itself.
type Self struct {
	// OthersUntil is the moment up to which another operator, that led before
	// this one, may have granted leases.
	OthersUntil time.Time
	// GrantedFrom is when the newest status was received on which this operator
	// has based a grant to the present primary; zero when it has granted none.
	GrantedFrom time.Time
}

// FailedHandover is a planned move that was refused by the primary or ran out of
// time. Nothing has changed by it.
type FailedHandover struct {
	At       time.Time
	Target   string
	Failures int // in a row
	Err      error
}

// Member is one instance: what is wanted of it and what is known of it.
type Member struct {
	Name    string // "demo-2"; also the name of its pod
	Ordinal int
	Wanted  bool // below spec.instances
	Voter   bool // in status.voters
	Pod     Pod
	Claim   ClaimState
	View    View
}

// PodState is what is known of an instance's pod.
type PodState string

const (
	PodUnknown PodState = ""        // could not be observed
	PodMissing PodState = "Missing" // the API server holds none. Its process may still run: a pod can be deleted by force.
	PodPending PodState = "Pending" // none of its containers has ever run
	PodRunning PodState = "Running" // its container runs, or has run and will again
	PodEnded   PodState = "Ended"   // failed or succeeded, for good
)

// Pod is what the API server tells of an instance's pod.
type Pod struct {
	State    PodState
	UID      string
	IP       string // empty until it has one
	Node     string // empty until it is scheduled
	NodeLost bool   // the API server says that the node is not ready
	// NodeCordoned: the node takes no new pods, as when it is being drained.
	NodeCordoned bool
	Deleting     bool // asked to end
	Outdated     bool // differs from what the spec asks for in a way that needs a new pod
	// EndedContainers are the IDs of containers of this pod that the kubelet has
	// reported as terminated.
	EndedContainers []string
	// Trouble is why the container does not start, such as "ImagePullBackOff: ...";
	// empty when nothing is known to be wrong.
	Trouble       string
	Unschedulable string // why no node is found; empty when that is not so
}

// ClaimState is what is known of an instance's volume.
type ClaimState string

const (
	ClaimUnknown   ClaimState = ""          // could not be observed
	ClaimEphemeral ClaimState = "Ephemeral" // the data lives and dies with the pod
	ClaimMissing   ClaimState = "Missing"   // there is no claim, hence no data
	ClaimUnbound   ClaimState = "Unbound"   // it has never had a volume, hence no data
	ClaimBound     ClaimState = "Bound"     // there is a volume; only the instance knows what is on it
	ClaimLost      ClaimState = "Lost"      // its volume is gone
)

// View is what the operator has heard of one instance, and how.
type View struct {
	// Status is the last one received; nil when none was since this operator
	// process has started.
	Status *instance.Status
	// HeardAt is when Status had arrived: it was made no later than that.
	HeardAt time.Time
	// MadeAfter is a moment after which Status was made, on the operator's clock:
	// when it was asked for, or a little before it arrived on the stream.
	MadeAfter time.Time
	// BootHeardAt is when the first status of Status.BootID arrived.
	BootHeardAt time.Time
	// PeakRate is the fastest growth of the offset that was seen between two
	// statuses of this boot, in bytes a second; nil before there were two.
	PeakRate *float64
	// LastBoot is the last status of the process before Status.BootID; nil when
	// none was heard.
	LastBoot          *instance.Status
	LastBootMadeAfter time.Time
	LastBootPeakRate  *float64
	// TryingSince is when the operator began to talk to the instance at its
	// present address; zero when it has none.
	TryingSince time.Time
	// LostAt is when the stream of statuses broke; zero while it is open or has
	// never been.
	LostAt time.Time
	// Severed: the stream that carried Status was closed by the instance's
	// kernel, and no status has arrived since. Cutting a network does not do that.
	Severed bool
	// Failure says how the last attempt to talk to it ended; empty when it is
	// well.
	Failure instance.Failure
	// Container is the ID of the container in which the process Status.BootID
	// was seen to run; empty when that is not known.
	Container string
	Probe     Probe
	// FenceTriedAt is when the last fencing in the present epoch was tried; zero
	// when none was.
	FenceTriedAt time.Time
	// LinkDown is the last word of this boot that its link to a primary had broken.
	// A replica that is fenced drops its link and does not tell any more what
	// had become of it.
	LinkDown LinkDown
	// Followed is the last order to follow that this boot has accepted; nil when
	// none is known.
	Followed *instance.FollowRequest
}

// LinkDown is a replica's word that its link to a primary has broken.
type LinkDown struct {
	Address string    // that the link led to
	HeardAt time.Time // when a status had last said so; zero when none has since the link was up
}

// notePeak takes in how fast the offset has grown since the last status of the same
// boot. Statuses that came close together say little.
func (v *View) notePeak(st *instance.Status, at time.Time) {
	old := v.Status
	if old == nil || old.BootID != st.BootID || old.Offset == nil || st.Offset == nil {
		return
	}
	apart := at.Sub(v.HeardAt)
	if apart < 20*time.Millisecond || *st.Offset < *old.Offset {
		return
	}
	rate := float64(*st.Offset-*old.Offset) / apart.Seconds()
	if v.PeakRate == nil || rate > *v.PeakRate {
		v.PeakRate = &rate
	}
}

// NoteLink takes in what a status says of the link to the primary.
func (v *View) NoteLink(st *instance.Status, at time.Time) {
	switch u := st.Upstream; {
	case u == nil || u.State == instance.LinkNone:
		// No link is wanted any more. What became of the last one stays known.
	case u.State == instance.LinkConnected:
		v.LinkDown = LinkDown{}
	case u.DownMillis != nil:
		v.LinkDown = LinkDown{Address: u.Address, HeardAt: at}
	}
}

// Probe is the outcome of asking a suspect once more: new connections to the port
// of its instance API and to the one of its clients.
type Probe struct {
	At     time.Time // when it had ended; zero when there was none
	API    instance.Failure
	Client instance.Failure
}

// Heard reports whether the instance is in touch: something was heard within
// silence, and the stream has not broken since.
func (v View) Heard(now time.Time, silence time.Duration) bool {
	return v.Status != nil && (v.LostAt.IsZero() || v.LostAt.Before(v.HeardAt)) && now.Sub(v.HeardAt) < silence
}

// SilentSince is the moment after which nothing was heard. It is never earlier
// than when the operator began to listen, so that a new operator does not take its
// own start for a silence of the instance.
func (v View) SilentSince() time.Time {
	if v.HeardAt.After(v.TryingSince) {
		return v.HeardAt
	}
	return v.TryingSince
}

// Member finds one by its name.
func (o Observation) Member(name string) (Member, bool) {
	for _, m := range o.Members {
		if m.Name == name && name != "" {
			return m, true
		}
	}
	return Member{}, false
}
