package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LockstepCluster is a primary and its replicas: one data set, kept on several
// instances, of which the operator always knows which one may be written to.
//
// The name becomes part of the names of pods and services, hence its rules.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.instances,statuspath=.status.instances,selectorpath=.status.selector
// +kubebuilder:resource:path=lockstepclusters,singular=lockstepcluster,shortName=lsc,categories=all
// +kubebuilder:printcolumn:name="Instances",type=integer,JSONPath=`.status.instances`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyInstances`
// +kubebuilder:printcolumn:name="Primary",type=string,JSONPath=`.status.primary`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Epoch",type=integer,JSONPath=`.status.epoch`,priority=1
// +kubebuilder:printcolumn:name="Lag",type=integer,JSONPath=`.status.lagBytes`,priority=1
// +kubebuilder:printcolumn:name="Window",type=string,JSONPath=`.status.window`,priority=1
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50",message="metadata.name must have 50 characters or fewer: the names of pods and services are made from it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must begin with a letter and hold only lower case letters, digits and '-': the names of services are made from it"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.epoch) || (has(self.status) && has(self.status.epoch) && self.status.epoch >= oldSelf.status.epoch)",message="status.epoch only grows: with an older one, one epoch could get two primaries"
type LockstepCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what you want. "spec: {}" is a valid cluster of three instances.
	// +kubebuilder:default={}
	// +optional
	Spec LockstepClusterSpec `json:"spec,omitempty"`
	// status is what the operator has decided and seen.
	// +optional
	Status LockstepClusterStatus `json:"status,omitzero"`
}

// LockstepClusterList is a list of clusters.
//
// +kubebuilder:object:root=true
type LockstepClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []LockstepCluster `json:"items"`
}

// LockstepClusterSpec is what a user asks for.
type LockstepClusterSpec struct {
	// instances is the number of servers, the primary included. With 3 or more,
	// the loss of one leaves a majority; with 2, an isolated primary depends on
	// the operator to keep taking writes.
	// +kubebuilder:default=3
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 9",message="instances must be between 1 and 9; to read from more places, run a second cluster that replicates from this one"
	// +optional
	Instances int32 `json:"instances,omitempty"`

	// image that the instances run. By default it is the operator's own, which
	// always matches the operator's version.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == self.trim() && size(self) > 0",message="image must be an image reference such as ghcr.io/lockstep-db/lockstep:0.1.0, without spaces around it; leave the field out to run the operator's own image"
	// +optional
	Image string `json:"image,omitempty"`

	// imagePullPolicy for the image: IfNotPresent, Always or Never.
	// +kubebuilder:default=IfNotPresent
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// imagePullSecrets are names of secrets in the cluster's namespace that hold
	// the credentials for the image's registry.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// resources of each instance. From the memory limit, and unless
	// config.maxmemory says otherwise, the server's maxmemory is derived, so that
	// a full store refuses writes before the kernel ends its process.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// storage of each instance.
	// +kubebuilder:default={size: "1Gi", ephemeral: false}
	// +optional
	Storage StorageSpec `json:"storage,omitzero"`

	// durability of acknowledged writes.
	// +kubebuilder:default={}
	// +optional
	Durability DurabilitySpec `json:"durability,omitzero"`

	// replication between the instances.
	// +kubebuilder:default={}
	// +optional
	Replication ReplicationSpec `json:"replication,omitzero"`

	// failover says when another instance becomes the primary.
	// +kubebuilder:default={detectionTimeout: "1s", busyTimeout: "30s"}
	// +optional
	Failover FailoverSpec `json:"failover,omitzero"`

	// config holds server directives by their redis.conf names, such as
	// "timeout: '300'". Directives that the operator manages are
	// refused. A directive that the server does not know stops the first instance
	// that is updated, and the update with it.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[a-z][a-z0-9_-]{0,63}$'))",message="config: the names of directives are written in lower case letters, digits, '-' and '_', such as maxmemory-samples"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !self[k].matches('[\\r\\n]'))",message="config: the value of a directive must be a single line; write each directive as a key of its own"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.startsWith('lockstep-'))",message="config: the lockstep-* directives are set by the operator; use the fields of spec instead"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['port','bind','bind-source-addr','protected-mode','unixsocket','unixsocketperm','cluster-enabled'])",message="config: port, bind, bind-source-addr, protected-mode, unixsocket, unixsocketperm and cluster-enabled are set by the operator: clients connect to port 6379 of the services NAME-rw and NAME-ro; see spec.services"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['dir','dbfilename','appenddirname','appendfilename','appendonly'])",message="config: dir, dbfilename and the append* directives are set by the operator; use spec.storage for the size and class of the volume"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['replicaof','slaveof','replica-read-only','slave-read-only','replica-announce-ip','replica-announce-port','slave-announce-ip','slave-announce-port','replica-priority','slave-priority','replica-announced'])",message="config: replicaof and the replica-* directives about roles and addresses are set by the operator: it assigns the roles; annotate the cluster with lockstep.dev/switchover-to=INSTANCE to move the primary"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k == 'repl-backlog-size')",message="config: set spec.replication.backlog.memory instead of repl-backlog-size"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['requirepass','masterauth','masteruser','user','aclfile'] || k.startsWith('tls-'))",message="config: requirepass, masterauth, masteruser, user, aclfile and tls-* can not be set: passwords and TLS for clients are not available in this version of the operator; restrict access to port 6379 with a NetworkPolicy"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['include','daemonize','pidfile','logfile','supervised','loadmodule','rename-command','enable-debug-command'] || k.startsWith('syslog-'))",message="config: include, daemonize, pidfile, logfile, supervised, syslog-*, loadmodule, rename-command and enable-debug-command can not be used in a container that the operator runs; logs go to the container's output"
	// +kubebuilder:validation:XValidation:rule="!('io-threads' in self)",message="config: io-threads is not available: one thread executes and serves; remove it"
	// +optional
	Config map[string]DirectiveValue `json:"config,omitempty"`

	// scheduling of the pods. Without it they are spread over the nodes.
	// +optional
	Scheduling SchedulingSpec `json:"scheduling,omitzero"`

	// services that clients connect to.
	// +kubebuilder:default={}
	// +optional
	Services ServicesSpec `json:"services,omitzero"`

	// monitoring of the instances.
	// +kubebuilder:default={}
	// +optional
	Monitoring MonitoringSpec `json:"monitoring,omitzero"`
}

