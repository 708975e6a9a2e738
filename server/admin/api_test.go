package admin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/instance/instancetest"
)

// patience is far above what anything here takes, so that only a broken thing
// reaches it.
const patience = 10 * time.Second

var (
	quiet   = slog.New(slog.DiscardHandler)
	id      = strings.Repeat("a1", 20)
	errDisk = errors.New("no space left on device")
)

// fake is a server whose reactor is the test.
type fake struct {
	mu       sync.Mutex
	status   instance.Status
	changed  chan struct{}
	seen     uint64
	diskFull bool
	busy     bool // the reactor does not turn
	ended    bool
	refusal  *instance.Error
	applied  []any
}

func newFake() *fake {
	return &fake{changed: make(chan struct{}), status: instance.Status{InstanceID: id, Role: instance.RoleUnassigned}}
}

func (f *fake) Status() *instance.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.status
	st.Epoch = f.seen
	return &st
}

func (f *fake) Published() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fake) SeenEpoch() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func (f *fake) RecordEpoch(epoch uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.diskFull {
		return errDisk
	}
	f.seen = max(f.seen, epoch)
	return nil
}

func (f *fake) Apply(ctx context.Context, request any) (*instance.Status, error) {
	f.mu.Lock()
	busy, ended, refusal := f.busy, f.ended, f.refusal
	f.applied = append(f.applied, request)
	f.mu.Unlock()
	if busy {
		<-ctx.Done()
		return nil, fmt.Errorf("wait for the reactor: %w", ctx.Err())
	}
	if ended {
		return nil, ErrShutDown
	}
	if refusal != nil {
		return nil, refusal
	}
	return f.Status(), nil
}

