package replication

import "time"

// Waiter is a replica that waits for a snapshot to begin.
type Waiter struct {
	TakesMark bool          // it can find the end of a snapshot of unknown size
	Since     time.Duration // when it asked
}

// SnapshotPolicy says when a snapshot for replicas begins.
type SnapshotPolicy struct {
	Diskless    bool          // repl-diskless-sync
	Delay       time.Duration // repl-diskless-sync-delay: how long to wait for more replicas
	MaxReplicas int           // repl-diskless-sync-max-replicas: begin with that many; 0 = no number
}

// SnapshotPlan names what to do about the replicas that wait.
type SnapshotPlan uint8

// The outcomes of PlanSnapshot.
const (
	NobodyWaits SnapshotPlan = iota
	WaitForMore
	BeginDiskless // straight to the sockets, with an end mark
	BeginToDisk   // a file first, whose size is then known
)

// PlanSnapshot decides whether a snapshot for the replicas that wait begins now.
// With WaitForMore, after tells when to ask again at the latest.
func PlanSnapshot(waiters []Waiter, p SnapshotPolicy, now time.Duration) (plan SnapshotPlan, after time.Duration) {
	if len(waiters) == 0 {
		return NobodyWaits, 0
	}
	all := true
	oldest := waiters[0].Since
	for _, w := range waiters {
		all = all && w.TakesMark
		if w.Since < oldest {
			oldest = w.Since
		}
	}
	if !p.Diskless {
		return BeginToDisk, 0
	}
	waited := now - oldest
	if waited < p.Delay && (p.MaxReplicas == 0 || len(waiters) < p.MaxReplicas) {
		return WaitForMore, p.Delay - waited
	}
	// One that needs the size makes it a file for all: they share one snapshot.
	if !all {
		return BeginToDisk, 0
	}
	return BeginDiskless, 0
}
