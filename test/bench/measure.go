package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const (
	clients  = 50
	keySpace = 1_000_000
)

func run(cfg config) (*report, error) {
	version, err := exec.Command(cfg.theirs, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w (Debian's package is redis-server)", cfg.theirs, err)
	}
	name, _, _ := strings.Cut(string(version), " sha=")
	r := &report{machine: machine(strings.TrimSpace(name))}
	for _, part := range []struct {
		name    string
		measure func(config, *report) error
	}{{"cpu", measureCPU}, {"memory", measureMemory}, {"latency", measureLatency}} {
		if cfg.only != "" && cfg.only != part.name {
			continue
		}
		if err := part.measure(cfg, r); err != nil {
			return nil, err
		}
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
	for _, s := range shapes {
		for _, l := range loads {
			if !cfg.wants(l) {
				continue
			}
			if err := compareCPU(cfg, r, redis, ours, l, s); err != nil {
				return err
			}
		}
	}
	gc := ours.gc()
	r.rows = append(r.rows,
		row{name: "garbage collection, longest pause", unit: "ms", ours: gc.longestPauseMillis, ratioOmitted: true},
		row{name: "garbage collection, share of CPU since the start", unit: "%", ours: gc.cpuPercent, ratioOmitted: true})
	r.notes = append(r.notes, fmt.Sprintf("CPU is user and system time of the server process per command; %d clients, %d random numbers in keys and members; collections are one large key; %d collections of garbage seen.",
		clients, keySpace, gc.count))
	return nil
}

func compareCPU(cfg config, r *report, redis, ours *server, l load, s shape) error {
	var theirs, us, ratios []float64
	for i := range cfg.rounds {
		// The machine speeds up and slows down: each of them is first in every other round.
		pair := [2]*server{redis, ours}
		var cost [2]float64
		for j := range pair {
			at := (i + j) % 2
			var err error
			if cost[at], err = cpuPerCommand(pair[at], l, s, cfg.commands); err != nil {
				return err
			}
		}
		theirs, us, ratios = append(theirs, cost[0]), append(us, cost[1]), append(ratios, cost[1]/cost[0])
	}
	depth := "no pipelining"
	if s.depth > 1 {
		depth = fmt.Sprintf("%d deep", s.depth)
	}
	r.rows = append(r.rows, row{name: fmt.Sprintf("CPU: %s, %s, %d bytes", l.name, depth, s.value), unit: "µs",
		redis: median(theirs), ours: median(us), ratio: median(ratios), target: s.target})
	return nil
}

// cpuPerCommand begins and ends with an empty server, since what is left of one
// load would be part of the next one's cost.
func cpuPerCommand(s *server, l load, sh shape, configured int) (float64, error) {
	n := l.commands(sh, configured)
	if l.fill != nil {
		if err := s.benchmark(spell(l.fill, sh.value), n, 16); err != nil {
			return 0, err
		}
	}
	before, err := s.cpuMicros()
	if err != nil {
		return 0, err
	}
	if err := s.benchmark(spell(l.args, sh.value), n, sh.depth); err != nil {
		return 0, err
	}
	after, err := s.cpuMicros()
	if err != nil {
		return 0, err
	}
	return (after - before) / float64(n), fill(s.port, 1, func(int) []string { return []string{"FLUSHALL"} })
}

// benchmark has redis-benchmark send a command n times.
func (s *server) benchmark(args []string, n, depth int) error {
	all := append([]string{"-p", strconv.Itoa(s.port), "-n", strconv.Itoa(n), "-c", strconv.Itoa(clients),
		"-P", strconv.Itoa(depth), "-r", strconv.Itoa(keySpace), "-q"}, args...)
	if out, err := exec.Command("redis-benchmark", all...).CombinedOutput(); err != nil || strings.Contains(string(out), "Error from server") {
		return fmt.Errorf("run redis-benchmark (%s) against %s: %w\n%.1000s", args[0], s.path, err, out)
	}
	return nil
}

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	return s[len(s)/2]
}
