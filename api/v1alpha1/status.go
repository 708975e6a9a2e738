package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LockstepClusterStatus is what the operator has decided and what it has seen.
// Only the operator writes it.
type LockstepClusterStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase sums the conditions up in one word, for people. It is derived at
	// every reconcile and never read back.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// epoch is the highest epoch that was decided for this cluster. It only
	// grows; 0 means that there has been no election yet. A decision.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Epoch int64 `json:"epoch,omitempty"`

	// primary is the name of the instance that was committed as the primary of
	// the epoch; empty while an election is under way. A decision.
	// +optional
	Primary string `json:"primary,omitempty"`

	// primaryInstanceID is the identity of the primary's data directory. An
	// instance of the same name with another ID (because its volume was lost)
	// is not the primary. A decision.
	// +optional
	PrimaryInstanceID string `json:"primaryInstanceID,omitempty"`

	// primaryBootID is the process that was committed. When another one answers
	// from the same data directory, the committed one has ended, and with it the
	// role. A decision.
	// +optional
	PrimaryBootID string `json:"primaryBootID,omitempty"`

	// previousReplicationID is the history that the primary has taken over, up to
	// and with byte number previousValidThrough. An instance that has not yet
	// learned the primary's own history may take over if its data is of this one
	// and ends no later. A decision.
	// +optional
	PreviousReplicationID string `json:"previousReplicationID,omitempty"`
	// previousValidThrough is where the primary took over, in bytes of the stream.
	// +optional
	PreviousValidThrough *int64 `json:"previousValidThrough,omitempty"`

	// voters are the names of the instances whose majority keeps the primary's
	// lease alive and revokes it. It changes by one instance at a time. The
	// primary is told of an addition before it is stored here, and of a removal
	// after: so this list is never the longer one, and a majority that is
	// reckoned from it is never too large. A decision.
	// +listType=set
	// +kubebuilder:validation:MaxItems=9
	// +optional
	Voters []string `json:"voters,omitempty"`

	// failover is the change of primary under way; absent when there is none.
	// An operator that starts anew continues from it. A decision.
	// +optional
	Failover *FailoverProgress `json:"failover,omitempty"`

	// lastFailover reports the last completed change of primary.
	// +optional
	LastFailover *FailoverReport `json:"lastFailover,omitempty"`

	// replicationID is the replication ID of the primary, 40 hex digits; empty
	// from the commitment of a primary until it has begun its own history.
	// Replicas are told of the primary after it is stored. A decision.
	// +optional
	ReplicationID string `json:"replicationID,omitempty"`

	// instances is the number of instances that exist.
	// +optional
	Instances int32 `json:"instances"`

	// readyInstances is the number of instances that serve clients: the primary,
	// and replicas that are loaded, linked to it and not too far behind.
	// +optional
	ReadyInstances int32 `json:"readyInstances"`

	// selector selects the cluster's pods, in the form that the scale
	// sub-resource asks for.
	// +optional
	Selector string `json:"selector,omitempty"`

	// lagBytes is how many bytes the furthest behind of the replicas has not yet
	// acknowledged. Absent while it is not known. Refreshed sparingly.
	// +optional
	LagBytes *int64 `json:"lagBytes,omitempty"`

	// window is how long a replica may be away and still re-synchronise
	// partially, at the present write rate ("4m10s"; "unlimited" when nothing is
	// being written). Absent while it is not known. Refreshed sparingly.
	// +optional
	Window string `json:"window,omitempty"`

	// version of the server that the primary runs.
	// +optional
	Version string `json:"version,omitempty"`

	// members are the instances as they were last seen, ordered by name.
	// +listType=map
	// +listMapKey=name
	// +optional
	Members []Member `json:"members,omitempty"`

	// conditions tell what is well, what is not, and what to do about it.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Phase is the display word for a cluster's state.
type Phase string

const (
	PhaseCreating    Phase = "Creating"    // no primary yet
	PhaseHealthy     Phase = "Healthy"     // Ready is true
	PhaseDegraded    Phase = "Degraded"    // the primary takes writes, an instance is missing
	PhaseFailingOver Phase = "FailingOver" // an election or a promotion is under way
	PhaseUnavailable Phase = "Unavailable" // no primary takes writes, and no election can run
	PhaseUpdating    Phase = "Updating"    // pods are being replaced, or their number changed
	PhaseStalled     Phase = "Stalled"     // somebody has to act
	PhaseDeleting    Phase = "Deleting"
)

