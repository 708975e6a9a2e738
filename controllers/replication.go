package controllers

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// planReplication tells the instances to follow the acting primary, and keeps the
// terms of its lease and the sizes of the windows.
//
// Nobody is told to follow before the primary's own history is stored: otherwise
// an instance could hold a history of which the next election knows nothing.
func (s situation) planReplication(d *Decision) {
	if !s.acting() || s.status.Failover != nil {
		return
	}
	s.planFollowers(d)
	s.planWindows(d)
	s.planVoters(d)
}

// planFollowers gives the orders that are due. Those that need a full copy wait
// for their turn: each costs the instance that it copies from processor time and
// network.
//
// A primary whose pod was deleted by force acts for as long as its process is heard, and
// has no address that an order could name.
func (s situation) planFollowers(d *Decision) {
	if s.primary.Pod.IP == "" {
		return
	}
	free := max(1, int(s.cluster.Spec.Replication.MaxConcurrentFullResyncs)) - s.fullCopiesUnderWay()
	for _, m := range s.obs.Members {
		if !s.followable(m) {
			continue
		}
		order := FollowOrder{Name: m.Name, Request: s.followRequest(m), Full: needsFullCopy(m.View.Status, s.primary.View.Status)}
		switch {
		case s.follows(m) && sameOrder(m.View.Followed, order.Request):
			continue
		case s.follows(m):
			// It is linked already; the order only repeats the terms.
		case order.Full && free <= 0:
			d.Withheld = append(d.Withheld, m.Name)
			continue
		case order.Full:
			free--
		}
		d.Follow = append(d.Follow, order)
	}
}

// followable reports whether an instance can be given an order.
func (s situation) followable(m Member) bool {
	return m.Name != s.status.Primary && m.Pod.IP != "" && !m.Pod.Deleting &&
		m.View.Heard(s.now, s.silence) && m.View.Status.Epoch <= s.epoch && m.View.Status.Loading == nil
}

// follows reports whether an instance says that it follows the primary in this
// epoch, linked or not.
func (s situation) follows(m Member) bool {
	st := m.View.Status
	return st != nil && st.Role == instance.RoleReplica && st.RoleEpoch == s.epoch && st.Epoch == s.epoch &&
		st.Upstream != nil && followsAddress(st, s.primary)
}

func (s situation) followRequest(m Member) instance.FollowRequest {
	return instance.FollowRequest{
		Epoch:       s.epoch,
		Primary:     clientEndpoint(s.primary),
		LeaseMillis: s.lease.Milliseconds(),
	}
}

// sameOrder reports whether an instance is known to have accepted an order that
// asks for the same.
func sameOrder(followed *instance.FollowRequest, want instance.FollowRequest) bool {
	return followed != nil && followed.Epoch == want.Epoch && followed.Primary == want.Primary && followed.LeaseMillis == want.LeaseMillis
}

// fullCopiesUnderWay counts the replicas that take a full copy, or have been told
// to follow and are about to find out that they need one.
func (s situation) fullCopiesUnderWay() int {
	n := 0
	for _, m := range s.obs.Members {
		if m.Name == s.status.Primary || !m.View.Heard(s.now, s.silence) || !s.follows(m) {
			continue
		}
		switch m.View.Status.Upstream.State {
		case instance.LinkSyncing:
			n++
		case instance.LinkConnecting, instance.LinkHandshake:
			n += yes(needsFullCopy(m.View.Status, s.primary.View.Status))
		}
	}
	return n
}

// needsFullCopy reports whether an instance's data can not be continued from the
// primary's window. What is not known counts as yes.
//
// The primary keeps bytes FirstOffset and later. An instance that holds n bytes
// asks for byte n+1. With 100 held and FirstOffset 101 nothing is missing; with
// FirstOffset 102, byte 101 is.
func needsFullCopy(replica, primary *instance.Status) bool {
	if replica.Offset == nil || primary.Offset == nil {
		return true
	}
	held := *replica.Offset
	h := primary.History
	shares := replica.History.ReplicationID == h.ReplicationID && held <= *primary.Offset ||
		h.SecondReplicationID != "" && replica.History.ReplicationID == h.SecondReplicationID && held <= h.SecondValidThrough
	if !shares {
		return true
	}
	if primary.Window.FirstOffset == 0 || primary.Window.Bytes == 0 {
		return held != *primary.Offset
	}
	return held+1 < primary.Window.FirstOffset
}

// linked reports whether an instance receives the stream of the primary.
func (s situation) linked(m Member) bool {
	return m.View.Heard(s.now, s.silence) && s.follows(m) && m.View.Status.Upstream.State == instance.LinkConnected
}

// ready reports whether an instance serves its role.
func (s situation) ready(m Member) bool {
	if m.Name == s.status.Primary {
		return s.acting() && m.View.Status.Writes != instance.WritesFenced
	}
	return s.linked(m) && m.View.Status.Offset != nil
}

// lagOf is how many bytes an instance is behind the primary, as far as both were
// heard; nil when it is not known.
func (s situation) lagOf(m Member) *int64 {
	p, st := s.primary.View.Status, m.View.Status
	if p == nil || st == nil || p.Offset == nil || st.Offset == nil || !s.follows(m) {
		return nil
	}
	lag := max(0, *p.Offset-*st.Offset)
	return &lag
}

// planWindows finds windows that are not of the size that the spec asks for. All
// instances keep one of the same size, since each may be the next primary.
func (s situation) planWindows(d *Decision) {
	want := s.cluster.Spec.Replication.Backlog.Memory.Value()
	for _, m := range s.obs.Members {
		if want > 0 && m.View.Heard(s.now, s.silence) && m.View.Status.Epoch == s.epoch && m.View.Status.Window.CapacityBytes != want {
			d.Resize = append(d.Resize, m.Name)
		}
	}
}

// windowOf is how long an instance may be away and still continue from the window
// of m at the present write rate. known is false when it has not been measured;
// unlimited means that nothing is being written.
func windowOf(st *instance.Status) (length time.Duration, unlimited, known bool) {
	if st == nil || st.Window.WriteBytesPerSecond == nil {
		return 0, false, false
	}
	rate := *st.Window.WriteBytesPerSecond
	if rate < 1 {
		return 0, true, true
	}
	seconds := float64(st.Window.CapacityBytes) / rate
	const longest = 1000 * 24 * time.Hour // more is of no interest, and would overflow
	if seconds > longest.Seconds() {
		return longest, false, true
	}
	return time.Duration(seconds * float64(time.Second)), false, true
}
