package servertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/resp"
)

// ReplyError is an error reply, as it was sent.
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Client is a connection to a server. Methods that take a testing.TB fail the
// test when the connection does.
type Client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	raw  *bytes.Buffer // what was read of the reply under way
}

// Client connects to the server; the connection is closed with the test.
func (i *Instance) Client(t testing.TB) *Client {
	t.Helper()
	return Dial(t, i.Addr)
}

// Dial connects to a server at host:port, or at a Unix socket's path.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, addr, Deadline)
	if err != nil {
		t.Fatalf("connect to %s: %v", addr, err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &Client{t: t, conn: conn, raw: &bytes.Buffer{}}
	c.r = bufio.NewReaderSize(conn, 64<<10)
	return c
}

// Close hangs up.
func (c *Client) Close() { c.conn.Close() }

// Conn is the connection itself.
func (c *Client) Conn() net.Conn { return c.conn }

// Send writes one request and does not wait.
func (c *Client) Send(args ...string) {
	c.t.Helper()
	c.Write(Request(args...))
}

// Request spells a request.
func Request(args ...string) []byte {
	words := make([][]byte, len(args))
	for i, a := range args {
		words[i] = []byte(a)
	}
	return resp.AppendCommand(nil, words...)
}

// Write writes bytes as they are.
func (c *Client) Write(b []byte) {
	c.t.Helper()
	c.deadline()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("write to server: %v", err)
	}
}

func (c *Client) deadline() { _ = c.conn.SetDeadline(time.Now().Add(Deadline)) }

// Do sends a request and returns its reply: nil, string, int64, float64, bool,
// []any (also for maps, flat, and for sets), or a ReplyError.
func (c *Client) Do(args ...string) any {
	c.t.Helper()
	c.Send(args...)
	return c.Receive()
}

// Receive returns the next reply; see Do.
func (c *Client) Receive() any {
	c.t.Helper()
	v, err := c.Read()
	if err != nil {
		c.t.Fatalf("read reply: %v", err)
	}
	return v
}

// Text is Do for a reply that is text; the test fails with an error reply.
func (c *Client) Text(args ...string) string {
	c.t.Helper()
	switch v := c.Do(args...).(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		c.t.Fatalf("%s: got %v (%T), want text", strings.Join(args, " "), v, v)
		return ""
	}
}

// Must fails the test unless the reply is want, as fmt prints it.
func (c *Client) Must(want string, args ...string) {
	c.t.Helper()
	if got := fmt.Sprint(c.Do(args...)); got != want {
		c.t.Fatalf("%s: got %q, want %q", strings.Join(args, " "), got, want)
	}
}

// Raw sends a request and returns the bytes of its reply.
func (c *Client) Raw(args ...string) string {
	c.t.Helper()
	c.Send(args...)
	return c.RawReply()
}

// RawReply returns the bytes of the next reply, WithoutVersion.
func (c *Client) RawReply() string {
	c.t.Helper()
	if _, err := c.Read(); err != nil {
		return fmt.Sprintf("%s<%v>", c.raw.String(), err)
	}
	return WithoutVersion(c.raw.String())
}

var greeting = regexp.MustCompile(`\$7\r\nversion\r\n\$\d+\r\n[0-9.]+\r\n`)

// WithoutVersion takes the version out of the bytes of replies to HELLO: which one
// of Redis is installed must make no difference where replies are compared.
func WithoutVersion(raw string) string {
	return greeting.ReplaceAllString(raw, "$$7\r\nversion\r\n$$1\r\n?\r\n")
}

// AwaitClose reads until the server hangs up and returns what came before.
func (c *Client) AwaitClose() string {
	c.t.Helper()
	c.deadline()
	rest, err := io.ReadAll(c.r)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatalf("the server did not hang up; it sent %q", rest)
	}
	return string(rest)
}

// Info is INFO, taken apart.
func (c *Client) Info(sections ...string) map[string]string {
	c.t.Helper()
	fields := map[string]string{}
	for _, line := range strings.Split(c.Text(append([]string{"INFO"}, sections...)...), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// Read returns the next reply, see Do, or why there is none.
func (c *Client) Read() (any, error) {
	c.deadline()
	c.raw.Reset()
	return c.value()
}

func (c *Client) value() (any, error) {
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	if line == "" {
		return nil, errors.New("reply begins with an empty line")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return ReplyError(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '_':
		return nil, nil
	case '#':
		return rest == "t", nil
	case ',':
		return strconv.ParseFloat(rest, 64)
	case '(':
		return rest, nil
	case '$', '=':
		return c.bulk(kind, rest)
	case '*', '~', '>':
		return c.array(rest, 1)
	case '%':
		return c.array(rest, 2)
	case '|':
		if _, err := c.array(rest, 2); err != nil {
			return nil, err
		}
		return c.value()
	}
	return nil, fmt.Errorf("reply of unknown kind %q", line)
}

func (c *Client) line() (string, error) {
	line, err := c.r.ReadString('\n')
	c.raw.WriteString(line)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(line, "\r\n"), nil
}

func (c *Client) bulk(kind byte, length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return nil, err
	}
	c.raw.Write(b)
	if kind == '=' {
		return string(b[4:n]), nil
	}
	return string(b[:n]), nil
}

func (c *Client) array(length string, factor int) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	all := make([]any, 0, n*factor)
	for range n * factor {
		v, err := c.value()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