// Member is one instance as the operator last saw it.
type Member struct {
	// name of the instance and of its pod.
	Name string `json:"name"`
	// role that the instance itself reports; Unknown when it can not be reached.
	Role MemberRole `json:"role"`
	// state of the instance, in one word.
	State MemberState `json:"state"`
	// node that its pod runs on.
	// +optional
	Node string `json:"node,omitempty"`
	// instanceID is the identity of its data directory, 40 hex digits.
	// +optional
	InstanceID string `json:"instanceID,omitempty"`
	// epoch is the highest epoch that the instance has stored. Absent while it
	// is not known.
	// +optional
	Epoch *int64 `json:"epoch,omitempty"`
	// replicationID is the history that its data belongs to.
	// +optional
	ReplicationID string `json:"replicationID,omitempty"`
	// offset is its replication offset in bytes. Absent while it is not known.
	// Refreshed sparingly.
	// +optional
	Offset *int64 `json:"offset,omitempty"`
	// lagBytes is how far it is behind the primary, in bytes. Absent on the
	// primary, and while it is not known. Refreshed sparingly.
	// +optional
	LagBytes *int64 `json:"lagBytes,omitempty"`
	// window is the time from which this instance could serve a partial
	// re-synchronisation, at the present write rate. Absent while it is not
	// known. Refreshed sparingly.
	// +optional
	Window string `json:"window,omitempty"`
	// message says what is wrong with the instance; absent when nothing is.
	// +optional
	Message string `json:"message,omitempty"`
}

// MemberRole is the role that an instance reports.
type MemberRole string

const (
	MemberPrimary    MemberRole = "Primary"
	MemberReplica    MemberRole = "Replica"
	MemberUnassigned MemberRole = "Unassigned"
	MemberUnknown    MemberRole = "Unknown"
)

// MemberState is the state of an instance, in one word.
type MemberState string

const (
	MemberReady       MemberState = "Ready"       // serves its role
	MemberPending     MemberState = "Pending"     // its pod does not run yet
	MemberStarting    MemberState = "Starting"    // its process runs and does not answer yet
	MemberLoading     MemberState = "Loading"     // reads its data set from disk
	MemberWaiting     MemberState = "Waiting"     // waits to be given a role
	MemberConnecting  MemberState = "Connecting"  // a replica that looks for its primary
	MemberSyncing     MemberState = "Syncing"     // a full re-synchronisation is under way
	MemberFenced      MemberState = "Fenced"      // knows of an epoch newer than its role
	MemberBusy        MemberState = "Busy"        // alive, and does not turn
	MemberUnreachable MemberState = "Unreachable" // runs, and can not be reached
	MemberFailed      MemberState = "Failed"      // its process ends again and again
	MemberTerminating MemberState = "Terminating"
	MemberMissing     MemberState = "Missing" // has no pod
)

// FailoverPhase is how far a change of primary has come.
type FailoverPhase string

const (
	// FailoverElecting: the epoch is taken; instances are being fenced and
	// compared. No candidate is committed.
	FailoverElecting FailoverPhase = "Electing"
	// FailoverPromoting: the candidate is committed as the epoch's only
	// primary. All that is left is to tell it, the others and the services.
	FailoverPromoting FailoverPhase = "Promoting"
)

// FailoverReason says why the primary was changed.
type FailoverReason string

const (
	FailoverBootstrap          FailoverReason = "Bootstrap"          // the cluster has never had a primary
	FailoverPrimaryUnreachable FailoverReason = "PrimaryUnreachable" // neither the operator nor a replica hears it
	FailoverPrimaryTerminated  FailoverReason = "PrimaryTerminated"  // its process has ended
	FailoverPrimaryRestarted   FailoverReason = "PrimaryRestarted"   // it came back without a role
	FailoverPrimaryBusy        FailoverReason = "PrimaryBusy"        // it did not turn for longer than busyTimeout
	FailoverPodDeleted         FailoverReason = "PodDeleted"
	FailoverNodeLost           FailoverReason = "NodeLost"
	FailoverSwitchover         FailoverReason = "Switchover" // a user asked for it
	FailoverRollingUpdate      FailoverReason = "RollingUpdate"
	FailoverScaleDown          FailoverReason = "ScaleDown"
	FailoverNodeDrain          FailoverReason = "NodeDrain"
	FailoverEpochConflict      FailoverReason = "EpochConflict" // an instance obeys an epoch that the status does not know, as after a restore
)

