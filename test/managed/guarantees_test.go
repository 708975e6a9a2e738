package managed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/role"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestNeverBootsAsPrimary: a server that has just started takes no writes, answers
// no reads and feeds nobody, also when it was the primary before it was killed.
func TestNeverBootsAsPrimary(t *testing.T) {
	c := newCluster(t, longLease)
	dir := t.TempDir()
	m := c.startProcess("demo-1", "--dir", dir)
	nothing := func(m *member) {
		t.Helper()
		m.verdict(instance.WritesUnassigned)
		if reply := m.Client(t).Do("SET", "key", "value"); !refused(reply, "READONLY") {
			t.Errorf("a write: %v", reply)
		}
		if reply := m.Client(t).Do("GET", "key"); !refused(reply, "MASTERDOWN") {
			t.Errorf("a read: %v", reply)
		}
		if reply := m.Client(t).Do("PSYNC", "?", "-1"); !refused(reply, "NOMASTERLINK") {
			t.Errorf("a replica: %v", reply)
		}
		if reply := m.Client(t).Do("REPLICAOF", "NO", "ONE"); !refused(reply, "ERR") {
			t.Errorf("a user that wants to promote: %v", reply)
		}
		m.Client(t).Must("PONG", "PING")
		if info := m.Client(t).Info(); info["role"] != "slave" || info["lockstep_writes"] != "Unassigned" {
			t.Errorf("INFO calls it a %s whose writes are %s", info["role"], info["lockstep_writes"])
		}
		m.Client(t).Must("[slave  0 none -1]", "ROLE")
	}
	nothing(m)
	before := m.promote(5, 1)
	m.Client(t).Must("OK", "SET", "key", "value")
	if info := m.Client(t).Info(); info["role"] != "master" || info["lockstep_epoch"] != "5" {
		t.Errorf("INFO calls the primary a %s of epoch %s", info["role"], info["lockstep_epoch"])
	}
	m.Client(t).Must("OK", "SAVE")

	m.Kill()
	m = c.startProcess("demo-1", "--dir", dir)
	nothing(m)
	after := m.status()
	if after.Epoch != 5 || after.RoleEpoch != 0 || after.InstanceID != before.InstanceID || after.BootID == before.BootID {
		t.Errorf("before: %+v\nafter: %+v", before, after)
	}
	_, err := m.api.Promote(m.ctx(), instance.PromoteRequest{Epoch: 4, Members: 1, LeaseMillis: longLease})
	if instance.CodeOf(err) != instance.CodeStaleEpoch {
		t.Errorf("a promotion of an epoch that is over: %v", err)
	}
	m.promote(6, 1)
	m.Client(t).Must("value", "GET", "key")
	m.Client(t).Must("OK", "SET", "key", "again")
}

// TestOnePrimaryPerEpoch: whoever hears of a higher epoch stops at once, also on
// connections that are open.
func TestOnePrimaryPerEpoch(t *testing.T) {
	ways := []struct {
		name string
		tell func(m *member)
	}{
		{"the operator fences", func(m *member) { m.fence(2) }},
		{"the operator asks for something else in a higher epoch", func(m *member) {
			_, err := m.api.Lease(m.ctx(), instance.LeaseRequest{Epoch: 2, Members: 1, LeaseMillis: longLease})
			if instance.CodeOf(err) != instance.CodeNotPrimary {
				t.Errorf("a renewal in a higher epoch: %v", err)
			}
		}},
		{"a replica says hello with a higher epoch", func(m *member) {
			reply := m.Client(t).Do("REPLCONF", "lockstep-hello", "2", strings.Repeat("ab", 20))
			if !refused(reply, "FENCED") {
				t.Errorf("the answer to the hello: %v", reply)
			}
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			c := newCluster(t, longLease)
			c.t = t
			m := c.start("demo-1")
			m.promote(1, 1)
			client := m.Client(t)
			client.Must("OK", "SET", "key", "value")
			way.tell(m)
			client.Send("SET", "key", "other")
			if reply, err := client.Read(); !refused(reply, "READONLY") && err == nil {
				t.Errorf("after the fence: %v", reply)
			}
			client.AwaitClose()
			m.verdict(instance.WritesFenced)
			m.until("the epoch is stored", func(st *instance.Status) bool { return st.Epoch == 2 })
			m.Client(t).Must("value", "GET", "key")
		})
	}
}

