package replication

import "strings"

// NoHistory is how the wire and the RDB file spell "there is no second history".
const NoHistory = "0000000000000000000000000000000000000000"

// History names the stream of commands that made a data set. At any moment there
// is one stream; a promotion gives it a new name and remembers the old one.
type History struct {
	ID     string // 40 lower-case hex digits
	Second string // the name before the last promotion; NoHistory when there is none
	// SecondNext is the largest Next still accepted under Second: the bytes shared
	// with it, plus one. -1 when there is no Second. A primary promoted after 100
	// bytes has SecondNext 101: who holds exactly those 100 bytes asks for 101.
	SecondNext int64
}

// NewHistory starts a history without a past.
func NewHistory(id string) History {
	return History{ID: id, Second: NoHistory, SecondNext: -1}
}

// Promoted gives the stream a new name from byte offset+1 on. It is also how a
// primary that loaded its own snapshot goes on: the bytes up to offset stay valid
// under the old name.
func (h History) Promoted(id string, offset int64) History {
	return History{ID: id, Second: h.ID, SecondNext: offset + 1}
}

// Shares reports whether data that ends at offset under id is a prefix of this
// history: same name, or the second name and not beyond what is shared.
func (h History) Shares(id string, offset int64) bool {
	return strings.EqualFold(id, h.ID) ||
		h.Second != NoHistory && strings.EqualFold(id, h.Second) && offset+1 <= h.SecondNext
}

// ValidID reports whether s can be a replication ID.
func ValidID(s string) bool {
	if len(s) != len(NoHistory) || s == NoHistory {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Window is the part of the stream that can still be sent.
type Window struct {
	Exists bool  // false: no stream is kept at all
	First  int64 // number of the oldest byte kept; End+1 when empty
	End    int64 // number of the newest byte
}

// Continuation names whether a replica may go on with what it has, and if not, why.
type Continuation uint8

// The outcomes of Decide.
const (
	ContinueSameHistory   Continuation = iota + 1 // the ID is ours
	ContinueSecondHistory                         // the ID is ours of before the promotion
	FullAsked                                     // it knows of no history ("?")
	FullOtherHistory                              // neither ID is the one it has
	FullPastSecondHistory                         // it went on under the old name after we had parted
	FullNoWindow                                  // nothing is kept
	FullBeforeWindow                              // the bytes it needs are gone
	FullAheadOfStream                             // it has more than we do
)

// Partial reports whether the stream may continue.
func (c Continuation) Partial() bool {
	return c == ContinueSameHistory || c == ContinueSecondHistory
}

func (c Continuation) String() string {
	switch c {
	case ContinueSameHistory:
		return "continue: same history"
	case ContinueSecondHistory:
		return "continue: history of before the promotion"
	case FullAsked:
		return "full: the replica has no history"
	case FullOtherHistory:
		return "full: the replica has another history"
	case FullPastSecondHistory:
		return "full: the replica went on after the promotion"
	case FullNoWindow:
		return "full: no backlog is kept"
	case FullBeforeWindow:
		return "full: the bytes it needs have left the backlog"
	case FullAheadOfStream:
		return "full: the replica is ahead of this stream"
	}
	return "undecided"
}

// Decide answers PSYNC id next. With a window of bytes 50 to 100, next 50 to 101
// can continue: 101 is the normal case, a replica that missed nothing, and 102 is
// one that holds a byte which we have never written.
func (h History) Decide(id string, next int64, w Window) Continuation {
	c := ContinueSameHistory
	switch {
	case id == "?":
		return FullAsked
	case strings.EqualFold(id, h.ID):
	case h.Second != NoHistory && strings.EqualFold(id, h.Second):
		if next > h.SecondNext {
			return FullPastSecondHistory
		}
		c = ContinueSecondHistory
	default:
		return FullOtherHistory
	}
	switch {
	case !w.Exists:
		return FullNoWindow
	case next < w.First:
		return FullBeforeWindow
	case next > w.End+1:
		return FullAheadOfStream
	}
	return c
}
