package server

import (
	"fmt"
	"sync"
	"syscall"
)

// descriptor is what the reactor does about a file descriptor: it serves a
// client, or it calls back.
type descriptor struct {
	conn     *conn
	readable func()
	writable func() // nil: not interested
	events   uint32 // what epoll was told
	inUse    bool
	accepts  bool // a listening socket
}

// mailbox carries functions from other goroutines to the reactor.
type mailbox struct {
	mu     sync.Mutex
	fns    []func()
	closed bool
	fd     int // an eventfd, readable while fns is not empty
}

// post runs fn on the reactor, soon. Any goroutine may call it; it does not
// wait. After the reactor has ended fn is dropped, and post returns false.
func (s *Server) post(fn func()) bool {
	m := &s.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.fns = append(m.fns, fn)
	if len(m.fns) == 1 {
		one := [8]byte{1}
		rawWrite(m.fd, one[:]) // can not fail: the counter is at 0 or 1
	}
	return true
}

func (s *Server) readMail() {
	var drain [8]byte
	rawRead(s.mail.fd, drain[:])
	s.mail.mu.Lock()
	fns := s.mail.fns
	s.mail.fns = nil
	s.mail.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

func (s *Server) openReactor() error {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	s.epfd = epfd
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return fmt.Errorf("create eventfd: %w", errno)
	}
	s.mail.fd = int(fd)
	s.events = make([]syscall.EpollEvent, 1024)
	return s.watchFD(s.mail.fd, s.readMail, nil)
}

// closeReactor ends the mailbox and the poll descriptor.
func (s *Server) closeReactor() {
	s.mail.mu.Lock()
	s.mail.closed = true
	s.mail.fns = nil
	s.mail.mu.Unlock()
	closeFD(s.mail.fd)
	closeFD(s.epfd)
}

func closeFD(fd int) {
	if fd > 0 {
		_ = syscall.Close(fd) // nothing can be done about a failed close
	}
}

// watchFD calls readable whenever fd has something to read (or has failed), and
// writable, unless it is nil, whenever it can be written. The descriptor stays
// the caller's: call unwatchFD before closing it. Pass it non-blocking.
func (s *Server) watchFD(fd int, readable, writable func()) error {
	d := s.descriptor(fd)
	*d = descriptor{readable: readable, writable: writable, inUse: true}
	d.events = d.wanted()
	return s.epollCtl(syscall.EPOLL_CTL_ADD, fd, d.events)
}

// setWritable changes whether, and by whom, fd's becoming writable is noticed;
// nil ends it.
func (s *Server) setWritable(fd int, writable func()) error {
	d := s.descriptor(fd)
	d.writable = writable
	return s.updateEvents(fd, d.wanted())
}

// setReadable changes what is called when fd is readable; nil ends it.
func (s *Server) setReadable(fd int, readable func()) error {
	d := s.descriptor(fd)
	d.readable = readable
	return s.updateEvents(fd, d.wanted())
}

// unwatchFD forgets fd.
func (s *Server) unwatchFD(fd int) {
	d := s.descriptor(fd)
	if !d.inUse {
		return
	}
	*d = descriptor{}
	_ = s.epollCtl(syscall.EPOLL_CTL_DEL, fd, 0) // fails only when it is gone already
}

func (d *descriptor) wanted() uint32 {
	var events uint32
	if d.readable != nil {
		events |= syscall.EPOLLIN
	}
	if d.writable != nil {
		events |= syscall.EPOLLOUT
	}
	return events
}

func (s *Server) descriptor(fd int) *descriptor {
	for fd >= len(s.fds) {
		s.fds = append(s.fds, descriptor{})
	}
	return &s.fds[fd]
}

func (s *Server) updateEvents(fd int, events uint32) error {
	d := s.descriptor(fd)
	if d.events == events {
		return nil
	}
	d.events = events
	return s.epollCtl(syscall.EPOLL_CTL_MOD, fd, events)
}

func (s *Server) epollCtl(op, fd int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	if err := syscall.EpollCtl(s.epfd, op, fd, &ev); err != nil {
		return fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return nil
}

// loop is the reactor. It ends when s.stopping says that everything is done.
func (s *Server) loop() {
	for !s.stopped {
		n := s.poll()
		s.clock.update()
		commands := s.stats.commands
		for i := range s.events[:n] {
			if s.stopped {
				break // what executed now would not be in the final snapshot
			}
			s.dispatchEvent(&s.events[i])
		}
		s.serveArrivals()
		s.runTimers()
		s.endBatch()
		s.stats.turned(s.stats.commands - commands)
		if s.stats.turns%turnsPerLook == 0 {
			s.stats.took(s.clock.elapsed() - s.clock.mono)
		}
	}
}

// poll waits for events. See rawPollWait for why in two steps.
func (s *Server) poll() int {
	wait := s.untilTimer()
	if s.immediate {
		wait, s.immediate = 0, false
	}
	short := rawPollWait
	if wait >= 0 && wait < short {
		short = wait
	}
	if s.busy || wait == 0 {
		n, errno := epollWait(s.epfd, s.events, short, true)
		if n > 0 || errno != 0 || wait == 0 {
			return n
		}
	}
	n, _ := epollWait(s.epfd, s.events, wait, false)
	s.busy = n > 0 // woken by a timer alone, it goes back to sleep directly
	return n
}

func (s *Server) dispatchEvent(ev *syscall.EpollEvent) {
	d := &s.fds[ev.Fd]
	if c := d.conn; c != nil {
		if ev.Events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			c.readable(s)
		}
		// Written at the end of the batch, not here: the reply to a write that was
		// just executed must not leave before the lease was checked again.
		if ev.Events&syscall.EPOLLOUT != 0 {
			s.wantWrite(c)
		}
		return
	}
	if d.readable != nil && ev.Events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		d.readable()
	}
	// Looked up again: the callback may have grown the table or closed fd.
	d = &s.fds[ev.Fd]
	if d.writable != nil && ev.Events&(syscall.EPOLLOUT|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		d.writable()
	}
}

// again makes the next poll return at once: there is work left that no event
// will announce.
func (s *Server) again() { s.immediate = true }
