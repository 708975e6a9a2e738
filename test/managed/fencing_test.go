package managed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestAClientCanNotMakeAReplicaTakeOver: PSYNC … FAILOVER is how a primary without
// an operator hands over. In a cluster any client could have cut a replica off by it.
func TestAClientCanNotMakeAReplicaTakeOver(t *testing.T) {
	c := newCluster(t, longLease)
	primary, replica := c.start("demo-1"), c.start("demo-2")
	primary.promote(1, 1)
	replica.follow(1, primary)
	before := replica.connected()
	reply := replica.Client(t).Do("PSYNC", before.History.ReplicationID, strconv.FormatInt(*before.Offset+1, 10), "FAILOVER")
	if !refused(reply, "ERR") {
		t.Errorf("PSYNC FAILOVER was answered with %v", reply)
	}
	primary.Client(t).Must("OK", "SET", "key", "value")
	replica.caughtUp(primary)
	if after := replica.status(); after.History != before.History {
		t.Errorf("the replica's history was %+v and is %+v", before.History, after.History)
	}
}

// TestAFenceEndsAHandover: a handover that was still waiting when a newer epoch
// began took the newer epoch's role away when its target had caught up at last, and
// held writes back until then.
func TestAFenceEndsAHandover(t *testing.T) {
	c := newCluster(t, longLease)
	m, slow := c.start("demo-1"), c.startProcess("demo-2")
	m.promote(1, 1)
	slow.follow(1, m)
	slow.connected()
	m.until("it is online", func(st *instance.Status) bool {
		return len(st.Replicas) == 1 && st.Replicas[0].State == instance.FeedOnline && st.Replicas[0].AckedOffset != nil
	})
	target := slow.status().InstanceID
	slow.freeze()
	defer slow.Signal(t, syscall.SIGCONT)
	ended := make(chan error, 1)
	go func() {
		_, err := m.api.Handover(context.Background(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: target, TimeoutMillis: instance.MaxHandoverMillis})
		ended <- err
	}()
	m.until("writes are paused", func(st *instance.Status) bool { return st.Writes == instance.WritesPaused })

	m.fence(2)
	select {
	case err := <-ended:
		if instance.CodeOf(err) != instance.CodeStaleEpoch {
			t.Errorf("the handover ended with %v", err)
		}
	case <-time.After(servertest.Deadline):
		t.Fatal("the handover goes on")
	}
	m.promote(3, 1)
	m.Client(t).Must("OK", "SET", "key", "value")
	m.verdict(instance.WritesAllowed)
}

// TestAFenceEndsWaits: the acknowledgements that a client waits for will not come.
func TestAFenceEndsWaits(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 1)
	client := m.Client(t)
	client.Must("OK", "SET", "key", "value")
	client.Send("WAIT", "1", "0")
	servertest.Until(t, "the client waits", func() error {
		if n := m.Client(t).Info("clients")["blocked_clients"]; n != "1" {
			return fmt.Errorf("%s clients wait", n)
		}
		return nil
	})
	m.fence(2)
	if reply := client.Receive(); !refused(reply, "UNBLOCKED") {
		t.Errorf("WAIT was answered with %v", reply)
	}
	if reply := client.Do("WAIT", "1", "0"); !refused(reply, "ERR") {
		t.Errorf("a WAIT after the fence was answered with %v", reply)
	}
}

// TestAnEpochThatCanNotBeIsNotObeyed: epochs are counted one by one. Any client can
// send a hello, and the highest number there is would have left no epoch for a next
// primary.
func TestAnEpochThatCanNotBeIsNotObeyed(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 1)
	reply := m.Client(t).Do("REPLCONF", "lockstep-hello", "18446744073709551615", strings.Repeat("ab", 20))
	if !refused(reply, "STALEEPOCH") {
		t.Errorf("the hello was answered with %v", reply)
	}
	m.Client(t).Must("OK", "SET", "key", "value")
	if st := m.status(); st.Epoch != 1 {
		t.Errorf("status %s", spell(st))
	}
}

// TestAReplyThatWaitsForASlowClientDoesNotOutliveTheLease: the socket was full
// when the write was executed, and the reply left when the client read on, however
// long after the lease.
func TestAReplyThatWaitsForASlowClientDoesNotOutliveTheLease(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	m.promote(1, 3)
	m.grant(1, 3)
	m.Client(t).Must("OK", "SET", "large", strings.Repeat("x", 32<<20))
	client := m.Client(t)
	client.Write(append(servertest.Request("GET", "large"), servertest.Request("SET", "key", "value")...))
	servertest.Until(t, "the write is executed", func() error {
		if got := m.Client(t).Do("GET", "key"); got != "value" {
			return fmt.Errorf("GET: %v", got)
		}
		return nil
	})
	m.lease = shortLease
	m.grant(1, 3)
	m.until("the lease is seen to be over", func(st *instance.Status) bool { return st.Writes == instance.WritesLeaseExpired })
	told, err := io.ReadAll(client.Conn())
	if err == nil && strings.HasSuffix(string(told), "+OK\r\n") || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the lease the client was sent %d bytes, the last of them %q (%v)", len(told), told[max(0, len(told)-20):], err)
	}
}

// TestAnInstanceWithoutARoleIsNoMasterInHello: clients that look for the primary by
// HELLO found one in every instance that had just started.
func TestAnInstanceWithoutARoleIsNoMasterInHello(t *testing.T) {
	c := newCluster(t, longLease)
	m := c.start("demo-1")
	for _, step := range []struct {
		name string
		do   func()
		role string
	}{
		{"before it is assigned", func() {}, "replica"},
		{"as the primary", func() { m.promote(1, 1) }, "master"},
		{"when it was fenced", func() { m.fence(2) }, "replica"},
	} {
		step.do()
		if reply := fmt.Sprint(m.Client(t).Do("HELLO")); !strings.Contains(reply, "role "+step.role) {
			t.Errorf("%s: %s", step.name, reply)
		}
	}
}

// TestADivergentTailSurvivesARestart: the bytes were lost with the process, and the
// snapshot that had their effects was replaced by the new primary's without a word.
func TestADivergentTailSurvivesARestart(t *testing.T) {
	c := newCluster(t, longLease)
	dir := t.TempDir()
	old, next := c.startProcess("demo-1", "--dir", dir), c.start("demo-2")
	old.promote(1, 1)
	next.follow(1, old)
	next.connected()
	old.Client(t).Must("OK", "SET", "shared", "1")
	next.caughtUp(old)
	next.fence(2)
	next.promote(2, 1)
	old.Client(t).Must("OK", "SET", "lost", "2")
	old.Stop(t)

	old = c.startProcess("demo-1", "--dir", dir)
	next.Client(t).Must("OK", "SET", "other", "3")
	old.follow(2, next)
	old.connected()
	old.Client(t).Must("<nil>", "GET", "lost")
	tail := old.until("the tail is told", func(st *instance.Status) bool { return st.SavedTail != nil }).SavedTail
	content, err := os.ReadFile(filepath.Join(dir, tail.File))
	if err != nil || !strings.Contains(string(content), "lost") || tail.Bytes <= 0 {
		t.Errorf("tail %+v: %q, %v", tail, content, err)
	}
}