// publish changes the status.
func (f *fake) publish(change func(*instance.Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Seq++
	change(&f.status)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// serveAPI serves f with real TLS until the test ends or stop is called.
func serveAPI(t *testing.T, f *fake, config *tls.Config) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- NewAPI(f, config, quiet).Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// start serves a fake server and gives a client of it.
func start(t *testing.T) (*fake, *instance.Client) {
	t.Helper()
	authority := instancetest.New(t)
	config, err := instance.ServerTLS(authority.WriteServer(t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	address, _ := serveAPI(t, f, config)
	c := instance.NewClient(address, authority.ClientTLS())
	t.Cleanup(c.Close)
	return f, c
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryRequestArrives(t *testing.T) {
	f, c := start(t)
	ctx := deadline(t)
	source := instance.Endpoint{Host: "10.0.0.3", Port: 6379}
	requests := []struct {
		want any
		send func() (*instance.Status, error)
	}{
		{instance.FenceRequest{Epoch: 3}, func() (*instance.Status, error) { return c.Fence(ctx, instance.FenceRequest{Epoch: 3}) }},
		{instance.PromoteRequest{Epoch: 4, Members: 3, LeaseMillis: 2000, BootID: id, StatusSeq: 7}, func() (*instance.Status, error) {
			return c.Promote(ctx, instance.PromoteRequest{Epoch: 4, Members: 3, LeaseMillis: 2000, BootID: id, StatusSeq: 7})
		}},
		{instance.LeaseRequest{Epoch: 4, BootID: id, StatusSeq: 9, Members: 3, LeaseMillis: 2000}, func() (*instance.Status, error) {
			return c.Lease(ctx, instance.LeaseRequest{Epoch: 4, BootID: id, StatusSeq: 9, Members: 3, LeaseMillis: 2000})
		}},
		{instance.HandoverRequest{Epoch: 4, TargetInstanceID: id, TimeoutMillis: 500}, func() (*instance.Status, error) {
			return c.Handover(ctx, instance.HandoverRequest{Epoch: 4, TargetInstanceID: id, TimeoutMillis: 500})
		}},
		{instance.WindowRequest{Epoch: 4, CapacityBytes: 1 << 20}, func() (*instance.Status, error) {
			return c.Resize(ctx, instance.WindowRequest{Epoch: 4, CapacityBytes: 1 << 20})
		}},
		{instance.FollowRequest{Epoch: 5, Primary: instance.Endpoint{Host: "10.0.0.2", Port: 6379}, Source: &source, LeaseMillis: 2000}, func() (*instance.Status, error) {
			return c.Follow(ctx, instance.FollowRequest{Epoch: 5, Primary: instance.Endpoint{Host: "10.0.0.2", Port: 6379}, Source: &source, LeaseMillis: 2000})
		}},
	}
	for _, r := range requests {
		status, err := r.send()
		if err != nil {
			t.Fatalf("%T: %v", r.want, err)
		}
		got, _ := json.Marshal(f.applied[len(f.applied)-1])
		want, _ := json.Marshal(r.want)
		if string(got) != string(want) || status.InstanceID != id {
			t.Errorf("%s arrived as %s", want, got)
		}
	}
	if status, err := c.Status(ctx); err != nil || status.Epoch != 5 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestRefusalsHaveACodeAndTheStatus(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(f *fake)
		epoch   uint64
		want    instance.Code
		says    string
	}{
		{"an epoch that is over", func(f *fake) { f.seen = 9 }, 8, instance.CodeStaleEpoch, "epoch 8 is over: this instance obeys epoch 9"},
		{"an epoch that can not be stored", func(f *fake) { f.diskFull = true }, 8, instance.CodeStorage, errDisk.Error()},
		{"a reactor that does not turn", func(f *fake) { f.busy = true }, 8, instance.CodeBusy, "the epoch has been recorded"},
		{"a server that ends", func(f *fake) { f.ended = true }, 8, instance.CodeShuttingDown, "the server is shutting down; the epoch has been recorded"},
		{"what contradicts the epoch", func(f *fake) { f.refusal = &instance.Error{Code: instance.CodeConflict, Message: "no"} }, 8, instance.CodeConflict, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, c := start(t)
			f.set(func() { tt.prepare(f) })
			_, err := c.Fence(deadline(t), instance.FenceRequest{Epoch: tt.epoch})
			if instance.CodeOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error %v", err)
			}
			var refusal *instance.Error
			if !errors.As(err, &refusal) || refusal.Status == nil || refusal.Status.InstanceID != id {
				t.Errorf("no status in %+v", refusal)
			}
			if instance.FailureOf(err) != "" {
				t.Errorf("a refusal is called a failure: %v", instance.FailureOf(err))
			}
		})
	}
}

// TestABusyServerIsFenced: the epoch is recorded although the reactor does nothing.
func TestABusyServerIsFenced(t *testing.T) {
	f, c := start(t)
	f.set(func() { f.busy = true })
	if _, err := c.Fence(deadline(t), instance.FenceRequest{Epoch: 12}); instance.CodeOf(err) != instance.CodeBusy {
		t.Fatalf("error %v", err)
	}
	if f.SeenEpoch() != 12 {
		t.Errorf("epoch %d", f.SeenEpoch())
	}
	if status, err := c.Status(deadline(t)); err != nil || status.Epoch != 12 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestMalformedRequestsAreExplained(t *testing.T) {
	f := newFake()
	h := NewAPI(f, &tls.Config{}, quiet).handler()
	tests := []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"an empty body", "POST", instance.PathFence, "", 400, "the body is empty"},
		{"no JSON", "POST", instance.PathFence, "epoch=3", 400, "invalid character 'e'"},
		{"half an object", "POST", instance.PathFence, `{"epoch":`, 400, "ends in the middle"},
		{"an array", "POST", instance.PathFence, `[1]`, 400, "can not be a array"},
		{"an unknown field", "POST", instance.PathFence, `{"epoch":1,"force":true}`, 400, `unknown field "force"`},
		{"something behind the object", "POST", instance.PathFence, `{"epoch":1} {}`, 400, "something follows"},
		{"a text for a number", "POST", instance.PathFence, `{"epoch":"1"}`, 400, "epoch can not be a string"},
		{"a negative epoch", "POST", instance.PathFence, `{"epoch":-1}`, 400, "epoch can not be a number -1"},
		{"epoch 0", "POST", instance.PathFence, `{"epoch":0}`, 400, "epoch 0: want 1 or more"},
		{"a body without end", "POST", instance.PathFence, `{"epoch":1` + strings.Repeat(" ", instance.MaxRequestBytes), 400, "too large"},
		{"no members", "POST", instance.PathPromote, `{"epoch":1,"leaseMillis":2000}`, 400, "members 0: want 1 to 1000"},
		{"a lease of a blink", "POST", instance.PathPromote, `{"epoch":1,"members":3,"leaseMillis":99}`, 400, "leaseMillis 99: want 100 to 60000"},
		{"a status without a boot", "POST", instance.PathLease, `{"epoch":1,"members":3,"leaseMillis":2000,"statusSeq":4}`, 400, "bootID"},
		{"nobody to follow", "POST", instance.PathFollow, `{"epoch":1,"leaseMillis":2000}`, 400, "primary.host"},
		{"a port that is none", "POST", instance.PathFollow, `{"epoch":1,"leaseMillis":2000,"primary":{"host":"a","port":65536}}`, 400, "primary.port 65536: want 1 to 65535"},
		{"a source without a port", "POST", instance.PathFollow, `{"epoch":1,"leaseMillis":2000,"primary":{"host":"a","port":1},"source":{"host":"b"}}`, 400, "source.port 0"},
		{"a long handover", "POST", instance.PathHandover, `{"epoch":1,"targetInstanceID":"` + id + `","timeoutMillis":501}`, 400, "timeoutMillis 501: want 1 to 500"},
		{"a target that is no ID", "POST", instance.PathHandover, `{"epoch":1,"targetInstanceID":"demo-2","timeoutMillis":100}`, 400, `targetInstanceID "demo-2": want 40 hex digits`},
		{"a small window", "POST", instance.PathResize, `{"epoch":1,"capacityBytes":1024}`, 400, "capacityBytes 1024: want 16384 or more"},
		{"the wrong method", "GET", instance.PathFence, "", 405, "/v1/fence takes POST, not GET"},
		{"posting to the status", "POST", instance.PathStatus, "{}", 405, "/v1/status takes GET, not POST"},
		{"another path", "GET", "/v2/status", "", 404, `no such path: "/v2/status"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			w := &recorder{header: http.Header{}}
			h.ServeHTTP(w, r)
			var answer instance.Error
			if err := json.Unmarshal(w.body, &answer); err != nil {
				t.Fatalf("answer %q: %v", w.body, err)
			}
			if w.status != tt.status || answer.Code != instance.CodeInvalidRequest || !strings.Contains(answer.Message, tt.says) {
				t.Errorf("%d %+v", w.status, answer)
			}
		})
	}
	if len(f.applied) > 0 || f.seen > 0 {
		t.Errorf("something was done: %v, epoch %d", f.applied, f.seen)
	}
}

type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { r.body = append(r.body, p...); return len(p), nil }

func FuzzDecode(f *testing.F) {
	f.Add(`{"epoch":1,"primary":{"host":"a","port":1},"source":{"host":"b","port":2},"leaseMillis":2000}`)
	f.Add(`{"epoch":18446744073709551615}`)
	f.Add(`{"epoch":1e3}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := decode[instance.FollowRequest](strings.NewReader(body))
		if err != nil {
			if !json.Valid([]byte(`"`+instance.CodeInvalidRequest+`"`)) || err.Error() == "" {
				t.Fatal("refused without a reason")
			}
			return
		}
		if r.Epoch == 0 || r.Primary.Port < 1 || r.Primary.Port > 65535 || r.LeaseMillis < instance.MinLeaseMillis || r.LeaseMillis > instance.MaxLeaseMillis {
			t.Fatalf("accepted %+v", r)
		}
		again, _ := json.Marshal(r)
		if _, err := decode[instance.FollowRequest](strings.NewReader(string(again))); err != nil {
			t.Fatalf("%s, and then not %s: %v", body, again, err)
		}
	})
}

// watching collects what a watch stream tells.
type watching struct {
	seen  chan instance.Status
	ended chan error
}

func watch(ctx context.Context, c *instance.Client, silence time.Duration) *watching {
	w := &watching{seen: make(chan instance.Status, 1000), ended: make(chan error, 1)}
	go func() {
		w.ended <- c.Watch(ctx, silence, func(s *instance.Status) error { w.seen <- *s; return nil })
	}()
	return w
}

// until waits for a status of which ok is true.
func (w *watching) until(t *testing.T, what string, ok func(instance.Status) bool) instance.Status {
	t.Helper()
	limit := time.After(patience)
	var last instance.Status
	for {
		select {
		case last = <-w.seen:
			if ok(last) {
				return last
			}
		case err := <-w.ended:
			t.Fatalf("waiting for %s: the stream ended: %v", what, err)
		case <-limit:
			t.Fatalf("waiting for %s: last seen %+v", what, last)
		}
	}
}

func (w *watching) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the stream did not end")
		return nil
	}
}

