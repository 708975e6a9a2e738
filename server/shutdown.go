package server

import (
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// shutdownOptions is what SHUTDOWN or a signal asked for.
type shutdownOptions struct {
	reason       string
	save, noSave bool
	now          bool // do not wait for replicas
	force        bool // stop also when the snapshot fails
	signal       bool // it was a signal, not a command
}

// stopping is a shutdown that waits for replicas to catch up.
type stopping struct {
	shutdownOptions
	deadline time.Duration
	waiters  []*conn // whose SHUTDOWN it is
}

const errShutdown command.ReplyError = "ERR Errors trying to SHUTDOWN. Check logs."

// shutdown stops the server in order: writes pause until the replicas have
// everything (at most shutdown-timeout), a snapshot is written if the
// configuration asks for one, then the sockets are closed.
func (s *Server) shutdown(o shutdownOptions) error {
	if st := s.stopping; st != nil {
		st.force = st.force || o.force
		if !o.now && !o.signal {
			return nil // waits as well
		}
		return s.finishShutdown() // the second signal means it
	}
	s.log.Warningf("User requested shutdown (%s)...", o.reason)
	s.stopping = &stopping{shutdownOptions: o}
	if !o.now && s.config.ShutdownTimeout > 0 && s.replicasBehind() {
		wait := time.Duration(s.config.ShutdownTimeout) * time.Second
		s.stopping.deadline = s.clock.elapsed() + wait
		s.pauseClients(wait+time.Second, false, "shutdown_in_progress")
		s.log.Noticef("Waiting for replicas before shutting down.")
		return nil
	}
	return s.finishShutdown()
}

// shutdownCron looks whether the wait for replicas is over.
func (s *Server) shutdownCron() {
	st := s.stopping
	if st == nil || s.stopped {
		return
	}
	if s.replicasBehind() && s.clock.elapsed() < st.deadline {
		return
	}
	if err := s.finishShutdown(); err != nil {
		for _, c := range st.waiters {
			if c.blocked != nil {
				c.out.Error(string(errShutdown))
				s.unblocked(c)
			}
		}
	}
}

func (s *Server) finishShutdown() error {
	st := s.stopping
	s.logReplicas()
	s.abortSnapshot()
	save := st.save || !st.noSave && (len(s.config.Save) > 0 || s.config.Managed)
	if save && s.repl.incomplete {
		s.log.Warningf("Not saving before exiting: %v", errIncomplete)
		save = false // waiting would not make it whole
	}
	if save && !s.loading {
		s.log.Noticef("Saving the final RDB snapshot before exiting.")
		if err := s.saving.foreground(s); err != nil {
			s.log.Warningf("Error trying to save the DB: %v", err)
			if !st.force {
				s.cancelShutdown()
				return err
			}
		}
	}
	s.log.Warningf("Lockstep is now ready to exit, bye bye...")
	s.stopped = true
	s.again()
	return nil
}

// logReplicas tells who has everything at the end, and who has not.
func (s *Server) logReplicas() {
	all := s.repl.feeds
	if s.isReplica() || len(all) == 0 {
		return
	}
	synced := 0
	for _, f := range all {
		if f.progress.Holds(s.repl.offset()) {
			synced++
			continue
		}
		s.log.Noticef("Lagging replica %s does not have everything: %d of %d", hostPort(f.address()), f.progress.Confirmed, s.repl.offset())
	}
	s.log.Noticef("%d of %d replicas are in sync when shutting down.", synced, len(all))
}

// cancelShutdown goes on as if nothing had been asked.
func (s *Server) cancelShutdown() {
	if s.stopping.deadline > 0 {
		s.unpauseClients()
	}
	s.stopping = nil
}

func (s *Server) cmdShutdown(call *command.Call) {
	o := shutdownOptions{reason: "SHUTDOWN command"}
	abort := false
	for _, arg := range call.Args[1:] {
		switch {
		case foldIs(arg, "nosave"):
			o.noSave = true
		case foldIs(arg, "save"):
			o.save = true
		case foldIs(arg, "now"):
			o.now = true
		case foldIs(arg, "force"):
			o.force = true
		case foldIs(arg, "abort"):
			abort = true
		default:
			call.Fail(errSyntax)
			return
		}
	}
	if abort && len(call.Args) > 2 || o.save && o.noSave {
		call.Fail(errSyntax)
		return
	}
	if abort {
		s.abortShutdown(call)
		return
	}
	if run := s.scripts.run; run != nil && !o.noSave {
		// What a script has done so far is no state of the data.
		call.Fail(run.busy())
		return
	}
	c := session(call)
	if err := s.shutdown(o); err != nil {
		call.Fail(errShutdown)
		return
	}
	if !s.stopped && !c.has(flagMulti) {
		s.stopping.waiters = append(s.stopping.waiters, c)
		s.blockConn(c, "shutdown", nil, func(why unblockReason) {
			if why == unblockError || why == unblockTimeout {
				c.out.Error(string(errShutdown))
			}
		})
	}
}

func (s *Server) abortShutdown(call *command.Call) {
	if s.stopping == nil {
		call.Fail("ERR No shutdown in progress.")
		return
	}
	waiters := s.stopping.waiters
	s.cancelShutdown()
	for _, c := range waiters {
		if c.blocked != nil {
			c.out.Error(string(errShutdown))
			s.unblocked(c)
		}
	}
	s.log.Noticef("Shutdown manually aborted")
	call.Out.OK()
}

// Signal tells the server what the process was told: SIGTERM or SIGINT. Any
// goroutine may call it.
func (s *Server) Signal(name string) {
	s.post(func() {
		words := s.config.ShutdownOnSigterm
		if name == "SIGINT" {
			words = s.config.ShutdownOnSigint
		}
		o := shutdownOptions{reason: fmt.Sprintf("received %s", name), signal: true}
		for _, w := range words {
			switch w {
			case "save":
				o.save = true
			case "nosave":
				o.noSave = true
			case "now":
				o.now = true
			case "force":
				o.force = true
			}
		}
		if err := s.shutdown(o); err != nil {
			s.log.Warningf("%s received but errors trying to shut down the server, check the logs for more information", name)
		}
	})
}
