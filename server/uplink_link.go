package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/replication"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/tlslink"
)

var (
	errLinkClosed = errors.New("the primary closed the connection")
	errSilence    = errors.New("nothing was heard from the primary for repl-timeout")
)

// target is whom to follow.
type target struct {
	host     string
	port     int
	hello    *replication.Hello // introduce ourselves as an instance of a cluster
	source   *target            // take a full re-synchronisation from here first
	takeOver bool               // FAILOVER: the target is to become primary
}

// same says whether following t again would change nothing.
func (t target) same(o target) bool { return t.host == o.host && t.port == o.port }

func (t target) String() string { return hostPort(t.host, t.port) }

// linkPhase is how far the link to the primary has come.
type linkPhase uint8

const (
	linkIdle      linkPhase = iota // waiting for the next attempt
	linkDialing                    // a goroutine is at it
	linkHandshake                  // PING to PSYNC, and waiting for the answer
	linkTransfer                   // a snapshot is being received, checked or loaded
	linkConnected                  // the stream is flowing
)

// uplink is a replica's side of replication. It is kept over lost links; what the
// data set is, history and offset, is in replState and outlives it.
type uplink struct {
	server *Server
	to     target
	via    target // of the present attempt: to, or its source
	phase  linkPhase
	closed bool // nobody follows this target any more

	fd      int        // -1: no socket
	tls     *tlsSocket // nil: not encrypted
	cancel  context.CancelFunc
	retry   *timer
	hs      *replication.Handshake
	in      []byte // received and not consumed, before the stream
	out     []byte // to be sent; usually empty
	heardAt time.Duration

	sync fullSync

	// The stream; see uplink_stream.go.
	stream   *replication.Stream
	parser   resp.Parser
	c        *conn  // executes the primary's commands; has no socket
	raw      []byte // raw[start:] are the bytes after stream.Applied
	start    int
	ackTimer *timer
	ackedAt  time.Duration
	acked    int64 // the last offset acknowledged on this link; -1: none
	told     int64 // the last received offset told on this link; -1: none

	// What is told of it.
	lostAt       time.Duration
	everUp       bool
	failures     failures
	lastError    string
	lastSync     instance.SyncKind
	sourceFailed int
}

// setReplicaOf is REPLICAOF of a client, which CONFIG REWRITE keeps.
func (s *Server) setReplicaOf(t target) {
	s.config.ReplicaOf = &config.Address{Host: t.host, Port: t.port}
	s.startFollowing(t)
}

// startFollowing makes this server a replica of t. Data, history and offset stay,
// and so do our own replicas, until it turns out that the primary's history is
// another one. A server that was a primary asks to continue its own stream: if t
// was promoted from it, that is a partial re-synchronisation.
func (s *Server) startFollowing(t target) {
	r := &s.repl
	if r.uplink == nil && !s.config.Managed && !r.hideExpired {
		r.resumable = true
	}
	s.dropUplink("it follows another primary now")
	u := &uplink{server: s, to: t, fd: -1, acked: -1, lostAt: s.clock.mono}
	r.uplink = u
	r.hideExpired, r.stale = true, true
	s.log.setRole('S')
	s.managed.yieldedAt = 0
	s.releaseHeld() // whom to follow is known now, and can be told
	s.dismissWaiters()
	u.connect()
	s.linksChanged()
}

// dropUplink ends the link to the primary and does not make a new one. The history
// is kept, and a load that has begun goes on: without its end there is no data.
func (s *Server) dropUplink(why string) {
	u := s.repl.uplink
	if u == nil {
		return
	}
	s.log.Noticef("Leaving the primary %s: %s", u.to, why)
	u.closed = true
	u.close()
	s.repl.uplink = nil
	s.repl.stale = false
}

func (u *uplink) connected() bool { return u.phase == linkConnected }

// db is the database that the stream has selected.
func (u *uplink) db() int {
	if u.c != nil {
		return u.c.db
	}
	return u.server.effects.db
}

// connect begins an attempt.
func (u *uplink) connect() {
	s := u.server
	u.retry = nil
	if s.repl.load != nil || s.loading {
		u.retry = s.after(100*time.Millisecond, u.connect) // what is being loaded decides what to ask for
		return
	}
	u.via = u.to
	if u.to.source != nil {
		u.via = *u.to.source
	}
	u.phase = linkDialing
	timeout := time.Duration(s.config.ReplTimeout) * time.Second
	ctx, cancel := context.WithTimeout(s.repl.ctx, timeout)
	u.cancel = cancel
	address, source := u.via.String(), s.config.BindSourceAddr
	var secure *tls.Config
	if s.config.TLSReplication && s.tls.set != nil {
		secure = s.tls.set.Client
	}
	if u.failures.last == "" {
		s.log.Noticef("Connecting to MASTER %s", address)
	} else {
		s.log.Verbosef("Connecting to MASTER %s again", address)
	}
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		fd, err := dialRaw(ctx, address, source)
		var link *tlslink.Link
		if err == nil && secure != nil {
			link, err = tlslink.Client(ctx, fd, secure)
		}
		if !s.post(func() { u.dialed(ctx, fd, link, err) }) {
			closeFD(fd)
		}
	}()
}

