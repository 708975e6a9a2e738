package command

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/rdb"
)

// The same random commands run here and on a real redis-server. Replies must be
// equal byte by byte, the effects command by command with what the real server
// sends to a replica, and so must all data at the end.
//
// Runs with an even seed speak RESP3. LOCKSTEP_SEED=n repeats one run; LOCKSTEP_STEPS=n changes its
// length, and LOCKSTEP_GROUP=name takes only one group of commands.
func TestRandomCommandsBehaveAsOnRedis(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if v := os.Getenv("LOCKSTEP_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("LOCKSTEP_SEED: %v", err)
		}
		seeds = []uint64{n}
	}
	steps := 6000
	if v := os.Getenv("LOCKSTEP_STEPS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("LOCKSTEP_STEPS: %v", err)
		}
		steps = n
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			c := newComparison(t)
			if seed%2 == 0 {
				c.redis.must("HELLO 3")
				c.ours.out.Proto = 3
			}
			g := newGenerator(seed)
			g.only = os.Getenv("LOCKSTEP_GROUP")
			c.run(g, steps)
		})
	}
}

// comparison is a subject beside a real server.
type comparison struct {
	t       *testing.T
	ours    *subject
	redis   *redisServer
	events  []string // ours
	history []string
}

func newComparison(t *testing.T) *comparison {
	c := &comparison{t: t, ours: newSubject(t), redis: startRedis(t)}
	// Otherwise keys vanish when time passes, and not when a command says so.
	c.redis.must("DEBUG SET-ACTIVE-EXPIRE 0")
	c.redis.must("CONFIG SET hz 500") // how soon it notices that a wait is over
	c.redis.attach()
	c.redis.listen()
	c.ours.env.Notify = func(_ EventClass, event string, db int, key []byte) {
		c.events = append(c.events, fmt.Sprintf("%d: %s %q", db, event, key))
	}
	c.ours.env.Keyspace.Added = func(db int, key []byte) { c.ours.env.Notify(EventNew, "new", db, key) }
	return c
}

func (c *comparison) run(g *generator, steps int) {
	g.payloads = c.payloads()
	for i := 0; i < steps && !c.t.Failed(); i++ {
		c.step(g.command())
		if i%500 == 499 {
			c.compareData()
		}
	}
	c.compareData()
}

// payloads are what RESTORE gets: values of every type that the real server has
// serialized in each of its encodings, and damaged ones.
func (c *comparison) payloads() [][]byte {
	many := func(command string, n int) string {
		for i := range n {
			command += fmt.Sprintf(" %d member:%d", i, i)
		}
		return command
	}
	var all [][]byte
	for _, command := range []string{
		`SET source ""`, "SET source 12", "SET source -70000", "SET source 3000000000", "SET source text", "SET source " + strings.Repeat("ab", 300),
		"RPUSH source a 1 b", many("RPUSH source", 80), "SADD source a b", "SADD source 1 70000", many("SADD source", 80),
		"HSET source f v g 5", many("HSET source", 300), "ZADD source 1 a 2.5 b inf c", many("ZADD source", 100), "PFADD source a b",
	} {
		c.redis.must("DEL source")
		c.redis.must(command)
		node, _, err := parseReply(c.redis.do([]byte("DUMP"), []byte("source")))
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, []byte(node.text))
	}
	c.redis.must("DEL source")
	c.forget()
	damaged := bytes.Clone(all[4])
	damaged[2] ^= 1
	return append(all, damaged, []byte("x"), nil,
		sealed("\x04\x00"), sealed("\x63\x00"))
}

// sealed ends a payload as DUMP does.
func sealed(body string) []byte { return rdb.AppendFooter([]byte(body), 0) }

