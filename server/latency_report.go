package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// What LATENCY says to people.

const (
	graphColumns = 80 // of the graph: the newest samples that fit
	graphRows    = 4
)

// graphMarks are what the top of a column looks like, by the third of its row that
// it reaches; below it there are bars.
var graphMarks = []byte("_o#")

func (s *Server) cmdLatencyGraph(call *command.Call) {
	name := string(call.Args[2])
	series := s.latency.events[name]
	if series == nil {
		call.Fail(command.ReplyError(fmt.Sprintf("ERR No samples available for event '%s'", name)))
		return
	}
	call.Out.Verbatim("txt", series.graph(name, s.clock.unix))
}

// graph draws the samples from the oldest to the newest, and below each how long
// ago it was, written downwards.
func (l *latencySeries) graph(name string, now int64) string {
	samples := l.samples[max(0, len(l.samples)-graphColumns):]
	low, high := samples[0].ms, samples[0].ms
	for _, sample := range samples {
		low, high = min(low, sample.ms), max(high, sample.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", name, high, low, l.worst, strings.Repeat("-", graphColumns))
	levels := int64(graphRows * len(graphMarks))
	for row := int64(graphRows - 1); row >= 0; row-- {
		for _, sample := range samples {
			level := int64(0)
			if high > low {
				level = (sample.ms - low) * (levels - 1) / (high - low)
			}
			b.WriteByte(graphCell(level - row*int64(len(graphMarks))))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	ages := make([]string, len(samples))
	for i, sample := range samples {
		ages[i] = roughAge(now - sample.at)
	}
	writeDownwards(&b, ages)
	return b.String()
}

// graphCell is one cell of a column whose top is so many levels above the cell's
// bottom.
func graphCell(above int64) byte {
	switch {
	case above < 0:
		return ' '
	case above < int64(len(graphMarks)):
		return graphMarks[above]
	}
	return '|'
}

// roughAge is a time in its largest unit.
func roughAge(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

// writeDownwards writes words side by side, each from top to bottom.
func writeDownwards(b *strings.Builder, words []string) {
	for row, more := 0, true; more; row++ {
		more = false
		for _, w := range words {
			if row < len(w) {
				b.WriteByte(w[row])
			} else {
				b.WriteByte(' ')
			}
			more = more || row+1 < len(w)
		}
		b.WriteByte('\n')
	}
}

// latencySummary is what the samples of an event come to, in milliseconds.
type latencySummary struct {
	count, average, deviation int64
	period                    float64 // seconds from one sample to the next
}

func (l *latencySeries) summary(now int64) latencySummary {
	sum, n := int64(0), int64(len(l.samples))
	for _, sample := range l.samples {
		sum += sample.ms
	}
	m := latencySummary{count: n, average: sum / n, period: float64(now-l.samples[0].at) / float64(n)}
	for _, sample := range l.samples {
		m.deviation += max(sample.ms-m.average, m.average-sample.ms)
	}
	m.deviation /= n
	return m
}

func (s *Server) cmdLatencyDoctor(call *command.Call) {
	threshold := s.config.LatencyMonitorThreshold
	names := make([]string, 0, len(s.latency.events))
	for name := range s.latency.events {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	switch {
	case len(names) == 0 && threshold == 0:
		b.WriteString("Nothing is known: latency monitoring is off. Turn it on with CONFIG SET latency-monitor-threshold MILLISECONDS, " +
			"the time that matters to you, and ask again later.\n")
	case len(names) == 0:
		fmt.Fprintf(&b, "Nothing has taken %d ms or longer.\n", threshold)
	default:
		fmt.Fprintf(&b, "These took %d ms or longer:\n\n", threshold)
		for i, name := range names {
			series := s.latency.events[name]
			m := series.summary(s.clock.unix)
			fmt.Fprintf(&b, "%d. %s: %d seconds with a spike (on average %d ms, mean deviation %d ms, one every %.2f seconds), the worst ever %d ms.\n",
				i+1, name, m.count, m.average, m.deviation, m.period, series.worst)
		}
		b.WriteString("\nWhat to do:\n\n")
		for _, advice := range s.latencyAdvice(names) {
			fmt.Fprintf(&b, "- %s\n", advice)
		}
	}
	call.Out.Verbatim("txt", b.String())
}

// latencyAdvice is what helps against the events that were seen.
func (s *Server) latencyAdvice(names []string) []string {
	var advice []string
	if slices.Contains(names, "command") {
		slow := s.config.SlowlogLogSlowerThan
		if threshold := s.config.LatencyMonitorThreshold * int64(time.Millisecond/time.Microsecond); slow < 0 || slow > threshold {
			advice = append(advice, fmt.Sprintf("The slow log would show the commands, but it does not note all of them: CONFIG SET slowlog-log-slower-than %d.", max(1, threshold)))
		}
		advice = append(advice, "SLOWLOG GET shows slow commands with their arguments. KEYS, SMEMBERS, HGETALL, LRANGE and SORT take a time that grows with what they "+
			"return; SCAN and its relatives return it in pieces.")
	}
	if slices.Contains(names, "fast-command") {
		advice = append(advice, "Commands that are fast took long, which points to the machine: too few processors for what runs on it, memory that is swapped, "+
			"or a container's CPU limit. Compare with used_cpu_* of INFO and with the node's load.")
	}
	if slices.Contains(names, "expire-cycle") {
		advice = append(advice, "Many keys expire at the same moment. Spread their times, for example by adding some random seconds, or lower active-expire-effort.")
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "eviction") }) {
		advice = append(advice, "Keys are evicted because of maxmemory. Raise it, or lower maxmemory-eviction-tenacity so that evicting is spread over more turns.")
	}
	if len(advice) == 0 {
		advice = append(advice, "LATENCY HISTORY and LATENCY GRAPH show when it happened; compare that with what else happened at these times.")
	}
	return advice
}
