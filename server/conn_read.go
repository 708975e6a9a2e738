package server

import (
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/resp"
)

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

// readOff stops reading from c; the kernel's buffer then holds the sender back.
func (s *Server) readOff(c *conn) {
	if !c.has(flagReadStopped | flagClosed) {
		c.flags |= flagReadStopped
		s.connEvents(c)
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
			s.requestSize = n
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
