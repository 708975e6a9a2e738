package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

// Options are what a Server is made from.
type Options struct {
	// Config is the server's from now on. nil means the defaults.
	Config *config.Config
	// Output receives the log when no logfile is configured; nil is standard
	// output.
	Output io.Writer
	// EphemeralPort listens on a port that the kernel chooses when the
	// configured port is 0.
	EphemeralPort bool
	// Embedded leaves the process alone (its limits, its collector, its working
	// directory): the server is one of several, or part of a test.
	Embedded bool
}

// Server is one replication server. New makes it, Run runs it once.
type Server struct {
	// Fixed.
	runID     string // 40 hex digits, new at every start
	started   time.Time
	ephemeral bool
	embedded  bool
	log       *logger
	commands  *command.Table
	// Commands that the dispatcher treats specially.
	execCommand, debugCommand *command.Spec
	ready                     chan struct{} // closed when clients are served
	readyPort                 int           // written once, before ready is closed
	ended                     chan struct{} // closed when the reactor has ended

	// Shared, under its own lock.
	mail mailbox

	// Owned by the reactor from here on.
	config     *config.Config
	limits     resp.Limits
	port       int
	listeners  []listener
	tls        tlsState
	epfd       int
	events     []syscall.EpollEvent
	fds        []descriptor
	timers     timerHeap
	clock      clock
	immediate  bool // the next poll must not wait
	busy       bool // something has arrived lately
	stopped    bool // the loop ends after this turn
	stopping   *stopping
	exit       error          // what Run returns
	dropped    int            // bytes of buffers left to the collector since it was last asked to give memory back
	background sync.WaitGroup // goroutines that no other field knows
	readBuf    []byte         // of the link to a primary
	arrivals   arrivals

	users        *acl.Users
	aclLog       acl.Log
	authRequired bool // who has not authenticated may do nothing; follows from users

	conns         map[int64]*conn
	nextClientID  int64
	pendingWrites []*conn
	wrote         []*conn // executed a write whose reply has not left; the lease is checked again before it does
	current       *conn   // whose command is being executed
	monitors      monitors
	pubsub        pubsub
	held          heldPushes
	notes         eventNotes
	tracking      tracking
	weights       clientWeights
	pause         pause
	paused        map[*conn]struct{}
	resuming      []*conn // may go on with what they have sent while they had to wait
	migrating     int     // MIGRATEs under way

	keyspace    *store.Keyspace
	env         command.Env
	call1       command.Call  // the command being executed
	callTx      command.Call  // the command being executed by EXEC
	execStarted time.Duration // when that EXEC began, on the server's clock
	callWait    command.Call  // the command of a client that has waited for a key
	hooks       command.Env   // what hookEnv hooks into env; its other fields are unused
	effects     effects
	watch       watchTable
	// ownExpiring are keys with a time that clients have written to this replica.
	ownExpiring map[watchedKey]struct{}
	waits       keyWaits
	functions   functions
	scripts     scripting
	loading     bool // the data set is being loaded: few commands are allowed
	cmdClock    time.Duration
	requestSize int // bytes that the command being executed was sent as

	stats      stats
	logs       [logKinds]commandLog
	notable    time.Duration // commands that take this long are looked at: slow log, latency monitor
	sizeable   int           // bytes of a request or a reply from which on a command is looked at
	latency    latencyMonitor
	storeTimer *timer        // more of the keyspace's deferred work is to come
	gaveBack   time.Duration // on the clock: when free memory was last given back
	saving     savePoint
	expiring   expireCycle
	eviction   eviction
	memory     memoryPeak
	cronPaused bool    // DEBUG PAUSE-CRON
	cronQueue  []*conn // connections that the cron has not looked at in this round
	ballast    []byte

	repl    replState    // owned by feed_*.go and uplink_*.go
	managed managedState // owned by managed_*.go
}

// New prepares a server: it checks what can be checked without sockets.
func New(o Options) (*Server, error) {
	cfg := o.Config
	if cfg == nil {
		cfg = config.Default()
	}
	s := &Server{
		config: cfg, ephemeral: o.EphemeralPort, embedded: o.Embedded,
		runID: randomID(), started: time.Now(), clock: newClock(),
		ready: make(chan struct{}), ended: make(chan struct{}),
		conns: map[int64]*conn{}, paused: map[*conn]struct{}{},
		readBuf:  make([]byte, readChunk),
		arrivals: newArrivals(),
		keyspace: store.New(store.Options{Databases: cfg.Databases}),
	}
	out := o.Output
	if out == nil {
		out = os.Stdout
	}
	var err error
	if s.log, err = newLogger(out, cfg.LogFile, cfg.LogFormat, cfg.LogLevel); err != nil {
		return nil, err
	}
	s.applyLimits()
	s.commands = s.newTable()
	s.stats.init(s.commands.Len())
	s.stats.timed = s.config.LatencyTracking
	s.initEnv()
	s.initScripting()
	if err := s.initUsers(); err != nil {
		return nil, err
	}
	if err := s.initReplication(); err != nil {
		return nil, fmt.Errorf("prepare replication: %w", err)
	}
	if err := s.initManaged(); err != nil {
		return nil, fmt.Errorf("prepare managed mode: %w", err)
	}
	return s, nil
}

