package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/servertest"
)

var (
	historyA = strings.Repeat("a", 40)
	historyB = strings.Repeat("b", 40)
)

// wirePrimary plays the primary's side by hand.
type wirePrimary struct {
	t testing.TB
	l net.Listener
}

func listenPrimary(t testing.TB) *wirePrimary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &wirePrimary{t, l}
}

func (p *wirePrimary) directive() string {
	return "127.0.0.1 " + strconv.Itoa(p.l.Addr().(*net.TCPAddr).Port)
}

// wireLink is one connection of a replica to a primary played by hand.
type wireLink struct {
	*wireReplica // its methods read lines and commands
}

// accept takes the next connection up to its PSYNC, which it returns.
func (p *wirePrimary) accept() (*wireLink, string) {
	p.t.Helper()
	if err := p.l.(*net.TCPListener).SetDeadline(time.Now().Add(servertest.Deadline)); err != nil {
		p.t.Fatal(err)
	}
	c, err := p.l.Accept()
	if err != nil {
		p.t.Fatalf("wait for the replica: %v", err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(servertest.Deadline)); err != nil {
		p.t.Fatal(err)
	}
	l := &wireLink{wireReplica: newWire(p.t, c)}
	for {
		switch cmd := l.command(); {
		case cmd == "PING":
			l.send("+PONG\r\n")
		case strings.HasPrefix(cmd, "REPLCONF"):
			l.send("+OK\r\n")
		default:
			return l, cmd
		}
	}
}

func (l *wireLink) send(s string) {
	l.t.Helper()
	if _, err := l.c.Write([]byte(s)); err != nil {
		l.t.Fatal(err)
	}
}

// stream sends commands of the stream and returns their length.
func (l *wireLink) stream(commands ...string) (n int64) {
	l.t.Helper()
	for _, c := range commands {
		p := streamBytes(c)
		n += int64(len(p))
		l.send(p)
	}
	return n
}

func streamBytes(command string) string {
	words := strings.Fields(command)
	args := make([][]byte, len(words))
	for i, w := range words {
		args[i] = []byte(w)
	}
	return string(resp.AppendCommand(nil, args...))
}

// ack waits for an acknowledgement of at least offset and returns it.
func (l *wireLink) ack(offset int64) int64 {
	l.t.Helper()
	for {
		var n int64
		cmd := l.commandAfterNewlines()
		if _, err := fmt.Sscanf(cmd, "REPLCONF ACK %d", &n); err != nil {
			l.t.Fatalf("the replica says %q", cmd)
		}
		if n >= offset {
			return n
		}
	}
}

// commandAfterNewlines skips the signs of life of a replica that loads.
func (l *wireLink) commandAfterNewlines() string {
	l.t.Helper()
	for {
		b, err := l.r.Peek(1)
		if err != nil {
			l.t.Fatalf("wait for the replica: %v", err)
		}
		if b[0] != '\n' {
			return l.command()
		}
		l.read(1)
	}
}

func snapshotWith(entries ...string) []byte {
	p := rdb.AppendHeader(nil)
	p = rdb.AppendSelectDB(p, 0, len(entries), 0)
	for _, e := range entries {
		k, v, _ := strings.Cut(e, "=")
		p = append(p, stringEntry(k, v)...)
	}
	return rdb.AppendEOF(p, rdb.Checksum(0, p))
}

func stringEntry(key, value string) []byte {
	var enc rdb.Encoder
	enc.Entry(rdb.ShapeString, []byte(key), 0, rdb.NoAccess)
	enc.String([]byte(value))
	return enc.Buf
}

// feed gives a full re-synchronisation.
func (l *wireLink) feed(id string, offset int64, snapshot []byte) {
	l.t.Helper()
	l.send(fmt.Sprintf("\n\n+FULLRESYNC %s %d\r\n\n$%d\r\n%s", id, offset, len(snapshot), snapshot))
}

func startReplica(t *testing.T, p *wirePrimary, directives ...string) *servertest.Instance {
	t.Helper()
	return servertest.Start(t, append([]string{"--replicaof", p.directive()}, directives...)...)
}

func TestReplicaAsksFromNothingAndAcksAtOnce(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p)
	l, psync := p.accept()
	if psync != "PSYNC ? -1" {
		t.Fatalf("a fresh replica says %q", psync)
	}
	l.feed(historyA, 1000, snapshotWith("k=v"))
	if got := l.ack(0); got != 1000 {
		t.Fatalf("the first acknowledgement is of %d", got)
	}
	i.Client(t).Must("v", "GET", "k")
}

