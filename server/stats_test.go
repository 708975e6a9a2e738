package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHistogramBucketsCoverEveryDuration(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 100*time.Second; d += d/8 + 1 {
		b := bucketOf(d)
		if b < last {
			t.Fatalf("%v is in bucket %d, a shorter time was in %d", d, b, last)
		}
		if upper(b) < d || b > 0 && upper(b-1) >= d {
			t.Fatalf("%v is in bucket %d, which reaches from %v to %v", d, b, upper(b-1), upper(b))
		}
		last = b
	}
	if bucketOf(-1) != 0 || bucketOf(1<<62) != len(histogram{}.bucket)-1 {
		t.Error("what is out of range is not in the first or the last bucket")
	}
}

func TestPercentiles(t *testing.T) {
	var h histogram
	if got := h.percentile(50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for us := range 1000 {
		h.add(time.Duration(us+1) * time.Microsecond)
	}
	for _, row := range []struct{ p, want float64 }{{0, 1}, {50, 500}, {99, 990}, {99.9, 999}, {100, 1000}} {
		got := float64(h.percentile(row.p)) / 1e3
		if got < row.want || got > row.want*1.26 {
			t.Errorf("percentile %v is %.1f µs, want %v to a quarter more", row.p, got, row.want)
		}
	}
}

func TestRateIsAnAverageOfTheLastSamples(t *testing.T) {
	var r rate
	for n := range 40 {
		r.sample(int64(n*100), time.Duration(n+1)*100*time.Millisecond)
	}
	if got := r.perSecond(); got < 999 || got > 1001 {
		t.Errorf("got %v per second, want 1000", got)
	}
	r.sample(0, 5*time.Second) // CONFIG RESETSTAT
	if got := r.perSecond(); got < 0 {
		t.Errorf("after a reset: %v", got)
	}
}

func TestTimersRunInTheirOrderAndStoppedOnesNot(t *testing.T) {
	s := &Server{clock: newClock()}
	var ran []string
	note := func(name string) func() { return func() { ran = append(ran, name) } }
	s.after(3*time.Millisecond, note("third"))
	s.after(time.Millisecond, note("first"))
	stopped := s.after(2*time.Millisecond, note("stopped"))
	s.after(2*time.Millisecond, note("second"))
	s.after(time.Hour, note("later"))
	stopped.stop()
	stopped.stop()
	s.clock.mono = s.clock.elapsed() + 10*time.Millisecond
	s.runTimers()
	if got := strings.Join(ran, " "); got != "first second third" {
		t.Errorf("ran %q", got)
	}
	if wait := s.untilTimer(); wait < 50*time.Minute || wait > time.Hour {
		t.Errorf("the next one is in %v", wait)
	}
}

func TestATimerForNowWaitsForTheNextTurn(t *testing.T) {
	s := &Server{clock: newClock()}
	runs := 0
	var again func()
	again = func() { runs++; s.after(0, again) }
	s.after(0, again)
	s.clock.update()
	s.runTimers()
	if runs != 1 {
		t.Errorf("ran %d times in one turn", runs)
	}
}

func TestLogLines(t *testing.T) {
	at := func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC) }
	var out bytes.Buffer
	l, err := newLogger(&out, "", "text", "notice")
	if err != nil {
		t.Fatal(err)
	}
	l.clock, l.pid = at, 42
	l.Verbosef("not shown")
	l.Noticef("hello %d", 1)
	l.setRole('S')
	l.Warningf("careful")
	want := "42:M 04 Mar 2026 05:06:07.008 * hello 1\n42:S 04 Mar 2026 05:06:07.008 # careful\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}

	out.Reset()
	if l, err = newLogger(&out, "", "json", "debug"); err != nil {
		t.Fatal(err)
	}
	l.Debugf("a \"quoted\" word")
	var line struct{ TS, Level, Msg, Role string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if line.Level != "debug" || line.Msg != `a "quoted" word` || line.Role != "primary" || line.TS == "" {
		t.Errorf("got %+v", line)
	}
}

func TestQuotingForMonitors(t *testing.T) {
	if got, want := string(appendQuoted(nil, []byte("a\"\\\n\r\t\a\b\x01\xff"))), `"a\"\\\n\r\t\a\b\x01\xff"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHumanBytes(t *testing.T) {
	for _, row := range []struct {
		n    int64
		want string
	}{{0, "0B"}, {1023, "1023B"}, {1024, "1.00K"}, {1536 << 10, "1.50M"}, {3 << 30, "3.00G"}, {1 << 40, "1.00T"}} {
		if got := humanBytes(row.n); got != row.want {
			t.Errorf("%d is %s, want %s", row.n, got, row.want)
		}
	}
}

func TestErrorCodesAreCountedToALimit(t *testing.T) {
	var st stats
	st.init(0)
	for n := range 2 * maxErrorCodes {
		st.countError(fmt.Appendf(nil, "-CODE%d something\r\n", n), true)
	}
	st.countError([]byte("-CODE0 again\r\n"), true)
	st.countError([]byte("-WRONGTYPE of the server itself\r\n"), false)
	if len(st.errors) != maxErrorCodes+2 || st.errors["CODE0"] != 2 || st.errors["WRONGTYPE"] != 1 ||
		st.errors["ERRORSTATS_OVERFLOW"] != maxErrorCodes || st.errorReplies != 2*maxErrorCodes+2 {
		t.Errorf("%d codes, CODE0 %d times, WRONGTYPE %d times, %d others, %d in all", len(st.errors), st.errors["CODE0"],
			st.errors["WRONGTYPE"], st.errors["ERRORSTATS_OVERFLOW"], st.errorReplies)
	}
	st.init(0)
	for _, withoutCode := range []string{"-Alone\r\n", "-" + strings.Repeat("l", longestCode) + " word\r\n"} {
		st.countError([]byte(withoutCode), false)
	}
	if len(st.errors) != 1 || st.errors["ERR"] != 2 {
		t.Errorf("errors without a code count as %v", st.errors)
	}
}
