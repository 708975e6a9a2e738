package server

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/replication"
)

// Where managed mode and replication meet: what replication asks before it feeds
// or acknowledges, and what it is told to do.

// replicationHooks is what replication has to ask us.
func (s *Server) replicationHooks() replHooks {
	return replHooks{
		hello:   s.helloReceived,
		feeds:   func() bool { return s.managed.machine.Feeds() },
		acked:   s.leaseAcked,
		mayAck:  s.mayAcknowledge,
		changed: s.statusChanged,
	}
}

// maxEpochStep is how far ahead of ours an epoch may be that a replica names. Epochs
// are counted one by one, so nobody can have missed this many; but anybody who can
// send a hello could otherwise use up all the epochs that there are.
const maxEpochStep = 1 << 32

// helloReceived takes a replica's introduction. What it acknowledges on that
// connection counts for the epoch that it has named.
//
// A higher epoch than ours means that the cluster has decided something that we
// have not heard of. It is obeyed at once, and stored beside the reactor: a
// replica's hello must not make clients wait for a disk.
func (s *Server) helloReceived(epoch uint64, instanceID string) (helloAnswer, uint64) {
	m := &s.managed
	seen := m.ledger.Seen()
	switch {
	case epoch < seen || !replication.ValidID(instanceID):
		return helloStale, seen
	case epoch-seen > maxEpochStep:
		s.log.Warningf("Instance %s says that epoch %d has begun, which can not be: this instance's epoch is %d", instanceID, epoch, seen)
		return helloStale, seen
	case epoch == seen:
		return helloSame, seen
	}
	s.log.Warningf("Instance %s says that epoch %d has begun; this instance's epoch was %d", instanceID, epoch, seen)
	m.ledger.See(epoch)
	m.running.Add(1)
	go func() {
		defer m.running.Done()
		if err := m.ledger.Raise(epoch); err != nil {
			s.log.Warningf("Epoch %d is obeyed, but is not on disk: %v", epoch, err)
		}
	}()
	s.after(0, s.noticeFencing) // not now: it closes connections, the asking one among them
	return helloNewer, epoch
}

// leaseAcked takes an acknowledgement of something that was sent at sentAt.
func (s *Server) leaseAcked(instanceID string, linkEpoch uint64, sentAt time.Duration) {
	m := s.managed.machine
	could := m.CanWrite(s.clock.mono)
	m.AckedBy(instanceID, linkEpoch, sentAt)
	if !could && m.CanWrite(s.clock.mono) {
		s.statusChanged()
	}
}

// mayAcknowledge is asked by a replica before every acknowledgement that it sends.
// linkEpoch is the epoch of the hello with which the link began.
//
// The time is recorded before the epoch is looked at, and whoever fences does it
// the other way round. So either the acknowledgement is not sent, or the answer to
// the fencing tells of it: also when the reactor is held up in between.
//
// Repeating an acknowledgement extends no lease: that counts from when the bytes
// were sent. So it is not recorded, and the failover of a primary that is frozen
// need not wait for what its replicas went on to say to it.
func (s *Server) mayAcknowledge(linkEpoch uint64, news bool) bool {
	m := &s.managed
	if !news {
		return m.machine.Acknowledges(linkEpoch)
	}
	before := m.lastAck.Swap(int64(s.clock.elapsed()))
	if m.machine.Acknowledges(linkEpoch) {
		return true
	}
	m.lastAck.Store(before)
	return false
}

// noticeFencing carries out what a newer epoch means, once: nothing is
// acknowledged to the old primary and nothing is fed any more. What a fenced
// instance must not do it does not do already before: see the role machine.
func (s *Server) noticeFencing() {
	m := &s.managed
	if m.machine == nil || m.obeyed >= m.ledger.Seen() {
		return
	}
	m.obeyed = m.ledger.Seen()
	if m.machine.Fenced() {
		s.log.Warningf("Fenced by epoch %d: the role of %s in epoch %d has ended", m.obeyed, m.machine.Role(), m.machine.RoleEpoch())
		s.setLease(0) // no heartbeats: our offset must not run ahead of the successor's
		s.breakOffHandover()
		s.dismissWaiters() // nobody will acknowledge to us any more
		s.stopFollowing()
		s.dropReplicas("this instance has been fenced")
		m.assigned = nil
	}
	s.statusChanged()
}

// assignment is whom to follow and how, as the operator has said it.
type assignment struct {
	primary instance.Endpoint
	source  *instance.Endpoint // where to take a full re-synchronisation from; nil: the primary
	epoch   uint64             // with which to introduce ourselves
}

func (s *Server) followAssigned(a assignment, resyncFull bool) {
	o := followOptions{
		Hello: &replication.Hello{Epoch: a.epoch, InstanceID: s.managed.ledger.InstanceID()},
		Full:  resyncFull,
	}
	if a.source != nil {
		o.Source = &target{host: a.source.Host, port: a.source.Port}
	}
	s.followPrimary(a.primary.Host, a.primary.Port, o)
}

// replicaProgress tells whether the replica with this instance ID is online, and
// whether it has acknowledged everything that there is.
func (s *Server) replicaProgress(instanceID string) (acked int64, online, complete bool) {
	for _, f := range s.repl.feeds {
		if f.hello != nil && f.hello.InstanceID == instanceID && f.online() {
			return f.progress.Confirmed, true, f.progress.Holds(s.repl.offset())
		}
	}
	return 0, false, false
}
