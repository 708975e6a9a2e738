package desired

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// DisruptionBudget lets a drain take one instance at a time.
//
// It counts those that must stay, since a budget that counts those which may go
// works only where the disruption controller can find the cluster's scale. A
// cluster of one instance can be drained: a budget of one would block the drain
// for ever.
func DisruptionBudget(c *v1alpha1.LockstepCluster) *policyv1.PodDisruptionBudget {
	stay := intstr.FromInt32(max(c.Spec.Instances-1, 0))
	unhealthy := policyv1.AlwaysAllow
	if c.Spec.Storage.Ephemeral {
		// What an instance that is not ready holds may be the only copy of it.
		unhealthy = policyv1.IfHealthyBudget
	}
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: object(c, BudgetName(c.Name), ComponentServer),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable:               &stay,
			Selector:                   &metav1.LabelSelector{MatchLabels: PodLabels(c)},
			UnhealthyPodEvictionPolicy: &unhealthy,
		},
	}
}
