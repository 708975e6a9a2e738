package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/replication"
)

// A client that has said CLIENT CAPA redirect is told by a replica where the
// primary is, instead of being served old data or refused.

// redirection is what becomes of such a client's command.
type redirection uint8

const (
	serveHere     redirection = iota
	redirectNow               // -REDIRECT host:port
	redirectLater             // the primary is changing: hold the command back until it is known
)

// handoverPatience is how long commands are held back after this server has handed
// over and before it knows whom it follows. The operator tells it within
// milliseconds; if not, the ordinary refusal sends the client away.
const handoverPatience = 2 * time.Second

const redirectCode = "REDIRECT "

// redirects decides by what is known of the primary.
func (s *Server) redirects(c *conn, spec *command.Spec, args [][]byte) redirection {
	if c.flags&(flagPrimary|flagReplica) != 0 {
		return serveHere
	}
	flags := s.gateFlags(spec, args)
	if c.tx != nil && spec == s.execCommand {
		flags |= c.tx.flags
	}
	if flags&command.Write == 0 && (flags&command.ReadOnly == 0 || c.has(flagReadonly)) {
		return serveHere
	}
	switch {
	case s.repl.uplink == nil:
		if at := s.managed.yieldedAt; at != 0 && s.clock.elapsed()-at < handoverPatience && !s.mayExpire() {
			return redirectLater
		}
		return serveHere
	case s.repl.failover.state == replication.FailoverInProgress:
		// The target may take itself for a replica still, and would send the client
		// back to us.
		return redirectLater
	}
	return redirectNow
}

func (s *Server) redirectReply() command.ReplyError {
	return command.ReplyError(fmt.Sprintf("%s%s:%d", redirectCode, s.repl.uplink.to.host, s.repl.uplink.to.port))
}

func isRedirect(why command.ReplyError) bool { return strings.HasPrefix(string(why), redirectCode) }

// holdForPrimary holds c back until it is known who the primary is.
func (s *Server) holdForPrimary(c *conn) {
	s.holdBack(c)
	if s.managed.yieldedAt != 0 {
		s.after(handoverPatience, s.releaseHeld)
	}
}

// releaseHeld presents the commands again that were held back.
func (s *Server) releaseHeld() {
	for c := range s.paused {
		c.flags &^= flagPaused
		s.resumeLater(c)
	}
	clear(s.paused)
}

// cmdClientCapa notes what the client understands. What the server has never heard
// of it need not make use of.
func cmdClientCapa(call *command.Call) {
	for _, capability := range call.Args[2:] {
		if foldIs(capability, "redirect") {
			session(call).flags |= flagRedirect
		}
	}
	call.Out.OK()
}

// cmdReadonly and cmdReadwrite say whether a replica's data will do for reads.
// Without cluster mode only a client that can be redirected has the choice.
func cmdReadonly(call *command.Call)  { setReadonly(call, true) }
func cmdReadwrite(call *command.Call) { setReadonly(call, false) }

func setReadonly(call *command.Call, on bool) {
	c := session(call)
	if !c.has(flagRedirect) {
		call.Fail(errClusterOff)
		return
	}
	c.set(flagReadonly, on)
	call.Out.OK()
}
