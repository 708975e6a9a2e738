package server

import (
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// A script that runs for longer than busy-reply-threshold lets the server look
// after its other clients from time to time: they are told that it is busy, and
// may end the script. The rest of the reactor's work waits: timers, posted
// functions and the stream of a primary might change what the script works on, or
// the server's role. Health reports a stalled reactor, which is the truth.

const (
	// busyPollEvery is how often a slow script lets others have their turn.
	busyPollEvery = 2 * time.Millisecond
	// libraryTime is how long the code of a library may take to register its
	// functions.
	libraryTime = 500 * time.Millisecond
	// busyEvents is how many events are looked at in one such turn.
	busyEvents = 128
)

const errScriptKilled = "Script killed by user with SCRIPT KILL..."

// Interrupt implements script.Host.
func (sc *scripting) Interrupt() string {
	s, run := sc.server, sc.run
	now := s.clock.elapsed()
	if run == nil {
		if now-sc.loadingSince > libraryTime {
			return "FUNCTION LOAD timeout"
		}
		return ""
	}
	threshold := time.Duration(s.config.BusyReplyThreshold) * time.Millisecond
	if threshold <= 0 || now-run.started < threshold || now-sc.polled < busyPollEvery {
		return ""
	}
	if !run.slow {
		run.slow = true
		how := "SCRIPT KILL"
		if !run.eval {
			how = "FUNCTION KILL"
		}
		s.log.Warningf("Slow script detected: still in execution after %d milliseconds. You can try killing the script using the %s command. Script name is: %s.",
			(now - run.started).Milliseconds(), how, run.name)
	}
	s.serveWhileBusy()
	sc.polled = s.clock.elapsed()
	if run.killed || s.stopped {
		s.log.Warningf("Lua script killed by user with SCRIPT KILL.")
		return errScriptKilled
	}
	return ""
}

// busyRefusal says why a command may not run while a script does. "" also when no
// script runs.
func (s *Server) busyRefusal(spec *command.Spec) command.ReplyError {
	run := s.scripts.run
	if run == nil || !run.slow || spec.Flags&command.AllowBusy != 0 {
		return ""
	}
	return run.busy()
}

// busy says that it runs, and how it can be ended.
func (r *scriptRun) busy() command.ReplyError {
	if r.eval {
		return errBusyEval
	}
	return errBusyFunction
}

// serveWhileBusy is a turn of the loop in the middle of a command. What belongs to
// that command is put aside: the call, the read buffer into which its arguments
// point, and its connection, which is neither read nor written.
func (s *Server) serveWhileBusy() {
	sc := &s.scripts
	call, buf, current, cmdClock, held := s.call1, s.readBuf, s.current, s.cmdClock, s.held
	s.current, s.held = nil, heldPushes{}
	if sc.spareRead == nil {
		sc.spareRead = make([]byte, readChunk)
	}
	s.readBuf = sc.spareRead
	s.clock.update()
	var events [busyEvents]syscall.EpollEvent
	n, _ := epollWait(s.epfd, events[:], 0, true)
	for i := range events[:n] {
		if c := s.fds[events[i].Fd].conn; c != nil && c != sc.run.c && c.flags&flagPrimary == 0 && !s.stopped {
			s.dispatchEvent(&events[i])
		} else if d := &s.fds[events[i].Fd]; c == nil && d.accepts && !s.stopped {
			d.readable()
		}
	}
	s.checkWrites()
	s.writeOthers(sc.run.c)
	s.call1, s.readBuf, s.current, s.cmdClock, s.held = call, buf, current, cmdClock, held
}

// writeOthers is writePending for all but one connection.
func (s *Server) writeOthers(but *conn) {
	waits := but.has(flagPendingWrite)
	if waits {
		for i, c := range s.pendingWrites {
			if c == but {
				s.pendingWrites[i] = nil
			}
		}
	}
	s.writePending()
	if waits {
		s.pendingWrites = append(s.pendingWrites, but)
	}
}

// killScript ends what runs, for SCRIPT KILL or FUNCTION KILL.
func (s *Server) killScript(call *command.Call, eval bool) {
	run := s.scripts.run
	switch {
	case run == nil:
		call.Fail(errNotBusy)
	case run.c.has(flagPrimary):
		call.Fail(errOfPrimary)
	case run.wrote:
		call.Fail(errUnkillable)
	case eval && !run.eval:
		call.Fail(errBusyFunction)
	case !eval && run.eval:
		call.Fail(errBusyEval)
	default:
		run.killed = true
		call.Out.OK()
	}
}