// TestIsolatedPrimaryStops: without a majority and without the operator a primary
// stops, and goes on when it hears of them again.
func TestIsolatedPrimaryStops(t *testing.T) {
	c := newCluster(t, shortLease)
	m := c.start("demo-1")
	m.promote(1, 3)
	client := m.Client(t)
	servertest.Until(t, "the operator's grant lets writes through", func() error {
		m.grant(1, 3)
		if accepted, reply := trySet(client, "key", "value"); !accepted {
			client = m.Client(t)
			return fmt.Errorf("refused: %v", reply)
		}
		return nil
	})
	untilRefused(t, client)
	m.verdict(instance.WritesLeaseExpired)
	if reply := m.Client(t).Do("SET", "key", "value"); !refused(reply, "READONLY") {
		t.Errorf("on a new connection: %v", reply)
	}
	m.grant(1, 3)
	m.verdict(instance.WritesAllowed)
}

// TestReplicasKeepThePrimaryGoing: without the operator, as long as a majority is
// there; and no longer.
func TestReplicasKeepThePrimaryGoing(t *testing.T) {
	c := newCluster(t, shortLease)
	primary, one, two := c.start("demo-1"), c.start("demo-2"), c.start("demo-3")
	primary.promote(1, 3)
	one.follow(1, primary)
	two.follow(1, primary)
	one.connected()
	two.connected()
	primary.until("the replicas keep the lease", func(st *instance.Status) bool { return st.Writes == instance.WritesAllowed })

	client := primary.Client(t)
	stillThere := func(what string) {
		t.Helper()
		for end := time.Now().Add(3 * shortLease * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if accepted, reply := trySet(client, "key", what); !accepted {
				t.Fatalf("%s: a write was refused: %v; %s", what, reply, spell(primary.status()))
			}
		}
	}
	stillThere("with two replicas")
	two.Stop(t)
	stillThere("with one replica")
	one.caughtUp(primary)
	one.Client(t).Must("with one replica", "GET", "key")
	one.Stop(t)
	untilRefused(t, client)
	primary.verdict(instance.WritesLeaseExpired)
}

// TestAFrozenPrimaryDoesNotAnswer: a write that was sent while the process was
// stopped is not accepted when it goes on.
func TestAFrozenPrimaryDoesNotAnswer(t *testing.T) {
	c := newCluster(t, shortLease)
	m := c.startProcess("demo-1")
	stop := func() {}
	defer func() { stop() }()
	m.promote(1, 3)
	m.grant(1, 3)
	stop = steady(shortLease*time.Millisecond/8, func() {
		ctx, cancel := context.WithTimeout(context.Background(), shortLease*time.Millisecond)
		defer cancel()
		if st, err := m.api.Status(ctx); err == nil {
			// An operator that stops hearing us stops renewing; its last renewal
			// may be on its way.
			_, _ = m.api.Lease(ctx, instance.LeaseRequest{Epoch: 1, BootID: st.BootID, StatusSeq: st.Seq, Members: 3, LeaseMillis: shortLease})
		}
	})
	client := m.Client(t)
	client.Must("OK", "SET", "key", "before")

	m.freeze()
	stop()
	stop = func() {}
	client.Send("SET", "key", "while frozen")
	time.Sleep(2 * shortLease * time.Millisecond) // this is the fault: time passes for everybody else
	m.Signal(t, syscall.SIGCONT)

	if reply, err := client.Read(); err == nil && !refused(reply, "READONLY") {
		t.Errorf("the write was answered with %v", reply)
	}
	if reply := m.Client(t).Do("SET", "key", "afterwards"); !refused(reply, "READONLY") {
		t.Errorf("the next write was answered with %v", reply)
	}
}

