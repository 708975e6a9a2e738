package server_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/instance/instancetest"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// member is one instance of a cluster without an operator: the test plays it.
type member struct {
	*servertest.Instance
	t    *testing.T
	name string
	api  *instance.Client
}

func startMembers(t *testing.T, names ...string) []*member {
	t.Helper()
	ca := instancetest.New(t)
	var all []*member
	for _, name := range names {
		files := ca.WriteServer(t.TempDir())
		i := servertest.Start(t, "--lockstep-managed", "yes", "--lockstep-cluster", "test/demo", "--lockstep-instance-name", name,
			"--lockstep-http-port", "0", "--repl-diskless-sync-delay", "0", "--lockstep-api-bind", "127.0.0.1",
			"--lockstep-api-cert-file", files.Cert, "--lockstep-api-key-file", files.Key, "--lockstep-api-ca-file", files.CA)
		m := &member{Instance: i, t: t, name: name, api: instance.NewClient(i.Server.APIAddr().String(), ca.ClientTLS())}
		t.Cleanup(m.api.Close)
		all = append(all, m)
	}
	return all
}

const testLease = 3000 // milliseconds

func (m *member) promote(epoch uint64, members int) {
	m.t.Helper()
	if _, err := m.api.Promote(context.Background(), instance.PromoteRequest{Epoch: epoch, Members: members, LeaseMillis: testLease}); err != nil {
		m.t.Fatalf("promote %s: %v", m.name, err)
	}
}

func (m *member) follow(epoch uint64, primary *member, source *member) {
	m.t.Helper()
	r := instance.FollowRequest{Epoch: epoch, Primary: instance.Endpoint{Host: "127.0.0.1", Port: primary.Port}, LeaseMillis: testLease}
	if source != nil {
		r.Source = &instance.Endpoint{Host: "127.0.0.1", Port: source.Port}
	}
	if _, err := m.api.Follow(context.Background(), r); err != nil {
		m.t.Fatalf("%s follows %s: %v", m.name, primary.name, err)
	}
}

func (m *member) status() *instance.Status {
	m.t.Helper()
	st, err := m.api.Status(context.Background())
	if err != nil {
		m.t.Fatalf("status of %s: %v", m.name, err)
	}
	return st
}

func (m *member) write(key, value string) {
	m.t.Helper()
	servertest.Until(m.t, "a write on "+m.name, func() error {
		if got := fmt.Sprint(servertest.Dial(m.t, m.Addr).Do("SET", key, value)); got != "OK" {
			return fmt.Errorf("SET: %s", got)
		}
		return nil
	})
}

func (m *member) untilHas(key, value string) {
	m.t.Helper()
	servertest.Until(m.t, fmt.Sprintf("%s=%s on %s", key, value, m.name), func() error {
		if got := fmt.Sprint(servertest.Dial(m.t, m.Addr).Do("GET", key)); got != value {
			return fmt.Errorf("GET: %s", got)
		}
		return nil
	})
}

func (m *member) untilConnected() *instance.Status {
	m.t.Helper()
	var st *instance.Status
	servertest.Until(m.t, m.name+" is connected", func() error {
		if st = m.status(); st.Upstream == nil || st.Upstream.State != instance.LinkConnected {
			return fmt.Errorf("upstream %+v", st.Upstream)
		}
		return nil
	})
	return st
}

// G5 and G9 on one cluster: a planned move loses nothing and is partial for everybody;
// what a primary has written alone is saved before it is replaced.
func TestRolesMoveAndDivergentTailIsSaved(t *testing.T) {
	ms := startMembers(t, "a", "b", "c")
	a, b, c := ms[0], ms[1], ms[2]
	a.promote(1, 3)
	b.follow(1, a, nil)
	c.follow(1, a, nil)
	a.write("first", "1")
	b.untilHas("first", "1")
	c.untilHas("first", "1")

	// A planned move from a to b.
	st := b.untilConnected()
	if _, err := a.api.Handover(context.Background(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: st.InstanceID, TimeoutMillis: 500}); err != nil {
		t.Fatalf("hand over: %v", err)
	}
	b.promote(2, 3)
	a.follow(2, b, nil)
	c.follow(2, b, nil)
	b.write("second", "2")
	for _, m := range []*member{a, c} {
		m.untilHas("second", "2")
		if st := m.untilConnected(); st.Upstream.LastSync != instance.SyncPartial {
			t.Fatalf("%s came back by a %s synchronization", m.name, st.Upstream.LastSync)
		}
	}

	// c is promoted while b, which knows nothing of it, still has its lease.
	c.promote(3, 3)
	b.write("alone", "lost")
	a.follow(3, c, nil)
	c.write("third", "3")
	b.follow(3, c, nil)
	b.untilHas("third", "3")
	b.untilHas("alone", "<nil>")
	st = b.untilConnected()
	if st.Upstream.LastSync != instance.SyncFull || st.SavedTail == nil {
		t.Fatalf("b came back by a %s synchronization, with the tail %+v", st.Upstream.LastSync, st.SavedTail)
	}
	tail, err := os.ReadFile(filepath.Join(b.Dir, st.SavedTail.File))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(tail, []byte("alone")) || bytes.Contains(tail, []byte("second")) || int64(len(tail)) != st.SavedTail.Bytes {
		t.Fatalf("the saved tail %s is %q", st.SavedTail.File, tail)
	}
}

// A full re-synchronization is taken from another replica, and the stream then from
// the primary.
func TestSnapshotFromAnotherReplica(t *testing.T) {
	ms := startMembers(t, "a", "b", "c")
	a, b, c := ms[0], ms[1], ms[2]
	a.promote(1, 3)
	b.follow(1, a, nil)
	a.write("k", "v")
	b.untilHas("k", "v")
	full := a.Client(t).Info("stats")["sync_full"]
	c.follow(1, a, b)
	c.untilHas("k", "v")
	a.write("k", "w")
	c.untilHas("k", "w")
	if st := c.untilConnected(); st.Upstream.Address != a.Addr || st.Upstream.FullSyncs != 1 || st.Upstream.PartialSyncs != 1 {
		t.Fatalf("c's link is %+v", st.Upstream)
	}
	if now := a.Client(t).Info("stats")["sync_full"]; now != full {
		t.Fatalf("the primary served %s full synchronizations, %s before", now, full)
	}
}