// DirectiveValue is what stands behind a directive's name in the configuration
// file: one line, several arguments separated by spaces.
//
// +kubebuilder:validation:MaxLength=1024
type DirectiveValue string

// StorageSpec says where an instance keeps its snapshots and its state.
//
// +kubebuilder:validation:XValidation:rule="self.ephemeral == oldSelf.ephemeral",message="storage.ephemeral can not be changed: create a second cluster and move the data there"
// +kubebuilder:validation:XValidation:rule="has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)",message="storage.className can not be changed: create a second cluster with the other class and move the data there"
// +kubebuilder:validation:XValidation:rule="!self.ephemeral || !has(self.className)",message="storage.className has no meaning with storage.ephemeral: leave one of them out"
// +kubebuilder:validation:XValidation:rule="self.ephemeral || !isQuantity(string(self.size)) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",message="storage.size can grow but not shrink: a volume can not be made smaller; keep the present size, or create a second cluster and move the data there"
type StorageSpec struct {
	// size of each instance's volume. A snapshot is written beside the one that
	// it replaces, so leave room for twice the data. It can grow later, when the
	// storage class allows it.
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('64Mi')) >= 0",message="storage.size must be a quantity of at least 64Mi, such as 10Gi"
	// +optional
	Size resource.Quantity `json:"size,omitzero"`

	// className is the storage class of the volumes. Without it, the default
	// class of the Kubernetes cluster is used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClassName *string `json:"className,omitempty"`

	// ephemeral keeps the data in an emptyDir of the given size instead of a
	// volume: an instance whose pod is deleted begins empty and takes everything
	// from the primary.
	// +kubebuilder:default=false
	// +optional
	Ephemeral bool `json:"ephemeral"`
}

// DurabilityMode says what an acknowledged write promises.
type DurabilityMode string

// DurabilityAsync acknowledges a write when the primary has it. A failover may
// lose the last of them; it reports an upper bound.
const DurabilityAsync DurabilityMode = "Async"

// DurabilitySpec says what an acknowledged write promises.
type DurabilitySpec struct {
	// mode of acknowledgement. Async: a write is acknowledged when the primary
	// has it, and a failover reports how much may have been lost.
	// +kubebuilder:default=Async
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self != 'Quorum'",message="durability.mode Quorum is not available in this version: writes can not yet be held back until a majority has them; use Async"
	// +kubebuilder:validation:XValidation:rule="self in ['Async', 'Quorum']",message="durability.mode must be Async"
	// +optional
	Mode DurabilityMode `json:"mode,omitempty"`
}

// ReplicationSpec is about the stream between the instances.
type ReplicationSpec struct {
	// backlog is the part of the stream that is kept, so that a replica which
	// was away can continue where it stopped.
	// +kubebuilder:default={}
	// +optional
	Backlog BacklogSpec `json:"backlog,omitzero"`

	// maxConcurrentFullResyncs is how many replicas may take a full copy at the
	// same time. Each costs the instance that it copies from processor time and
	// network.
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 8",message="replication.maxConcurrentFullResyncs must be between 1 and 8"
	// +optional
	MaxConcurrentFullResyncs int32 `json:"maxConcurrentFullResyncs,omitempty"`
}

