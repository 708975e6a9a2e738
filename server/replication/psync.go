package replication

// Ask is a replica's PSYNC as it stands on the wire.
type Ask struct {
	ID       string
	Next     int64
	Failover bool // PSYNC id next FAILOVER: take over from me, then let me continue
}

// Standing is what an answer to PSYNC depends on, apart from the question.
type Standing struct {
	History     History
	Window      Window
	IsReplica   bool // this server follows another one
	LinkUp      bool // and its own stream is flowing
	FailingOver bool // a FAILOVER is under way here
}

// Answer names how PSYNC is answered.
type Answer uint8

// The outcomes of AnswerPSYNC.
const (
	AnswerContinue             Answer = iota + 1
	AnswerFull                        // with the reason in the Continuation
	AnswerPromoteThenDecide           // become primary first, then decide the same question
	RefuseFailingOver                 // come back when the failover is done
	RefuseNotConnected                // our own link is down: we do not know whether the history will hold
	RefuseFailoverToPrimary           // PSYNC FAILOVER to one that is primary already
	RefuseFailoverOtherHistory        // PSYNC FAILOVER under a history that is not ours
)

// Error is the error line that a refusal is answered with; empty for the others.
func (a Answer) Error() string {
	switch a {
	case RefuseFailingOver:
		return "NOMASTERLINK Can't SYNC while failing over"
	case RefuseNotConnected:
		return "NOMASTERLINK Can't SYNC while not connected with my master"
	case RefuseFailoverToPrimary:
		return "ERR PSYNC FAILOVER can't be sent to a master."
	case RefuseFailoverOtherHistory:
		return "ERR PSYNC FAILOVER replid must match my replid."
	}
	return ""
}

// AnswerPSYNC decides in the order that matters: the hand-over first, since it is
// what ends a failover; then whether anybody can be served; then the history.
func AnswerPSYNC(s Standing, a Ask) (Answer, Continuation) {
	if a.Failover {
		switch {
		case !s.IsReplica:
			return RefuseFailoverToPrimary, 0
		case a.ID != s.History.ID:
			return RefuseFailoverOtherHistory, 0
		}
		return AnswerPromoteThenDecide, 0
	}
	switch {
	case s.FailingOver:
		return RefuseFailingOver, 0
	case s.IsReplica && !s.LinkUp:
		return RefuseNotConnected, 0
	}
	c := s.History.Decide(a.ID, a.Next, s.Window)
	if c.Partial() {
		return AnswerContinue, c
	}
	return AnswerFull, c
}
