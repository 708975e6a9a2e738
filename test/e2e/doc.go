// Package e2e breaks a real Lockstep on a real Kubernetes and watches what an
// ordinary client sees.
//
// Every test is a story: a cluster of three instances on three nodes, a client
// that writes all the time through the -rw service, one fault, and what must
// hold afterwards. The client's record decides, not the operator's word: how
// long no write was acknowledged, which acknowledged writes are gone, and
// whether two processes ever took writes at once.
//
// The tests need root on the machine that runs the nodes (they signal the
// servers' processes and cut nodes off with hack/cluster/cluster) and run in a
// network namespace from which pods and services can be reached. hack/e2e
// prepares all of that; without it they skip.
package e2e