// TestAReplyThatIsTooLateIsNotSent: the write was executed while the lease held, but
// by the time its reply could leave, somebody else may be the primary.
func TestAReplyThatIsTooLateIsNotSent(t *testing.T) {
	c := newCluster(t, shortLease)
	m := c.start("demo-1")
	client := m.Client(t)
	m.promote(1, 3)
	m.grant(1, 3)
	client.Write(append(servertest.Request("SET", "key", "value"), servertest.Request("DEBUG", "SLEEP", "1")...))
	if rest := client.AwaitClose(); rest != "" {
		t.Errorf("the client was told %q", rest)
	}
	m.until("the lease is seen to be over", func(st *instance.Status) bool { return st.Writes == instance.WritesLeaseExpired })
}

// TestABusyPrimaryIsFencedBehindItsBack: the reactor is stuck in a command; the
// fence is recorded all the same, and obeyed before anything else.
func TestABusyPrimaryIsFencedBehindItsBack(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 1)
	busy, writer := m.Client(t), m.Client(t)
	busy.Send("DEBUG", "SLEEP", "2")
	m.until("the reactor is seen to be stuck", func(st *instance.Status) bool { return st.ReactorStallMillis > 0 })
	writer.Send("SET", "key", "value") // waits in the socket
	_, err := m.api.Fence(m.ctx(), instance.FenceRequest{Epoch: 2})
	if instance.CodeOf(err) != instance.CodeBusy {
		t.Errorf("the fence: %v", err)
	}
	if st := m.status(); st.Epoch != 2 || st.Writes != instance.WritesFenced {
		t.Errorf("while it is busy: %s", spell(st))
	}
	if reply, err := writer.Read(); err == nil && !refused(reply, "READONLY") {
		t.Errorf("the write was answered with %v", reply)
	}
}

// TestFailoverGoesOnFromTheReplica: fence, promote, follow, as the operator does it.
func TestFailoverGoesOnFromTheReplica(t *testing.T) {
	c := newCluster(t, longLease)
	old, next, third := c.start("demo-1"), c.start("demo-2"), c.start("demo-3")
	old.promote(1, 3)
	next.follow(1, old)
	third.follow(1, old)
	next.connected()
	third.connected()
	old.Client(t).Must("OK", "SET", "key", "value")
	next.caughtUp(old)
	third.caughtUp(old)

	for _, m := range []*member{old, next, third} {
		st := m.fence(2)
		if m != old && (st.Writes != instance.WritesFenced || st.LastAckAgeMillis == nil) {
			t.Errorf("a fenced replica says %s, last acknowledgement %v", spell(st), st.LastAckAgeMillis)
		}
	}
	st := next.promote(2, 3)
	if st.History.SecondReplicationID != old.status().History.ReplicationID {
		t.Errorf("the history of the new primary: %+v", st.History)
	}
	old.follow(2, next)
	third.follow(2, next)
	next.Client(t).Must("OK", "SET", "other", "2")
	for _, m := range []*member{old, third} {
		m.caughtUp(next)
		m.Client(t).Must("2", "GET", "other")
		if up := m.status().Upstream; up.LastSync != instance.SyncPartial {
			t.Errorf("%s came back by %s: %+v", m.status().Name, up.LastSync, up)
		}
		if reply := m.Client(t).Do("SET", "key", "value"); !refused(reply, "READONLY") {
			t.Errorf("a write to a replica: %v", reply)
		}
	}
	if _, err := next.api.Follow(next.ctx(), instance.FollowRequest{Epoch: 2, Primary: instance.Endpoint{Host: "127.0.0.1", Port: old.Port}, LeaseMillis: longLease}); instance.CodeOf(err) != instance.CodeConflict {
		t.Errorf("the primary of the epoch is told to follow: %v", err)
	}
}

