package controllers

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// BootstrapOutcome names what came of looking for a primary where no history is
// known that it must continue: a new cluster, a resource that was made again over
// volumes that are still there, or a cluster whose every instance has lost its
// data.
type BootstrapOutcome string

const (
	BootstrapWaiting  BootstrapOutcome = "Waiting"  // an instance that may hold data has not been heard
	BootstrapEmpty    BootstrapOutcome = "Empty"    // nobody holds data: any will do
	BootstrapData     BootstrapOutcome = "Data"     // one holds everything that the others hold
	BootstrapDiverged BootstrapOutcome = "Diverged" // two hold data of which neither contains the other's
)

// Bootstrap is an outcome with its details.
type Bootstrap struct {
	Outcome BootstrapOutcome
	Name    string // the one to promote; of Empty and Data
	Message string // of Waiting and Diverged: who, and what to do
}

// bootstrap looks for an instance whose data contains everybody else's. Every
// instance has to be heard first, or be known to have no data: with a promotion
// before that, an empty instance could become the primary over one with data, and
// wipe it.
func bootstrap(members []Member, epoch uint64, fenced bool, silence time.Duration, now time.Time) Bootstrap {
	var heard []Member
	var waiting []string
	for _, m := range members {
		switch why := unreadyForBootstrap(m, epoch, fenced, silence, now); {
		case why == "":
			heard = append(heard, m)
		case !knownEmpty(m):
			waiting = append(waiting, m.Name+" "+why)
		}
	}
	if len(waiting) > 0 {
		return Bootstrap{Outcome: BootstrapWaiting, Message: "a first primary is chosen when every instance that may hold data has been heard: " + strings.Join(waiting, ", ")}
	}
	if len(heard) == 0 {
		return Bootstrap{Outcome: BootstrapWaiting, Message: "no instance runs yet"}
	}
	return mostComplete(heard)
}

func unreadyForBootstrap(m Member, epoch uint64, fenced bool, silence time.Duration, now time.Time) string {
	s := m.View.Status
	switch {
	case !m.View.Heard(now, silence):
		return "is not reached"
	case s.Loading != nil || s.Offset == nil || s.Keys == nil:
		return "is loading"
	case stalled(s, silence):
		return "is busy"
	case fenced && !fencedAt(m, epoch):
		return "is not fenced"
	}
	return ""
}

// knownEmpty reports whether an instance that is not heard can not hold data.
func knownEmpty(m Member) bool {
	switch m.Claim {
	case ClaimMissing, ClaimUnbound:
		return true
	case ClaimEphemeral:
		return m.Pod.State == PodMissing || m.Pod.State == PodPending
	}
	return false
}

// mostComplete finds the instance that contains all others.
func mostComplete(heard []Member) Bootstrap {
	best := heard[0]
	for _, m := range heard[1:] {
		if preferred(m, best) {
			best = m
		}
	}
	if isEmpty(best.View.Status) {
		return Bootstrap{Outcome: BootstrapEmpty, Name: best.Name}
	}
	for _, m := range heard {
		if !contains(best.View.Status, m.View.Status) {
			return Bootstrap{Outcome: BootstrapDiverged, Message: fmt.Sprintf(
				"%s and %s hold different data, and neither contains the other's: delete the volume claim and the pod of the one that you can do without",
				best.Name, m.Name)}
		}
	}
	return Bootstrap{Outcome: BootstrapData, Name: best.Name}
}

// preferred reports whether a is a better guess than z for the one that contains
// all others. The guess is checked afterwards.
func preferred(a, z Member) bool {
	as, zs := a.View.Status, z.View.Status
	return cmp.Or(
		yes(!isEmpty(as))-yes(!isEmpty(zs)),
		yes(strictlyContains(as, zs))-yes(strictlyContains(zs, as)),
		cmp.Compare(as.Epoch, zs.Epoch),
		yes(as.Role == instance.RolePrimary)-yes(zs.Role == instance.RolePrimary),
		cmp.Compare(*as.Offset, *zs.Offset),
		cmp.Compare(z.Ordinal, a.Ordinal),
	) > 0
}

func isEmpty(s *instance.Status) bool { return *s.Offset == 0 && *s.Keys == 0 }

// contains reports whether a holds everything that z holds: z is empty, or its
// data is a part of a's history, or it has seen only epochs before a's.
//
// The last is the only word on two histories that have nothing to do with each
// other. An instance that missed an epoch was neither primary nor replica in it,
// so what it holds is what the cluster has left behind.
func contains(a, z *instance.Status) bool {
	return isEmpty(z) || sharesHistory(a, z) || a.Epoch > z.Epoch
}

func strictlyContains(a, z *instance.Status) bool {
	return contains(a, z) && !contains(z, a)
}

func sharesHistory(a, z *instance.Status) bool {
	if a.History.ReplicationID == z.History.ReplicationID {
		return *z.Offset <= *a.Offset
	}
	return a.History.SecondReplicationID != "" &&
		z.History.ReplicationID == a.History.SecondReplicationID &&
		*z.Offset <= a.History.SecondValidThrough
}
