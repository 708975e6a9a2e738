package replication

import "time"

// FailoverState is how far the FAILOVER command has come.
type FailoverState uint8

// The states, as INFO names them.
const (
	NoFailover FailoverState = iota
	FailoverWaitingForSync
	FailoverInProgress
)

func (s FailoverState) String() string {
	switch s {
	case FailoverWaitingForSync:
		return "waiting-for-sync"
	case FailoverInProgress:
		return "failover-in-progress"
	}
	return "no-failover"
}

// FailoverMove names what to do about a FAILOVER under way.
type FailoverMove uint8

// The outcomes of NextFailoverMove.
const (
	FailoverKeepWaiting    FailoverMove = iota
	FailoverHandOver                    // the target has everything
	FailoverHandOverForced              // it has not, and was told not to wait any longer
	FailoverAbort                       // out of time: go on as primary
)

// FailoverWait is the situation of a primary that waits for a target.
type FailoverWait struct {
	Offset   int64         // the primary's; writes are paused, so it does not move
	Deadline time.Duration // 0: none
	Force    bool          // hand over at the deadline although the target has not everything
}

// NextFailoverMove decides whether the hand-over can begin. caughtUp tells whether
// the target, or any replica when none was named, has acknowledged Offset.
func NextFailoverMove(w FailoverWait, caughtUp bool, now time.Duration) FailoverMove {
	late := w.Deadline != 0 && now >= w.Deadline
	switch {
	case caughtUp:
		return FailoverHandOver
	case late && w.Force:
		return FailoverHandOverForced
	case late:
		return FailoverAbort
	}
	return FailoverKeepWaiting
}