func (c *comparison) step(args [][]byte) {
	c.history = append(c.history, spellArgs(args))
	c.createConsumers(args)
	if name := upper(string(args[0])); (name == "BITCOUNT" || name == "BITPOS") && len(args) > 1 {
		// Redis 7.0 looks the key up, and finds it expired, before it finds the
		// arguments wrong.
		exists := [][]byte{[]byte("EXISTS"), args[1]}
		c.redis.do(exists...)
		c.ours.do(exists...)
		c.forget()
	}
	if name := upper(string(args[0])); name == "SORT" || name == "SORT_RO" {
		// Redis takes an overflow that an earlier command met for one of SORT's
		// weights; reading a score forgets it.
		c.redis.do([]byte("ZADD"), []byte("nosuch"), []byte("XX"), []byte("1"), []byte("m"))
		c.forget()
	}
	theirs := c.redis.do(args...)
	ours := c.ours.do(args...)
	difference := intended(args)
	if !difference.sameReply(args, ours, theirs) {
		c.fail("reply", fmt.Sprintf("%.2000q", ours), fmt.Sprintf("%.2000q", theirs))
	}
	our, their := c.ours.takeEffects(), c.redis.takeEffects()
	if !sameEffects(our, difference.effects(their, our)) {
		c.fail("effects", strings.Join(our, "\n\t"), strings.Join(their, "\n\t"))
	}
	ourEvents, theirEvents := c.events, c.redis.takeEvents()
	c.events = nil
	if !slices.Equal(ourEvents, difference.events(theirEvents, ourEvents)) {
		c.fail("keyspace events", strings.Join(ourEvents, "\n\t"), strings.Join(theirEvents, "\n\t"))
	}
}

func (c *comparison) fail(what, ours, theirs string) {
	c.t.Helper()
	tail := c.history[max(0, len(c.history)-25):]
	c.t.Errorf("%s differs after %d commands\nours:\n\t%s\nredis:\n\t%s\nthe last commands:\n\t%s",
		what, len(c.history), ours, theirs, strings.Join(tail, "\n\t"))
}

// compareData compares all keys with values and expiry times.
func (c *comparison) compareData() {
	c.t.Helper()
	selected := strconv.Itoa(c.ours.db)
	for db := range 4 {
		c.both("SELECT " + strconv.Itoa(db))
		ours, theirs := c.both("KEYS *")
		keys := sortedTexts(c.t, ours)
		if other := sortedTexts(c.t, theirs); !slices.Equal(keys, other) {
			c.fail("set of keys", fmt.Sprintf("%q", keys), fmt.Sprintf("%q", other))
			return
		}
		for _, key := range keys {
			c.compareDigest(db, key)
			c.compareStream(key)
			for _, name := range []string{"GET", "PEXPIRETIME", "STRLEN"} {
				args := [][]byte{[]byte(name), []byte(key)}
				our, their := bytes.Clone(c.ours.do(args...)), c.redis.do(args...)
				if !intended(args).sameReply(args, our, their) {
					c.fail(name+" "+key, string(our), string(their))
				}
			}
		}
	}
	c.both("SELECT " + selected)
	c.forget()
}

// compareDigest compares a value of any type, and whether it expires.
func (c *comparison) compareDigest(db int, key string) {
	c.t.Helper()
	e, ok := c.ours.env.Keyspace.DB(db).Find([]byte(key))
	if !ok {
		return
	}
	ours := dataset.OfValue(e).String()
	node, _, err := parseReply(c.redis.do([]byte("DEBUG"), []byte("DIGEST-VALUE"), []byte(key)))
	if err != nil || len(node.elems) != 1 {
		c.t.Fatalf("DEBUG DIGEST-VALUE %s: %v %v", key, node, err)
	}
	if theirs := node.elems[0].text; ours != theirs {
		dump := func(do func(...[]byte) []byte) string { return fmt.Sprintf("%.2000q", do([]byte("DUMP"), []byte(key))) }
		c.fail(fmt.Sprintf("value of %s (%v) in database %d", key, e.Type(), db), ours+" "+dump(c.ours.do), theirs+" "+dump(c.redis.do))
	}
}

// forget lets effects and events go that the test itself has caused.
func (c *comparison) forget() {
	c.ours.takeEffects()
	c.redis.takeEffects()
	c.redis.takeEvents()
	c.events = nil
}

func (c *comparison) both(line string) (ours, theirs []byte) {
	args := words(c.t, line)
	return bytes.Clone(c.ours.do(args...)), c.redis.do(args...)
}

func sortedTexts(t *testing.T, raw []byte) []string {
	t.Helper()
	node, _, err := parseReply(raw)
	if err != nil {
		t.Fatalf("reply %q: %v", raw, err)
	}
	texts := make([]string, len(node.elems))
	for i, e := range node.elems {
		texts[i] = e.text
	}
	slices.Sort(texts)
	return texts
}

