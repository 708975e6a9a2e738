package server

import (
	"errors"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/replication"
)

func (s *Server) cmdClientKill(call *command.Call) {
	if len(call.Args) == 3 {
		s.killByAddress(call)
		return
	}
	me, killed, suicide := session(call), 0, false
	f := clientFilter{not: me}
	if refusal := f.parse(s, me, call.Args[2:]); refusal != "" {
		call.Fail(refusal)
		return
	}
	for _, c := range s.byID() {
		if !f.matches(s, c) {
			continue
		}
		killed++
		if c == me {
			suicide = true
		} else {
			s.killConn(c)
		}
	}
	call.Out.Int(int64(killed))
	if suicide {
		s.closeAfterReply(me)
	}
}

// killConn ends another one's connection. The link to the primary is made anew.
func (s *Server) killConn(c *conn) {
	if c.has(flagPrimary) {
		s.repl.uplink.lost(replication.LinkLost, errLinkKilled)
		return
	}
	s.closeConn(c)
}

var errLinkKilled = errors.New("CLIENT KILL was called for the link")

// killByAddress is the old form with one argument.
func (s *Server) killByAddress(call *command.Call) {
	for _, c := range s.byID() {
		if c.peer != string(call.Args[2]) {
			continue
		}
		call.Out.OK()
		if c == session(call) {
			s.closeAfterReply(c)
		} else {
			s.killConn(c)
		}
		return
	}
	call.Fail("ERR No such client")
}
