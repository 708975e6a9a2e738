package command

import (
	"testing"
	"time"
)

const shrinkTime = time.Minute

// shrink leaves out of a history whatever is not needed for it to fail: halves
// first, then smaller and smaller pieces (delta debugging). It ends early after a
// while, since each trial takes new servers.
func shrink(history [][][]byte, fails func([][][]byte) bool) [][][]byte {
	deadline := time.Now().Add(shrinkTime)
	inTime := func() bool { return time.Now().Before(deadline) }
	for size := (len(history) + 1) / 2; size > 0 && inTime(); {
		shorter := false
		for at := 0; at < len(history) && inTime(); {
			end := min(at+size, len(history))
			without := append(append([][][]byte(nil), history[:at]...), history[end:]...)
			if len(without) > 0 && fails(without) {
				history, shorter = without, true
			} else {
				at = end
			}
		}
		if !shorter || size > len(history) {
			if size == 1 {
				break
			}
			size /= 2
		}
	}
	return history
}

func TestShrinkFindsWhatIsNeeded(t *testing.T) {
	var history [][][]byte
	for i := range 200 {
		history = append(history, one(string(rune('a'+i%26))+string(rune('0'+i/26))))
	}
	needed := map[string]bool{"d0": true, "x3": true, "c7": true}
	got := shrink(history, func(h [][][]byte) bool {
		found := 0
		for _, args := range h {
			if needed[string(args[0])] {
				found++
			}
		}
		return found == len(needed)
	})
	if len(got) != len(needed) {
		t.Errorf("%d commands are left: %q", len(got), got)
	}
}
