package server_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestAboveMaxmemoryOnlyWhatNeedsMemoryIsRefused(t *testing.T) {
	const oom = "OOM command not allowed when used memory > 'maxmemory'."
	c := servertest.Start(t).Client(t)
	c.Must("OK", "SET", "k", strings.Repeat("x", 1<<20))
	c.Must("OK", "CONFIG", "SET", "maxmemory", "1mb")
	c.Must(oom, "SET", "other", "v")
	c.Must("1048576", "STRLEN", "k")
	c.Must("OK", "MULTI")
	c.Must(oom, "APPEND", "k", "v")
	c.Must("EXECABORT Transaction discarded because of previous errors.", "EXEC")
	c.Must("1", "DEL", "k")
	c.Must("OK", "CONFIG", "SET", "maxmemory", "100mb")
	c.Must("OK", "SET", "other", "v")
}

// TestATransactionIsBounded: what MULTI queues was not counted, so a client could
// fill the memory with it.
func TestATransactionIsBounded(t *testing.T) {
	i := servertest.Start(t, "--client-query-buffer-limit", "1mb")
	c := i.Client(t)
	c.Must("OK", "MULTI")
	for n := range 10 {
		c.Send("SET", "k", strings.Repeat("x", 300<<10))
		if _, err := c.Read(); err != nil {
			if n < 2 {
				t.Fatalf("closed after %d commands", n)
			}
			if hits := i.Client(t).Info("stats")["client_query_buffer_limit_disconnections"]; hits != "1" {
				t.Errorf("%s disconnections are counted", hits)
			}
			return
		}
	}
	t.Error("3 MB are queued, the limit is 1 MB")
}

// TestATransactionsReplyIsBounded: the output limit was looked at behind EXEC only,
// when the memory had been taken.
func TestATransactionsReplyIsBounded(t *testing.T) {
	i := servertest.StartProcess(t, "--client-output-buffer-limit", "normal 1mb 0 0")
	c := i.Client(t)
	c.Must("OK", "SET", "large", strings.Repeat("x", 600<<10))
	c.Must("OK", "MULTI")
	for range 500 { // 300 MB
		c.Must("QUEUED", "GET", "large")
	}
	c.Must("QUEUED", "SET", "last", "executed")
	c.Send("EXEC")
	if told := c.AwaitClose(); len(told) > 0 {
		t.Errorf("the client was sent %d bytes", len(told))
	}
	i.Client(t).Must("executed", "GET", "last")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var peak int // kB
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(rest, "%d kB", &peak); err != nil || peak > 150<<10 {
		t.Errorf("it took %d kB at its peak (%v)", peak, err)
	}
}

// TestTenThousandConnections: the process of the test has as many descriptors as the
// server's, so where the limit allows fewer, there are fewer.
func TestTenThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of sockets")
	}
	want := 10_000
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if room := int(min(lim.Cur, 1<<20)) - 300; room < want {
		t.Logf("only %d connections, for the limit is %d descriptors", room, lim.Cur)
		want = room
	}
	i := servertest.StartProcess(t, "--maxclients", "20000")
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	witnessed(t, i, func(t *testing.T) {
		for range want {
			c, err := net.DialTimeout("tcp", i.Addr, servertest.Deadline)
			if err != nil {
				t.Fatalf("connection %d: %v", len(conns), err)
			}
			if err := c.SetDeadline(time.Now().Add(3 * servertest.Deadline)); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		for n, c := range conns {
			if _, err := fmt.Fprintf(c, "ECHO %d\r\n", n); err != nil {
				t.Fatal(err)
			}
		}
		for n, c := range conns {
			text := fmt.Sprint(n)
			reply := fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
			got := make([]byte, len(reply))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != reply {
				t.Fatalf("connection %d: %q, %v", n, got, err)
			}
		}
		admin := i.Client(t)
		if got := admin.Info("clients")["connected_clients"]; got != fmt.Sprint(want+2) {
			t.Errorf("connected_clients is %s", got)
		}
	})
}

func TestIdleClientsAreDisconnectedAfterTheTimeout(t *testing.T) {
	i := servertest.Start(t, "--timeout", "1")
	i.Client(t).AwaitClose()
}

func TestCommandsThatAreSlowAreRemembered(t *testing.T) {
	c := servertest.Start(t, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "3").Client(t)
	c.Must("OK", "CLIENT", "SETNAME", "me")
	c.Must("OK", "SET", "k", strings.Repeat("x", 200))
	c.Do("AUTH", "default", "secret")
	c.Must("OK", "CONFIG", "SET", "requirepass", "hidden")
	entries, ok := c.Do("SLOWLOG", "GET", "-1").([]any)
	if !ok || len(entries) != 3 {
		t.Fatalf("got %v", entries)
	}
	for n, want := range []string{"[CONFIG SET requirepass (redacted)]", "[AUTH (redacted) (redacted)]", "[SET k " + strings.Repeat("x", 128) + "... (72 more bytes)]"} {
		entry := entries[n].([]any)
		if got := fmt.Sprint(entry[3]); got != want {
			t.Errorf("entry %d: %s, want %s", n, got, want)
		}
		if entry[5] != "me" {
			t.Errorf("entry %d is from %v", n, entry[5])
		}
	}
}

func TestAClientThatOnlyStopsSendingGetsItsReplies(t *testing.T) {
	i := servertest.Start(t)
	c := i.Client(t)
	value := strings.Repeat("v", 1<<20)
	c.Must("OK", "SET", "k", value)
	half := i.Client(t)
	const n = 30
	for range n {
		half.Send("GET", "k")
	}
	if err := half.Conn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for k := range n {
		if got := half.Receive(); got != value {
			t.Fatalf("reply %d is missing", k)
		}
	}
	if rest := half.AwaitClose(); rest != "" {
		t.Errorf("then came %q", rest)
	}
}

// A client that always has replies on the way never lets the server's buffer run
// empty. It must not grow for ever.
func TestABufferThatNeverRunsEmptyDoesNotGrow(t *testing.T) {
	i := servertest.Start(t)
	admin, c := i.Client(t), i.Client(t)
	value := strings.Repeat("v", 100000)
	c.Must("OK", "SET", "k", value)
	id := c.Text("CLIENT", "ID")
	const outstanding, total = 200, 1500 // 20 MB are more than the kernel's buffers take
	for range outstanding {
		c.Send("GET", "k")
	}
	for range total {
		if got := c.Receive(); got != value {
			t.Fatalf("got %.20q", got)
		}
		c.Send("GET", "k")
	}
	line := admin.Text("CLIENT", "LIST", "ID", id)
	_, rest, _ := strings.Cut(line, "tot-mem=")
	memory, _, _ := strings.Cut(rest, " ")
	if n, err := strconv.Atoi(memory); err != nil || n > 100<<20 {
		t.Errorf("after %d MB the connection occupies %s bytes", total/10, memory)
	}
}

func TestAnEndlessRequestIsCutOff(t *testing.T) {
	i := servertest.Start(t, "--client-query-buffer-limit", "1mb")
	admin, c := i.Client(t), i.Client(t)
	go func() {
		_ = c.Conn().SetWriteDeadline(time.Now().Add(servertest.Deadline))
		_, _ = c.Conn().Write([]byte("*2\r\n$4\r\nECHO\r\n$100000000\r\n" + strings.Repeat("x", 4<<20))) // ends when the server hangs up
	}()
	c.AwaitClose()
	if n := admin.Info("stats")["client_query_buffer_limit_disconnections"]; n != "1" {
		t.Errorf("client_query_buffer_limit_disconnections is %s", n)
	}
}
