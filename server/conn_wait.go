package server

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

// resume goes on with what was received while the connection had to wait.
func (s *Server) resume(c *conn) {
	if !c.has(flagClosed|flagCloseAfterReply|flagCloseNow) && len(c.in) > 0 {
		s.consume(c, c.in, true)
	}
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
