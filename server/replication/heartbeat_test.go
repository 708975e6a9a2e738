package replication

import (
	"testing"
	"time"
)

func TestMarks(t *testing.T) {
	const lease = 1280 * time.Millisecond // a mark every 10 ms
	ms := time.Millisecond
	type sending struct {
		through int64
		at      time.Duration
	}
	for _, c := range []struct {
		name    string
		sent    []sending
		acked   int64
		want    time.Duration
		unknown bool
	}{
		{name: "before anything is sent, an acknowledgement proves nothing", acked: 100, unknown: true},
		{name: "bytes count from when they were sent", sent: []sending{{100, 0}, {200, 50 * ms}}, acked: 200, want: 50 * ms},
		{name: "bytes short of a mark count from the mark before", sent: []sending{{100, 0}, {200, 50 * ms}}, acked: 199, want: 0},
		{name: "bytes short of the first mark prove nothing", sent: []sending{{100, 0}}, acked: 99, unknown: true},
		{name: "an idle stream does not become younger", sent: []sending{{100, 0}, {100, 50 * ms}}, acked: 100, want: 0},
		{name: "bytes that came too soon for a mark count from the mark before", sent: []sending{{100, 0}, {105, 5 * ms}}, acked: 105, want: 0},
		{
			// The primary sent byte 105, its replica acknowledged it, and then the
			// primary was stopped for three seconds.
			name: "bytes that came too soon for a mark do not get one after a freeze",
			sent: []sending{{100, 0}, {105, 5 * ms}, {105, 3000 * ms}}, acked: 105, want: 0,
		},
		{
			name: "bytes sent after a freeze do not make those before it younger",
			sent: []sending{{100, 0}, {105, 5 * ms}, {120, 3000 * ms}}, acked: 105, want: 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMarks(lease)
			for _, s := range c.sent {
				m.Sent(s.through, s.at)
			}
			got, ok := m.SentAt(c.acked)
			if ok == c.unknown || got != c.want {
				t.Errorf("SentAt(%d) = %v, %v; want %v, %v", c.acked, got, ok, c.want, !c.unknown)
			}
		})
	}
}
