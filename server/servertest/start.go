package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server"
	"github.com/lockstep-db/lockstep/server/config"
)

// Deadline bounds every wait in this package. It is long, because tests share
// small machines; nothing waits for it unless it fails.
const Deadline = 20 * time.Second

// Instance is a running server.
type Instance struct {
	Addr string // host:port
	Port int
	Dir  string

	Server *server.Server // nil unless it runs in this process

	output *Output
	cmd    *exec.Cmd // nil when it runs in this process
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has ended
	err    error         // why; valid after ended
}

// Start runs the server in this process. Directives are arguments as the binary
// takes them: "--requirepass", "secret"; the first may be the path of a
// configuration file. Save rules are off unless given.
func Start(t testing.TB, directives ...string) *Instance {
	t.Helper()
	i := &Instance{Dir: dirOf(t, directives), output: &Output{}, ended: make(chan struct{})}
	args := arguments(0, i.Dir, directives)
	cfg, err := config.Load(args, strings.NewReader(""))
	if err != nil {
		t.Fatalf("configure server: %v", err)
	}
	i.Server, err = server.New(server.Options{Config: cfg, Output: i.output, EphemeralPort: true, Embedded: true})
	if err != nil {
		t.Fatalf("make server: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	go func() {
		i.err = i.Server.Run(ctx)
		close(i.ended)
	}()
	t.Cleanup(func() { i.Stop(t) })
	select {
	case <-i.Server.Ready():
	case <-i.ended:
		t.Fatalf("server ended while starting: %v\n%s", i.err, i.Log())
	case <-time.After(Deadline):
		t.Fatalf("server is not ready\n%s", i.Log())
	}
	i.Port = i.Server.Port()
	i.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(i.Port))
	return i
}

// TryStart starts a server with these directives and stops it at once. It returns why
// that was not possible.
func TryStart(t testing.TB, directives ...string) error {
	t.Helper()
	cfg, err := config.Load(arguments(0, dirOf(t, directives), directives), strings.NewReader(""))
	if err != nil {
		return err
	}
	s, err := server.New(server.Options{Config: cfg, Output: &Output{}, EphemeralPort: true, Embedded: true})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Run(ctx)
}

// arguments puts what a test's server needs in front of the directives, and a
// configuration file, if they begin with one, in front of all.
func arguments(port int, dir string, directives []string) []string {
	var args []string
	if len(directives) > 0 && !strings.HasPrefix(directives[0], "--") {
		args, directives = append(args, directives[0]), directives[1:]
	}
	args = append(args, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir)
	return append(args, directives...)
}

// dirOf is the directory that the directives name, or a new one.
func dirOf(t testing.TB, directives []string) string {
	for k := 0; k+1 < len(directives); k++ {
		if directives[k] == "--dir" {
			return directives[k+1]
		}
	}
	return t.TempDir()
}

// childVariable makes the test binary be a server; see Main.
const childVariable = "LOCKSTEP_SERVERTEST_CHILD"

