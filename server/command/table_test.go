package command

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/store"
)

func TestLookup(t *testing.T) {
	table := NewTable()
	for _, test := range []struct{ name, line, spec, err string }{
		{"case does not matter", "GeT k", "get", ""},
		{"a subcommand has a spec of its own", "object ENCODING k", "object|encoding", ""},
		{"a container without a subcommand is itself where it can run", "COMMAND", "command", ""},
		{"a container that can not run wants a subcommand", "OBJECT", "object", "ERR wrong number of arguments for 'object' command"},
		{"too few", "GET", "get", "ERR wrong number of arguments for 'get' command"},
		{"too many", "GET a b", "get", "ERR wrong number of arguments for 'get' command"},
		{"no such subcommand", "OBJECT nosuch k", "", "ERR unknown subcommand 'nosuch'. Try OBJECT HELP."},
		{"no such command", "nosuch a", "", "ERR unknown command 'nosuch', with args beginning with: 'a' "},
		{"a name longer than any", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "",
			"ERR unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', with args beginning with: "},
		{"no name", `""`, "", "ERR unknown command '', with args beginning with: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, err := table.Lookup(words(t, test.line))
			name, text := "", ""
			if spec != nil {
				name = spec.FullName()
			}
			if err != nil {
				text = err.Error()
			}
			if name != test.spec || text != test.err {
				t.Errorf("%s: spec %q, error %q; want %q, %q", test.line, name, text, test.spec, test.err)
			}
		})
	}
}

func TestEachIDFindsItsCommand(t *testing.T) {
	table := NewTable()
	for id := range table.Len() {
		s := table.ByID(id)
		found, ok := table.Find([]byte(upper(s.FullName())))
		if s.ID() != id || !ok || found != s {
			t.Errorf("%s has ID %d at %d, and is found: %v", s.FullName(), s.ID(), id, found == s)
		}
	}
}

func TestAddRefusesMistakes(t *testing.T) {
	run := func(*Call) {}
	for _, test := range []struct {
		name string
		spec *Spec
	}{
		{"a name that is taken", &Spec{Name: "get", Arity: 2, Run: run}},
		{"a name in upper case", &Spec{Name: "Foo", Arity: 2, Run: run}},
		{"no arity", &Spec{Name: "foo", Run: run}},
		{"no function", &Spec{Name: "foo", Arity: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("was accepted")
				}
			}()
			NewTable().Add(test.spec)
		})
	}
}

func TestKeyRefs(t *testing.T) {
	count := &Spec{Name: "counted", Arity: -3, Run: func(*Call) {},
		KeySpecs: []KeySpec{{Flags: KeyRO, Begin: KeyBegin{Index: 1}, Find: KeyFind{How: FindCount, FirstAt: 1, Step: 1}}}}
	keyword := &Spec{Name: "streams", Arity: -4, Run: func(*Call) {},
		KeySpecs: []KeySpec{{Flags: KeyRO, Begin: KeyBegin{Keyword: "STREAMS", From: 1}, Find: KeyFind{Last: -1, Step: 1, Limit: 2}}}}
	backwards := &Spec{Name: "stored", Arity: -4, Run: func(*Call) {},
		KeySpecs: []KeySpec{{Flags: KeyOW, Begin: KeyBegin{Keyword: "STORE", From: -2}, Find: KeyFind{Step: 1}}}}
	simple := &Spec{Name: "plain", Arity: -2, Flags: Write, FirstKey: 1, LastKey: -1, Run: func(*Call) {}}
	table := NewTable()
	table.Add(count, keyword, backwards, simple)
	for _, test := range []struct{ name, line, want string }{
		{"one key", "GET k", "k"},
		{"every second", "MSET a 1 b 2", "a b"},
		{"two ranges", "RENAME a b", "a b"},
		{"the rest", "BITOP AND d a b", "d a b"},
		{"a counted range", "counted 2 a b c", "a b"},
		{"a count that is too high finds nothing", "counted 3 a b", ""},
		{"a count that is no number finds nothing", "counted x a b", ""},
		{"half of what follows a keyword", "streams COUNT 1 STREAMS a b 0 0", "a b"},
		{"no keyword, no keys", "streams COUNT 1 a b", ""},
		{"a keyword searched from the end", "stored a STORE x STORE d", "d"},
		{"the triple alone describes keys", "plain a b c", "a b c"},
		{"no keys", "DBSIZE", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := words(t, test.line)
			spec, err := table.Lookup(args)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, r := range spec.KeyRefs(args) {
				got += " " + string(args[r.Index])
			}
			if want := " " + test.want; got != want && got != test.want {
				t.Errorf("%s: keys%s; want%s", test.line, got, want)
			}
		})
	}
	for spec, want := range map[*Spec]bool{count: true, keyword: true, simple: false} {
		if spec.Has(MovableKeys) != want {
			t.Errorf("%s: movable keys %v", spec.Name, !want)
		}
	}
}

