package server

import (
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

func (c *conn) has(f connFlags) bool { return c.flags&f != 0 }

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
