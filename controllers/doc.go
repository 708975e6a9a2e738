// Package controllers is the operator: it keeps each LockstepCluster at what its
// spec asks for, and always with at most one primary.
//
// The story of one reconcile, in the order in which to read the files:
//
//	fleet.go       listens to every instance all the time, on every operator replica
//	observe.go     puts what is known into one Observation; not knowing is a value in it
//	trouble.go     why a container does not start, in the words of its server
//	decide.go      (spec and decisions so far, Observation, now) -> Decision, purely:
//	  failover.go    is the primary lost, and what is the next step towards another one
//	  election.go    who may become the primary; is the old one revoked; when does its lease end
//	  bootstrap.go   the first primary, and the one after a loss of everything
//	  replication.go who has to follow, and how many may take a full copy at once
//	  membership.go  which instances exist and vote; rollout.go: which pod is replaced next
//	transition.go  what each step of a change of primary stores, and what it lost; purely
//	act.go         does what was decided, and with objects.go is the only one that changes anything
//	report.go      what the status and the conditions say of it; announce.go the events
//
// A reconcile repeats observe, decide and act until nothing is left that can be
// done at once, so that a failover does not wait for a queue between its steps.
// Each step can be entered anew by another operator: what was decided is in the
// status of the LockstepCluster, stored by compare-and-swap before it is acted
// upon, and everything else is observed again.
//
// reconciler.go is the loop around it. Beside the reconciles, lease.go renews the
// primary's lease. It stops for an election before the election is decided, it never
// waits for a reconcile, and leadership.go lets it grant only while no other operator
// can be leading.
//
// Who owns what: the decide files own nothing and read no clock. A reconciler owns
// nothing between two reconciles but the last status that it wrote itself, because
// a cache may not show it yet. The fleet owns the views of the instances, guarded
// by its mutex; the lease keeper owns its grants, guarded by its own.
//
// The package must not know how a server works: it meets it in api/instance only.
// How pods and services look is in package desired.
package controllers
