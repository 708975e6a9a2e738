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

// streamTemplates are commands on streams. Beside the placeholders of templates:
// i is an ID, j an ID for a new entry, l a list of fields and values, q the name
// of a group and p that of a consumer, u a time to be idle: none or ages, so that
// it does not matter when the servers look at the clock.
var streamTemplates = strings.Split(strings.TrimSpace(`
XADD k j l
XADD k j l
XADD k j l
XADD k j l
XADD k j l
XADD k j l
XADD k [|NOMKSTREAM] [|MAXLEN e|MAXLEN = e|MAXLEN ~ e|MAXLEN ~ e LIMIT s|MINID i|MINID ~ i|MINID ~ i LIMIT e|MINID = i|LIMIT e] j l
XADD k [NOMKSTREAM|nomkstream|MAXLEN 5 MINID 3|LIMIT 0|MAXLEN n] j [l|v|]
XLEN k
XRANGE k h h [|COUNT s|COUNT n|COUNT|zz]
XREVRANGE k h h [|COUNT s|COUNT n|COUNT 3]
XRANGE k - + [|COUNT e]
XREVRANGE k + - [|COUNT e]
XDEL k (i)*
XDEL k i
XTRIM k [MAXLEN|MINID] [|~|=] [e|i] [|||LIMIT e|LIMIT s|zz]
XTRIM k [MAXLEN e|MINID i]
XSETID k i [|||ENTRIESADDED e|ENTRIESADDED n|MAXDELETEDID i] [||MAXDELETEDID i|zz]
XREAD [|COUNT e] [||BLOCK 1|BLOCK n] STREAMS [k i|k k i i|k $|k k $ i|k >|k k i]
XREAD [GROUP q p|NOACK|zz|COUNT n] STREAMS k i
XGROUP CREATE k q [i|$|0|0] [||MKSTREAM|MKSTREAM] [|||ENTRIESREAD e|ENTRIESREAD n] [||||zz|MKSTREAM]
XGROUP CREATE k q [0|$|i] MKSTREAM
XGROUP CREATE k q [0|$|i]
XGROUP SETID k q [i|$|0|-|+] [|||ENTRIESREAD e|ENTRIESREAD n|MKSTREAM]
XGROUP DESTROY k q
XGROUP CREATECONSUMER k q p
XGROUP DELCONSUMER k q p
XREADGROUP GROUP q p [|COUNT e] [|||NOACK] STREAMS k [>|>|>|0|i|$]
XREADGROUP GROUP q p [|COUNT e] [|||NOACK] STREAMS k >
XREADGROUP GROUP q p COUNT 2 STREAMS k >
XREADGROUP GROUP q p [||BLOCK 1] [|NOACK] STREAMS k k > [>|i]
XREADGROUP [NOACK|GROUP q p|COUNT e] [COUNT e|zz] STREAMS k >
XACK k q (i)*
XACK k q (i)*
XCLAIM k q p u (i)* [||JUSTID|FORCE] [||IDLE a|TIME n|TIME 5|IDLE n] [|||RETRYCOUNT e|RETRYCOUNT n] [|||LASTID i] [|||FORCE JUSTID|zz]
XCLAIM k q p u (i)* FORCE
XAUTOCLAIM k q p u [0|i|h|-] [|COUNT e|COUNT 9223372036854775807|COUNT 2] [||JUSTID] [||||zz]
XPENDING k q
XPENDING k q [|IDLE u] h h [e|n|10] [|p] [||||zz]
XPENDING k q - + 100
XPENDING k q [-|IDLE u -|- +]
XINFO STREAM k [||FULL|FULL COUNT e|FULL COUNT n|zz]
XINFO GROUPS k
XINFO CONSUMERS k q
XINFO [zz k|GROUPS k q|CONSUMERS k]
XGROUP [zz k q|DESTROY k|SETID k q]
DEL k
SET k v
RENAME k k
COPY k k [|REPLACE]
OBJECT ENCODING k
TYPE k
SWAPDB d d
MOVE k d
`), "\n")

// streamGenerator makes commands on streams. IDs grow slowly, so that most that
// it names were given out a while ago.
type streamGenerator struct {
	*generator
	top int
}

func (g *streamGenerator) command() [][]byte {
	var args [][]byte
	for _, w := range g.fill(streamTemplates[g.rand.IntN(len(streamTemplates))]) {
		args = append(args, g.place(string(w))...)
	}
	switch g.rand.IntN(60) {
	case 0:
		args = args[:1+g.rand.IntN(len(args))]
	case 1:
		args = append(args, g.value())
	case 2:
		args[g.rand.IntN(len(args))] = g.value()
	case 3:
		args[0] = []byte(lower(string(args[0])))
	}
	for i := range args {
		// A time to wait that is long, or none, would have the test wait.
		if i > 0 && equalFold(args[i-1], "BLOCK") && len(args[i]) > 0 && args[i][0] != '-' {
			args[i] = []byte("1")
		}
	}
	return args
}

