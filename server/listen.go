package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/config"
)

// errNoAddress says that not one of the configured addresses could be used.
var errNoAddress = errors.New("no address to listen on")

// acceptsPerEvent bounds how many clients are accepted in a row, as Redis does.
const acceptsPerEvent = 1000

// listenerKind says what kind of clients come in by a listening socket.
type listenerKind uint8

const (
	listenTCP listenerKind = iota
	listenTLS
	listenUnix
)

type listener struct {
	fd   int
	kind listenerKind
}

// listen opens the sockets that the configuration names.
func (s *Server) listen() error {
	cfg := s.config
	if err := s.loadTLS(); err != nil {
		return fmt.Errorf("configure TLS: %w", err)
	}
	if cfg.Port != 0 || s.ephemeral {
		if err := s.listenPort(listenTCP, cfg); err != nil {
			return err
		}
	}
	if cfg.TLSPort != 0 {
		if err := s.listenPort(listenTLS, cfg); err != nil {
			return err
		}
	}
	if cfg.UnixSocket != "" {
		if err := s.listenUnix(cfg.UnixSocket); err != nil {
			return err
		}
	}
	if len(s.listeners) == 0 {
		return fmt.Errorf("%w: port and tls-port are 0 and unixsocket is not set", errNoAddress)
	}
	return nil
}

// listenPort binds every address to the port for a kind of clients; an address that
// begins with '-' may be missing.
func (s *Server) listenPort(kind listenerKind, cfg *config.Config) error {
	bound, port := &s.port, cfg.Port
	if kind == listenTLS {
		bound, port = &s.tls.port, cfg.TLSPort
	}
	var err error
	*bound, err = s.bindAll(kind, cfg.Bind, port)
	return err
}

// bindAll listens on all addresses and returns the port, which the kernel chooses
// when it is 0.
func (s *Server) bindAll(kind listenerKind, bind []string, port int) (int, error) {
	for _, address := range bind {
		host, optional := strings.CutPrefix(address, "-")
		fd, bound, err := bindTCP(host, port, s.config.TCPBacklog)
		if err != nil {
			if optional && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
				continue
			}
			return 0, fmt.Errorf("listen on %s port %d: %w%s", host, port, err, listenHint(kind, err))
		}
		if port == 0 {
			port = bound
		}
		if err := s.addListener(listener{fd, kind}); err != nil {
			return 0, err
		}
	}
	return port, nil
}

// listenHint says which directive to change when an address can not be had.
func listenHint(kind listenerKind, err error) string {
	directive := "port"
	if kind == listenTLS {
		directive = "tls-port"
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another process listens there: end it, or set the directive " + directive + " to another port"
	case errors.Is(err, syscall.EACCES):
		return "; ports below 1024 take a privilege: set the directive " + directive + " to a higher one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; this machine has no such address: correct the directive bind"
	}
	return ""
}

func (s *Server) addListener(l listener) error {
	s.listeners = append(s.listeners, l)
	err := s.watchFD(l.fd, func() { s.accept(l) }, nil)
	s.descriptor(l.fd).accepts = true
	return err
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

func (s *Server) listenUnix(path string) error {
	if err := removeOldSocket(path); err != nil {
		return fmt.Errorf("listen on unix socket: %w", err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("create unix socket: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		closeFD(fd)
		return fmt.Errorf("bind unix socket %s: %w", path, err)
	}
	if err := s.protectUnix(path); err != nil {
		closeFD(fd)
		return fmt.Errorf("restrict unix socket %s: %w", path, err)
	}
	if err := syscall.Listen(fd, s.config.TCPBacklog); err != nil {
		closeFD(fd)
		return fmt.Errorf("listen on unix socket %s: %w", path, err)
	}
	return s.addListener(listener{fd, listenUnix})
}

// removeOldSocket makes way for a socket where an earlier server has left its own.
func removeOldSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket; remove it or set unixsocket to another path", path)
	}
	return os.Remove(path)
}

// protectUnix restricts who may use the socket, before anybody can.
func (s *Server) protectUnix(path string) error {
	if perm := s.config.UnixSocketPerm; perm != 0 {
		if err := os.Chmod(path, os.FileMode(perm)); err != nil {
			return err
		}
	}
	if s.config.UnixSocketGroup == "" {
		return nil
	}
	group, err := user.LookupGroup(s.config.UnixSocketGroup)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return fmt.Errorf("group %s: %w", group.Name, err)
	}
	return os.Chown(path, -1, gid)
}

