package server

import (
	"fmt"
	"strconv"

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
		call.Fail("ERR MONITOR isn't allowed in transactions")
		return
	}
	if !c.has(flagMonitor) {
		c.flags |= flagMonitor
		s.monitors = append(s.monitors, c)
	}
	call.Out.OK()
}

// feedMonitors shows a command to whoever watches.
func (s *Server) feedMonitors(c *conn, spec *command.Spec, args [][]byte) {
	if spec.Flags&(command.SkipMonitor|command.Admin) != 0 || s.loading {
		return
	}
	us := s.clock.base.Add(s.clock.elapsed()).UnixMicro()
	line := fmt.Appendf(nil, "%d.%06d [%d %s]", us/1e6, us%1e6, c.db, c.peer)
	for i, a := range args {
		line = append(line, ' ')
		if i > 0 && secretArg(spec, args, i) {
			line = append(line, `"(redacted)"`...)
			continue
		}
		line = appendQuoted(line, a)
	}
	for _, m := range s.monitors {
		m.out.Simple(string(line))
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