// FailoverProgress is a change of primary under way. It holds all that an
// operator needs which starts anew in the middle of it.
type FailoverProgress struct {
	// epoch that the change takes place in; equal to status.epoch.
	// +kubebuilder:validation:Minimum=1
	Epoch int64 `json:"epoch"`
	// phase is how far it has come.
	Phase FailoverPhase `json:"phase"`
	// reason of the change.
	Reason FailoverReason `json:"reason"`
	// from is the name of the old primary; empty at a bootstrap.
	// +optional
	From string `json:"from,omitempty"`
	// fromInstanceID is the identity of the old primary.
	// +optional
	FromInstanceID string `json:"fromInstanceID,omitempty"`
	// fromBootID is the process that was the old primary.
	// +optional
	FromBootID string `json:"fromBootID,omitempty"`
	// fromReplicationID is the history that a candidate must share.
	// +optional
	FromReplicationID string `json:"fromReplicationID,omitempty"`
	// fromOffset is the highest offset of the old primary that the operator
	// knew of, in bytes. Absent when it knew none.
	// +optional
	FromOffset *int64 `json:"fromOffset,omitempty"`
	// fromOffsetLimit is an upper bound of the offset that the old primary can have
	// reached, in bytes: fromOffset and what it can have written since. Absent
	// when its write rate was not known.
	// +optional
	FromOffsetLimit *int64 `json:"fromOffsetLimit,omitempty"`
	// lostBefore is an upper bound of what was lost by changes of primary that were
	// under way when this one began, in bytes. Absent when there was none.
	// +optional
	LostBefore *int64 `json:"lostBefore,omitempty"`
	// lostBeforeUnknown: something was lost by them, and no bound is known.
	// +optional
	LostBeforeUnknown bool `json:"lostBeforeUnknown,omitempty"`
	// fromEpoch is the epoch in which the old primary was committed.
	// +optional
	FromEpoch int64 `json:"fromEpoch,omitempty"`
	// target is the instance that a planned change wants as the new primary.
	// +optional
	Target string `json:"target,omitempty"`
	// candidate is the name of the new primary, once it is committed.
	// +optional
	Candidate string `json:"candidate,omitempty"`
	// candidateInstanceID is the identity of the new primary.
	// +optional
	CandidateInstanceID string `json:"candidateInstanceID,omitempty"`
	// candidateOffset is the candidate's offset when it was chosen, in bytes.
	// +optional
	CandidateOffset *int64 `json:"candidateOffset,omitempty"`
	// startedAt is when the old primary became suspect, or when the planned
	// change began.
	StartedAt metav1.MicroTime `json:"startedAt"`
	// steps are the times at which steps were completed.
	// +optional
	Steps FailoverSteps `json:"steps,omitzero"`
}

// FailoverSteps holds, for each step of a change of primary, how many
// milliseconds after startedAt it was complete. A step that has not been
// completed is absent.
type FailoverSteps struct {
	// confirmedMillis: the loss was confirmed by the primary's silence and by its replicas.
	// +optional
	ConfirmedMillis *int64 `json:"confirmedMillis,omitempty"`
	// electedMillis: the new epoch was stored in the status.
	// +optional
	ElectedMillis *int64 `json:"electedMillis,omitempty"`
	// fencedMillis: enough instances were fenced.
	// +optional
	FencedMillis *int64 `json:"fencedMillis,omitempty"`
	// leaseEndedMillis: the old primary's lease had run out, or was void.
	// +optional
	LeaseEndedMillis *int64 `json:"leaseEndedMillis,omitempty"`
	// committedMillis: the new primary was stored in the status.
	// +optional
	CommittedMillis *int64 `json:"committedMillis,omitempty"`
	// promotedMillis: the new primary takes writes.
	// +optional
	PromotedMillis *int64 `json:"promotedMillis,omitempty"`
	// routedMillis: the service of the primary points at it.
	// +optional
	RoutedMillis *int64 `json:"routedMillis,omitempty"`
}

// FailoverReport is a completed change of primary.
type FailoverReport struct {
	// epoch that the change took place in.
	Epoch int64 `json:"epoch"`
	// from is the name of the old primary; empty at a bootstrap.
	// +optional
	From string `json:"from,omitempty"`
	// to is the name of the new primary.
	To string `json:"to"`
	// reason of the change.
	Reason FailoverReason `json:"reason"`
	// startedAt is when the old primary became suspect, or when the planned
	// change began.
	StartedAt metav1.MicroTime `json:"startedAt"`
	// completedAt is when the service pointed at the new primary, which took writes.
	CompletedAt metav1.MicroTime `json:"completedAt"`
	// steps are the times at which steps were completed.
	// +optional
	Steps FailoverSteps `json:"steps,omitzero"`
	// bytesLost is an upper bound of the bytes of the replication stream that
	// the old primary had produced and the new one does not hold. Absent when
	// no bound is known, which is not the same as none lost.
	// +optional
	BytesLost *int64 `json:"bytesLost,omitempty"`
	// bytesLostExplanation says how the bound was obtained, or why there is none.
	// +optional
	BytesLostExplanation string `json:"bytesLostExplanation,omitempty"`
}
