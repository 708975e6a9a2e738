package server_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// encrypted is a server with a TLS port.
type encrypted struct {
	*servertest.Instance
	ca   *servertest.Authority
	port string
}

func startTLS(t *testing.T, ca *servertest.Authority, name string, directives ...string) encrypted {
	t.Helper()
	e := encrypted{ca: ca, port: strconv.Itoa(servertest.FreePort(t))}
	e.Instance = servertest.Start(t, append(ca.Directives(name, e.port), directives...)...)
	return e
}

func (e encrypted) dial(t *testing.T, name string) *servertest.Client {
	t.Helper()
	return servertest.DialTLS(t, "127.0.0.1:"+e.port, e.ca.Config(t, name))
}

func newAuthority(t *testing.T, names ...string) *servertest.Authority {
	t.Helper()
	ca := servertest.NewAuthority(t)
	for _, name := range names {
		ca.Issue(t, name)
	}
	return ca
}

func TestClientsAreServedOverTLS(t *testing.T) {
	e := startTLS(t, newAuthority(t, "server", "client"), "server")
	c := e.dial(t, "client")
	c.Must("PONG", "PING")
	large := strings.Repeat("0123456789abcdef", 300_000) // many records, and more than a socket holds
	c.Must("OK", "SET", "large", large)
	if got := c.Text("GET", "large"); got != large {
		t.Errorf("GET returned %d bytes, not the %d that were SET", len(got), len(large))
	}
	e.Client(t).Must(strconv.Itoa(len(large)), "STRLEN", "large")
	var pipeline bytes.Buffer
	const requests = 20_000
	for i := range requests {
		pipeline.Write(servertest.Request("SET", fmt.Sprint("k", i), "v"))
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.Conn().Write(pipeline.Bytes()) // the replies tell whether all of it arrived
	}()
	for i := range requests {
		if got := c.Receive(); got != "OK" {
			t.Fatalf("reply %d of a pipeline: %v", i, got)
		}
	}
	<-sent
	if line := c.Text("CLIENT", "INFO"); !strings.Contains(line, "laddr=127.0.0.1:"+e.port) {
		t.Errorf("CLIENT INFO: %s", line)
	}
	c.Must("OK", "QUIT")
	if rest := c.AwaitClose(); rest != "" {
		t.Errorf("after QUIT came %q", rest)
	}
}

func TestRedisCliSpeaksTLS(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skip("redis-cli is not installed")
	}
	e := startTLS(t, newAuthority(t, "server", "client"), "server")
	run := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command(cli, append([]string{"-p", e.port, "--tls", "--cacert", e.ca.File("ca.pem"),
			"--cert", e.ca.File("client.pem"), "--key", e.ca.File("client.key")}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run("", "SET", "k", "v"); got != "OK" {
		t.Errorf("SET: %s", got)
	}
	if got := run(strings.Repeat("INCR n\r\n", 5000), "--pipe"); !strings.Contains(got, "errors: 0, replies: 5000") {
		t.Errorf("--pipe: %s", got)
	}
	if got := run("", "GET", "n"); got != "5000" {
		t.Errorf("GET after --pipe: %s", got)
	}
}

func TestClientsProveThemselvesWithCertificates(t *testing.T) {
	ca, stranger := newAuthority(t, "server", "client"), newAuthority(t, "client")
	good, foreign, none := ca.Config(t, "client"), ca.Config(t, ""), ca.Config(t, "")
	foreign.Certificates = stranger.Config(t, "client").Certificates
	for _, test := range []struct {
		clients                  string
		withGood, without, other bool
	}{
		{"yes", true, false, false}, {"optional", true, true, false}, {"no", true, true, true},
	} {
		e := startTLS(t, ca, "server", "--tls-auth-clients", test.clients)
		for _, try := range []struct {
			name   string
			config *tls.Config
			want   bool
		}{{"a good certificate", good, test.withGood}, {"no certificate", none, test.without}, {"a stranger's certificate", foreign, test.other}} {
			if got := answersOverTLS(e.port, try.config); got != try.want {
				t.Errorf("tls-auth-clients %s, a client with %s: served is %v", test.clients, try.name, got)
			}
		}
	}
}

// answersOverTLS says whether a client with this configuration is served.
func answersOverTLS(port string, config *tls.Config) bool {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: servertest.Deadline}, "tcp", "127.0.0.1:"+port, config)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(servertest.Deadline))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	reply := make([]byte, 7)
	n, _ := conn.Read(reply)
	return string(reply[:n]) == "+PONG\r\n"
}

// serial is the number of the certificate that the server shows.
func serial(t *testing.T, e encrypted) string {
	t.Helper()
	state := e.dial(t, "client").Conn().(*tls.Conn).ConnectionState()
	return state.PeerCertificates[0].SerialNumber.String()
}

func TestCertificatesAreReadAgainWhenTheirFilesChange(t *testing.T) {
	ca := newAuthority(t, "server", "client")
	e := startTLS(t, ca, "server")
	before, old := serial(t, e), e.dial(t, "client")
	ca.Issue(t, "server")
	servertest.Until(t, "the new certificate is shown", func() error {
		if now := serial(t, e); now == before {
			return fmt.Errorf("still certificate %s", now)
		}
		return nil
	})
	old.Must("PONG", "PING") // goes on with what it began with
}