// TestPlannedMovesLoseNothing: clients write all the time; every write that was
// acknowledged is at the target, and the old primary comes back without a full
// re-synchronisation.
func TestPlannedMovesLoseNothing(t *testing.T) {
	c := newCluster(t, 2000)
	old, next := c.start("demo-1"), c.start("demo-2")
	old.promote(1, 2)
	next.follow(1, old)
	next.connected()
	old.until("the replica keeps the lease", func(st *instance.Status) bool { return st.Writes == instance.WritesAllowed })

	var acknowledged atomic.Int64
	writing := make(chan struct{})
	client := old.Client(t)
	go func() {
		defer close(writing)
		for n := int64(1); ; n++ {
			if accepted, _ := trySet(client, fmt.Sprintf("key:%d", n), "value"); !accepted {
				return
			}
			acknowledged.Store(n)
		}
	}()
	servertest.Until(t, "the client is busy", func() error {
		if acknowledged.Load() < 1000 {
			return fmt.Errorf("%d writes", acknowledged.Load())
		}
		return nil
	})
	begun := time.Now()
	st := old.must(old.api.Handover(old.ctx(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: next.status().InstanceID, TimeoutMillis: 500}))
	if st.Writes != instance.WritesFenced {
		t.Errorf("after the handover: %s", spell(st))
	}
	<-writing
	t.Logf("handed over after %v and %d writes", time.Since(begun), acknowledged.Load())
	next.fence(2)
	next.promote(2, 2)
	old.follow(2, next)
	reader := next.Client(t)
	for n := int64(1); n <= acknowledged.Load(); n++ {
		if reply := reader.Do("GET", fmt.Sprintf("key:%d", n)); reply != "value" {
			t.Fatalf("write %d of %d was acknowledged and is %v", n, acknowledged.Load(), reply)
		}
	}
	if up := old.connected().Upstream; up.LastSync != instance.SyncPartial || up.FullSyncs != 0 {
		t.Errorf("the old primary came back by %+v", up)
	}
}

func TestAHandoverThatFailsChangesNothing(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 1)
	_, err := m.api.Handover(m.ctx(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: strings.Repeat("ab", 20), TimeoutMillis: 100})
	if instance.CodeOf(err) != instance.CodeUnknownTarget {
		t.Errorf("to nobody: %v", err)
	}
	m.Client(t).Must("OK", "SET", "key", "value")

	slow := c.startProcess("demo-2")
	slow.follow(1, m)
	slow.connected()
	m.until("it is online", func(st *instance.Status) bool {
		return len(st.Replicas) == 1 && st.Replicas[0].State == instance.FeedOnline && st.Replicas[0].AckedOffset != nil
	})
	target := slow.status().InstanceID
	slow.freeze()
	_, err = m.api.Handover(m.ctx(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: target, TimeoutMillis: 100})
	slow.Signal(t, syscall.SIGCONT)
	if instance.CodeOf(err) != instance.CodeHandoverTimeout {
		t.Errorf("to a frozen replica: %v", err)
	}
	m.Client(t).Must("OK", "SET", "key", "value")
	m.verdict(instance.WritesAllowed)
}

// TestADivergentTailIsSaved: what only the old primary has is set aside before it
// takes the new primary's data.
func TestADivergentTailIsSaved(t *testing.T) {
	c := newCluster(t, longLease)
	old, next := c.start("demo-1"), c.start("demo-2")
	old.promote(1, 2)
	next.follow(1, old)
	next.connected()
	old.Client(t).Must("OK", "SET", "shared", "1")
	next.caughtUp(old)
	next.fence(2)
	old.Client(t).Must("OK", "SET", "lost", "2") // acknowledged by nobody
	next.promote(2, 2)
	old.follow(2, next)
	old.connected()
	if reply := old.Client(t).Do("GET", "lost"); reply != nil {
		t.Errorf("the tail is still in the data: %v", reply)
	}
	tail := old.until("the tail is told", func(st *instance.Status) bool { return st.SavedTail != nil }).SavedTail
	content, err := os.ReadFile(filepath.Join(old.Dir, tail.File))
	if err != nil || !strings.Contains(string(content), "lost") {
		t.Errorf("tail %+v: %q, %v", tail, content, err)
	}
}