func (g *streamGenerator) place(w string) [][]byte {
	small := g.rand.IntN(4)
	switch w {
	case "i":
		ms := max(0, g.top-g.rand.IntN(40)+2)
		switch g.rand.IntN(12) {
		case 0:
			return one(strconv.Itoa(ms))
		case 1:
			return one(g.pick([]string{"-", "+", "0", "0-0", "x", "1-", "-1", "5-*", "", "18446744073709551615-18446744073709551615",
				"18446744073709551616", "007-01", "+5-1", " 5", "1-1-1", "99999999"}))
		}
		return one(fmt.Sprintf("%d-%d", ms, small))
	case "h":
		if small == 0 {
			return one(g.pick([]string{"-", "+", "(", "(-", "(18446744073709551615-18446744073709551615", "(0-0", "(5"}))
		}
		id := string(g.place("i")[0])
		if small == 1 {
			id = "(" + id
		}
		return one(id)
	case "j":
		g.top += g.rand.IntN(2)
		switch g.rand.IntN(20) {
		case 0:
			return g.place("i")
		case 1, 2:
			return one(fmt.Sprintf("%d-%d", g.top, small))
		case 3:
			return one(strconv.Itoa(g.top))
		}
		return one(fmt.Sprintf("%d-*", g.top))
	case "l":
		fields := [][]byte{[]byte("a"), g.value()}
		if small > 0 {
			fields = append(fields, []byte("b"), []byte(strconv.Itoa(g.rand.IntN(300)-20)))
		}
		if g.rand.IntN(8) == 0 {
			fields = append(fields, g.value(), g.value())
		}
		return fields
	case "q":
		return one(g.pick([]string{"g1", "g1", "g2", "12"}))
	case "p":
		return one(g.pick([]string{"c1", "c2", "c3", "7"}))
	case "u":
		return one(g.pick([]string{"0", "0", "500000", "-1", "x"}))
	case "a":
		return one(g.pick([]string{"1000000", "0", "-5"}))
	case "e":
		return one(strconv.Itoa(g.rand.IntN(12)))
	}
	return one(w)
}

// Node limits, entries and bytes, that make streams of few entries have nodes of
// every kind.
var streamLimits = []struct{ entries, bytes int }{{5, 4096}, {100, 300}, {0, 0}, {3, 100}}

func TestRandomStreamCommandsBehaveAsOnRedis(t *testing.T) {
	for i, limits := range streamLimits {
		seed := uint64(i + 1)
		t.Run(fmt.Sprintf("nodes of up to %d entries and %d bytes", limits.entries, limits.bytes), func(t *testing.T) {
			c := newComparison(t)
			c.redis.must(fmt.Sprintf("CONFIG SET stream-node-max-entries %d stream-node-max-bytes %d", limits.entries, limits.bytes))
			c.ours.env.Keyspace.Limits.StreamNodeEntries = limits.entries
			c.ours.env.Keyspace.Limits.StreamNodeBytes = limits.bytes
			if seed%2 == 0 {
				c.redis.must("HELLO 3")
				c.ours.out.Proto = 3
			}
			g := &streamGenerator{generator: newGenerator(seed), top: 10}
			for step := range streamSteps {
				args := g.command()
				c.createConsumers(args)
				if c.step(args); t.Failed() {
					return
				}
				if step%200 == 199 {
					c.compareStreams()
				}
			}
			c.compareStreams()
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

// compareStreams compares all that there is to know of all streams.
func (c *comparison) compareStreams() {
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
			args := words(c.t, "XINFO STREAM "+strconv.Quote(key)+" FULL COUNT 0")
			our, their := bytes.Clone(c.ours.do(args...)), c.redis.do(args...)
			if !intended(args).sameReply(args, our, their) {
				c.fail("stream "+key, fmt.Sprintf("%q", our), fmt.Sprintf("%q", their))
			}
			c.checkNodes([]byte(key))
		}
	}
	c.both("SELECT " + selected)
	c.forget()
}

// checkNodes checks what must hold in every node of a stream.
func (c *comparison) checkNodes(key []byte) {
	e, ok := c.ours.env.Keyspace.DB(c.ours.db).Find(key)
	if !ok || e.Type() != store.TypeStream {
		return
	}
	e.Stream().EachNode(func(_ store.StreamID, node []byte) bool {
		if err := store.ValidStreamNode(node); err != nil {
			c.t.Errorf("stream %q: %v", key, err)
		}
		return true
	})
}

func init() { differences = append(differences, streamDifferences...) }

var streamDifferences = []difference{
	{"XREAD XREADGROUP XCLAIM", "Redis 7.2 names the command in lower case when keys and IDs are not as many, " +
		"and counts better how many entries a group has read", func(_ [][]byte, o, th replyNode) bool {
		return strings.HasPrefix(o.text, "ERR Unbalanced 'xread") && strings.HasPrefix(th.text, "ERR Unbalanced XREAD")
	}, exceptEntriesRead},
	{"XSETID", "Redis 7.2 looks at the greatest deleted ID first", func(_ [][]byte, o, th replyNode) bool {
		return strings.HasSuffix(o.text, "current max_deleted_entry_id") && strings.HasSuffix(th.text, "target stream top item")
	}, nil},
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
	var kept []replyNode
	for i := 0; i < len(o.elems); i++ {
		if name := o.elems[i]; name.kind == '$' && (name.text == "active-time" || name.text == "inactive") {
			i++
			continue
		}
		kept = append(kept, o.elems[i])
	}
	if len(kept) != len(th.elems) {
		return false
	}
	for i, e := range kept {
		switch {
		case i > 0 && slices.Contains([]string{"radix-tree-nodes", "entries-read", "lag"}, kept[i-1].text):
		case i > 0 && kept[i-1].text == "idle", i == 2 && len(kept) == 4 && e.kind == ':':
			if !sameInfoNode(e, th.elems[i]) && !within(e, th.elems[i], clockTolerance.Milliseconds()) {
				return false
			}
		case !sameInfoNode(e, th.elems[i]):
			return false
		}
	}
	return true
}

// exceptEntriesRead takes our count of entries that a group has read.
func exceptEntriesRead(theirs, ours []string) []string {
	cut := func(line string) string {
		line, _, _ = strings.Cut(line, " ENTRIESREAD ")
		return line
	}
	same := slices.EqualFunc(theirs, ours, func(a, b string) bool { return cut(a) == cut(b) })
	if same {
		return ours
	}
	return theirs
}
