package command

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/rdb"
)

// The same random commands run here and on a real redis-server. Replies must be
// equal byte by byte, the effects command by command with what the real server
// sends to a replica, the keyspace events one by one, and so must all data in
// between and at the end. What differs on purpose is in the tables of
// differences_test.go and of the groups, with the reason.
//
// Runs with an even seed speak RESP3. LOCKSTEP_SEED=n repeats one run; LOCKSTEP_SECONDS=n
// goes on with new seeds for so long, from LOCKSTEP_FIRST_SEED on and up to
// LOCKSTEP_LAST_SEED if these are set; LOCKSTEP_STEPS=n changes the length of a run,
// and LOCKSTEP_GROUP=name takes only one group of commands.
// When a run fails, the commands that are not needed for that are left out of the
// report.
func TestRandomCommandsBehaveAsOnRedis(t *testing.T) {
	RunDifferential(t, Differential{Steps: 6000, Seeds: []uint64{1, 2, 3}, Start: func(t *testing.T) (side, side) {
		return newSubject(t), startRedis(t)
	}})
}

// Differential says what is compared and for how long.
type Differential struct {
	Steps int      // of one run
	Seeds []uint64 // one run each, unless the environment says otherwise
	// Start begins with empty servers: ours and the real one.
	Start func(*testing.T) (ours, redis side)
	// Whole has commands drawn that need a server around them: transactions and
	// scripts.
	Whole bool
}

// RunDifferential runs all seeds.
func RunDifferential(t *testing.T, d Differential) {
	steps := int(variable(t, "LOCKSTEP_STEPS", uint64(d.Steps)))
	seconds := time.Duration(variable(t, "LOCKSTEP_SECONDS", 0)) * time.Second
	seeds := d.Seeds
	if seed := variable(t, "LOCKSTEP_SEED", 0); seed != 0 {
		seeds, seconds = []uint64{seed}, 0
	}
	first := variable(t, "LOCKSTEP_FIRST_SEED", uint64(time.Now().UnixNano())%1e12)
	last := variable(t, "LOCKSTEP_LAST_SEED", math.MaxUint64)
	begin := time.Now()
	for i := 0; seconds > 0 && time.Since(begin) < seconds || seconds == 0 && i < len(seeds); i++ {
		seed := first + uint64(i)
		if seed > last {
			return
		}
		if seconds == 0 {
			seed = seeds[i]
		}
		if ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { d.run(t, seed, steps) }); !ok {
			return
		}
	}
}

