package server

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// reservedFDs are descriptors that are not clients': listeners, files, links.
const reservedFDs = 32

// ballastSize is a part of the Go heap that is reserved and never touched, so it
// costs address space only. The collector waits until there is as much garbage
// as there is heap; what the server really keeps there (connections, buffers) is
// so little that without it a collection would come every few megabytes.
const ballastSize = 32 << 20

// prepareProcess arranges what belongs to the whole process.
func (s *Server) prepareProcess() {
	s.log.Noticef("oO0OoO0OoO0Oo Lockstep is starting oO0OoO0OoO0Oo")
	s.log.Noticef("Lockstep version=%s, Redis version=%s, bits=64, pid=%d, just started", Version(), compatVersion, os.Getpid())
	if s.embedded {
		return
	}
	if s.config.Daemonize {
		s.log.Warningf("daemonize yes is ignored: this server stays in the foreground; let a supervisor (systemd, Kubernetes) run it.")
	}
	s.writePidFile()
	// The reactor keeps a processor for itself as long as there is something to
	// do; the others must not wait for it on a machine with one.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	s.raiseFileLimit()
	s.tuneCollector()
	if s.config.File() == "" {
		s.log.Noticef("No config file specified, using the default config. In order to specify a config file use lockstep-server /path/to/redis.conf")
	}
}

// tuneCollector makes collections rare; see ballastSize.
func (s *Server) tuneCollector() {
	if os.Getenv("GOGC") == "" { // otherwise somebody knows better
		s.ballast = make([]byte, ballastSize)
	}
}

func (s *Server) writePidFile() {
	if s.config.PidFile == "" {
		return
	}
	if err := os.WriteFile(s.config.PidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		s.log.Warningf("Writing the pidfile: %v", err)
	}
}

func (s *Server) removePidFile() {
	if s.config.PidFile != "" && !s.embedded {
		_ = os.Remove(s.config.PidFile) // may never have been written
	}
}

// raiseFileLimit makes room for maxclients, or lowers maxclients to the room
// that there is.
func (s *Server) raiseFileLimit() {
	want := uint64(s.config.MaxClients + reservedFDs)
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		s.log.Warningf("Unable to obtain the current NOFILE limit (%v), assuming 1024 and setting the max clients configuration accordingly.", err)
		s.config.MaxClients = 1024 - reservedFDs
		return
	}
	if lim.Cur >= want {
		return
	}
	for try := want; try > lim.Cur; try -= min(try, 16) {
		next := syscall.Rlimit{Cur: try, Max: max(lim.Max, try)}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &next) == nil {
			lim = next
			break
		}
	}
	if lim.Cur < want {
		s.config.MaxClients = int(lim.Cur) - reservedFDs
		s.log.Warningf("You requested maxclients of %d requiring at least %d max file descriptors. Only %d are allowed, so maxclients has been reduced to %d. Raise the limit with 'ulimit -n'.",
			want-reservedFDs, want, lim.Cur, s.config.MaxClients)
	}
}

// residentMemory is what the process occupies, in bytes; 0 when unknown.
func residentMemory() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// systemMemory is what the machine has, in bytes; 0 when unknown.
func systemMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
