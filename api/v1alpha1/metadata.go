package v1alpha1

// Labels and annotations that the operator sets or reads. The standard
// app.kubernetes.io labels are set beside them.
const (
	// LabelCluster carries the cluster's name on every object that belongs to it.
	LabelCluster = "lockstep.dev/cluster"
	// LabelInstance carries the instance's name ("demo-2") on its pod and its
	// volume claim.
	LabelInstance = "lockstep.dev/instance"
	// LabelRole is "primary" or "replica" on the pods of assigned instances.
	// It is for people and for their selectors: the operator never reads it.
	LabelRole = "lockstep.dev/role"

	// AnnotationRevision on a pod is the hash of everything in it whose change
	// needs a new pod.
	AnnotationRevision = "lockstep.dev/revision"
	// AnnotationConfigHash on a pod is the hash of the configuration file that
	// it was started with.
	AnnotationConfigHash = "lockstep.dev/config-hash"

	// AnnotationSwitchover on a LockstepCluster asks for a planned move of the
	// primary to the instance that it names. The operator removes it when the
	// move is done or refused.
	AnnotationSwitchover = "lockstep.dev/switchover-to"

	// Finalizer keeps a LockstepCluster until its instances are stopped.
	Finalizer = "lockstep.dev/instances"
)

// Values of LabelRole.
const (
	RoleLabelPrimary = "primary"
	RoleLabelReplica = "replica"
)