// TestHowAWatchSeesTheEnd: the operator's evidence of a death, from real processes.
func TestHowAWatchSeesTheEnd(t *testing.T) {
	c := newCluster(t, longLease)
	tests := []struct {
		name string
		end  func(m *member)
		want []instance.Failure
	}{
		{"kill -9", func(m *member) { m.Kill() }, []instance.Failure{instance.FailureClosed, instance.FailureReset}},
		{"SIGTERM", func(m *member) { m.Stop(t) }, []instance.Failure{instance.FailureEnded}},
		{"SIGSTOP", func(m *member) { m.Signal(t, syscall.SIGSTOP) }, []instance.Failure{instance.FailureSilence}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := c.startProcess("demo-1")
			began := make(chan struct{}, 1)
			ended := make(chan error, 1)
			go func() {
				ended <- m.api.Watch(m.ctx(), 2*time.Second, func(*instance.Status) error {
					select {
					case began <- struct{}{}:
					default:
					}
					return nil
				})
			}()
			<-began
			tt.end(m)
			err := <-ended
			ok := false
			for _, f := range tt.want {
				ok = ok || instance.FailureOf(err) == f
			}
			if !ok {
				t.Errorf("the watch ended with %s: %v", instance.FailureOf(err), err)
			}
			if dial := instance.FailureOf(m.api.Dial(m.ctx())); (dial == instance.FailureRefused) != (tt.name != "SIGSTOP") {
				t.Errorf("dialling again: %q", dial)
			}
		})
	}
}

// TestHealthFollowsTheRole: what the kubelet and Prometheus see.
func TestHealthFollowsTheRole(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	get := func(path string) string {
		t.Helper()
		answer, err := http.Get("http://" + m.Server.HTTPAddr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }() // read only
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", answer.StatusCode, body)
	}
	if got := get("/livez"); got != "200 ok\n" {
		t.Errorf("livez of an unassigned server: %q", got)
	}
	if got := get("/readyz"); got != "503 role: not assigned by the operator yet\n" {
		t.Errorf("readyz of an unassigned server: %q", got)
	}
	m.promote(3, 1)
	m.Client(t).Must("OK", "SET", "key", "value")
	if got := get("/readyz"); got != "200 ok\n" {
		t.Errorf("readyz of a primary: %q", got)
	}
	servertest.Until(t, "the metrics tell of the write", func() error {
		got := get("/metrics")
		for _, want := range []string{"lockstep_epoch 3\n", `lockstep_role{role="primary"} 1`, `lockstep_keys{db="db0"} 1`, `lockstep_instance_info{cluster="default/demo"`} {
			if !strings.Contains(got, want) {
				return fmt.Errorf("no %s in %s", want, got)
			}
		}
		return nil
	})
}

func TestTheWindowIsResized(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 1)
	st := m.must(m.api.Resize(m.ctx(), instance.WindowRequest{Epoch: 1, CapacityBytes: 3 << 20}))
	if st.Window.CapacityBytes != 3<<20 {
		t.Errorf("window %+v", st.Window)
	}
}

func TestWhatStopsTheStart(t *testing.T) {
	c := newCluster(t, longLease)
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, role.FileName), []byte(`{"instanceID":`), 0o600); err != nil {
		t.Fatal(err)
	}
	good := c.directives("demo-1")
	notPEM := filepath.Join(t.TempDir(), "tls.crt")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"a damaged state file", append([]string{"--dir", damaged}, good...), "state file is damaged"},
		{"a primary in the configuration", append([]string{"--dir", t.TempDir(), "--replicaof", "10.0.0.1 6379"}, good...), "replicaof"},
		{"no certificates", []string{"--dir", t.TempDir(), "--lockstep-managed", "yes", "--lockstep-cluster", "a/b", "--lockstep-instance-name", "b-1"}, "lockstep-api-cert-file"},
		{"a certificate that is none", append(append([]string{"--dir", t.TempDir()}, good...), "--lockstep-api-cert-file", notPEM), "parse certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := config.Load(tt.args, strings.NewReader(""))
			if err == nil {
				_, err = server.New(server.Options{Config: cfg, Output: discard{}, EphemeralPort: true, Embedded: true})
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v", err)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
