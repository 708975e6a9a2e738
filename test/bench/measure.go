package main

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// load is one shape of traffic.
type load struct {
	name     string
	test     string // redis-benchmark's -t
	pipeline int
	target   float64
}

// The targets are the project's: parity without pipelining, where both servers
// mostly wait for the kernel, and a clear lead with it.
var loads = []load{
	{"SET, no pipelining", "set", 1, 1.1},
	{"GET, no pipelining", "get", 1, 1.1},
	{"SET, 16 deep", "set", 16, 0.9},
	{"GET, 16 deep", "get", 16, 0.9},
}

const (
	memoryTarget = 0.8
	clients      = 50
	valueBytes   = 32
	keySpace     = 1_000_000
	// Deep pipelines finish sooner; more commands keep the CPU time well above
	// the 10 ms in which the kernel counts it.
	pipelinedFactor = 4
)

func run(cfg config) (*report, error) {
	version, err := exec.Command(cfg.theirs, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w (Debian's package is redis-server)", cfg.theirs, err)
	}
	name, _, _ := strings.Cut(string(version), " sha=")
	r := &report{machine: machine(strings.TrimSpace(name))}
	if err := measureCPU(cfg, r); err != nil {
		return nil, err
	}
	if err := measureMemory(cfg, r); err != nil {
		return nil, err
	}
	return r, nil
}

// measureCPU runs both servers side by side, idle while the other one works,
// and alternates between them round by round.
func measureCPU(cfg config, r *report) error {
	redis, err := start(cfg.theirs, false)
	if err != nil {
		return err
	}
	defer redis.stop()
	ours, err := start(cfg.ours, true)
	if err != nil {
		return err
	}
	defer ours.stop()

	for _, l := range loads {
		var theirs, us, ratios []float64
		for range cfg.rounds {
			a, err := cpuPerCommand(redis, l, cfg.commands)
			if err != nil {
				return err
			}
			b, err := cpuPerCommand(ours, l, cfg.commands)
			if err != nil {
				return err
			}
			theirs, us, ratios = append(theirs, a), append(us, b), append(ratios, b/a)
		}
		r.rows = append(r.rows, row{name: "CPU: " + l.name, unit: "µs", redis: median(theirs), ours: median(us), ratio: median(ratios), target: l.target})
	}
	gc := ours.gc()
	r.rows = append(r.rows,
		row{name: "garbage collection, longest pause", unit: "ms", ours: gc.longestPauseMillis, ratioOmitted: true},
		row{name: "garbage collection, share of CPU since the start", unit: "%", ours: gc.cpuPercent, ratioOmitted: true})
	r.notes = append(r.notes, fmt.Sprintf("CPU is user and system time of the server process per command; %d clients, %d-byte values, %d random keys; %d collections seen.",
		clients, valueBytes, keySpace, gc.count))
	return nil
}

func cpuPerCommand(s *server, l load, commands int) (float64, error) {
	if l.pipeline > 1 {
		commands *= pipelinedFactor
	}
	before, err := s.cpuMicros()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("redis-benchmark", "-p", strconv.Itoa(s.port), "-t", l.test, "-n", strconv.Itoa(commands),
		"-c", strconv.Itoa(clients), "-P", strconv.Itoa(l.pipeline), "-d", strconv.Itoa(valueBytes), "-r", strconv.Itoa(keySpace), "-q").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("run redis-benchmark (%s) against %s: %w\n%s", l.name, s.path, err, out)
	}
	after, err := s.cpuMicros()
	if err != nil {
		return 0, err
	}
	return (after - before) / float64(commands), nil
}

func measureMemory(cfg config, r *report) error {
	var perKey [2]float64
	for i, path := range []string{cfg.theirs, cfg.ours} {
		bytes, err := memoryPerKey(path, path == cfg.ours, cfg.keys)
		if err != nil {
			return err
		}
		perKey[i] = bytes
	}
	r.rows = append(r.rows, row{name: "memory: 16-byte key, 32-byte value", unit: "bytes", redis: perKey[0], ours: perKey[1], ratio: perKey[1] / perKey[0], target: memoryTarget})
	r.notes = append(r.notes, fmt.Sprintf("Memory is the growth of the resident set over %d keys, divided by their number.", cfg.keys))
	return nil
}

func memoryPerKey(path string, ours bool, keys int) (float64, error) {
	s, err := start(path, ours)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before, err := s.residentBytes()
	if err != nil {
		return 0, err
	}
	if err := fill(s.port, keys); err != nil {
		return 0, fmt.Errorf("fill %s: %w", path, err)
	}
	after, err := s.residentBytes()
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(keys), nil
}

// fill sets `keys` keys of 16 bytes to values of 32, in pipelines, and waits
// for every reply.
func fill(port, keys int) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const batch = 1000
	value := strings.Repeat("v", valueBytes)
	w, replies := bufio.NewWriterSize(conn, 1<<17), bufio.NewReader(conn)
	for done := 0; done < keys; done += batch {
		n := min(batch, keys-done)
		for i := range n {
			fmt.Fprintf(w, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", done+i, valueBytes, value)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for range n {
			line, err := replies.ReadString('\n')
			if err != nil {
				return err
			}
			if line != "+OK\r\n" {
				return fmt.Errorf("SET answered %q", line)
			}
		}
	}
	return nil
}

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	return s[len(s)/2]
}
