// Package v1alpha1 is the user's contract: the LockstepCluster resource, its
// defaults, its validation and the conditions that it reports.
//
// Everything that a user may write is checked by the API server itself, from
// the CEL rules in the markers beside the fields, and each message says what to
// change. No webhook takes part. A field exists only when what it promises is
// built: asking for something that this version does not have is refused, never
// ignored.
//
// The spec belongs to the user. The status belongs to the operator, which alone
// writes it. A few status fields are decisions (epoch, primary, voters,
// failover): they are written by compare-and-swap before they are acted upon,
// and an operator that starts anew continues from them. All others are
// observations, and nothing is ever decided by reading them back.
//
// The package knows neither the operator's logic nor the servers.
//
// +kubebuilder:object:generate=true
// +groupName=lockstep.dev
package v1alpha1
