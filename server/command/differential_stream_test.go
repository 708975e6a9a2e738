package command

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store"
)

// streamTemplates are commands on streams. ~s is a key that mostly holds a stream,
// ~id an ID, ~end one end of a range, ~new the ID for a new entry, ~top one that is
// hardly smaller than any, ~entry fields and
// values, ~g the name of a group, ~c that of a consumer, ~n a small number. ~idle
// and ~age are times to be idle, none or ages, so that it does not matter when the
// servers look at the clock.
var streamTemplates = lines(`
XADD ~s ~new ~entry
XADD ~s ~new ~entry
XADD ~s ~new ~entry
XADD ~s ~new ~entry
XADD ~s ~new ~entry
XADD ~s ~new ~entry
XADD ~s [|NOMKSTREAM] [|MAXLEN ~n|MAXLEN = ~n|MAXLEN ~ ~n|MAXLEN ~ ~n LIMIT s|MINID ~id|MINID ~ ~id|MINID ~ ~id LIMIT ~n|MINID = ~id|LIMIT ~n] ~new ~entry
XADD ~s [NOMKSTREAM|nomkstream|MAXLEN 5 MINID 3|LIMIT 0|MAXLEN n] ~new [~entry|v|]
XADD k ~new ~entry
XLEN ~s
XLEN k
XRANGE ~s ~end ~end [|COUNT s|COUNT n|COUNT|zz]
XREVRANGE ~s ~end ~end [|COUNT s|COUNT n|COUNT 3]
XRANGE ~s - + [|COUNT ~n]
XREVRANGE ~s + - [|COUNT ~n]
XDEL ~s (~id)*
XDEL ~s ~id
XTRIM ~s [MAXLEN|MINID] [|~|=] [~n|~id] [|||LIMIT ~n|LIMIT s|zz]
XTRIM ~s [MAXLEN ~n|MINID ~id]
XSETID ~s [~top|~top|~top|-|x] [|||ENTRIESADDED ~n|ENTRIESADDED n|MAXDELETEDID ~id] [||MAXDELETEDID ~id|zz]
XREAD [|COUNT ~n] [||BLOCK 1|BLOCK -1] STREAMS [~s ~id|~s ~s ~id ~id|~s $|~s ~s $ ~id|~s >|~s k ~id]
XREAD [GROUP ~g ~c|NOACK|zz|COUNT n] STREAMS ~s ~id
XGROUP CREATE ~s ~g [~id|$|0|0] [||MKSTREAM|MKSTREAM] [|||ENTRIESREAD ~n|ENTRIESREAD n] [||||zz|MKSTREAM]
XGROUP CREATE ~s ~g [0|$|~id] MKSTREAM
XGROUP CREATE ~s ~g [0|$|~id]
XGROUP SETID ~s ~g [~id|$|0|-|+] [|||ENTRIESREAD ~n|ENTRIESREAD n|MKSTREAM]
XGROUP DESTROY ~s ~g
XGROUP CREATECONSUMER ~s ~g ~c
XGROUP DELCONSUMER ~s ~g ~c
XREADGROUP GROUP ~g ~c [|COUNT ~n] [|||NOACK] STREAMS ~s [>|>|>|0|~id|$]
XREADGROUP GROUP ~g ~c [|COUNT ~n] [|||NOACK] STREAMS ~s >
XREADGROUP GROUP ~g ~c COUNT 2 STREAMS ~s >
XREADGROUP GROUP ~g ~c [||BLOCK 1] [|NOACK] STREAMS ~s ~s > [>|~id]
XREADGROUP [NOACK|GROUP ~g ~c|COUNT ~n] [COUNT ~n|zz] STREAMS ~s >
XACK ~s ~g (~id)*
XACK ~s ~g (~id)*
XCLAIM ~s ~g ~c ~idle (~id)* [||JUSTID|FORCE] [||IDLE ~age|TIME n|TIME 5|IDLE n] [|||RETRYCOUNT ~n|RETRYCOUNT n] [|||LASTID ~id] [|||FORCE JUSTID|zz]
XCLAIM ~s ~g ~c ~idle (~id)* FORCE
XAUTOCLAIM ~s ~g ~c ~idle [0|~id|~end|-] [|COUNT ~n|COUNT 9223372036854775807|COUNT 2] [||JUSTID] [||||zz]
XPENDING ~s ~g
XPENDING ~s ~g [|IDLE ~idle] ~end ~end [~n|n|10] [|~c] [||||zz]
XPENDING ~s ~g - + 100
XPENDING ~s ~g [-|IDLE ~idle -|- +]
XINFO STREAM ~s [||FULL|FULL COUNT ~n|FULL COUNT n|zz]
XINFO STREAM k
XINFO GROUPS ~s
XINFO CONSUMERS ~s ~g
XINFO [zz ~s|GROUPS ~s ~g|CONSUMERS ~s]
XGROUP [zz ~s ~g|DESTROY ~s|SETID ~s ~g]
DEL ~s
SET ~s v
RENAME ~s ~s
COPY ~s ~s [|REPLACE]
OBJECT ENCODING ~s
TYPE ~s
MOVE ~s d
DUMP ~s
COMMAND [GETKEYS|GETKEYSANDFLAGS] XREAD [|COUNT 5|BLOCK 1] STREAMS [~s ~id|~s k $ 0|~s k 0|k]
COMMAND [GETKEYS|GETKEYSANDFLAGS] XREADGROUP GROUP [~g|STREAMS] [~c|STREAMS] [|NOACK] STREAMS [~s >|~s k > 0]
COMMAND [GETKEYS|GETKEYSANDFLAGS] [XADD ~s 1-1 a b|XGROUP CREATE ~s ~g 0|XCLAIM ~s ~g ~c 0 ~id|XINFO STREAM ~s|XPENDING ~s ~g]
`)