func TestFilesThatDoNotFitTogetherChangeNothing(t *testing.T) {
	ca := newAuthority(t, "server", "client", "other")
	e := startTLS(t, ca, "server")
	before := serial(t, e)
	key, err := os.ReadFile(ca.File("other.key"))
	if err == nil {
		err = os.WriteFile(ca.File("server.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	servertest.Until(t, "the server says that the files can not be used", func() error {
		if !strings.Contains(e.Log(), "can not be used, the certificates in use stay") {
			return errors.New("not yet")
		}
		return nil
	})
	if now := serial(t, e); now != before {
		t.Errorf("certificate %s is shown instead of %s", now, before)
	}
	ca.Issue(t, "server")
	servertest.Until(t, "the new certificate is shown", func() error {
		if serial(t, e) == before {
			return errors.New("not yet")
		}
		return nil
	})
}

func TestConfigSetChangesTLSOrNothing(t *testing.T) {
	ca := newAuthority(t, "server", "client", "second")
	e := startTLS(t, ca, "server")
	c, before := e.Client(t), serial(t, e)
	c.Must("ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS configuration. Check server logs.",
		"CONFIG", "SET", "tls-cert-file", ca.File("second.pem"))
	if now := serial(t, e); now != before {
		t.Errorf("after a failed CONFIG SET certificate %s is shown instead of %s", now, before)
	}
	c.Must("OK", "CONFIG", "SET", "tls-cert-file", ca.File("second.pem"), "tls-key-file", ca.File("second.key"))
	if serial(t, e) == before {
		t.Errorf("after CONFIG SET the old certificate is shown")
	}
	c.Must("OK", "CONFIG", "SET", "tls-auth-clients", "no")
	if !answersOverTLS(e.port, ca.Config(t, "")) {
		t.Errorf("a client without a certificate is not served")
	}
	c.Must("OK", "CONFIG", "SET", "tls-protocols", "TLSv1.2")
	if v := e.dial(t, "").Conn().(*tls.Conn).ConnectionState().Version; v != tls.VersionTLS12 {
		t.Errorf("tls-protocols TLSv1.2 gives version %x", v)
	}
	moved := strconv.Itoa(servertest.FreePort(t))
	c.Must("OK", "CONFIG", "SET", "tls-port", moved)
	if answersOverTLS(e.port, ca.Config(t, "")) || !answersOverTLS(moved, ca.Config(t, "")) {
		t.Errorf("tls-port was not moved")
	}
	c.Must("OK", "CONFIG", "SET", "tls-port", "0", "tls-replication", "no")
	if answersOverTLS(moved, ca.Config(t, "")) {
		t.Errorf("tls-port 0 still listens")
	}
}

func TestHandshakesThatDoNotEndDisturbNobody(t *testing.T) {
	e := startTLS(t, newAuthority(t, "server", "client"), "server", "--maxclients", "600")
	for i := range 550 { // more than may be under way
		conn, err := net.Dial("tcp", "127.0.0.1:"+e.port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch i % 3 {
		case 1:
			_, err = conn.Write([]byte{0x16, 3, 1}) // the beginning of a hello
		case 2:
			_, err = conn.Write([]byte("PING\r\n")) // not TLS at all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e.dial(t, "client").Must("PONG", "PING")
	plain := e.Client(t)
	if n := plain.Info("clients")["connected_clients"]; n != "2" {
		t.Errorf("%s clients are connected", n)
	}
}

func TestGarbageAfterTheHandshakeEndsTheConnection(t *testing.T) {
	e := startTLS(t, newAuthority(t, "server", "client"), "server")
	c := e.dial(t, "client")
	c.Must("PONG", "PING")
	raw := c.Conn().(*tls.Conn).NetConn()
	if _, err := raw.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(); err == nil {
		t.Errorf("a request that is not encrypted was answered")
	}
	servertest.Until(t, "the client is gone", func() error {
		if n := e.Client(t).Info("clients")["connected_clients"]; n != "1" {
			return fmt.Errorf("%s clients", n)
		}
		return nil
	})
}

func TestWhoHasSaidEverythingIsAnsweredAndHungUpOn(t *testing.T) {
	e := startTLS(t, newAuthority(t, "server", "client"), "server")
	c := e.dial(t, "client")
	c.Send("PING")
	if err := c.Conn().(*tls.Conn).CloseWrite(); err != nil { // the socket stays open
		t.Fatal(err)
	}
	if got := c.AwaitClose(); got != "+PONG\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestAClientThatDoesNotReadOverTLSIsHeldToItsLimit(t *testing.T) {
	e := startTLS(t, newAuthority(t, "server", "client"), "server", "--client-output-buffer-limit", "normal 1mb 0 0")
	c := e.dial(t, "client")
	c.Must("OK", "SET", "k", strings.Repeat("x", 1<<20))
	_, _ = c.Conn().Write(bytes.Repeat(servertest.Request("GET", "k"), 64)) // it may be hung up on meanwhile
	servertest.Until(t, "the client is hung up on", func() error {
		if n := e.Client(t).Info("stats")["client_output_buffer_limit_disconnections"]; n == "0" {
			return errors.New("not yet")
		}
		return nil
	})
}
