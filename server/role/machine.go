package role

import (
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// Outcome is what became of a request.
type Outcome string

const (
	Applied       Outcome = "Applied"       // done; the caller has something to change
	Unchanged     Outcome = "Unchanged"     // was so already; nothing to do
	Stale         Outcome = "Stale"         // the epoch is lower than one that was obeyed
	Conflict      Outcome = "Conflict"      // contradicts what this epoch has already decided
	NotPrimary    Outcome = "NotPrimary"    // only the primary of the epoch can do it
	StorageFailed Outcome = "StorageFailed" // the epoch could not be stored; the role is as before
)

// Result is an outcome and, for those that are refusals, the reason in a
// sentence.
type Result struct {
	Outcome Outcome
	Reason  string
}

// Accepted reports whether what was asked for is now so.
func (r Result) Accepted() bool { return r.Outcome == Applied || r.Outcome == Unchanged }

// Machine is the role of one instance. See the package comment for who may call
// it. Create it with New.
type Machine struct {
	ledger *Ledger
	bootID string // fixed; whose status numbers a renewal must mean

	role      instance.Role
	roleEpoch uint64 // the epoch in which role was assigned; 0 while unassigned
	// yielded: this primary has handed its data over. It takes no writes for
	// the rest of its epoch, although no higher epoch is known here yet.
	yielded bool
	paused  bool // a handover holds writes back
	lease   lease

	statusSeq uint64
	statuses  statusTimes
}

// New makes the machine of an instance that has just started: unassigned.
func New(ledger *Ledger, bootID string) *Machine {
	return &Machine{ledger: ledger, bootID: bootID, role: instance.RoleUnassigned}
}

// Role is what was assigned last, whether or not a newer epoch has fenced it.
func (m *Machine) Role() instance.Role { return m.role }

// RoleEpoch is the epoch in which the role was assigned; 0 while unassigned.
func (m *Machine) RoleEpoch() uint64 { return m.roleEpoch }

// Epoch is the highest epoch that this instance has stored.
func (m *Machine) Epoch() uint64 { return m.ledger.Stored() }

// Fenced reports whether the role counts no more: a newer epoch is known, or the
// primary has handed over. An unassigned instance has nothing to be fenced from.
func (m *Machine) Fenced() bool {
	return m.role != instance.RoleUnassigned && (m.yielded || m.ledger.Seen() > m.roleEpoch)
}

// Verdict says whether a write may execute, or a reply to one may leave, now.
// It names the first reason that applies.
func (m *Machine) Verdict(now time.Duration) instance.WriteVerdict {
	switch {
	case m.role == instance.RoleUnassigned:
		return instance.WritesUnassigned
	case m.Fenced():
		return instance.WritesFenced
	case m.role == instance.RoleReplica:
		return instance.WritesReplica
	case m.paused:
		return instance.WritesPaused
	case m.lease.remaining(now) == 0:
		return instance.WritesLeaseExpired
	}
	return instance.WritesAllowed
}

// CanWrite is Verdict for those who need no reason.
func (m *Machine) CanWrite(now time.Duration) bool {
	return m.Verdict(now) == instance.WritesAllowed
}

// MayReply reports whether the reply to a write that was executed under this role
// may still leave. A pause does not matter: it holds back new writes only.
func (m *Machine) MayReply(now time.Duration) bool {
	return m.role == instance.RolePrimary && !m.Fenced() && m.lease.remaining(now) > 0
}

// Feeds reports whether replicas may take the stream from here, and may be
// acknowledged to by those of the same epoch: only from the unfenced primary of
// the epoch. It does not ask for the lease, which only comes from such replicas.
func (m *Machine) Feeds() bool { return m.role == instance.RolePrimary && !m.Fenced() }

// Acknowledges reports whether this instance may acknowledge the stream of a
// primary to which it has introduced itself with linkEpoch. An acknowledgement
// extends that primary's lease, so it must not leave after a newer epoch was
// heard of.
func (m *Machine) Acknowledges(linkEpoch uint64) bool {
	return m.role == instance.RoleReplica && m.roleEpoch == linkEpoch && !m.Fenced()
}

// ObserveEpoch takes notice of an epoch that somebody else has told, such as a
// replica in its handshake. Applied means that it was news.
func (m *Machine) ObserveEpoch(epoch uint64) Result {
	if epoch <= m.ledger.Stored() {
		return Result{Outcome: Unchanged}
	}
	if err := m.ledger.Raise(epoch); err != nil {
		return Result{StorageFailed, err.Error()}
	}
	return Result{Outcome: Applied}
}

// Fence stops writes and acknowledgements for every epoch below this one. The
// role stays what it was, without its powers, until another one is assigned. A
// role that was assigned in this very epoch is left alone: it is what the epoch
// decided.
func (m *Machine) Fence(epoch uint64) Result {
	return m.obey(epoch)
}

// Promote makes this instance the primary of the epoch. On Applied the caller
// draws a new replication ID. The promotion itself grants no time to write: a
// promotion that was long under way must not start a lease that nobody waits
// out. Time comes from acknowledgements, from RenewLease, and for a cluster of
// one from being alone.
func (m *Machine) Promote(epoch uint64, members int, duration, now time.Duration) Result {
	if r := m.obey(epoch); !r.Accepted() {
		return r
	}
	if m.roleEpoch == epoch {
		switch {
		case m.role == instance.RoleReplica:
			return Result{Conflict, fmt.Sprintf("this instance follows another one in epoch %d; a promotion needs a higher epoch", epoch)}
		case m.yielded:
			return Result{Conflict, fmt.Sprintf("this instance has handed over its primary role of epoch %d; a promotion needs a higher epoch", epoch)}
		}
		return Result{Outcome: Unchanged}
	}
	m.role, m.roleEpoch = instance.RolePrimary, epoch
	m.yielded, m.paused = false, false
	m.lease = newLease(members, duration)
	return Result{Outcome: Applied}
}

// Follow makes this instance a replica. Within one epoch it may be repeated, with
// another address or source as the caller likes.
func (m *Machine) Follow(epoch uint64) Result {
	if r := m.obey(epoch); !r.Accepted() {
		return r
	}
	if m.roleEpoch == epoch && m.role == instance.RolePrimary {
		return Result{Conflict, fmt.Sprintf("this instance is the primary of epoch %d; following another one needs a higher epoch", epoch)}
	}
	outcome := Applied
	if m.roleEpoch == epoch {
		outcome = Unchanged
	}
	m.role, m.roleEpoch = instance.RoleReplica, epoch
	m.yielded, m.paused = false, false
	return Result{Outcome: outcome}
}

// obey refuses epochs that are over and makes new ones durable.
func (m *Machine) obey(epoch uint64) Result {
	if seen := m.ledger.Seen(); epoch < seen {
		return Result{Stale, fmt.Sprintf("epoch %d is over: this instance obeys epoch %d", epoch, seen)}
	}
	return m.ObserveEpoch(epoch)
}

// primaryOf says whether this instance is the acting primary of exactly this
// epoch.
func (m *Machine) primaryOf(epoch uint64) Result {
	if r := m.obey(epoch); !r.Accepted() {
		return r
	}
	switch {
	case m.role != instance.RolePrimary:
		return Result{NotPrimary, fmt.Sprintf("this instance is not a primary but %s", m.role)}
	case m.roleEpoch != epoch:
		return Result{NotPrimary, fmt.Sprintf("this instance was the primary of epoch %d, not of %d", m.roleEpoch, epoch)}
	case m.yielded:
		return Result{NotPrimary, fmt.Sprintf("this instance has handed over its primary role of epoch %d", epoch)}
	}
	return Result{Outcome: Unchanged}
}

// StatusMade numbers a status that is made now. The number is what a later
// RenewLease refers to.
func (m *Machine) StatusMade(now time.Duration) uint64 {
	m.statusSeq++
	m.statuses.add(m.statusSeq, now)
	return m.statusSeq
}

// RenewLease is the operator's way of saying "I have seen your status seq, and
// until then I had not replaced you". Time counts from when that status was made.
// seq 0 changes the arithmetic only. A number that was not given out, or so long
// ago that it is forgotten, grants nothing either, and is no error: the next
// renewal will be better.
func (m *Machine) RenewLease(epoch uint64, bootID string, seq uint64, members int, duration time.Duration) Result {
	if r := m.primaryOf(epoch); !r.Accepted() {
		return r
	}
	m.lease.setTerms(members, duration)
	if seq == 0 || bootID != m.bootID {
		return Result{Outcome: Unchanged}
	}
	madeAt, known := m.statuses.madeAt(seq)
	if !known {
		return Result{Outcome: Unchanged}
	}
	m.lease.grant(madeAt)
	return Result{Outcome: Applied}
}

// AckedBy notes that a replica has acknowledged bytes that were sent at sentAt.
// linkEpoch is the epoch with which the replica introduced itself on that link:
// one that did so in an earlier epoch has promised nothing to this primary.
func (m *Machine) AckedBy(instanceID string, linkEpoch uint64, sentAt time.Duration) {
	if m.role != instance.RolePrimary || linkEpoch != m.roleEpoch || m.Fenced() {
		return
	}
	if instanceID == "" || instanceID == m.ledger.InstanceID() {
		return
	}
	m.lease.acked(instanceID, sentAt)
}

// Lease tells the terms and what is left. ok is false unless the role is primary.
func (m *Machine) Lease(now time.Duration) (status instance.Lease, ok bool) {
	if m.role != instance.RolePrimary {
		return instance.Lease{}, false
	}
	// A cluster of one has all the time there is; tell it as a full lease.
	return instance.Lease{
		DurationMillis:  m.lease.duration.Milliseconds(),
		RemainingMillis: min(m.lease.remaining(now), m.lease.duration).Milliseconds(),
		Members:         m.lease.members,
	}, true
}

// LeaseEnd is when writes stop unless something is heard before. It is of use for
// a timer; ok is false when there is no end to wait for.
func (m *Machine) LeaseEnd(now time.Duration) (end time.Duration, ok bool) {
	if m.role != instance.RolePrimary || m.Fenced() || m.lease.remaining(now) == 0 || m.lease.end == forever {
		return 0, false
	}
	return m.lease.end, true
}

// Pause holds writes back for a handover. Only the acting primary of the epoch
// can do it.
func (m *Machine) Pause(epoch uint64) Result {
	if r := m.primaryOf(epoch); !r.Accepted() {
		return r
	}
	if m.paused {
		return Result{Conflict, "another handover is under way"}
	}
	m.paused = true
	return Result{Outcome: Applied}
}

// Resume lets writes go on after a handover that did not come about.
func (m *Machine) Resume() { m.paused = false }

// Yield ends this primary's term: it is fenced for the rest of its epoch.
func (m *Machine) Yield() {
	m.paused = false
	m.yielded = m.role == instance.RolePrimary
}