func TestCategoriesFollowFromFlags(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags Flags
		cats  Categories
		want  Categories
	}{
		{"a slow write", Write, 0, CatWrite | CatSlow},
		{"a fast read", ReadOnly | Fast, CatString, CatRead | CatString | CatFast},
		{"admin is dangerous", Admin, 0, CatAdmin | CatDangerous | CatSlow},
		{"a read-only script is no read", ReadOnly, CatScripting, CatScripting | CatSlow},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.flags.implied(test.cats); got != test.want {
				t.Errorf("%b; want %b", got, test.want)
			}
		})
	}
}

// The paths that most requests take allocate nothing.
func TestHotPathsDoNotAllocate(t *testing.T) {
	s := newSubject(t)
	s.env.Effects = discard{}
	s.now = func() int64 { return scriptTime }
	for _, line := range []string{
		"SET key some-value", "GET key", "GET missing", "SET counter 5", "INCR counter", "INCRBY counter 1000000",
		"SET key some-value EX 100", "EXPIRE key 100", "TTL key", "EXISTS key", "APPEND missing2 x", "DEL missing",
		"MGET key counter", "SETEX key 10 v", "GETRANGE key 0 3", "STRLEN key",
		"HSET hash field some-value", "HGET hash field", "HINCRBY hash count 1", "HDEL hash missing", "HEXISTS hash field", "HMGET hash field missing",
		"SADD set member", "SREM set missing", "SISMEMBER set member", "SCARD set", "SADD integers 17", "SISMEMBER integers 17",
		"ZADD zset 1 member", "ZADD zset 2.5 other", "ZINCRBY zset 0.25 other", "ZINCRBY zset 1 17", "ZSCORE zset other", "ZRANK zset other",
		"ZREM zset missing", "ZRANGE zset 0 -1 WITHSCORES", "ZRANGE zset (1 3.5 BYSCORE LIMIT 0 10", "ZCOUNT zset -inf (5", "ZPOPMIN missing",
		"GEOPOS zset member", "GEODIST zset member other",
	} {
		t.Run(line, func(t *testing.T) {
			args := words(t, line)
			s.do(args...)
			if n := testing.AllocsPerRun(200, func() { s.do(args...) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

type discard struct{}

func (discard) Effect(int, [][]byte) {}
func (discard) Begin()               {}
func (discard) End()                 {}

func TestReadsCountHitsAndMisses(t *testing.T) {
	s := newSubject(t)
	s.do(words(t, "SET a 1")...)
	for _, test := range []struct {
		line         string
		hits, misses int64
	}{
		{"GET a", 1, 0}, {"GET b", 0, 1}, {"MGET a b", 1, 1}, {"EXISTS a a b", 2, 1}, {"TTL a", 1, 0},
		{"INCR a", 0, 0}, {"DEL b", 0, 0}, {"TOUCH a", 1, 0}, {"KEYS *", 0, 0},
	} {
		s.env.Stats = Stats{}
		s.do(words(t, test.line)...)
		if got := s.env.Stats; got.Hits != test.hits || got.Misses != test.misses {
			t.Errorf("%s: %d hits, %d misses; want %d, %d", test.line, got.Hits, got.Misses, test.hits, test.misses)
		}
	}
}

func TestWatchersHearOfEveryChange(t *testing.T) {
	s := newSubject(t)
	var touched []string
	s.env.Touched = func(db int, key []byte) { touched = append(touched, fmt.Sprintf("%d:%s", db, key)) }
	s.env.Emptied = func(db int) { touched = append(touched, fmt.Sprintf("emptied %d", db)) }
	s.env.Swapped = func(a, b int) { touched = append(touched, fmt.Sprintf("swapped %d %d", a, b)) }
	for _, test := range []struct {
		line string
		want []string
	}{
		{"SET a 1", []string{"0:a"}},
		{"SET a 1 NX", nil},
		{"GET a", nil},
		{"MSET a 1 b 2", []string{"0:a", "0:b"}},
		{"RENAME a c", []string{"0:a", "0:c"}},
		{"COPY b d", []string{"0:d"}},
		{"COPY b d DB 3", []string{"3:d"}},
		{"MOVE d 2", []string{"0:d", "2:d"}},
		{"EXPIRE b 100", []string{"0:b"}},
		{"GETEX b PERSIST", []string{"0:b"}},
		{"SETBIT b 0 1", []string{"0:b"}},
		{"DEL b x", []string{"0:b"}},
		{"SET e 1 PXAT 1", []string{"0:e"}},
		{"GET e", []string{"0:e"}},
		{"SWAPDB 1 2", []string{"swapped 1 2"}},
		{"FLUSHDB", []string{"emptied 0"}},
	} {
		touched = nil
		s.do(words(t, test.line)...)
		if !slices.Equal(touched, test.want) {
			t.Errorf("%s: %q; want %q", test.line, touched, test.want)
		}
	}
}

func TestExpiryModes(t *testing.T) {
	for _, test := range []struct {
		name    string
		mode    ExpiryMode
		reply   string
		held    int
		effects int
	}{
		{"a primary removes the key and says so", ExpireDelete, "(nil)", 0, 1},
		{"a replica hides the key from its clients and keeps it", ExpireHide, "(nil)", 1, 0},
		{"a command from the primary finds the key", ExpireIgnore, `"v"`, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSubject(t)
			s.do(words(t, "SET k v PXAT 1")...)
			s.takeEffects()
			s.call.Expiry = test.mode
			reply := spellReply(t, s.do(words(t, "GET k")...))
			held, effects := s.env.Keyspace.DB(0).Len(), len(s.takeEffects())
			if reply != test.reply || held != test.held || effects != test.effects {
				t.Errorf("reply %s, %d keys held, %d effects; want %s, %d, %d",
					reply, held, effects, test.reply, test.held, test.effects)
			}
		})
	}
}

func TestAccessBits(t *testing.T) {
	s := newSubject(t)
	now := scriptTime
	s.now = func() int64 { return now }
	s.do(words(t, "SET k v")...)
	now += 50_000
	if got := spellReply(t, s.do(words(t, "OBJECT IDLETIME k")...)); got != "50" {
		t.Errorf("idle for %s seconds; want 50", got)
	}
	s.do(words(t, "TTL k")...)
	if got := spellReply(t, s.do(words(t, "OBJECT IDLETIME k")...)); got != "50" {
		t.Errorf("asking about a key counts as a use: idle for %s seconds", got)
	}
	s.do(words(t, "GET k")...)
	if got := spellReply(t, s.do(words(t, "OBJECT IDLETIME k")...)); got != "0" {
		t.Errorf("idle for %s seconds after a GET; want 0", got)
	}
	s.env.LFU, s.env.LFULogFactor, s.env.LFUDecay = true, 10, 1
	s.do(words(t, "DEL k")...)
	s.do(words(t, "SET k v")...)
	for range 5000 {
		s.do(words(t, "GET k")...)
	}
	busy := spellReply(t, s.do(words(t, "OBJECT FREQ k")...))
	s.do(words(t, "COPY k copied")...)
	if got := spellReply(t, s.do(words(t, "OBJECT FREQ copied")...)); got != "5" {
		t.Errorf("frequency %s of a copy that nobody has used; want that of a new key, 5", got)
	}
	now += 5 * 60_000
	idle := spellReply(t, s.do(words(t, "OBJECT FREQ k")...))
	if len(busy) != 2 || idle >= busy {
		t.Errorf("frequency %s after 5000 reads, %s five minutes later", busy, idle)
	}
}

func TestNoTouchLeavesAccessTimesToTouch(t *testing.T) {
	s := newSubject(t)
	now := scriptTime
	s.now = func() int64 { return now }
	s.do(words(t, "SET k v")...)
	now += 50_000
	s.call.NoTouch = true
	for _, step := range []struct{ line, idle string }{{"GET k", "50"}, {"APPEND k v", "50"}, {"EXISTS k", "50"}, {"TOUCH k", "0"}} {
		s.do(words(t, step.line)...)
		if got := spellReply(t, s.do(words(t, "OBJECT IDLETIME k")...)); got != step.idle {
			t.Errorf("idle for %s seconds after %s; want %s", got, step.line, step.idle)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	benchmark(b, "SET key:000000001234 some-value-of-32-bytes-of-length")
}
func BenchmarkGet(b *testing.B) { benchmark(b, "GET key:000000001234") }

func benchmark(b *testing.B, line string) {
	ks := store.New(store.Options{Seed: 1})
	defer ks.Close()
	env := &Env{Keyspace: ks, Effects: discard{}}
	out := &resp.Writer{}
	call := &Call{Env: env, Out: out, DB: ks.DB(0), Now: scriptTime}
	table := NewTable()
	args := words(b, line)
	b.ReportAllocs()
	for b.Loop() {
		out.Buf = out.Buf[:0]
		spec, err := table.Lookup(args)
		if err != nil {
			b.Fatal(err)
		}
		call.Args = args
		table.Execute(call, spec)
	}
}
