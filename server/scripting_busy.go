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
// that command is put aside: the call, the read buffers into which its arguments
// point, and its connection, which is neither read nor written. Nobody who waits for
// a key is served: the script may have more to do with it.
func (s *Server) serveWhileBusy() {
	sc := &s.scripts
	call, buf, tls, current, cmdClock, held, serving := s.call1, s.readBuf, s.tls.plaintext, s.current, s.cmdClock, s.held, s.waits.busy
	if sc.spareRead == nil {
		sc.spareArrivals = newArrivals()
		sc.spareRead = make([]byte, readChunk)
	}
	if len(sc.spareTLS) != len(tls) {
		sc.spareTLS = make([]byte, len(tls))
	}
	s.current, s.held, s.waits.busy = nil, heldPushes{}, true
	s.readBuf, s.tls.plaintext = sc.spareRead, sc.spareTLS
	s.clock.update()
	s.serveArrivals() // that were read before the script began
	arrivals := s.arrivals
	s.arrivals = sc.spareArrivals
	s.dispatchOthers(sc.run.c)
	s.serveArrivals()
	s.arrivals = arrivals
	s.checkWrites()
	s.writeOthers(sc.run.c)
	s.call1, s.readBuf, s.tls.plaintext, s.current, s.cmdClock, s.held, s.waits.busy = call, buf, tls, current, cmdClock, held, serving
}

// dispatchOthers looks at what clients have sent, and at new ones, but not at one
// connection.
func (s *Server) dispatchOthers(but *conn) {
	var events [busyEvents]syscall.EpollEvent
	n, _ := epollWait(s.epfd, events[:], 0, true)
	for i := range events[:n] {
		if s.stopped {
			return
		}
		d := &s.fds[events[i].Fd]
		switch c := d.conn; {
		case c != nil && c != but && c.flags&flagPrimary == 0:
			s.dispatchEvent(&events[i])
		case c == nil && d.accepts:
			d.readable()
		}
	}
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
