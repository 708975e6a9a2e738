package desired

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Backend is an instance that services may lead to.
type Backend struct {
	Instance string     // "demo-2"
	PodUID   types.UID  // of its pod
	Node     string     // that the pod runs on
	Address  netip.Addr // of the pod
	// Primary: it is the committed primary of the present epoch and has taken
	// the role on. At most one backend is.
	Primary bool
	// ReadyReplica: it follows that primary, and is loaded and close enough
	// behind it to be read from.
	ReadyReplica bool
}

// Routes are the backends of each service, ordered by instance name.
type Routes struct {
	ReadWrite []Backend // the primary, or nobody
	ReadOnly  []Backend // the ready replicas; the primary while there are none
	Read      []Backend // the primary and the ready replicas
}

// Route decides where each service leads to. A backend without a valid address
// gets no clients.
func Route(backends []Backend) Routes {
	sorted := slices.DeleteFunc(slices.Clone(backends), func(b Backend) bool { return !b.Address.IsValid() })
	slices.SortFunc(sorted, func(a, b Backend) int { return strings.Compare(a.Instance, b.Instance) })
	var routes Routes
	for _, backend := range sorted {
		switch {
		case backend.Primary:
			routes.ReadWrite = append(routes.ReadWrite, backend)
		case backend.ReadyReplica:
			routes.ReadOnly = append(routes.ReadOnly, backend)
		default:
			continue
		}
		routes.Read = append(routes.Read, backend)
	}
	if len(routes.ReadOnly) == 0 {
		routes.ReadOnly = routes.ReadWrite
	}
	return routes
}

// EndpointSlices say where a service leads to: one slice for each address
// family that the service has (nil stands for IPv4), also when it is empty, so
// that a backend which is gone is taken out by an update and not by a deletion.
func EndpointSlices(c *v1alpha1.LockstepCluster, service string, families []corev1.IPFamily, backends []Backend) []*discoveryv1.EndpointSlice {
	if len(families) == 0 {
		families = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	slicesOf := make([]*discoveryv1.EndpointSlice, 0, len(families))
	for _, family := range families {
		slicesOf = append(slicesOf, endpointSlice(c, service, family, backends))
	}
	return slicesOf
}

func endpointSlice(c *v1alpha1.LockstepCluster, service string, family corev1.IPFamily, backends []Backend) *discoveryv1.EndpointSlice {
	meta := object(c, service+"-"+strings.ToLower(string(family)), ComponentServer)
	meta.Labels[discoveryv1.LabelServiceName] = service
	meta.Labels[discoveryv1.LabelManagedBy] = ManagedBy
	name, protocol, port := PortNameRedis, corev1.ProtocolTCP, int32(ClientPort)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  meta,
		AddressType: discoveryv1.AddressType(family),
		Endpoints:   []discoveryv1.Endpoint{},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Protocol: &protocol, Port: &port}},
	}
	for _, backend := range backends {
		if familyOf(backend.Address) == family {
			slice.Endpoints = append(slice.Endpoints, endpoint(c, backend))
		}
	}
	return slice
}

func familyOf(address netip.Addr) corev1.IPFamily {
	if address.Unmap().Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func endpoint(c *v1alpha1.LockstepCluster, backend Backend) discoveryv1.Endpoint {
	yes, no := true, false
	out := discoveryv1.Endpoint{
		Addresses:  []string{backend.Address.Unmap().String()},
		Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes, Terminating: &no},
		TargetRef: &corev1.ObjectReference{
			Kind:      "Pod",
			Namespace: c.Namespace,
			Name:      backend.Instance,
			UID:       backend.PodUID,
		},
	}
	if backend.Node != "" {
		out.NodeName = &backend.Node
	}
	return out
}