// sameEffects compares lines word by word; two points in time within a few
// seconds of each other are the same, because the two servers do not look at
// the clock at the same instant.
func sameEffects(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool {
		return slices.EqualFunc(strings.Split(x, " "), strings.Split(y, " "), func(v, w string) bool {
			return v == w || nearlySameTime(v, w)
		})
	})
}

const clockTolerance = 10 * time.Second

func nearlySameTime(v, w string) bool {
	a, errA := strconv.ParseInt(v, 10, 64)
	b, errB := strconv.ParseInt(w, 10, 64)
	year2001 := int64(1e12)
	return errA == nil && errB == nil && a > year2001 && b > year2001 && max(a-b, b-a) <= clockTolerance.Milliseconds()
}

// difference is an intended deviation from Redis 7.0, for the commands it names.
type difference struct {
	commands string
	reason   string
	same     func(args [][]byte, ours, theirs replyNode) bool
	// adjust takes from the real server's effects what is not expected here.
	adjust func(theirs, ours []string) []string
}

var differences = []difference{
	{"KEYS", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return slices.Equal(texts(o), texts(th))
	}, nil},
	{"SCAN", "a cursor means something only to the server that gave it; TestScan compares whole iterations",
		func(_ [][]byte, o, th replyNode) bool { return len(o.elems) == len(th.elems) },
		inAnyOrder},
	{"ZADD ZINCRBY ZSCORE ZMSCORE ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZUNION ZINTER ZDIFF ZPOPMIN ZPOPMAX ZMPOP " +
		"BZPOPMIN BZPOPMAX BZMPOP", "scores are spelled with the fewest digits that tell them from others, as in 7.2; 7.0 has 17", sameScores, nil},
	{"ZRANK ZREVRANK", "WITHSCORE came with 7.2", func(args [][]byte, o, _ replyNode) bool { return len(args) == 4 }, nil},
	{"ZRANDMEMBER", "drawn at random", sameShape, nil},
	{"ZSCAN", "a large sorted set is walked in an order of its own, and a cursor means something only to the server that gave it",
		func(args [][]byte, o, th replyNode) bool {
			walked := len(o.elems) == 2 && len(th.elems) == 2
			return walked && (string(args[2]) != "0" || o.elems[0].text != "0" || th.elems[0].text != "0") || sameAnyOrder(args, o, th)
		}, nil},
	{"GEODIST GEOSEARCH GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO",
		"sines and cosines are computed by other programs, which may differ in the last bit", sameDistances, nil},
	{"COMMAND", "where a number of keys is no number, 7.0 reads the digits that it begins with, and the command itself then refuses it",
		func(args [][]byte, o, th replyNode) bool {
			return o.kind == '-' && th.kind == '*' && equalFold(args[1], "GETKEYSANDFLAGS")
		}, nil},
	{"SORT SORT_RO", "the weights of sets and sorted sets are looked up in no promised order", nil, inAnyOrder},
	{"DUMP", "long strings may be compressed or not", func(_ [][]byte, o, th replyNode) bool {
		return o.null == th.null
	}, nil},
	{"TTL EXPIRETIME OBJECT", "the servers do not look at the clock at the same instant; values are not shared here, " +
		"so the reference count is always 1, and a value is not older than its key; whole numbers are held as integers also after INCRBYFLOAT; " +
		"small lists and sets are packed, as in Redis 7.2",
		func(args [][]byte, o, th replyNode) bool {
			if len(args) == 3 && equalFold(args[1], "REFCOUNT") {
				return o.text == "1" && (th.text == "1" || th.text == "2147483647")
			}
			if len(args) == 3 && equalFold(args[1], "IDLETIME") && o.text == "0" {
				return th.kind == ':'
			}
			if len(args) == 3 && equalFold(args[1], "ENCODING") && (o.text == "int" || newerEncoding(args[2], o.text, th.text)) {
				return true
			}
			if len(args) == 3 && equalFold(args[1], "ENCODING") && o.text == "listpack" {
				return th.text == "quicklist" || th.text == "hashtable"
			}
			return within(o, th, 5)
		}, nil},
	{"HKEYS HVALS SMEMBERS SPOP SINTER SUNION SDIFF", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return o.kind == th.kind && slices.Equal(texts(o), texts(th))
	}, nil},
	{"HGETALL", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return o.kind == th.kind && slices.Equal(pairs(o), pairs(th))
	}, nil},
	{"HSCAN SSCAN", "a cursor means something only to the server that gave it, and no order is promised; " +
		"NOVALUES came with Valkey 8", sameScan, nil},
	{"HRANDFIELD SRANDMEMBER", "the servers draw other elements", sameShape, nil},
	{"PTTL PEXPIRETIME", "the servers do not look at the clock at the same instant",
		func(_ [][]byte, o, th replyNode) bool { return within(o, th, clockTolerance.Milliseconds()) }, nil},
	{"BITCOUNT BITPOS", "Redis 7.2 complains of bad arguments also when the key is missing or of another type, 7.0 only afterwards",
		func(_ [][]byte, o, th replyNode) bool {
			return o.kind == '-' && (th.kind == ':' || strings.HasPrefix(th.text, "WRONGTYPE"))
		},
		func(theirs, _ []string) []string { return theirs }},
	{"SET MSET MSETNX GETSET BITOP SETNX SETEX PSETEX", "a key whose time is over is overwritten without a DEL before",
		nil, withoutMissingDeletes},
	{"BLMOVE BRPOPLPUSH", "nobody may wait here, as in a transaction, where the reply is another one than that of a wait in vain",
		func(_ [][]byte, o, th replyNode) bool { return o.null && th.null }, nil},
	{"LPOS", "the lowest integer has no opposite to count from the other end with; 7.0 overflows",
		func(args [][]byte, o, _ replyNode) bool {
			return slices.ContainsFunc(args, func(a []byte) bool { return string(a) == "-9223372036854775808" }) &&
				"ERR "+strings.TrimPrefix(o.text, "ERR ") == string(errCountRange)
		}, withoutMissingDeletes},
	{"BITFIELD", "a string that OVERFLOW FAIL left unchanged but longer is propagated, so that a replica gets as long",
		nil, func(theirs, ours []string) []string {
			for _, line := range theirs {
				if strings.Contains(lower(line), ": bitfield ") {
					return theirs
				}
			}
			return ours
		}},
}

