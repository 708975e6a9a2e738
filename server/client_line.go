package server

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/lockstep-db/lockstep/server/config"
)

// clientLine describes a connection as CLIENT LIST does.
func (s *Server) clientLine(c *conn) string {
	now := s.clock.unixMs
	multi, multiMem := -1, 0
	if c.has(flagMulti) {
		multi = len(c.tx.queue)
		multiMem = c.tx.bytes
	}
	fd := c.fd
	if u := s.repl.uplink; u != nil && u.c == c {
		fd = u.fd
	}
	var b strings.Builder
	fmt.Fprintf(&b, "id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s capa=%s db=%d",
		c.id, c.peer, c.local, fd, c.name, (now-c.created)/1000, (now-c.lastUsed)/1000, clientFlags(c), clientCapabilities(c), c.db)
	fmt.Fprintf(&b, " sub=%d psub=%d ssub=%d multi=%d watch=%d",
		c.subscribed(topicChannel), c.subscribed(topicPattern), c.subscribed(topicShard), multi, len(s.watch.byConn[c]))
	queries, room := len(c.in), cap(c.in)-len(c.in)
	taken, arguments := c.parser.Taken()
	queries -= min(taken, queries)
	if c == s.current && c.reading > queries {
		queries, room = c.reading, readChunk-c.reading
	}
	fmt.Fprintf(&b, " qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d",
		queries, max(0, room), s.argumentBytes(c)+arguments, multiMem, cap(c.out.Buf), cap(c.out.Buf),
		c.waiting()-c.waitingMore(), (c.waitingMore()+firstReplies-1)/firstReplies, c.waitingMore(), c.memory())
	fmt.Fprintf(&b, " events=%s cmd=%s user=%s redir=%d resp=%d", s.eventLetters(fd, c), lastCommand(c), c.user.Name(), c.redirection(), max(c.out.Proto, 2))
	fmt.Fprintf(&b, " lib-name=%s lib-ver=%s tot-net-in=%d tot-net-out=%d tot-cmds=%d", c.libName, c.libVer, c.netInput, c.netOutput, c.commands)
	return b.String()
}

// argumentBytes is the length of the arguments of the command that is being
// executed for c.
func (s *Server) argumentBytes(c *conn) int {
	n := 0
	if c == s.current {
		for _, arg := range s.call1.Args {
			n += len(arg)
		}
	}
	return n
}

const (
	// connOverhead is what a connection costs without its buffers, roughly.
	connOverhead = 700
	// tlsOverhead is what its encryption costs beside that: measured with 2,000
	// connections that showed certificates.
	tlsOverhead = 28 << 10
	// interestOverhead is what a subscription, a prefix or a watched key costs beside
	// its name, roughly.
	interestOverhead = 100
)

// memory is what the connection occupies, in bytes.
func (c *conn) memory() int {
	n := connOverhead + cap(c.in) + cap(c.out.Buf) + c.interests
	if c.tx != nil {
		n += c.tx.bytes
	}
	if c.tls != nil {
		n += tlsOverhead + c.tls.pending()
	}
	return n
}

// interested counts the memory of what a connection has asked to be told of, n
// times 1 or -1.
func (c *conn) interested(n int, name string) { c.interests += n * (len(name) + interestOverhead) }

func lastCommand(c *conn) string {
	if c.lastCmd == nil {
		return "NULL"
	}
	return c.lastCmd.FullName()
}

func (s *Server) eventLetters(fd int, c *conn) string {
	switch {
	case c.has(flagReadStopped) || fd < 0:
		return ""
	case s.fds[fd].events&syscall.EPOLLOUT != 0:
		return "rw"
	}
	return "r"
}

func clientFlags(c *conn) string {
	var b []byte
	for _, f := range []struct {
		on     bool
		letter byte
	}{
		{c.has(flagMonitor), 'O'}, {c.has(flagReplica) && !c.has(flagMonitor), 'S'}, {c.has(flagPrimary), 'M'},
		{c.listens(), 'P'}, {c.has(flagMulti), 'x'}, {c.blocked != nil || c.has(flagPaused), 'b'},
		{c.tracking != nil, 't'}, {c.tracking != nil && c.tracking.broken, 'R'}, {c.tracking != nil && c.tracking.broadcast, 'B'},
		{c.has(flagDirtyCAS), 'd'}, {c.has(flagCloseAfterReply), 'c'}, {c.has(flagCloseNow), 'A'}, {c.has(flagUnix), 'U'},
		{c.has(flagReadonly), 'r'}, {c.has(flagNoEvict), 'e'}, {c.has(flagNoTouch), 'T'}, {c.has(flagImporting), 'I'},
	} {
		if f.on {
			b = append(b, f.letter)
		}
	}
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}

// clientCapabilities are those that it has told by CLIENT CAPA, a letter each.
func clientCapabilities(c *conn) string {
	if c.has(flagRedirect) {
		return "r"
	}
	return ""
}

// outputClass is the class of client-output-buffer-limit.
func outputClass(c *conn) int {
	if c.has(flagReplica) {
		return config.ClassReplica
	}
	if c.listens() {
		return config.ClassPubSub
	}
	return config.ClassNormal
}

// clientType is what CLIENT LIST and KILL call a type.
func clientType(c *conn) string {
	switch {
	case c.has(flagPrimary):
		return "master"
	case c.has(flagReplica):
		return "replica"
	case c.listens():
		return "pubsub"
	}
	return "normal"
}
