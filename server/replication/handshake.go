package replication

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/server/resp"
)

// Sentinels of a handshake that can not go on. The wrapped text says what the
// other side answered.
var (
	ErrHandshake  = errors.New("handshake with the primary failed")
	ErrNotNow     = errors.New("the primary can not serve replicas at the moment")
	ErrStaleEpoch = errors.New("the primary's epoch and ours differ")
)

// maxLine bounds what is kept of a reply that never ends.
const maxLine = 64 << 10

// Introduction is what a replica tells of itself and asks for.
type Introduction struct {
	User, Password string // AUTH is sent when Password is set
	ListeningPort  int
	AnnounceIP     string // REPLCONF ip-address is sent when set
	// Hello, in a cluster with an operator, carries epoch and instance ID. Other
	// servers do not know it, and answer with an error that does no harm.
	Hello *Hello
	// ID and Next are what PSYNC asks with; "?" and -1 when nothing is known.
	ID       string
	Next     int64
	Failover bool // the primary asked for is the target of a hand-over
}

// Hello is the part of the handshake that only servers of one cluster understand.
type Hello struct {
	Epoch      uint64
	InstanceID string
}

// Event is what happened in a handshake.
type Event uint8

// The events of a Step.
const (
	Wait          Event = iota // more bytes are needed
	Progressed                 // a reply was taken, Send may hold what comes next
	Continue                   // +CONTINUE: what follows is the stream; ID is the history's name, empty when unchanged
	FullResync                 // +FULLRESYNC: ID and Offset hold; a transfer's header comes next
	TransferBegin              // Transfer takes the bytes that follow
	Failed                     // Err says why; drop the link
)

// Step is one event and what belongs to it.
type Step struct {
	Event    Event
	Send     []byte
	ID       string
	Offset   int64 // FULLRESYNC's; -1 when the primary did not tell one
	Transfer *Transfer
	Err      error
	Warning  string // an error that a primary answered and that is none of our business
}

type stage uint8

const (
	stagePing stage = iota
	stageReplies
	stagePSYNC
	stageHeader
	stageDone
)

// Handshake is the replica's side of a new link, from PING to the first byte of a
// snapshot or of the stream.
type Handshake struct {
	intro   Introduction
	stage   stage
	awaited []string // commands sent whose replies are still to come, in order
	legacy  bool     // SYNC was sent: no FULLRESYNC line will come

	// Peer is what a primary of the same cluster has told of its stream; nil when it
	// has told nothing.
	Peer *Lineage
}

// NewHandshake begins a handshake; send what Start returns.
func NewHandshake(intro Introduction) *Handshake { return &Handshake{intro: intro} }

// Start returns the first bytes to send.
func (h *Handshake) Start() []byte { return command("PING") }

// Stage names how far the handshake has come, in words for ROLE and logs.
func (h *Handshake) Stage() string {
	switch h.stage {
	case stagePing, stageReplies, stagePSYNC:
		return "handshake"
	}
	return "sync"
}

// Consume takes at most one line from buf and says what it meant. n is the number
// of bytes taken; 0 with the event Wait when the line is not complete.
func (h *Handshake) Consume(buf []byte) (n int, step Step) {
	nl := bytes.IndexByte(buf, '\n')
	if nl < 0 {
		if len(buf) > maxLine {
			return 0, h.fail(fmt.Errorf("%w: a reply of more than %d bytes", ErrHandshake, maxLine))
		}
		return 0, Step{}
	}
	line := string(bytes.TrimSuffix(buf[:nl], []byte{'\r'}))
	return nl + 1, h.line(line)
}

func (h *Handshake) line(line string) Step {
	switch h.stage {
	case stagePing:
		return h.pong(line)
	case stageReplies:
		return h.reply(line)
	case stagePSYNC:
		return h.psync(line)
	case stageHeader:
		return h.header(line)
	}
	return h.fail(fmt.Errorf("%w: %q after its end", ErrHandshake, line))
}

// pong accepts what a server says that wants a password first: the password comes
// next.
func (h *Handshake) pong(line string) Step {
	ok := strings.HasPrefix(line, "+")
	for _, p := range []string{"-NOAUTH", "-NOPERM", "-ERR operation not permitted"} {
		ok = ok || strings.HasPrefix(line, p)
	}
	if !ok {
		return h.fail(fmt.Errorf("%w: PING was answered with %q", ErrHandshake, line))
	}
	h.stage = stageReplies
	return Step{Event: Progressed, Send: h.introduce()}
}

