package server

import (
	"syscall"
	"time"
	"unsafe"
)

// The reactor makes its system calls without telling the Go scheduler: none of
// them blocks for longer than rawPollWait, and entering and leaving the
// scheduler costs as much as a short command does. Only when there has been
// nothing to do for rawPollWait does it sleep in a call that the scheduler knows
// of.

// rawPollWait is how long the reactor waits for the next event while it keeps
// its processor. Under load the next request arrives well before; the garbage
// collector interrupts the wait with a signal when it needs the thread, and the
// scheduler does so after 10 ms in any case.
//
// It is not shorter, because a timer that is about to run out has the kernel set
// the hardware's clock at every wait, which is slow in a virtual machine: with 1 ms
// a single client's request took a third more processor time.
const rawPollWait = 20 * time.Millisecond

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// rawReceive is rawRead of a socket, by a shorter way through the kernel.
func rawReceive(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// rawSend is rawWrite to a socket.
func rawSend(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// epollWait waits at most timeout (negative: for ever; rounded up to
// milliseconds). raw must only be used for waits that are short.
func epollWait(epfd int, events []syscall.EpollEvent, timeout time.Duration, raw bool) (int, syscall.Errno) {
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	var n uintptr
	var errno syscall.Errno
	if raw {
		n, _, errno = syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(ms), 0, 8)
	} else {
		n, _, errno = syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(ms), 0, 8)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
