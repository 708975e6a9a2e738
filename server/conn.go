package server

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
)

const (
	readChunk = 32 << 10 // bytes taken from a socket per event, so that no client starves the others
	// keepOut is how much of a reply buffer a connection keeps between replies, while it
	// is not idle: 16 replies of 1 KiB in one piece must not need a new one every time.
	keepOut = 64 << 10
	// keepIn likewise for what it received.
	keepIn = 32 << 10
)

// connFlags is what is special about a connection.
type connFlags uint32

const (
	flagClosed          connFlags = 1 << iota // gone; nothing may be done with it any more
	flagCloseAfterReply                       // read no more, close when out is empty
	flagCloseNow                              // close at the end of this batch, without writing
	flagPendingWrite                          // is in s.pendingWrites
	flagPrimary                               // the stream of our primary: no replies, no gates
	flagReplica                               // a replica; its output comes from its feed
	flagMonitor
	flagMulti     // between MULTI and EXEC
	flagDirtyExec // a command could not be queued: EXEC fails
	flagDirtyCAS  // a watched key was touched: EXEC does nothing
	flagAuthenticated
	flagPaused        // waits for the end of CLIENT PAUSE
	flagReplyOff      // CLIENT REPLY OFF
	flagReplySkip     // CLIENT REPLY SKIP: the reply of this command
	flagReplySkipNext // set by SKIP itself, for the next command
	flagNoEvict
	flagNoTouch
	flagImporting // CLIENT IMPORT-SOURCE ON
	flagReadonly
	flagWrote       // has executed a write in this batch
	flagUnix        // came in by the Unix socket
	flagReadStopped // EPOLLIN is off
	flagPushReply   // the command's reply is a push, which CLIENT REPLY OFF does not silence
	flagRestricted  // its user may not do everything
	flagRedirect    // CLIENT CAPA redirect: understands -REDIRECT
)

// conn is one client. The reactor owns it.
type conn struct {
	fd    int
	id    int64
	flags connFlags
	tls   *tlsSocket // nil: not encrypted

	parser resp.Parser
	in     []byte // received and not consumed; nil when there is nothing
	out    resp.Writer
	sent   int // out.Buf[:sent] is written

	db        int
	user      *acl.User // nil: the stream of a primary, which may do anything
	name      string
	libName   string
	libVer    string
	peer      string // address:port, or the socket's path and :0
	local     string
	created   int64 // unix ms
	lastUsed  int64 // unix ms of the last received byte
	softSince int64 // unix ms since when out is above the soft limit; 0: it is not
	lastCmd   *command.Spec

	tx      *transaction // MULTI's queue and WATCH's keys; nil when unused
	blocked *blocking    // waits for something (WAIT, pause); nil when not

	netInput, netOutput int64 // bytes, for CLIENT LIST
	commands            int64
	reading             int   // bytes of requests that are being executed
	interests           int   // bytes that subscriptions, watched keys and the like occupy
	weight              int64 // what it occupied when last weighed; see clientWeights

	subs     *subscriptions // what it listens to; nil: it is not in subscriber mode
	tracking *tracker       // client-side caching; nil: off

	replica     *feed // its side of replication, when this is a replica
	writeOffset int64 // of the stream after its last write, for WAIT
}

// blocking is why a connection waits, and what to do about it.
type blocking struct {
	kind    string   // for CLIENT LIST and messages, e.g. "wait"
	timer   *timer   // the time-out, or nil
	keys    *keyWait // when it waits for keys
	unblock func(reason unblockReason)
}

// unblockReason says who ends a wait.
type unblockReason uint8

const (
	unblockTimeout unblockReason = iota // CLIENT UNBLOCK id TIMEOUT, or the time is over
	unblockError                        // CLIENT UNBLOCK id ERROR
	unblockClosed                       // the connection is being closed: reply nothing
	unblockDemoted                      // the server's role has changed
)

func (c *conn) has(f connFlags) bool { return c.flags&f != 0 }

// readable takes what has arrived and executes it, now or with that of others.
func (c *conn) readable(s *Server) {
	if c.has(flagReadStopped) {
		// Only an error or a hang-up is reported without having been asked for.
		s.closeConn(c)
		return
	}
	if c.tls != nil {
		c.readableTLS(s)
		return
	}
	have := len(c.in)
	if have == 0 {
		s.receive(c)
		return
	}
	buf := s.roomToRead(c)
	n, errno := rawReceive(c.fd, buf[have:cap(buf)][:c.readSize(cap(buf)-have)])
	if s.arrived(c, n, errno) {
		s.cmdClock = s.clock.elapsed()
		s.consume(c, buf[:have+n], true)
	}
}

