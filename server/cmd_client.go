package server

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

func (s *Server) clientSpec() *command.Spec {
	open := command.NoScript | command.Loading | command.Stale
	sub := func(name string, arity int, flags command.Flags, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Categories: command.CatConnection, Run: run}
	}
	admin := open | command.Admin
	return &command.Spec{Name: "client", Arity: -2,
		Subcommands: []*command.Spec{
			sub("caching", 3, open, s.cmdClientCaching),
			sub("capa", -3, open, cmdClientCapa),
			sub("getname", 2, open, s.cmdClientGetName),
			sub("getredir", 2, open, s.cmdClientGetRedir),
			sub("id", 2, open,
				func(c *command.Call) { c.Out.Int(session(c).id) }),
			sub("import-source", 3, open, s.cmdClientImportSource),
			sub("info", 2, open,
				func(c *command.Call) { c.Out.Verbatim("txt", s.clientLine(session(c))+"\n") }),
			sub("kill", -3, admin, s.cmdClientKill),
			sub("list", -2, admin, s.cmdClientList),
			sub("no-evict", 3, admin, s.cmdClientNoEvict),
			sub("no-touch", 3, open, s.cmdClientNoTouch),
			sub("pause", -3, admin, s.cmdClientPause),
			sub("reply", 3, open, s.cmdClientReply),
			sub("setinfo", 4, open, s.cmdClientSetInfo),
			sub("setname", 3, open, s.cmdClientSetName),
			sub("tracking", -3, open, s.cmdClientTracking),
			sub("trackinginfo", 2, open, s.cmdClientTrackingInfo),
			sub("unblock", -3, admin, s.cmdClientUnblock),
			sub("unpause", 2, admin,
				func(c *command.Call) { s.unpauseClients(); c.Out.OK() }),
			clientHelp(),
		}}
}

func clientHelp() *command.Spec {
	help := helpSpec("client", command.Loading|command.Stale,
		"GETNAME", "    Return the name of the current connection.",
		"GETREDIR", "    Return the client ID we are redirecting to when tracking is enabled.",
		"ID", "    Return the ID of the current connection.",
		"IMPORT-SOURCE (ON|OFF)", "    Let the connection see keys whose time is over while import-mode is on.",
		"INFO", "    Return information about the current client connection.",
		"KILL <ip:port>", "    Kill connection made from <ip:port>.",
		"KILL <option> <value> [<option> <value> [...]]", "    Kill connections. Options are:",
		"    * ADDR (<ip:port>|<unixsocket>:0)", "      Kill connections made from the specified address",
		"    * LADDR (<ip:port>|<unixsocket>:0)", "      Kill connections made to specified local address",
		"    * TYPE (normal|master|primary|replica|pubsub)", "      Kill connections by type.",
		"    * USER <username>", "      Kill connections authenticated by <username>.",
		"    * SKIPME (YES|NO)", "      Skip killing current connection (default: yes).",
		"    * ID <client-id> [<client-id> ...]", "      Kill connections by client id.",
		"    * MAXAGE <maxage>", "      Kill connections older than the specified age.",
		"LIST [options ...]", "    Return information about client connections. Options:",
		"    * TYPE (NORMAL|MASTER|PRIMARY|REPLICA|PUBSUB)", "      Return clients of specified type.",
		"    * ID <client-id> [<client-id> ...]", "      Return clients of specified IDs only.",
		"    * USER <username>", "      Return clients authenticated by <username>.",
		"    * ADDR <ip:port>", "      Return clients connected from the specified address.",
		"    * LADDR <ip:port>", "      Return clients connected to the specified local address.",
		"    * SKIPME (YES|NO)", "      Exclude the current connection (default: no).",
		"    * MAXAGE <maxage>", "      Return connections older than the specified age.",
		"UNPAUSE", "    Stop the current client pause, resuming traffic.",
		"PAUSE <timeout> [WRITE|ALL]", "    Suspend all, or just write, clients for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)", "    Control the replies sent to the current connection.",
		"SETNAME <name>", "    Assign the name <name> to the current connection.",
		"SETINFO <option> <value>", "    Set client meta attr. Options are:",
		"    * LIB-NAME: the client lib name.", "    * LIB-VER: the client lib version.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]", "    Unblock the specified blocked client.",
		"NO-EVICT (ON|OFF)", "    Protect current client connection from eviction.",
		"NO-TOUCH (ON|OFF)", "    Will not touch LRU/LFU stats when this mode is on.")
	help.Categories = command.CatConnection
	return help
}

