package desired

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// ManagedBy is what the operator calls itself in labels. EndpointSlices that do
// not carry it are not touched.
const ManagedBy = "lockstep-operator"

const (
	labelName      = "app.kubernetes.io/name"
	labelInstance  = "app.kubernetes.io/instance"
	labelComponent = "app.kubernetes.io/component"
	labelManagedBy = "app.kubernetes.io/managed-by"
)

// Components, as app.kubernetes.io/component.
const (
	ComponentServer        = "server"
	ComponentConfiguration = "configuration"
	ComponentCertificates  = "certificates"
)

// Labels of every object that belongs to the cluster.
func Labels(c *v1alpha1.LockstepCluster, component string) map[string]string {
	return map[string]string{
		labelName:             "lockstep",
		labelInstance:         c.Name,
		labelComponent:        component,
		labelManagedBy:        ManagedBy,
		v1alpha1.LabelCluster: c.Name,
	}
}

// PodLabels select the cluster's pods, whatever their role.
func PodLabels(c *v1alpha1.LockstepCluster) map[string]string {
	return map[string]string{v1alpha1.LabelCluster: c.Name, labelComponent: ComponentServer}
}

// Selector is PodLabels in the form that the scale sub-resource shows.
func Selector(c *v1alpha1.LockstepCluster) string {
	return labels.SelectorFromSet(PodLabels(c)).String()
}

// object is the metadata of everything that the cluster owns: when the cluster
// is deleted, Kubernetes deletes it too.
func object(c *v1alpha1.LockstepCluster, name, component string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:            name,
		Namespace:       c.Namespace,
		Labels:          Labels(c, component),
		OwnerReferences: []metav1.OwnerReference{Owner(c)},
	}
}

// Owner is the reference from an object to its cluster.
func Owner(c *v1alpha1.LockstepCluster) metav1.OwnerReference {
	return *metav1.NewControllerRef(c, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
}

func with(base map[string]string, more map[string]string) map[string]string {
	merged := maps.Clone(base)
	maps.Copy(merged, more)
	return merged
}
