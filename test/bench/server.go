package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// server is one server process under measurement, on a port of its own.
type server struct {
	path string
	port int
	cmd  *exec.Cmd
	dir  string

	traced  chan struct{} // closed when stderr has ended
	mu      sync.Mutex    // guards collect
	collect gcSummary
}

type gcSummary struct {
	count              int
	longestPauseMillis float64
	pausedMillis       float64 // all pauses together
	cpuPercent         float64 // of the whole process since its start, as the runtime says
}

func start(path string, trace bool) (*server, error) {
	dir, err := os.MkdirTemp("", "lockstep-bench")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if strings.Contains(path, "/") {
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	s := &server{path: path, port: port, dir: dir, traced: make(chan struct{})}
	s.cmd = exec.Command(path, "--port", strconv.Itoa(port), "--save", "", "--dir", dir)
	if trace {
		s.cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1")
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go s.readTrace(stderr)
	if err := s.waitReady(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) waitReady() error {
	var last error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return fmt.Errorf("%s does not answer on port %d: %w", s.path, s.port, last)
}

// stop ends the process that start began and removes its directory.
func (s *server) stop() {
	// Errors here mean that it is gone already.
	_ = s.cmd.Process.Kill()
	<-s.traced
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// A line of the runtime's trace:
// gc 7 @2.104s 1%: 0.018+1.3+0.003 ms clock, ...
// The first and the third number of the sum are the two pauses.
var traceLine = regexp.MustCompile(`^gc \d+ @[\d.]+s (\d+)%: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock`)

func (s *server) readTrace(r io.Reader) {
	defer close(s.traced)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		percent, _ := strconv.ParseFloat(m[1], 64) // the expression admits digits only
		first, _ := strconv.ParseFloat(m[2], 64)
		last, _ := strconv.ParseFloat(m[3], 64)
		s.mu.Lock()
		s.collect.count++
		s.collect.cpuPercent = percent
		s.collect.pausedMillis += first + last
		s.collect.longestPauseMillis = max(s.collect.longestPauseMillis, first, last)
		s.mu.Unlock()
	}
}

func (s *server) gc() gcSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.collect
}

// cpuMicros is the CPU time of all threads so far, which the scheduler knows to the
// nanosecond: the process's own account counts in hundredths of a second.
func (s *server) cpuMicros() (float64, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("read CPU time: no threads of process %d: %w", s.cmd.Process.Pid, err)
	}
	var nanos float64
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		n, parse := strconv.ParseFloat(first, 64)
		if err := errors.Join(err, parse); err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		nanos += n
	}
	return nanos / 1000, nil
}

func (s *server) residentBytes() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, errors.New("read memory: unexpected form of /proc/PID/statm")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
