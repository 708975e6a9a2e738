package server

import (
	"fmt"
	"slices"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
)

const (
	errWrongPass  command.ReplyError = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword command.ReplyError = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errHelloAuth  command.ReplyError = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errNoProto    command.ReplyError = "NOPROTO unsupported protocol version"
)

// connectionSpecs are the commands about a connection.
func (s *Server) connectionSpecs() []*command.Spec {
	early := command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy
	conn := command.CatConnection
	return []*command.Spec{
		{Name: "auth", Arity: -2, Flags: early, Categories: conn, Run: s.cmdAuth},
		{Name: "hello", Arity: -1, Flags: early, Categories: conn, Run: s.cmdHello},
		{Name: "ping", Arity: -1, Flags: command.Fast, Categories: conn, Run: s.cmdPing},
		{Name: "echo", Arity: 2, Flags: command.Loading | command.Stale | command.Fast, Categories: conn,
			Run: func(c *command.Call) { c.Out.Bulk(c.Args[1]) }},
		{Name: "quit", Arity: -1, Flags: early, Categories: conn, Run: s.cmdQuit},
		{Name: "reset", Arity: 1, Flags: early, Categories: conn, Run: s.cmdReset},
		{Name: "select", Arity: 2, Flags: command.Loading | command.Stale | command.Fast, Categories: conn, Run: s.cmdSelect},
		s.clientSpec(),
	}
}

func (s *Server) cmdPing(call *command.Call) {
	if c := session(call); c.listens() && !c.out.RESP3() && len(call.Args) <= 2 {
		// A listener's client expects nothing but messages.
		call.Out.Array(2)
		call.Out.BulkString("pong")
		call.Out.Bulk(slices.Concat(call.Args[1:]...))
		return
	}
	switch len(call.Args) {
	case 1:
		call.Out.Simple("PONG")
	case 2:
		call.Out.Bulk(call.Args[1])
	default:
		call.Fail(errSubArity("ping"))
	}
}

func (s *Server) cmdQuit(call *command.Call) {
	c := session(call)
	call.Out.OK()
	s.closeAfterReply(c)
}

func (s *Server) cmdSelect(call *command.Call) {
	if db, ok := call.DBArg(1); ok {
		session(call).db = db.Index()
		call.Out.OK()
	}
}

// cmdReset makes a connection as if it were new.
func (s *Server) cmdReset(call *command.Call) {
	c := session(call)
	if c.has(flagReplica) {
		call.Fail("ERR can only reset normal client connections")
		return
	}
	s.endTransaction(c)
	s.monitors.remove(c)
	s.pubsub.leave(c)
	s.stopTracking(c)
	c.flags &^= flagMonitor | flagReplyOff | flagReplySkip | flagReplySkipNext | flagReadonly | flagNoTouch | flagNoEvict | flagImporting
	c.db, c.name = 0, ""
	c.out.Proto = 2
	c.loginDefault(s)
	call.Out.Simple("RESET")
}

func (s *Server) cmdAuth(call *command.Call) {
	switch len(call.Args) {
	case 2:
		if s.users.Default().NoPass() {
			call.Fail(errNoPassword)
			return
		}
		s.authenticate(call, []byte(acl.DefaultName), call.Args[1])
	case 3:
		s.authenticate(call, call.Args[1], call.Args[2])
	default:
		call.Fail(errSyntax)
		return
	}
	if !call.Failed {
		call.Out.OK()
	}
}

// authenticate logs the connection in as a user, or answers that it may not.
func (s *Server) authenticate(call *command.Call, name, password []byte) {
	c, u := session(call), s.users.Find(string(name))
	if u == nil || !u.Accepts(password) {
		context := deniedToplevel
		if c.has(flagMulti) {
			context = deniedInMulti
		}
		s.logDenial(c, acl.Entry{Reason: acl.DeniedAuth, Context: context, Object: string(call.Args[0]), UserName: string(name)})
		call.Fail(errWrongPass)
		return
	}
	c.login(s, u, true)
}

// hello is what HELLO was asked for.
type hello struct {
	proto          int
	user, password []byte
	auth           bool
	name           []byte
	setName        bool
}

func (s *Server) cmdHello(call *command.Call) {
	c := session(call)
	h, ok := parseHello(call, c.out.Proto)
	if !ok {
		return
	}
	if h.auth {
		if s.authenticate(call, h.user, h.password); call.Failed {
			return
		}
	}
	if !c.has(flagAuthenticated) {
		call.Fail(errHelloAuth)
		return
	}
	if h.setName && !s.setName(call, c, h.name) {
		return
	}
	c.out.Proto = h.proto
	s.greet(call, c)
}

func parseHello(call *command.Call, proto int) (hello, bool) {
	h := hello{proto: proto}
	args := call.Args[1:]
	if len(args) > 0 {
		v, ok := parseInt(args[0])
		if !ok {
			call.Fail("ERR Protocol version is not an integer or out of range")
			return h, false
		}
		if v != 2 && v != 3 {
			call.Fail(errNoProto)
			return h, false
		}
		h.proto = int(v)
		args = args[1:]
	}
	for len(args) > 0 {
		switch {
		case foldIs(args[0], "auth") && len(args) >= 3:
			h.auth, h.user, h.password = true, args[1], args[2]
			args = args[3:]
		case foldIs(args[0], "setname") && len(args) >= 2:
			h.setName, h.name = true, args[1]
			args = args[2:]
		default:
			call.Fail(command.ReplyError(fmt.Sprintf("ERR Syntax error in HELLO option '%s'", args[0])))
			return h, false
		}
	}
	return h, true
}

func (s *Server) greet(call *command.Call, c *conn) {
	out := call.Out
	zone := s.config.AvailabilityZone
	if zone != "" {
		out.Map(8)
	} else {
		out.Map(7)
	}
	out.BulkString("server")
	out.BulkString("redis")
	out.BulkString("version")
	out.BulkString(compatVersion)
	out.BulkString("proto")
	out.Int(int64(c.out.Proto))
	out.BulkString("id")
	out.Int(c.id)
	out.BulkString("mode")
	out.BulkString("standalone")
	out.BulkString("role")
	if s.isReplica() || s.leaderless() {
		out.BulkString("replica")
	} else {
		out.BulkString("master")
	}
	out.BulkString("modules")
	out.Array(0)
	if zone != "" {
		out.BulkString("availability_zone")
		out.BulkString(zone)
	}
}
