package server

import "syscall"

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