// newerEncoding: Redis 7.2 packs small sets of strings, 7.0 does not.
func newerEncoding(key []byte, ours, theirs string) bool {
	return !strings.HasPrefix(string(key), "hash") && ours == "listpack" && theirs == "hashtable"
}

// pairs are the elements of a reply two by two, sorted.
func pairs(n replyNode) []string {
	var all []string
	for i := 0; i+1 < len(n.elems); i += 2 {
		all = append(all, fmt.Sprintf("%q %q", n.elems[i].text, n.elems[i+1].text))
	}
	slices.Sort(all)
	return all
}

func sameScan(args [][]byte, o, th replyNode) bool {
	if len(o.elems) != 2 || len(th.elems) != 2 {
		return slices.ContainsFunc(args, func(a []byte) bool { return equalFold(a, "NOVALUES") })
	}
	if o.elems[0].text != "0" || th.elems[0].text != "0" {
		return true // a part, and not the same one
	}
	if upper(string(args[0])) == "HSCAN" {
		return slices.Equal(pairs(o.elems[1]), pairs(th.elems[1]))
	}
	return slices.Equal(texts(o.elems[1]), texts(th.elems[1]))
}

// sameShape compares everything of two replies but texts.
func sameShape(args [][]byte, o, th replyNode) bool {
	return o.kind == th.kind && o.null == th.null && o.kind != '-' &&
		slices.EqualFunc(o.elems, th.elems, func(a, b replyNode) bool { return sameShape(args, a, b) })
}

func intended(args [][]byte) difference {
	name := upper(string(args[0]))
	for _, d := range differences {
		if slices.Contains(strings.Fields(d.commands), name) {
			return d
		}
	}
	return difference{}
}

func (d difference) sameReply(args [][]byte, ours, theirs []byte) bool {
	if bytes.Equal(ours, theirs) {
		return true
	}
	if d.same == nil {
		return false
	}
	o, _, err1 := parseReply(ours)
	th, _, err2 := parseReply(theirs)
	return err1 == nil && err2 == nil && d.same(args, o, th)
}

func (d difference) effects(theirs, ours []string) []string {
	if d.adjust == nil {
		return theirs
	}
	return d.adjust(theirs, ours)
}