func (s *Server) newTable() *command.Table {
	t := command.NewTable()
	t.Add(describe(slices.Concat(s.connectionSpecs(), s.transactionSpecs(), s.scriptSpecs(), s.serverSpecs(), s.clusterSpecs(), s.pubsubSpecs(), s.replicationSpecs(), s.absentSpecs()))...)
	return t
}

func (s *Server) initEnv() {
	var seed [16]byte
	rand.Read(seed[:])
	random := mathrand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))
	s.effects.server = s
	s.effects.db = -1
	s.env = command.Env{
		Keyspace: s.keyspace,
		Effects:  &s.effects,
		Rand:     random.Uint64,
		MaxBulk:  s.config.ProtoMaxBulkLen,
	}
	s.call1.Env, s.callTx.Env, s.callWait.Env = &s.env, &s.env, &s.env
	s.hooks = command.Env{Touched: s.touched, Emptied: s.emptied, Swapped: s.swapped, Ready: s.waits.signal}
	s.hookEnv()
	s.env.Dumps.Compress = s.config.RDBCompression
	s.env.ReadsAll = s.readsAll
	s.env.FlushingAll = s.flushingAll
	s.applyCollectionLimits()
	s.applyRemovals()
	s.applyNotify()
	s.applyClientLimit()
	s.applyEviction()
}

// Run serves until ctx ends or SHUTDOWN; both are an orderly stop, after which
// it returns nil. It must be called once.
func (s *Server) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	if err := s.openReactor(); err != nil {
		return err
	}
	defer s.closeReactor()
	if err := s.start(ctx); err != nil {
		if s.config.LogFile != "" {
			// Who started us prints it, perhaps where nobody looks afterwards.
			s.log.Warningf("Not started: %v", err)
		}
		s.closeEverything()
		return err
	}
	stopWatching := context.AfterFunc(ctx, func() {
		s.post(func() { s.shutdown(shutdownOptions{reason: "context ended"}) })
	})
	defer stopWatching()
	s.loop()
	s.closeEverything()
	return s.exit
}

func (s *Server) start(ctx context.Context) error {
	s.prepareProcess()
	if err := s.listen(); err != nil {
		return err
	}
	s.log.Noticef("Server initialized")
	if err := s.startManaged(ctx); err != nil {
		return fmt.Errorf("start managed mode: %w", err)
	}
	s.loading = true
	s.startCron()
	s.every(tlsFilesPeriod, s.watchTLSFiles)
	s.loadAtStart(s.loaded)
	return nil
}

// loaded is called once the data set is there, or can not be had.
func (s *Server) loaded(err error) {
	if err != nil {
		s.log.Warningf("Fatal error loading the DB, check server logs. Exiting: %v", err)
		s.exit = fmt.Errorf("load data set: %w", err)
		s.stopped = true
		return
	}
	s.loading = false
	s.saving.reset(s)
	s.startReplication()
	if s.port != 0 {
		s.log.Noticef("Ready to accept connections")
	}
	if s.tls.port != 0 {
		s.log.Noticef("Ready to accept connections tls")
	}
	if s.config.UnixSocket != "" {
		s.log.Noticef("The server is now ready to accept connections at %s", s.config.UnixSocket)
	}
	s.readyPort = s.port
	close(s.ready)
}

func (s *Server) closeEverything() {
	s.stopReplication()
	s.stopManaged()
	for _, c := range s.conns {
		s.closeConn(c)
	}
	s.closeListeners(listenTCP, listenTLS, listenUnix)
	s.stopShaking()
	s.removePidFile()
	s.keyspace.Close()
}

// Ready is closed when the data set is loaded and clients are served.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Port is the TCP port on which clients are served when Ready is closed.
func (s *Server) Port() int { return s.readyPort }

// endBatch is what happens between executing and waiting.
func (s *Server) endBatch() {
	s.expiring.fast(s)
	if len(s.waits.ready) > 0 { // by what no command did: a load, the end of a pause, expiry
		s.cmdClock = s.clock.elapsed()
		s.serveReady()
	}
	s.resumeWaiting()
	s.checkWrites()
	s.feedReplicas()
	if s.tracking.changed {
		s.broadcastInvalid()
	}
	if s.weights.limit > 0 {
		s.evictClients()
	}
	if len(s.pendingWrites) > 0 {
		s.writePending()
	}
	s.forgetAnswered()
}

// checkWrites looks at the lease again before replies to writes leave: time has
// passed since they were executed, perhaps much.
func (s *Server) checkWrites() {
	if len(s.wrote) == 0 || !s.leaseLost() {
		return
	}
	for _, c := range s.wrote {
		if !c.has(flagClosed) {
			c.flags |= flagCloseNow
			s.wantWrite(c)
		}
	}
}

// forgetAnswered keeps of those who wrote only the ones whose sockets did not take
// all replies: what they still have to be told is checked again when it can leave.
func (s *Server) forgetAnswered() {
	waiting := s.wrote[:0]
	for _, c := range s.wrote {
		if !c.has(flagClosed) && c.waiting() > 0 {
			waiting = append(waiting, c)
		} else {
			c.flags &^= flagWrote
		}
	}
	clear(s.wrote[len(waiting):])
	s.wrote = waiting
}

// applyLimits copies what the parser needs from the configuration.
func (s *Server) applyLimits() {
	s.limits = resp.DefaultLimits()
	s.limits.MaxBulk = int(s.config.ProtoMaxBulkLen)
}

// randomID draws 40 hex digits.
func randomID() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
