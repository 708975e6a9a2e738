package chaos

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Write is one acknowledged write.
type Write struct {
	Seq   int64
	Sent  time.Time // when the command left; carries the monotonic clock
	Acked time.Time // when +OK was read
	By    string    // run ID of the server process that acknowledged it
}

// History is what one Writer saw.
type History struct {
	Prefix   string
	Acked    []Write // in order of Seq, and so of time
	Attempts int
	Errors   map[string]int // by kind
}

// Gap is a time in which no write was acknowledged.
type Gap struct {
	From, To time.Time // acknowledgements at both ends; To is zero when none came any more
}

// Length of the gap; the longest possible duration when it never ended.
func (g Gap) Length() time.Duration {
	if g.To.IsZero() {
		return time.Duration(1<<63 - 1)
	}
	return g.To.Sub(g.From)
}

func (g Gap) String() string {
	if g.To.IsZero() {
		return "writes never came back"
	}
	return g.Length().Round(time.Millisecond).String()
}

// GapAfter returns the longest time without an acknowledged write that ended
// after the fault: from the last acknowledgement before it (or from the fault
// itself, when there was none) to the first one after it.
func (h History) GapAfter(fault time.Time) Gap {
	longest := Gap{From: fault}
	found := false
	last := fault
	for i, w := range h.Acked {
		if i > 0 {
			last = h.Acked[i-1].Acked
		}
		if w.Acked.Before(fault) {
			continue
		}
		if gap := (Gap{From: last, To: w.Acked}); !found || gap.Length() > longest.Length() {
			longest, found = gap, true
		}
	}
	return longest
}

// Overlaps returns a sentence for each server process that acknowledged a write
// which was sent after another process had already acknowledged a later role's
// write: two servers that took writes at once. Empty is what a correct system
// gives. A process that hands over and later takes over again shows here as
// well; a run with one fault has no such case.
func (h History) Overlaps() []string {
	firstAck := map[string]time.Time{}
	var order []string
	for _, w := range h.Acked {
		if _, ok := firstAck[w.By]; !ok {
			firstAck[w.By] = w.Acked
			order = append(order, w.By)
		}
	}
	var found []string
	for _, w := range h.Acked {
		for _, later := range order[slices.Index(order, w.By)+1:] {
			if w.Sent.After(firstAck[later]) {
				found = append(found, fmt.Sprintf("process %.8s acknowledged %s, which was sent %s after process %.8s had taken over",
					w.By, key(h.Prefix, w.Seq), w.Sent.Sub(firstAck[later]), later))
			}
		}
	}
	return found
}

// Lost asks the server at addr for every acknowledged write and returns those
// which are not there, or hold another value. An error means that it could not
// find out.
func (h History) Lost(ctx context.Context, addr string) ([]Write, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	defer func() { _ = client.Close() }()
	const batch = 500
	var lost []Write
	for part := range slices.Chunk(h.Acked, batch) {
		keys := make([]string, len(part))
		for i, w := range part {
			keys[i] = key(h.Prefix, w.Seq)
		}
		values, err := client.MGet(ctx, keys...).Result()
		if err != nil {
			return nil, fmt.Errorf("read back %s..%s from %s: %w", keys[0], keys[len(keys)-1], addr, err)
		}
		for i, v := range values {
			if v != fmt.Sprint(part[i].Seq) {
				lost = append(lost, part[i])
			}
		}
	}
	return lost, nil
}

// ErrorSummary is one line: what the client saw besides acknowledgements.
func (h History) ErrorSummary() string {
	if len(h.Errors) == 0 {
		return "no errors"
	}
	var parts []string
	for kind, n := range h.Errors {
		parts = append(parts, fmt.Sprintf("%d× %s", n, kind))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// Distribution of several gaps.
type Distribution []time.Duration

// Median of the distribution; zero when it is empty.
func (d Distribution) Median() time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func (d Distribution) String() string {
	if len(d) == 0 {
		return "no runs"
	}
	s := slices.Sorted(slices.Values(d))
	round := func(x time.Duration) time.Duration { return x.Round(time.Millisecond) }
	return fmt.Sprintf("%d runs: shortest %s, median %s, longest %s", len(s), round(s[0]), round(d.Median()), round(s[len(s)-1]))
}
