package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Ports of an instance. The names appear in services, network policies and pod
// monitors.
const (
	ClientPort   = 6379
	InstancePort = 7379
	HTTPPort     = 8080

	PortNameRedis    = "redis"
	PortNameInstance = "instance"
	PortNameHTTP     = "http"
)

// Services are all of the cluster's services. The three that clients use have no
// selector: the operator writes where they lead to, since what counts is the
// role that an instance was given and not what its labels say.
func Services(c *v1alpha1.LockstepCluster) []*corev1.Service {
	return []*corev1.Service{ReadWriteService(c), ReadOnlyService(c), ReadService(c), HeadlessService(c)}
}

// ReadWriteService leads to the primary.
func ReadWriteService(c *v1alpha1.LockstepCluster) *corev1.Service {
	return clientService(c, ReadWriteName(c.Name), c.Spec.Services.ReadWrite)
}

// ReadOnlyService leads to the ready replicas.
func ReadOnlyService(c *v1alpha1.LockstepCluster) *corev1.Service {
	return clientService(c, ReadOnlyName(c.Name), c.Spec.Services.ReadOnly)
}

// ReadService leads to any ready instance.
func ReadService(c *v1alpha1.LockstepCluster) *corev1.Service {
	return clientService(c, ReadName(c.Name), v1alpha1.ServiceSpec{})
}

func clientService(c *v1alpha1.LockstepCluster, name string, spec v1alpha1.ServiceSpec) *corev1.Service {
	meta := object(c, name, ComponentServer)
	if len(spec.Annotations) > 0 {
		meta.Annotations = with(spec.Annotations, nil)
	}
	kind := spec.Type
	if kind == "" {
		kind = corev1.ServiceTypeClusterIP
	}
	return &corev1.Service{
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type: kind,
			Ports: []corev1.ServicePort{{
				Name:       PortNameRedis,
				Protocol:   corev1.ProtocolTCP,
				Port:       ClientPort,
				TargetPort: intstr.FromInt32(ClientPort),
			}},
		},
	}
}

// HeadlessService gives every pod its name in DNS, also before it is ready.
func HeadlessService(c *v1alpha1.LockstepCluster) *corev1.Service {
	port := func(name string, number int32) corev1.ServicePort {
		return corev1.ServicePort{
			Name:       name,
			Protocol:   corev1.ProtocolTCP,
			Port:       number,
			TargetPort: intstr.FromInt32(number),
		}
	}
	return &corev1.Service{
		ObjectMeta: object(c, HeadlessName(c.Name), ComponentServer),
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeClusterIP,
			ClusterIP:                corev1.ClusterIPNone,
			PublishNotReadyAddresses: true,
			Selector:                 PodLabels(c),
			Ports: []corev1.ServicePort{
				port(PortNameRedis, ClientPort),
				port(PortNameInstance, InstancePort),
				port(PortNameHTTP, HTTPPort),
			},
		},
	}
}
