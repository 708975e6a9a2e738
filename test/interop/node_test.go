package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockstep-db/lockstep/server/servertest"
)

const (
	lockstep = "lockstep" // our server
	real     = "redis"    // Debian's redis-server
)

var lockstepBinary string

func TestMain(m *testing.M) {
	for _, name := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(name); err != nil {
			fmt.Println("interop: skipped, because", name, "is not installed")
			os.Exit(0)
		}
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lockstepBinary = filepath.Join(dir, "lockstep-server")
	build := exec.Command("go", "build", "-o", lockstepBinary, "github.com/lockstep-db/lockstep/cmd/lockstep-server")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// node is one server process.
type node struct {
	t      *testing.T
	kind   string
	dir    string
	port   int
	args   []string
	cmd    *exec.Cmd
	out    *servertest.Output
	client *redis.Client
}

// start runs a server. Its data directory survives restart.
func start(t *testing.T, kind string, args ...string) *node {
	t.Helper()
	n := &node{t: t, kind: kind, dir: t.TempDir(), port: servertest.FreePort(t), args: args, out: &servertest.Output{}}
	n.launch()
	t.Cleanup(func() {
		n.kill()
		for _, bad := range []string{"== CRITICAL ==", "DATA RACE", "panic:"} {
			if strings.Contains(n.out.String(), bad) {
				t.Errorf("%s on port %d logged %q", n.kind, n.port, bad)
			}
		}
		if t.Failed() {
			t.Logf("--- log of %s on port %d:\n%s", n.kind, n.port, n.out)
		}
	})
	return n
}

func (n *node) launch(more ...string) {
	n.t.Helper()
	binary := lockstepBinary
	if n.kind == real {
		binary = "redis-server"
	}
	args := []string{"--port", strconv.Itoa(n.port), "--bind", "127.0.0.1", "--dir", n.dir, "--save", "",
		"--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes"}
	args = append(append(args, n.args...), more...)
	n.cmd = exec.Command(binary, args...)
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.client = dial(n, 0)
	n.until("answers PING", func() (bool, string) {
		err := n.client.Ping(context.Background()).Err()
		return err == nil, fmt.Sprint(err)
	})
}

// dial makes a client that sends everything once and waits as long as a test does: a
// command that it had given up would be executed after what the test believes to be the
// last one.
func dial(n *node, db int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: n.addr(), DB: db, Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience})
}

func (n *node) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

// kill ends the process at once, as kill -9 does.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.client.Close()
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait() // "signal: killed" is what was asked for
	n.cmd = nil
}

// shutdown ends the process in order, with a snapshot.
func (n *node) shutdown() {
	n.t.Helper()
	err := n.client.ShutdownSave(context.Background()).Err()
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !strings.Contains(err.Error(), "EOF") {
		n.t.Fatalf("SHUTDOWN SAVE: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- n.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		n.t.Fatalf("%s did not end after SHUTDOWN", n.kind)
	}
	_ = n.client.Close()
	n.cmd = nil
}

func (n *node) do(args ...any) any {
	n.t.Helper()
	v, err := n.client.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		n.t.Fatalf("%v on %s: %v", args, n.kind, err)
	}
	return v
}

// info returns one field of INFO.
func (n *node) info(field string) string {
	text, err := n.client.Info(context.Background(), "everything").Result()
	if err != nil {
		return "error: " + err.Error()
	}
	for _, line := range strings.Split(text, "\r\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return v
		}
	}
	return "no such field"
}

func (n *node) number(field string) int64 {
	n.t.Helper()
	v, err := strconv.ParseInt(n.info(field), 10, 64)
	if err != nil {
		n.t.Fatalf("INFO %s of %s: %v", field, n.kind, err)
	}
	return v
}

const patience = 30 * time.Second

// until polls for a condition and tells the last observation when it does not come.
func (n *node) until(what string, cond func() (bool, string)) {
	n.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := cond()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("%s on port %d: waited for %q, last seen: %s", n.kind, n.port, what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (n *node) untilField(field, want string) {
	n.t.Helper()
	n.until(field+":"+want, func() (bool, string) {
		v := n.info(field)
		return v == want, v
	})
}

// follow makes n a replica of whoever listens on port, and waits for the link.
func (n *node) follow(port int) {
	n.t.Helper()
	n.do("REPLICAOF", "127.0.0.1", port)
	n.untilField("master_link_status", "up")
}

// caughtUp waits until n has applied everything that the primary has written.
func (n *node) caughtUp(primary *node) {
	n.t.Helper()
	n.until("the offset of "+primary.kind, func() (bool, string) {
		a, b := primary.info("master_repl_offset"), n.info("master_repl_offset")
		return a == b, b + " of " + a
	})
}

// counters are how synchronizations went, as the primary counts them.
type counters struct{ full, partial int64 }

func (n *node) counters() counters {
	n.t.Helper()
	return counters{n.number("sync_full"), n.number("sync_partial_ok")}
}

func (n *node) assertSyncs(before counters, full, partial int64) {
	n.t.Helper()
	after := n.counters()
	if got := (counters{after.full - before.full, after.partial - before.partial}); got != (counters{full, partial}) {
		n.t.Fatalf("%s counted %d full and %d partial synchronizations, want %d and %d", n.kind, got.full, got.partial, full, partial)
	}
}

// proxy stands between a replica and its primary, so that a test can cut the link.
type proxy struct {
	l      net.Listener
	target string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
	work  sync.WaitGroup
}

func newProxy(t *testing.T, target *node) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target.addr(), conns: map[net.Conn]struct{}{}}
	p.work.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) port() int { return p.l.Addr().(*net.TCPAddr).Port }

func (p *proxy) accept() {
	defer p.work.Done()
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(c, up) {
			_ = c.Close()
			if up != nil {
				_ = up.Close()
			}
			continue
		}
		p.work.Add(2)
		go p.copy(c, up)
		go p.copy(up, c)
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *proxy) copy(dst, src net.Conn) {
	defer p.work.Done()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = dst.Close()
	_ = src.Close()
}

// cut drops every connection and refuses new ones until heal.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = map[net.Conn]struct{}{}
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}
