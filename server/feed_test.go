package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// wireReplica plays the replica's side by hand, one line at a time.
type wireReplica struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func dialReplica(t testing.TB, i *servertest.Instance) *wireReplica {
	t.Helper()
	c, err := net.Dial("tcp", i.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(servertest.Deadline)); err != nil {
		t.Fatal(err)
	}
	return newWire(t, c)
}

func newWire(t testing.TB, c net.Conn) *wireReplica { return &wireReplica{t, c, bufio.NewReader(c)} }

func (w *wireReplica) say(args ...string) {
	w.t.Helper()
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	if _, err := w.c.Write(resp.AppendCommand(nil, b...)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wireReplica) line() string {
	w.t.Helper()
	s, err := w.r.ReadString('\n')
	if err != nil {
		w.t.Fatalf("read a line: %v (so far %q)", err, s)
	}
	return strings.TrimRight(s, "\r\n")
}

func (w *wireReplica) expect(args []string, want string) {
	w.t.Helper()
	w.say(args...)
	if got := w.line(); got != want {
		w.t.Fatalf("%v: got %q, want %q", args, got, want)
	}
}

// lineAfterNewlines skips the keepalives and counts them.
func (w *wireReplica) lineAfterNewlines() (line string, newlines int) {
	w.t.Helper()
	for {
		if line = w.line(); line != "" {
			return line, newlines
		}
		newlines++
	}
}

func (w *wireReplica) read(n int) []byte {
	w.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(w.r, p); err != nil {
		w.t.Fatalf("read %d bytes: %v", n, err)
	}
	return p
}

// snapshot takes a snapshot of either framing.
func (w *wireReplica) snapshot() []byte {
	w.t.Helper()
	header, _ := w.lineAfterNewlines()
	if mark, ok := strings.CutPrefix(header, "$EOF:"); ok {
		var all []byte
		for !bytes.HasSuffix(all, []byte(mark)) {
			all = append(all, w.read(1)...)
		}
		return all[:len(all)-len(mark)]
	}
	size, err := strconv.Atoi(strings.TrimPrefix(header, "$"))
	if err != nil {
		w.t.Fatalf("a snapshot begins with %q", header)
	}
	return w.read(size)
}

// silent asserts that nothing arrives for a moment.
func (w *wireReplica) silent(d time.Duration) {
	w.t.Helper()
	if err := w.c.SetReadDeadline(time.Now().Add(d)); err != nil {
		w.t.Fatal(err)
	}
	if b, err := w.r.Peek(1); err == nil {
		rest, _ := w.r.Peek(w.r.Buffered())
		w.t.Fatalf("got %q (%q) where silence was due", b, rest)
	}
	if err := w.c.SetDeadline(time.Now().Add(servertest.Deadline)); err != nil {
		w.t.Fatal(err)
	}
	w.r.Reset(w.c)
}

// command reads one command of the stream.
func (w *wireReplica) command() string {
	w.t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(w.line(), "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	words := make([]string, n)
	for i := range words {
		size, err := strconv.Atoi(strings.TrimPrefix(w.line(), "$"))
		if err != nil {
			w.t.Fatal(err)
		}
		words[i] = string(w.read(size))
		w.read(2)
	}
	return strings.Join(words, " ")
}

func (w *wireReplica) online(capa ...string) (id string, offset int64) {
	w.t.Helper()
	for _, c := range capa {
		w.expect([]string{"REPLCONF", "capa", c}, "+OK")
	}
	w.say("PSYNC", "?", "-1")
	line, _ := w.lineAfterNewlines()
	if _, err := fmt.Sscanf(line, "+FULLRESYNC %40s %d", &id, &offset); err != nil {
		w.t.Fatalf("%q: %v", line, err)
	}
	w.snapshot()
	return id, offset
}

func TestHandshakeOnTheWire(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	w := dialReplica(t, i)
	for _, tc := range []struct {
		say  []string
		want string
	}{
		{[]string{"PING"}, "+PONG"},
		{[]string{"REPLCONF", "listening-port", "6380"}, "+OK"},
		{[]string{"REPLCONF", "ip-address", "10.1.2.3"}, "+OK"},
		{[]string{"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "from-the-future"}, "+OK"},
		{[]string{"REPLCONF", "version", "8.0.1"}, "+OK"},
		{[]string{"REPLCONF", "nonsense", "1"}, "-ERR Unrecognized REPLCONF option: nonsense"},
		{[]string{"REPLCONF", "listening-port"}, "-ERR syntax error"},
		{[]string{"REPLCONF", "lockstep-hello", "1", strings.Repeat("a", 40)}, "-ERR Unrecognized REPLCONF option: lockstep-hello"},
		{[]string{"PSYNC", "?", "x"}, "-ERR value is not an integer or out of range"},
	} {
		w.expect(tc.say, tc.want)
	}
	// An acknowledgement has no reply, also from one that is no replica.
	w.say("REPLCONF", "ACK", "5")
	w.expect([]string{"PING"}, "+PONG")
	w.online()
	c := i.Client(t)
	if got := c.Info("replication")["slave0"]; !strings.HasPrefix(got, "ip=10.1.2.3,port=6380,state=online,offset=0,lag=") {
		t.Fatalf("slave0:%s", got)
	}
}

// Offsets are off by one in every wrong implementation: FULLRESYNC tells the count so
// far, PSYNC asks for the next byte.
func TestWhoMayContinueOnTheWire(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	c := i.Client(t)
	first := dialReplica(t, i)
	id, offset := first.online("psync2")
	c.Do("SET", "k", "v")
	first.say("REPLCONF", "ACK", strconv.FormatInt(offset, 10))
	if got := first.command() + "; " + first.command(); got != "SELECT 0; SET k v" {
		t.Fatalf("the stream begins with %q", got)
	}
	end, err := strconv.ParseInt(c.Info("replication")["master_repl_offset"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		id   string
		next int64
		want string
	}{
		{"nothing missed", id, end + 1, "+CONTINUE " + id},
		{"the last byte missed", id, end, "+CONTINUE " + id},
		{"everything missed", id, 1, "+CONTINUE " + id},
		{"ahead by one byte", id, end + 2, "+FULLRESYNC " + id},
		{"before the first byte", id, 0, "+FULLRESYNC " + id},
		{"another history", strings.Repeat("b", 40), 1, "+FULLRESYNC " + id},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := dialReplica(t, i)
			w.expect([]string{"REPLCONF", "capa", "psync2"}, "+OK")
			w.say("PSYNC", tc.id, strconv.FormatInt(tc.next, 10))
			if got, _ := w.lineAfterNewlines(); !strings.HasPrefix(got, tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("who did not offer psync2 gets no ID", func(t *testing.T) {
		w := dialReplica(t, i)
		w.expect([]string{"PSYNC", id, strconv.FormatInt(end+1, 10)}, "+CONTINUE")
	})
}

// After a snapshot whose end only a mark tells, nothing is sent until the replica has
// shown that it found the end.
func TestStreamWaitsForTheFirstAckAfterAMark(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	c := i.Client(t)
	w := dialReplica(t, i)
	_, offset := w.online("eof")
	c.Must("OK", "SET", "k", "v")
	w.silent(300 * time.Millisecond)
	w.say("REPLCONF", "ACK", strconv.FormatInt(offset, 10))
	if got := w.command(); got != "SELECT 0" {
		t.Fatalf("the stream begins with %q", got)
	}
}

// While a replica waits for its snapshot, it hears a newline every second; once it is
// online, never.
func TestNewlinesWhileWaiting(t *testing.T) {
	t.Parallel() // it waits most of the time
	i := servertest.Start(t, "--repl-diskless-sync-delay", "3")
	w := dialReplica(t, i)
	w.expect([]string{"REPLCONF", "capa", "eof"}, "+OK")
	w.say("PSYNC", "?", "-1")
	line, newlines := w.lineAfterNewlines()
	if !strings.HasPrefix(line, "+FULLRESYNC") || newlines < 2 {
		t.Fatalf("%d newlines before %q", newlines, line)
	}
	w.snapshot()
	w.say("REPLCONF", "ACK", "0")
	if got := w.command(); got != "ping" {
		t.Fatalf("the stream of an idle primary begins with %q", got)
	}
	w.silent(1500 * time.Millisecond)
}

// A replica that does not read is dropped at the limit of its class, not before the
// backlog's size.
func TestSlowReplicaIsDropped(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0", "--repl-backlog-size", "1mb",
		"--client-output-buffer-limit", "replica 2mb 0 0")
	c := i.Client(t)
	w := dialReplica(t, i)
	w.online()
	if err := w.c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("x", 256<<10)
	servertest.Until(t, "the replica is gone", func() error {
		c.Must("OK", "SET", "k", value)
		if n := c.Info("replication")["connected_slaves"]; n != "0" {
			return fmt.Errorf("connected_slaves:%s", n)
		}
		return nil
	})
	if n := c.Info("stats")["client_output_buffer_limit_disconnections"]; n != "1" {
		t.Fatalf("client_output_buffer_limit_disconnections:%s", n)
	}
}

// A backlog that nobody has needed for its time to live is freed, and the history with
// it: what is written then is not counted.
func TestExpiredBacklogEndsTheHistory(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0", "--repl-backlog-ttl", "1")
	c := i.Client(t)
	w := dialReplica(t, i)
	id, _ := w.online()
	_ = w.c.Close()
	servertest.Until(t, "the backlog is freed", func() error {
		if v := c.Info("replication")["repl_backlog_active"]; v != "0" {
			return fmt.Errorf("repl_backlog_active:%s", v)
		}
		return nil
	})
	if now := c.Info("replication")["master_replid"]; now == id {
		t.Fatal("the history goes on under the same name")
	}
}

func TestRoleOfAPrimary(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	w := dialReplica(t, i)
	w.expect([]string{"REPLCONF", "listening-port", "7777"}, "+OK")
	w.online()
	w.say("REPLCONF", "ACK", "0")
	c := i.Client(t)
	if got := fmt.Sprint(c.Do("ROLE")); !strings.HasPrefix(got, "[master ") || !strings.HasSuffix(got, "[[127.0.0.1 7777 0]]]") {
		t.Fatalf("ROLE: %s", got)
	}
}

func TestWaitNeverBlocksInATransaction(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "MULTI")
	c.Do("SET", "k", "v")
	c.Do("WAIT", "3", "0")
	if got := fmt.Sprint(c.Do("EXEC")); got != "[OK 0]" {
		t.Fatalf("EXEC: %s", got)
	}
}

// A snapshot is of one moment, however much is written while it is made, and the
// stream continues exactly there.
func TestSnapshotIsOfItsMoment(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes")
	c := i.Client(t)
	const keys = 30000
	c.Must("OK", "DEBUG", "POPULATE", strconv.Itoa(keys), "key", "100")
	replica := servertest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(i.Port))
	for n := range keys {
		c.Send("SET", fmt.Sprintf("key:%d", n), fmt.Sprintf("new%d", n))
	}
	for range keys {
		if got := c.Receive(); got != "OK" {
			t.Fatalf("SET: %v", got)
		}
	}
	r := replica.Client(t)
	servertest.Until(t, "the replica has everything", func() error {
		want, have := c.Info("replication")["master_repl_offset"], r.Info("replication")
		if have["master_link_status"] != "up" || have["master_repl_offset"] != want {
			return fmt.Errorf("link %s, offset %s of %s", have["master_link_status"], have["master_repl_offset"], want)
		}
		return nil
	})
	if got, want := fmt.Sprint(r.Do("DBSIZE")), strconv.Itoa(keys); got != want {
		t.Fatalf("DBSIZE %s, want %s", got, want)
	}
	for n := range keys {
		r.Send("GET", fmt.Sprintf("key:%d", n))
	}
	for n := range keys {
		if got, want := r.Receive(), fmt.Sprintf("new%d", n); got != want {
			t.Fatalf("key:%d is %v, want %s", n, got, want)
		}
	}
}

// A snapshot that can not be written leaves the previous file alone, and says so.
func TestFailedSaveKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	i := servertest.Start(t, "--dir", dir)
	c := i.Client(t)
	c.Must("OK", "SET", "k", "v")
	c.Must("OK", "SAVE")
	before, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	// A directory in the way of the rename: root may write everywhere.
	if err := os.Rename(filepath.Join(dir, "dump.rdb"), filepath.Join(dir, "kept.rdb")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "dump.rdb", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Do("SAVE")); !strings.Contains(got, "snapshot") {
		t.Fatalf("SAVE: %s", got)
	}
	after, err := os.ReadFile(filepath.Join(dir, "kept.rdb"))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the old file has changed: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "temp-*")); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

// A replica that says nothing for repl-timeout is dropped.
func TestSilentReplicaTimesOut(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0", "--repl-timeout", "1")
	w := dialReplica(t, i)
	w.online()
	c := i.Client(t)
	servertest.Until(t, "the replica is gone", func() error {
		if n := c.Info("replication")["connected_slaves"]; n != "0" {
			return fmt.Errorf("connected_slaves:%s", n)
		}
		return nil
	})
}

func TestRefusalsOfWaitAreThoseOfRedis(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for _, row := range []struct{ say, want string }{
		{"WAIT 2 9223372036854775808", "ERR timeout is not an integer or out of range"},
		{"WAIT 2 9223372036854775807", "ERR timeout is out of range"},
		{"WAIT 2 -1", "ERR timeout is negative"},
		{"WAIT x 1", "ERR value is not an integer or out of range"},
		{"WAIT 0 9000000000000000000", "0"},
		{"REPLCONF rdb-filter-only x", "ERR Unsupported rdb-filter-only option: x"},
	} {
		c.Must(row.want, strings.Fields(row.say)...)
	}
}

// FAILOVER to a replica that does not catch up gives up in time, and writes go on.
func TestFailoverGivesUpInTime(t *testing.T) {
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	w := dialReplica(t, i)
	w.expect([]string{"REPLCONF", "listening-port", "7777"}, "+OK")
	w.online()
	c := i.Client(t)
	for _, tc := range []struct {
		say  []string
		want string
	}{
		{[]string{"FAILOVER", "TO", "127.0.0.1", "7778"}, "ERR FAILOVER target HOST and PORT is not a replica."},
		{[]string{"FAILOVER", "FORCE"}, "ERR FAILOVER with force option requires both a timeout and target HOST and IP."},
		{[]string{"FAILOVER", "FORCE", "FORCE"}, "ERR syntax error"},
		{[]string{"FAILOVER", "TO", "127.0.0.1", "x"}, "ERR value is not an integer or out of range"},
		{[]string{"FAILOVER", "TO", "127.0.0.1", "7777", "FORCE"}, "ERR FAILOVER with force option requires both a timeout and target HOST and IP."},
		{[]string{"FAILOVER", "TIMEOUT", "0"}, "ERR FAILOVER timeout must be greater than 0"},
		{[]string{"FAILOVER", "ABORT"}, "ERR No failover in progress."},
		{[]string{"FAILOVER", "NONSENSE"}, "ERR syntax error"},
	} {
		c.Must(tc.want, tc.say...)
	}
	c.Must("OK", "SET", "k", "v") // which the replica never acknowledges
	c.Must("OK", "FAILOVER", "TO", "127.0.0.1", "7777", "TIMEOUT", "200")
	if got := c.Info("replication")["master_failover_state"]; got != "waiting-for-sync" {
		t.Fatalf("master_failover_state:%s", got)
	}
	c.Must("ERR FAILOVER already in progress.", "FAILOVER")
	c.Must("ERR REPLICAOF not allowed while failing over.", "REPLICAOF", "127.0.0.1", "1")
	c.Must("OK", "SET", "k", "w") // held back until it is over
	info := c.Info("replication")
	if info["role"] != "master" || info["master_failover_state"] != "no-failover" {
		t.Fatalf("role:%s, master_failover_state:%s", info["role"], info["master_failover_state"])
	}
}

// A replica that comes within the first period sees no ping before that is over.
func TestPingsArePeriodsApartFromTheStartOn(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600")
	w, c := dialReplica(t, i), i.Client(t)
	w.online()
	servertest.Until(t, "the replica was looked after", func() error {
		if got := c.Info("replication")["slave0"]; strings.HasSuffix(got, "lag=0") || strings.HasSuffix(got, "lag=1") {
			return errors.New(got)
		}
		return nil
	})
	c.Must("OK", "SET", "k", "v")
	for _, want := range []string{"SELECT 0", "SET k v"} {
		if got := w.command(); got != want {
			t.Errorf("the stream has %q, want %q", got, want)
		}
	}
}
