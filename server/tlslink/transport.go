package tlslink

import (
	"io"
	"net"
	"os"
	"time"
)

// transport is what a tls.Conn takes for its connection: the socket itself during the
// handshake, and buffers from then on.
type transport struct {
	file *os.File
	live bool // the handshake is over

	in   []byte // ciphertext of the Read under way that was not taken yet
	eof  bool   // nothing follows in
	out  []byte // ciphertext to be sent
	sent int    // out[:sent] is
}

// errNothing says that in is empty. For crypto/tls it is an error that passes.
var errNothing net.Error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (t *transport) Read(p []byte) (int, error) {
	switch {
	case !t.live:
		return t.file.Read(p)
	case len(t.in) > 0:
		n := copy(p, t.in)
		t.in = t.in[n:]
		return n, nil
	case t.eof:
		return 0, io.EOF
	}
	return 0, errNothing
}

func (t *transport) Write(p []byte) (int, error) {
	if !t.live {
		return t.file.Write(p)
	}
	t.out = append(t.out, p...)
	return len(p), nil
}

// Close ends the copy of the descriptor, which interrupts a handshake.
func (t *transport) Close() error { return t.file.Close() }

// The rest of net.Conn, which crypto/tls does not need in the ways it is used here.

func (t *transport) LocalAddr() net.Addr              { return noAddr{} }
func (t *transport) RemoteAddr() net.Addr             { return noAddr{} }
func (t *transport) SetDeadline(time.Time) error      { return nil }
func (t *transport) SetReadDeadline(time.Time) error  { return nil }
func (t *transport) SetWriteDeadline(time.Time) error { return nil }

type noAddr struct{}

func (noAddr) Network() string { return "fd" }
func (noAddr) String() string  { return "fd" }
