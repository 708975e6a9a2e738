package tlslink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"syscall"
)

const (
	// rawChunk is how many bytes of ciphertext are taken from the socket at once.
	rawChunk = 32 << 10
	// MinRead is the room that Read needs: what one chunk can mean is the chunk, and
	// what was kept of a record of at most 16 KiB and its frame whose end it brings.
	MinRead = rawChunk + 20<<10
	// MaxWrite is how many bytes are encrypted before they have to leave: a Write of no
	// more, while nothing is pending, is taken whole.
	MaxWrite = 64 << 10
	// keepOut is how much of a buffer a link keeps between writes.
	keepOut = 17 << 10
)

// errUnread would mean that MinRead is too small.
var errUnread = errors.New("the buffer for what was decrypted is too small")

// Socket is a connected descriptor that does not block.
type Socket interface {
	Read(p []byte) (int, syscall.Errno)
	Write(p []byte) (int, syscall.Errno)
}

// Link is one TLS connection. One goroutine at a time may use it.
type Link struct {
	conn *tls.Conn
	tr   transport
	end  error // why there is nothing to read any more; nil while there may be
}

// Server shakes hands with a client on fd, which stays the caller's. ctx bounds the
// time.
func Server(ctx context.Context, fd int, config *tls.Config) (*Link, error) {
	return shakeHands(ctx, fd, func(tr *transport) *tls.Conn { return tls.Server(tr, config) })
}

// Client shakes hands with a server on fd, which stays the caller's. ctx bounds the
// time.
func Client(ctx context.Context, fd int, config *tls.Config) (*Link, error) {
	return shakeHands(ctx, fd, func(tr *transport) *tls.Conn { return tls.Client(tr, config) })
}

func shakeHands(ctx context.Context, fd int, over func(*transport) *tls.Conn) (*Link, error) {
	// A copy of the descriptor, because closing what Go polls closes it as well. Both
	// are the same open, non-blocking socket.
	copied, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("copy descriptor: %w", errno)
	}
	l := &Link{}
	l.tr.file = os.NewFile(copied, "socket")
	// Twice, perhaps: a context that ends closes it as well, even later than this.
	defer l.tr.Close()
	l.conn = over(&l.tr)
	if err := l.conn.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // otherwise it only says that we have closed the socket
		}
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	l.tr.live = true
	return l, nil
}

// Read takes what the socket has into p, decrypted. p must have room for MinRead
// bytes, scratch for ciphertext is rawChunk bytes or nil. It returns EAGAIN when there
// is nothing yet, io.EOF at the end, or what is wrong; then the connection is of no
// use any more. It may leave something to be flushed.
func (l *Link) Read(s Socket, p, scratch []byte) (int, error) {
	if len(scratch) < rawChunk {
		scratch = make([]byte, rawChunk)
	}
	got, errno := s.Read(scratch[:rawChunk])
	switch {
	case errno == syscall.EAGAIN:
		got = 0 // the handshake may have brought more than it needed
	case errno != 0:
		return 0, errno
	case got == 0:
		l.tr.eof = true
	}
	l.tr.in = scratch[:got]
	n := 0
	for n < len(p) {
		k, err := l.conn.Read(p[n:])
		n += k
		switch {
		case err == nil:
			continue
		case errors.Is(err, errNothing) && n == 0:
			return 0, syscall.EAGAIN
		case errors.Is(err, errNothing):
			return n, nil
		}
		l.end = err
		if n > 0 {
			return n, nil // the next call tells of the end; Ended does at once
		}
		return 0, err
	}
	return n, errUnread
}

// Write takes as much of p as the socket does, and a bounded amount more, which is
// Pending. It returns EAGAIN when it took nothing.
func (l *Link) Write(s Socket, p []byte) (n int, errno syscall.Errno) {
	for n < len(p) {
		if errno = l.Flush(s); errno != 0 {
			break
		}
		k := min(len(p)-n, MaxWrite)
		if _, err := l.conn.Write(p[n : n+k]); err != nil {
			return n, syscall.EPIPE // it was closed; the socket itself never fails here
		}
		n += k
	}
	if errno == 0 {
		errno = l.Flush(s)
	}
	if errno == syscall.EAGAIN && n > 0 {
		errno = 0
	}
	return n, errno
}

// Ended is why Read will return nothing more, nil while it may. The socket need not
// tell: a peer can say that it has sent everything and stay.
func (l *Link) Ended() error { return l.end }

// Flush writes what is pending. It returns EAGAIN when the socket does not take all.
func (l *Link) Flush(s Socket) syscall.Errno {
	t := &l.tr
	for t.sent < len(t.out) {
		n, errno := s.Write(t.out[t.sent:])
		if errno != 0 {
			return errno
		}
		t.sent += n
	}
	t.sent = 0
	if t.out = t.out[:0]; cap(t.out) > keepOut {
		t.out = nil
	}
	return 0
}

// Pending is how many bytes of ciphertext have not left yet.
func (l *Link) Pending() int { return len(l.tr.out) - l.tr.sent }

// Close tells the peer that nothing will follow, if that can be done without waiting.
// The descriptor stays open.
func (l *Link) Close(s Socket) {
	if l.Pending() == 0 && l.conn.CloseWrite() == nil {
		l.Flush(s) // best effort: the peer sees the end of the connection in any case
	}
}
