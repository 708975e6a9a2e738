package command

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisServer is a real redis-server with a client and, after attach, a replica
// that only listens.
type redisServer struct {
	t       testing.TB
	addr    string
	conn    net.Conn
	replies *bufio.Reader
	marks   net.Conn // publishes markers, while the other one may be in a transaction
	marked  *bufio.Reader
	stream  *bufio.Reader
	events  *bufio.Reader // nil unless listen was called
	db      int           // the stream's selected database
	syncs   int
	conns   []net.Conn // all of them, each with a deadline for the next reply
	stop    func()
}

const redisDeadline = 30 * time.Second

// startRedis starts a server of its own for the test. Without redis-server the
// test is skipped, unless LOCKSTEP_REQUIRE_REDIS says that this must not happen.
func startRedis(t testing.TB) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("LOCKSTEP_REQUIRE_REDIS") != "" {
			t.Fatalf("redis-server is required: %v", err)
		}
		t.Skipf("compares with a real redis-server: %v", err)
	}
	dir := t.TempDir()
	for attempt := 0; attempt < 5; attempt++ {
		if r := tryRedis(t, path, dir); r != nil {
			return r
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "redis.log"))
	t.Fatalf("redis-server did not start; its log:\n%s", log)
	return nil
}

func tryRedis(t testing.TB, path, dir string) *redisServer {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "",
		"--dir", dir, "--logfile", "redis.log", "--enable-debug-command", "yes",
		"--repl-diskless-sync", "no", "--repl-ping-replica-period", "3600",
		"--repl-timeout", "3600") // who reads its stream acknowledges nothing
	// A test that is ended from outside cleans nothing up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	r := &redisServer{t: t, addr: fmt.Sprintf("127.0.0.1:%d", port), stop: func() {
		_ = cmd.Process.Kill()
		<-ended
	}}
	t.Cleanup(r.stop)
	for deadline := time.Now().Add(redisDeadline); time.Now().Before(deadline); {
		select {
		case <-ended: // somebody else took the port
			return nil
		default:
		}
		if r.dial() == nil {
			return r
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// onServer is the same with a server that runs already: ours.
func onServer(t testing.TB, addr string, stop func()) *redisServer {
	t.Helper()
	r := &redisServer{t: t, addr: addr, stop: stop}
	if err := r.dial(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *redisServer) dial() (err error) {
	if r.conn, err = net.Dial("tcp", r.addr); err != nil {
		return err
	}
	r.t.Cleanup(func() { _ = r.conn.Close() })
	if r.marks, err = net.Dial("tcp", r.addr); err != nil {
		return err
	}
	r.t.Cleanup(func() { _ = r.marks.Close() })
	r.marked = bufio.NewReader(r.marks)
	r.conns = append(r.conns, r.conn, r.marks)
	r.replies = bufio.NewReader(r.conn)
	return nil
}

func (r *redisServer) close() { r.stop() }

// do sends a command and returns the bytes of the reply.
func (r *redisServer) do(args ...[]byte) []byte {
	r.t.Helper()
	for _, conn := range r.conns {
		_ = conn.SetDeadline(time.Now().Add(redisDeadline))
	}
	if _, err := r.conn.Write(request(args...)); err != nil {
		r.t.Fatalf("send %s: %v", spellArgs(args), err)
	}
	reply, err := readRaw(r.replies, nil)
	if err != nil {
		r.t.Fatalf("reply to %s: %v", spellArgs(args), err)
	}
	return reply
}

// elsewhere has the other connection send a command.
func (r *redisServer) elsewhere(db int, args ...[]byte) []byte {
	r.t.Helper()
	for _, request := range [][]byte{request([]byte("SELECT"), strconv.AppendInt(nil, int64(db), 10)), request(args...)} {
		if _, err := r.marks.Write(request); err != nil {
			r.t.Fatalf("send %s elsewhere: %v", spellArgs(args), err)
		}
	}
	if _, err := readRaw(r.marked, nil); err != nil {
		r.t.Fatalf("select a database elsewhere: %v", err)
	}
	reply, err := readRaw(r.marked, nil)
	if err != nil {
		r.t.Fatalf("reply to %s elsewhere: %v", spellArgs(args), err)
	}
	return reply
}

func (r *redisServer) must(line string) []byte {
	r.t.Helper()
	reply := r.do(words(r.t, line)...)
	if reply[0] == '-' {
		r.t.Fatalf("%s: %s", line, reply)
	}
	return reply
}

// prepare has it record effects and events, and lets keys vanish only when a command
// says so and not when time passes.
func (r *redisServer) prepare() {
	r.t.Helper()
	r.must("DEBUG SET-ACTIVE-EXPIRE 0")
	r.must("CONFIG SET hz 500") // how soon it notices that a wait is over
	r.attach()
	r.listen()
}

func (r *redisServer) speakRESP3() { r.must("HELLO 3") }

func (r *redisServer) digest(key string) string {
	r.t.Helper()
	node, _, err := parseReply(r.do([]byte("DEBUG"), []byte("DIGEST-VALUE"), []byte(key)))
	if err != nil || len(node.elems) != 1 {
		r.t.Fatalf("DEBUG DIGEST-VALUE %s: %v %v", key, node, err)
	}
	return node.elems[0].text
}

// attach makes the test a replica of the server, as far as the server can see.
func (r *redisServer) attach() {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	r.conns = append(r.conns, conn)
	if _, err := conn.Write(request([]byte("PSYNC"), []byte("?"), []byte("-1"))); err != nil {
		r.t.Fatal(err)
	}
	r.stream = bufio.NewReader(conn)
	for { // bare newlines, +FULLRESYNC, bare newlines, $length
		line, err := r.stream.ReadString('\n')
		if err != nil {
			r.t.Fatalf("wait for the snapshot: %v", err)
		}
		if strings.HasPrefix(line, "$") {
			size, err := strconv.ParseInt(strings.TrimSpace(line[1:]), 10, 64)
			if err != nil {
				r.t.Fatalf("snapshot header %q: %v", line, err)
			}
			if _, err := io.CopyN(io.Discard, r.stream, size); err != nil {
				r.t.Fatalf("read the snapshot: %v", err)
			}
			r.takeEffects()
			return
		}
	}
}

// takeEffects returns what went down the replication stream since the last call
// in the form of effectLog.
func (r *redisServer) takeEffects() []string {
	r.t.Helper()
	r.syncs++
	marker := fmt.Sprintf("marker-%d", r.syncs)
	if _, err := r.marks.Write(request([]byte("PUBLISH"), []byte(marker), nil)); err != nil {
		r.t.Fatalf("publish a marker: %v", err)
	}
	if _, err := readRaw(r.marked, nil); err != nil {
		r.t.Fatalf("publish a marker: %v", err)
	}
	var lines []string
	for {
		raw, err := readRaw(r.stream, nil)
		if err != nil {
			r.t.Fatalf("read the replication stream: %v", err)
		}
		args := parseStream(r.t, raw)
		switch name := upper(string(args[0])); {
		case name == "PUBLISH" && string(args[1]) == marker:
			return lines
		case name == "SELECT":
			r.db, _ = strconv.Atoi(string(args[1]))
		case name == "PING":
		case name == "MULTI" || name == "EXEC":
			lines = append(lines, name)
		default:
			lines = append(lines, spellEffect(r.db, args))
		}
	}
}

// listen subscribes to keyspace events of every class.
func (r *redisServer) listen() {
	r.t.Helper()
	r.must("CONFIG SET notify-keyspace-events EAmn")
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	r.conns = append(r.conns, conn)
	subscribe := request([]byte("PSUBSCRIBE"), []byte("__keyevent@*"), []byte("marker-*"))
	if _, err := conn.Write(subscribe); err != nil {
		r.t.Fatal(err)
	}
	r.events = bufio.NewReader(conn)
	for range 2 {
		if _, err := readRaw(r.events, nil); err != nil {
			r.t.Fatalf("subscribe: %v", err)
		}
	}
}

// takeEvents returns the keyspace events up to the marker of the last
// takeEffects as "db: event key".
func (r *redisServer) takeEvents() []string {
	r.t.Helper()
	var lines []string
	for {
		raw, err := readRaw(r.events, nil)
		if err != nil {
			r.t.Fatalf("read keyspace events: %v", err)
		}
		message := parseStream(r.t, raw) // pmessage, pattern, channel, key
		channel := string(message[2])
		if channel == fmt.Sprintf("marker-%d", r.syncs) {
			return lines
		}
		db, event, ok := strings.Cut(strings.TrimPrefix(channel, "__keyevent@"), "__:")
		if ok {
			lines = append(lines, fmt.Sprintf("%s: %s %q", db, event, message[3]))
		}
	}
}

func parseStream(t testing.TB, raw []byte) [][]byte {
	node, _, err := parseReply(raw)
	if err != nil {
		t.Fatalf("replication stream: %v in %q", err, raw)
	}
	args := make([][]byte, len(node.elems))
	for i, e := range node.elems {
		args[i] = []byte(e.text)
	}
	return args
}

func request(args ...[]byte) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// readRaw reads one reply of either version of the protocol, whatever it means.
func readRaw(r *bufio.Reader, raw []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return raw, err
	}
	raw = append(raw, line...)
	head := bytes.TrimRight(line, "\r\n")
	if len(head) == 0 {
		return raw, fmt.Errorf("empty line")
	}
	n, _ := strconv.Atoi(string(head[1:]))
	switch head[0] {
	case '$', '=', '!':
		if n >= 0 {
			body := make([]byte, n+2)
			if _, err := io.ReadFull(r, body); err != nil {
				return raw, err
			}
			raw = append(raw, body...)
		}
		return raw, nil
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return raw, nil
	}
	for range max(n, 0) {
		if raw, err = readRaw(r, raw); err != nil {
			return raw, err
		}
	}
	return raw, nil
}

// replyNode is a parsed reply.
type replyNode struct {
	kind  byte
	text  string
	null  bool
	elems []replyNode
}

func parseReply(raw []byte) (n replyNode, rest []byte, err error) {
	end := bytes.Index(raw, []byte("\r\n"))
	if end < 1 {
		return n, raw, fmt.Errorf("no line end in %q", raw)
	}
	n.kind, n.text = raw[0], string(raw[1:end])
	rest = raw[end+2:]
	size, _ := strconv.Atoi(n.text)
	switch n.kind {
	case '$', '=', '!':
		if size < 0 {
			n.null = true
			return n, rest, nil
		}
		if len(rest) < size+2 {
			return n, rest, fmt.Errorf("short string")
		}
		n.text = string(rest[:size])
		return n, rest[size+2:], nil
	case '%', '|':
		size *= 2
	case '*', '~', '>':
	default:
		n.null = n.kind == '_'
		return n, rest, nil
	}
	n.null = size < 0
	for range max(size, 0) {
		var e replyNode
		if e, rest, err = parseReply(rest); err != nil {
			return n, rest, err
		}
		n.elems = append(n.elems, e)
	}
	return n, rest, nil
}
