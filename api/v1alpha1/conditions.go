package v1alpha1

// Condition types of a LockstepCluster. Ready, Reconciling and Stalled follow
// the conventions of kstatus; the others tell one thing each. Every condition
// carries the observedGeneration that it speaks of.
const (
	// ConditionReady: the primary takes writes and every instance is ready.
	ConditionReady = "Ready"
	// ConditionReconciling: the cluster is on its way to what the spec asks for.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: the operator can not proceed until somebody acts; the
	// message says who and how.
	ConditionStalled = "Stalled"
	// ConditionPrimaryAvailable: a primary of the present epoch takes writes.
	ConditionPrimaryAvailable = "PrimaryAvailable"
	// ConditionReplicationHealthy: every replica follows the primary.
	ConditionReplicationHealthy = "ReplicationHealthy"
	// ConditionBacklogSufficient: the backlog window is at least
	// spec.replication.backlog.minWindow at the present write rate.
	ConditionBacklogSufficient = "BacklogSufficient"
	// ConditionFailoverInProgress: an election or a promotion is under way.
	ConditionFailoverInProgress = "FailoverInProgress"
	// ConditionRollingUpdate: pods are being replaced, replicas first.
	ConditionRollingUpdate = "RollingUpdate"
	// ConditionStorageReady: every instance has its volume, of the size asked for.
	ConditionStorageReady = "StorageReady"
)

// Reasons of the conditions. They are stable: scripts may match them.
const (
	// Ready
	ReasonAllInstancesReady = "AllInstancesReady"
	ReasonInstancesNotReady = "InstancesNotReady"
	ReasonNoPrimary         = "NoPrimary"
	ReasonCreating          = "Creating"
	ReasonDeleting          = "Deleting"

	// Reconciling, Stalled
	ReasonUpToDate            = "UpToDate"
	ReasonScaling             = "Scaling"
	ReasonUpdating            = "Updating"
	ReasonProgressing         = "Progressing"
	ReasonNotStalled          = "NotStalled"
	ReasonPodsCanNotStart     = "PodsCanNotStart"
	ReasonPodsUnschedulable   = "PodsUnschedulable"
	ReasonFailoverRefused     = "FailoverRefused"
	ReasonObjectNotOwned      = "ObjectNotOwned"
	ReasonObjectRefused       = "ObjectRefused"
	ReasonCertificatesInvalid = "CertificatesInvalid"

	// PrimaryAvailable
	ReasonPrimaryTakesWrites   = "PrimaryTakesWrites"
	ReasonPrimaryBusy          = "PrimaryBusy"
	ReasonPrimaryUnreachable   = "PrimaryUnreachable"
	ReasonPrimaryRefusesWrites = "PrimaryRefusesWrites"
	ReasonElectionInProgress   = "ElectionInProgress"
	ReasonWaitingForInstances  = "WaitingForInstances"

	// ReplicationHealthy
	ReasonAllReplicasConnected  = "AllReplicasConnected"
	ReasonReplicaDisconnected   = "ReplicaDisconnected"
	ReasonReplicaResyncing      = "ReplicaResynchronising"
	ReasonReplicaOutsideWindow  = "ReplicaOutsideWindow"
	ReasonReplicationNotStarted = "ReplicationNotStarted"
	ReasonNoReplicas            = "NoReplicas"

	// BacklogSufficient
	ReasonWindowSufficient = "WindowSufficient"
	ReasonWindowTooShort   = "WindowTooShort"
	ReasonWindowUnknown    = "WindowUnknown"

	// FailoverInProgress
	ReasonNoFailover        = "NoFailover"
	ReasonElecting          = "Electing"
	ReasonPromoting         = "Promoting"
	ReasonSwitchingOver     = "SwitchingOver"
	ReasonSwitchoverWaiting = "SwitchoverWaiting"
	ReasonFailoverDisabled  = "AutomaticFailoverDisabled"
	ReasonNoMajority        = "NoMajority"
	ReasonNoCandidate       = "NoCandidate"

	// RollingUpdate
	ReasonNoUpdate         = "NoUpdate"
	ReasonReplacingPods    = "ReplacingPods"
	ReasonUpdateWaiting    = "WaitingForReplica"
	ReasonUpdateInProgress = "UpdateInProgress"

	// StorageReady
	ReasonVolumesBound     = "VolumesBound"
	ReasonVolumesPending   = "VolumesPending"
	ReasonVolumesResizing  = "VolumesResizing"
	ReasonEphemeralStorage = "EphemeralStorage"
)