// received counts n bytes of requests.
func (s *Server) received(c *conn, n int) {
	s.stats.netInput += int64(n)
	c.netInput += int64(n)
	s.stats.reads++
	c.lastUsed = s.clock.unixMs
}

// hungUp deals with a client that will send nothing more. It may still be reading:
// what it asked for is written first.
func (s *Server) hungUp(c *conn) {
	if c.waiting() > 0 && c.blocked == nil && !c.has(flagReplica) {
		s.closeAfterReply(c)
		return
	}
	s.closeConn(c)
}

// readSize limits one read: more than a chunk only for a large argument, which
// would otherwise take a turn of the loop per chunk.
func (c *conn) readSize(room int) int {
	if c.parser.Need() > 0 {
		return min(room, 1<<20)
	}
	return min(room, readChunk)
}

// roomToRead returns c.in with room behind it. It grows by factors, so that a large
// argument is moved a bounded number of times; by a large one when the argument's
// length is known, but not at once to all of it: announcing a large argument must
// cost a client something, too.
func (s *Server) roomToRead(c *conn) []byte {
	want := len(c.in) + readChunk/2
	if cap(c.in) >= want {
		return c.in
	}
	need := c.parser.Need()
	if need > keepIn && need > len(c.in) && cap(c.in) >= need {
		return c.in // the end of a large argument: what comes behind it gets a smaller buffer
	}
	size := max(want, 2*len(c.in))
	if need >= want {
		size = min(need, max(want, 8*len(c.in)))
	}
	grown := make([]byte, len(c.in), size)
	copy(grown, c.in)
	s.dropped += cap(c.in)
	c.in = grown
	return c.in
}

// consume executes the requests in data and keeps the rest. owned says that
// data is c.in with more bytes behind it, otherwise it is the shared buffer.
func (s *Server) consume(c *conn, data []byte, owned bool) {
	if owned && s.weights.limit > 0 && !s.affords(c) {
		return
	}
	c.reading = len(data)
	used := s.execute(c, data)
	c.reading = 0
	if c.has(flagClosed) {
		return
	}
	rest := data[used:]
	switch {
	case len(rest) == 0:
		if cap(c.in) > keepIn {
			s.dropped += cap(c.in)
			c.in = nil
			c.parser.Release()
		} else {
			c.in = c.in[:0]
		}
	case owned && used == 0:
		c.in = data
	case owned:
		c.in = c.in[:copy(c.in[:cap(c.in)], rest)]
	default:
		c.in = append(c.in[:0], rest...)
	}
	if s.weights.limit > 0 {
		s.weigh(c)
	}
	if c.received() > s.config.ClientQueryBuffer && !c.has(flagPrimary) {
		s.stats.queryLimitHits++
		s.log.Warningf("Closing client that reached max query buffer length: %s", s.clientLine(c))
		s.closeConn(c)
	}
}

// received is how many bytes of requests are kept that were not executed yet, those
// that MULTI has queued among them.
func (c *conn) received() int64 {
	n := int64(len(c.in))
	if c.tx != nil {
		n += int64(c.tx.bytes)
	}
	return n
}

// resume goes on with what was received while the connection had to wait.
func (s *Server) resume(c *conn) {
	if !c.has(flagClosed|flagCloseAfterReply|flagCloseNow) && len(c.in) > 0 {
		s.consume(c, c.in, true)
	}
}

// readOff stops reading from c; the kernel's buffer then holds the sender back.
func (s *Server) readOff(c *conn) {
	if !c.has(flagReadStopped | flagClosed) {
		c.flags |= flagReadStopped
		s.connEvents(c)
	}
}

func (s *Server) connEvents(c *conn) {
	var events uint32
	if !c.has(flagReadStopped) {
		events = syscall.EPOLLIN
	}
	if (len(c.out.Buf) > c.sent || c.tls.pending() > 0) && !c.has(flagPendingWrite) {
		events |= syscall.EPOLLOUT
	}
	if err := s.updateEvents(c.fd, events); err != nil {
		s.closeConn(c)
	}
}