// The answer to GETACK excludes the GETACK's own 37 bytes.
func TestGetackExcludesItself(t *testing.T) {
	p := listenPrimary(t)
	startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 1000, snapshotWith())
	l.ack(1000)
	l.stream("SELECT 0", "SET k v")
	want := 1000 + int64(len(streamBytes("SELECT 0")+streamBytes("SET k v")))
	l.stream("REPLCONF GETACK *")
	if got := l.ack(want); got != want {
		t.Fatalf("GETACK was answered with %d, want %d", got, want)
	}
	if got := l.ack(want + 1); got != want+37 {
		t.Fatalf("the next acknowledgement is of %d, want %d", got, want+37)
	}
}

// A link that is cut in the middle of a transaction is continued from before its
// MULTI, and nothing of it has been applied.
func TestCutTransactionIsSentAgain(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith())
	l.ack(0)
	n := l.stream("SELECT 5", "SET n 1")
	l.stream("MULTI", "INCR n", "INCR n")
	l.ack(n)
	_ = l.c.Close()

	l, psync := p.accept()
	if want := fmt.Sprintf("PSYNC %s %d", historyA, n+1); psync != want {
		t.Fatalf("the replica says %q, want %q", psync, want)
	}
	l.send("+CONTINUE\r\n")
	n += l.stream("MULTI", "INCR n", "INCR n", "EXEC")
	l.ack(n)
	c := i.Client(t)
	c.Must("OK", "SELECT", "5")
	c.Must("3", "GET", "n")
}

// Another ID in +CONTINUE is the same stream under a new name.
func TestContinueUnderANewName(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 7, snapshotWith())
	l.ack(7)
	_ = l.c.Close()
	l, _ = p.accept()
	l.send("+CONTINUE " + historyB + "\r\n")
	l.ack(7)
	info := i.Client(t).Info("replication")
	for field, want := range map[string]string{"master_replid": historyB, "master_replid2": historyA, "second_repl_offset": "8", "master_repl_offset": "7"} {
		if info[field] != want {
			t.Errorf("%s:%s, want %s", field, info[field], want)
		}
	}
}

// A snapshot that is damaged, or holds what can not be loaded, is refused while the
// old data is still there, and the history with it.
func TestBadSnapshotKeepsTheOldData(t *testing.T) {
	good := snapshotWith("k=new")
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	otherDB := rdb.AppendHeader(nil)
	otherDB = rdb.AppendSelectDB(otherDB, 99, 1, 0)
	otherDB = append(otherDB, stringEntry("k", "v")...)
	otherDB = rdb.AppendEOF(otherDB, rdb.Checksum(0, otherDB))
	libraryOnly := rdb.AppendFunction(rdb.AppendHeader(nil), []byte("#!lua name=broken\nno code"))
	libraryOnly = rdb.AppendEOF(libraryOnly, rdb.Checksum(0, libraryOnly))
	for _, tc := range []struct {
		name     string
		snapshot []byte
		says     string
	}{
		{"a wrong checksum", damaged, "checksum"},
		{"an end before the end", good[:len(good)-12], "snapshot"},
		{"a database that we do not have", otherDB, "database 99"},
		{"a type that we do not have", append(rdb.AppendSelectDB(rdb.AppendHeader(nil), 0, 1, 0), 7, 1, 'm', 1, 1, 'x'), "module"},
		{"a function library that can not be loaded", libraryOnly, "function library"},
		{"no snapshot at all", []byte("HTTP/1.1 200 OK"), "RDB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := listenPrimary(t)
			i := startReplica(t, p)
			l, _ := p.accept()
			l.feed(historyA, 0, snapshotWith("k=old"))
			l.ack(0)
			_ = l.c.Close()
			l, _ = p.accept()
			l.feed(historyB, 500, tc.snapshot)
			_, psync := p.accept()
			if want := "PSYNC " + historyA + " 1"; psync != want {
				t.Fatalf("the next attempt is %q, want %q", psync, want)
			}
			i.Client(t).Must("old", "GET", "k")
			if !strings.Contains(i.Log(), tc.says) {
				t.Fatalf("the log does not say %q:\n%s", tc.says, i.Log())
			}
		})
	}
}

