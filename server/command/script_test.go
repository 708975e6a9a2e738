package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/dataset"
)

// A script is a few commands with their replies and, after an arrow, the
// effects of the last one. A word like @5000 stands for the time 5000
// milliseconds from now, @s5 for 5 seconds from now in seconds. The same
// scripts run here, at a fixed time, and on a real redis-server.
type script struct {
	name    string
	lines   []string // "COMMAND arg ... = reply"
	effects []string // of the last command
	differs string   // why a real server does otherwise: it is not asked
}

const scriptTime = int64(1700000000000)

func TestScripts(t *testing.T) {
	for _, group := range scriptGroups {
		for _, sc := range group.scripts {
			t.Run(group.name+"/"+sc.name, func(t *testing.T) {
				s := newSubject(t)
				s.now = func() int64 { return scriptTime }
				sc.run(t, scriptTime, s.do, s.takeEffects)
			})
		}
	}
}

func TestScriptsOnRedis(t *testing.T) {
	redis := startRedis(t)
	redis.must("DEBUG SET-ACTIVE-EXPIRE 0")
	redis.attach()
	for _, group := range scriptGroups {
		for _, sc := range group.scripts {
			t.Run(group.name+"/"+sc.name, func(t *testing.T) {
				if sc.differs != "" {
					t.Skip(sc.differs)
				}
				redis.must("FLUSHALL")
				redis.must("SELECT 0")
				sc.run(t, time.Now().UnixMilli(), redis.do, redis.takeEffects)
			})
		}
	}
}