// byID are all connections, oldest first, the link to the primary among them.
func (s *Server) byID() []*conn {
	all := make([]*conn, 0, len(s.conns)+1)
	for _, c := range s.conns {
		all = append(all, c)
	}
	if u := s.repl.uplink; u != nil && u.connected() {
		all = append(all, u.c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all
}

func (s *Server) cmdClientList(call *command.Call) {
	f := clientFilter{lists: true}
	if refusal := f.parse(s, session(call), call.Args[2:]); refusal != "" {
		call.Fail(refusal)
		return
	}
	all := slices.DeleteFunc(s.byID(), func(c *conn) bool { return !f.matches(s, c) })
	if f.ids != nil {
		var chosen []*conn // as often, and in the order, as they are asked for
		for _, id := range f.ids {
			if at := slices.IndexFunc(all, func(c *conn) bool { return c.id == id }); at >= 0 {
				chosen = append(chosen, all[at])
			}
		}
		all = chosen
	}
	var b strings.Builder
	for _, c := range all {
		b.WriteString(s.clientLine(c))
		b.WriteByte('\n')
	}
	call.Out.Verbatim("txt", b.String())
}

func (s *Server) cmdClientGetName(call *command.Call) {
	if name := session(call).name; name != "" {
		call.Out.BulkString(name)
		return
	}
	call.Out.Null()
}

func (s *Server) cmdClientSetName(call *command.Call) {
	if s.setName(call, session(call), call.Args[2]) {
		call.Out.OK()
	}
}

// setName gives a connection a name, or says what is wrong with it.
func (s *Server) setName(call *command.Call, c *conn, name []byte) bool {
	if !plainWord(name) {
		call.Fail("ERR Client names cannot contain spaces, newlines or special characters.")
		return false
	}
	c.name = string(name)
	return true
}

// plainWord says whether a word fits into a line of CLIENT LIST.
func plainWord(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}

func (s *Server) cmdClientSetInfo(call *command.Call) {
	c := session(call)
	value := call.Args[3]
	var field *string
	var label string
	switch {
	case foldIs(call.Args[2], "lib-name"):
		field, label = &c.libName, "lib-name"
	case foldIs(call.Args[2], "lib-ver"):
		field, label = &c.libVer, "lib-ver"
	default:
		call.Fail(command.ReplyError(fmt.Sprintf("ERR Unrecognized option '%s'", call.Args[2])))
		return
	}
	if !plainWord(value) {
		call.Fail(command.ReplyError(fmt.Sprintf("ERR %s cannot contain spaces, newlines or special characters.", label)))
		return
	}
	*field = string(value)
	call.Out.OK()
}

func (s *Server) cmdClientReply(call *command.Call) {
	c := session(call)
	switch {
	case foldIs(call.Args[2], "on"):
		c.flags &^= flagReplyOff | flagReplySkip | flagReplySkipNext
		call.Out.OK()
	case foldIs(call.Args[2], "off"):
		c.flags |= flagReplyOff
	case foldIs(call.Args[2], "skip"):
		if !c.has(flagReplyOff) {
			c.flags |= flagReplySkipNext
		}
	default:
		call.Fail(errSyntax)
	}
}

// onOff reads a switch.
func onOff(call *command.Call, arg []byte) (on, ok bool) {
	switch {
	case foldIs(arg, "on"):
		return true, true
	case foldIs(arg, "off"):
		return false, true
	}
	call.Fail(errSyntax)
	return false, false
}

func (c *conn) set(f connFlags, on bool) {
	if on {
		c.flags |= f
	} else {
		c.flags &^= f
	}
}

func (s *Server) cmdClientNoEvict(call *command.Call) {
	if on, ok := onOff(call, call.Args[2]); ok {
		session(call).set(flagNoEvict, on)
		call.Out.OK()
	}
}

func (s *Server) cmdClientNoTouch(call *command.Call) {
	if on, ok := onOff(call, call.Args[2]); ok {
		session(call).set(flagNoTouch, on)
		call.Out.OK()
	}
}

// cmdClientImportSource is for tools that copy another server's data and its deletions:
// what they write must not expire before the other server says so.
func (s *Server) cmdClientImportSource(call *command.Call) {
	if !s.config.ImportMode && !foldIs(call.Args[2], "off") {
		call.Fail("ERR Server is not in import mode")
		return
	}
	if on, ok := onOff(call, call.Args[2]); ok {
		session(call).set(flagImporting, on)
		call.Out.OK()
	}
}

// longestPause is what a pause is cut to: a hundred years, in range of every sum of
// times.
const longestPause = 100 * 365 * 24 * time.Hour

func (s *Server) cmdClientPause(call *command.Call) {
	all := true
	switch {
	case len(call.Args) == 3:
	case len(call.Args) == 4 && foldIs(call.Args[3], "write"):
		all = false
	case len(call.Args) == 4 && foldIs(call.Args[3], "all"):
	case len(call.Args) == 4:
		call.Fail("ERR CLIENT PAUSE mode must be WRITE or ALL")
		return
	default:
		call.Fail(errSubSyntax("client", call.Args[1]))
		return
	}
	ms, ok := parseInt(call.Args[2])
	if !ok {
		call.Fail("ERR timeout is not an integer or out of range")
		return
	}
	if ms < 0 {
		call.Fail("ERR timeout is negative")
		return
	}
	if ms > math.MaxInt64-s.clock.unixMs {
		call.Fail("ERR timeout is out of range")
		return
	}
	ms = min(ms, int64(longestPause/time.Millisecond))
	s.pauseClients(time.Duration(ms)*time.Millisecond, all, "client_pause")
	call.Out.OK()
}

func (s *Server) cmdClientUnblock(call *command.Call) {
	why := unblockTimeout
	switch {
	case len(call.Args) == 3:
	case len(call.Args) == 4 && foldIs(call.Args[3], "timeout"):
	case len(call.Args) == 4 && foldIs(call.Args[3], "error"):
		why = unblockError
	case len(call.Args) == 4:
		call.Fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	default:
		call.Fail(errSubSyntax("client", call.Args[1]))
		return
	}
	id, ok := parseInt(call.Args[2])
	if !ok {
		call.Fail(errNotInteger)
		return
	}
	c := s.conns[id]
	if c == nil || c.blocked == nil || c.blocked.kind == "shutdown" {
		call.Out.Int(0)
		return
	}
	s.unblock(c, why)
	call.Out.Int(1)
}
