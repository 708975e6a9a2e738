package admin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lockstep-db/lockstep/api/instance"
)

func ptr[T any](v T) *T { return &v }

func TestReadiness(t *testing.T) {
	connected := &instance.Upstream{Address: "10.0.0.1:6379", State: instance.LinkConnected, LastIOMillis: ptr(int64(100))}
	tests := []struct {
		name   string
		status instance.Status
		want   string // empty: ready
	}{
		{"a primary that takes writes", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesAllowed}, ""},
		{"a primary that hands over", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesPaused}, ""},
		{"a primary without a lease", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesLeaseExpired}, "writes: refused, LeaseExpired"},
		{"a fenced primary", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesFenced}, "writes: refused, Fenced"},
		{"nobody has said what it is", instance.Status{Role: instance.RoleUnassigned}, "role: not assigned by the operator yet"},
		{"a connected replica", instance.Status{Role: instance.RoleReplica, Writes: instance.WritesReplica, Upstream: connected}, ""},
		{"a replica without a link", instance.Status{Role: instance.RoleReplica}, "link: no primary to follow"},
		{"a replica that is still receiving the data", instance.Status{Role: instance.RoleReplica, Upstream: &instance.Upstream{Address: "a:1", State: instance.LinkSyncing}}, "link: to a:1 is syncing"},
		{"a replica that has heard nothing for long", instance.Status{Role: instance.RoleReplica, Upstream: &instance.Upstream{Address: "a:1", State: instance.LinkConnected, LastIOMillis: ptr(int64(11_000))}}, "lag: nothing heard from a:1 for 11s, more than 10s"},
		{"a fenced replica", instance.Status{Role: instance.RoleReplica, Writes: instance.WritesFenced, RoleEpoch: 3, Epoch: 4, Upstream: connected}, "role: of epoch 3, which epoch 4 has ended"},
		{"a server that loads its data", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesAllowed, Loading: &instance.Progress{DoneBytes: 5}}, "loading: the data set is being loaded, 5 bytes done"},
		{"a server that is busy", instance.Status{Role: instance.RolePrimary, Writes: instance.WritesAllowed, ReactorStallMillis: 1500}, "reactor: has not turned for 1.5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.TrimSpace(strings.Join(ready(&tt.status, true, DefaultLimits), "; ")); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestABusyServerIsAliveForAWhile(t *testing.T) {
	if got := alive(&instance.Status{ReactorStallMillis: 29_999}, DefaultLimits); len(got) > 0 {
		t.Errorf("dead already: %v", got)
	}
	if got := alive(&instance.Status{ReactorStallMillis: 30_001}, DefaultLimits); len(got) != 1 {
		t.Errorf("still alive: %v", got)
	}
}

// fullStatus has everything that can be told.
func fullStatus() instance.Status {
	return instance.Status{
		InstanceID: id, Name: "demo-1", Cluster: "default/demo", Version: "1", Role: instance.RolePrimary, Writes: instance.WritesAllowed,
		Epoch: 4, RoleEpoch: 4, Offset: ptr(int64(1000)), Window: instance.Window{FirstOffset: 1, Bytes: 1000, CapacityBytes: 2000, WriteBytesPerSecond: ptr(5.5)},
		Upstream: &instance.Upstream{State: instance.LinkConnected, LastIOMillis: ptr(int64(20))},
		Lease:    &instance.Lease{DurationMillis: 2000, RemainingMillis: 1500, Members: 3},
		Replicas: []instance.Replica{
			{Address: "10.0.0.2:6379", State: instance.FeedOnline, SentOffset: 1000, AckedOffset: ptr(int64(990))},
			{Address: "10.0.0.2:6379", State: instance.FeedOnline, AckedOffset: ptr(int64(1))}, // the same, reconnecting
			{Address: "10.0.0.3:6379", State: instance.FeedSendingSnapshot},
		},
	}
}

func fullCounters() Counters {
	return Counters{Commands: 7, Connections: 2, Started: time.Unix(1000, 0), Databases: []DatabaseCounters{{0, 5, 1}, {3, 1, 0}}}
}

func TestMetricsAreWellFormed(t *testing.T) {
	f := newFake()
	f.status = fullStatus()
	problems, err := testutil.CollectAndLint(newCollector(f, fullCounters))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	// Each of the rest is left out when it is not known.
	f.status = instance.Status{Role: instance.RoleUnassigned, Writes: instance.WritesUnassigned}
	f.seen = 0
	if _, err := testutil.CollectAndLint(newCollector(f, nil)); err != nil {
		t.Error(err)
	}
}

func TestMetricsTellWhatTheStatusSays(t *testing.T) {
	f := newFake()
	f.status, f.seen = fullStatus(), 4
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(f, fullCounters))
	want := `
# HELP lockstep_epoch Highest epoch that the instance has stored.
# TYPE lockstep_epoch gauge
lockstep_epoch 4
# HELP lockstep_keys Keys by database.
# TYPE lockstep_keys gauge
lockstep_keys{db="db0"} 5
lockstep_keys{db="db3"} 1
# HELP lockstep_lease_remaining_seconds For how long the primary may take writes unless it hears from a majority or from the operator.
# TYPE lockstep_lease_remaining_seconds gauge
lockstep_lease_remaining_seconds 1.5
# HELP lockstep_replica_lag_bytes Bytes of the stream that a replica has not acknowledged, as the primary sees it.
# TYPE lockstep_replica_lag_bytes gauge
lockstep_replica_lag_bytes{replica="10.0.0.2:6379"} 10
# HELP lockstep_role 1 for the role that the instance has: unassigned, primary or replica.
# TYPE lockstep_role gauge
lockstep_role{role="primary"} 1
lockstep_role{role="replica"} 0
lockstep_role{role="unassigned"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "lockstep_epoch", "lockstep_keys", "lockstep_lease_remaining_seconds", "lockstep_replica_lag_bytes", "lockstep_role"); err != nil {
		t.Error(err)
	}
}

func TestHealthIsServed(t *testing.T) {
	f := newFake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- NewHealth(f, true, DefaultLimits, nil, quiet).Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	get := func(path string) string {
		t.Helper()
		r, err := http.Get(fmt.Sprintf("http://%s%s", l.Addr(), path))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", r.StatusCode, body)
	}
	if got := get("/livez"); got != "200 ok\n" {
		t.Errorf("livez: %q", got)
	}
	if got := get("/readyz"); got != "503 role: not assigned by the operator yet\n" {
		t.Errorf("readyz: %q", got)
	}
	f.publish(func(s *instance.Status) { s.Role, s.Writes = instance.RolePrimary, instance.WritesAllowed })
	if got := get("/readyz"); got != "200 ok\n" {
		t.Errorf("readyz of a primary: %q", got)
	}
	if got := get("/metrics"); !strings.Contains(got, `lockstep_role{role="primary"} 1`) {
		t.Errorf("metrics: %.500q", got)
	}
}
