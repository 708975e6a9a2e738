package replication

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/resp"
)

var update = flag.Bool("update", false, "write what the code does into the transcripts")

// A transcript is a story in plain text. A line after ">" says what happens, the
// indented lines after it what is seen of it; lines after "#" are the narrator's.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := retell(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Fatalf("the story goes differently now; -update shows how:\n%s", difference(string(text), got))
			}
		})
	}
}

// retell plays the story again and returns it with what is seen now.
func retell(t *testing.T, text string) string {
	var out strings.Builder
	s := &stage0{t: t}
	sc := bufio.NewScanner(strings.NewReader(text))
	for sc.Scan() {
		line := sc.Text()
		switch happens, ok := strings.CutPrefix(line, "> "); {
		case ok:
			seen := strings.TrimSuffix(s.play(happens), "\n")
			out.WriteString(line + "\n  " + strings.ReplaceAll(seen, "\n", "\n  ") + "\n")
		case strings.HasPrefix(line, "  "): // what was seen when the story was written
		default:
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			lo := max(0, i-4)
			return fmt.Sprintf("line %d:\n%s", i+1, strings.Join(g[lo:min(len(g), i+4)], "\n"))
		}
	}
	return "the end is missing"
}

// stage0 holds the actors of one story.
type stage0 struct {
	t        *testing.T
	hs       *Handshake
	in       []byte
	transfer *Transfer
	payload  int
	stream   *Stream
	history  History
	window   Window
	standing Standing
	progress Progress
	marks    *Marks
}

// options reads key=value words.
type options map[string]string

func parseOptions(words []string) options {
	o := options{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		o[k] = v
	}
	return o
}

func (o options) number(key string, otherwise int64) int64 {
	if v, err := strconv.ParseInt(o[key], 10, 64); err == nil {
		return v
	}
	return otherwise
}

// id lets a story write one letter for a replication ID.
func id(letter string) string {
	if len(letter) == 1 && letter != "?" {
		return strings.Repeat(letter, MarkLen)
	}
	return letter
}

func shorten(s string) string {
	for _, l := range "abcdef0123456789M" {
		s = strings.ReplaceAll(s, strings.Repeat(string(l), MarkLen), string(l)+"…")
	}
	return s
}

func (s *stage0) at(o options) time.Duration {
	sec, err := strconv.ParseFloat(o["at"], 64)
	if err != nil {
		return 0
	}
	return time.Duration(sec * float64(time.Second))
}

func (s *stage0) play(line string) string {
	words := strings.Fields(line)
	o := parseOptions(words[1:])
	var b bytes.Buffer
	switch words[0] {
	case "replica":
		s.begin(&b, o)
	case "hears":
		s.hears(&b, unquote(s.t, strings.TrimPrefix(line, "hears ")))
	case "bytes":
		s.transferBytes(&b, unquote(s.t, strings.TrimPrefix(line, "bytes ")))
	case "stream":
		s.stream = NewStream(o.number("offset", 0))
		s.tellStream(&b)
	case "command":
		s.takeCommand(&b, words[1:])
	case "shared":
		if s.hs.Peer == nil {
			b.WriteString("the primary has told nothing\n")
			break
		}
		through, known := s.hs.Peer.SharedThrough(id(o["id"]), o.number("offset", 0))
		fmt.Fprintf(&b, "through %d, known %v\n", through, known)
	case "ack":
		fmt.Fprintf(&b, "says %s\n", spell(AppendAck(nil, s.stream.Applied)))
	case "history":
		s.history = NewHistory(id(o["id"]))
		s.tellHistory(&b)
	case "promote":
		s.history = s.history.Promoted(id(o["id"]), o.number("offset", -1))
		s.tellHistory(&b)
	case "window":
		s.window = Window{Exists: o["none"] == "" && !has(words, "none"), First: o.number("first", 0), End: o.number("end", 0)}
		b.WriteString("ok\n")
	case "primary":
		s.standing = Standing{IsReplica: has(words, "replica"), LinkUp: has(words, "link-up"), FailingOver: has(words, "failing-over")}
		b.WriteString("ok\n")
	case "psync":
		s.psync(&b, words, o)
	case "phase":
		s.progress = Progress{Phase: Phase(o.number("n", 2)), Gated: has(words, "gated"), HeardAt: s.at(o)}
		b.WriteString(s.progress.Phase.Wire() + "\n")
	case "acked":
		opened := s.progress.Ack(o.number("offset", 0), s.at(o))
		fmt.Fprintf(&b, "confirmed %d, gate opened %v\n", s.progress.Confirmed, opened)
	case "look":
		fmt.Fprintf(&b, "lag %v, good %v, holds %d %v, timed out %v\n", s.progress.Lag(s.at(o)), s.progress.Good(s.at(o), 10*time.Second),
			o.number("holds", 0), s.progress.Holds(o.number("holds", 0)), s.progress.TimedOut(s.at(o), time.Minute))
	case "lease":
		s.marks = NewMarks(2 * time.Second)
		b.WriteString("ok\n")
	case "sent":
		s.marks.Sent(o.number("through", 0), s.at(o))
		b.WriteString("ok\n")
	case "lease-acked":
		at, ok := s.marks.SentAt(o.number("offset", 0))
		if !ok {
			b.WriteString("proves nothing\n")
			break
		}
		fmt.Fprintf(&b, "was heard at %v\n", at)
	default:
		s.t.Fatalf("the story uses an unknown word: %q", words[0])
	}
	return shorten(b.String())
}