// dialRaw connects and hands over a descriptor of which the Go runtime knows
// nothing: it is polled by the reactor.
func dialRaw(ctx context.Context, address, source string) (int, error) {
	d := net.Dialer{}
	if source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return -1, dialError(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("take socket: %w", err)
	}
	fd := -1
	var errno syscall.Errno
	err = raw.Control(func(p uintptr) {
		// The copy shares the description, which is non-blocking already.
		n, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, p, syscall.F_DUPFD_CLOEXEC, 0)
		fd, errno = int(n), e
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return -1, fmt.Errorf("take socket: %w", err)
	}
	return fd, nil
}

func (u *uplink) dialed(ctx context.Context, fd int, link *tlslink.Link, err error) {
	if u.closed || u.phase != linkDialing || ctx.Err() != nil && err == nil {
		closeFD(fd)
		return
	}
	s := u.server
	u.cancel()
	u.cancel = nil
	if err == nil {
		s.tuneSocket(fd)
		u.fd = fd
		if link != nil {
			u.tls = &tlsSocket{link: link, fd: fd}
		}
		err = s.watchFD(fd, u.readable, nil)
	} else {
		closeFD(fd)
	}
	if err != nil {
		u.lost(replication.HandshakeFailed, fmt.Errorf("connect to %s: %w", u.via, err))
		return
	}
	u.phase = linkHandshake
	u.heardAt = s.clock.mono
	u.hs = replication.NewHandshake(u.introduction())
	u.send(u.hs.Start())
	s.linksChanged()
}

func (u *uplink) introduction() replication.Introduction {
	s := u.server
	in := replication.Introduction{
		User: s.config.MasterUser, Password: s.config.MasterAuth,
		ListeningPort: s.announcedPort(), AnnounceIP: s.config.ReplicaAnnounceIP,
		Hello: u.via.hello, ID: "?", Next: -1, Failover: u.via.takeOver,
	}
	if p := s.config.ReplicaAnnouncePort; p != 0 {
		in.ListeningPort = p
	}
	if s.repl.resumable {
		in.ID, in.Next = s.repl.history.ID, s.repl.offset()+1
	}
	return in
}

// announcedPort is where the primary is told that this replica can be reached.
func (s *Server) announcedPort() int {
	if s.config.TLSReplication && s.tls.port != 0 {
		return s.tls.port
	}
	return s.port
}

// close ends the socket and everything that depends on it.
func (u *uplink) close() {
	s := u.server
	u.retry.stop()
	u.ackTimer.stop()
	u.ackTimer = nil
	if u.cancel != nil {
		u.cancel()
		u.cancel = nil
	}
	if u.fd >= 0 {
		s.unwatchFD(u.fd)
		closeFD(u.fd)
		u.fd, u.tls = -1, nil
	}
	u.sync.abandon()
	if u.c != nil {
		s.effects.db = u.c.db // where the next link's stream goes on
		s.closeConn(u.c)
		u.c = nil
	}
	u.phase, u.hs, u.in, u.out, u.raw, u.start, u.stream = linkIdle, nil, nil, nil, nil, 0, nil
	u.parser = resp.Parser{}
	u.acked, u.told = -1, -1
}

// lost ends the present link and arranges for the next attempt.
func (u *uplink) lost(how replication.Ending, err error) {
	s := u.server
	was := u.phase
	u.close()
	u.lastError = err.Error()
	if was == linkConnected {
		u.lostAt = s.clock.mono
		s.log.Warningf("Connection with master lost: %v", err)
	} else {
		u.tellFailure(was, err)
	}
	s.repl.stale = true
	if u.to.takeOver && how != replication.LinkLost && errors.Is(err, replication.ErrHandshake) {
		s.failoverRefused(err)
		return
	}
	if u.to.source != nil {
		// A source that can not help must not keep us from the primary.
		if u.sourceFailed++; u.sourceFailed >= 3 {
			s.log.Warningf("Taking the snapshot from the primary %s after all", u.to)
			u.to.source = nil
		}
	}
	pause := time.Second
	if u.to.hello != nil {
		pause = 100 * time.Millisecond // the next primary is assigned, not guessed
	}
	u.retry = s.after(replication.RetryAfter(how, pause), u.connect)
	s.linksChanged()
}

// tellFailure logs why there is no link. One that can not be made says to where.
func (u *uplink) tellFailure(was linkPhase, err error) {
	text := fmt.Sprintf("Synchronization with master %s: %v", u.via, err)
	if was == linkDialing {
		text = fmt.Sprintf("Synchronization with master: %v", err)
	}
	if line, due := u.failures.tell(text, u.server.clock.mono); due {
		u.server.log.Warningf("%s", line)
	}
}