func TestWatchTellsEveryChange(t *testing.T) {
	f, c := start(t)
	w := watch(deadline(t), c, patience)
	w.until(t, "the status at the beginning", func(s instance.Status) bool { return s.Role == instance.RoleUnassigned })
	for _, role := range []instance.Role{instance.RoleReplica, instance.RolePrimary, instance.RoleReplica} {
		f.publish(func(s *instance.Status) { s.Role = role })
		w.until(t, "the role "+string(role), func(s instance.Status) bool { return s.Role == role })
	}
}

func TestWatchSpeaksWhenNothingChanges(t *testing.T) {
	_, c := start(t)
	w := watch(deadline(t), c, patience)
	for range 3 {
		w.until(t, "a sign of life", func(instance.Status) bool { return true })
	}
}

func TestASlowWatcherGetsOnlyTheNewest(t *testing.T) {
	f, c := start(t)
	ctx := deadline(t)
	release := make(chan struct{})
	seqs := make(chan uint64, 100_000)
	go func() {
		_ = c.Watch(ctx, patience, func(s *instance.Status) error { // ends with the test
			<-release
			seqs <- s.Seq
			return nil
		})
	}()
	// Each status is large, so that the sockets between us fill up soon.
	filler := strings.Repeat("x", 200_000)
	const changes = 2000
	for range changes {
		f.publish(func(s *instance.Status) { s.Version = filler })
	}
	close(release)
	got := 0
	for last := uint64(0); last < changes; got++ {
		select {
		case seq := <-seqs:
			if seq < last {
				t.Fatalf("status %d after %d", seq, last)
			}
			last = seq
		case <-ctx.Done():
			t.Fatalf("the newest status never came; the last was %d", last)
		}
	}
	if got > changes/2 {
		t.Errorf("%d of %d were kept for a watcher that did not listen", got, changes)
	}
}