// events takes from the real server's events those that come of finding a key
// expired, or not at all, where we do not look for it.
func (d difference) events(theirs, ours []string) []string {
	if d.adjust == nil {
		return theirs
	}
	if d.commands == "BITFIELD" && len(ours) == len(theirs)+1 && slices.Equal(ours[:len(theirs)], theirs) {
		return ours // it is an event that the string has become longer
	}
	kept := slices.DeleteFunc(slices.Clone(theirs), func(line string) bool {
		return (strings.Contains(line, ": expired ") || strings.Contains(line, ": keymiss ")) && !slices.Contains(ours, line)
	})
	if slices.Equal(slices.Sorted(slices.Values(kept)), slices.Sorted(slices.Values(ours))) {
		return ours // SCAN meets keys in another order
	}
	return kept
}

func texts(n replyNode) []string {
	var all []string
	for _, e := range n.elems {
		all = append(all, e.text)
	}
	slices.Sort(all)
	return all
}

func within(o, th replyNode, tolerance int64) bool {
	a, err1 := strconv.ParseInt(o.text, 10, 64)
	b, err2 := strconv.ParseInt(th.text, 10, 64)
	return o.kind == ':' && th.kind == ':' && err1 == nil && err2 == nil && (a < 0) == (b < 0) &&
		a-b <= tolerance && b-a <= tolerance
}

// inAnyOrder takes the effects of the real server in our order.
func inAnyOrder(theirs, ours []string) []string {
	if slices.Equal(slices.Sorted(slices.Values(theirs)), slices.Sorted(slices.Values(ours))) {
		return ours
	}
	return theirs
}