// streamWord fills in the placeholders of streamTemplates. IDs grow slowly, so that
// most of those that are named were given out a while ago.
func streamWord(g *generator, w string) (args [][]byte, ok bool) {
	small := g.rand.IntN(4)
	switch w {
	case "~s":
		return one(fmt.Sprintf("stream%d", g.rand.IntN(6))), true
	case "~id":
		return one(g.streamID()), true
	case "~end":
		switch small {
		case 0:
			return one(g.pick([]string{"-", "+", "(", "(-", "(18446744073709551615-18446744073709551615", "(0-0", "(5"})), true
		case 1:
			return one("(" + g.streamID()), true
		}
		return one(g.streamID()), true
	case "~new":
		return one(g.newStreamID()), true
	case "~top":
		return one(fmt.Sprintf("%d-%d", g.entries, 3+small)), true
	case "~entry":
		args = [][]byte{[]byte("a"), g.value()}
		if small > 0 {
			args = append(args, []byte("b"), []byte(strconv.Itoa(g.rand.IntN(300)-20)))
		}
		if g.rand.IntN(8) == 0 {
			args = append(args, g.value(), g.value())
		}
		return args, true
	case "~g":
		return one(g.pick([]string{"g1", "g1", "g2", "12"})), true
	case "~c":
		return one(g.pick([]string{"c1", "c2", "c3", "7"})), true
	case "~idle":
		return one(g.pick([]string{"0", "0", "500000", "-1", "x"})), true
	case "~age":
		return one(g.pick([]string{"1000000", "0", "-5"})), true
	case "~n":
		return one(strconv.Itoa(g.rand.IntN(12))), true
	}
	return nil, false
}

func (g *generator) streamID() string {
	ms := max(0, g.entries-g.rand.IntN(40)+2)
	switch g.rand.IntN(12) {
	case 0:
		return strconv.Itoa(ms)
	case 1:
		return g.pick([]string{"-", "+", "0", "0-0", "x", "1-", "-1", "5-*", "", "18446744073709551615-18446744073709551615",
			"18446744073709551616", "007-01", "+5-1", " 5", "1-1-1", "99999999"})
	}
	return fmt.Sprintf("%d-%d", ms, g.rand.IntN(4))
}

