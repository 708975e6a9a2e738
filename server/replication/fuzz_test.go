package replication

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// However a snapshot is cut into reads, the same bytes come out of it, and what
// follows is left alone.
func FuzzTransferIsTheSameForAnyCut(f *testing.F) {
	f.Add([]byte("REDIS0010 data"), []byte("*1\r\n"), []byte{3, 1, 40, 7})
	f.Add(bytes.Repeat([]byte("M"), 39), []byte("M"), []byte{1})
	f.Fuzz(func(t *testing.T, snapshot, stream, cuts []byte) {
		mark := strings.Repeat("M", MarkLen-1) + "!"
		if bytes.Contains(append(snapshot, mark[:MarkLen-1]...), []byte(mark)) {
			return
		}
		wire := append(append(bytes.Clone(snapshot), mark...), stream...)
		tr, err := parseTransferHeader("$EOF:" + mark)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for i := 0; !tr.Done(); i++ {
			n := len(wire)
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
			}
			payload, taken := tr.Consume(wire[:n])
			got = append(got, payload...)
			wire = wire[taken:]
		}
		if !bytes.Equal(got, snapshot) || !bytes.Equal(wire, stream) || tr.Received != int64(len(snapshot)) {
			t.Fatalf("snapshot %q became %q; stream %q became %q", snapshot, got, stream, wire)
		}
	})
}

// A primary can say anything: the handshake ends in a named event, and takes no
// more than it was given.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " + strings.Repeat("a", 40) + " 5\r\n$5\r\n"))
	f.Add([]byte("+PONG\r\n-ERR x\r\n-ERR\r\n-ERR\r\n\n\n$EOF:" + strings.Repeat("b", 40) + "\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		h := NewHandshake(Introduction{ID: "?", Next: -1, Password: "x", Hello: &Hello{Epoch: 1}})
		for {
			n, step := h.Consume(wire)
			if n > len(wire) || n == 0 && step.Event != Wait && step.Event != Failed {
				t.Fatalf("took %d of %d bytes with event %d", n, len(wire), step.Event)
			}
			wire = wire[n:]
			switch step.Event {
			case Wait, Continue, TransferBegin:
				return
			case Failed:
				if step.Err == nil {
					t.Fatal("failed without a reason")
				}
				return
			}
		}
	})
}

func TestWhenASnapshotBegins(t *testing.T) {
	const t0 = 1000 * time.Second
	mark := func(ages ...time.Duration) (w []Waiter) {
		for _, a := range ages {
			w = append(w, Waiter{TakesMark: true, Since: t0 - a})
		}
		return w
	}
	diskless := SnapshotPolicy{Diskless: true, Delay: 5 * time.Second}
	for _, tc := range []struct {
		name    string
		waiters []Waiter
		policy  SnapshotPolicy
		want    SnapshotPlan
		after   time.Duration
	}{
		{"nobody waits", nil, diskless, NobodyWaits, 0},
		{"the first one waits for company", mark(2 * time.Second), diskless, WaitForMore, 3 * time.Second},
		{"after the delay it begins, counted from the one who waits longest", mark(0, 5*time.Second), diskless, BeginDiskless, 0},
		{"enough of them begin at once", mark(0, 0), SnapshotPolicy{Diskless: true, Delay: time.Hour, MaxReplicas: 2}, BeginDiskless, 0},
		{"no delay, no waiting", mark(0), SnapshotPolicy{Diskless: true}, BeginDiskless, 0},
		{"a file is begun at once", mark(0), SnapshotPolicy{Delay: time.Hour}, BeginToDisk, 0},
		{"one that needs the size makes it a file for all", append(mark(time.Minute), Waiter{Since: t0}), diskless, BeginToDisk, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, after := PlanSnapshot(tc.waiters, tc.policy, t0)
			if got != tc.want || after != tc.after {
				t.Fatalf("plan %d after %v, want %d after %v", got, after, tc.want, tc.after)
			}
		})
	}
}

func TestWhenToTryAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ending Ending
		wait   time.Duration
	}{
		{"a link that worked is tried again at once", LinkLost, 0},
		{"so is a transfer that was cut", TransferAborted, 0},
		{"a failed handshake waits for the pause", HandshakeFailed, time.Second},
		{"a snapshot that can not be loaded would come again, so it waits", SnapshotRejected, time.Second},
		{"different epochs may be equal by then", EpochRefused, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if wait := RetryAfter(tc.ending, time.Second); wait != tc.wait {
				t.Fatalf("%v, want %v", wait, tc.wait)
			}
		})
	}
}

func TestWhenAFailoverHandsOver(t *testing.T) {
	const t0 = 1000 * time.Second
	for _, tc := range []struct {
		name     string
		wait     FailoverWait
		caughtUp bool
		want     FailoverMove
	}{
		{"a target with everything takes over", FailoverWait{}, true, FailoverHandOver},
		{"one without is waited for, for ever if there is no time limit", FailoverWait{}, false, FailoverKeepWaiting},
		{"and up to the limit if there is", FailoverWait{Deadline: t0 + 1}, false, FailoverKeepWaiting},
		{"at the limit the primary goes on", FailoverWait{Deadline: t0}, false, FailoverAbort},
		{"unless it was told to force it", FailoverWait{Deadline: t0, Force: true}, false, FailoverHandOverForced},
		{"having everything in the last moment is no force", FailoverWait{Deadline: t0, Force: true}, true, FailoverHandOver},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := NextFailoverMove(tc.wait, tc.caughtUp, t0); got != tc.want {
				t.Fatalf("move %d, want %d", got, tc.want)
			}
		})
	}
}

func TestSharesIsLineageBeforeOffset(t *testing.T) {
	h := NewHistory(strings.Repeat("b", 40)).Promoted(strings.Repeat("a", 40), 80)
	for _, tc := range []struct {
		name   string
		id     string
		offset int64
		want   bool
	}{
		{"the same name shares everything", h.ID, 1000, true},
		{"the old name up to the promotion", h.Second, 80, true},
		{"the old name beyond it is another stream", h.Second, 81, false},
		{"no name is nobody's", NoHistory, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := h.Shares(tc.id, tc.offset); got != tc.want {
				t.Fatalf("shares %v, want %v", got, tc.want)
			}
		})
	}
}
