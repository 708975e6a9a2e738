package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/log"
	"github.com/lockstep-db/lockstep/server/replication"
	"github.com/lockstep-db/lockstep/server/tlslink"
)

// errReplicaSpoke says why a replica is dropped that sends ordinary commands.
var errReplicaSpoke = errors.New("it sent a command that has a reply")

// feed is a primary's side of one replica. It exists from the first REPLCONF on,
// and is attached by PSYNC or SYNC; from then on all output of the connection comes
// from here, in this order: head, body (a snapshot), the stream.
type feed struct {
	c *conn

	// Told by the replica before PSYNC.
	port     int
	ip       string
	eof      bool
	psync2   bool
	rdbOnly  bool
	noData   bool               // rdb-filter-only asks for nothing that there is
	hello    *replication.Hello // of an instance of our cluster; nil otherwise
	attached bool
	legacy   bool // SYNC: no FULLRESYNC line

	progress replication.Progress
	since    time.Duration // when it asked for a snapshot

	head      []byte   // lines of the handshake
	body      [][]byte // the snapshot straight from the cut
	bodyBytes int64
	bodyDone  bool
	large     int       // bytes of the body's buffers for large values
	file      *os.File  // the snapshot from the disk
	snapshot  *snapshot // the one that is being made for it
	fileLeft  int64
	framed    bool // the snapshot's header is in head or written: no newlines any more

	cursor    *log.Cursor // the stream; nil until the snapshot's moment is known
	blocked   bool        // the socket is full
	movedAt   time.Duration
	softSince time.Duration // since when the stream waiting is above the soft limit; 0: it is not
}

// feedBudget is how many bytes one replica gets in one turn of the loop.
const feedBudget = 1 << 20

// feedOf returns the feed of a connection that introduces itself as a replica.
func feedOf(c *conn) *feed {
	if c.replica == nil {
		c.replica = &feed{c: c}
	}
	return c.replica
}

// address is where the replica says that it can be reached.
func (f *feed) address() (host string, port int) {
	host = f.ip
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(f.c.peer); err != nil {
			host = f.c.peer // a Unix socket
		}
	}
	return host, f.port
}

func (f *feed) String() string { return hostPort(f.address()) }

func (f *feed) online() bool { return f.attached && f.progress.Phase == replication.Online }

// attach turns the connection into a replica's.
func (s *Server) attach(f *feed) {
	f.attached = true
	f.movedAt = s.clock.mono
	f.progress.HeardAt = s.clock.mono
	s.detachForReplication(f.c)
	s.repl.feeds = append(s.repl.feeds, f)
	if s.config.ReplDisableTCPNodelay {
		_ = syscall.SetsockoptInt(f.c.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0) // a slower link, not a broken one
	}
}

// replicaClosed is told that c, which has a feed, is gone.
func (s *Server) replicaClosed(c *conn) {
	f := c.replica
	if !f.attached {
		return
	}
	r := &s.repl
	for i, o := range r.feeds {
		if o == f {
			r.feeds = append(r.feeds[:i], r.feeds[i+1:]...)
			break
		}
	}
	if f.cursor != nil {
		f.cursor.Close()
	}
	if f.file != nil {
		_ = f.file.Close() // it was only read
	}
	f.body, f.head = nil, nil
	s.log.Noticef("Connection with replica %s lost.", f)
	if len(r.feeds) == 0 {
		r.quietSince = s.clock.mono
	}
	if sn := r.snapshot; sn != nil {
		sn.forget(f)
	}
	s.linksChanged()
}

// forget takes a replica out of a diskless snapshot, which ends with its last one.
func (sn *snapshot) forget(f *feed) {
	for i, o := range sn.feeds {
		if o == f {
			sn.feeds = append(sn.feeds[:i], sn.feeds[i+1:]...)
			if len(sn.feeds) == 0 && sn.file == nil {
				sn.abort(errSaveCancelled)
				return
			}
			sn.resume()
			return
		}
	}
}

// dropReplicas closes every replica's connection: they come back with PSYNC and
// learn what is new.
func (s *Server) dropReplicas(why string) {
	feeds := append([]*feed(nil), s.repl.feeds...)
	for _, f := range feeds {
		s.dropFeed(f, why)
	}
}

func (s *Server) dropFeed(f *feed, why string) {
	s.log.Noticef("Disconnecting replica %s: %s", f, why)
	s.closeConn(f.c)
}

