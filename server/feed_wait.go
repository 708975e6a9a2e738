package server

import (
	"math"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// Refusals of WAIT, as Redis spells them.
const (
	errWaitOnReplica   command.ReplyError = "ERR WAIT cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
	errWaitTimeout     command.ReplyError = "ERR timeout is negative"
	errWaitNotInteger  command.ReplyError = "ERR timeout is not an integer or out of range"
	errWaitTooLong     command.ReplyError = "ERR timeout is out of range"
	errWaitAOF         command.ReplyError = "ERR WAITAOF is not supported: this server keeps no append-only file"
	unblockedByDemote                     = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
	unblockedByCommand                    = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
)

// waiter is a client in WAIT.
type waiter struct {
	c      *conn
	want   int64
	offset int64 // of the client's last write
}

// holders counts the replicas that have acknowledged the stream up to offset.
func (s *Server) holders(offset int64) int64 {
	n := int64(0)
	for _, f := range s.repl.feeds {
		if f.attached && f.progress.Holds(offset) {
			n++
		}
	}
	return n
}

func (s *Server) cmdWait(call *command.Call) {
	if s.isReplica() || s.leaderless() {
		call.Fail(errWaitOnReplica)
		return
	}
	want, ok := parseInt(call.Args[1])
	if !ok {
		call.Fail(errNotInteger)
		return
	}
	ms, ok := parseInt(call.Args[2])
	switch {
	case !ok:
		call.Fail(errWaitNotInteger)
		return
	case ms > math.MaxInt64-s.clock.unixMs:
		call.Fail(errWaitTooLong)
		return
	case ms < 0:
		call.Fail(errWaitTimeout)
		return
	}
	c := session(call)
	have := s.holders(c.writeOffset)
	if have >= want || c.has(flagMulti) || call.Scripted {
		call.Out.Int(have)
		return
	}
	w := &waiter{c: c, want: want, offset: c.writeOffset}
	s.repl.waiters = append(s.repl.waiters, w)
	var t *timer
	if ms > 0 {
		t = s.after(time.Duration(min(ms, int64(longestPause/time.Millisecond)))*time.Millisecond, func() { s.unblock(c, unblockTimeout) })
	}
	s.blockConn(c, "wait", t, func(why unblockReason) { s.waitEnded(w, why) })
	s.repl.wantAcks = true
}

// waitEnded is called when a wait ends before enough replicas have it. That is no
// error: the client learns how many do.
func (s *Server) waitEnded(w *waiter, why unblockReason) {
	s.forgetWaiter(w)
	switch why {
	case unblockTimeout:
		w.c.out.Int(s.holders(w.offset))
	case unblockError:
		w.c.out.Error(unblockedByCommand)
	case unblockDemoted:
		w.c.out.Error(unblockedByDemote)
	}
}

func (s *Server) forgetWaiter(w *waiter) {
	for i, o := range s.repl.waiters {
		if o == w {
			s.repl.waiters = append(s.repl.waiters[:i], s.repl.waiters[i+1:]...)
			return
		}
	}
}

// settleWaiters answers those who have enough replicas now.
func (s *Server) settleWaiters() {
	if len(s.repl.waiters) == 0 {
		return
	}
	for _, w := range append([]*waiter(nil), s.repl.waiters...) {
		if have := s.holders(w.offset); have >= w.want {
			s.forgetWaiter(w)
			w.c.out.Int(have)
			s.unblocked(w.c)
		}
	}
}

// dismissWaiters ends all waits: a replica has no replicas of its own to wait for,
// and keys are to be waited for at the primary.
func (s *Server) dismissWaiters() {
	s.dismissKeyWaits()
	for _, w := range append([]*waiter(nil), s.repl.waiters...) {
		s.unblock(w.c, unblockDemoted)
	}
}

func (s *Server) cmdWaitAOF(call *command.Call) { call.Fail(errWaitAOF) }
