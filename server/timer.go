package server

import (
	"container/heap"
	"time"
)

// timer runs a function on the reactor once, later.
type timer struct {
	at    time.Duration // on clock.mono
	fn    func()
	index int // in the heap; -1 when it has run or was stopped
	heap  *timerHeap
}

// stop prevents the timer from running. Stopping it twice, after it ran, or a
// nil timer is harmless.
func (t *timer) stop() {
	if t != nil && t.index >= 0 {
		heap.Remove(t.heap, t.index)
	}
}

// after runs fn on the reactor, d from now or as soon after that as the reactor
// turns. Only the reactor may call it.
func (s *Server) after(d time.Duration, fn func()) *timer {
	t := &timer{at: s.clock.elapsed() + d, fn: fn, heap: &s.timers}
	heap.Push(&s.timers, t)
	return t
}

// every runs fn every d, the first time d from now, until the returned function is
// called.
func (s *Server) every(d time.Duration, fn func()) (stop func()) {
	var t *timer
	stopped := false
	var run func()
	run = func() {
		fn()
		if !stopped {
			t = s.after(d, run)
		}
	}
	t = s.after(d, run)
	return func() { stopped = true; t.stop() }
}

// runTimers runs what is due. A timer that a timer sets for now waits for the
// next turn, so that this ends. None runs any more once the server has stopped:
// it might change data or stream, whose final snapshot is written.
func (s *Server) runTimers() {
	now := s.clock.mono
	for len(s.timers) > 0 && s.timers[0].at <= now && !s.stopped {
		heap.Pop(&s.timers).(*timer).fn()
	}
}

// untilTimer is how long the reactor may sleep; -1 for ever.
func (s *Server) untilTimer() time.Duration {
	if len(s.timers) == 0 {
		return -1
	}
	return max(0, s.timers[0].at-s.clock.elapsed())
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