// feedReplicas runs at the end of every batch: what the batch has appended to the
// log leaves before the replies to it do.
func (s *Server) feedReplicas() {
	r := &s.repl
	if r.wantAcks {
		r.wantAcks = false
		if len(r.feeds) > 0 && !s.pause.active {
			s.appendToLog(replication.GetAck)
		}
	}
	if r.log == nil || len(r.feeds) == 0 {
		return
	}
	s.streamSent()
	for i := len(r.feeds) - 1; i >= 0; i-- {
		f := r.feeds[i]
		if f.cursor == nil || f.cursor.Pending() == 0 {
			continue
		}
		if s.overLimit(f) {
			s.stats.outputLimits++
			s.dropFeed(f, fmt.Sprintf("%d bytes of the stream wait for it, more than client-output-buffer-limit replica allows", f.cursor.Pending()))
			continue
		}
		if !f.blocked {
			s.writeFeed(f)
		}
		i = min(i, len(r.feeds)) // writing may have closed it
	}
}

// overLimit checks what waits for a replica against its class's limits. A limit
// below the backlog's size makes no sense, since the backlog is kept anyway.
func (s *Server) overLimit(f *feed) bool {
	limit := s.config.OutputLimits[config.ClassReplica]
	pending := f.cursor.Pending()
	if limit.Hard > 0 && pending > max(limit.Hard, s.config.ReplBacklogSize) {
		return true
	}
	if limit.Soft == 0 || pending <= limit.Soft {
		f.softSince = 0
		return false
	}
	if f.softSince == 0 {
		f.softSince = s.clock.mono
	}
	return s.clock.mono-f.softSince > time.Duration(limit.SoftSeconds)*time.Second
}

// writeFeed writes what is there for a replica, as far as its socket takes it.
func (s *Server) writeFeed(f *feed) {
	if f.c.has(flagClosed) {
		return
	}
	f.blocked = false
	for budget := feedBudget; budget > 0; {
		n, errno, more := s.writePiece(f)
		if n > 0 {
			f.movedAt = s.clock.mono
			s.stats.netOutput += int64(n)
			s.repl.stats.output += int64(n)
			budget -= n
		}
		switch {
		case errno == syscall.EAGAIN:
			s.feedEvents(f, true)
			return
		case errno != 0:
			s.log.Verbosef("Error writing to replica %s: %v", f, errno)
			s.closeConn(f.c)
			return
		case f.c.has(flagClosed):
			return
		case !more:
			s.feedEvents(f, f.c.tls.pending() > 0)
			return
		}
	}
	s.feedEvents(f, true) // more later; the others have their turn first
}

func (s *Server) feedEvents(f *feed, writable bool) {
	f.blocked = writable
	var events uint32 = syscall.EPOLLIN
	if writable {
		events |= syscall.EPOLLOUT
	}
	if err := s.updateEvents(f.c.fd, events); err != nil {
		s.closeConn(f.c)
	}
}

// writePiece makes one system call's worth of progress. more is false when nothing
// is left to write.
func (s *Server) writePiece(f *feed) (n int, errno syscall.Errno, more bool) {
	switch {
	case f.c.tls.pending() > 0:
		errno = f.c.tls.flush()
	case len(f.head) > 0:
		n, errno = f.c.write(f.head)
		if errno == 0 {
			f.head = f.head[n:]
		}
	case len(f.body) > 0:
		n, errno = f.c.write(f.body[0])
		if errno == 0 {
			s.bodyWritten(f, n)
		}
	case f.file != nil:
		n, errno = s.sendFile(f)
	case f.bodyDone:
		f.bodyDone = false
		s.snapshotSent(f)
	case f.cursor != nil && f.online() && !f.progress.Gated && f.cursor.Pending() > 0:
		p := f.cursor.Chunk()
		n, errno = f.c.write(p[:min(len(p), feedBudget)])
		if errno == 0 {
			f.cursor.Advance(int64(n))
		}
	default:
		return 0, 0, false
	}
	return max(n, 0), errno, true
}

func (s *Server) bodyWritten(f *feed, n int) {
	before := f.bodyBytes
	f.bodyBytes -= int64(n)
	if f.body[0] = f.body[0][n:]; len(f.body[0]) == 0 {
		f.body[0] = nil
		f.body = f.body[1:]
	}
	if sn := s.repl.snapshot; sn != nil && sn.paused && before > feedQueue/2 && f.bodyBytes <= feedQueue/2 {
		sn.resume()
	}
}

// sendFile copies a piece of the snapshot file to the socket.
func (s *Server) sendFile(f *feed) (n int, errno syscall.Errno) {
	n, err := s.copyFile(f)
	if err != nil {
		if errors.As(err, &errno) {
			return 0, errno
		}
		return 0, syscall.EIO
	}
	if n == 0 && f.fileLeft > 0 {
		return 0, syscall.EIO // somebody has cut the file short
	}
	if f.fileLeft -= int64(n); f.fileLeft == 0 {
		_ = f.file.Close() // it was only read
		f.file = nil
		f.bodyDone = true
	}
	return n, 0
}