// BacklogSpec is the size of the backlog window.
type BacklogSpec struct {
	// memory that each instance reserves for the newest part of the stream.
	// +kubebuilder:default="64Mi"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self)).compareTo(quantity('64Gi')) <= 0",message="replication.backlog.memory must be a quantity between 1Mi and 64Gi, such as 256Mi"
	// +optional
	Memory resource.Quantity `json:"memory,omitzero"`

	// minWindow is how long a replica should be able to stay away and still
	// continue where it stopped. When the write rate makes the window shorter,
	// the condition BacklogSufficient says so and by how much.
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="replication.backlog.minWindow must be a duration such as 60s or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || (duration(self) >= duration('1s') && duration(self) <= duration('24h'))",message="replication.backlog.minWindow must be between 1s and 24h"
	// +optional
	MinWindow metav1.Duration `json:"minWindow,omitzero"`
}

// FailoverSpec says when another instance becomes the primary.
//
// +kubebuilder:validation:XValidation:rule="[self.detectionTimeout, self.busyTimeout].exists(d, !d.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')) || duration(self.busyTimeout) >= duration(self.detectionTimeout)",message="failover.busyTimeout must not be shorter than failover.detectionTimeout: a busy primary is given more time than a silent one"
type FailoverSpec struct {
	// automatic lets the operator replace a primary that it has found to be
	// lost. Without it the cluster stays without a primary until the lost one is
	// back, or until somebody names another.
	// +kubebuilder:default=true
	// +optional
	Automatic *bool `json:"automatic,omitempty"`

	// detectionTimeout is for how long a primary must be silent before it is
	// suspected. Shorter is faster; too short takes a busy network for a loss.
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="failover.detectionTimeout must be a duration such as 500ms, 1s or 1m30s"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || (duration(self) >= duration('500ms') && duration(self) <= duration('5m'))",message="failover.detectionTimeout must be between 500ms and 5m: a healthy instance is heard every 500ms"
	// +optional
	DetectionTimeout metav1.Duration `json:"detectionTimeout,omitzero"`

	// leaseDuration is for how long a primary takes writes after it was last in
	// touch with a majority of the instances, or with the operator. It is the
	// longest time for which an isolated primary can still accept writes, and
	// that a failover may have to wait.
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="failover.leaseDuration must be a duration such as 2s or 500ms"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || (duration(self) >= duration('500ms') && duration(self) <= duration('60s'))",message="failover.leaseDuration must be between 500ms and 60s"
	// +optional
	LeaseDuration metav1.Duration `json:"leaseDuration,omitzero"`

	// busyTimeout is for how long a primary whose process is alive may be
	// occupied by one command before it counts as lost.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')",message="failover.busyTimeout must be a duration such as 30s or 2m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || (duration(self) >= duration('1s') && duration(self) <= duration('1h'))",message="failover.busyTimeout must be between 1s and 1h"
	// +optional
	BusyTimeout metav1.Duration `json:"busyTimeout,omitzero"`
}

// SchedulingSpec says where pods may run.
type SchedulingSpec struct {
	// nodeSelector that every pod's node must match.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// affinity of the pods. Set, it replaces the default, which is to prefer
	// nodes that hold no other instance of the cluster.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// tolerations of the pods.
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// topologySpreadConstraints of the pods. Set, they replace the default, which
	// is to spread over zones where they exist. A constraint without a
	// labelSelector counts the pods of this cluster.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName of the pods.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// ServicesSpec is about the services that clients connect to.
type ServicesSpec struct {
	// readWrite is the service NAME-rw, which leads to the primary.
	// +kubebuilder:default={}
	// +optional
	ReadWrite ServiceSpec `json:"readWrite,omitzero"`
	// readOnly is the service NAME-ro, which leads to the ready replicas, or to
	// the primary in a cluster of one instance.
	// +kubebuilder:default={}
	// +optional
	ReadOnly ServiceSpec `json:"readOnly,omitzero"`
}

// ServiceSpec is what can be changed in a service.
type ServiceSpec struct {
	// type of the service: ClusterIP, NodePort or LoadBalancer.
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +optional
	Type corev1.ServiceType `json:"type,omitempty"`
	// annotations of the service, for load balancers and DNS.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// MonitoringSpec is about metrics.
type MonitoringSpec struct {
	// scrapeAnnotations marks the pods with prometheus.io/scrape, port and path,
	// which many Prometheus installations look for.
	// +kubebuilder:default=true
	// +optional
	ScrapeAnnotations *bool `json:"scrapeAnnotations,omitempty"`
	// podLabels are additional labels of the pods, for the selector of a
	// PodMonitor. The port is named "http", the path is /metrics.
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('lockstep.dev/') && !k.startsWith('app.kubernetes.io/'))",message="monitoring.podLabels can not set labels of lockstep.dev/ or app.kubernetes.io/: the operator sets those"
	// +optional
	PodLabels map[string]LabelValue `json:"podLabels,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
type LabelValue string
