package server

import (
	"sort"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// latencyMonitor keeps the events that took longer than
// latency-monitor-threshold.
type latencyMonitor struct {
	events map[string]*latencySeries
}

// latencySamples is how many samples of one event are kept.
const latencySamples = 160

type latencySeries struct {
	samples []latencySample // newest last
	worst   int64           // milliseconds
}

type latencySample struct {
	at int64 // unix seconds
	ms int64
}

// spike records that an event took long, if it did.
func (s *Server) spike(event string, took time.Duration) {
	limit := s.config.LatencyMonitorThreshold
	ms := took.Milliseconds()
	if limit <= 0 || ms < limit {
		return
	}
	l := &s.latency
	if l.events == nil {
		l.events = map[string]*latencySeries{}
	}
	series := l.events[event]
	if series == nil {
		series = &latencySeries{}
		l.events[event] = series
	}
	series.worst = max(series.worst, ms)
	if n := len(series.samples); n > 0 && series.samples[n-1].at == s.clock.unix {
		series.samples[n-1].ms = max(series.samples[n-1].ms, ms)
		return
	}
	series.samples = append(series.samples, latencySample{s.clock.unix, ms})
	if over := len(series.samples) - latencySamples; over > 0 {
		series.samples = append(series.samples[:0], series.samples[over:]...)
	}
}

func (s *Server) latencySpec() *command.Spec {
	flags := command.Admin | command.NoScript | command.Loading | command.Stale
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	return &command.Spec{Name: "latency", Arity: -2,
		Subcommands: []*command.Spec{
			sub("doctor", 2, s.cmdLatencyDoctor),
			sub("graph", 3, s.cmdLatencyGraph),
			sub("history", 3, s.cmdLatencyHistory),
			sub("latest", 2, s.cmdLatencyLatest),
			sub("reset", -2, s.cmdLatencyReset),
			sub("histogram", -2, s.cmdLatencyHistogram),
			helpSpec("latency", command.Loading|command.Stale,
				"DOCTOR", "    Return a human readable latency analysis report.",
				"GRAPH <event>", "    Return an ASCII latency graph for the <event> class.",
				"HISTORY <event>", "    Return time-latency samples for the <event> class.",
				"LATEST", "    Return the latest latency samples for all events.",
				"RESET [<event> ...]", "    Reset latency data of one or more <event> classes.",
				"    (default: reset all data for all event classes)",
				"HISTOGRAM [COMMAND ...]", "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
				"    If no commands are specified then all histograms are replied."),
		}}
}

func (s *Server) cmdLatencyHistory(call *command.Call) {
	series := s.latency.events[string(call.Args[2])]
	if series == nil {
		call.Out.Array(0)
		return
	}
	call.Out.Array(len(series.samples))
	for _, sample := range series.samples {
		call.Out.Array(2)
		call.Out.Int(sample.at)
		call.Out.Int(sample.ms)
	}
}

func (s *Server) cmdLatencyLatest(call *command.Call) {
	names := make([]string, 0, len(s.latency.events))
	for name := range s.latency.events {
		names = append(names, name)
	}
	sort.Strings(names)
	call.Out.Array(len(names))
	for _, name := range names {
		series := s.latency.events[name]
		last := series.samples[len(series.samples)-1]
		call.Out.Array(4)
		call.Out.BulkString(name)
		call.Out.Int(last.at)
		call.Out.Int(last.ms)
		call.Out.Int(series.worst)
	}
}

func (s *Server) cmdLatencyReset(call *command.Call) {
	n := 0
	if len(call.Args) == 2 {
		n = len(s.latency.events)
		s.latency.events = nil
	}
	for _, name := range call.Args[2:] {
		if _, known := s.latency.events[string(name)]; known {
			delete(s.latency.events, string(name))
			n++
		}
	}
	call.Out.Int(int64(n))
}

func (s *Server) cmdLatencyHistogram(call *command.Call) {
	mark, n := call.Out.Mark(), 0
	reply := func(spec *command.Spec) {
		hist := s.stats.perCommand[spec.ID()].hist
		if hist == nil {
			return
		}
		n++
		call.Out.BulkString(spec.FullName())
		call.Out.Map(2)
		call.Out.BulkString("calls")
		call.Out.Int(hist.count)
		call.Out.BulkString("histogram_usec")
		hist.write(call)
	}
	for _, name := range call.Args[2:] {
		if spec, known := s.commands.Find(name); known {
			reply(spec)
			for _, sub := range spec.Subcommands {
				reply(sub)
			}
		}
	}
	if len(call.Args) == 2 {
		for _, spec := range s.commands.Sorted() {
			reply(spec)
		}
	}
	call.Out.InsertMap(mark, n)
}

// write tells how many calls took no longer than each power of two, in microseconds:
// 1 to 16 and then 33, 66, 132..., since the borders are powers of two of nanoseconds
// and as wide as a histogram of two decimal digits has them.
func (h *histogram) write(call *command.Call) {
	mark, n, seen := call.Out.Mark(), 0, int64(0)
	bucket := 0
	for log := 10; seen < h.count; log++ {
		border := time.Duration(1)<<log + time.Duration(1)<<(log-7) - 1
		before := seen
		for bucket < len(h.bucket) && (upper(bucket) <= border || bucket == len(h.bucket)-1) {
			seen += int64(h.bucket[bucket])
			bucket++
		}
		if seen > before {
			call.Out.Int(border.Microseconds())
			call.Out.Int(seen)
			n++
		}
	}
	call.Out.InsertMap(mark, n)
}
