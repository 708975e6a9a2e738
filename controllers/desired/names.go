package desired

import (
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// MaxInstances is how many instances a cluster may have. The spec's rule says
// the same; more ordinals than that are never used.
const MaxInstances = 9

// InstanceName is the name of an instance and of its pod: "demo-2". Ordinals
// begin at 1. They say nothing about roles, and may have gaps.
func InstanceName(cluster string, ordinal int) string {
	return cluster + "-" + strconv.Itoa(ordinal)
}

// Ordinal is the inverse of InstanceName. ok is false when the name is not one
// that this cluster gives.
func Ordinal(cluster, instance string) (ordinal int, ok bool) {
	digits, found := strings.CutPrefix(instance, cluster+"-")
	if !found {
		return 0, false
	}
	ordinal, err := strconv.Atoi(digits)
	if err != nil || ordinal < 1 || InstanceName(cluster, ordinal) != instance {
		return 0, false
	}
	return ordinal, true
}

// ClaimName is the name of an instance's volume claim.
func ClaimName(instance string) string { return instance + "-data" }

// ReadWriteName is the service that leads to the primary.
func ReadWriteName(cluster string) string { return cluster + "-rw" }

// ReadOnlyName is the service that leads to the ready replicas.
func ReadOnlyName(cluster string) string { return cluster + "-ro" }

// ReadName is the service that leads to any ready instance.
func ReadName(cluster string) string { return cluster + "-r" }

// HeadlessName is the service that gives each pod its name in DNS. It is also
// the name of what belongs to all instances together: their account, their
// disruption budget, and the beginning of their config maps' names.
//
// It has a suffix, as everything has: a cluster named "demo-rw" beside one named
// "demo" would otherwise want a service that the other one has already.
func HeadlessName(cluster string) string { return cluster + "-instances" }

// AccountName is the service account of the pods. It is allowed nothing.
func AccountName(cluster string) string { return HeadlessName(cluster) }

// BudgetName is the disruption budget of the pods.
func BudgetName(cluster string) string { return HeadlessName(cluster) }

// AuthoritySecretName is the secret that holds the cluster's certificate
// authority, with its key. No pod mounts it.
func AuthoritySecretName(cluster string) string { return cluster + "-ca" }

// ServerSecretName is the secret with the instances' certificate.
func ServerSecretName(cluster string) string { return cluster + "-server-tls" }

// OperatorSecretName is the secret with the certificate that the operator shows
// to the instances. No pod mounts it.
func OperatorSecretName(cluster string) string { return cluster + "-operator-tls" }

// Hostname is an instance's name in DNS, within Kubernetes.
func Hostname(c *v1alpha1.LockstepCluster, instance string) string {
	return instance + "." + HeadlessName(c.Name) + "." + c.Namespace + ".svc"
}