func (g *generator) newStreamID() string {
	g.entries += g.rand.IntN(2)
	switch g.rand.IntN(20) {
	case 0:
		return g.streamID()
	case 1, 2:
		return fmt.Sprintf("%d-%d", g.entries, g.rand.IntN(4))
	case 3:
		return strconv.Itoa(g.entries)
	}
	return fmt.Sprintf("%d-*", g.entries)
}

// Node limits, entries and bytes, that make streams of few entries have nodes of
// every kind.
var streamLimits = []struct{ entries, bytes int }{{5, 4096}, {100, 300}, {0, 0}, {3, 100}}

func TestRandomStreamCommandsBehaveAsOnRedis(t *testing.T) {
	for i, limits := range streamLimits {
		seed := uint64(i + 1)
		t.Run(fmt.Sprintf("nodes of up to %d entries and %d bytes", limits.entries, limits.bytes), func(t *testing.T) {
			ours, redis := newSubject(t), startRedis(t)
			c := newComparison(t, ours, redis)
			redis.must(fmt.Sprintf("CONFIG SET stream-node-max-entries %d stream-node-max-bytes %d", limits.entries, limits.bytes))
			ours.env.Keyspace.Limits.StreamNodeEntries = limits.entries
			ours.env.Keyspace.Limits.StreamNodeBytes = limits.bytes
			if seed%2 == 0 {
				c.speakRESP3()
			}
			g := newGenerator(seed)
			g.only = "streams"
			for step := range streamSteps {
				if c.step(g.command()); c.found != "" {
					break
				}
				if step%200 == 199 {
					c.compareData()
				}
			}
			c.compareData()
			c.exchangeStreams(ours)
			if c.found != "" {
				t.Errorf("%s\nthe last commands:\n\t%s", c.found, strings.Join(spellAll(c.history[max(0, len(c.history)-25):]), "\n\t"))
			}
		})
	}
}

const streamSteps = 3000

// createConsumers creates the consumers that a command names beforehand: Redis
// 7.2 creates them in any case, 7.0 when there is something for them.
func (c *comparison) createConsumers(args [][]byte) {
	var group, keys [][]byte
	switch name := upper(string(args[0])); {
	case (name == "XCLAIM" || name == "XAUTOCLAIM") && len(args) > 3:
		group, keys = args[2:4], args[1:2]
	case name == "XREADGROUP":
		for i, arg := range args {
			if equalFold(arg, "GROUP") && i+2 < len(args) {
				group = args[i+1 : i+3]
			}
			if equalFold(arg, "STREAMS") {
				keys = args[i+1:]
			}
		}
	}
	for _, key := range keys {
		if len(group) == 2 {
			create := [][]byte{[]byte("XGROUP"), []byte("CREATECONSUMER"), key, group[0], group[1]}
			c.ours.do(create...)
			c.redis.do(create...)
			c.forget()
		}
	}
}

// compareStream compares all that there is to know of a stream, groups included.
func (c *comparison) compareStream(key string) {
	c.t.Helper()
	args := words(c.t, "XINFO STREAM "+strconv.Quote(key)+" FULL COUNT 0")
	our, their := bytes.Clone(c.ours.do(args...)), c.redis.do(args...)
	if !intended(args).sameReply(args, our, their) {
		c.fail("stream "+key, fmt.Sprintf("%.2000q", our), fmt.Sprintf("%.2000q", their))
	}
}

// exchangeStreams restores what each server has dumped on the other one, and
// compares the copies with what they were made of.
func (c *comparison) exchangeStreams(in *subject) {
	c.t.Helper()
	found := 0
	for db := range 4 {
		c.both("SELECT " + strconv.Itoa(db))
		_, theirs := c.both("KEYS stream*")
		for _, key := range sortedTexts(c.t, theirs) {
			e, ok := in.env.Keyspace.DB(db).Find([]byte(key))
			if !ok || e.Type() != store.TypeStream {
				continue
			}
			found++
			for name, do := range map[string][2]func(...[]byte) []byte{
				"ours on redis": {c.ours.do, c.redis.do}, "redis' here": {c.redis.do, c.ours.do},
			} {
				dump, _, err := parseReply(do[0]([]byte("DUMP"), []byte(key)))
				if err != nil {
					c.t.Fatal(err)
				}
				reply := do[1]([]byte("RESTORE"), []byte("copy"), []byte("0"), []byte(dump.text), []byte("REPLACE"))
				if string(reply) != "+OK\r\n" {
					c.t.Fatalf("restore %s (%s): %s", key, name, reply)
				}
				args := words(c.t, "XINFO STREAM "+strconv.Quote(key)+" FULL COUNT 0")
				was := bytes.Clone(c.ours.do(args...))
				args[2] = []byte("copy")
				if is := do[1](args...); !intended(args).sameReply(args, was, is) {
					c.fail("restored stream "+key+", "+name, fmt.Sprintf("%q", was), fmt.Sprintf("%q", is))
				}
			}
		}
	}
	if found == 0 {
		c.t.Error("there is no stream left to dump")
	}
	c.forget()
}