func has(words []string, w string) bool {
	for _, x := range words {
		if x == w {
			return true
		}
	}
	return false
}

func (s *stage0) begin(b *bytes.Buffer, o options) {
	in := Introduction{ID: id(o["id"]), Next: o.number("next", -1), ListeningPort: int(o.number("port", 6380)),
		Password: o["password"], User: o["user"], AnnounceIP: o["ip"], Failover: o["failover"] == "yes"}
	if e, ok := o["epoch"]; ok {
		n, _ := strconv.ParseUint(e, 10, 64)
		in.Hello = &Hello{Epoch: n, InstanceID: id(o["instance"])}
	}
	s.hs, s.in, s.transfer, s.payload = NewHandshake(in), nil, nil, 0
	fmt.Fprintf(b, "says %s\n", spell(s.hs.Start()))
}

func (s *stage0) hears(b *bytes.Buffer, p []byte) {
	s.in = append(s.in, p...)
	for {
		n, step := s.hs.Consume(s.in)
		s.in = s.in[n:]
		if step.Warning != "" {
			fmt.Fprintf(b, "warns %s\n", step.Warning)
		}
		for _, c := range spellAll(step.Send) {
			fmt.Fprintf(b, "says %s\n", c)
		}
		switch step.Event {
		case Wait:
			if b.Len() == 0 {
				b.WriteString("waits\n")
			}
			return
		case Continue:
			fmt.Fprintf(b, "continues, history %q, %d bytes of stream so far\n", step.ID, len(s.in))
			return
		case FullResync:
			fmt.Fprintf(b, "expects a snapshot, history %q, offset %d\n", step.ID, step.Offset)
		case TransferBegin:
			s.transfer = step.Transfer
			fmt.Fprintf(b, "takes a snapshot of %d bytes\n", step.Transfer.Total)
			rest := s.in
			s.in = nil
			if len(rest) > 0 {
				s.transferBytes(b, rest)
			}
			return
		case Failed:
			fmt.Fprintf(b, "gives up: %v\n", step.Err)
			return
		}
	}
}

func (s *stage0) transferBytes(b *bytes.Buffer, p []byte) {
	payload, n := s.transfer.Consume(p)
	fmt.Fprintf(b, "snapshot %q", payload)
	if s.transfer.Done() {
		fmt.Fprintf(b, ", complete after %d bytes; stream %q", s.transfer.Received, p[n:])
	}
	b.WriteString("\n")
}

func (s *stage0) takeCommand(b *bytes.Buffer, words []string) {
	n := len(command(words...))
	s.stream.Receive(n)
	forward := s.stream.Took([]byte(words[0]), n)
	fmt.Fprintf(b, "%d bytes; %d to pass on; ", n, forward)
	s.tellStream(b)
}

func (s *stage0) tellStream(b *bytes.Buffer) {
	fmt.Fprintf(b, "read %d, applied %d, would ask for %d\n", s.stream.Read, s.stream.Applied, s.stream.Applied+1)
}

func (s *stage0) tellHistory(b *bytes.Buffer) {
	fmt.Fprintf(b, "id %s, second %s up to next %d\n", s.history.ID, s.history.Second, s.history.SecondNext)
}

func (s *stage0) psync(b *bytes.Buffer, words []string, o options) {
	st := s.standing
	st.History, st.Window = s.history, s.window
	answer, why := AnswerPSYNC(st, Ask{ID: id(o["id"]), Next: o.number("next", -1), Failover: has(words, "failover")})
	switch {
	case answer == AnswerContinue:
		fmt.Fprintf(b, "%s; answer %q\n", why, AppendContinue(nil, s.history, true))
	case answer == AnswerFull:
		fmt.Fprintf(b, "%s\n", why)
	case answer == AnswerPromoteThenDecide:
		b.WriteString("promote, then decide again\n")
	default:
		fmt.Fprintf(b, "refuse: %s\n", answer.Error())
	}
}

func unquote(t *testing.T, s string) []byte {
	u, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	for _, l := range []string{"a", "b", "c", "M"} {
		u = strings.ReplaceAll(u, "<"+l+">", strings.Repeat(l, MarkLen))
	}
	return []byte(u)
}

// spell turns RESP commands back into words.
func spell(p []byte) string { return strings.Join(spellAll(p), " | ") }

func spellAll(p []byte) (out []string) {
	var parser resp.Parser
	for len(p) > 0 {
		args, n, err := parser.Next(p)
		if err != nil || n == 0 {
			return append(out, fmt.Sprintf("%q", p))
		}
		out = append(out, string(bytes.Join(args, []byte(" "))))
		p = p[n:]
	}
	return out
}
