package server

import (
	"github.com/lockstep-db/lockstep/api/instance"
)

// What managed mode asks of replication. The functions below that do nothing are
// implemented by feed_*.go and uplink_*.go.

// assignment is whom to follow and how, as the operator has said it.
type assignment struct {
	primary    instance.Endpoint
	source     *instance.Endpoint // where to take a full re-synchronisation from; nil: the primary
	epoch      uint64             // with which to introduce ourselves
	instanceID string
	resyncFull bool // forget the history and ask for everything
}

// followAssigned drops whatever link there is and follows a. When the data is
// of the primary's history the link begins with a partial re-synchronisation.
func (s *Server) followAssigned(a assignment) {}

// becomePrimary drops the link to the primary, if there is one, draws a new
// replication ID and keeps the old one as the second. Our replicas stay, or come
// back by a partial re-synchronisation.
func (s *Server) becomePrimary() {}

// dropUplink ends the link to the primary, now, and does not make a new one. The
// history is kept.
func (s *Server) dropUplink(reason string) {}

// dropFeeds disconnects every replica.
func (s *Server) dropFeeds(reason string) {}

// requestAcks has every replica acknowledge at once (GETACK in the stream).
func (s *Server) requestAcks() {}

// replicaProgress tells whether the replica with this instance ID is online, and
// up to which byte it has acknowledged.
func (s *Server) replicaProgress(instanceID string) (acked int64, online bool) { return 0, false }

// logEnd is the replication offset.
func (s *Server) logEnd() int64 { return 0 }

// resizeWindow changes the capacity of the in-memory log.
func (s *Server) resizeWindow(bytes int64) {}

// replicationStatus fills in History, Offset (nil when not known), Window (without
// the write rate), Upstream, Replicas and SavedTail.
func (s *Server) replicationStatus(st *instance.Status) {}
