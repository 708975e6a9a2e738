package replication

import "time"

// Ending names how a link to the primary ended.
type Ending uint8

// The endings that RetryAfter tells apart.
const (
	LinkLost         Ending = iota + 1 // the stream was flowing
	HandshakeFailed                    // not reached, or refused
	TransferAborted                    // in the middle of a snapshot
	SnapshotRejected                   // a snapshot came and could not be loaded
	EpochRefused                       // one of the two sides has an outdated epoch
)

// RetryAfter is how long to wait before the next attempt. A link that worked is
// worth an attempt at once; a failure that would only repeat itself waits for the
// pause, so that a primary which is down is not hammered. ok is false when only
// the operator can change anything.
func RetryAfter(e Ending, pause time.Duration) (wait time.Duration, ok bool) {
	switch e {
	case LinkLost, TransferAborted:
		return 0, true
	case EpochRefused:
		return 0, false
	}
	return pause, true
}
