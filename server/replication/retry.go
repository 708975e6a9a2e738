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
	EpochRefused                       // one of the two sides had an outdated epoch
)

// RetryAfter is how long to wait before the next attempt. A link that worked is
// worth an attempt at once; a failure that would only repeat itself waits for the
// pause, so that a primary which is down is not hammered. Epochs that differ are
// worth another attempt, too: the side that was behind has learned of the newer one
// by the refusal, and may be assigned its role in it any moment.
func RetryAfter(e Ending, pause time.Duration) time.Duration {
	if e == LinkLost || e == TransferAborted {
		return 0
	}
	return pause
}