// closeListeners stops taking new clients of some kinds.
func (s *Server) closeListeners(kinds ...listenerKind) {
	var rest []listener
	for _, l := range s.listeners {
		if !slices.Contains(kinds, l.kind) {
			rest = append(rest, l)
			continue
		}
		s.unwatchFD(l.fd)
		closeFD(l.fd)
		if l.kind == listenUnix {
			_ = os.Remove(s.config.UnixSocket) // best effort, the next start removes it as well
		}
	}
	s.listeners = rest
}

func (s *Server) accept(l listener) {
	for range acceptsPerEvent {
		fd, sa, err := syscall.Accept4(l.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ECONNABORTED):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err != nil:
			// No descriptor is left, most likely. Asking again at once would take
			// all of the processor and fill the log.
			s.log.Warningf("Accepting client connection: %v", err)
			s.pauseAccepting(l)
			return
		}
		if l.kind == listenTLS {
			s.admitTLS(fd, sa)
		} else {
			s.admit(fd, sa, l.kind)
		}
	}
}

// acceptPause is how long not to accept after it has failed.
const acceptPause = 100 * time.Millisecond

func (s *Server) pauseAccepting(l listener) {
	if err := s.setReadable(l.fd, nil); err != nil {
		s.log.Warningf("Pausing a listening socket: %v", err)
		return
	}
	s.after(acceptPause, func() {
		if !slices.Contains(s.listeners, l) {
			return // closed meanwhile
		}
		if err := s.setReadable(l.fd, func() { s.accept(l) }); err != nil {
			s.log.Warningf("Accepting again: %v", err)
		}
	})
}

const protectedModeText = "DENIED Lockstep is running in protected mode because protected mode is enabled and no password is set for the default user. " +
	"In this mode connections are only accepted from the loopback interface. " +
	"To connect from elsewhere, set a password (requirepass), or bind to the addresses that are meant to be reachable, " +
	"or disable protected mode with 'CONFIG SET protected-mode no' from a client on this machine."

// admit makes a client of an accepted socket, or tells it why not.
func (s *Server) admit(fd int, sa syscall.Sockaddr, kind listenerKind) {
	if len(s.conns)+len(s.tls.shaking) >= s.config.MaxClients {
		refuse(fd, "ERR max number of clients reached")
		s.stats.rejected++
		return
	}
	if kind != listenUnix {
		if s.protects(sa) {
			refuse(fd, protectedModeText)
			s.stats.rejected++
			return
		}
		s.tuneSocket(fd)
	}
	s.serve(fd, sa, kind)
}

// protects says whether protected mode keeps a client out that comes from there.
func (s *Server) protects(sa syscall.Sockaddr) bool {
	return s.config.ProtectedMode && s.users.Default().NoPass() && !isLoopback(sa)
}

// serve makes a client of a socket that may be one.
func (s *Server) serve(fd int, sa syscall.Sockaddr, kind listenerKind) *conn {
	c := s.newConn(fd)
	c.peer, c.local = s.endpoints(fd, sa, kind)
	if kind == listenUnix {
		c.flags |= flagUnix
	}
	s.stats.connections++
	s.log.Debugf("Accepted %s", c.peer)
	return c
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

func (s *Server) endpoints(fd int, sa syscall.Sockaddr, kind listenerKind) (peer, local string) {
	if kind == listenUnix {
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
