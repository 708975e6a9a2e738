package controllers

import (
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// StepKind names what is to be done about the primary.
type StepKind string

const (
	StepNone     StepKind = "None"     // the primary acts
	StepWait     StepKind = "Wait"     // nothing can be done now; Why says for what it waits
	StepConfirm  StepKind = "Confirm"  // ask the suspect and the replicas once more
	StepElect    StepKind = "Elect"    // store the next epoch, without a primary
	StepFence    StepKind = "Fence"    // tell instances of the epoch
	StepCommit   StepKind = "Commit"   // store the new primary
	StepPromote  StepKind = "Promote"  // tell it, and point the services at it
	StepComplete StepKind = "Complete" // store the history that it has begun, and report
	StepHandover StepKind = "Handover" // ask the primary to hand over to the target
)

// Why names the reason for which there is nothing to do, or for which one waits.
type Why string

const (
	WhyActing       Why = "Acting"       // the primary is in touch and has its role
	WhyBusy         Why = "Busy"         // it is alive and does not turn; not yet for too long
	WhyListening    Why = "Listening"    // it is silent, not yet for too long
	WhyVetoed       Why = "Vetoed"       // a replica still hears it
	WhyDisabled     Why = "Disabled"     // spec.failover.automatic is false
	WhyNoMajority   Why = "NoMajority"   // too few can be fenced to end the old primary's lease
	WhyNoCandidate  Why = "NoCandidate"  // nobody is eligible
	WhyRestart      Why = "Restart"      // instances that may hold more data are still starting
	WhyLeaseRunning Why = "LeaseRunning" // the old primary may take writes for a moment longer
	WhyBootstrap    Why = "Bootstrap"    // not every instance has been heard
	WhyDiverged     Why = "Diverged"     // instances hold contradicting data
)

// Step is the next step of the protocol, with what is needed to take it.
type Step struct {
	Kind StepKind
	Why  Why
	// Message is for people; empty when Why says it all. It shows in conditions,
	// so it holds no number that grows by itself: each would be a status write.
	Message string
	Until   time.Time // when to look again if nothing happens before; zero: no need

	Epoch  uint64                  // of Elect, Fence, Commit, Promote, Complete, Handover
	Reason v1alpha1.FailoverReason // of Elect and Handover
	Since  time.Time               // of Elect: when the primary became suspect
	Target string                  // of Elect and Handover: whom it prefers
	Names  []string                // of Fence and Confirm: who is asked
	Choice *Choice                 // of Commit
}

// Choice is the candidate that won, with what it must still be like when it is
// promoted.
type Choice struct {
	Name       string
	InstanceID string
	BootID     string
	History    string // the replication ID that it takes over
	Offset     int64  // where it takes over
	Standing   Standing
	Proof      Ended    // that the old primary has ended; empty when its lease was waited out
	Voters     []string // of a first election; otherwise they stay as they are
}

// Acts reports whether the step changes or asks anything.
func (s Step) Acts() bool { return s.Kind != StepNone && s.Kind != StepWait }

const (
	// fenceRetry is how long to wait before an instance that could not be fenced
	// is tried again.
	fenceRetry = 250 * time.Millisecond
	// restartGrace is how long to wait, after a primary has lost its process, for
	// instances that may hold more data than those that are there. It matters
	// when all have restarted: the one that reads its disk fastest is not the one
	// with the most data.
	restartGrace = 10 * time.Second
	// handoverRetry is how long a failed handover rests.
	handoverRetry = time.Second
	// handoverAttempts is after how many failures a user's wish is dropped.
	handoverAttempts = 5
)

// nextStep continues where the stored decisions are.
func (s situation) nextStep() Step {
	switch f := s.status.Failover; {
	case s.epoch > 0 && s.epochSeen() > s.epoch:
		return s.elect(v1alpha1.FailoverEpochConflict, "", s.now)
	case f != nil && f.Phase == v1alpha1.FailoverElecting:
		return s.continueElection(f)
	case s.status.Primary != "":
		return s.watchPrimary()
	default:
		return s.beginBootstrap()
	}
}

// epochSeen is the highest epoch that any instance was heard to obey. It is above
// the cluster's when the resource was made again over volumes that are still
// there, or when its status was restored from a copy.
func (s situation) epochSeen() uint64 {
	var highest uint64
	for _, m := range s.obs.Members {
		if st := m.View.Status; st != nil {
			highest = max(highest, st.Epoch)
		}
	}
	return highest
}

func (s situation) nextEpoch() uint64 { return max(s.epoch, s.epochSeen()) + 1 }

func (s situation) beginBootstrap() Step {
	b := bootstrap(s.obs.Members, 0, false, s.silence, s.now)
	switch b.Outcome {
	case BootstrapWaiting:
		return Step{Kind: StepWait, Why: WhyBootstrap, Message: b.Message}
	case BootstrapDiverged:
		return Step{Kind: StepWait, Why: WhyDiverged, Message: b.Message}
	}
	return Step{Kind: StepElect, Epoch: s.nextEpoch(), Reason: v1alpha1.FailoverBootstrap, Since: s.now}
}

// watchPrimary asks whether the committed primary is still the primary.
func (s situation) watchPrimary() Step {
	v := s.primary.View
	if v.Heard(s.now, s.silence) && v.Status.InstanceID == s.status.PrimaryInstanceID {
		return s.judgeHeard(v.Status)
	}
	return s.judgeSilent()
}

// judgeHeard is about an instance that answers where the primary should be.
func (s situation) judgeHeard(st *instance.Status) Step {
	stall := time.Duration(st.ReactorStallMillis) * time.Millisecond
	switch {
	case st.BootID != s.status.PrimaryBootID:
		// It starts unassigned, and perhaps with less data than it had. It is a
		// candidate like all others.
		return s.electAutomatically(v1alpha1.FailoverPrimaryRestarted, s.primary.View.BootHeardAt)
	case stall >= s.busy:
		return s.electAutomatically(v1alpha1.FailoverPrimaryBusy, s.now.Add(-stall))
	case st.RoleEpoch == s.epoch && st.Role == instance.RoleReplica:
		return s.elect(v1alpha1.FailoverEpochConflict, "", s.now)
	case st.RoleEpoch < s.epoch:
		return Step{Kind: StepPromote, Epoch: s.epoch}
	case st.Writes == instance.WritesFenced:
		// It has handed over. There is no way back in this epoch, also when it was
		// another operator that had asked for it.
		if y := s.obs.Yielded; y != nil && y.Epoch == s.epoch {
			return s.elect(y.Reason, y.Target, y.Since)
		}
		move, _ := s.plannedMove()
		return s.elect(move.Reason, move.Target, s.now)
	case s.status.Failover != nil || s.status.ReplicationID != st.History.ReplicationID:
		return Step{Kind: StepComplete, Epoch: s.epoch}
	}
	if move, wanted := s.plannedMove(); wanted && move.Target != "" {
		return s.handover(move)
	}
	if stall >= s.silence {
		return Step{Kind: StepNone, Why: WhyBusy, Until: s.now.Add(s.busy - stall), Message: fmt.Sprintf(
			"%s has been busy with one command for more than %v; it is replaced after %v", s.primary.Name, s.silence, s.busy)}
	}
	return Step{Kind: StepNone, Why: WhyActing, Until: s.primary.View.HeardAt.Add(s.silence)}
}

// judgeSilent is about a primary of which nothing is heard.
func (s situation) judgeSilent() Step {
	v := s.primary.View
	if !s.suspect() {
		return Step{Kind: StepWait, Why: WhyListening, Until: v.SilentSince().Add(s.silence)}
	}
	if v.Probe.At.Before(v.SilentSince()) || v.Probe.At.Before(v.LostAt) || s.now.Sub(v.Probe.At) >= s.silence {
		return Step{Kind: StepConfirm, Names: s.confirmers()}
	}
	if name := s.vetoedBy(); name != "" {
		return Step{Kind: StepWait, Why: WhyVetoed, Until: s.now.Add(s.silence / 4), Message: fmt.Sprintf(
			"the operator can not reach %s, but %s still hears it: it stays the primary", s.status.Primary, name)}
	}
	since := v.SilentSince()
	if v.LostAt.After(since) {
		since = v.LostAt
	}
	return s.electAutomatically(s.lossReason(), since)
}

// suspect reports whether the silence of the primary needs no more waiting.
func (s situation) suspect() bool {
	v, pod := s.primary.View, s.primary.Pod
	switch {
	case s.now.Sub(v.SilentSince()) >= s.silence:
		return true
	case v.Severed, v.Failure == instance.FailureRefused:
		return true
	case v.Status != nil && v.Status.InstanceID != s.status.PrimaryInstanceID:
		return true
	}
	return pod.State == PodMissing || pod.State == PodEnded
}

// confirmers are those who can tell of the primary: itself and everybody in touch.
func (s situation) confirmers() []string {
	var names []string
	for _, m := range s.obs.Members {
		if m.Pod.IP != "" && (m.Name == s.status.Primary || m.View.Heard(s.now, s.silence)) {
			names = append(names, m.Name)
		}
	}
	return names
}

// vetoedBy is the name of a replica that still hears the primary; empty when none
// does. Then it is the operator that has lost touch.
func (s situation) vetoedBy() string {
	for _, m := range s.obs.Members {
		st := m.View.Status
		if m.Name == s.status.Primary || !m.View.Heard(s.now, s.silence) || st.Upstream == nil || st.Upstream.LastIOMillis == nil {
			continue
		}
		age := time.Duration(*st.Upstream.LastIOMillis)*time.Millisecond + s.now.Sub(m.View.HeardAt)
		if st.Upstream.State == instance.LinkConnected && st.RoleEpoch == s.epoch && followsAddress(st, s.primary) && age < s.silence {
			return m.Name
		}
	}
	return ""
}

// lossReason puts what is known of a lost primary into a word.
func (s situation) lossReason() v1alpha1.FailoverReason {
	pod := s.primary.Pod
	switch {
	case pod.Deleting || pod.State == PodMissing:
		return v1alpha1.FailoverPodDeleted
	case s.primary.View.Severed || s.primary.View.Failure == instance.FailureRefused || pod.State == PodEnded:
		return v1alpha1.FailoverPrimaryTerminated
	case pod.NodeLost:
		return v1alpha1.FailoverNodeLost
	}
	return v1alpha1.FailoverPrimaryUnreachable
}

// electAutomatically elects unless only a human may.
func (s situation) electAutomatically(reason v1alpha1.FailoverReason, since time.Time) Step {
	if s.automatic() {
		return s.elect(reason, "", since)
	}
	if target := s.switchoverTarget(); target != "" && target != s.status.Primary {
		return s.elect(v1alpha1.FailoverSwitchover, target, since)
	}
	if reason == v1alpha1.FailoverPrimaryRestarted && s.restartedIsBest() {
		// The same instance with the most data of all: nothing is lost by giving
		// it its role back.
		return s.elect(reason, s.status.Primary, since)
	}
	return Step{Kind: StepWait, Why: WhyDisabled, Message: fmt.Sprintf(
		"%s is lost (%s) and spec.failover.automatic is false: annotate the cluster with %s=INSTANCE to promote another one, or bring %s back",
		s.status.Primary, reason, v1alpha1.AnnotationSwitchover, s.status.Primary)}
}

func (s situation) automatic() bool {
	a := s.cluster.Spec.Failover.Automatic
	return a == nil || *a
}

func (s situation) restartedIsBest() bool {
	ballot := s.ballot(s.nextEpoch(), s.status.Primary, "")
	ballot.OnlyTarget = false
	best, _, ok := ballot.choose(s.obs.Members, s.now, false)
	return ok && best.Name == s.status.Primary
}

func (s situation) ballot(epoch uint64, from, target string) Ballot {
	return Ballot{
		Epoch: epoch, Lineage: s.lineage, From: from, Target: target, Silence: s.silence,
		OnlyTarget: target != "" && !s.automatic(),
	}
}

// old identifies the primary that an election is about to replace, or is
// replacing.
func (s situation) old() OldPrimary {
	if f := s.status.Failover; f != nil && f.Phase == v1alpha1.FailoverElecting {
		return OldPrimary{Name: f.From, InstanceID: f.FromInstanceID, BootID: f.FromBootID}
	}
	return OldPrimary{Name: s.status.Primary, InstanceID: s.status.PrimaryInstanceID, BootID: s.status.PrimaryBootID}
}

// leaseBound is the longest lease that the old primary can have: what the spec asks
// for, or what it was last heard to have, if that has not been changed yet.
func (s situation) leaseBound() time.Duration {
	m, _ := s.obs.Member(s.old().Name)
	bound := s.lease
	if st := m.View.Status; st != nil && st.Lease != nil {
		bound = max(bound, time.Duration(st.Lease.DurationMillis)*time.Millisecond)
	}
	return bound
}

// elect begins an election if it could come to an end with those who are in touch.
// Otherwise it would take the role from a primary that may still serve, and give
// it to nobody.
func (s situation) elect(reason v1alpha1.FailoverReason, target string, since time.Time) Step {
	step := Step{Kind: StepElect, Epoch: s.nextEpoch(), Reason: reason, Target: target, Since: since}
	if f := s.status.Failover; f != nil && f.Phase == v1alpha1.FailoverElecting {
		// An election under way needs a higher epoch: it is the same election.
		step.Reason, step.Target, step.Since = f.Reason, f.Target, f.StartedAt.Time
		return step
	}
	old := s.old()
	if old.Name == "" {
		return step
	}
	ballot := s.ballot(step.Epoch, old.Name, target)
	supposed := s.supposeFenced(step.Epoch)
	r := revocation(ballot, old, supposed, len(s.status.Voters), s.leaseBound(), s.obs.Self)
	if !r.Enough {
		return Step{Kind: StepWait, Why: WhyNoMajority, Until: s.now.Add(fenceRetry), Message: s.noMajority(r)}
	}
	best, all, ok := ballot.choose(supposed, s.now, true)
	if !ok {
		b := s.bootstrapInstead(all, supposed, step.Epoch)
		if b.Name != "" {
			return step
		}
		return s.nobody(b, all)
	}
	if reason == v1alpha1.FailoverPrimaryRestarted && s.worthWaiting(best, all) {
		return Step{Kind: StepWait, Why: WhyRestart, Until: since.Add(restartGrace), Message: fmt.Sprintf(
			"the process of %s has ended; for up to %v the operator waits for instances that may hold more data than %s", old.Name, restartGrace, best.Name)}
	}
	return step
}

// supposeFenced is what would be seen if everybody in touch had been fenced.
func (s situation) supposeFenced(epoch uint64) []Member {
	supposed := make([]Member, len(s.obs.Members))
	copy(supposed, s.obs.Members)
	for i, m := range supposed {
		if m.View.Heard(s.now, s.silence) {
			st := *m.View.Status
			st.Epoch = max(st.Epoch, epoch)
			supposed[i].View.Status = &st
		}
	}
	return supposed
}

// worthWaiting reports whether an instance that is not ready yet may hold more than
// the best of those that are.
func (s situation) worthWaiting(best Candidate, all []Candidate) bool {
	if s.now.Sub(s.primary.View.BootHeardAt) >= restartGrace {
		return false
	}
	if known := knownOffset(s.primary.View, s.status.PrimaryBootID); known != nil && best.Offset >= *known {
		return false
	}
	for _, c := range all {
		m, _ := s.obs.Member(c.Name)
		if m.Voter && (c.Standing == StandingUnheard || c.Standing == StandingNoOffset) {
			return true
		}
	}
	return false
}

// knownOffset is the last offset that was heard of a process; nil when none was.
func knownOffset(v View, bootID string) *int64 {
	for _, st := range []*instance.Status{v.Status, v.LastBoot} {
		if st != nil && st.BootID == bootID && st.Offset != nil {
			return st.Offset
		}
	}
	return nil
}

// continueElection goes on with an election that is stored in the status.
func (s situation) continueElection(f *v1alpha1.FailoverProgress) Step {
	if names := s.toFence(func(v View) bool { return v.FenceTriedAt.IsZero() }); len(names) > 0 {
		return Step{Kind: StepFence, Epoch: s.epoch, Names: names}
	}
	step := s.decideElection(f)
	if step.Kind != StepWait || step.Why == WhyLeaseRunning {
		return step
	}
	retry := func(v View) bool { return s.now.Sub(v.FenceTriedAt) >= fenceRetry }
	if names := s.toFence(retry); len(names) > 0 {
		return Step{Kind: StepFence, Epoch: s.epoch, Names: names}
	}
	step.Until = s.now.Add(fenceRetry)
	return step
}

// toFence are the instances that have an address, are not fenced and are due.
func (s situation) toFence(due func(View) bool) []string {
	var names []string
	for _, m := range s.obs.Members {
		if m.Pod.IP != "" && !fencedAt(m, s.epoch) && due(m.View) {
			names = append(names, m.Name)
		}
	}
	return names
}

// decideElection chooses once the old primary can not come back.
func (s situation) decideElection(f *v1alpha1.FailoverProgress) Step {
	if f.From == "" {
		b := bootstrap(s.obs.Members, s.epoch, true, s.silence, s.now)
		switch b.Outcome {
		case BootstrapWaiting:
			return Step{Kind: StepWait, Why: WhyBootstrap, Message: b.Message}
		case BootstrapDiverged:
			return Step{Kind: StepWait, Why: WhyDiverged, Message: b.Message}
		}
		return s.commit(b.Name, "", EndedUnknown)
	}
	ballot := s.ballot(s.epoch, f.From, f.Target)
	r := revocation(ballot, s.old(), s.obs.Members, len(s.status.Voters), s.leaseBound(), s.obs.Self)
	if !r.Enough {
		return Step{Kind: StepWait, Why: WhyNoMajority, Message: s.noMajority(r)}
	}
	best, all, ok := ballot.choose(s.obs.Members, s.now, true)
	if !ok {
		b := s.bootstrapInstead(all, s.obs.Members, s.epoch)
		if b.Name == "" {
			return s.nobody(b, all)
		}
		best = Candidate{Name: b.Name, Standing: StandingUnrelated}
	}
	if r.VoidAt.After(s.now) {
		return Step{Kind: StepWait, Why: WhyLeaseRunning, Until: r.VoidAt, Message: fmt.Sprintf(
			"%s may take writes until its lease of %v has run out", f.From, s.leaseBound())}
	}
	return s.commit(best.Name, best.Standing, r.Proof)
}

// bootstrapInstead is for a cluster in which everybody is heard and nobody holds
// the history that was to be continued: it exists nowhere any more. Then the most
// complete of what is there is all that is left. Those that hold what the lost
// primary had taken over, and more than that, come first: up to there it is what
// the cluster had.
func (s situation) bootstrapInstead(all []Candidate, members []Member, epoch uint64) Bootstrap {
	diverged := map[string]bool{}
	for _, c := range all {
		if c.Standing.Eligible() || c.Standing == StandingNotChosen {
			return Bootstrap{}
		}
		if c.Standing == StandingDiverged {
			diverged[c.Name] = true
		}
	}
	b := bootstrap(members, epoch, true, s.silence, s.now)
	if b.Outcome == BootstrapWaiting || len(diverged) == 0 {
		return b
	}
	var closest []Member
	for _, m := range members {
		if diverged[m.Name] {
			closest = append(closest, m)
		}
	}
	return mostComplete(closest)
}

// nobody waits because there is no candidate, or because a human has to say which of
// the contradicting data is to live on.
func (s situation) nobody(b Bootstrap, all []Candidate) Step {
	if b.Outcome == BootstrapDiverged {
		return Step{Kind: StepWait, Why: WhyDiverged, Until: s.now.Add(s.silence), Message: b.Message}
	}
	return Step{Kind: StepWait, Why: WhyNoCandidate, Until: s.now.Add(s.silence), Message: s.noCandidate(all)}
}

func (s situation) commit(name string, standing Standing, proof Ended) Step {
	m, _ := s.obs.Member(name)
	st := m.View.Status
	choice := &Choice{
		Name: name, InstanceID: st.InstanceID, BootID: st.BootID,
		History: st.History.ReplicationID, Offset: *st.Offset, Standing: standing, Proof: proof,
	}
	if len(s.status.Voters) == 0 {
		choice.Voters = s.wanted()
	}
	return Step{Kind: StepCommit, Epoch: s.epoch, Choice: choice}
}

func (s situation) wanted() []string {
	var names []string
	for _, m := range s.obs.Members {
		if m.Wanted {
			names = append(names, m.Name)
		}
	}
	return names
}

func (s situation) noMajority(r Revocation) string {
	return fmt.Sprintf("%s may still be taking writes: to end its lease, instances must be told, and too few can be reached; not reached: %s",
		s.old().Name, strings.Join(r.Missing, ", "))
}

func (s situation) noCandidate(all []Candidate) string {
	var words []string
	for _, c := range all {
		if c.Name != s.old().Name || c.Standing != StandingUnheard {
			words = append(words, fmt.Sprintf("%s: %s", c.Name, standingInWords[c.Standing]))
		}
	}
	if len(words) == 0 {
		words = []string{"there is no other instance"}
	}
	return fmt.Sprintf("%s is lost and nobody can take over (%s); it goes on as soon as one of them can, or %s is back",
		s.old().Name, strings.Join(words, "; "), s.old().Name)
}

var standingInWords = map[Standing]string{
	StandingUnheard:   "is not reached",
	StandingUnfenced:  "could not be told of the new epoch",
	StandingBusy:      "is busy",
	StandingNoOffset:  "is loading or synchronising, so its offset is not known",
	StandingDiverged:  "holds data that the lost primary did not have",
	StandingUnrelated: "does not hold the history of the lost primary",
	StandingNotChosen: "was not named",
}
