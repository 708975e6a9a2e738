package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commandGroup is a group of commands that the generator draws from.
type commandGroup struct {
	name      string
	weight    int // how often, compared with the other groups
	templates []string
	// word fills in the group's own placeholders, which are words that begin with a
	// "~", and says whether it knows the word. It may be nil.
	word func(g *generator, word string) (args [][]byte, ok bool)
}

// commandGroups are all of them. Each type of value has a file of its own.
var commandGroups = []commandGroup{
	{"strings and keys", 10, templates, nil},
	{"lists", 6, listTemplates, listWord},
	{"HyperLogLogs", 2, hyperLogLogTemplates, hyperLogLogWord},
	{"streams", 5, streamTemplates, streamWord},
	{"hashes", 4, hashTemplates, hashWord},
	{"sets", 5, setTemplates, setWord},
	{"sorted sets", 6, sortedSetTemplates, sortedSetWord},
	{"sorting", 2, sortTemplates, sortWord},
	{"positions", 4, geoTemplates, geoWord},
}

// mayWait says whether a command may wait for a key. Its timeout must stay as it
// was made: the real server would wait that long.
func mayWait(name []byte) bool {
	for _, word := range []string{"BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH",
		"BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP"} {
		if equalFold(name, word) {
			return true
		}
	}
	return false
}

// drawsAtRandom says whether a command draws elements. Its count must stay as it
// was made: another one would remove different members on the two servers, or
// return the same ones without end.
func drawsAtRandom(name []byte) bool {
	for _, word := range []string{"SPOP", "SRANDMEMBER", "ZRANDMEMBER", "HRANDFIELD"} {
		if equalFold(name, word) {
			return true
		}
	}
	return false
}

// template draws a command to be filled in.
func (g *generator) template() string {
	total := 0
	var groups []commandGroup
	for _, group := range commandGroups {
		if g.only == "" || group.name == g.only {
			groups = append(groups, group)
			total += group.weight
		}
	}
	n := g.rand.IntN(total)
	for _, group := range groups {
		if n -= group.weight; n < 0 {
			g.group = group
			return group.templates[g.rand.IntN(len(group.templates))]
		}
	}
	panic("the weights do not add up")
}

// lines takes a table of templates apart.
func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// generator makes random commands that often meet the same few keys.
type generator struct {
	rand     *rand.Rand
	group    commandGroup // of the command being made
	times    int64        // given out so far
	entries  int          // of streams: the highest time in their IDs
	payloads [][]byte
	only     string // the name of a group of commands; empty: all
	whole    bool   // there is a server: transactions and scripts
	queue    [][][]byte
}

func newGenerator(seed uint64) *generator {
	return &generator{rand: rand.New(rand.NewPCG(seed, 7))}
}

// command makes the next command.
func (g *generator) command() [][]byte {
	if !g.whole {
		return g.single()
	}
	if len(g.queue) == 0 {
		g.queue = g.several()
	}
	next := g.queue[0]
	g.queue = g.queue[1:]
	return next
}

// busy says that what follows belongs to what was made last.
func (g *generator) busy() bool { return len(g.queue) > 0 }

// single makes one command on data.
func (g *generator) single() [][]byte {
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