// execute runs the complete requests at the front of data and returns how many
// bytes they were.
func (s *Server) execute(c *conn, data []byte) (used int) {
	looked := 0
	for used < len(data) && c.blocked == nil && !c.has(flagPaused) {
		if used > 0 && used >= looked {
			looked = used + s.prefetchPipeline(c, data[used:])
		}
		args, n, err := c.parser.Next(data[used:])
		if err != nil {
			s.protocolError(c, err, data[used:])
			return len(data)
		}
		if n == 0 {
			return used
		}
		if len(args) > 0 {
			if !s.request(c, args) {
				return used // it has to wait: the same bytes again later
			}
			if c.has(flagClosed | flagCloseAfterReply | flagCloseNow) {
				return len(data)
			}
		}
		used += n
	}
	return used
}

func (s *Server) protocolError(c *conn, err error, data []byte) {
	var pe resp.ProtocolError
	if !errors.As(err, &pe) {
		panic("the parser only returns protocol errors: " + err.Error())
	}
	s.stats.protocolErrors++
	seen := fmt.Sprintf("%q", data[:min(len(data), 128)])
	if s.config.HideUserData {
		seen = "*redacted*"
	}
	s.log.Verbosef("Protocol error (%s) from client: %s. Query buffer begins with: %s", string(pe), s.clientLine(c), seen)
	c.out.Error("ERR " + pe.Error())
	s.wantWrite(c)
	s.closeAfterReply(c)
}

// wantWrite makes sure that c's replies are written at the end of the batch.
func (s *Server) wantWrite(c *conn) {
	if c.flags&(flagPendingWrite|flagClosed) == 0 {
		c.flags |= flagPendingWrite
		s.pendingWrites = append(s.pendingWrites, c)
	}
}

// closeAfterReply reads nothing more from c and closes it when all is written.
func (s *Server) closeAfterReply(c *conn) {
	c.flags |= flagCloseAfterReply
	s.readOff(c)
	s.wantWrite(c)
}

// writePending writes the replies of the batch.
func (s *Server) writePending() {
	for i := 0; i < len(s.pendingWrites); i++ {
		c := s.pendingWrites[i]
		s.pendingWrites[i] = nil
		if c == nil || c.has(flagClosed) {
			continue
		}
		c.flags &^= flagPendingWrite
		if c.has(flagCloseNow) {
			s.closeConn(c)
			continue
		}
		c.writable(s)
		if s.weights.limit > 0 {
			s.weigh(c)
		}
	}
	s.pendingWrites = s.pendingWrites[:0]
}

// writable writes what is waiting, and learns of more room when not all fits.
func (c *conn) writable(s *Server) {
	if f := c.replica; f != nil && f.attached {
		s.writeFeed(f)
		return
	}
	if c.sent < len(c.out.Buf) {
		n, errno := c.write(c.out.Buf[c.sent:])
		if errno != 0 && errno != syscall.EAGAIN {
			s.closeConn(c)
			return
		}
		if n > 0 && errno == 0 {
			c.sent += n
			s.stats.netOutput += int64(n)
			c.netOutput += int64(n)
			s.stats.writes++
		}
		if c.sent < len(c.out.Buf) {
			c.compactOut()
			s.connEvents(c)
			return
		}
	}
	if c.tls != nil && !c.flushed(s) {
		return
	}
	c.sent = 0
	if cap(c.out.Buf) > keepOut {
		s.dropped += cap(c.out.Buf)
		c.out.Buf = nil
	} else {
		c.out.Buf = c.out.Buf[:0]
	}
	c.softSince = 0
	if s.fds[c.fd].events&syscall.EPOLLOUT != 0 {
		s.connEvents(c)
	}
	if c.has(flagCloseAfterReply) {
		s.closeConn(c)
	}
}

// compactOut forgets what is written of a buffer that does not get empty: a client
// that always has something on the way would let it grow for ever. Half of it at a
// time, so that every byte is moved once.
func (c *conn) compactOut() {
	if c.sent >= len(c.out.Buf)/2 {
		c.out.Buf = c.out.Buf[:copy(c.out.Buf, c.out.Buf[c.sent:])]
		c.sent = 0
	}
}