// Main is TestMain for packages that use StartProcess: the test binary is the
// server as well, so that nothing has to be built.
func Main(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	cfg, err := config.Load(os.Args[1:], os.Stdin)
	if err == nil {
		var s *server.Server
		if s, err = server.New(server.Options{Config: cfg}); err == nil {
			signals := make(chan os.Signal, 1)
			signal.Notify(signals, syscall.SIGTERM)
			go func() {
				<-signals // ends with the process
				s.Signal("SIGTERM")
			}()
			err = s.Run(context.Background())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// StartProcess runs the server as a process. The package's TestMain must be
// Main.
func StartProcess(t testing.TB, directives ...string) *Instance {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find test binary: %v", err)
	}
	return startCommand(t, self, []string{childVariable + "=1"}, directives)
}

// StartBinary runs the server from its binary at path.
func StartBinary(t testing.TB, path string, directives ...string) *Instance {
	t.Helper()
	return startCommand(t, path, nil, directives)
}

// StartRedis runs the real redis-server, and skips the test where it is not
// installed.
func StartRedis(t testing.TB, directives ...string) *Instance {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed (apt-get install redis-server)")
	}
	return startCommand(t, path, nil, directives)
}

func startCommand(t testing.TB, path string, env, directives []string) *Instance {
	t.Helper()
	// Between finding a free port and using it somebody else may take it.
	const tries = 5
	var last error
	for range tries {
		i, err := tryCommand(t, path, env, directives)
		if err == nil {
			return i
		}
		last = err
	}
	t.Fatalf("start %s: %v", path, last)
	return nil
}

func tryCommand(t testing.TB, path string, env, directives []string) (*Instance, error) {
	i := &Instance{Dir: dirOf(t, directives), Port: FreePort(t), output: &Output{}, ended: make(chan struct{})}
	i.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(i.Port))
	i.cmd = exec.Command(path, arguments(i.Port, i.Dir, directives)...)
	i.cmd.Env = append(os.Environ(), env...)
	i.cmd.Stdout, i.cmd.Stderr = i.output, i.output
	// A test binary that dies must not leave servers behind.
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		i.err = i.cmd.Wait()
		close(i.ended)
	}()
	if err := i.awaitReady(); err != nil {
		i.Kill()
		return nil, err
	}
	t.Cleanup(func() { i.Stop(t) })
	return i, nil
}

// awaitReady waits until the server says so.
func (i *Instance) awaitReady() error {
	deadline := time.Now().Add(Deadline)
	for time.Now().Before(deadline) {
		select {
		case <-i.ended:
			return fmt.Errorf("ended while starting: %w\n%s", i.err, i.Log())
		default:
		}
		if strings.Contains(i.Log(), "eady to accept connections") {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("not ready after %v\n%s", Deadline, i.Log())
}

// PID is the process ID of a server that has a process of its own.
func (i *Instance) PID() int { return i.cmd.Process.Pid }

// Log is what the server has written so far.
func (i *Instance) Log() string { return i.output.String() }

// Ended is closed when the server has ended.
func (i *Instance) Ended() <-chan struct{} { return i.ended }

// Stop ends the server in order and waits for it. It may be called more than
// once.
func (i *Instance) Stop(t testing.TB) {
	t.Helper()
	if i.cmd != nil {
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
		_ = i.cmd.Process.Signal(syscall.SIGCONT) // a stopped process would never notice
	} else {
		i.cancel()
	}
	select {
	case <-i.ended:
	case <-time.After(Deadline):
		i.Kill()
		t.Errorf("server at %s did not stop\n%s", i.Addr, i.Log())
	}
}

// Kill ends the server's process at once (SIGKILL) and waits for it. A server in
// this process can not be killed.
func (i *Instance) Kill() {
	if i.cmd == nil {
		return
	}
	_ = i.cmd.Process.Kill() // fails only when it has ended
	<-i.ended
}

// Signal sends a signal to the server's process.
func (i *Instance) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := i.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal process %d: %v", i.PID(), err)
	}
}

// FreePort reserves a TCP port on the loopback address until the test ends, so that a
// server may be stopped and started again there. It is below those that the kernel gives
// to outgoing connections, one of which could have it just when a server wants to listen;
// a UDP socket of the same number tells other processes that test.
func FreePort(t testing.TB) int {
	t.Helper()
	const lowest, highest = 10000, 29999
	var last error
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest+1)))
		mark, err := net.ListenPacket("udp4", addr)
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			last = err
			mark.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { mark.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	t.Fatalf("find free port: %v", last)
	return 0
}

// Until polls check until it returns nil; the test fails with its last error.
func Until(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(Deadline)
	err := errors.New("never checked")
	for time.Now().Before(deadline) {
		if err = check(); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waiting until %s: %v", what, err)
}

// Output collects what a server writes, for the report of a failed test. It may be
// read while the server still writes. The zero value is ready to use.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*Output)(nil)

// Write implements io.Writer; it does not fail.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
