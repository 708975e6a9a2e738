package server

import (
	"errors"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/tlsconf"
	"github.com/lockstep-db/lockstep/server/tlslink"
)

// errTLSUpdate is what CONFIG SET answers.
var errTLSUpdate = errors.New("Unable to update TLS configuration. Check server logs.") //nolint:staticcheck // Redis' text

// tlsFilesPeriod is how often the files of certificates are looked at: whoever
// replaces them need not tell the server.
const tlsFilesPeriod = time.Second

// tlsState is what the server keeps about TLS. The reactor owns it.
type tlsState struct {
	set        *tlsconf.Set // nil: TLS is not in use
	shaking    []*shaking   // clients whose handshake is under way, oldest first
	checking   bool         // a goroutine looks at the files
	failed     string       // the stamp of files that could not be used, so that it is said once
	changes    int          // counts changes by CONFIG SET: what was read before one is outdated
	port       int
	ciphertext []byte // scratch of one read
	plaintext  []byte // likewise
	piece      []byte // scratch of one write of a file
}

// usesTLS says whether any directive asks for encryption.
func (s *Server) usesTLS() bool { return s.config.TLSPort != 0 || s.config.TLSReplication }

func (s *Server) tlsSettings() tlsconf.Settings {
	c := s.config
	return tlsconf.Settings{
		CertFile: c.TLSCertFile, KeyFile: c.TLSKeyFile, KeyPass: c.TLSKeyFilePass,
		ClientCertFile: c.TLSClientCertFile, ClientKeyFile: c.TLSClientKeyFile, ClientKeyPass: c.TLSClientKeyFilePass,
		CAFile: c.TLSCACertFile, CADir: c.TLSCACertDir, AuthClients: c.TLSAuthClients,
		Protocols: c.TLSProtocols, Ciphers: c.TLSCiphers, Ciphersuites: c.TLSCiphersuites,
		SessionCaching: c.TLSSessionCaching, Replication: c.TLSReplication,
	}
}

// loadTLS makes what the directives ask for effective for connections from now on.
func (s *Server) loadTLS() error {
	s.tls.changes++
	if !s.usesTLS() {
		s.tls.set = nil
		return nil
	}
	set, err := tlsconf.Load(s.tlsSettings())
	if err != nil {
		return err
	}
	s.tls.set = set
	if s.tls.ciphertext == nil {
		s.tls.ciphertext, s.tls.plaintext = make([]byte, tlslink.MinRead), make([]byte, tlslink.MinRead)
		s.tls.piece = make([]byte, tlslink.MaxWrite)
	}
	return nil
}

// applyTLS is loadTLS for CONFIG SET, whose error is short.
func (s *Server) applyTLS() error {
	if err := s.loadTLS(); err != nil {
		s.log.Warningf("Failed to configure TLS: %v", err)
		return errTLSUpdate
	}
	return nil
}

// watchTLSFiles reads certificates and keys again when their files have changed, as
// they do when a mounted secret is renewed. Connections keep what they have begun
// with.
func (s *Server) watchTLSFiles() {
	t := &s.tls
	if t.set == nil || t.checking {
		return
	}
	t.checking = true
	settings, have, changes := s.tlsSettings(), t.set.Stamp, t.changes
	s.background.Go(func() {
		stamp := settings.Stamp()
		if stamp == have {
			s.post(func() { t.checking = false })
			return
		}
		set, err := tlsconf.Load(settings)
		s.post(func() {
			t.checking = false
			if t.changes == changes {
				s.tlsFilesRead(set, stamp, err)
			}
		})
	})
}

// tlsFilesRead takes over what was read from changed files. What can not be used, as
// when only one of certificate and key has been replaced so far, is left alone until
// the files change again.
func (s *Server) tlsFilesRead(set *tlsconf.Set, stamp string, err error) {
	if err != nil {
		if s.tls.failed != stamp {
			s.tls.failed = stamp
			s.log.Warningf("The files of TLS have changed and can not be used, the certificates in use stay: %v", err)
		}
		return
	}
	s.tls.set, s.tls.failed = set, ""
	s.log.Noticef("Certificates and keys of TLS were read again, because their files have changed")
}

// tlsSocket is the encryption of a connection that the reactor serves.
type tlsSocket struct {
	link *tlslink.Link
	fd   int
}

// Read and Write are those of the socket below, for the link.

func (t *tlsSocket) Read(p []byte) (int, syscall.Errno)  { return rawReceive(t.fd, p) }
func (t *tlsSocket) Write(p []byte) (int, syscall.Errno) { return rawSend(t.fd, p) }

func (t *tlsSocket) write(p []byte) (int, syscall.Errno) { return t.link.Write(t, p) }
func (t *tlsSocket) flush() syscall.Errno                { return t.link.Flush(t) }
func (t *tlsSocket) close()                              { t.link.Close(t) }

// pending is how many encrypted bytes wait for the socket; 0 without encryption.
func (t *tlsSocket) pending() int {
	if t == nil {
		return 0
	}
	return t.link.Pending()
}

// read is like rawReceive, with 0 and no error at the end.
func (t *tlsSocket) read(p, scratch []byte) (int, syscall.Errno, error) {
	n, err := t.link.Read(t, p, scratch)
	var errno syscall.Errno
	switch {
	case err == nil:
		return n, 0, nil
	case errors.As(err, &errno):
		return 0, errno, err
	}
	return 0, 0, err
}

// readableTLS is readable for an encrypted connection.
func (c *conn) readableTLS(s *Server) {
	n, errno, err := c.tls.read(s.tls.plaintext, s.tls.ciphertext)
	if c.tls.pending() > 0 { // an answer of the protocol itself
		s.wantWrite(c)
	}
	switch {
	case errno == syscall.EAGAIN:
		return
	case errno != 0:
		s.closeConn(c)
		return
	case n == 0:
		s.log.Debugf("Encrypted connection of %s has ended: %v", c.peer, err)
		s.hungUp(c)
		return
	}
	s.received(c, n)
	s.cmdClock = s.clock.elapsed()
	data := s.tls.plaintext[:n]
	owned := len(c.in) > 0
	if owned {
		data = s.appendReceived(c, data)
	}
	s.consume(c, data, owned)
	if c.tls.link.Ended() != nil && !c.has(flagClosed) {
		s.hungUp(c)
	}
}

// appendReceived puts what was received behind what c still has, and returns both.
func (s *Server) appendReceived(c *conn, data []byte) []byte {
	for len(data) > 0 {
		room := s.roomToRead(c)
		n := copy(room[len(room):cap(room)], data)
		data = data[n:]
		c.in = room[:len(room)+n]
	}
	return c.in
}