func init() { differences = append(differences, streamDifferences...) }

var streamDifferences = []difference{
	{"XREAD XREADGROUP XCLAIM", "Redis 7.2 names the command in lower case when keys and IDs are not as many, " +
		"and counts better how many entries a group has read; Valkey 8 tells replicas of it whenever a group has read, and knows + for the last entry",
		func(args [][]byte, o, th replyNode) bool {
			if th.text == string(errStreamID) && strings.HasPrefix(upper(string(args[0])), "XREAD") {
				return slices.ContainsFunc(args, func(a []byte) bool { return string(a) == "+" })
			}
			return strings.HasPrefix(o.text, "ERR Unbalanced 'xread") && strings.HasPrefix(th.text, "ERR Unbalanced XREAD")
		}, exceptEntriesRead},
	{"XINFO", "Redis 7.2 knows when a consumer last got something, and tells better how far a group has come; " +
		"there is no radix tree; the servers do not look at the clock at the same instant", sameStreamInfo, nil},
	{"XPENDING", "the servers do not look at the clock at the same instant", sameStreamInfo, nil},
}

// sameStreamInfo compares replies that have times in them, and fields that Redis
// 7.0 has not or has otherwise.
func sameStreamInfo(_ [][]byte, ours, theirs replyNode) bool { return sameInfoNode(ours, theirs) }

func sameInfoNode(o, th replyNode) bool {
	if o.kind != th.kind || o.null != th.null {
		return false
	}
	if len(o.elems) == 0 {
		return o.text == th.text && len(th.elems) == 0 || nearlySameTime(o.text, th.text)
	}
	kept, others := withoutActiveTimes(o.elems), withoutActiveTimes(th.elems)
	if len(kept) != len(others) {
		return false
	}
	for i, e := range kept {
		switch {
		case i > 0 && slices.Contains([]string{"radix-tree-nodes", "entries-read", "lag"}, kept[i-1].text):
		case i > 0 && kept[i-1].text == "idle", i == 2 && len(kept) == 4 && e.kind == ':':
			if !sameInfoNode(e, others[i]) && !within(e, others[i], clockTolerance.Milliseconds()) {
				return false
			}
		case !sameInfoNode(e, others[i]):
			return false
		}
	}
	return true
}

func withoutActiveTimes(elems []replyNode) (kept []replyNode) {
	for i := 0; i < len(elems); i++ {
		if name := elems[i]; name.kind == '$' && (name.text == "active-time" || name.text == "inactive") {
			i++
			continue
		}
		kept = append(kept, elems[i])
	}
	return kept
}

// exceptEntriesRead takes our count of entries that a group has read, also where
// only we tell of it.
func exceptEntriesRead(theirs, ours []string) []string {
	uncounted := func(lines []string) (kept []string) {
		for _, line := range lines {
			if line, _, _ = strings.Cut(line, " ENTRIESREAD "); line != "MULTI" && line != "EXEC" {
				kept = append(kept, line)
			}
		}
		return kept
	}
	want := uncounted(theirs)
	kept := slices.DeleteFunc(uncounted(ours), func(line string) bool {
		return strings.Contains(line, "XGROUP SETID") && !slices.Contains(want, line)
	})
	if sameEffects(kept, want) {
		return ours
	}
	return theirs
}
