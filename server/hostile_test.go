package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// witness is a client that does its work while another one misbehaves. It has to get
// every reply, and the right one.
type witness struct {
	c    *servertest.Client
	stop chan struct{}
	done sync.WaitGroup
	n    int
	slow time.Duration // the longest that it waited for a reply
	err  error
}

// witnessed runs test while a witness is served by the same server.
func witnessed(t *testing.T, i *servertest.Instance, test func(t *testing.T)) {
	t.Helper()
	w := &witness{c: i.Client(t), stop: make(chan struct{})}
	w.done.Go(w.work)
	defer func() {
		close(w.stop)
		w.done.Wait()
		if w.err != nil || w.n == 0 {
			t.Errorf("another client was served %d times: %v", w.n, w.err)
		}
		t.Logf("another client was served %d times; it waited for %s at most", w.n, w.slow)
	}()
	test(t)
}

func (w *witness) work() {
	for ; w.err == nil; w.n++ {
		select {
		case <-w.stop:
			return
		default:
		}
		began, want := time.Now(), strconv.Itoa(w.n+1)
		if _, w.err = w.c.Conn().Write(servertest.Request("INCR", "witness")); w.err != nil {
			return
		}
		got, err := w.c.Read()
		if w.err = err; err == nil && fmt.Sprint(got) != want {
			w.err = fmt.Errorf("INCR was answered with %v, want %s", got, want)
		}
		w.slow = max(w.slow, time.Since(began))
	}
}

// peakKB is the most memory that the server's process has occupied.
func peakKB(t *testing.T, i *servertest.Instance) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var peak int
	if _, err := fmt.Sscanf(rest, "%d kB", &peak); err != nil {
		t.Fatalf("find the peak in %q: %v", status, err)
	}
	return peak
}

func TestNoiseDisturbsNobody(t *testing.T) {
	i := servertest.Start(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	witnessed(t, i, func(t *testing.T) {
		for range 300 {
			noise := make([]byte, r.IntN(5000))
			for k := range noise {
				noise[k] = byte(r.Uint32())
			}
			if len(noise) > 0 && r.IntN(2) == 0 {
				noise[0] = '*'
			}
			c, err := net.Dial("tcp", i.Addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(servertest.Deadline))
			_, _ = c.Write(noise) // the server may hang up in the middle of it
			_ = c.(*net.TCPConn).CloseWrite()
			told, err := io.ReadAll(c)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatalf("the server did not hang up after %q and the end; it sent %q", noise, told)
			}
			c.Close()
		}
	})
}

// Requests that begin and never end take little: what they announce is not allocated
// before it comes.
func TestRequestsThatOnlyBeginTakeLittle(t *testing.T) {
	i := servertest.StartProcess(t)
	witnessed(t, i, func(t *testing.T) {
		before := peakKB(t, i)
		for _, begin := range []string{
			"*2147483647\r\n$1\r\na\r\n",
			"*1000000000\r\n",
			"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nv",
			"*2\r\n$536870912\r\n",
			"SET k " + strings.Repeat("x", 60000),
		} {
			for range 40 {
				i.Client(t).Write([]byte(begin)) // stays open, and says nothing more
			}
		}
		admin := i.Client(t)
		servertest.Until(t, "all are connected", func() error {
			if n := admin.Info("clients")["connected_clients"]; n != "202" {
				return fmt.Errorf("connected_clients is %s", n)
			}
			return nil
		})
		admin.Must("PONG", "PING")
		took := peakKB(t, i) - before
		t.Logf("200 requests that have only begun take %d kB", took)
		if took > 200<<10 {
			t.Error("that is what they announce, not what has come")
		}
	})
}

func TestAHundredThousandCommandsInOneWrite(t *testing.T) {
	i := servertest.StartProcess(t)
	witnessed(t, i, func(t *testing.T) {
		const n = 100_000
		c := i.Client(t)
		var sent, want bytes.Buffer
		for k := range n {
			sent.Write(servertest.Request("INCR", "counter"))
			fmt.Fprintf(&want, ":%d\r\n", k+1)
		}
		wrote := make(chan error, 1)
		go func() {
			_ = c.Conn().SetDeadline(time.Now().Add(2 * servertest.Deadline))
			_, err := c.Conn().Write(sent.Bytes())
			wrote <- err
		}()
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(c.Conn(), got); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Error("the replies are not the numbers in order")
		}
	})
}