// TestAReplicaWithHalfADataSetStops: it must not save what it has, and refused to
// stop without having saved.
func TestAReplicaWithHalfADataSetStops(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p, "--save", "900 1")
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith("k=1", "k=2")) // only loading finds out that a key occurs twice
	servertest.Until(t, "the load has failed", func() error {
		if !strings.Contains(i.Log(), "Failed trying to load") {
			return errors.New(i.Log())
		}
		return nil
	})
	i.Stop(t)
	if !strings.Contains(i.Log(), "Not saving before exiting") {
		t.Errorf("the log is silent about it:\n%s", i.Log())
	}
}

func TestStaleReplicaAnswersAsConfigured(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p, "--replica-serve-stale-data", "no")
	c := i.Client(t)
	if got := fmt.Sprint(c.Do("GET", "k")); !strings.HasPrefix(got, "MASTERDOWN") {
		t.Fatalf("GET without a link: %s", got)
	}
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith("k=v"))
	l.ack(0)
	c.Must("v", "GET", "k")
	if got := fmt.Sprint(c.Do("SET", "k", "w")); !strings.HasPrefix(got, "READONLY") {
		t.Fatalf("SET on a replica: %s", got)
	}
}

// A replica hides keys whose time is over and leaves their deletion to its primary.
func TestReplicaLeavesExpiryToItsPrimary(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith())
	l.ack(0)
	n := l.stream("SELECT 0", "SET k v PXAT 1000", "APPEND k w")
	l.ack(n)
	c := i.Client(t)
	c.Must("<nil>", "GET", "k")
	c.Must("1", "DBSIZE")
	n += l.stream("PERSIST k")
	l.ack(n)
	c.Must("vw", "GET", "k")
}

// What clients give a time on a writable replica nobody else knows of: without this it
// stayed for ever.
func TestAWritableReplicaExpiresWhatItsClientsWrote(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p, "--replica-read-only", "no")
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith())
	l.ack(0)
	l.ack(l.stream("SELECT 0", "SET theirs v PXAT 1000"))
	c := i.Client(t)
	await := func(keys, tracked string) {
		t.Helper()
		servertest.Until(t, "own keys expire", func() error {
			held, followed := c.Text("DBSIZE"), c.Info("stats")["slave_expires_tracked_keys"]
			if held != keys || followed != tracked {
				return fmt.Errorf("%s keys held, %s tracked; want %s and %s", held, followed, keys, tracked)
			}
			return nil
		})
	}
	c.Must("OK", "SET", "own", "v", "PX", "1")
	c.Must("[OK 1]", "EVAL", "return {redis.call('SET', 'kept', 'v'), redis.call('EXPIRE', 'kept', 1000)}", "0")
	await("2", "1") // theirs and kept
	c.Must("1", "PERSIST", "kept")
	await("2", "0")
	c.Must("1", "EXPIRE", "kept", "1000")
	c.Must("OK", "FLUSHALL")
	await("0", "0")
}

// What a replica passes on is what it has received, byte by byte.
func TestSubReplicaGetsTheSameBytes(t *testing.T) {
	p := listenPrimary(t)
	i := startReplica(t, p, "--repl-diskless-sync-delay", "0")
	l, _ := p.accept()
	l.feed(historyA, 100, snapshotWith("k=v"))
	l.ack(100)
	sub := dialReplica(t, i)
	id, offset := sub.online("psync2")
	if id != historyA || offset != 100 {
		t.Fatalf("FULLRESYNC %s %d", id, offset)
	}
	const odd = "*1\r\n$4\r\npInG\r\n*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$1\r\nw\r\n"
	l.send(odd)
	if got := string(sub.read(len(odd))); got != odd {
		t.Fatalf("passed on: %q", got)
	}
	// A transaction is passed on when it is applied, not before.
	l.stream("MULTI", "SET k x")
	sub.silent(200 * time.Millisecond)
	l.stream("EXEC")
	if got := sub.command() + "; " + sub.command() + "; " + sub.command(); got != "MULTI; SET k x; EXEC" {
		t.Fatalf("passed on: %s", got)
	}
}

