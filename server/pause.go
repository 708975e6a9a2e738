package server

import (
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// pause is CLIENT PAUSE, and the pause of a handover: until it ends, writes (or
// all commands) of clients wait, and nothing changes data on its own either.
type pause struct {
	active bool
	all    bool
	why    string        // of the newest, as INFO calls it
	until  time.Duration // on clock.mono
	timer  *timer
}

// pauseClients makes clients wait. A pause that is already in force is extended,
// never shortened, and WRITE does not weaken ALL, as in Redis.
func (s *Server) pauseClients(d time.Duration, all bool, why string) {
	p := &s.pause
	until := s.clock.elapsed() + d
	if p.active {
		all = all || p.all
		until = max(until, p.until)
	}
	p.timer.stop()
	*p = pause{active: true, all: all, why: why, until: until}
	p.timer = s.after(until-s.clock.elapsed(), s.unpauseClients)
}

// pausedInfo is what INFO tells of the pause.
func (s *Server) pausedInfo() (why, what string, left time.Duration) {
	p := &s.pause
	switch {
	case !p.active:
		return "none", "none", 0
	case p.all:
		what = "all"
	default:
		what = "write"
	}
	return p.why, what, max(0, p.until-s.clock.elapsed())
}

// unpauseClients lets everybody go on.
func (s *Server) unpauseClients() {
	s.pause.timer.stop()
	s.pause = pause{}
	if s.migrating > 0 {
		return // its end lets them go on
	}
	s.releaseHeld()
	s.waits.signalAll(-1)
}

// writesHeld says whether writes, or even all commands, have to wait: in a pause, or
// while keys move to another server.
func (s *Server) writesHeld() bool { return s.pause.active || s.migrating > 0 }

// mustPause says whether a command has to wait for the end of the pause.
func (s *Server) mustPause(c *conn, spec *command.Spec, args [][]byte) bool {
	if c.flags&(flagPrimary|flagReplica) != 0 {
		return false
	}
	if s.pause.all {
		// Whoever paused has to be able to end it.
		return spec.Parent() == nil || spec.Parent().Name != "client"
	}
	flags := s.gateFlags(spec, args)
	if c.tx != nil && spec == s.execCommand {
		flags |= c.tx.flags
	}
	return flags&(command.Write|command.MayReplicate) != 0
}

// holdBack makes c wait with what it has sent.
func (s *Server) holdBack(c *conn) {
	c.flags |= flagPaused
	s.paused[c] = struct{}{}
}
