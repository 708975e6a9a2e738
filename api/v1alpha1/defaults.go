package v1alpha1

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Defaults of the spec. The markers beside the fields say the same to the API
// server; a test compares the two.
const (
	DefaultInstances                = 3
	DefaultMaxConcurrentFullResyncs = 1
	DefaultDetectionTimeout         = time.Second
	DefaultLeaseDuration            = 2 * time.Second
	DefaultBusyTimeout              = 30 * time.Second
	DefaultMinWindow                = 60 * time.Second
	DefaultStorageSize              = "1Gi"
	DefaultBacklogMemory            = "64Mi"
)

// SetDefaults fills every unset field of the spec as the API server does. It is
// for objects that have not been through one: in simulations, tests and tools.
func SetDefaults(c *LockstepCluster) {
	s := &c.Spec
	setDefault(&s.Instances, DefaultInstances)
	setDefault(&s.ImagePullPolicy, corev1.PullIfNotPresent)
	setDefaultQuantity(&s.Storage.Size, DefaultStorageSize)
	setDefault(&s.Durability.Mode, DurabilityAsync)
	setDefaultQuantity(&s.Replication.Backlog.Memory, DefaultBacklogMemory)
	setDefault(&s.Replication.Backlog.MinWindow, metav1.Duration{Duration: DefaultMinWindow})
	setDefault(&s.Replication.MaxConcurrentFullResyncs, DefaultMaxConcurrentFullResyncs)
	setDefaultTrue(&s.Failover.Automatic)
	setDefault(&s.Failover.DetectionTimeout, metav1.Duration{Duration: DefaultDetectionTimeout})
	setDefault(&s.Failover.LeaseDuration, metav1.Duration{Duration: DefaultLeaseDuration})
	setDefault(&s.Failover.BusyTimeout, metav1.Duration{Duration: DefaultBusyTimeout})
	setDefaultTrue(&s.Monitoring.ScrapeAnnotations)
	setDefault(&s.Services.ReadWrite.Type, corev1.ServiceTypeClusterIP)
	setDefault(&s.Services.ReadOnly.Type, corev1.ServiceTypeClusterIP)
}

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}

func setDefaultQuantity(field *resource.Quantity, value string) {
	if field.IsZero() {
		*field = resource.MustParse(value)
	}
}

func setDefaultTrue(field **bool) {
	if *field == nil {
		yes := true
		*field = &yes
	}
}
