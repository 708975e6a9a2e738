package controllers

import (
	"cmp"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// Lineage names the history that a new primary must continue.
//
// A primary begins a history of its own, with a new ID, at the end of the one that
// it takes over. Both are stored: the taken-over one when the primary is committed
// (its end is known then, since the candidate is fenced), the new ID when the
// primary has told it, and before anybody is made to follow it.
type Lineage struct {
	// ID of the last primary's own history; empty while it is committed and has
	// not told its ID. Nobody else can have it then.
	ID string
	// Previous is the history that the last primary took over, up to and with
	// byte number PreviousThrough. Data of that history beyond it is not part of
	// the lineage. Empty when there was none.
	Previous        string
	PreviousThrough int64
	// Primary is the instance ID of the last primary.
	Primary string
}

// Standing is where an instance stands in an election.
type Standing string

const (
	// StandingNewest: it is the committed primary itself, which has begun its own
	// history, and nobody was told of it yet. Its data is newer than any other.
	StandingNewest Standing = "Newest"
	// StandingSame: its data is of the lost primary's own history.
	StandingSame Standing = "Same"
	// StandingBefore: its data is of the history that the lost primary took over,
	// and ends no later than where it did so.
	StandingBefore Standing = "Before"

	StandingUnheard   Standing = "Unheard"   // nothing was heard of it
	StandingUnfenced  Standing = "Unfenced"  // it might still follow the old primary
	StandingBusy      Standing = "Busy"      // alive, but does not turn
	StandingNoOffset  Standing = "NoOffset"  // loading, or in the middle of a full re-synchronisation
	StandingDiverged  Standing = "Diverged"  // it holds bytes that the lost primary did not take over
	StandingUnrelated Standing = "Unrelated" // its data is of another history
	StandingNotChosen Standing = "NotChosen" // a user has named another one
)

// Eligible reports whether an instance of this standing may become the primary.
func (s Standing) Eligible() bool {
	return s == StandingNewest || s == StandingSame || s == StandingBefore
}

// rank orders eligible standings: lineage before offset.
func (s Standing) rank() int {
	if s == StandingNewest {
		return 1
	}
	// Same and Before are one line of bytes: the history of Same begins where
	// the part that counts of Before ends. Offsets order them.
	return 0
}

// standingOf compares data with a lineage. The offset is compared only when the
// history allows it.
func (l Lineage) standingOf(instanceID string, h instance.History, offset int64) Standing {
	switch {
	case l.ID != "" && h.ReplicationID == l.ID:
		return StandingSame
	case l.ID == "" && instanceID == l.Primary && l.Previous != "" && h.SecondReplicationID == l.Previous:
		return StandingNewest
	case l.Previous != "" && h.ReplicationID == l.Previous && offset <= l.PreviousThrough:
		return StandingBefore
	case l.Previous != "" && h.ReplicationID == l.Previous:
		return StandingDiverged
	}
	return StandingUnrelated
}

// Ballot is one election: who asks for votes, for which epoch, after whom.
type Ballot struct {
	Epoch   uint64
	Lineage Lineage
	From    string // name of the old primary; empty at a bootstrap
	Target  string // whom a planned move prefers; empty without preference
	// OnlyTarget: nobody but the target may be chosen, because only a human may
	// accept what is lost with another one.
	OnlyTarget bool
	// Silence is after how long an instance that says nothing is out of touch.
	Silence time.Duration
}

// Candidate is an instance with its standing.
type Candidate struct {
	Name     string
	Standing Standing
	Offset   int64 // bytes; of meaning when the standing is eligible
}

// assess says where an instance stands. fenced tells whether to insist that it is
// fenced already; before an election one asks what would be if it were.
func (b Ballot) assess(m Member, now time.Time, fenced bool) Candidate {
	c := Candidate{Name: m.Name}
	s := m.View.Status
	switch {
	case !m.View.Heard(now, b.Silence):
		c.Standing = StandingUnheard
	case fenced && !fencedAt(m, b.Epoch):
		c.Standing = StandingUnfenced
	case stalled(s, b.Silence):
		c.Standing = StandingBusy
	case s.Offset == nil || s.Loading != nil:
		c.Standing = StandingNoOffset
	default:
		c.Offset = *s.Offset
		c.Standing = b.Lineage.standingOf(s.InstanceID, s.History, c.Offset)
	}
	if c.Standing.Eligible() && b.OnlyTarget && m.Name != b.Target {
		c.Standing = StandingNotChosen
	}
	return c
}

// stalled reports whether the reactor has not turned for so long that it can not
// be relied upon to do what it is told.
func stalled(s *instance.Status, silence time.Duration) bool {
	return time.Duration(s.ReactorStallMillis)*time.Millisecond >= silence
}

// fencedAt reports whether an instance obeys the epoch and has no role in it. Both
// are durable, so they stay true when it is not heard any more.
func fencedAt(m Member, epoch uint64) bool {
	s := m.View.Status
	return s != nil && s.Epoch >= epoch && s.RoleEpoch < epoch
}

// choose finds the best of the candidates: lineage first, then the highest offset;
// among equals the target of a planned move, then one that is not about to end,
// then any other than the old primary, then the lowest ordinal. ok is false when
// nobody is eligible.
func (b Ballot) choose(members []Member, now time.Time, fenced bool) (best Candidate, all []Candidate, ok bool) {
	var bestMember Member
	for _, m := range members {
		c := b.assess(m, now, fenced)
		all = append(all, c)
		if !c.Standing.Eligible() {
			continue
		}
		if !ok || b.compare(c, m, best, bestMember) > 0 {
			best, bestMember, ok = c, m, true
		}
	}
	return best, all, ok
}

// compare is positive when a is the better choice.
func (b Ballot) compare(a Candidate, am Member, z Candidate, zm Member) int {
	return cmp.Or(
		cmp.Compare(a.Standing.rank(), z.Standing.rank()),
		cmp.Compare(a.Offset, z.Offset),
		yes(a.Name == b.Target)-yes(z.Name == b.Target),
		yes(am.Wanted)-yes(zm.Wanted),
		yes(!am.Pod.Deleting)-yes(!zm.Pod.Deleting),
		yes(a.Name != b.From)-yes(z.Name != b.From),
		cmp.Compare(zm.Ordinal, am.Ordinal),
	)
}

func yes(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Ended names how the operator knows that the process of the old primary has
// ended, so that nothing is left of its lease.
type Ended string

const (
	// EndedUnknown: nothing proves it. It may live on somewhere out of reach. A
	// pod that is gone from the API server is no proof: it may have been deleted
	// by force.
	EndedUnknown Ended = ""
	// EndedNewBoot: another process answers from the same data directory.
	EndedNewBoot Ended = "NewBoot"
	// EndedContainer: its kernel closed its connection to the operator, and the
	// kubelet says that the container in which it was seen to run has terminated.
	EndedContainer Ended = "ContainerTerminated"
	// EndedKernel: its kernel closed its connections to the operator and to a
	// replica, and refuses new ones on both of its ports.
	EndedKernel Ended = "KernelClosed"
)

// OldPrimary identifies the process that held the role before.
type OldPrimary struct {
	Name       string
	InstanceID string
	BootID     string
}

// endedHow looks for a proof that the old primary's process has ended.
func endedHow(old OldPrimary, members []Member) Ended {
	var m Member
	for _, candidate := range members {
		if candidate.Name == old.Name {
			m = candidate
		}
	}
	s := m.View.Status
	if s == nil || s.InstanceID != old.InstanceID || old.BootID == "" {
		return EndedUnknown
	}
	if s.BootID != old.BootID {
		return EndedNewBoot
	}
	if !m.View.Severed {
		return EndedUnknown
	}
	if m.View.Container != "" && slices.Contains(m.Pod.EndedContainers, m.View.Container) {
		return EndedContainer
	}
	if refusesAll(m.View) && severedFromReplica(m, members) {
		return EndedKernel
	}
	return EndedUnknown
}

// refusesAll reports whether the instance was dialled on both ports after its
// stream broke, and both refused.
func refusesAll(v View) bool {
	return v.Probe.At.After(v.LostAt) && v.Probe.API == instance.FailureRefused && v.Probe.Client == instance.FailureRefused
}

// severedFromReplica reports whether a replica of the old primary has said, after
// the operator's own connection broke, that its link is down too.
func severedFromReplica(old Member, members []Member) bool {
	if old.Pod.IP == "" {
		return false
	}
	for _, m := range members {
		down := m.View.LinkDown
		if m.Name != old.Name && down.Address == clientAddress(old) && !down.HeardAt.Before(old.View.LostAt) {
			return true
		}
	}
	return false
}

// followsAddress reports whether an instance was told to follow the one that was
// last heard as old.
func followsAddress(s *instance.Status, old Member) bool {
	return old.Pod.IP != "" && s.Upstream.Address == clientAddress(old)
}

// Revocation says whether the old primary can still have, or get, permission to
// take writes.
type Revocation struct {
	// Enough: it can get no new permission from a majority.
	Enough bool
	// Missing are the instances that were not fenced; some of them are needed
	// when Enough is false.
	Missing []string
	// VoidAt is when the last permission that it may have got ends; zero when it
	// has none.
	VoidAt time.Time
	// Proof that it has ended, if there is any.
	Proof Ended
}

// revocation works out the state of the old primary's lease.
//
// voters is the smallest number of members with which it may reckon its majority.
// With 3 it needs itself and one more, so both others have to be fenced; with 5 it
// needs itself and two more, so at most one other may be missing:
// missing < voters/2.
func revocation(ballot Ballot, old OldPrimary, members []Member, voters int, lease time.Duration, self Self) Revocation {
	var r Revocation
	if r.Proof = endedHow(old, members); r.Proof != EndedUnknown {
		r.Enough = true
		return r
	}
	var acks []time.Time
	for _, m := range members {
		switch {
		case m.Name == old.Name:
			if fencedAt(m, ballot.Epoch) && m.View.Status.InstanceID == old.InstanceID {
				return Revocation{Enough: true}
			}
		case fencedAt(m, ballot.Epoch):
			acks = append(acks, lastAck(m.View))
		case mayAcknowledge(m):
			r.Missing = append(r.Missing, m.Name)
		}
	}
	needed := voters / 2 // replicas whose word the old primary needs besides its own
	r.Enough = len(r.Missing) < needed
	if !r.Enough {
		return r
	}
	// The missing ones may acknowledge for ever. So the lease ends with the
	// acknowledgement that is the last one needed besides theirs.
	slices.SortFunc(acks, func(a, b time.Time) int { return b.Compare(a) })
	bounds := []time.Time{self.OthersUntil, self.GrantedFrom}
	if nth := needed - len(r.Missing); nth <= len(acks) {
		bounds = append(bounds, acks[nth-1])
	}
	last := slices.MaxFunc(bounds, time.Time.Compare)
	if !last.IsZero() {
		r.VoidAt = last.Add(lease)
	}
	return r
}

// mayAcknowledge reports whether an instance that was not fenced may be following
// the old primary. One that has never run does not.
func mayAcknowledge(m Member) bool {
	return m.Voter || m.Pod.State == PodRunning || m.Pod.State == PodUnknown
}

// lastAck is the latest time at which a fenced instance can have acknowledged
// anything new. A process that has not since it started was preceded by another
// one, which ended before the new one was first heard.
func lastAck(v View) time.Time {
	if age := v.Status.LastAckAgeMillis; age != nil {
		return v.HeardAt.Add(-time.Duration(*age) * time.Millisecond)
	}
	return v.BootHeardAt
}
