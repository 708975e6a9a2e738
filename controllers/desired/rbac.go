package desired

// What the operator must be allowed to do, beside the builders of what it does
// it to. The roles in config/rbac and in the chart are generated from here.
//
// Secrets are read by name and never listed: the operator sees only those whose
// names it made itself. Nothing is deleted that could not be made anew, except
// pods and the volume claims of instances that were scaled away.
//
// +kubebuilder:rbac:groups=lockstep.dev,resources=lockstepclusters,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=lockstep.dev,resources=lockstepclusters/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=lockstep.dev,resources=lockstepclusters/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;update;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;update;patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;update;patch
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=lockstep-system,resources=leases,verbs=get;create;update