// withoutMissingDeletes drops DELs that only the real server sent, and MULTI and
// EXEC if less than two commands are left between them.
func withoutMissingDeletes(theirs, ours []string) []string {
	var kept []string
	for _, line := range theirs {
		if line == "MULTI" || line == "EXEC" || (strings.Contains(line, ": DEL ") && !slices.Contains(ours, line)) {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) > 1 {
		kept = append(append([]string{"MULTI"}, kept...), "EXEC")
	}
	return kept
}

// generator makes random commands that often meet the same few keys.
type generator struct {
	rand     *rand.Rand
	group    commandGroup // of the command being made
	times    int64        // given out so far
	entries  int          // of streams: the highest time in their IDs
	payloads [][]byte
	only     string // the name of a group of commands; empty: all
}

func newGenerator(seed uint64) *generator {
	return &generator{rand: rand.New(rand.NewPCG(seed, 7))}
}

// templates are commands with placeholders: k a key, v a value, n an integer,
// s a small integer, t a time to live in seconds, m in milliseconds, S and M
// points in time, f a float, g a pattern, d a database, o a bit offset, w a
// field's type, r a payload, c a cursor. "[a|b]" takes one of the alternatives,
// an empty one included; "(x)*" repeats.
var templates = strings.Split(strings.TrimSpace(`
GET k
GET k
SET k v
SET k v
SET k v [|NX|XX] [|GET] [|EX t|PX m|EXAT S|PXAT M|KEEPTTL] [||nx|get|PXAT 1|XX|EX n]
SET k v PXAT 1
SETNX k v
SETEX k [t|t|n] v
PSETEX k [m|m|n] v
GETSET k v
GETDEL k
GETEX k [|EX t|PX m|EXAT S|PXAT M|PERSIST|EXAT 1|PXAT 5|EX n] [|||PERSIST|XX]
MGET (k)*
MSET (k v)* [|||v]
MSETNX (k v)* [|||v]
APPEND k v
STRLEN k
SETRANGE k [s|s|s|n] v
GETRANGE k [s|s|n] [s|s|n]
SUBSTR k s s
INCR k
DECR k
INCRBY k [n|s]
DECRBY k [n|s]
INCRBYFLOAT k [f|f|n|v]
LCS k k [|LEN|IDX] [|WITHMATCHLEN] [|MINMATCHLEN s] [||||IDX]
DEL (k)*
UNLINK (k)*
EXISTS (k)*
TOUCH (k)*
TYPE k
RENAME k k
RENAMENX k k
COPY k k [|REPLACE] [|DB d]
MOVE k d
EXPIRE k [t|t|n] [|NX|XX|GT|LT] [|||NX|GT|XX|zz]
PEXPIRE k [m|m|n] [|NX|XX|GT|LT]
EXPIREAT k [S|S|n|5] [|NX|XX|GT|LT]
PEXPIREAT k [M|M|n|5] [|NX|XX|GT|LT]
TTL k
PTTL k
EXPIRETIME k
PEXPIRETIME k
PERSIST k
KEYS g
SCAN c COUNT 1000 [|MATCH g] [|COUNT s|COUNT 0|COUNT x] COUNT 1000 [|TYPE string|TYPE hash] [||||zz]
OBJECT ENCODING k
OBJECT REFCOUNT k
OBJECT IDLETIME k
OBJECT FREQ k
OBJECT zz k
DUMP k
RESTORE k [0|0|m|n] r [|REPLACE] [|IDLETIME s|FREQ s|FREQ n]
RESTORE k [M|5|n] r ABSTTL [|REPLACE]
SORT k [|ASC|ALPHA|LIMIT 0 5|STORE k|BY v|zz]
DBSIZE
SELECT d
SWAPDB d d
SWAPDB [n|d] [v|d]
FLUSHDB [|ASYNC|SYNC|zz]
SETBIT k o [0|1|1|s]
GETBIT k o
BITCOUNT k [|s s|s s BIT|s s BYTE|s|s s zz|n n]
BITPOS k [0|1|s] [|s|s s|s s BIT|s s BYTE|s s zz]
BITOP [AND|OR|XOR|NOT|zz] k (k)*
BITFIELD k (b)*
BITFIELD k (b)*
BITFIELD k OVERFLOW [WRAP|SAT|FAIL] (b)*
BITFIELD_RO k [|GET w o|GET w o GET w o|SET w o s]
COMMAND COUNT n
COMMAND GETKEYS SET k v
COMMAND GETKEYS MSET (k v)*
COMMAND GETKEYSANDFLAGS [SET k v|SET k v GET|COPY k k|GETEX k|BITFIELD k|SORT k STORE k]
COMMAND LIST zz
nosuch k v
`), "\n")

func (g *generator) command() [][]byte {
	args := g.fill(g.template())
	if mayWait(args[0]) || drawsAtRandom(args[0]) || addsToFlat(args) {
		return args
	}
	switch g.rand.IntN(40) {
	case 0:
		// COMMAND would list all commands, SCAN expire keys here and there.
		if !equalFold(args[0], "COMMAND") && !equalFold(args[0], "SCAN") {
			args = args[:1+g.rand.IntN(len(args))]
		}
	case 1:
		args = append(args, g.value())
	case 2:
		i := g.rand.IntN(len(args))
		if i > 0 {
			args[i] = g.value()
		}
	case 3:
		args[0] = []byte(lower(string(args[0])))
	}
	return g.longTimes(args)
}

// longTimes makes times to live long enough to outlive the test, and different
// from each other: a key that dies between two commands, or gets the same time
// twice, would make the result depend on the clock.
func (g *generator) longTimes(args [][]byte) [][]byte {
	name := upper(string(args[0]))
	for i := range args {
		relative := i == 2 && slices.Contains([]string{"EXPIRE", "PEXPIRE", "SETEX", "PSETEX", "RESTORE"}, name)
		if i > 2 && (name == "SET" || name == "GETEX") {
			relative = equalFold(args[i-1], "EX") || equalFold(args[i-1], "PX")
		}
		limit := int64(1000000)
		if name == "EXPIRE" || name == "PEXPIRE" { // compare times
			limit = 1e18
		}
		if n, ok := parseInt(args[i]); relative && ok && n > 0 && n < limit {
			args[i] = []byte(strconv.FormatInt(g.seconds()*1000, 10))
		}
	}
	return args
}

// fill replaces the placeholders of a template.
func (g *generator) fill(line string) [][]byte {
	var args [][]byte
	for len(line) > 0 {
		switch {
		case line[0] == ' ':
			line = line[1:]
		case line[0] == '[':
			end := strings.IndexByte(line, ']')
			choices := strings.Split(line[1:end], "|")
			args = append(args, g.fill(choices[g.rand.IntN(len(choices))])...)
			line = line[end+1:]
		case line[0] == '(':
			end := strings.Index(line, ")*")
			for range 1 + g.rand.IntN(3) {
				args = append(args, g.fill(line[1:end])...)
			}
			line = line[end+2:]
		default:
			word, rest, _ := strings.Cut(line, " ")
			args, line = append(args, g.word(word)...), rest
		}
	}
	return args
}

func (g *generator) word(w string) [][]byte {
	if len(w) > 1 && w[0] != '~' {
		return one(w)
	}
	if g.group.word != nil {
		if args, ok := g.group.word(g, w); ok {
			return args
		}
	}
	now := time.Now().UnixMilli()
	switch w {
	case "k":
		return one(fmt.Sprintf("key%d", g.rand.IntN(8)))
	case "v":
		return [][]byte{g.value()}
	case "n":
		return one(g.pick(integers))
	case "s":
		return one(strconv.Itoa(g.rand.IntN(40) - 12))
	case "t":
		return one(strconv.FormatInt(g.seconds(), 10))
	case "m":
		return one(strconv.FormatInt(g.seconds()*1000, 10))
	case "S":
		return one(strconv.FormatInt(now/1000+g.seconds(), 10))
	case "M":
		return one(strconv.FormatInt(now+g.seconds()*1000, 10))
	case "f":
		return one(g.pick(floats))
	case "g":
		return one(g.pick(globs))
	case "d":
		return one(strconv.Itoa(g.rand.IntN(4)))
	case "o":
		return one(g.pick([]string{"0", "1", "7", "8", "13", "100", "300", "-1", "#1", "x", "4294967296"}))
	case "w":
		return one(g.pick([]string{"u8", "i8", "u1", "i1", "u63", "i64", "i5", "u13", "u64", "i65", "u0", "8"}))
	case "r":
		return [][]byte{g.payloads[g.rand.IntN(len(g.payloads))]}
	case "c":
		return one(g.pick([]string{"0", "0", "0", "", "x", "-", "18446744073709551616"}))
	case "b":
		return g.fill([]string{"GET w o", "SET w o n", "SET w o s", "INCRBY w o n", "INCRBY w o s",
			"OVERFLOW [WRAP|SAT|FAIL|FAIL|zz]"}[g.rand.IntN(6)])
	}
	return one(w)
}

// seconds is a time to live that was not given out before, nor anything within
// a minute of it.
func (g *generator) seconds() int64 {
	g.times++
	return 1000000 - 1000000*(g.times&1) + 10000 + g.times*60
}

func one(s string) [][]byte { return [][]byte{[]byte(s)} }

func (g *generator) pick(from []string) string { return from[g.rand.IntN(len(from))] }

var (
	integers = []string{"0", "1", "-1", "5", "100", "-300", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "9223372036854775", "-9223372036854775", "012", "+1", "", " 1", "1 ", "1.5", "x", "2147483648"}
	floats = []string{"0.1", "0.2", "1e3", "-3.14159", "1e-5", "5e300", "1e4000", "1e5000", "inf", "-inf", "nan", "0x1p4",
		"0x1.8", "0x", ".5", "5.", ".", "1e", "", "3.0", "1.00000000000000000001", "123456789012345678", "-0", "1e17",
		"0.00000000000000001", "1_000", " 1", "1 ", "+2", "infinity", "1e-5000", "99999999999999999999999.5", "0b1", "1p3"}
	globs = []string{"*", "key*", "key?", "key[0-3]", "key[^0-3]", "k*y*", "\\k*", "[k]*", "key[", "*[7", "**1", "", "?"}
	plain = []string{"", "a", "abc", "ohmytext", "mynewtext", "foobar", "hello world", "\x00\xff\r\n", "12345678901234567890",
		strings.Repeat("x", 44), strings.Repeat("y", 45), strings.Repeat("long ", 40), "10", "3", "3.5", "\xff\xf0\x00"}
)

func (g *generator) value() []byte {
	switch g.rand.IntN(6) {
	case 0:
		return []byte(g.pick(integers))
	case 1:
		return []byte(g.pick(floats))
	case 2:
		return []byte(strconv.Itoa(g.rand.IntN(20000) - 10000))
	case 3:
		b := make([]byte, g.rand.IntN(30))
		for i := range b {
			b[i] = byte(g.rand.Uint32())
		}
		return b
	}
	return []byte(g.pick(plain))
}
