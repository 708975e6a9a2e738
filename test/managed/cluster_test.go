// Package managed drives servers of a cluster over the real instance API, as the
// operator does, and looks at what their clients see.
package managed

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/instance/instancetest"
	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// longLease is one that no test waits for; shortLease one whose end they do wait
// for.
const (
	longLease  = 60_000
	shortLease = 400
)

// member is one instance of a cluster, seen by its clients and by the operator.
type member struct {
	t *testing.T
	*servertest.Instance
	api   *instance.Client
	lease int64
}

// cluster makes the members' certificates.
type cluster struct {
	t         *testing.T
	authority *instancetest.Authority
	lease     int64 // milliseconds
}

func newCluster(t *testing.T, lease int64) *cluster {
	t.Helper()
	return &cluster{t, instancetest.New(t), lease}
}

func (c *cluster) directives(name string) []string {
	files := c.authority.WriteServer(c.t.TempDir())
	return []string{
		"--lockstep-managed", "yes", "--lockstep-cluster", "default/demo", "--lockstep-instance-name", name,
		"--lockstep-api-cert-file", files.Cert,
		"--lockstep-api-key-file", files.Key, "--lockstep-api-ca-file", files.CA, "--enable-debug-command", "yes",
		"--repl-diskless-sync-delay", "0", // nobody else is coming
	}
}

// start runs a member in this process.
func (c *cluster) start(name string, more ...string) *member {
	c.t.Helper()
	i := servertest.Start(c.t, append(append(c.directives(name), "--lockstep-api-bind", "127.0.0.1"), more...)...)
	return c.member(i, i.Server.APIAddr().String())
}

// startProcess runs a member as a process, which can be killed and stopped.
func (c *cluster) startProcess(name string, more ...string) *member {
	c.t.Helper()
	port := servertest.FreePort(c.t)
	args := append(c.directives(name), "--lockstep-api-port", strconv.Itoa(port), "--lockstep-http-port", "0")
	return c.member(servertest.StartProcess(c.t, append(args, more...)...), net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func (c *cluster) member(i *servertest.Instance, address string) *member {
	m := &member{t: c.t, Instance: i, api: instance.NewClient(address, c.authority.ClientTLS()), lease: c.lease}
	c.t.Cleanup(m.api.Close)
	return m
}

func (m *member) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Deadline)
	m.t.Cleanup(cancel)
	return ctx
}

func (m *member) must(st *instance.Status, err error) *instance.Status {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	return st
}

func (m *member) status() *instance.Status {
	m.t.Helper()
	return m.must(m.api.Status(m.ctx()))
}

// promote makes m the primary, with a first lease.
func (m *member) promote(epoch uint64, members int) *instance.Status {
	m.t.Helper()
	st := m.status()
	return m.must(m.api.Promote(m.ctx(), instance.PromoteRequest{Epoch: epoch, Members: members, LeaseMillis: m.lease, BootID: st.BootID, StatusSeq: st.Seq}))
}

func (m *member) fence(epoch uint64) *instance.Status {
	m.t.Helper()
	return m.must(m.api.Fence(m.ctx(), instance.FenceRequest{Epoch: epoch}))
}

func (m *member) follow(epoch uint64, primary *member) *instance.Status {
	m.t.Helper()
	return m.must(m.api.Follow(m.ctx(), instance.FollowRequest{
		Epoch: epoch, Primary: instance.Endpoint{Host: "127.0.0.1", Port: primary.Port}, LeaseMillis: m.lease,
	}))
}

// grant renews the lease as an operator does that has just read the status.
func (m *member) grant(epoch uint64, members int) {
	m.t.Helper()
	st := m.status()
	m.must(m.api.Lease(m.ctx(), instance.LeaseRequest{Epoch: epoch, BootID: st.BootID, StatusSeq: st.Seq, Members: members, LeaseMillis: m.lease}))
}

// until waits until the status is as wanted.
func (m *member) until(what string, ok func(*instance.Status) bool) *instance.Status {
	m.t.Helper()
	var last *instance.Status
	servertest.Until(m.t, what, func() error {
		last = m.status()
		if !ok(last) {
			return fmt.Errorf("status is %s", spell(last))
		}
		return nil
	})
	return last
}

func (m *member) connected() *instance.Status {
	m.t.Helper()
	return m.until("the replica is connected", func(st *instance.Status) bool {
		return st.Upstream != nil && st.Upstream.State == instance.LinkConnected
	})
}

// caughtUp waits until m has everything that primary has.
func (m *member) caughtUp(primary *member) {
	m.t.Helper()
	m.connected()
	want := *primary.status().Offset
	m.until(fmt.Sprintf("the replica has %d bytes", want), func(st *instance.Status) bool { return st.Offset != nil && *st.Offset >= want })
}

func (m *member) verdict(want instance.WriteVerdict) {
	m.t.Helper()
	if got := m.status(); got.Writes != want {
		m.t.Errorf("writes are %s, want %s; status %s", got.Writes, want, spell(got))
	}
}

// freeze stops the process and waits until none of its threads runs any more.
func (m *member) freeze() {
	m.t.Helper()
	m.Signal(m.t, syscall.SIGSTOP)
	servertest.Until(m.t, "every thread has stopped", func() error {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", m.PID()))
		if err != nil || len(threads) == 0 {
			return fmt.Errorf("no threads: %v", err)
		}
		for _, name := range threads {
			stat, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			// The state is the word behind the name in parentheses.
			if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
				return fmt.Errorf("a thread is in state %.1s", state)
			}
		}
		return nil
	})
}

func spell(st *instance.Status) string {
	s := fmt.Sprintf("%s of epoch %d/%d, writes %s, history %+v", st.Role, st.RoleEpoch, st.Epoch, st.Writes, st.History)
	if st.Offset != nil {
		s += fmt.Sprintf(", offset %d", *st.Offset)
	}
	if st.Upstream != nil {
		s += fmt.Sprintf(", upstream %+v", *st.Upstream)
	}
	if st.Lease != nil {
		s += fmt.Sprintf(", lease %+v", *st.Lease)
	}
	return s
}

// refused reports whether a reply is an error with one of the codes.
func refused(reply any, codes ...string) bool {
	e, ok := reply.(servertest.ReplyError)
	for _, code := range codes {
		if ok && strings.HasPrefix(string(e), code+" ") {
			return true
		}
	}
	return false
}

// trySet writes on an open connection. accepted is false also when the server has
// hung up.
func trySet(c *servertest.Client, key, value string) (accepted bool, reply any) {
	if _, err := c.Conn().Write(servertest.Request("SET", key, value)); err != nil {
		return false, err
	}
	reply, err := c.Read()
	if err != nil {
		return false, err
	}
	return reply == "OK", reply
}

// untilRefused writes until the server takes no more.
func untilRefused(t *testing.T, c *servertest.Client) {
	t.Helper()
	servertest.Until(t, "writes are refused", func() error {
		if accepted, _ := trySet(c, "key", "value"); accepted {
			return fmt.Errorf("a write was accepted")
		}
		return nil
	})
}

// steady runs fn every interval until the returned function is called.
func steady(interval time.Duration, fn func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fn()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
