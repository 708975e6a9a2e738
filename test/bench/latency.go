package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Latency is measured at a fixed rate that both servers sustain easily, so that
// what shows is what a request waits for and not how fast the servers are: every
// connection sends at times fixed in advance, and a request's latency counts from
// the time at which it was due.
const (
	latencyClients  = 20
	latencyRate     = 4000 // requests per second, all clients together
	latencySeconds  = 8    // of one round
	latencyKeys     = 200_000
	latencyTarget   = 1.5
	latencyQuantile = 0.999
)

// mixed is a request of the mix: two thirds reads, over all types.
func mixed(r *rand.Rand) []string {
	n := r.IntN(latencyKeys)
	k := strconv.Itoa(n)
	switch r.IntN(12) {
	case 0, 1:
		return []string{"SET", "s:" + k, strings.Repeat("v", 32+r.IntN(1000))}
	case 2:
		return []string{"HSET", "h:" + strconv.Itoa(n%1000), "f" + k, k}
	case 3:
		return []string{"ZADD", "z:" + strconv.Itoa(n%10), k, "m" + k}
	case 4:
		return []string{"LPUSH", "l:" + strconv.Itoa(n%100), k}
	case 5:
		return []string{"RPOP", "l:" + strconv.Itoa(n%100)}
	case 6:
		return []string{"HGET", "h:" + strconv.Itoa(n%1000), "f" + k}
	case 7:
		return []string{"ZSCORE", "z:" + strconv.Itoa(n%10), "m" + k}
	}
	return []string{"GET", "s:" + k}
}

func measureLatency(cfg config, r *report) error {
	// The generator's own collections would be taken for the server's.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	servers := [2]*server{}
	for i, path := range []string{cfg.theirs, cfg.ours} {
		s, err := start(path, path == cfg.ours)
		if err != nil {
			return err
		}
		defer s.stop()
		servers[i] = s
		fillRand := rand.New(rand.NewPCG(1, 1))
		if err := fill(s.port, latencyKeys, func(int) []string { return mixed(fillRand) }); err != nil {
			return fmt.Errorf("fill %s: %w", path, err)
		}
	}
	before := servers[1].gc()
	var all [2][]time.Duration
	var ratios []float64
	for round := range cfg.rounds {
		var tail [2]float64
		for i, s := range servers {
			seen, err := latencies(s.port, uint64(round))
			if err != nil {
				return fmt.Errorf("load %s: %w", s.path, err)
			}
			slices.Sort(seen)
			tail[i] = float64(quantile(seen, latencyQuantile))
			all[i] = append(all[i], seen...)
		}
		ratios = append(ratios, tail[1]/tail[0])
	}
	slices.Sort(all[0])
	slices.Sort(all[1])
	line := func(name string, a, b time.Duration, target float64) {
		row := row{name: "latency: " + name, unit: "µs", redis: micros(a), ours: micros(b), ratio: micros(b) / micros(a), target: target}
		if target > 0 {
			row.ratio = median(ratios)
		}
		r.rows = append(r.rows, row)
	}
	line("p50", quantile(all[0], 0.5), quantile(all[1], 0.5), 0)
	line("p99", quantile(all[0], 0.99), quantile(all[1], 0.99), 0)
	line("p99.9", quantile(all[0], latencyQuantile), quantile(all[1], latencyQuantile), latencyTarget)
	line("longest", all[0][len(all[0])-1], all[1][len(all[1])-1], 0)
	gc := servers[1].gc()
	seconds := float64(cfg.rounds * latencySeconds)
	r.rows = append(r.rows,
		row{name: "latency: collections meanwhile", unit: "", ours: float64(gc.count - before.count), ratioOmitted: true},
		row{name: "latency: time in which a collection held everything up", unit: "ppm", ours: (gc.pausedMillis - before.pausedMillis) * 1000 / seconds, ratioOmitted: true})
	r.notes = append(r.notes, fmt.Sprintf("Latency is that of a mix of reads and writes over all types, %d requests a second from %d connections, counted from the time at which a request was due; the ratio of p99.9 is the median of %d rounds.",
		latencyRate, latencyClients, cfg.rounds))
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// quantile is the value below which the share q of the sorted values is.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))]
}

func latencies(port int, seed uint64) ([]time.Duration, error) {
	const perClient = latencyRate * latencySeconds / latencyClients
	var (
		clients sync.WaitGroup
		seen    [latencyClients][]time.Duration
		errs    [latencyClients]error
	)
	begin := time.Now()
	for c := range latencyClients {
		clients.Go(func() {
			seen[c], errs[c] = oneClient(port, rand.New(rand.NewPCG(seed, uint64(c))), begin, perClient)
		})
	}
	clients.Wait()
	var all []time.Duration
	for c := range seen {
		if errs[c] != nil {
			return nil, errs[c]
		}
		all = append(all, seen[c]...)
	}
	return all, nil
}

func oneClient(port int, r *rand.Rand, begin time.Time, requests int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	interval := time.Second * latencyClients / latencyRate
	phase := time.Duration(r.Int64N(int64(interval)))
	w, replies := bufio.NewWriter(conn), bufio.NewReader(conn)
	seen := make([]time.Duration, 0, requests)
	for i := range requests {
		due := begin.Add(phase + time.Duration(i)*interval)
		time.Sleep(time.Until(due))
		writeRequest(w, mixed(r))
		if err := w.Flush(); err != nil {
			return nil, err
		}
		if err := skipReply(replies); err != nil {
			return nil, err
		}
		seen = append(seen, time.Since(due))
	}
	return seen, nil
}