func TestHowAWatchEnds(t *testing.T) {
	authority := instancetest.New(t)
	config, err := instance.ServerTLS(authority.WriteServer(t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("seen enough")
	tests := []struct {
		name   string
		cut    func(p *proxy, stop func(), cancel func())
		want   instance.Failure
		kernel bool
	}{
		{"the process ends in order", func(_ *proxy, stop, _ func()) { stop() }, instance.FailureEnded, false},
		{"the process is killed: its kernel says FIN", func(p *proxy, _, _ func()) { p.closeAll(false) }, instance.FailureClosed, true},
		{"the process is killed with data unread: its kernel says RST", func(p *proxy, _, _ func()) { p.closeAll(true) }, instance.FailureReset, true},
		{"the network is cut: nobody says anything", func(p *proxy, _, _ func()) { p.freeze() }, instance.FailureSilence, false},
		{"the caller has lost interest", func(_ *proxy, _, cancel func()) { cancel() }, instance.FailureCancelled, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, stop := serveAPI(t, newFake(), config)
			p := newProxy(t, address)
			ctx, cancel := context.WithCancel(deadline(t))
			defer cancel()
			c := instance.NewClient(p.address(), authority.ClientTLS())
			defer c.Close()
			w := watch(ctx, c, 3*instance.WatchInterval)
			w.until(t, "the beginning", func(instance.Status) bool { return true })
			tt.cut(p, stop, cancel)
			err := w.end(t)
			if instance.FailureOf(err) != tt.want || instance.KernelClosed(err) != tt.kernel {
				t.Errorf("ended with %s (%v), want %s", instance.FailureOf(err), err, tt.want)
			}
		})
	}
	t.Run("the callback has had enough", func(t *testing.T) {
		address, _ := serveAPI(t, newFake(), config)
		c := instance.NewClient(address, authority.ClientTLS())
		defer c.Close()
		if err := c.Watch(deadline(t), patience, func(*instance.Status) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("ended with %v", err)
		}
	})
}

// proxy stands between a client and the server, as the network does.
type proxy struct {
	l      net.Listener
	mu     sync.Mutex
	conns  []*net.TCPConn // of the client's side
	frozen bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client.(*net.TCPConn))
			p.mu.Unlock()
			running.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			running.Go(func() { p.pump(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.closeAll(false)
		running.Wait()
	})
	return p
}

// pump carries what the server says to the client.
func (p *proxy) pump(client, server net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if !frozen && n > 0 {
			_, _ = client.Write(buf[:n])
		}
		if err != nil {
			if !frozen {
				_ = client.Close()
			}
			return
		}
	}
}

