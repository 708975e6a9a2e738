package server

import (
	"fmt"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/command"
)

// What a server of a cluster may do at a moment. Everything here asks the role
// machine; nothing here decides.

const (
	// Refusals of writes begin with READONLY, whatever the reason: that is the
	// word at which clients drop a connection and look for the primary again.
	errNoRole    command.ReplyError = "READONLY This instance has not been given a role since it started. The operator decides which instance is the primary; connect again to reach it."
	errLeaseOver command.ReplyError = "READONLY This primary has heard neither from a majority of its cluster nor from the operator, so another one may have taken over. Connect again to reach the primary."

	errNoRoleRead command.ReplyError = "MASTERDOWN This instance has not been given a role since it started, so its data may be old."
)

// managedRefusal says why a server of a cluster takes no writes; "" when it does.
// It uses the time of this turn of the loop: leaseLost looks again before the
// replies leave.
func (s *Server) managedRefusal() command.ReplyError {
	switch s.managed.machine.Verdict(s.clock.mono) {
	case instance.WritesAllowed, instance.WritesPaused: // a pause holds commands back, it does not refuse them
		return ""
	case instance.WritesReplica:
		return command.ErrReadOnly
	case instance.WritesUnassigned:
		return errNoRole
	case instance.WritesLeaseExpired:
		return errLeaseOver
	}
	m := s.managed.machine
	return command.ReplyError(fmt.Sprintf("READONLY This instance is not the primary any more: its role of epoch %d has ended (epoch %d). Connect again to reach the primary.", m.RoleEpoch(), s.managed.ledger.Seen()))
}

// managedReadRefusal says why a server of a cluster answers no reads; "" when it
// does. Only before it has a role: what it has loaded may be of any age.
func (s *Server) managedReadRefusal() command.ReplyError {
	if m := s.managed.machine; m != nil && m.Role() == instance.RoleUnassigned {
		return errNoRoleRead
	}
	return ""
}

// refusedForGood reports whether a client whose write was refused should be sent
// away: an ordinary replica says so and goes on serving reads, but whoever talks to
// something that was, or was to be, the primary shall look for it again.
func (s *Server) refusedForGood(why command.ReplyError) bool {
	return s.managed.machine != nil && why != command.ErrReadOnly && len(why) > 8 && why[:8] == "READONLY"
}

// leaseLost is asked before replies to writes leave. Time has passed since they
// were executed, perhaps much, if the process was stopped.
func (s *Server) leaseLost() bool {
	m := s.managed.machine
	return m != nil && !m.MayReply(s.clock.elapsed())
}

// mayExpire reports whether the server may delete keys by itself because their
// time is over. In a cluster only a primary that may take writes may: the bytes of
// anybody else would be in no other log.
func (s *Server) mayExpire() bool {
	m := s.managed.machine
	return m == nil || m.CanWrite(s.clock.mono)
}

// leaderless reports whether the server neither leads nor follows: it has no role
// yet, or its role has ended. Tools that only know masters and slaves must not take
// it for a master; there would seem to be two.
func (s *Server) leaderless() bool {
	m := s.managed.machine
	return m != nil && !m.Feeds() && s.repl.uplink == nil
}
