package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/admin"
	"github.com/lockstep-db/lockstep/server/role"
)

var (
	errManagedReplicaOf = errors.New("replicaof is set, but lockstep-managed is yes: the operator says whom to follow; remove the directive")
	errNoCertificates   = errors.New("lockstep-managed is yes, but lockstep-api-cert-file, lockstep-api-key-file or lockstep-api-ca-file is not set: the operator is talked to with mutual TLS only")
)

// defaultHTTPPort is where a managed server serves health and metrics.
const defaultHTTPPort = 8080

// managedState is the role under an operator, and what is told of it. A server
// without an operator has no ledger and no machine, but tells its state to health
// checks and metrics in the same way.
type managedState struct {
	// Fixed once initManaged has run.
	ledger *role.Ledger // nil: not managed; safe for concurrent use
	tls    *tls.Config

	// Shared.
	board   statusBoard
	lastAck atomic.Int64 // nanoseconds on the server's clock, of the last acknowledgement to a primary; -1: none
	beat    atomic.Int64 // nanoseconds on the server's clock, when the reactor last published

	// Owned by the reactor.
	machine   *role.Machine // nil: not managed
	assigned  *assignment   // the last one that was followed
	obeyed    uint64        // the newest epoch whose fencing has been carried out
	pending   *timer        // a publication that is due
	published time.Duration
	leaseEnd  *timer        // when the lease ends unless it is renewed
	handover  *handover     // under way, or nil
	yieldedAt time.Duration // when it has handed over and was not told yet whom to follow; 0: it has not
	growth    growth
	seq       uint64 // of statuses, when there is no machine

	// What startManaged began and stopManaged ends.
	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	apiAddr  net.Addr // nil: not served
	httpAddr net.Addr
}

// initManaged reads what is kept about this instance. Only a state that can be
// understood lets the server start.
func (s *Server) initManaged() error {
	m := &s.managed
	m.lastAck.Store(-1)
	m.board.init()
	if !s.config.Managed {
		return nil
	}
	if s.config.ReplicaOf != nil {
		return errManagedReplicaOf
	}
	files := instance.Files{Cert: s.config.APICertFile, Key: s.config.APIKeyFile, CA: s.config.APICAFile}
	if files.Cert == "" || files.Key == "" || files.CA == "" {
		return errNoCertificates
	}
	var err error
	if m.tls, err = instance.ServerTLS(files, func(err error) {
		s.log.Warningf("Instance API: the certificates in use stay in use: %v", err)
	}); err != nil {
		return err
	}
	dir, err := filepath.Abs(s.config.Dir)
	if err != nil {
		return fmt.Errorf("find data directory: %w", err)
	}
	file, kept, err := role.OpenFile(dir, randomID)
	if err != nil {
		return err
	}
	m.ledger = role.NewLedger(kept, file)
	m.machine = role.New(m.ledger, s.runID)
	m.obeyed = kept.Epoch
	s.repl.managed.hooks = s.replicationHooks()
	s.log.Noticef("Instance %s of cluster %s starts unassigned; the highest epoch it has obeyed is %d", kept.InstanceID, s.config.Cluster, kept.Epoch)
	return nil
}

// startManaged publishes the first status and serves the instance API, health and
// metrics, so that they answer already while the data set is being loaded.
func (s *Server) startManaged(ctx context.Context) error {
	m := &s.managed
	ctx, m.stop = context.WithCancel(ctx)
	m.alive = ctx
	s.publish()
	s.every(publishInterval, s.managedTick)
	log := slog.New(&slogHandler{log: s.log})
	if m.machine != nil {
		listeners, err := listenAll(s.config.APIBind, s.portFor(s.config.APIPort))
		if err != nil {
			return fmt.Errorf("listen for the instance API: %w", err)
		}
		m.apiAddr = listeners[0].Addr()
		for _, l := range listeners {
			s.serveBeside(ctx, admin.NewAPI(managedBackend{s}, m.tls, log), l)
		}
	}
	if port := s.httpPort(); port >= 0 {
		listeners, err := listenAll(s.config.APIBind, port)
		if err != nil {
			return fmt.Errorf("listen for health checks and metrics: %w", err)
		}
		m.httpAddr = listeners[0].Addr()
		for _, l := range listeners {
			s.serveBeside(ctx, admin.NewHealth(managedBackend{s}, m.machine != nil, admin.DefaultLimits, m.board.counters, log), l)
		}
	}
	return nil
}

// portFor is the port to listen on: with an ephemeral server 0 means any.
func (s *Server) portFor(configured int) int {
	if s.ephemeral {
		return 0
	}
	return configured
}

// httpPort is where health and metrics are served; -1: not at all.
func (s *Server) httpPort() int {
	switch port := s.config.HTTPPort; {
	case s.ephemeral && (port > 0 || s.config.Managed):
		return 0
	case port > 0:
		return port
	case port < 0 && s.config.Managed:
		return defaultHTTPPort
	}
	return -1
}

// listenAll listens on the given addresses, on all there are when none is given.
func listenAll(hosts []string, port int) ([]net.Listener, error) {
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	var all []net.Listener
	for _, host := range hosts {
		if host == "*" {
			host = ""
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			for _, open := range all {
				_ = open.Close() // the other error is the one to tell
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// serveBeside serves l on a goroutine of its own until stopManaged.
func (s *Server) serveBeside(ctx context.Context, server interface {
	Serve(context.Context, net.Listener) error
}, l net.Listener) {
	s.managed.running.Add(1)
	go func() {
		defer s.managed.running.Done()
		if err := server.Serve(ctx, l); err != nil {
			s.log.Warningf("Serving %s has ended: %v", l.Addr(), err)
		}
	}()
}

// stopManaged ends what startManaged began.
func (s *Server) stopManaged() {
	if m := &s.managed; m.stop != nil {
		m.stop()
		m.running.Wait()
	}
}

// APIAddr is where the instance API is served, nil when it is not; call it after
// Ready.
func (s *Server) APIAddr() net.Addr { return s.managed.apiAddr }

// HTTPAddr is where health and metrics are served, nil when they are not; call it
// after Ready.
func (s *Server) HTTPAddr() net.Addr { return s.managed.httpAddr }

// slogHandler gives the records of the API to the server's log.
type slogHandler struct {
	log   *logger
	attrs string
}

func (h *slogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level > slog.LevelDebug
}

func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	if r.Level >= slog.LevelWarn {
		h.log.Warningf("%s", text)
	} else {
		h.log.Noticef("%s", text)
	}
	return nil
}

func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := &slogHandler{log: h.log, attrs: h.attrs}
	for _, a := range attrs {
		next.attrs += " " + a.String()
	}
	return next
}

func (h *slogHandler) WithGroup(string) slog.Handler { return h }