func variable(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func (d Differential) run(t *testing.T, seed uint64, steps int) {
	t.Helper()
	c := d.compare(t, seed)
	g := newGenerator(seed)
	g.whole, g.only = d.Whole, os.Getenv("LOCKSTEP_GROUP")
	c.run(g, steps)
	if c.found == "" {
		return
	}
	found := c.found
	history := shrink(c.history, func(shorter [][][]byte) bool {
		again := d.compare(t, seed)
		defer again.close()
		again.replay(shorter)
		if again.found == "" {
			return false
		}
		found = again.found
		return true
	})
	t.Errorf("%s\nLOCKSTEP_SEED=%d runs it again; it takes %d of the %d commands:\n\t%s",
		found, seed, len(history), len(c.history), strings.Join(spellAll(history), "\n\t"))
}

// compare begins a comparison with empty servers.
func (d Differential) compare(t *testing.T, seed uint64) *comparison {
	ours, redis := d.Start(t)
	c := newComparison(t, ours, redis)
	for name, value := range limitsOf(seed) {
		ours.limit(name, value)
		redis.limit(name, value)
	}
	if seed%2 == 0 {
		c.speakRESP3()
	}
	return c
}

func spellAll(history [][][]byte) []string {
	lines := make([]string, len(history))
	for i, args := range history {
		lines[i] = spellArgs(args)
	}
	return lines
}

// side is one of the two servers that are compared.
type side interface {
	// do runs a command and returns the bytes of the reply, which are valid until
	// the next call.
	do(args ...[]byte) []byte
	// takeEffects and takeEvents return what has gone to replicas, and the keyspace
	// events, since the last call: in the form of effectLog, and as "db: event key".
	takeEffects() []string
	takeEvents() []string
	// digest is that of DEBUG DIGEST-VALUE, for a key of the selected database.
	digest(key string) string
	// prepare has effects and events recorded.
	prepare()
	// elsewhere is do for another client, which has selected a database.
	elsewhere(db int, args ...[]byte) []byte
	// limit sets up to where collections are packed: a directive of Limits.
	limit(directive string, value int)
	speakRESP3()
	close()
}

// comparison is a side beside a real server.
type comparison struct {
	t       *testing.T
	ours    side
	redis   side
	db      int // that is selected
	history [][][]byte
	found   string // the first difference
}

func newComparison(t *testing.T, ours, redis side) *comparison {
	ours.prepare()
	redis.prepare()
	return &comparison{t: t, ours: ours, redis: redis}
}

func (c *comparison) speakRESP3() {
	c.ours.speakRESP3()
	c.redis.speakRESP3()
}

func (c *comparison) close() {
	c.ours.close()
	c.redis.close()
}

func (c *comparison) run(g *generator, steps int) {
	g.payloads = c.payloads()
	for i := 0; (i < steps || g.busy()) && c.found == ""; i++ {
		c.step(g.command())
		if i%500 == 499 && !g.busy() {
			c.compareData()
		}
	}
	c.compareData()
	if c.found == "" {
		c.exchange()
	}
}

// replay runs commands again, some of which may be missing.
func (c *comparison) replay(history [][][]byte) {
	for _, args := range history {
		if c.step(args); c.found != "" {
			return
		}
	}
	c.both("DISCARD")
	c.compareData()
	if c.found == "" {
		c.exchange()
	}
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
		c.redis.do([]byte("DEL"), []byte("source"))
		c.redis.do(words(c.t, command)...)
		node, _, err := parseReply(c.redis.do([]byte("DUMP"), []byte("source")))
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, []byte(node.text))
	}
	c.redis.do([]byte("DEL"), []byte("source"))
	c.forget()
	damaged := bytes.Clone(all[4])
	damaged[2] ^= 1
	return append(all, damaged, []byte("x"), nil,
		sealed("\x04\x00"), sealed("\x63\x00"))
}

// sealed ends a payload as DUMP does.
func sealed(body string) []byte { return rdb.AppendFooter([]byte(body), 0) }

func (c *comparison) step(args [][]byte) {
	c.history = append(c.history, args)
	c.createConsumers(args)
	c.workAround(args)
	if name := args[0]; string(name) == elsewhere {
		args = args[1:]
		c.compareReplies(args, c.ours.elsewhere(c.db, args...), c.redis.elsewhere(c.db, args...))
		return
	}
	theirs := c.redis.do(args...)
	ours := c.ours.do(args...)
	if equalFold(args[0], "SELECT") && string(theirs) == "+OK\r\n" && string(ours) == "+OK\r\n" {
		c.db, _ = strconv.Atoi(string(args[1]))
	}
	if equalFold(args[0], "SCAN") && theirs[0] == '*' && ours[0] == '*' {
		// A part of the keys are other ones on each side, and so are those among
		// them whose time is over and that go by it: have all of them go.
		theirs, ours = bytes.Clone(theirs), bytes.Clone(ours)
		all := [][]byte{[]byte("SCAN"), []byte("0"), []byte("COUNT"), []byte("1000000")}
		c.redis.do(all...)
		c.ours.do(all...)
	}
	c.compareReplies(args, ours, theirs)
	c.packAgain(args)
}

// compareReplies compares them, and what else has come of a command.
func (c *comparison) compareReplies(args [][]byte, ours, theirs []byte) {
	difference := intended(args)
	if !difference.sameReply(args, ours, theirs) {
		c.fail("reply to "+spellArgs(args), fmt.Sprintf("%.2000q", ours), fmt.Sprintf("%.2000q", theirs))
	}
	our, their := c.ours.takeEffects(), c.redis.takeEffects()
	if !sameEffects(our, difference.effects(their, our)) {
		c.fail("effects of "+spellArgs(args), strings.Join(our, "\n\t"), strings.Join(their, "\n\t"))
	}
	ourEvents, theirEvents := c.ours.takeEvents(), c.redis.takeEvents()
	if !slices.Equal(ourEvents, difference.events(theirEvents, ourEvents)) {
		c.fail("keyspace events of "+spellArgs(args), strings.Join(ourEvents, "\n\t"), strings.Join(theirEvents, "\n\t"))
	}
}