// TestTheLongestStringTravelsBothWays sends and reads it in pieces.
func TestTheLongestStringTravelsBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("the server needs more than a gigabyte for it")
	}
	i := servertest.StartProcess(t)
	const length, piece = 512 << 20, 1 << 20
	content := make([]byte, piece)
	for k := range content {
		content[k] = byte(k * k >> 3)
	}
	witnessed(t, i, func(t *testing.T) {
		c := i.Client(t)
		patient := func() { _ = c.Conn().SetDeadline(time.Now().Add(3 * servertest.Deadline)) }
		patient()
		if _, err := fmt.Fprintf(c.Conn(), "*3\r\n$3\r\nSET\r\n$7\r\nlongest\r\n$%d\r\n", length); err != nil {
			t.Fatal(err)
		}
		for range length / piece {
			if _, err := c.Conn().Write(content); err != nil {
				t.Fatal(err)
			}
		}
		c.Write([]byte("\r\n"))
		if got := c.Receive(); got != "OK" {
			t.Fatalf("SET was answered with %v", got)
		}
		c.Must(strconv.Itoa(length), "STRLEN", "longest")
		c.Must("ERR string exceeds maximum allowed size (proto-max-bulk-len)", "APPEND", "longest", "x")

		c.Send("GET", "longest")
		patient()
		header := fmt.Sprintf("$%d\r\n", length)
		got := make([]byte, piece)
		if _, err := io.ReadFull(c.Conn(), got[:len(header)]); err != nil || string(got[:len(header)]) != header {
			t.Fatalf("GET was answered with %.30q, %v", got, err)
		}
		for k := range length / piece {
			if _, err := io.ReadFull(c.Conn(), got); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("piece %d is not what was sent: %v", k, err)
			}
		}
	})
}

// What nests deeper than the stack is an error of the client's, as in Redis.
func TestDeepNestingIsRefused(t *testing.T) {
	ours, real := servertest.Start(t), servertest.StartRedis(t)
	deep := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for _, row := range []struct{ name, script, arg string }{
		{"brackets in JSON", "return #cjson.decode(ARGV[1])", deep("[", "", "]", 100_000)},
		{"braces in JSON", "return #cjson.decode(ARGV[1])", deep(`{"a":`, "1", "}", 100_000)},
		{"open brackets in JSON", "return cjson.decode(ARGV[1])", strings.Repeat("[", 1_000_000)},
		{"a table in itself to JSON", "local t = {} t[1] = t return cjson.encode(t)", ""},
		{"a table in itself to MessagePack", "local t = {} t[1] = t return #cmsgpack.pack(t)", ""},
		{"arrays in MessagePack", "return type(cmsgpack.unpack(ARGV[1]))", strings.Repeat("\x91", 1000) + "\x01"},
		{"parentheses in a script", deep("return ", "", "", 1) + deep("(", "1", ")", 100_000), ""},
		{"tables in a script", deep("return ", "", "", 1) + deep("{", "1", "}", 100_000), ""},
		{"blocks in a script", deep("do ", "", " end", 100_000), ""},
		{"functions in a script", deep("return function() ", "", " end", 1000), ""},
		{"a function that calls itself", "local function f() return 1 + f() end return f()", ""},
		{"a method of itself", "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x", ""},
		{"a reply of tables", "local t = {1} for i = 1, 100 do t = {t} end return #t", ""},
		{"a pattern", "return #string.match(ARGV[1], string.rep('(.-)', 40))", "x"},
		{"a long subject", "return #string.match(ARGV[1], '^(.-)b')", strings.Repeat("a", 1_000_000) + "b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, want := ours.Client(t).Raw("EVAL", row.script, "0", row.arg), real.Client(t).Raw("EVAL", row.script, "0", row.arg)
			if got != want {
				t.Errorf("\n  ours  %.300q\n  Redis %.300q", got, want)
			}
		})
	}
	ours.Client(t).Must("PONG", "PING")
}
