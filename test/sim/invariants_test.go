package sim

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers"
)

// clients write all the time, to every server that lets them. It is also the
// place where the truth is kept that no process knows.
type clients struct {
	next int
	// line is what the last promoted primary holds, and what it went on to take
	// until its term was over: what the next one should have.
	line      []int
	primary   *server
	epoch     uint64
	committed map[uint64]string // by epoch
	promoted  map[uint64]string
	lost      map[uint64]int64 // writes that a promotion has left behind
	epochs    map[string]uint64
	failovers int
}

const (
	writeEvery = 20 * time.Millisecond
	peakRate   = float64(time.Second / writeEvery)
)

// write lets a client try every server.
func (w *world) write() {
	for _, s := range w.servers {
		if !s.canWrite() {
			continue
		}
		w.clients.next++
		s.writes = append(s.writes, w.clients.next)
		if s != w.clients.primary || s.machine.RoleEpoch() != w.clients.epoch {
			w.fail("G2: %s took a write in epoch %d, after %s was promoted in epoch %d", s.name, s.machine.RoleEpoch(), w.clients.primary.name, w.clients.epoch)
			return
		}
		w.clients.line = append(w.clients.line, w.clients.next)
	}
}

// committed is called when the API server has stored a primary.
func (w *world) committed(step controllers.Step) {
	c := step.Choice
	s := w.server(c.Name)
	if !c.Standing.Eligible() {
		// A first primary, or what is left after the history was lost on every
		// disk: the line begins anew.
		w.clients.line = append([]int(nil), s.writes...)
		return
	}
	if same := commonPrefix(s.writes, w.clients.line); same < len(s.writes) {
		w.fail("G6: %s is to be the primary of epoch %d with %d writes, of which the lost primary had only the first %d", s.name, step.Epoch, len(s.writes), same)
	}
}

// promoted is called when a server takes the role on.
func (w *world) promoted(s *server, epoch uint64) {
	c := &w.clients
	if c.committed[epoch] != s.name {
		w.fail("G2: %s became the primary of epoch %d, which is committed to %q", s.name, epoch, c.committed[epoch])
	}
	if before, ok := c.promoted[epoch]; ok && before != s.name {
		w.fail("G2: epoch %d has two primaries, %s and %s", epoch, before, s.name)
	}
	c.promoted[epoch] = s.name
	if epoch < c.epoch {
		return // a request that was long under way; no lease comes with it
	}
	if s.boot != w.api.cluster.Status.PrimaryBootID && c.committed[epoch] == w.api.cluster.Status.Primary && uint64(w.api.cluster.Status.Epoch) == epoch {
		w.fail("G1: a process of %s that was not chosen became the primary of epoch %d, with %d writes", s.name, epoch, len(s.writes))
	}
	c.lost[epoch] = int64(len(c.line) - commonPrefix(s.writes, c.line))
	c.line, c.primary, c.epoch = append([]int(nil), s.writes...), s, epoch
}

// completed is called when the report of a change of primary is stored.
func (w *world) completed(next *v1alpha1.LockstepCluster) {
	r := next.Status.LastFailover
	if r == nil || r.Epoch != next.Status.Epoch {
		return
	}
	w.clients.failovers++
	lost := w.clients.lost[uint64(r.Epoch)]
	if r.BytesLost != nil && lost > *r.BytesLost {
		w.fail("G5: the change to %s lost %d writes and reports at most %d (%s)", r.To, lost, *r.BytesLost, r.BytesLostExplanation)
	}
}

func commonPrefix(a, b []int) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// checkInvariants runs after every event.
func (w *world) checkInvariants() {
	writers := ""
	for _, s := range w.servers {
		if stored := s.disk.state.Epoch; stored < w.clients.epochs[s.name] {
			w.fail("G2: %s has forgotten epoch %d and obeys %d", s.name, w.clients.epochs[s.name], stored)
		} else {
			w.clients.epochs[s.name] = stored
		}
		if !s.canWrite() {
			continue
		}
		if s.machine.Role() == instance.RoleUnassigned {
			w.fail("G1: %s takes writes without a role", s.name)
		}
		if writers != "" {
			w.fail("G3: %s and %s take writes at the same time", writers, s.name)
		}
		writers = s.name
	}
}
