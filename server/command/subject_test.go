package command

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

// subject runs commands of the table without a server around them.
type subject struct {
	table *Table
	env   Env
	call  Call
	out   resp.Writer
	db    int
	now   func() int64
	log   effectLog

	events []string
}

func newSubject(t testing.TB) *subject {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	s := &subject{table: NewTable(), now: func() int64 { return time.Now().UnixMilli() }}
	s.env = Env{Keyspace: store.New(store.Options{Databases: 16, Seed: 1}), Effects: &s.log, Rand: random.Uint64}
	s.table.Add(&Spec{Name: "select", Arity: 2, Run: func(c *Call) {
		if db, ok := c.DBArg(1); ok {
			s.db = db.Index()
			c.Out.OK()
		}
	}})
	s.call = Call{Env: &s.env, Out: &s.out}
	t.Cleanup(s.env.Keyspace.Close)
	return s
}

// do runs a command as a server would and returns the bytes of the reply.
func (s *subject) do(args ...[]byte) []byte {
	s.out.Buf = s.out.Buf[:0]
	spec, err := s.table.Lookup(args)
	if err != nil {
		s.out.Error(err.Error())
		return s.out.Buf
	}
	s.call.Args, s.call.DBIndex, s.call.DB = args, s.db, s.env.Keyspace.DB(s.db)
	s.call.Now = s.now()
	s.table.Execute(&s.call, spec)
	return s.out.Buf
}

// elsewhere is do: without a server there are no clients.
func (s *subject) elsewhere(_ int, args ...[]byte) []byte { return s.do(args...) }

// takeEffects returns the effects since the last call, one a line.
func (s *subject) takeEffects() []string { return s.log.take() }

// effectLog spells effects as "db: COMMAND arg arg", and what belongs together
// with the lines MULTI and EXEC around it.
type effectLog struct {
	lines []string
	depth int
	mark  int
}

func (l *effectLog) Effect(db int, args [][]byte) {
	l.lines = append(l.lines, spellEffect(db, args))
}

func (l *effectLog) Begin() {
	if l.depth == 0 {
		l.mark = len(l.lines)
	}
	l.depth++
}

func (l *effectLog) End() {
	if l.depth--; l.depth == 0 && len(l.lines)-l.mark > 1 {
		group := append([]string{"MULTI"}, l.lines[l.mark:]...)
		l.lines = append(l.lines[:l.mark], append(group, "EXEC")...)
	}
}

func (l *effectLog) take() []string {
	lines := l.lines
	l.lines = nil
	return lines
}

func spellEffect(db int, args [][]byte) string {
	return fmt.Sprintf("%d: %s", db, spellArgs(args))
}

func spellArgs(args [][]byte) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
		if q := strconv.Quote(words[i]); len(q) != len(a)+2 || strings.Contains(words[i], " ") || len(a) == 0 {
			words[i] = q
		}
		if len(words[i]) > 200 {
			words[i] = words[i][:100] + fmt.Sprintf("...(%d bytes)", len(a))
		}
	}
	return strings.Join(words, " ")
}

// words splits a line of a test into arguments, as redis-cli would.
func words(t testing.TB, line string) [][]byte {
	t.Helper()
	args, err := resp.SplitArgs([]byte(line))
	if err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return args
}

func (s *subject) takeEvents() []string {
	events := s.events
	s.events = nil
	return events
}

func (s *subject) prepare() {
	s.env.Notify = func(_ EventClass, event string, db int, key []byte) {
		s.events = append(s.events, fmt.Sprintf("%d: %s %q", db, event, key))
	}
	s.env.Keyspace.Added = func(db int, key []byte) { s.env.Notify(EventNew, "new", db, key) }
}

func (s *subject) digest(key string) string {
	if e, ok := s.env.Keyspace.DB(s.db).Find([]byte(key)); ok {
		return dataset.OfValue(e).String()
	}
	return missing
}

func (s *subject) speakRESP3() { s.out.Proto = 3 }

// close leaves the keyspace to the end of the test, which closes it.
func (s *subject) close() {}
