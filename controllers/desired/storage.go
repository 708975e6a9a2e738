package desired

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Claim is an instance's volume claim; nil when the cluster's storage is
// ephemeral. It belongs to the cluster and not to the pod: an instance keeps its
// data when its pod is replaced.
func Claim(c *v1alpha1.LockstepCluster, instance string) *corev1.PersistentVolumeClaim {
	if c.Spec.Storage.Ephemeral {
		return nil
	}
	meta := object(c, ClaimName(instance), ComponentServer)
	meta.Labels[v1alpha1.LabelInstance] = instance
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: meta,
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: c.Spec.Storage.ClassName,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: c.Spec.Storage.Size},
			},
		},
	}
}

// GrowTo returns the claim as it must be updated so that it is as large as the
// spec asks for; nil when it already is, or is larger. A claim is never shrunk.
func GrowTo(c *v1alpha1.LockstepCluster, claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolumeClaim {
	present := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if present.Cmp(c.Spec.Storage.Size) >= 0 {
		return nil
	}
	grown := claim.DeepCopy()
	grown.Spec.Resources.Requests[corev1.ResourceStorage] = c.Spec.Storage.Size
	return grown
}
