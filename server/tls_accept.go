package server

import (
	"context"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/tlslink"
)

const (
	// handshakeTime is how long a client may take for the handshake of TLS.
	handshakeTime = 10 * time.Second
	// maxShaking bounds how many handshakes may be under way. Whoever comes then takes
	// the place of the one that has been at it for the longest, since a handshake that
	// goes well takes milliseconds.
	maxShaking = 512
)

// shaking is a client whose handshake is under way, in a goroutine. It is not a
// connection yet: nobody has to know of it but maxclients.
type shaking struct {
	fd     int
	sa     syscall.Sockaddr
	cancel context.CancelFunc
	over   bool // it was given up, or the server stops
}

// admitTLS begins the handshake with a client.
func (s *Server) admitTLS(fd int, sa syscall.Sockaddr) {
	t := &s.tls
	if len(s.conns)+len(t.shaking) >= s.config.MaxClients || t.set == nil {
		closeFD(fd) // there is no way to say why that the client would understand
		s.stats.rejected++
		return
	}
	if len(t.shaking) >= maxShaking {
		t.giveUpOldest()
	}
	s.tuneSocket(fd)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	h := &shaking{fd: fd, sa: sa, cancel: cancel}
	t.shaking = append(t.shaking, h)
	config := t.set.Server
	s.background.Go(func() {
		link, err := tlslink.Server(ctx, fd, config)
		cancel()
		if !s.post(func() { s.shaken(h, link, err) }) {
			closeFD(fd)
		}
	})
}

// giveUpOldest ends a handshake; its goroutine tells soon.
func (t *tlsState) giveUpOldest() {
	for _, h := range t.shaking {
		if !h.over {
			h.over = true
			h.cancel()
			return
		}
	}
}

// shaken makes a client of one whose handshake is over.
func (s *Server) shaken(h *shaking, link *tlslink.Link, err error) {
	t := &s.tls
	for i, o := range t.shaking {
		if o == h {
			t.shaking = append(t.shaking[:i:i], t.shaking[i+1:]...)
			break
		}
	}
	if err == nil && h.over {
		err = context.Canceled
	}
	if err != nil {
		s.log.Verbosef("Error accepting a client connection: %v (addr=%s)", err, joinSockaddr(h.sa))
		closeFD(h.fd)
		return
	}
	c := s.serve(h.fd, h.sa, listenTLS)
	if c.has(flagClosed) {
		return
	}
	c.tls = &tlsSocket{link: link, fd: h.fd}
	if s.protects(h.sa) {
		c.out.Error(protectedModeText)
		s.stats.rejected++
		s.closeAfterReply(c)
		return
	}
	c.readableTLS(s) // its first request may have come with the end of the handshake
}

// stopShaking gives up all handshakes under way, for the end of the server. What
// their goroutines post is not run any more.
func (s *Server) stopShaking() {
	for _, h := range s.tls.shaking {
		h.cancel()
	}
	s.background.Wait()
	for _, h := range s.tls.shaking {
		closeFD(h.fd)
	}
	s.tls.shaking = nil
}
