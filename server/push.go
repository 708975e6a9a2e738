package server

// What a connection is sent without having asked for it at that moment: messages
// of channels, and what has become invalid of what it caches.

// heldPushes are for the connection whose command is being executed. They must not
// come before or within its reply, and leave after it.
type heldPushes struct {
	invalid  [][]byte // keys; nil stands for all keys
	messages []byte
}

func (h *heldPushes) any() bool { return len(h.invalid)+len(h.messages) > 0 }

// push sends an encoded message, which begins with the sign of a push (RESP3). It
// has the same parts as an array for who speaks RESP2.
func (s *Server) push(c *conn, message []byte) {
	if c == s.current {
		s.hold(c, message)
		return
	}
	s.pushNow(c, message)
}

// hold keeps a message for c until its command has been answered, within the limit of
// what may wait for it: a script can publish without end.
func (s *Server) hold(c *conn, message []byte) {
	if c.has(flagCloseNow) {
		return
	}
	s.held.messages = appendPush(s.held.messages, message, c)
	if len(s.held.messages) > outputCheck {
		s.checkOutputLimit(c)
	}
}

func (s *Server) pushNow(c *conn, message []byte) {
	if c.flags&(flagClosed|flagCloseNow|flagCloseAfterReply|flagReplica) != 0 {
		return
	}
	c.out.Buf = appendPush(c.out.Buf, message, c)
	s.pushed(c)
}

func appendPush(dst, message []byte, c *conn) []byte {
	from := len(dst)
	dst = append(dst, message...)
	if !c.out.RESP3() {
		dst[from] = '*'
	}
	return dst
}

// pushed has what was appended to c's output written.
func (s *Server) pushed(c *conn) {
	s.wantWrite(c)
	if c.waiting() > outputCheck {
		s.checkOutputLimit(c)
	}
}

// releasePushes sends what was held back for c, whose command has been answered.
func (s *Server) releasePushes(c *conn) {
	h := &s.held
	if len(h.invalid) > 0 {
		keys := h.invalid
		h.invalid = nil
		s.releaseInvalid(c, keys)
	}
	if len(h.messages) > 0 {
		if c.flags&(flagClosed|flagCloseNow|flagCloseAfterReply) == 0 {
			c.out.Buf = append(c.out.Buf, h.messages...)
			s.pushed(c)
		}
		h.messages = retain(h.messages)
	}
}
