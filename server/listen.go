package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNoAddress says that not one of the configured addresses could be used.
var errNoAddress = errors.New("no address to listen on")

// acceptsPerEvent bounds how many clients are accepted in a row, as Redis does.
const acceptsPerEvent = 1000

// listen opens the sockets that the configuration names.
func (s *Server) listen() error {
	cfg := s.config
	if cfg.Port != 0 || s.ephemeral {
		if err := s.listenTCP(cfg.Bind, cfg.Port); err != nil {
			return err
		}
	}
	if cfg.UnixSocket != "" {
		if err := s.listenUnix(cfg.UnixSocket, cfg.UnixSocketPerm); err != nil {
			return err
		}
	}
	if len(s.listeners) == 0 {
		return fmt.Errorf("%w: port is 0 and unixsocket is not set", errNoAddress)
	}
	return nil
}

// listenTCP binds every address; one that begins with '-' may be missing.
func (s *Server) listenTCP(bind []string, port int) error {
	for _, address := range bind {
		host, optional := strings.CutPrefix(address, "-")
		fd, bound, err := bindTCP(host, port, s.config.TCPBacklog)
		if err != nil {
			if optional && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
				continue
			}
			return fmt.Errorf("listen on %s port %d: %w", host, port, err)
		}
		if port == 0 {
			port = bound
		}
		if err := s.addListener(fd, false); err != nil {
			return err
		}
	}
	s.port = port
	return nil
}

func (s *Server) addListener(fd int, unix bool) error {
	s.listeners = append(s.listeners, fd)
	return s.watchFD(fd, func() { s.accept(fd, unix) }, nil)
}

// bindTCP opens a listening socket and tells its port.
func bindTCP(host string, port, backlog int) (fd, bound int, err error) {
	sa, family, err := socketAddress(host, port)
	if err != nil {
		return 0, 0, err
	}
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("create socket: %w", err)
	}
	defer func() {
		if err != nil {
			closeFD(fd)
		}
	}()
	if family == syscall.AF_INET6 {
		if err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			return 0, 0, fmt.Errorf("set IPV6_V6ONLY: %w", err)
		}
	}
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, 0, fmt.Errorf("set SO_REUSEADDR: %w", err)
	}
	if err = syscall.Bind(fd, sa); err != nil {
		return 0, 0, fmt.Errorf("bind: %w", err)
	}
	if err = syscall.Listen(fd, backlog); err != nil {
		return 0, 0, fmt.Errorf("listen: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, 0, fmt.Errorf("read socket name: %w", err)
	}
	_, bound = splitSockaddr(name)
	return fd, bound, nil
}

// socketAddress resolves a bind address; "*" and "::*" are all addresses.
func socketAddress(host string, port int) (syscall.Sockaddr, int, error) {
	switch host {
	case "*":
		return &syscall.SockaddrInet4{Port: port}, syscall.AF_INET, nil
	case "::*":
		return &syscall.SockaddrInet6{Port: port}, syscall.AF_INET6, nil
	}
	ip := net.ParseIP(host)
	if ip == nil {
		addr, err := net.ResolveIPAddr("ip", host)
		if err != nil {
			return nil, 0, fmt.Errorf("resolve %s: %w", host, err)
		}
		ip = addr.IP
	}
	if v4 := ip.To4(); v4 != nil {
		return &syscall.SockaddrInet4{Port: port, Addr: [4]byte(v4)}, syscall.AF_INET, nil
	}
	return &syscall.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}, syscall.AF_INET6, nil
}

func (s *Server) listenUnix(path string, perm int) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old socket %s: %w", path, err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("create unix socket: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		closeFD(fd)
		return fmt.Errorf("bind unix socket %s: %w", path, err)
	}
	if perm != 0 {
		if err := os.Chmod(path, os.FileMode(perm)); err != nil {
			closeFD(fd)
			return fmt.Errorf("set permissions of unix socket %s: %w", path, err)
		}
	}
	if err := syscall.Listen(fd, s.config.TCPBacklog); err != nil {
		closeFD(fd)
		return fmt.Errorf("listen on unix socket %s: %w", path, err)
	}
	return s.addListener(fd, true)
}

// closeListeners stops taking new clients.
func (s *Server) closeListeners() {
	for _, fd := range s.listeners {
		s.unwatchFD(fd)
		closeFD(fd)
	}
	s.listeners = nil
	if path := s.config.UnixSocket; path != "" {
		_ = os.Remove(path) // best effort, the next start removes it as well
	}
}

