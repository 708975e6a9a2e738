package server

import (
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/replication"
)

// killFilter is what CLIENT KILL selects by; every field that is set must match.
type killFilter struct {
	addr, laddr, kind string
	user              *acl.User
	id, maxAge        int64
	skipMe            bool
}

func (s *Server) cmdClientKill(call *command.Call) {
	if len(call.Args) == 3 {
		s.killByAddress(call)
		return
	}
	f, ok := s.parseKillFilter(call)
	if !ok {
		return
	}
	me, killed, suicide := session(call), 0, false
	for _, c := range s.byID() {
		if !f.matches(s, c) || c == me && f.skipMe {
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

func (s *Server) parseKillFilter(call *command.Call) (killFilter, bool) {
	f := killFilter{skipMe: true}
	args := call.Args[2:]
	if len(args)%2 != 0 {
		call.Fail(errSyntax)
		return f, false
	}
	for ; len(args) > 0; args = args[2:] {
		if refusal := f.option(s, args[0], args[1]); refusal != "" {
			call.Fail(refusal)
			return f, false
		}
	}
	return f, true
}

func (f *killFilter) option(s *Server, name, value []byte) command.ReplyError {
	switch {
	case foldIs(name, "id"):
		id, ok := parseInt(value)
		if !ok || id < 1 {
			return "ERR client-id should be greater than 0"
		}
		f.id = id
	case foldIs(name, "maxage"):
		age, ok := parseInt(value)
		if !ok {
			return "ERR maxage is not an integer or out of range"
		}
		if age < 1 {
			return "ERR maxage should be greater than 0"
		}
		f.maxAge = age
	case foldIs(name, "type"):
		kind, ok := parseClientType(value)
		if !ok {
			return command.ReplyError(fmt.Sprintf("ERR Unknown client type '%s'", value))
		}
		f.kind = kind
	case foldIs(name, "addr"):
		f.addr = string(value)
	case foldIs(name, "laddr"):
		f.laddr = string(value)
	case foldIs(name, "user"):
		if f.user = s.users.Find(string(value)); f.user == nil {
			return command.ReplyError(fmt.Sprintf("ERR No such user '%s'", value))
		}
	case foldIs(name, "skipme") && foldIs(value, "yes"):
		f.skipMe = true
	case foldIs(name, "skipme") && foldIs(value, "no"):
		f.skipMe = false
	default:
		return errSyntax
	}
	return ""
}

func (f *killFilter) matches(s *Server, c *conn) bool {
	return (f.addr == "" || f.addr == c.peer) &&
		(f.laddr == "" || f.laddr == c.local) &&
		(f.user == nil || f.user == c.user) &&
		(f.kind == "" || f.kind == clientType(c)) &&
		(f.id == 0 || f.id == c.id) &&
		(f.maxAge == 0 || (s.clock.unixMs-c.created)/1000 >= f.maxAge)
}
