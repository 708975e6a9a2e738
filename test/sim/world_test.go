package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is the clock, the network and the transcript. Everything happens in events,
// one after the other.
type world struct {
	rng    *rand.Rand
	now    time.Duration
	events eventQueue
	nextID int

	api       *apiServer
	servers   []*server
	operators []*operator
	cut       map[[2]string]bool // pairs of processes that can not talk

	clients    clients
	transcript []string
	undecided  bool   // it ended with contradicting data, and a question to a human
	broken     string // the first invariant that did not hold
	mutation   mutation
}

type event struct {
	at  time.Duration
	id  int // events of the same time happen in the order in which they were made
	run func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].id < q[j].id
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// after runs f later.
func (w *world) after(d time.Duration, f func()) {
	w.nextID++
	heap.Push(&w.events, event{w.now + d, w.nextID, f})
}

// every runs f again and again, at slightly irregular times.
func (w *world) every(d time.Duration, f func()) {
	w.after(w.upTo(d), func() {
		f()
		w.every(d, f)
	})
}

// regularly runs f again and again, at regular times.
func (w *world) regularly(d time.Duration, f func()) {
	w.after(d, func() {
		f()
		w.regularly(d, f)
	})
}

func (w *world) say(format string, args ...any) {
	w.transcript = append(w.transcript, fmt.Sprintf("%9.3fs  ", w.now.Seconds())+fmt.Sprintf(format, args...))
}

// fail notes the first invariant that is broken.
func (w *world) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
		w.say("BROKEN: %s", w.broken)
	}
}

// run lets events happen until the time is reached or an invariant is broken.
func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until && w.broken == "" {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.run()
		w.checkInvariants()
	}
	w.now = max(w.now, until)
}

func (w *world) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(d)))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// delay is how long a message is under way. Now and then one takes long.
func (w *world) delay() time.Duration {
	switch {
	case w.chance(1):
		return w.upTo(1500 * time.Millisecond)
	case w.chance(10):
		return w.upTo(60 * time.Millisecond)
	}
	return 200*time.Microsecond + w.upTo(3*time.Millisecond)
}

func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func (w *world) reachable(a, b string) bool { return !w.cut[pair(a, b)] }

// process is what servers and operators have in common.
type process struct {
	world  *world
	name   string
	alive  bool
	boots  int           // grows with each start
	frozen time.Duration // stopped until then
	skew   time.Duration // of its clock, which otherwise runs like all others
}

// clock is the process's own.
func (p *process) clock() time.Duration { return p.world.now + p.skew }

// stopped reports whether the process executes nothing at the moment.
func (p *process) stopped() bool { return p.frozen > p.world.now }

// deliver brings a message to a process: it is lost when the process is out of reach
// when it is sent or when it arrives, it waits while the process is stopped, and it
// is for this boot only.
func (w *world) deliver(from string, to *process, f func()) {
	boot := to.boots
	if !w.reachable(from, to.name) {
		return
	}
	w.after(w.delay(), func() { w.arrive(from, to, boot, f) })
}

func (w *world) arrive(from string, to *process, boot int, f func()) {
	switch {
	case !w.reachable(from, to.name) || !to.alive || to.boots != boot:
	case to.stopped():
		w.after(to.frozen-w.now+w.upTo(5*time.Millisecond), func() { w.arrive(from, to, boot, f) })
	default:
		f()
	}
}