// copyFile copies from the file to the socket: the kernel does, unless the bytes have
// to be encrypted. Then nothing is pending, so that a piece is taken whole.
func (s *Server) copyFile(f *feed) (int, error) {
	if f.c.tls == nil {
		return syscall.Sendfile(f.c.fd, int(f.file.Fd()), nil, int(min(f.fileLeft, 256<<10)))
	}
	p := s.tls.piece[:min(f.fileLeft, tlslink.MaxWrite)]
	n, err := io.ReadFull(f.file, p)
	if err != nil {
		return 0, err
	}
	n, errno := f.c.write(p[:n])
	if errno != 0 {
		return n, errno
	}
	return n, nil
}

// snapshotSent is called when the last byte of the snapshot is in the socket.
func (s *Server) snapshotSent(f *feed) {
	s.dropped += f.large
	f.large = 0
	if f.rdbOnly {
		s.dropFeed(f, "it has the snapshot, which is all it asked for")
		return
	}
	s.putOnline(f)
	s.log.Noticef("Synchronization with replica %s succeeded", f)
}

func (s *Server) putOnline(f *feed) {
	f.progress.Phase = replication.Online
	f.progress.HeardAt = s.clock.mono
	s.linksChanged()
}

// feedSpoke is called when a command of a replica has produced a reply. A reply in
// the stream would be taken for a command.
func (s *Server) feedSpoke(c *conn) {
	if c.replica != nil && c.replica.attached {
		s.log.Warningf("Disconnecting replica %s: %v", c.replica, errReplicaSpoke)
		c.flags |= flagCloseNow
		s.wantWrite(c)
	}
}

// feedCron is what is done about replicas once a second.
func (s *Server) feedCron() {
	r := &s.repl
	now := s.clock.mono
	timeout := time.Duration(s.config.ReplTimeout) * time.Second
	for i := len(r.feeds) - 1; i >= 0; i-- {
		f := r.feeds[i]
		s.heard(f)
		switch {
		case f.progress.TimedOut(now, timeout):
			s.dropFeed(f, fmt.Sprintf("nothing was heard from it for repl-timeout, %v", timeout))
		case f.progress.Phase == replication.SendingSnapshot && f.framed && f.blocked && now-f.movedAt > timeout:
			s.dropFeed(f, fmt.Sprintf("it took nothing of the snapshot for repl-timeout, %v", timeout))
		case !f.online() && !f.framed:
			// The replica counts seconds, too: it must see that we are still at work.
			f.head = append(f.head, '\n')
			if !f.blocked {
				s.writeFeed(f)
			}
		}
		i = min(i, len(r.feeds))
	}
	s.planSnapshot()
	s.ping(now)
	s.settleWaiters()
}

// heard takes any byte from a replica whose gate is closed for a sign of life: it
// sends newlines while it loads.
func (s *Server) heard(f *feed) {
	if at := s.clock.mono - time.Duration(s.clock.unixMs-f.c.lastUsed)*time.Millisecond; f.progress.Gated && at > f.progress.HeardAt {
		f.progress.HeardAt = at
	}
}

// ping is the heartbeat of a stream with replicas. A replica never makes one of its
// own: what it passes on is its primary's stream, byte by byte.
func (s *Server) ping(now time.Duration) {
	r := &s.repl
	period := time.Duration(s.config.ReplPingReplicaPeriod) * time.Second
	if len(r.feeds) == 0 || r.uplink != nil || r.log == nil || now-r.pingedAt < period {
		return
	}
	if r.failover.state != replication.NoFailover || s.config.Managed {
		return // the offset has to stand still for a hand-over; a managed stream has its own heartbeat
	}
	r.pingedAt = now
	s.appendToLog(replication.Ping)
}

// goodReplicas counts the replicas that min-replicas-to-write may count on.
func (s *Server) goodReplicas() int {
	n := 0
	maxLag := time.Duration(s.config.MinReplicasMaxLag) * time.Second
	for _, f := range s.repl.feeds {
		if f.attached && !f.progress.NeverAcks && f.progress.Good(s.clock.mono, maxLag) {
			n++
		}
	}
	return n
}

// replicasBehind says whether a replica has not acknowledged everything, for an
// orderly stop. Asking for acknowledgements would move the offset, so the periodic
// ones are waited for.
func (s *Server) replicasBehind() bool {
	if s.isReplica() {
		return false
	}
	for _, f := range s.repl.feeds {
		if f.online() && !f.progress.NeverAcks && !f.progress.Holds(s.repl.offset()) {
			return true
		}
	}
	return false
}