// write takes bytes for the peer, as many as fit.
func (c *conn) write(p []byte) (int, syscall.Errno) {
	if c.tls != nil {
		return c.tls.write(p)
	}
	return rawSend(c.fd, p)
}

// flushed writes what is encrypted already and says whether all of it is gone;
// otherwise writable is called again.
func (c *conn) flushed(s *Server) bool {
	switch errno := c.tls.flush(); errno {
	case 0:
		return true
	case syscall.EAGAIN:
		s.connEvents(c)
	default:
		s.closeConn(c)
	}
	return false
}

// waiting is how many bytes of replies are not written yet.
func (c *conn) waiting() int { return len(c.out.Buf) - c.sent + c.tls.pending() }

// firstReplies is how much may wait without being held against a client. Redis has a
// buffer for that in every client (obl); what does not fit in it goes to a list of such
// buffers (oll and omem), to which the output limits apply.
const firstReplies = 16 << 10

// waitingMore is how many bytes of replies are waiting if they are more than the first.
func (c *conn) waitingMore() int {
	if n := c.waiting(); n > firstReplies {
		return n
	}
	return 0
}

// closeConn ends a connection at once. Closing it twice is harmless.
func (s *Server) closeConn(c *conn) {
	if c.has(flagClosed) {
		return
	}
	if c.blocked != nil {
		s.unblock(c, unblockClosed)
	}
	c.flags |= flagClosed
	s.endTransaction(c)
	s.unwatchAll(c)
	s.monitors.remove(c)
	s.pubsub.leave(c)
	s.stopTracking(c)
	s.unweigh(c)
	delete(s.paused, c)
	if c.fd >= 0 {
		if c.tls != nil {
			c.tls.close()
		}
		s.unwatchFD(c.fd)
		closeFD(c.fd)
		delete(s.conns, c.id)
		s.log.Debugf("Client closed connection %s", c.peer)
	}
	if c.replica != nil {
		s.replicaClosed(c)
	}
	s.dropped += cap(c.in) + cap(c.out.Buf)
	c.in, c.out.Buf, c.sent = nil, nil, 0
}

// detachForReplication turns c into a replica's connection: what it sends is
// still parsed and executed (REPLCONF ACK), its output comes from elsewhere.
// writable is called when the socket has room; setFeedWritable asks for it.
func (s *Server) detachForReplication(c *conn) {
	c.flags |= flagReplica
	s.unweigh(c)
	s.endTransaction(c)
	s.unwatchAll(c)
}

// blockConn makes c wait: nothing more of what it sends is executed until
// unblock. fn is called exactly once, with the reason, when the wait ends from
// outside (time-out, CLIENT UNBLOCK, close); after it, or instead of it, call
// unblocked.
func (s *Server) blockConn(c *conn, kind string, t *timer, fn func(unblockReason)) {
	s.block(c, &blocking{kind: kind, timer: t, unblock: fn})
}

func (s *Server) block(c *conn, b *blocking) {
	c.blocked = b
	s.stats.blocked++
}

// unblock ends c's wait for the given reason.
func (s *Server) unblock(c *conn, why unblockReason) {
	b := c.blocked
	if b == nil {
		return
	}
	c.blocked = nil
	b.timer.stop()
	s.stats.blocked--
	b.unblock(why)
	if why != unblockClosed {
		s.wantWrite(c)
		s.resumeLater(c)
	}
}

// unblocked ends c's wait because what it waited for has happened; the caller
// has appended the reply.
func (s *Server) unblocked(c *conn) {
	if b := c.blocked; b != nil {
		c.blocked = nil
		b.timer.stop()
		s.stats.blocked--
		s.wantWrite(c)
		s.resumeLater(c)
	}
}

// resumeLater executes what c has sent meanwhile when all others have had their turn
// in this one of the loop.
func (s *Server) resumeLater(c *conn) { s.resuming = append(s.resuming, c) }

// resumeWaiting does that. Whom these let go on in turn has to wait for the next turn.
func (s *Server) resumeWaiting() {
	n := len(s.resuming)
	if n == 0 || s.current != nil {
		return
	}
	for _, c := range s.resuming[:n] {
		s.cmdClock = s.clock.elapsed()
		s.resume(c)
	}
	rest := copy(s.resuming, s.resuming[n:])
	clear(s.resuming[rest:])
	if s.resuming = s.resuming[:rest]; rest > 0 {
		s.again()
	}
}
