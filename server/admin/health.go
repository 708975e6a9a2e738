package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockstep-db/lockstep/api/instance"
)

// Limits are when a server counts as alive and as ready.
type Limits struct {
	// Busy is for how long the reactor may be stuck in one thing before the
	// process counts as dead.
	Busy time.Duration
	// Silence is for how long a replica may have heard nothing from its
	// primary and still count as ready.
	Silence time.Duration
}

// DefaultLimits: as long as the operator waits for a busy primary by default; and
// some heartbeats of the longest sensible lease.
var DefaultLimits = Limits{Busy: 30 * time.Second, Silence: 10 * time.Second}

// Health serves /livez, /readyz and /metrics.
type Health struct{ http *http.Server }

// NewHealth makes a Health that is not yet served. managed says whether the
// server belongs to a cluster. counters may be nil.
func NewHealth(backend Backend, managed bool, limits Limits, counters func() Counters, log *slog.Logger) *Health {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(backend, counters))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		check(w, alive(backend.Status(), limits))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		check(w, ready(backend.Status(), managed, limits))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
	h := &Health{http: newHTTPServer(mux, log)}
	h.http.WriteTimeout = 10 * time.Second
	return h
}

// Serve answers on l until ctx ends.
func (h *Health) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, h.http, l, func() {})
}

// check answers 200, or 503 with one reason a line.
func check(w http.ResponseWriter, reasons []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, strings.Join(reasons, "\n")) // the caller is gone
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // the caller is gone
}

// alive says why the process should be replaced by a new one. Being busy is none
// until it has lasted very long.
func alive(s *instance.Status, limits Limits) []string {
	if stall := millis(s.ReactorStallMillis); stall > limits.Busy {
		return []string{fmt.Sprintf("reactor: has not turned for %v, more than %v", stall, limits.Busy)}
	}
	return nil
}

// ready says why clients should not be sent here.
func ready(s *instance.Status, managed bool, limits Limits) []string {
	var reasons []string
	not := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }

	if s.Loading != nil {
		not("loading: the data set is being loaded, %d bytes done", s.Loading.DoneBytes)
	}
	if stall := millis(s.ReactorStallMillis); stall > time.Second {
		not("reactor: has not turned for %v", stall)
	}
	switch s.Role {
	case instance.RoleUnassigned:
		not("role: not assigned by the operator yet")
	case instance.RolePrimary:
		if managed && s.Writes != instance.WritesAllowed && s.Writes != instance.WritesPaused {
			not("writes: refused, %s", s.Writes)
		}
	case instance.RoleReplica:
		reasons = append(reasons, replicaReady(s, limits)...)
	}
	return reasons
}

func replicaReady(s *instance.Status, limits Limits) []string {
	var reasons []string
	if s.Writes == instance.WritesFenced {
		reasons = append(reasons, fmt.Sprintf("role: of epoch %d, which epoch %d has ended", s.RoleEpoch, s.Epoch))
	}
	switch up := s.Upstream; {
	case up == nil:
		reasons = append(reasons, "link: no primary to follow")
	case up.State != instance.LinkConnected:
		reasons = append(reasons, fmt.Sprintf("link: to %s is %s %s", up.Address, up.State, up.LastError))
	case up.LastIOMillis != nil && millis(*up.LastIOMillis) > limits.Silence:
		reasons = append(reasons, fmt.Sprintf("lag: nothing heard from %s for %v, more than %v", up.Address, millis(*up.LastIOMillis), limits.Silence))
	}
	return reasons
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