// packAgain undoes what SORT does to a small sorted set on Redis: it is unpacked
// for good, although it was only read.
func (c *comparison) packAgain(args [][]byte) {
	if !equalFold(args[0], "SORT") && !equalFold(args[0], "SORT_RO") || len(args) < 2 {
		return
	}
	key := args[1]
	encoding := [][]byte{[]byte("OBJECT"), []byte("ENCODING"), key}
	ours, theirs := string(c.ours.do(encoding...)), string(c.redis.do(encoding...))
	if ours == "$8\r\nlistpack\r\n" && theirs == "$8\r\nskiplist\r\n" {
		dump, _, err := parseReply(c.redis.do([]byte("DUMP"), key))
		if err != nil {
			c.t.Fatal(err)
		}
		expires, _, err := parseReply(c.redis.do([]byte("PEXPIRETIME"), key))
		if err != nil {
			c.t.Fatal(err)
		}
		c.redis.do([]byte("RESTORE"), key, []byte(strings.Replace(expires.text, "-1", "0", 1)), []byte(dump.text), []byte("REPLACE"), []byte("ABSTTL"))
	}
	c.forget()
}

// workAround makes up for what Redis 7.0 does by accident.
func (c *comparison) workAround(args [][]byte) {
	if name := upper(string(args[0])); name == "SORT" || name == "SORT_RO" {
		// Redis takes an overflow that an earlier command met for one of SORT's
		// weights; reading a score forgets it.
		c.redis.do([]byte("ZADD"), []byte("nosuch"), []byte("XX"), []byte("1"), []byte("m"))
		c.forget()
	}
	if name := upper(string(args[0])); (name == "BITCOUNT" || name == "BITPOS") && len(args) > 1 {
		// Redis 7.0 looks the key up, and finds it expired, before it finds the
		// arguments wrong.
		exists := [][]byte{[]byte("EXISTS"), args[1]}
		c.redis.do(exists...)
		c.ours.do(exists...)
		c.forget()
	}
}

// fail notes a difference; the first one counts.
func (c *comparison) fail(what, ours, theirs string) {
	if c.found == "" {
		c.found = fmt.Sprintf("%s: ours:\n\t%s\nredis:\n\t%s", what, ours, theirs)
	}
}

// compareData compares all keys with values and expiry times.
func (c *comparison) compareData() {
	c.t.Helper()
	for db := range 4 {
		c.both("SELECT " + strconv.Itoa(db))
		ours, theirs := c.both("KEYS *")
		keys := sortedTexts(c.t, ours)
		if other := sortedTexts(c.t, theirs); !slices.Equal(keys, other) {
			c.fail("set of keys", fmt.Sprintf("%q", keys), fmt.Sprintf("%q", other))
			return
		}
		for _, key := range keys {
			c.compareKey(db, key)
		}
	}
	c.both("SELECT " + strconv.Itoa(c.db))
	c.forget()
}

// compareKey compares a value of any type, and when it expires.
func (c *comparison) compareKey(db int, key string) {
	c.t.Helper()
	if ours, theirs := c.ours.digest(key), c.redis.digest(key); ours != theirs {
		dump := func(s side) string { return fmt.Sprintf("%.2000q", s.do([]byte("DUMP"), []byte(key))) }
		c.fail(fmt.Sprintf("value of %s in database %d", key, db), ours+" "+dump(c.ours), theirs+" "+dump(c.redis))
	}
	for _, name := range []string{"TYPE", "GET", "PEXPIRETIME"} {
		args := [][]byte{[]byte(name), []byte(key)}
		our, their := bytes.Clone(c.ours.do(args...)), c.redis.do(args...)
		if !intended(args).sameReply(args, our, their) {
			c.fail(name+" "+key, string(our), string(their))
		}
	}
	c.compareStream(key)
}

// forget lets effects and events go that the test itself has caused.
func (c *comparison) forget() {
	for _, s := range []side{c.ours, c.redis} {
		s.takeEffects()
		s.takeEvents()
	}
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