func (s *Server) accept(listener int, unix bool) {
	for range acceptsPerEvent {
		fd, sa, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ECONNABORTED):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err != nil:
			// No descriptor is left, most likely. Asking again at once would take
			// all of the processor and fill the log.
			s.log.Warningf("Accepting client connection: %v", err)
			s.pauseAccepting(listener, unix)
			return
		}
		s.admit(fd, sa, unix)
	}
}

// acceptPause is how long not to accept after it has failed.
const acceptPause = 100 * time.Millisecond

func (s *Server) pauseAccepting(listener int, unix bool) {
	if err := s.setReadable(listener, nil); err != nil {
		s.log.Warningf("Pausing a listening socket: %v", err)
		return
	}
	s.after(acceptPause, func() {
		if !slices.Contains(s.listeners, listener) {
			return // closed meanwhile
		}
		if err := s.setReadable(listener, func() { s.accept(listener, unix) }); err != nil {
			s.log.Warningf("Accepting again: %v", err)
		}
	})
}

const protectedModeText = "DENIED Lockstep is running in protected mode because protected mode is enabled and no password is set for the default user. " +
	"In this mode connections are only accepted from the loopback interface. " +
	"To connect from elsewhere, set a password (requirepass), or bind to the addresses that are meant to be reachable, " +
	"or disable protected mode with 'CONFIG SET protected-mode no' from a client on this machine."

// admit makes a client of an accepted socket, or tells it why not.
func (s *Server) admit(fd int, sa syscall.Sockaddr, unix bool) {
	if len(s.conns) >= s.config.MaxClients {
		refuse(fd, "ERR max number of clients reached")
		s.stats.rejected++
		return
	}
	if !unix && s.config.ProtectedMode && s.users.Default().NoPass() && !isLoopback(sa) {
		refuse(fd, protectedModeText)
		s.stats.rejected++
		return
	}
	if !unix {
		s.tuneSocket(fd)
	}
	c := s.newConn(fd)
	c.peer, c.local = s.endpoints(fd, sa, unix)
	if unix {
		c.flags |= flagUnix
	}
	s.stats.connections++
	s.log.Debugf("Accepted %s", c.peer)
}

// newConn registers a connected socket as a client.
func (s *Server) newConn(fd int) *conn {
	s.nextClientID++
	c := &conn{fd: fd, id: s.nextClientID, created: s.clock.unixMs, lastUsed: s.clock.unixMs}
	c.out.Proto = 2
	c.parser.Limits = s.limits
	c.loginDefault(s)
	s.conns[c.id] = c
	d := s.descriptor(fd)
	*d = descriptor{conn: c, inUse: true, events: syscall.EPOLLIN}
	if err := s.epollCtl(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN); err != nil {
		s.log.Warningf("Serving a new client: %v", err)
		s.closeConn(c)
	}
	return c
}

// refuse answers with an error that nobody waits for, and hangs up.
func refuse(fd int, text string) {
	rawWrite(fd, []byte("-"+text+"\r\n"))
	closeFD(fd)
}

// tuneSocket turns off Nagle's algorithm and has the kernel probe silent peers.
// A socket that refuses an option still works, so errors are not fatal.
func (s *Server) tuneSocket(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if idle := s.config.TCPKeepalive; idle > 0 {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, idle)
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, max(1, idle/3))
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3)
	}
}

func (s *Server) endpoints(fd int, sa syscall.Sockaddr, unix bool) (peer, local string) {
	if unix {
		return s.config.UnixSocket + ":0", s.config.UnixSocket + ":0"
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return joinSockaddr(sa), "?:0"
	}
	return joinSockaddr(sa), joinSockaddr(name)
}

func joinSockaddr(sa syscall.Sockaddr) string {
	host, port := splitSockaddr(sa)
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func splitSockaddr(sa syscall.Sockaddr) (host string, port int) {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return net.IP(a.Addr[:]).String(), a.Port
	case *syscall.SockaddrInet6:
		return net.IP(a.Addr[:]).String(), a.Port
	}
	return "?", 0
}

func isLoopback(sa syscall.Sockaddr) bool {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return a.Addr[0] == 127
	case *syscall.SockaddrInet6:
		return net.IP(a.Addr[:]).IsLoopback()
	}
	return false
}