// readable takes what the primary has sent.
func (u *uplink) readable() {
	if u.phase == linkConnected {
		u.readStream()
		return
	}
	s := u.server
	buf := s.readBuf
	if u.tls != nil {
		buf = s.tls.plaintext
	}
	n, errno := u.read(buf)
	if errno == syscall.EAGAIN {
		return
	}
	if n <= 0 || errno != 0 {
		how := replication.HandshakeFailed
		if u.phase == linkTransfer {
			how = replication.TransferAborted
		}
		u.lost(how, errLinkClosed)
		return
	}
	u.heardAt = s.clock.mono
	s.stats.netInput += int64(n)
	s.repl.stats.input += int64(n)
	if u.phase == linkTransfer {
		u.receive(buf[:n])
		return
	}
	u.in = append(u.in, buf[:n]...)
	u.shakeHands()
}

// read is rawReceive, decrypted where the link is encrypted. Then p must have room for
// tlslink.MinRead bytes.
func (u *uplink) read(p []byte) (int, syscall.Errno) {
	if u.tls == nil {
		return rawReceive(u.fd, p)
	}
	n, errno, err := u.tls.read(p, u.server.tls.ciphertext)
	if errno == 0 && n == 0 {
		u.server.log.Verbosef("Encrypted link to the primary has ended: %v", err)
	}
	return n, errno
}

// shakeHands takes the lines that have arrived.
func (u *uplink) shakeHands() {
	for u.phase == linkHandshake {
		n, step := u.hs.Consume(u.in)
		u.in = u.in[n:]
		if step.Warning != "" {
			u.server.log.Noticef("(Non critical) Master does not understand %s", step.Warning)
		}
		u.send(step.Send)
		switch step.Event {
		case replication.Wait:
			return
		case replication.Continue:
			u.continued(step.ID)
		case replication.FullResync:
			u.server.log.Noticef("Full resync from master: %s:%d", step.ID, step.Offset)
			u.sync = fullSync{id: step.ID, offset: step.Offset, peer: u.hs.Peer}
			u.server.failoverDone()
		case replication.TransferBegin:
			u.beginTransfer(step.Transfer)
		case replication.Failed:
			how := replication.HandshakeFailed
			if errors.Is(step.Err, replication.ErrStaleEpoch) {
				how = replication.EpochRefused
			}
			u.lost(how, step.Err)
			return
		}
	}
}

// send writes to the primary; what does not fit follows when there is room.
func (u *uplink) send(p []byte) {
	if len(p) == 0 || u.fd < 0 {
		return
	}
	u.out = append(u.out, p...)
	u.flush()
}

func (u *uplink) write(p []byte) (int, syscall.Errno) {
	if u.tls != nil {
		return u.tls.write(p)
	}
	return rawSend(u.fd, p)
}

func (u *uplink) flush() {
	s := u.server
	n, errno := u.write(u.out)
	if errno != 0 && errno != syscall.EAGAIN {
		return // reading tells that the link is gone
	}
	if errno == 0 {
		u.out = u.out[n:]
		s.stats.netOutput += int64(n)
		s.repl.stats.output += int64(n)
	}
	var more func()
	if len(u.out) > 0 || u.tls.pending() > 0 {
		more = u.flush
	} else {
		u.out = nil
	}
	if err := s.setWritable(u.fd, more); err != nil {
		s.log.Warningf("Link to the primary: %v", err)
	}
}

// cron is what is done about the link once a second.
func (u *uplink) cron() {
	s := u.server
	silent := s.clock.mono-u.heardAt > time.Duration(s.config.ReplTimeout)*time.Second
	switch {
	case u.phase == linkHandshake && silent:
		u.lost(replication.HandshakeFailed, errSilence)
	case u.phase == linkTransfer && u.sync.received:
		u.send([]byte{'\n'}) // checking and loading: the primary shall see that we are alive
	case u.phase == linkTransfer && silent:
		u.lost(replication.TransferAborted, errSilence)
	case u.phase == linkConnected && silent:
		u.lost(replication.LinkLost, errSilence)
	case u.phase == linkConnected:
		u.ack()
	}
}

// wireState is ROLE's word for the link.
func (u *uplink) wireState() string {
	switch u.phase {
	case linkDialing:
		return "connecting"
	case linkHandshake:
		return u.hs.Stage()
	case linkTransfer:
		return "sync"
	case linkConnected:
		return "connected"
	}
	return "connect"
}

// status is the instance API's view of the link.
func (u *uplink) status(now time.Duration) *instance.Upstream {
	r := &u.server.repl
	st := &instance.Upstream{Address: u.to.String(), LastSync: u.lastSync, LastError: u.lastError,
		FullSyncs: r.stats.upFull, PartialSyncs: r.stats.upPartial}
	switch u.phase {
	case linkIdle, linkDialing:
		st.State = instance.LinkConnecting
	case linkHandshake:
		st.State = instance.LinkHandshake
	case linkTransfer:
		st.State = instance.LinkSyncing
		st.Transfer = u.sync.progress()
	case linkConnected:
		st.State = instance.LinkConnected
	}
	if u.heardAt > 0 {
		st.LastIOMillis = millis(now - u.heardAt)
	}
	if u.phase != linkConnected && u.everUp {
		st.DownMillis = millis(now - u.lostAt)
	}
	return st
}