// SHUTDOWN stores where in the stream the data set stands; the next start asks for
// the rest only.
func TestRestartAsksForTheRest(t *testing.T) {
	p := listenPrimary(t)
	dir := t.TempDir()
	i := startReplica(t, p, "--dir", dir)
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith())
	l.ack(0)
	n := l.stream("SELECT 3", "SET k v")
	l.ack(n)
	i.Client(t).Must("OK", "SAVE")
	i.Stop(t)
	i = startReplica(t, p, "--dir", dir)
	l, psync := p.accept()
	if want := fmt.Sprintf("PSYNC %s %d", historyA, n+1); psync != want {
		t.Fatalf("after a restart: %q, want %q", psync, want)
	}
	l.send("+CONTINUE\r\n")
	n += l.stream("SET after 1") // without a SELECT: the replica has to remember it
	l.ack(n)
	c := i.Client(t)
	c.Must("OK", "SELECT", "3")
	c.Must("1", "GET", "after")
}

// The temporary file of a transfer does not outlive it.
func TestCutTransferLeavesNothing(t *testing.T) {
	p := listenPrimary(t)
	dir := t.TempDir()
	startReplica(t, p, "--dir", dir)
	l, _ := p.accept()
	s := snapshotWith("k=v")
	l.send(fmt.Sprintf("+FULLRESYNC %s 0\r\n$%d\r\n%s", historyA, len(s), s[:len(s)/2]))
	servertest.Until(t, "a temporary file", func() error {
		return countFiles(dir, "temp-*", 1)
	})
	_ = l.c.Close()
	_, psync := p.accept()
	if psync != "PSYNC ? -1" {
		t.Fatalf("the next attempt is %q", psync)
	}
	servertest.Until(t, "no file at all", func() error {
		return errors.Join(countFiles(dir, "temp-*", 0), countFiles(dir, "dump.rdb", 0))
	})
}

func countFiles(dir, pattern string, want int) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	if len(names) != want {
		return fmt.Errorf("%d files %s, want %d", len(names), pattern, want)
	}
	return nil
}

// A primary that says nothing for repl-timeout is left, and asked again.
func TestSilentPrimaryTimesOut(t *testing.T) {
	p := listenPrimary(t)
	startReplica(t, p, "--repl-timeout", "1")
	l, _ := p.accept()
	l.feed(historyA, 3, snapshotWith())
	l.ack(3)
	if _, psync := p.accept(); psync != "PSYNC "+historyA+" 4" {
		t.Fatalf("the replica says %q", psync)
	}
}

// Bytes that are no commands end the link, and with it the knowledge of where in the
// stream the replica is.
func TestGarbageInTheStreamEndsTheHistory(t *testing.T) {
	p := listenPrimary(t)
	startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 3, snapshotWith())
	l.ack(3)
	l.send("SET k v\r\n")
	if _, psync := p.accept(); psync != "PSYNC ? -1" {
		t.Fatalf("the replica says %q", psync)
	}
}

// Whoever makes a primary of a replica too early finds out why keys are missing.
func TestLeavingAPrimaryBeforeTheFirstSynchronizationIsWarnedOf(t *testing.T) {
	const warning = "has not finished: this server keeps the data that it held before"
	p := listenPrimary(t)
	i := startReplica(t, p)
	p.accept() // and no answer to its PSYNC
	i.Client(t).Must("OK", "REPLICAOF", "NO", "ONE")
	if log := i.Log(); !strings.Contains(log, "The first synchronization with master "+p.l.Addr().String()+" "+warning) {
		t.Errorf("the log says\n%s", log)
	}

	i = startReplica(t, p)
	l, _ := p.accept()
	l.feed(historyA, 0, snapshotWith())
	l.ack(0)
	i.Client(t).Must("OK", "REPLICAOF", "NO", "ONE")
	if log := i.Log(); strings.Contains(log, warning) {
		t.Errorf("warned after a synchronization:\n%s", log)
	}
}
