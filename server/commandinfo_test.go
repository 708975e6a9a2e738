package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// described lists what COMMAND INFO tells of the command and its subcommands, a
// line per property, without regard to order where order means nothing.
func described(entry any) []string {
	e, ok := entry.([]any)
	if !ok || len(e) < 10 {
		return nil
	}
	name := fmt.Sprint(e[0])
	lines := []string{
		fmt.Sprintf("%s has arity %v", name, e[1]),
		fmt.Sprintf("%s has flags %v", name, sorted(e[2])),
		fmt.Sprintf("%s has keys from %v to %v by %v", name, e[3], e[4], e[5]),
		fmt.Sprintf("%s is in %v", name, sorted(e[6])),
		fmt.Sprintf("%s has tips %v", name, sorted(e[7])),
	}
	for _, sub := range e[9].([]any) {
		lines = append(lines, described(sub)...)
	}
	return lines
}

func sorted(list any) []string {
	var words []string
	for _, w := range list.([]any) {
		words = append(words, fmt.Sprint(w))
	}
	slices.Sort(words)
	return words
}

// Commands that differ from Redis 7.0 on purpose.
var describedDifferently = []string{
	"client|no-touch ", "client|setinfo ", // came with 7.2
	"command|getkeys",     // 7.2 wants one argument less
	"wait ",               // 7.2 calls it blocking and gives it tips
	"waitaof ",            // came with 7.2
	"zrank ", "zrevrank ", // 7.2 takes WITHSCORE
	// 7.2 lets scripts call what would wait elsewhere.
	"bzpopmin ", "bzpopmax ", "blpop ", "brpop ", "blmove ", "brpoplpush ",
	"commandlog ", "commandlog|", "script|show ", // came with Valkey 8
	"client|capa ", "client|import-source ", "cluster|myshardid ", "cluster|slot-stats ", // came with Valkey 8 and 7.2
}

func TestCommandsAreDescribedAsInRedis(t *testing.T) {
	ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
	names, ok := ours.Do("COMMAND", "LIST").([]any)
	if !ok || len(names) < 100 {
		t.Fatalf("COMMAND LIST: %v", names)
	}
	for _, name := range names {
		if strings.Contains(fmt.Sprint(name), "|") {
			continue // comes with its container
		}
		got := described(ours.Do("COMMAND", "INFO", fmt.Sprint(name)).([]any)[0])
		want := described(real.Do("COMMAND", "INFO", fmt.Sprint(name)).([]any)[0])
		for _, line := range got {
			if slices.Contains(want, line) || slices.ContainsFunc(describedDifferently, func(p string) bool { return strings.HasPrefix(line, p) }) {
				continue
			}
			t.Errorf("here %s; Redis has other", line)
		}
	}
}
