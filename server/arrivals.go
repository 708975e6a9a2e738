package server

import (
	"syscall"

	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

// What clients have sent is first read from several of them and then executed for
// one after the other. So the keys that they are going to need are known together,
// and the processor can wait for all of them at once (see store.DB.Prefetch); and
// the kernel's code and ours do not push each other out of its caches at every
// request.

const (
	// arrivalBatch is from how many connections is read before one is served.
	arrivalBatch = store.PrefetchBatch
	// arrivalSlot is the room for each. Slots are not a power of two apart, since
	// their beginnings would all compete for the same lines of the caches.
	arrivalSlot = readChunk + 192
	// arrivalLarge is from how many bytes on a batch would not stay in the nearest
	// cache until its turn: it is executed right away.
	arrivalLarge = 4 << 10
)

// arrivals are requests that are read and not looked at yet.
type arrivals struct {
	list []arrival
	next int // the first that has not had its turn
	buf  []byte
}

type arrival struct {
	c    *conn
	data []byte
}

func newArrivals() arrivals {
	return arrivals{list: make([]arrival, 0, arrivalBatch), buf: make([]byte, arrivalBatch*arrivalSlot)}
}

// receive reads what c, of which nothing is left over, has sent.
func (s *Server) receive(c *conn) {
	a := &s.arrivals
	slot := a.buf[len(a.list)*arrivalSlot:][:readChunk:readChunk]
	n, errno := rawReceive(c.fd, slot)
	if !s.arrived(c, n, errno) {
		return
	}
	if n >= arrivalLarge {
		s.cmdClock = s.clock.elapsed()
		s.consume(c, slot[:n], false)
		return
	}
	a.list = append(a.list, arrival{c, slot[:n]})
	if len(a.list) == arrivalBatch {
		s.serveArrivals()
	}
}

// arrived accounts for a read and says whether it brought anything.
func (s *Server) arrived(c *conn, n int, errno syscall.Errno) bool {
	switch {
	case errno == syscall.EAGAIN:
	case errno != 0:
		s.closeConn(c)
	case n == 0:
		s.hungUp(c)
	default:
		s.received(c, n)
		return true
	}
	return false
}

// serveArrivals executes what was read. It may be called again while it is under way,
// by a script that takes long, and then goes on where it is.
func (s *Server) serveArrivals() {
	a := &s.arrivals
	if len(a.list) == 0 {
		return
	}
	s.prefetchArrivals()
	s.cmdClock = s.clock.elapsed()
	for a.next < len(a.list) {
		next := a.list[a.next]
		a.next++
		if !next.c.has(flagClosed | flagCloseAfterReply | flagCloseNow) {
			s.consume(next.c, next.data, false)
		}
	}
	clear(a.list)
	a.list, a.next = a.list[:0], 0
}

func (s *Server) prefetchArrivals() {
	a := &s.arrivals
	waiting := a.list[a.next:]
	if len(waiting) < 2 {
		return
	}
	number := waiting[0].c.db
	db := s.keyspace.DB(number)
	if !db.PrefetchPays() {
		return
	}
	var hashes [store.PrefetchBatch]store.Hash
	n := 0
	for _, w := range waiting {
		if key, _ := resp.PeekKey(w.data); key != nil && w.c.db == number {
			hashes[n] = s.keyspace.Hash(key)
			n++
		}
	}
	db.Prefetch(hashes[:n])
}

// prefetchPipeline does the same for the requests at the front of data, all of one
// connection, and returns how many bytes of them it has looked at.
func (s *Server) prefetchPipeline(c *conn, data []byte) (looked int) {
	db := s.keyspace.DB(c.db)
	if !db.PrefetchPays() {
		return len(data)
	}
	var hashes [store.PrefetchBatch]store.Hash
	n := 0
	for n < len(hashes) && looked < len(data) {
		key, size := resp.PeekKey(data[looked:])
		if size == 0 {
			looked = len(data) // the last one is not complete, or something unusual
			break
		}
		looked += size
		if key != nil {
			hashes[n] = s.keyspace.Hash(key)
			n++
		}
	}
	db.Prefetch(hashes[:n])
	return looked
}
