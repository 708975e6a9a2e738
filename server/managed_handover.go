package server

import (
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/replication"
	"github.com/lockstep-db/lockstep/server/role"
)

// handover is a planned change of the primary: writes wait, the target catches up,
// we yield. Whatever happens, writes wait no longer than the timeout.
type handover struct {
	target   string        // instance ID
	deadline time.Duration // on the server's clock
	timer    *timer
	answer   func(*instance.Status, error)
}

// handoverSlack keeps CLIENT PAUSE's own timer behind the handover's.
const handoverSlack = time.Second

// handoverPoll is how often to look whether the target has everything.
const handoverPoll = time.Millisecond

// beginHandover answers later, by answer, exactly once.
func (s *Server) beginHandover(r instance.HandoverRequest, answer func(*instance.Status, error)) {
	m := &s.managed
	if _, online, _ := s.replicaProgress(r.TargetInstanceID); !online && m.machine.Feeds() && m.machine.RoleEpoch() == r.Epoch {
		answer(nil, &instance.Error{Code: instance.CodeUnknownTarget, Message: fmt.Sprintf("instance %s is not an online replica of this one", r.TargetInstanceID)})
		return
	}
	if result := m.machine.Pause(r.Epoch); !result.Accepted() {
		answer(nil, refusal(result))
		return
	}
	timeout := time.Duration(r.TimeoutMillis) * time.Millisecond
	// The last bytes before the pause: whoever acknowledges them has everything.
	// Replicas answer to them at once.
	s.appendToLog(replication.GetAck)
	s.pauseClients(timeout+handoverSlack, false, "failover_in_progress")
	m.handover = &handover{target: r.TargetInstanceID, deadline: s.clock.elapsed() + timeout, answer: answer}
	s.log.Noticef("Handing over to instance %s: writes wait at offset %d", r.TargetInstanceID, s.repl.offset())
	s.statusChanged()
	s.pollHandover()
}

// pollHandover looks whether the target has everything, or the time is over.
func (s *Server) pollHandover() {
	m := &s.managed
	h := m.handover
	acked, online, complete := s.replicaProgress(h.target)
	switch {
	case complete:
		s.setLease(0) // no heartbeats: our offset must not run ahead of the target's
		m.machine.Yield()
		m.yieldedAt = s.clock.elapsed()
		s.dropReplicas("this instance has handed over")
		s.log.Noticef("Handed over to instance %s at offset %d; this instance takes no more writes in epoch %d", h.target, acked, m.machine.RoleEpoch())
		s.endHandover()
		h.answer(s.publish(), nil)
	case s.clock.elapsed() >= h.deadline:
		m.machine.Resume()
		s.endHandover()
		message := fmt.Sprintf("instance %s had acknowledged %d of %d bytes in time; writes go on here", h.target, acked, s.repl.offset())
		if !online {
			message = fmt.Sprintf("instance %s went away; writes go on here", h.target)
		}
		s.log.Warningf("Handover: %s", message)
		s.publish() // whoever reads the refusal shall not find a pause
		h.answer(nil, &instance.Error{Code: instance.CodeHandoverTimeout, Message: message})
	default:
		h.timer = s.after(handoverPoll, s.pollHandover)
	}
}

// breakOffHandover ends a handover because a newer epoch has begun: what it would
// end is over already, or is a later role of this very instance.
func (s *Server) breakOffHandover() {
	m := &s.managed
	h := m.handover
	if h == nil {
		return
	}
	m.machine.Resume()
	s.endHandover()
	message := fmt.Sprintf("epoch %d began while instance %s was catching up", m.ledger.Seen(), h.target)
	s.log.Warningf("Handover: %s", message)
	h.answer(nil, &instance.Error{Code: instance.CodeStaleEpoch, Message: message})
}

func (s *Server) endHandover() {
	s.managed.handover.timer.stop()
	s.managed.handover = nil
	s.unpauseClients()
	s.statusChanged()
}

// refusal spells an outcome of the role machine for the wire.
func refusal(r role.Result) *instance.Error {
	codes := map[role.Outcome]instance.Code{
		role.Stale:         instance.CodeStaleEpoch,
		role.Conflict:      instance.CodeConflict,
		role.NotPrimary:    instance.CodeNotPrimary,
		role.StorageFailed: instance.CodeStorage,
	}
	return &instance.Error{Code: codes[r.Outcome], Message: r.Reason}
}
