package server_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// Requests that no client library sends. What the server answers, and whether it
// hangs up, has to be what Redis does; afterwards it has to serve others as if
// nothing had happened.
var abuses = []struct {
	name  string
	send  string
	hangs bool // the server waits for more instead of hanging up
}{
	{name: "a multibulk count that is not a number", send: "*abc\r\n"},
	{name: "a multibulk count with leading zeros", send: "*01\r\n"},
	{name: "a multibulk count beyond 32 bits", send: "*99999999999\r\n"},
	{name: "a multibulk count beyond 64 bits", send: "*99999999999999999999999\r\n"},
	{name: "an empty multibulk count", send: "*\r\n"},
	{name: "a bulk that does not begin with a dollar", send: "*1\r\nPING\r\n"},
	{name: "a bulk that is an integer", send: "*2\r\n$4\r\nECHO\r\n:1\r\n"},
	{name: "a negative bulk length", send: "*1\r\n$-1\r\n"},
	{name: "a bulk length that is not a number", send: "*1\r\n$x\r\n"},
	{name: "a bulk length with a plus sign", send: "*1\r\n$+4\r\nPING\r\n"},
	{name: "a bulk longer than the limit", send: "*1\r\n$536870913\r\n"},
	{name: "an unbalanced quote in an inline request", send: "SET a \"b\r\n"},
	{name: "a quote that is not followed by a blank", send: "SET a \"b\"c\r\n"},
	{name: "an inline request without end", send: strings.Repeat("a", 70<<10)},
	{name: "a multibulk header without end", send: "*" + strings.Repeat("1", 70<<10)},
	{name: "a bulk header without end", send: "*1\r\n$" + strings.Repeat("1", 70<<10)},
	{name: "a line that begins with a zero byte is empty", send: "\x00\x01\x02\xff\xfe\n\r\n", hangs: true},
	{name: "a web browser's request", send: "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"},
	{name: "an empty line and an empty multibulk are skipped", send: "\r\n*0\r\n*-1\r\n*-5\r\nPING\r\n", hangs: true},
	{name: "a bulk whose end is not CRLF is taken as it is", send: "*1\r\n$4\r\nPINGxyPING\r\n", hangs: true},
	{name: "a bare newline ends an inline request", send: "PING\n", hangs: true},
	{name: "inline words with quotes and escapes", send: "ECHO \"a\\x41\\n\\\"\"\r\nECHO 'it\\'s'\r\n", hangs: true},
	{name: "half a request is waited for", send: "PING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nab", hangs: true},
}

// answer is what the server says to bytes, up to the end of the connection.
func answer(t *testing.T, i *servertest.Instance, send string, hangs bool) string {
	t.Helper()
	c := i.Client(t)
	defer c.Close()
	c.Write([]byte(send))
	if hangs {
		// Whoever only stops sending is answered up to there.
		if err := c.Conn().(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	return c.AwaitClose()
}

func TestAbuseIsAnsweredAsRedisDoes(t *testing.T) {
	ours := servertest.Start(t)
	real := servertest.StartRedis(t)
	for _, abuse := range abuses {
		t.Run(abuse.name, func(t *testing.T) {
			got, want := answer(t, ours, abuse.send, abuse.hangs), answer(t, real, abuse.send, abuse.hangs)
			if got != want {
				t.Errorf("sent %.60q\n  ours  %q\n  Redis %q", abuse.send, got, want)
			}
		})
	}
	ours.Client(t).Must("PONG", "PING")
}

func TestStrangersGetLittleRoom(t *testing.T) {
	ours := servertest.Start(t, "--requirepass", "secret")
	for _, row := range []struct{ name, send, want string }{
		{"many arguments before AUTH", "*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
		{"a long argument before AUTH", "*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := answer(t, ours, row.send, false); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	c := ours.Client(t)
	c.Must("NOAUTH Authentication required.", "GET", "a")
	c.Must("NOAUTH Authentication required.", "MULTI")
	c.Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "wrong")
	c.Must("OK", "AUTH", "secret")
	c.Must("OK", "SET", "a", strings.Repeat("x", 20000))
}

func TestTenThousandPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	c := servertest.Start(t).Client(t)
	const n = 10000
	go func() {
		var b []byte
		for k := range n {
			b = append(b, servertest.Request("SET", fmt.Sprint("k", k), fmt.Sprint(k))...)
			b = append(b, servertest.Request("GET", fmt.Sprint("k", k))...)
		}
		_ = c.Conn().SetWriteDeadline(time.Now().Add(servertest.Deadline))
		_, _ = c.Conn().Write(b) // a failure shows as a missing reply
	}()
	for k := range n {
		if got := c.Receive(); got != "OK" {
			t.Fatalf("SET %d: %v", k, got)
		}
		if got := c.Receive(); got != fmt.Sprint(k) {
			t.Fatalf("GET %d: %v", k, got)
		}
	}
}

func TestARequestThatComesByteByByteIsTheSameRequest(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for _, b := range servertest.Request("SET", "key", "some value") {
		c.Write([]byte{b})
	}
	if got := c.Receive(); got != "OK" {
		t.Fatalf("got %v", got)
	}
	c.Must("some value", "GET", "key")
}

func TestALargeValueTravelsBothWays(t *testing.T) {
	c := servertest.Start(t).Client(t)
	value := strings.Repeat("0123456789abcdef", 4<<20) // 64 MiB
	c.Must("OK", "SET", "big", value)
	if got := c.Text("GET", "big"); got != value {
		t.Fatalf("got %d bytes back, want %d", len(got), len(value))
	}
	c.Must("67108864", "STRLEN", "big")
}

func TestAClientThatHangsUpHalfwayLeavesNothingBehind(t *testing.T) {
	i := servertest.Start(t)
	watcher := i.Client(t)
	for range 20 {
		c := i.Client(t)
		c.Write([]byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000\r\nxxxx"))
		c.Close()
	}
	servertest.Until(t, "only the watcher is connected", func() error {
		if n := watcher.Info("clients")["connected_clients"]; n != "1" {
			return fmt.Errorf("connected_clients is %s", n)
		}
		return nil
	})
	watcher.Must("<nil>", "GET", "a")
}

func TestASlowReaderIsDisconnectedAtItsLimit(t *testing.T) {
	i := servertest.Start(t, "--client-output-buffer-limit", "normal 1mb 0 0")
	admin, slow := i.Client(t), i.Client(t)
	admin.Must("OK", "SET", "v", strings.Repeat("x", 100000))
	// 20 MB of replies, more than the kernel's buffers hold. The requests go out in
	// one piece: the server may hang up while more are being written.
	slow.Write(bytes.Repeat(servertest.Request("GET", "v"), 200))
	servertest.Until(t, "the slow reader is gone", func() error {
		if n := admin.Info("stats")["client_output_buffer_limit_disconnections"]; n != "1" {
			return fmt.Errorf("client_output_buffer_limit_disconnections is %s", n)
		}
		return nil
	})
	admin.Must("PONG", "PING")
}

func TestMaxclientsRefusesOneMore(t *testing.T) {
	i := servertest.Start(t, "--maxclients", "2")
	a, b := i.Client(t), i.Client(t)
	a.Must("PONG", "PING")
	b.Must("PONG", "PING")
	if got := i.Client(t).AwaitClose(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("got %q", got)
	}
	b.Close()
	servertest.Until(t, "there is room again", func() error {
		c := i.Client(t)
		defer c.Close()
		c.Send("PING")
		if v, err := c.Read(); err != nil || v != "PONG" {
			return fmt.Errorf("%v, %v", v, err)
		}
		return nil
	})
}