func (p *proxy) address() string { return p.l.Addr().String() }

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// closeAll closes the client's side of every connection, by FIN or by RST.
func (p *proxy) closeAll(reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if reset {
			_ = c.SetLinger(0)
		}
		_ = c.Close()
	}
}

func TestWhyAnInstanceCanNotBeAsked(t *testing.T) {
	authority, stranger := instancetest.New(t), instancetest.New(t)
	config, err := instance.ServerTLS(authority.WriteServer(t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serveAPI(t, newFake(), config)
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = deaf.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()

	otherName := authority.ClientTLS()
	otherName.ServerName = "somebody.else"
	anonymous := authority.ClientTLS()
	anonymous.Certificates = nil
	asServer, err := instance.ClientTLS(authority.Server(), instancetest.Name)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		address string
		config  *tls.Config
		limit   time.Duration
		want    instance.Failure
	}{
		{"nobody listens", gone.Addr().String(), authority.ClientTLS(), patience, instance.FailureRefused},
		{"somebody listens and does not answer", deaf.Addr().String(), authority.ClientTLS(), 50 * time.Millisecond, instance.FailureTimeout},
		{"a caller without a certificate", address, anonymous, patience, instance.FailureTLS},
		{"a caller of another authority", address, stranger.ClientTLS(), patience, instance.FailureTLS},
		{"an instance is no operator", address, asServer, patience, instance.FailureTLS},
		{"an instance of another name", address, otherName, patience, instance.FailureTLS},
		{"a name that nobody knows", "no-such-host.invalid:7379", authority.ClientTLS(), patience, instance.FailureUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			defer cancel()
			c := instance.NewClient(tt.address, tt.config)
			defer c.Close()
			_, err := c.Status(ctx)
			if instance.FailureOf(err) != tt.want || instance.CodeOf(err) != "" {
				t.Errorf("%s (%v), want %s", instance.FailureOf(err), err, tt.want)
			}
		})
	}
	t.Run("dialling only", func(t *testing.T) {
		if err := instance.NewClient(deaf.Addr().String(), authority.ClientTLS()).Dial(deadline(t)); err != nil {
			t.Errorf("somebody listens: %v", err)
		}
		if err := instance.NewClient(gone.Addr().String(), authority.ClientTLS()).Dial(deadline(t)); instance.FailureOf(err) != instance.FailureRefused {
			t.Errorf("nobody listens: %v", err)
		}
	})
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	dir := t.TempDir()
	before, after := instancetest.New(t), instancetest.New(t)
	config, err := instance.ServerTLS(before.WriteServer(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serveAPI(t, newFake(), config)
	ask := func(a *instancetest.Authority) error {
		c := instance.NewClient(address, a.ClientTLS())
		defer c.Close()
		_, err := c.Status(deadline(t))
		return err
	}
	if err := ask(before); err != nil {
		t.Fatal(err)
	}
	after.WriteServer(dir)
	limit := time.Now().Add(patience)
	for ask(after) != nil {
		if time.Now().After(limit) {
			t.Fatalf("the new authority is not accepted: %v", ask(after))
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := ask(before); instance.FailureOf(err) != instance.FailureTLS {
		t.Errorf("the old authority is still accepted: %v", err)
	}
}