// introduce sends everything at once, without waiting between the commands.
func (h *Handshake) introduce() []byte {
	var out []byte
	say := func(args ...string) {
		out = appendCommand(out, args...)
		h.awaited = append(h.awaited, args[0]+" "+args[1])
	}
	switch {
	case h.intro.Password != "" && h.intro.User != "":
		out = appendCommand(out, "AUTH", h.intro.User, h.intro.Password)
		h.awaited = append(h.awaited, "AUTH")
	case h.intro.Password != "":
		out = appendCommand(out, "AUTH", h.intro.Password)
		h.awaited = append(h.awaited, "AUTH")
	}
	say("REPLCONF", "listening-port", strconv.Itoa(h.intro.ListeningPort))
	if h.intro.AnnounceIP != "" {
		say("REPLCONF", "ip-address", h.intro.AnnounceIP)
	}
	say("REPLCONF", "capa", "eof", "capa", "psync2")
	if e := h.intro.Hello; e != nil {
		say("REPLCONF", "lockstep-hello", strconv.FormatUint(e.Epoch, 10), e.InstanceID)
	}
	return out
}

func (h *Handshake) reply(line string) Step {
	what := h.awaited[0]
	h.awaited = h.awaited[1:]
	step := Step{Event: Progressed}
	if strings.HasPrefix(line, "-") {
		switch {
		case what == "AUTH":
			return h.fail(fmt.Errorf("%w: the primary refused masterauth: %s", ErrHandshake, line[1:]))
		case strings.HasPrefix(line, "-STALEEPOCH"), strings.HasPrefix(line, "-FENCED"):
			return h.fail(fmt.Errorf("%w: %s", ErrStaleEpoch, line[1:]))
		case strings.HasPrefix(line, "-NOAUTH"):
			return h.fail(fmt.Errorf("%w: %s was refused: %s (set masterauth, and masteruser for a user of its own)", ErrHandshake, what, line[1:]))
		}
		step.Warning = what + ": " + line[1:]
	}
	if rest, ok := strings.CutPrefix(line, "+OK "); ok && what == "REPLCONF lockstep-hello" {
		if l, ok := parseLineage(rest); ok {
			h.Peer = &l
		}
	}
	if len(h.awaited) == 0 {
		h.stage = stagePSYNC
		args := []string{"PSYNC", h.intro.ID, strconv.FormatInt(h.intro.Next, 10)}
		if h.intro.Failover {
			args = append(args, "FAILOVER")
		}
		step.Send = command(args...)
	}
	return step
}

func (h *Handshake) psync(line string) Step {
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "": // the snapshot is on its way; the primary says that it is alive
		return Step{Event: Progressed}
	case word == "+CONTINUE":
		h.stage = stageDone
		step := Step{Event: Continue}
		if id := strings.TrimSpace(rest); ValidID(id) {
			step.ID = strings.ToLower(id)
		}
		return step
	case word == "+FULLRESYNC":
		h.stage = stageHeader
		return fullResync(rest)
	case strings.HasPrefix(line, "-NOMASTERLINK"), strings.HasPrefix(line, "-LOADING"):
		return h.fail(fmt.Errorf("%w: %s", ErrNotNow, line[1:]))
	case h.intro.Failover:
		return h.fail(fmt.Errorf("%w: the hand-over was refused: %q", ErrHandshake, line))
	case strings.HasPrefix(line, "-NOAUTH"), strings.HasPrefix(line, "-NOPERM"), strings.HasPrefix(line, "-STALEEPOCH"):
		return h.fail(fmt.Errorf("%w: PSYNC was refused: %s", ErrHandshake, line[1:]))
	}
	// A server from before PSYNC: take a snapshot, without a history.
	h.stage, h.legacy = stageHeader, true
	return Step{Event: FullResync, Offset: -1, Send: command("SYNC"), Warning: "PSYNC: " + line}
}

// fullResync reads "id offset". What can not be read leaves a snapshot without a
// history: it is taken, but nothing can be continued from it later.
func fullResync(rest string) Step {
	id, off, _ := strings.Cut(strings.TrimSpace(rest), " ")
	offset, err := strconv.ParseInt(off, 10, 64)
	if err != nil || offset < 0 || !ValidID(id) {
		return Step{Event: FullResync, Offset: -1, Warning: "FULLRESYNC without a usable history: " + rest}
	}
	return Step{Event: FullResync, ID: strings.ToLower(id), Offset: offset}
}

func (h *Handshake) header(line string) Step {
	switch {
	case line == "":
		return Step{Event: Progressed}
	case strings.HasPrefix(line, "-"):
		return h.fail(fmt.Errorf("%w: instead of a snapshot came %q", ErrHandshake, line))
	}
	t, err := parseTransferHeader(line)
	if err != nil {
		return h.fail(err)
	}
	h.stage = stageDone
	return Step{Event: TransferBegin, Transfer: t}
}

func (h *Handshake) fail(err error) Step {
	h.stage = stageDone
	return Step{Event: Failed, Err: err}
}

func command(args ...string) []byte { return appendCommand(nil, args...) }

func appendCommand(dst []byte, args ...string) []byte {
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	return resp.AppendCommand(dst, b...)
}
