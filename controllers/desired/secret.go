package desired

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Secret holds certificates and keys under the given name. The data comes from
// package pki.
func Secret(c *v1alpha1.LockstepCluster, name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: object(c, name, ComponentCertificates),
		Type:       corev1.SecretTypeTLS,
		Data:       data,
	}
}
