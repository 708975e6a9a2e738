package tlslink_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
	"github.com/lockstep-db/lockstep/server/tlslink"
)

// socket is one end of a pair, which can be made to do less than it is asked for.
type socket struct {
	fd    int
	piece int // the most that one call moves; 0: as much as there is
}

func (s *socket) bounded(p []byte) []byte {
	if s.piece > 0 && len(p) > s.piece {
		return p[:s.piece]
	}
	return p
}

func (s *socket) Read(p []byte) (int, syscall.Errno) { return result(syscall.Read(s.fd, s.bounded(p))) }

func (s *socket) Write(p []byte) (int, syscall.Errno) {
	return result(syscall.Write(s.fd, s.bounded(p)))
}

func result(n int, err error) (int, syscall.Errno) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return 0, errno
	}
	return n, 0
}

// end is a link with its socket.
type end struct {
	*tlslink.Link
	*socket
}

// pair connects two ends.
func pair(t testing.TB, ca *servertest.Authority) (client, server end) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(fds[0]), syscall.Close(fds[1]) }) // nothing was written that has to last
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Deadline)
	defer cancel()
	client.socket, server.socket = &socket{fd: fds[0]}, &socket{fd: fds[1]}
	done := make(chan error, 1)
	go func() {
		var err error
		server.Link, err = tlslink.Server(ctx, fds[1], &tls.Config{Certificates: ca.Config(t, "server").Certificates, DynamicRecordSizingDisabled: true})
		done <- err
	}()
	client.Link, err = tlslink.Client(ctx, fds[0], ca.Config(t, ""))
	if err = errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func authority(t testing.TB) *servertest.Authority {
	ca := servertest.NewAuthority(t)
	ca.Issue(t, "server")
	return ca
}

// send writes all of p while receive takes it at the other end, both without waiting.
func (e end) send(t *testing.T, p []byte, to end) []byte {
	t.Helper()
	var got []byte
	buf, scratch := make([]byte, tlslink.MinRead), make([]byte, tlslink.MinRead)
	for sent := 0; len(got) < len(p); {
		n, errno := e.Link.Write(e.socket, p[sent:])
		if errno != 0 && errno != syscall.EAGAIN {
			t.Fatalf("write after %d bytes: %v", sent, errno)
		}
		sent += n
		n, err := to.Link.Read(to.socket, buf, scratch)
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			t.Fatalf("read after %d bytes: %v", len(got), err)
		}
		got = append(got, buf[:n]...)
	}
	return got
}

func TestWhatIsSentArrivesHoweverTheSocketCutsIt(t *testing.T) {
	ca := authority(t)
	data := make([]byte, 500_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for _, piece := range []int{0, 1, 5, 517, 16 << 10} {
		client, server := pair(t, ca)
		client.piece, server.piece = piece, piece
		p := data
		if piece > 0 {
			p = data[:min(len(data), 20_000*piece)] // every piece is a system call
		}
		if got := client.send(t, p, server); !bytes.Equal(got, p) {
			t.Errorf("in pieces of %d bytes: something else arrived", piece)
		}
		if got := server.send(t, p, client); !bytes.Equal(got, p) {
			t.Errorf("in pieces of %d bytes, backwards: something else arrived", piece)
		}
	}
}

func TestWriteTakesABoundedAmountMoreThanTheSocket(t *testing.T) {
	client, _ := pair(t, authority(t))
	total := 0
	for {
		n, errno := client.Link.Write(client.socket, make([]byte, 1<<20))
		total += n
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 || total > 64<<20 {
			t.Fatalf("took %d bytes without anybody reading: %v", total, errno)
		}
	}
	if p := client.Pending(); p == 0 || p > 2*tlslink.MaxWrite {
		t.Errorf("%d bytes are pending", p)
	}
}

func TestTheEndIsToldWithTheLastBytes(t *testing.T) {
	client, server := pair(t, authority(t))
	if n, errno := client.Link.Write(client.socket, []byte("last")); n != 4 || errno != 0 {
		t.Fatal(n, errno)
	}
	client.Link.Close(client.socket)
	buf := make([]byte, tlslink.MinRead)
	n, err := server.Link.Read(server.socket, buf, nil)
	if string(buf[:n]) != "last" || err != nil {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if !errors.Is(server.Ended(), io.EOF) {
		t.Errorf("Ended: %v", server.Ended())
	}
	if _, err := server.Link.Read(server.socket, buf, nil); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAHandshakeEndsWithItsContext(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(fds[0]), syscall.Close(fds[1]) }) // nothing was written that has to last
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := tlslink.Server(ctx, fds[1], &tls.Config{Certificates: authority(t).Config(t, "server").Certificates}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client that says nothing: %v", err)
	}
	if _, err := syscall.Write(fds[1], []byte("x")); err != nil {
		t.Errorf("the descriptor is no longer the caller's: %v", err)
	}
}

// FuzzRead sends arbitrary bytes instead of records: Read must end with an error or
// wait for more, whatever they are.
func FuzzRead(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 1, 0})
	f.Add([]byte("*1\r\n$4\r\nPING\r\n"))
	f.Add([]byte{21, 3, 3, 0, 2, 1, 0})
	f.Add([]byte{22, 3, 3, 0x40, 0})
	ca := authority(f)
	f.Fuzz(func(t *testing.T, garbage []byte) {
		client, server := pair(t, ca)
		if len(garbage) > 64<<10 {
			garbage = garbage[:64<<10]
		}
		if _, err := syscall.Write(client.fd, garbage); err != nil {
			t.Skip(err)
		}
		buf := make([]byte, tlslink.MinRead)
		for range 10 {
			n, err := server.Link.Read(server.socket, buf, nil)
			if n > 0 {
				t.Fatalf("%d bytes were taken for data", n)
			}
			if err == nil {
				t.Fatal("neither data nor an error")
			}
		}
	})
}
