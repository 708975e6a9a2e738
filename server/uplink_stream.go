package server

import (
	"bytes"
	"fmt"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/replication"
	"github.com/lockstep-db/lockstep/server/resp"
)

const (
	// streamChunk is how many bytes of the stream are taken in one turn of the loop.
	streamChunk = 64 << 10
	// promptAck is the least distance of two acknowledgements between servers of one
	// cluster, which acknowledge what they have applied without being asked.
	promptAck = 5 * time.Millisecond
)

// continued is called when the primary lets us go on from what we have.
func (u *uplink) continued(id string) {
	s := u.server
	r := &s.repl
	s.log.Noticef("Successful partial resynchronization with master at offset %d", r.offset())
	if id != "" && id != r.history.ID {
		// The same stream under a new name. Our replicas learn it by coming back.
		r.history = r.history.Promoted(id, r.offset())
		s.dropReplicas("the history has a new name")
	}
	r.stats.upPartial++
	r.ownFrom = 0 // what we wrote ourselves, if anything, is the primary's, too
	s.createLog()
	s.failoverDone()
	u.lastSync = instance.SyncPartial
	rest := u.in
	u.in = nil
	u.beginStream(rest)
}

// beginStream starts applying after the present offset.
func (u *uplink) beginStream(rest []byte) {
	s := u.server
	u.phase = linkConnected
	u.everUp = true
	u.failures, u.lastError = failures{}, ""
	u.hs = nil
	u.stream = replication.NewStream(s.repl.offset())
	local := "?:0"
	if name, err := syscall.Getsockname(u.fd); err == nil {
		local = joinSockaddr(name)
	}
	s.nextClientID++
	u.c = &conn{fd: -1, id: s.nextClientID, flags: flagPrimary | flagAuthenticated, db: max(0, s.effects.db), peer: u.via.String(), local: local,
		created: s.clock.unixMs, lastUsed: s.clock.unixMs, out: resp.Writer{Proto: 2}}
	u.to.takeOver = false
	s.repl.stale = false
	u.stream.Receive(len(rest))
	u.raw, u.start = append(u.raw[:0], rest...), 0
	s.linksChanged()
	if u.to.source != nil {
		// The snapshot is here; the stream comes from the primary itself.
		u.to.source = nil
		s.log.Noticef("Synchronized with %s; following the primary %s from offset %d", u.via, u.to, s.repl.offset())
		u.close()
		u.connect()
		return
	}
	u.apply()
}

func (u *uplink) readStream() {
	s := u.server
	have := len(u.raw)
	want := max(streamChunk, min(u.parser.Need()-(have-u.parsed()), 4<<20))
	if cap(u.raw)-have < want {
		u.compact(want)
		have = len(u.raw)
	}
	n, errno := u.read(u.raw[have : have+want])
	if errno == syscall.EAGAIN {
		return
	}
	if n <= 0 || errno != 0 {
		u.lost(replication.LinkLost, errLinkClosed)
		return
	}
	u.raw = u.raw[:have+n]
	u.heardAt = s.clock.mono
	u.c.lastUsed = s.clock.unixMs
	u.c.netInput += int64(n)
	u.stream.Receive(n)
	s.stats.netInput += int64(n)
	s.repl.stats.input += int64(n)
	u.apply()
}

// parsed is where in raw the next command begins: behind what is applied and what
// an open transaction has queued.
func (u *uplink) parsed() int { return u.start + int(u.stream.Read-u.stream.Applied) }

// compact moves what is not applied yet to the front of a buffer with room.
func (u *uplink) compact(room int) {
	rest := u.raw[u.start:]
	if cap(u.raw) < len(rest)+room {
		grown := make([]byte, len(rest), max(2*len(rest), len(rest)+room, 2*streamChunk))
		copy(grown, rest)
		u.raw = grown
	} else {
		u.raw = u.raw[:copy(u.raw[:cap(u.raw)], rest)]
	}
	u.start = 0
}

// apply executes the commands that are complete.
func (u *uplink) apply() {
	s := u.server
	for u.phase == linkConnected {
		p := u.raw[u.parsed():]
		args, n, err := u.parser.Next(p)
		if err == nil && len(args) > 0 && p[0] != '*' {
			err = fmt.Errorf("an inline command: %q", p[:min(n, 128)])
		}
		if err != nil {
			// The position in the stream is lost with it.
			s.repl.resumable = false
			u.lost(replication.LinkLost, fmt.Errorf("read the primary's stream at offset %d: %w", u.stream.Read, err))
			return
		}
		if n == 0 {
			break
		}
		var name []byte
		if len(args) > 0 {
			name = args[0]
			s.requestSize = n
			u.execute(args)
			if u.closed || u.phase != linkConnected {
				return
			}
		}
		u.took(name, n)
	}
	if u.start == len(u.raw) && cap(u.raw) > 4*streamChunk {
		s.dropped += cap(u.raw)
		u.raw, u.start = nil, 0 // a large value has passed; its buffer may go
	}
	u.ackSoon()
}

// took counts a command, and passes on what has been applied by it: byte by byte
// what the primary has sent, so that all levels agree on every offset.
func (u *uplink) took(name []byte, n int) {
	s := u.server
	// Took may look at the name, which aliases raw: both stay as they are until here.
	if applied := int(u.stream.Took(name, n)); applied > 0 {
		s.repl.log.Append(u.raw[u.start : u.start+applied])
		u.start += applied
	}
}

// execute runs one command of the primary. There is nobody to reply to; an error
// means that our data is about to differ, and has to be seen.
func (u *uplink) execute(args [][]byte) {
	s := u.server
	errorsBefore := s.stats.errorReplies
	s.request(u.c, args)
	if s.stats.errorReplies != errorsBefore {
		s.stats.unexpectedErrors++
		s.log.Warningf("== CRITICAL == This replica failed to apply %q of its master at offset %d; its data may differ now",
			bytes.Join(args[:min(len(args), 3)], []byte(" ")), u.stream.Read)
	}
	u.c.out.Buf, u.c.sent = u.c.out.Buf[:0], 0
}

// ack acknowledges what is applied. In a cluster it also extends the primary's
// lease, and must not leave after a newer epoch was heard of.
func (u *uplink) ack() {
	s := u.server
	if u.phase != linkConnected {
		return
	}
	u.ackTimer.stop()
	u.ackTimer = nil
	if u.via.hello == nil {
		u.send(replication.AppendAck(nil, u.stream.Applied))
	} else {
		news := u.stream.Received != u.told
		if may := s.repl.managed.hooks.mayAck; may != nil && !may(u.via.hello.Epoch, news) {
			return
		}
		u.told = u.stream.Received
		u.send(replication.AppendLeaseAck(nil, u.stream.Applied, u.stream.Received))
	}
	u.acked, u.ackedAt = u.stream.Applied, s.clock.mono
}

// ackSoon acknowledges what was applied in this turn, if there is a cluster whose
// quorum, lease or hand-over may wait for it.
func (u *uplink) ackSoon() {
	if u.via.hello == nil || u.phase != linkConnected || u.stream.Applied == u.acked || u.ackTimer != nil {
		return
	}
	wait := u.ackedAt + promptAck - u.server.clock.mono
	if wait <= 0 {
		u.ack()
		return
	}
	u.ackTimer = u.server.after(wait, u.ack)
}
