package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// newerThan70 are descriptions that follow Redis 7.2, and why they differ from
// those of 7.0.
var newerThan70 = map[string]string{
	"DOCS bitcount":   "the end is optional in Valkey 8",
	"DOCS bitop":      "the operation is a choice of four words and not any string",
	"INFO command":    "GETKEYS takes commands without arguments",
	"DOCS command":    "GETKEYS has documented arguments",
	"DOCS hscan":      "NOVALUES came with Valkey 8",
	"DOCS pfmerge":    "the source keys are optional",
	"INFO blpop":      "scripts may call it; it does not wait there",
	"INFO brpop":      "scripts may call it; it does not wait there",
	"INFO blmove":     "scripts may call it; it does not wait there",
	"INFO brpoplpush": "scripts may call it; it does not wait there",
	"INFO bzpopmin":   "scripts may call it; it does not wait there",
	"INFO bzpopmax":   "scripts may call it; it does not wait there",
	"INFO zrank":      "option WITHSCORE",
	"DOCS set":        "IFEQ came with Valkey 8",
	"DOCS zscan":      "NOSCORES came with Valkey 8",
	"DOCS zrank":      "option WITHSCORE",
	"INFO zrevrank":   "option WITHSCORE",
	"DOCS zrevrank":   "option WITHSCORE",
}

// What a program learns of a command (COMMAND INFO, COMMAND DOCS) decides how
// clients route it, so it has to be what Redis says, in both versions of the
// protocol. Texts for people are our own.
func TestCommandDescriptionsAreThoseOfRedis(t *testing.T) {
	redis := startRedis(t)
	ours := newSubject(t)
	for _, proto := range []int{2, 3} {
		redis.must(fmt.Sprintf("HELLO %d", proto))
		ours.out.Proto = proto
		for _, spec := range ours.table.Commands() {
			if spec.Name == "select" { // the test's own
				continue
			}
			for _, about := range []string{"INFO", "DOCS"} {
				if newerThan70[about+" "+spec.Name] != "" {
					continue
				}
				args := words(t, "COMMAND "+about+" "+spec.Name)
				t.Run(fmt.Sprintf("%s in RESP%d", spellArgs(args), proto), func(t *testing.T) {
					our, their := describe(t, ours.do(args...)), describe(t, redis.do(args...))
					if our != their {
						t.Error(firstDifference(our, their))
					}
				})
			}
		}
	}
}

// describe spells a reply as a tree, sets and maps in alphabetical order, and
// without what may differ.
func describe(t *testing.T, raw []byte) string {
	t.Helper()
	node, rest, err := parseReply(raw)
	if err != nil || len(rest) > 0 {
		t.Fatalf("reply %.200q: %v, %d bytes left", raw, err, len(rest))
	}
	return strings.Join(describeNode(node, ""), "\n")
}

// isCommandInfo recognises an element of COMMAND INFO: a name, then the arity.
func isCommandInfo(n replyNode) bool {
	return len(n.elems) == 10 && n.elems[1].kind == ':' && n.elems[2].elems != nil
}

func firstDifference(our, their string) string {
	a, b := strings.Split(our, "\n"), strings.Split(their, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, min(i, len(lines))-4):min(len(lines), i+6)], "\n")
	}
	return fmt.Sprintf("from line %d on, ours:\n%s\nredis:\n%s", i+1, around(a), around(b))
}

// ownWords are the keys of texts for people, and of what Redis 7.2 has and 7.0
// has not, or otherwise: names of arguments, display_text, some deprecations.
var ownWords = []string{"summary", "complexity", "notes", "history", "doc_flags",
	"name", "display_text", "deprecated_since", "replaced_by"}

func describeNode(n replyNode, indent string) []string {
	if n.elems == nil {
		return []string{indent + string(n.kind) + n.text}
	}
	pairs := n.kind == '%'
	if n.kind == '*' && len(n.elems) > 1 && len(n.elems)%2 == 0 {
		// Version 2 has no maps; they are recognised by their first key.
		pairs = slices.Contains([]string{"summary", "name", "flags", "notes", "type", "index", "lastkey", "keyword"}, n.elems[0].text)
		pairs = pairs || len(n.elems[1].elems) > 0 && n.elems[0].kind == '$' && n.elems[0].text != "key"
	}
	var groups []string
	step := 1
	if pairs {
		step = 2
	}
	for i := 0; i < len(n.elems); i += step {
		if pairs && slices.Contains(ownWords, n.elems[i].text) {
			continue
		}
		var lines []string
		for _, e := range n.elems[i : i+step] {
			lines = append(lines, describeNode(e, indent+"  ")...)
		}
		groups = append(groups, strings.Join(lines, "\n"))
	}
	// The order of subcommands, too, is that of a hash table in Redis.
	if pairs || n.kind == '~' || isCommandInfo(n.elems[0]) || n.elems[0].kind == '+' {
		slices.Sort(groups)
	}
	return append([]string{indent + string(n.kind)}, groups...)
}

func TestCommandListFilters(t *testing.T) {
	s := newSubject(t)
	for _, test := range []struct{ name, line, want string }{
		{"by a pattern, which matches subcommands, too", "COMMAND LIST FILTERBY PATTERN obj*|E*", "object|encoding"},
		{"by a category", "COMMAND LIST FILTERBY ACLCAT bitmap",
			"bitcount bitfield bitfield_ro bitop bitpos getbit setbit"},
		{"by a category that does not exist lists nothing", "COMMAND LIST FILTERBY ACLCAT nosuch", ""},
		{"by a module lists nothing: there are none", "COMMAND LIST FILTERBY MODULE json", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(sortedTexts(t, s.do(words(t, test.line)...)), " ")
			if got != test.want {
				t.Errorf("%s: %s; want %s", test.line, got, test.want)
			}
		})
	}
}

func TestEveryCommandIsDocumented(t *testing.T) {
	for _, s := range NewTable().Sorted() {
		if s.Summary == "" || s.Since == "" || s.Complexity == "" || s.Group == "" {
			t.Errorf("%s lacks a summary, version, complexity or group: %+v", s.FullName(), s.Doc)
		}
	}
}
