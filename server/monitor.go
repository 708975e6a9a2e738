package server

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/server/command"
)

// monitors are the connections that see every command.
type monitors []*conn

func (m *monitors) remove(c *conn) {
	if !c.has(flagMonitor) {
		return
	}
	for i, other := range *m {
		if other == c {
			*m = append((*m)[:i], (*m)[i+1:]...)
			return
		}
	}
}

func (s *Server) cmdMonitor(call *command.Call) {
	c := session(call)
	if c.has(flagMulti) {
		call.Fail("ERR MONITOR isn't allowed for DENY BLOCKING client")
		return
	}
	if c.has(flagMonitor) {
		return // and no reply, as in Redis: it would stand among the lines
	}
	c.flags |= flagMonitor
	s.monitors = append(s.monitors, c)
	call.Out.OK()
}

// feedMonitors shows a command to whoever watches, once it has run: what it has
// changed about the connection, such as its database, counts already.
func (s *Server) feedMonitors(c *conn, spec *command.Spec, args [][]byte) {
	if spec.Flags&(command.SkipMonitor|command.Admin) == 0 {
		s.showMonitors(c, spec, args)
	}
}

// showMonitors shows a command whatever its flags: one that runs a script, before
// what the script runs.
func (s *Server) showMonitors(c *conn, spec *command.Spec, args [][]byte) {
	source := c.peer
	if c.has(flagUnix) {
		source = "unix:" + strings.TrimSuffix(c.peer, ":0")
	}
	s.writeMonitors(source, c.db, spec, args)
}

// ranInScript is called for every command that a script has run in a database: to
// monitors and to client-side caching it is a command like others.
func (s *Server) ranInScript(db int, spec *command.Spec, args [][]byte) {
	if len(s.monitors) > 0 && spec.Flags&(command.SkipMonitor|command.Admin) == 0 {
		s.writeMonitors("lua", db, spec, args)
	}
	if s.tracking.clients > 0 {
		s.track(spec, args)
	}
}

func (s *Server) writeMonitors(source string, db int, spec *command.Spec, args [][]byte) {
	if s.loading {
		return
	}
	us := s.clock.base.Add(s.clock.elapsed()).UnixMicro()
	line := fmt.Appendf(nil, "+%d.%06d [%d %s]", us/1e6, us%1e6, db, source)
	for i, a := range args {
		line = append(line, ' ')
		if i > 0 && secretArg(spec, args, i) {
			line = append(line, `"(redacted)"`...)
			continue
		}
		line = appendQuoted(line, a)
	}
	line = append(line, "\r\n"...)
	for _, m := range s.monitors {
		if m.has(flagCloseNow) {
			continue // it reads too slowly, and this script or transaction may go on for long
		}
		m.out.Raw(line)
		s.wantWrite(m)
		s.checkOutputLimit(m)
	}
}

// appendQuoted spells bytes the way redis-cli shows them.
func appendQuoted(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, ch := range b {
		switch ch {
		case '\\', '"':
			dst = append(dst, '\\', ch)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\a':
			dst = append(dst, '\\', 'a')
		case '\b':
			dst = append(dst, '\\', 'b')
		default:
			if ch >= ' ' && ch < 0x7f {
				dst = append(dst, ch)
			} else {
				dst = append(dst, '\\', 'x')
				if ch < 16 {
					dst = append(dst, '0')
				}
				dst = strconv.AppendUint(dst, uint64(ch), 16)
			}
		}
	}
	return append(dst, '"')
}
