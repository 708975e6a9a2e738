package desired

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// ServiceAccount of the pods: an identity that nothing is granted to, and whose
// token is not mounted.
func ServiceAccount(c *v1alpha1.LockstepCluster) *corev1.ServiceAccount {
	no := false
	return &corev1.ServiceAccount{
		ObjectMeta:                   object(c, AccountName(c.Name), ComponentServer),
		AutomountServiceAccountToken: &no,
	}
}
