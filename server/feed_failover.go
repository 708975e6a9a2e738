package server

import (
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/replication"
)

// Refusals of FAILOVER, as Redis spells them.
const (
	errFailoverForce     command.ReplyError = "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
	errFailoverTimeout   command.ReplyError = "ERR FAILOVER timeout must be greater than 0"
	errFailoverRunning   command.ReplyError = "ERR FAILOVER already in progress."
	errFailoverReplica   command.ReplyError = "ERR FAILOVER is not valid when server is a replica."
	errFailoverNobody    command.ReplyError = "ERR FAILOVER requires connected replicas."
	errFailoverNotOurs   command.ReplyError = "ERR FAILOVER target HOST and PORT is not a replica."
	errFailoverNotOnline command.ReplyError = "ERR FAILOVER target replica is not online."
	errFailoverNone      command.ReplyError = "ERR No failover in progress."
)

// failoverPause is how long writes may wait for a hand-over without a time limit of
// its own.
const failoverPause = 24 * time.Hour

// failover is a FAILOVER under way.
type failover struct {
	state  replication.FailoverState
	host   string // empty: whichever replica has everything first
	port   int
	wait   replication.FailoverWait
	ticker *timer
}

func (s *Server) cmdFailover(call *command.Call) {
	if s.config.Managed {
		call.Fail(errManagedRole)
		return
	}
	o, refusal := parseFailover(call.Args[1:])
	if refusal != "" {
		call.Fail(refusal)
		return
	}
	if o.abort {
		if s.repl.failover.state == replication.NoFailover {
			call.Fail(errFailoverNone)
			return
		}
		s.abortFailover("FAILOVER ABORT")
		call.Out.OK()
		return
	}
	if refusal := s.failoverGate(o); refusal != "" {
		call.Fail(refusal)
		return
	}
	s.beginFailover(o)
	call.Out.OK()
}

type failoverOptions struct {
	host         string
	port         int64
	force, abort bool
	timeout      time.Duration
	hasTimeout   bool
}

func parseFailover(args [][]byte) (o failoverOptions, refusal command.ReplyError) {
	for i := 0; i < len(args); i++ {
		left := len(args) - i - 1
		switch {
		case foldIs(args[i], "timeout") && left >= 1 && !o.hasTimeout:
			ms, ok := parseInt(args[i+1])
			if !ok {
				return o, errNotInteger
			}
			if ms <= 0 {
				return o, errFailoverTimeout
			}
			o.timeout, o.hasTimeout = time.Duration(ms)*time.Millisecond, true
			i++
		case foldIs(args[i], "to") && left >= 2 && o.host == "":
			port, ok := parseInt(args[i+2])
			if !ok {
				return o, errNotInteger
			}
			o.host, o.port = string(args[i+1]), port
			i += 2
		case foldIs(args[i], "force") && !o.force:
			o.force = true
		case foldIs(args[i], "abort") && len(args) == 1:
			o.abort = true
		default:
			return o, errSyntax
		}
	}
	return o, ""
}

func (s *Server) failoverGate(o failoverOptions) command.ReplyError {
	r := &s.repl
	switch {
	case r.failover.state != replication.NoFailover:
		return errFailoverRunning
	case s.isReplica():
		return errFailoverReplica
	case len(r.feeds) == 0:
		return errFailoverNobody
	case o.force && (!o.hasTimeout || o.host == ""):
		return errFailoverForce
	case o.host == "":
		return ""
	}
	f := s.feedAt(o.host, int(o.port))
	switch {
	case f == nil:
		return errFailoverNotOurs
	case !f.online():
		return errFailoverNotOnline
	}
	return ""
}

func (s *Server) feedAt(host string, port int) *feed {
	for _, f := range s.repl.feeds {
		if h, p := f.address(); strings.EqualFold(h, host) && p == port {
			return f
		}
	}
	return nil
}

func (s *Server) beginFailover(o failoverOptions) {
	fo := &s.repl.failover
	*fo = failover{state: replication.FailoverWaitingForSync, host: o.host, port: int(o.port)}
	fo.wait.Force = o.force
	pause := failoverPause
	if o.hasTimeout {
		fo.wait.Deadline = s.clock.elapsed() + o.timeout
	}
	s.pauseClients(pause, false, "failover_in_progress")
	fo.wait.Offset = s.repl.offset()
	s.log.Noticef("FAILOVER requested to %s at offset %d", orAny(o.host, int(o.port)), fo.wait.Offset)
	s.failoverTick()
}

func orAny(host string, port int) string {
	if host == "" {
		return "any replica"
	}
	return hostPort(host, port)
}

// failoverTick looks ten times a second.
func (s *Server) failoverTick() {
	if s.repl.failover.state != replication.NoFailover {
		s.failoverCron()
		s.repl.failover.ticker.stop()
		s.repl.failover.ticker = s.after(100*time.Millisecond, s.failoverTick)
	}
}

// failoverCron moves a FAILOVER on that waits for its target.
func (s *Server) failoverCron() {
	fo := &s.repl.failover
	if fo.state != replication.FailoverWaitingForSync {
		return
	}
	f := s.caughtUp()
	switch replication.NextFailoverMove(fo.wait, f != nil, s.clock.elapsed()) {
	case replication.FailoverHandOver:
		host, port := f.address()
		s.handOver(host, port)
	case replication.FailoverHandOverForced:
		s.log.Warningf("FAILOVER to %s forced before it has everything", orAny(fo.host, fo.port))
		s.handOver(fo.host, fo.port)
	case replication.FailoverAbort:
		s.abortFailover("the target has not caught up in time")
	}
}

// caughtUp returns the target, or any replica when none was named, if it has
// everything.
func (s *Server) caughtUp() *feed {
	fo := &s.repl.failover
	for _, f := range s.repl.feeds {
		if h, p := f.address(); fo.host != "" && (!strings.EqualFold(h, fo.host) || p != fo.port) {
			continue
		}
		if f.online() && f.progress.HasAcked && f.progress.Confirmed == s.repl.offset() {
			return f
		}
	}
	return nil
}

// handOver makes this server a replica of the target, which learns with the PSYNC
// that it is primary now.
func (s *Server) handOver(host string, port int) {
	s.repl.failover.state = replication.FailoverInProgress
	s.log.Noticef("Failover target is %s: handing over", hostPort(host, port))
	s.setReplicaOf(target{host: host, port: port, takeOver: true})
}

// failoverDone is called when the target has answered as a primary.
func (s *Server) failoverDone() {
	if s.repl.failover.state == replication.FailoverInProgress {
		s.log.Noticef("Failover complete: this server is a replica now")
		s.endFailover()
	}
}

// failoverRefused goes on as a primary, under a new name, because the target may
// have become one for a moment.
func (s *Server) failoverRefused(err error) {
	s.log.Warningf("The failover target refused: %v", err)
	s.abortFailover("the target refused")
}

func (s *Server) abortFailover(why string) {
	s.log.Warningf("FAILOVER aborted: %s", why)
	if s.repl.failover.state == replication.FailoverInProgress {
		s.promoteHistory()
		s.config.ReplicaOf = nil
	}
	s.endFailover()
}

func (s *Server) endFailover() {
	s.repl.failover.ticker.stop()
	s.repl.failover = failover{}
	s.unpauseClients()
}