func (sc script) run(t *testing.T, now int64, do func(...[]byte) []byte, takeEffects func() []string) {
	t.Helper()
	for _, line := range sc.lines {
		takeEffects()
		request, want, _ := strings.Cut(line, " = ")
		var args [][]byte
		for _, w := range words(t, request) {
			args = append(args, []byte(atTime(string(w), now)))
		}
		if got := spellReply(t, do(args...)); got != want && !nearlySameTime(got, atTime(want, now)) {
			t.Errorf("%s\n replied %s\n    want %s", request, got, want)
		}
	}
	want := make([]string, len(sc.effects))
	for i, line := range sc.effects {
		fields := strings.Split(line, " ")
		for j := range fields {
			fields[j] = atTime(fields[j], now)
		}
		want[i] = strings.Join(fields, " ")
	}
	if got := takeEffects(); !sameEffects(got, want) {
		t.Errorf("effects:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func atTime(word string, now int64) string {
	if n, err := strconv.ParseInt(strings.TrimPrefix(word, "@s"), 10, 64); err == nil && strings.HasPrefix(word, "@s") {
		return strconv.FormatInt(now/1000+n, 10)
	}
	if n, err := strconv.ParseInt(strings.TrimPrefix(word, "@"), 10, 64); err == nil && strings.HasPrefix(word, "@") {
		return strconv.FormatInt(now+n, 10)
	}
	return word
}

// spellReply is a reply in a form that fits on a line.
func spellReply(t *testing.T, raw []byte) string {
	t.Helper()
	node, rest, err := parseReply(raw)
	if err != nil || len(rest) > 0 {
		t.Fatalf("reply %q: %v", raw, err)
	}
	return spellNode(node)
}

func spellNode(n replyNode) string {
	switch {
	case n.null:
		return "(nil)"
	case n.kind == '$':
		return strconv.Quote(n.text)
	case n.kind != '*':
		return n.text
	}
	parts := make([]string, len(n.elems))
	for i, e := range n.elems {
		parts[i] = spellNode(e)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

var scriptGroups = []struct {
	name    string
	scripts []script
}{
	{"effects of strings", stringEffects},
	{"effects of keys", keyEffects},
	{"effects of expired keys", expiredEffects},
	{"replies", replies},
	{"what Valkey 8 added", valkeyScripts},
	{"streams", streamScripts},
	{"HyperLogLogs", hyperLogLogScripts},
	{"sorted sets", sortedSetScripts},
	{"hashes", hashScripts},
	{"sets", setScripts},
	{"sorting", sortScripts},
}

var stringEffects = []script{
	{"SET goes out as it came", []string{"set k v = OK"}, []string{"0: set k v"}, ""},
	{"SET EX becomes an absolute time", []string{"SET k v EX 100 = OK"}, []string{"0: SET k v PXAT @100000"}, ""},
	{"SET PX becomes an absolute time", []string{"SET k v px 5000 = OK"}, []string{"0: SET k v PXAT @5000"}, ""},
	{"SET EXAT is spelled in milliseconds", []string{"SET k v EXAT 20000000000 = OK"}, []string{"0: SET k v PXAT 20000000000000"}, ""},
	{"SET with a time loses NX and GET", []string{"SET k v NX GET EX 100 = (nil)"}, []string{"0: SET k v PXAT @100000"}, ""},
	{"SET with a time in the past is stored, and expires later", []string{"SET k v PXAT 1 = OK"}, []string{"0: SET k v PXAT 1"}, ""},
	{"SET NX without a time keeps NX", []string{"SET k v NX = OK"}, []string{"0: SET k v NX"}, ""},
	{"SET NX that loses sends nothing", []string{"SET k v = OK", "SET k w NX = (nil)"}, nil, ""},
	{"SET XX that finds nothing sends nothing", []string{"SET k w XX = (nil)"}, nil, ""},
	{"SET GET leaves GET at home", []string{"SET k v = OK", `SET k w XX GET get = "v"`}, []string{"0: SET k w XX"}, ""},
	{"SET KEEPTTL goes out as it came", []string{"SET k v EX 100 = OK", "SET k w KEEPTTL = OK"}, []string{"0: SET k w KEEPTTL"}, ""},
	{"SETEX becomes SET", []string{"SETEX k 100 v = OK"}, []string{"0: SET k v PXAT @100000"}, ""},
	{"PSETEX becomes SET", []string{"PSETEX k 5000 v = OK"}, []string{"0: SET k v PXAT @5000"}, ""},
	{"SETNX that loses sends nothing", []string{"SETNX k v = 1", "SETNX k w = 0"}, nil, ""},
	{"GETSET becomes SET", []string{"GETSET k v = (nil)"}, []string{"0: SET k v"}, ""},
	{"GETDEL becomes DEL", []string{"SET k v = OK", `GETDEL k = "v"`}, []string{"0: DEL k"}, ""},
	{"GETDEL of nothing sends nothing", []string{"GETDEL k = (nil)"}, nil, ""},
	{"GETEX without options sends nothing", []string{"SET k v = OK", `GETEX k = "v"`}, nil, ""},
	{"GETEX EX becomes PEXPIREAT", []string{"SET k v = OK", `GETEX k EX 100 = "v"`}, []string{"0: PEXPIREAT k @100000"}, ""},
	{"GETEX with a time in the past becomes DEL", []string{"SET k v = OK", `GETEX k EXAT 1 = "v"`}, []string{"0: DEL k"}, ""},
	{"GETEX PERSIST becomes PERSIST", []string{"SET k v EX 100 = OK", `GETEX k PERSIST = "v"`}, []string{"0: PERSIST k"}, ""},
	{"GETEX PERSIST of a key without a time sends nothing", []string{"SET k v = OK", `GETEX k PERSIST = "v"`}, nil, ""},
	{"INCR goes out as it came", []string{"INCR k = 1"}, []string{"0: INCR k"}, ""},
	{"INCRBYFLOAT becomes its result", []string{"SET k 0.1 EX 100 = OK", `INCRBYFLOAT k 0.2 = "0.3"`}, []string{"0: SET k 0.3 KEEPTTL"}, ""},
	{"APPEND goes out as it came", []string{"APPEND k v = 1"}, []string{"0: APPEND k v"}, ""},
	{"SETRANGE of nothing sends nothing", []string{"SET k abc = OK", `SETRANGE k 5 "" = 3`}, nil, ""},
	{"MSET goes out once for all keys", []string{"MSET a 1 b 2 = OK"}, []string{"0: MSET a 1 b 2"}, ""},
	{"MSETNX that loses sends nothing", []string{"SET b 1 = OK", "MSETNX a 1 b 2 = 0"}, nil, ""},
	{"SETBIT that changes nothing sends nothing", []string{"SETBIT k 7 1 = 0", "SETBIT k 7 1 = 1"}, nil, ""},
	{"SETBIT that only makes the string longer is sent", []string{"SETBIT k 7 1 = 0", "SETBIT k 20 0 = 0"}, []string{"0: SETBIT k 20 0"}, ""},
	{"BITFIELD GET sends nothing", []string{"BITFIELD k GET u8 0 = [0]"}, nil, ""},
	{"BITFIELD SET goes out as it came", []string{"BITFIELD k SET u8 0 7 GET u8 0 = [0 7]"}, []string{"0: BITFIELD k SET u8 0 7 GET u8 0"}, ""},
	{"BITOP of nothing removes the target and says so as it came", []string{"SET d v = OK", "BITOP AND d x y = 0"}, []string{"0: BITOP AND d x y"}, ""},
}

var keyEffects = []script{
	{"DEL goes out with the missing keys", []string{"SET b v = OK", "DEL a b = 1"}, []string{"0: DEL a b"}, ""},
	{"DEL of missing keys sends nothing", []string{"DEL a b = 0"}, nil, ""},
	{"EXPIRE becomes PEXPIREAT", []string{"SET k v = OK", "EXPIRE k 100 = 1"}, []string{"0: PEXPIREAT k @100000"}, ""},
	{"EXPIRE keeps its condition", []string{"SET k v = OK", "EXPIRE k 100 NX = 1"}, []string{"0: PEXPIREAT k @100000 NX"}, ""},
	{"EXPIREAT becomes PEXPIREAT", []string{"SET k v = OK", "EXPIREAT k 20000000000 = 1"}, []string{"0: PEXPIREAT k 20000000000000"}, ""},
	{"EXPIRE with a time in the past becomes DEL", []string{"SET k v = OK", "EXPIRE k -1 = 1"}, []string{"0: DEL k"}, ""},
	{"EXPIRE whose condition does not hold sends nothing", []string{"SET k v = OK", "EXPIRE k 100 XX = 0"}, nil, ""},
	{"GT takes no time for the latest of all", []string{"SET k v = OK", "EXPIRE k 100 GT = 0"}, nil, ""},
	{"LT shortens no time at all", []string{"SET k v = OK", "EXPIRE k 100 LT = 1"}, []string{"0: PEXPIREAT k @100000 LT"}, ""},
	{"PERSIST goes out as it came", []string{"SET k v EX 100 = OK", "PERSIST k = 1"}, []string{"0: PERSIST k"}, ""},
	{"RENAME goes out as it came", []string{"SET a v = OK", "RENAME a b = OK"}, []string{"0: RENAME a b"}, ""},
	{"RENAME to itself sends nothing", []string{"SET a v = OK", "RENAME a a = OK"}, nil, ""},
	{"COPY to another database goes out as it came", []string{"SET a v = OK", "COPY a b DB 2 = 1"}, []string{"0: COPY a b DB 2"}, ""},
	{"MOVE goes out as it came", []string{"SET a v = OK", "MOVE a 2 = 1"}, []string{"0: MOVE a 2"}, ""},
	{"SWAPDB goes out as it came", []string{"SWAPDB 0 1 = OK"}, []string{"0: SWAPDB 0 1"}, ""},
	{"FLUSHALL goes out also when there was nothing", []string{"FLUSHALL = OK"}, []string{"0: FLUSHALL"}, ""},
	{"FLUSHDB goes out also when there was nothing", []string{"FLUSHDB ASYNC = OK"}, []string{"0: FLUSHDB ASYNC"}, ""},
	{"RESTORE with a time says that it is absolute",
		[]string{`RESTORE k 5000 "\x00\xc0\x0c\x0a\x00<*\xf8Q\\\x04\xbc\xd5" = OK`},
		[]string{`0: RESTORE k @5000 "\x00\xc0\f\n\x00<*\xf8Q\\\x04\xbc\xd5" ABSTTL`}, ""},
	{"an effect names its database", []string{"SELECT 3 = OK", "SET a v = OK"}, []string{"3: SET a v"}, ""},
}

var expiredEffects = []script{
	{"a reader that finds a key expired sends DEL", []string{"SET k v PXAT 1 = OK", "GET k = (nil)"}, []string{"0: DEL k"}, ""},
	{"DEL and the command that found it go together", []string{"SET k 5 PXAT 1 = OK", "INCR k = 1"},
		[]string{"MULTI", "0: DEL k", "0: INCR k", "EXEC"}, ""},
	{"every reader of many keys sends its DELs together", []string{"SET a 5 PXAT 1 = OK", "SET b 5 PXAT 1 = OK", "MGET a b = [(nil) (nil)]"},
		[]string{"MULTI", "0: DEL a", "0: DEL b", "EXEC"}, ""},
	{"DEL of an expired key is no DEL of the client's", []string{"SET k v PXAT 1 = OK", "DEL k = 0"}, []string{"0: DEL k"}, ""},
	{"an expired key in another database is removed there", []string{"SELECT 2 = OK", "SET k v PXAT 1 = OK", "SELECT 0 = OK",
		"SET k w = OK", "MOVE k 2 = 1"}, []string{"MULTI", "2: DEL k", "0: MOVE k 2", "EXEC"}, ""},
	{"SET over an expired key needs no DEL", []string{"SET k v PXAT 1 = OK", "SET k w = OK"}, []string{"0: SET k w"},
		"it sends DEL and SET together, which makes no difference to a replica"},
}

var replies = []script{
	{"a cut-out may lie outside", []string{"SET k hello = OK", `GETRANGE k 1 -2 = "ell"`, `GETRANGE k 9 20 = ""`, `GETRANGE k -100 0 = "h"`,
		`GETRANGE k -1 -2 = ""`}, nil, ""},
	{"a number has no leading zero", []string{"SET k 010 = OK", "INCR k = ERR value is not an integer or out of range"}, nil, ""},
	{"the largest number has no next", []string{"SET k 9223372036854775807 = OK", "INCR k = ERR increment or decrement would overflow",
		"DECRBY k -9223372036854775808 = ERR decrement would overflow"}, nil, ""},
	{"a time must be positive", []string{"SET k v EX 0 = ERR invalid expire time in 'set' command",
		"SETEX k -1 v = ERR invalid expire time in 'setex' command",
		"SET k v EX 9223372036854775807 = ERR invalid expire time in 'set' command"}, nil, ""},
	{"options exclude each other", []string{"SET k v NX XX = ERR syntax error", "SET k v EX 1 PX 1 = ERR syntax error",
		"SET k v EX 1 KEEPTTL = ERR syntax error", "EXPIRE k 1 NX GT = ERR NX and XX, GT or LT options at the same time are not compatible",
		"EXPIRE k 1 GT LT = ERR GT and LT options at the same time are not compatible"}, nil, ""},
	{"time to live", []string{"TTL k = -2", "SET k v = OK", "TTL k = -1", "EXPIRE k 100 = 1", "TTL k = 100", "PEXPIRETIME k = @100000",
		"EXPIREAT k 20000000000 = 1", "EXPIRETIME k = 20000000000"}, []string{}, ""},
	{"a missing command or argument", []string{"NOSUCH a b = ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ",
		"GET = ERR wrong number of arguments for 'get' command", "OBJECT ENCODING = ERR wrong number of arguments for 'object|encoding' command",
		"OBJECT NOSUCH k = ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP."}, nil, ""},
	{"encodings", []string{"SET k 12 = OK", `OBJECT ENCODING k = "int"`, "APPEND k 3 = 3", `OBJECT ENCODING k = "raw"`, `GET k = "123"`,
		"SET k text = OK", `OBJECT ENCODING k = "embstr"`}, nil, ""},
	{"longest common subsequence", []string{"MSET a ohmytext b mynewtext = OK", `LCS a b = "mytext"`, "LCS a b LEN = 6",
		`LCS a b IDX = ["matches" [[[4 7] [5 8]] [[2 3] [0 1]]] "len" 6]`,
		`LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN = ["matches" [[[4 7] [5 8] 4]] "len" 6]`}, nil, ""},
	{"keys in a command", []string{`COMMAND GETKEYS MSET a 1 b 2 = ["a" "b"]`, `COMMAND GETKEYSANDFLAGS RENAME a b = [["a" [RW access delete]] ["b" [OW update]]]`,
		"COMMAND GETKEYS DBSIZE x = ERR The command has no key arguments", "COMMAND GETKEYS NOSUCH x = ERR Invalid command specified",
		"COMMAND GETKEYS MSET a = ERR Invalid number of arguments specified for command",
		`COMMAND GETKEYS SORT k BY w_* GET x STORE d = ["k" "d"]`}, nil, ""},
	{"a range of bits", []string{"SET k foobar = OK", "BITCOUNT k = 26", "BITCOUNT k 5 30 BIT = 17", "BITPOS k 1 = 1", "BITPOS k 0 2 -1 = 16",
		"SETRANGE k 0 \"\\xff\\xff\\xff\\xff\\xff\\xff\" = 6", "BITPOS k 0 = 48", "BITPOS k 0 0 -1 = -1"}, []string{}, ""},
}

func TestScan(t *testing.T) {
	fill := func(t *testing.T, n int) *subject {
		s := newSubject(t)
		for i := range n {
			s.do([]byte("SET"), fmt.Appendf(nil, "key:%d", i), []byte("v"))
		}
		return s
	}
	scan := func(t *testing.T, s *subject, options string) (keys []string, calls int) {
		cursor := "0"
		for {
			node, _, err := parseReply(s.do(words(t, "SCAN "+cursor+options)...))
			if err != nil || len(node.elems) != 2 {
				t.Fatalf("SCAN %s: %v %v", cursor, node, err)
			}
			keys = append(keys, texts(node.elems[1])...)
			calls++
			if cursor = node.elems[0].text; cursor == "0" {
				slices.Sort(keys)
				return slices.Compact(keys), calls
			}
			if calls > 10000 {
				t.Fatal("SCAN does not come to an end")
			}
		}
	}
	t.Run("an iteration returns every key", func(t *testing.T) {
		keys, calls := scan(t, fill(t, 1000), "")
		if len(keys) != 1000 || calls < 10 {
			t.Errorf("%d keys in %d calls; want 1000 in more than 10", len(keys), calls)
		}
	})
	t.Run("COUNT asks for more in a call", func(t *testing.T) {
		keys, calls := scan(t, fill(t, 1000), " COUNT 5000")
		if len(keys) != 1000 || calls != 1 {
			t.Errorf("%d keys in %d calls; want 1000 in 1", len(keys), calls)
		}
	})
	t.Run("MATCH and TYPE filter", func(t *testing.T) {
		s := fill(t, 200)
		if keys, _ := scan(t, s, " MATCH key:1?"); len(keys) != 10 {
			t.Errorf("keys that match key:1?: %q", keys)
		}
		if keys, _ := scan(t, s, " TYPE hash"); len(keys) != 0 {
			t.Errorf("hashes: %q; want none", keys)
		}
	})
	t.Run("expired keys are not returned, and removed each for itself", func(t *testing.T) {
		s := fill(t, 50)
		s.do(words(t, "SET key:7 v PXAT 1")...)
		s.do(words(t, "SET key:8 v PXAT 1")...)
		s.takeEffects()
		keys, _ := scan(t, s, " COUNT 1000")
		effects := s.takeEffects()
		slices.Sort(effects)
		if len(keys) != 48 || !slices.Equal(effects, []string{"0: DEL key:7", "0: DEL key:8"}) || s.env.Stats.Expired != 2 {
			t.Errorf("%d keys, %d expired, effects %q; want 48, 2 and two DELs", len(keys), s.env.Stats.Expired, effects)
		}
	})
	t.Run("a replica hides expired keys and leaves them alone", func(t *testing.T) {
		s := fill(t, 50)
		s.do(words(t, "SET key:7 v PXAT 1")...)
		s.takeEffects()
		s.call.Expiry = ExpireHide
		keys, _ := scan(t, s, "")
		if len(keys) != 49 || s.takeEffects() != nil || s.env.Keyspace.DB(0).Len() != 50 {
			t.Errorf("%d keys shown, %d held; want 49 and 50", len(keys), s.env.Keyspace.DB(0).Len())
		}
	})
}

func TestRandomKey(t *testing.T) {
	s := newSubject(t)
	if got := spellReply(t, s.do(words(t, "RANDOMKEY")...)); got != "(nil)" {
		t.Errorf("of an empty database: %s", got)
	}
	s.do(words(t, "SET dead v PXAT 1")...)
	s.do(words(t, "SET alive v")...)
	s.takeEffects()
	for range 50 {
		if got := spellReply(t, s.do(words(t, "RANDOMKEY")...)); got != `"alive"` {
			t.Fatalf("got %s; want the only key that is alive", got)
		}
	}
	if got := s.takeEffects(); !slices.Equal(got, []string{"0: DEL dead"}) {
		t.Errorf("effects %q", got)
	}
}

// Whatever runs on a primary, applying its effects makes the same data of a
// replica, expiry times included.
func TestEffectsMakeAReplicaEqual(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			primary, replica := newSubject(t), newSubject(t)
			replica.call.FromPrimary, replica.call.Expiry = true, ExpireIgnore
			primary.env.Effects = applier{t, replica}
			g := newGenerator(1000 + seed)
			g.payloads = [][]byte{[]byte("\x00\xc0\x0c\x0a\x00<*\xf8Q\\\x04\xbc\xd5"), []byte("x")}
			for range 20000 {
				primary.do(g.command()...)
			}
			for db := range 4 {
				compareDatabases(t, primary, replica, db)
			}
		})
	}
}

type applier struct {
	t       *testing.T
	replica *subject
}

func (a applier) Begin() {}
func (a applier) End()   {}
func (a applier) Effect(db int, args [][]byte) {
	a.replica.db = db
	if reply := a.replica.do(args...); reply[0] == '-' {
		a.t.Errorf("the replica refuses %s: %s", spellArgs(args), reply)
	}
}

func compareDatabases(t *testing.T, primary, replica *subject, db int) {
	t.Helper()
	primary.db, replica.db = db, db
	a, b := primary.env.Keyspace.DB(db), replica.env.Keyspace.DB(db)
	if a.Len() != b.Len() {
		t.Errorf("database %d: %d keys on the primary, %d on the replica", db, a.Len(), b.Len())
	}
	for i := range 8 {
		key := fmt.Appendf(nil, "key%d", i)
		x, inA := a.Find(key)
		y, inB := b.Find(key)
		if inA != inB {
			t.Errorf("database %d, %s: on the primary %v, on the replica %v", db, key, inA, inB)
			continue
		}
		if !inA {
			continue
		}
		atA, _ := x.ExpireAt()
		atB, _ := y.ExpireAt()
		if dataset.OfValue(x) != dataset.OfValue(y) || atA != atB {
			t.Errorf("database %d, %s: a %v (%v) until %d on the primary, a %v (%v) until %d on the replica",
				db, key, x.Type(), dataset.OfValue(x), atA, y.Type(), dataset.OfValue(y), atB)
		}
	}
}
