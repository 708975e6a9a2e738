package replication

import (
	"bytes"
	"strconv"

	"github.com/lockstep-db/lockstep/server/resp"
)

// Stream counts what a replica has received and applied.
//
// Invariant: Applied <= Read <= Received. Applied is what a later PSYNC continues
// from, so it moves at command boundaries only, and not inside a transaction:
// whoever loses the link between MULTI and EXEC gets the whole transaction again.
type Stream struct {
	Received int64 // bytes that arrived
	Read     int64 // bytes of commands taken from them, those of an open transaction included
	Applied  int64 // bytes whose effect is in the data
	inMulti  bool
}

// NewStream begins after offset bytes.
func NewStream(offset int64) *Stream {
	return &Stream{Received: offset, Read: offset, Applied: offset}
}

// Receive counts n bytes that arrived.
func (s *Stream) Receive(n int) { s.Received += int64(n) }

// InTransaction reports whether MULTI was taken and EXEC not yet.
func (s *Stream) InTransaction() bool { return s.inMulti }

// Took counts a command of n bytes that was executed, or queued in a transaction.
// It returns how many bytes have become part of the applied stream by that: none
// inside a transaction, all of it with EXEC.
func (s *Stream) Took(name []byte, n int) (applied int64) {
	s.Read += int64(n)
	switch {
	case bytes.EqualFold(name, []byte("multi")):
		s.inMulti = true
	case bytes.EqualFold(name, []byte("exec")), bytes.EqualFold(name, []byte("discard")):
		s.inMulti = false
	}
	if s.inMulti {
		return 0
	}
	applied = s.Read - s.Applied
	s.Applied = s.Read
	return applied
}

// AppendAck acknowledges applied bytes. Answering GETACK it must be called before
// the GETACK's own bytes are counted: a GETACK that ends at byte 1083 and has 37
// bytes is answered with 1046.
func AppendAck(dst []byte, applied int64) []byte {
	return resp.AppendCommand(dst, []byte("REPLCONF"), []byte("ACK"), strconv.AppendInt(nil, applied, 10))
}

// AppendLeaseAck is an acknowledgement between servers of one cluster. received
// tells up to where the primary was heard, which is what keeps its lease.
func AppendLeaseAck(dst []byte, applied, received int64) []byte {
	return resp.AppendCommand(dst, []byte("REPLCONF"), []byte("ACK"), strconv.AppendInt(nil, applied, 10),
		[]byte("LEASE"), strconv.AppendInt(nil, received, 10))
}

// GetAck is what a primary puts into the stream to be told at once how far its
// replicas are.
var GetAck = command("REPLCONF", "GETACK", "*")

// Ping is the heartbeat of a stream without writes.
var Ping = command("ping")
