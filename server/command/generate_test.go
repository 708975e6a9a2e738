package command

import "strings"

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
