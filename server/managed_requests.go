package server

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/admin"
	"github.com/lockstep-db/lockstep/server/role"
)

// managedBackend is what the instance API and the health checks see of the server.
// Its methods run on their goroutines.
type managedBackend struct{ s *Server }

// Status implements admin.Backend.
func (b managedBackend) Status() *instance.Status { return b.s.currentStatus() }

// Published implements admin.Backend.
func (b managedBackend) Published() <-chan struct{} { return b.s.managed.board.next() }

// SeenEpoch implements admin.Backend.
func (b managedBackend) SeenEpoch() uint64 { return b.s.managed.ledger.Seen() }

// RecordEpoch implements admin.Backend. From its first line on, the reactor finds
// itself fenced wherever it looks; the rest is about the disk.
func (b managedBackend) RecordEpoch(epoch uint64) error {
	err := b.s.managed.ledger.Raise(epoch)
	b.s.post(b.s.noticeFencing)
	return err
}

// Apply implements admin.Backend.
func (b managedBackend) Apply(ctx context.Context, request any) (*instance.Status, error) {
	type result struct {
		status *instance.Status
		err    error
	}
	done := make(chan result, 1) // room for an answer that nobody waits for any more
	answer := func(st *instance.Status, err error) { done <- result{st, err} }
	if !b.s.post(func() { b.s.carryOut(ctx, request, answer) }) {
		return nil, admin.ErrShutDown
	}
	select {
	case r := <-done:
		return r.status, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the reactor: %w", context.Cause(ctx))
	case <-b.s.managed.alive.Done():
		return nil, admin.ErrShutDown
	}
}

// carryOut does on the reactor what the operator asks for. It answers exactly
// once, now or later. A request whose sender has given up is carried out all the
// same, except for the one that would make clients wait.
func (s *Server) carryOut(ctx context.Context, request any, answer func(*instance.Status, error)) {
	var err *instance.Error
	switch r := request.(type) {
	case instance.FenceRequest:
		err = s.fence(r)
	case instance.PromoteRequest:
		err = s.promote(r)
	case instance.FollowRequest:
		err = s.follow(r)
	case instance.LeaseRequest:
		err = s.renewLease(r)
	case instance.WindowRequest:
		err = s.resize(r)
	case instance.HandoverRequest:
		if ctx.Err() == nil {
			s.beginHandover(r, answer)
		}
		return
	default:
		panic(fmt.Sprintf("a request of type %T", request))
	}
	if err != nil {
		answer(nil, err)
		return
	}
	answer(s.publish(), nil)
}

func (s *Server) fence(r instance.FenceRequest) *instance.Error {
	if result := s.managed.machine.Fence(r.Epoch); !result.Accepted() {
		return refusal(result)
	}
	s.noticeFencing()
	return nil
}

func (s *Server) promote(r instance.PromoteRequest) *instance.Error {
	m := &s.managed
	if r.BootID != "" && r.BootID != s.runID {
		// The one that was chosen has ended, perhaps while the request was under
		// way. What this process holds may be less.
		return &instance.Error{Code: instance.CodeConflict, Message: "another process of this instance was chosen, and it has ended; this one is " + s.runID}
	}
	if err := s.notReadyToLead(); err != nil && m.machine.RoleEpoch() != r.Epoch {
		return err
	}
	lease := time.Duration(r.LeaseMillis) * time.Millisecond
	result := m.machine.Promote(r.Epoch, r.Members, lease, s.clock.mono)
	if !result.Accepted() {
		return refusal(result)
	}
	if result.Outcome == role.Unchanged {
		return nil
	}
	s.promoteHistory()
	s.setLease(0) // what was sent as somebody else says nothing about this lease
	s.setLease(lease)
	m.assigned = nil
	m.obeyed = max(m.obeyed, r.Epoch)
	m.machine.RenewLease(r.Epoch, r.BootID, r.StatusSeq, r.Members, lease)
	s.log.Noticef("Primary of epoch %d, at offset %d, in a cluster of %d", r.Epoch, s.repl.offset(), r.Members)
	s.statusChanged()
	return nil
}

// notReadyToLead says why what is in memory is not a data set yet.
func (s *Server) notReadyToLead() *instance.Error {
	if s.loading {
		return &instance.Error{Code: instance.CodeNotReady, Message: "the data set is being loaded"}
	}
	if !s.viewReplication().Known {
		return &instance.Error{Code: instance.CodeNotReady, Message: "a full re-synchronisation is under way, so the data set is not complete"}
	}
	return nil
}

func (s *Server) follow(r instance.FollowRequest) *instance.Error {
	m := &s.managed
	if s.loading && m.machine.Role() == instance.RoleUnassigned {
		return &instance.Error{Code: instance.CodeNotReady, Message: "the data set is being loaded"}
	}
	was := m.machine.Role()
	result := m.machine.Follow(r.Epoch)
	if !result.Accepted() {
		return refusal(result)
	}
	m.obeyed = max(m.obeyed, r.Epoch)
	s.setLease(time.Duration(r.LeaseMillis) * time.Millisecond)
	a := assignment{primary: r.Primary, source: r.Source, epoch: r.Epoch}
	if result.Outcome == role.Unchanged && m.assigned != nil && reflect.DeepEqual(*m.assigned, a) && !r.ResyncFull {
		return nil
	}
	m.assigned = &a
	s.log.Noticef("Replica of %s in epoch %d", r.Primary.Address(), r.Epoch)
	s.followAssigned(a, r.ResyncFull)
	if was == instance.RolePrimary {
		s.sendClientsAway()
	}
	s.statusChanged()
	return nil
}

// sendClientsAway closes the clients of a primary that has become a replica. They
// came for the primary, and find the new one by connecting again; those that
// understand redirects are told where. Those that were told already why they have to
// go, like the ones that waited for keys, go when they have read it.
func (s *Server) sendClientsAway() {
	for _, c := range s.conns {
		if c.flags&(flagReplica|flagPrimary|flagRedirect|flagCloseAfterReply) == 0 {
			c.flags |= flagCloseNow
			s.wantWrite(c)
		}
	}
}

func (s *Server) renewLease(r instance.LeaseRequest) *instance.Error {
	m := &s.managed
	lease := time.Duration(r.LeaseMillis) * time.Millisecond
	could := m.machine.CanWrite(s.clock.mono)
	if result := m.machine.RenewLease(r.Epoch, r.BootID, r.StatusSeq, r.Members, lease); !result.Accepted() {
		return refusal(result)
	}
	s.setLease(lease)
	if could != m.machine.CanWrite(s.clock.mono) {
		s.statusChanged()
	}
	return nil
}

func (s *Server) resize(r instance.WindowRequest) *instance.Error {
	// Raising the epoch has been done; a stale one was refused by the API. Any
	// role has a window.
	if result := s.managed.machine.ObserveEpoch(r.Epoch); !result.Accepted() {
		return refusal(result)
	}
	s.resizeWindow(r.CapacityBytes)
	s.statusChanged()
	return nil
}
