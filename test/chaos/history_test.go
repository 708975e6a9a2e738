package chaos

import (
	"testing"
	"time"
)

func at(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }

func acks(by string, times ...int) []Write {
	var ws []Write
	for i, ms := range times {
		ws = append(ws, Write{Seq: int64(ms*10 + i), Sent: at(ms - 1), Acked: at(ms), By: by})
	}
	return ws
}

func TestGapAfter(t *testing.T) {
	for _, tc := range []struct {
		name  string
		acked []Write
		fault int
		want  time.Duration
	}{
		{"the gap runs from the last acknowledgement before the fault to the first after it", acks("a", 10, 20, 500, 510), 25, 480 * time.Millisecond},
		{"a longer gap before the fault does not count", acks("a", 10, 900, 910, 950), 905, 40 * time.Millisecond},
		{"a write that still got through right after the fault does not end the search", acks("a", 10, 21, 700), 20, 679 * time.Millisecond},
		{"without any acknowledgement before it, the gap begins with the fault", acks("a", 300), 100, 200 * time.Millisecond},
		{"writes that never come back are an endless gap", acks("a", 10, 20), 25, Gap{}.Length()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (History{Acked: tc.acked}).GapAfter(at(tc.fault)).Length(); got != tc.want {
				t.Errorf("gap is %s, want %s", got, tc.want)
			}
		})
	}
}

func TestOverlaps(t *testing.T) {
	for _, tc := range []struct {
		name  string
		acked []Write
		want  int
	}{
		{"one process after the other is no overlap", append(acks("old", 10, 20), acks("new", 30, 40)...), 0},
		{"an old process that acknowledges a write sent after the new one took over is an overlap", append(append(acks("old", 10), acks("new", 20)...), acks("old", 30)...), 1},
		{"a write sent before the take-over and acknowledged after it is not", []Write{
			{Seq: 1, Sent: at(1), Acked: at(2), By: "old"}, {Seq: 3, Sent: at(5), Acked: at(6), By: "new"}, {Seq: 2, Sent: at(4), Acked: at(7), By: "old"}}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (History{Acked: tc.acked}).Overlaps(); len(got) != tc.want {
				t.Errorf("overlaps: %q, want %d", got, tc.want)
			}
		})
	}
}
