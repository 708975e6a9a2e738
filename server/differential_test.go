package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// The same requests are sent to this server and to the real redis-server, and
// their replies must be the same bytes. Each script is a conversation on one
// connection; a line is one request in the words of redis-cli.
var conversations = []struct {
	name   string
	script string
}{
	{"connection basics answer as Redis does", `
		PING
		PING hello
		PING a b
		ECHO x
		ECHO
		SELECT 3
		SELECT 99
		SELECT -1
		SELECT x
		SELECT 0
		foo a b c
		foo
		GET
		GET a b
		HELLO 9
		HELLO x
		HELLO 2 SETNAME "a b"
		HELLO 2 FOO
		HELLO 2 AUTH default
		AUTH x
		AUTH default x
		AUTH bob x
		AUTH a b c
		CLIENT
		CLIENT nope
		CLIENT GETNAME
		CLIENT SETNAME me
		CLIENT GETNAME
		CLIENT SETNAME "with blank"
		CLIENT SETNAME ""
		CLIENT GETNAME
		CLIENT KILL TYPE nope
		CLIENT KILL 1.2.3.4:5
		CLIENT KILL ID x
		CLIENT KILL ID 0
		CLIENT KILL ADDR 1.2.3.4:5 SKIPME maybe
		CLIENT KILL USER bob
		CLIENT KILL ADDR 1.2.3.4:5
		CLIENT KILL ADDR 1.2.3.4:5 SKIPME yes
		CLIENT KILL ID
		CLIENT LIST TYPE nope
		CLIENT LIST ID x
		CLIENT LIST FOO
		CLIENT LIST TYPE
		CLIENT PAUSE
		CLIENT PAUSE x
		CLIENT PAUSE -1
		CLIENT PAUSE 1 FOO
		CLIENT PAUSE 0
		CLIENT UNPAUSE
		CLIENT REPLY FOO
		CLIENT REPLY ON
		CLIENT UNBLOCK x
		CLIENT UNBLOCK 123456
		CLIENT UNBLOCK 123456 FOO
		CLIENT NO-EVICT on
		CLIENT NO-EVICT maybe
		CLIENT NO-EVICT off
		CLIENT GETREDIR
		CLIENT TRACKINGINFO
		CLIENT INFO x
		CLIENT ID x
		RESET
		RESET x
		QUIT`},
	{"transactions answer as Redis does", `
		EXEC
		DISCARD
		MULTI
		MULTI
		SET a 1
		WATCH a
		EXEC
		MULTI
		SET a 1
		INCR a
		GET a
		GETRANGE
		EXEC
		GET a
		MULTI
		SET a 1
		INCR a
		GET a
		EXEC
		MULTI
		foo
		EXEC
		MULTI
		SET a x
		INCR a
		GET a
		EXEC
		MULTI
		DISCARD
		WATCH a
		SET a 5
		MULTI
		GET a
		EXEC
		WATCH a
		UNWATCH
		SET a 6
		MULTI
		GET a
		EXEC
		WATCH a nokey
		SELECT 1
		SET a 7
		SELECT 0
		MULTI
		GET a
		EXEC
		WATCH a
		FLUSHALL
		MULTI
		PING
		EXEC
		WATCH nokey
		FLUSHALL
		MULTI
		PING
		EXEC
		SET a 1
		WATCH a
		SWAPDB 0 1
		MULTI
		PING
		EXEC
		UNWATCH
		MULTI
		SELECT 2
		SET z 1
		EXEC
		GET z
		SELECT 0
		GET z
		MULTI
		EXEC
		MULTI x
		EXEC x
		EXEC
		WATCH
		MULTI
		SHUTDOWN
		SAVE
		EXEC
		MULTI
		WATCH b
		SET b 1
		EXEC
		SET v 1 PX 1
		WATCH v
		MULTI
		RESET
		PING`},
	{"configuration answers as Redis does", `
		CONFIG
		CONFIG nope
		CONFIG GET
		CONFIG GET maxclients
		CONFIG GET MAXclients
		CONFIG GET nope
		CONFIG GET maxclients hz timeout
		CONFIG GET repl-backlog-*
		CONFIG GET slave*
		CONFIG GET hash-max-*
		CONFIG GET *append*
		CONFIG SET hz
		CONFIG SET hz 20
		CONFIG GET hz
		CONFIG SET hz 0
		CONFIG GET hz
		CONFIG SET hz 10 hz 10
		CONFIG SET hz 15 timeout x
		CONFIG GET hz timeout
		CONFIG SET foo bar
		CONFIG SET maxclients 0
		CONFIG SET maxclients abc
		CONFIG SET databases 3
		CONFIG SET dir /nonexistent
		CONFIG SET save 900
		CONFIG SET save "900 1 300 10"
		CONFIG GET save
		CONFIG SET save ""
		CONFIG GET save
		CONFIG SET maxmemory 1zz
		CONFIG SET repl-backlog-size 2mb
		CONFIG GET repl-backlog-size
		CONFIG SET repl-backlog-size 1m
		CONFIG GET repl-backlog-size
		CONFIG SET client-output-buffer-limit "normal 0 0"
		CONFIG SET client-output-buffer-limit "foo 0 0 0"
		CONFIG SET client-output-buffer-limit "normal a 0 0"
		CONFIG SET client-output-buffer-limit "replica 100mb 10mb 20"
		CONFIG GET client-output-buffer-limit
		CONFIG SET latency-tracking-info-percentiles "101"
		CONFIG SET latency-tracking-info-percentiles "50 all"
		CONFIG SET latency-tracking-info-percentiles "50 99"
		CONFIG GET latency-tracking-info-percentiles
		CONFIG SET replica-priority 50
		CONFIG GET slave-priority
		CONFIG SET slave-priority 60 min-slaves-to-write 0
		CONFIG GET *-priority
		CONFIG SET unixsocketperm 999
		CONFIG SET enable-debug-command yes
		CONFIG SET requirepass ""
		CONFIG SET sanitize-dump-payload nope
		CONFIG SET maxmemory-policy nope
		CONFIG SET port 70000
		CONFIG REWRITE
		CONFIG RESETSTAT
		CONFIG RESETSTAT x
		CONFIG HELP`},
	{"server commands answer as Redis does", `
		TIME x
		DEBUG SLEEP 0
		DEBUG
		MEMORY
		MEMORY nope
		MEMORY USAGE nokey
		MEMORY USAGE nokey SAMPLES x
		MEMORY USAGE nokey SAMPLES -1
		MEMORY USAGE nokey FOO 1
		MEMORY HELP
		SLOWLOG
		SLOWLOG nope
		SLOWLOG LEN
		SLOWLOG GET
		SLOWLOG GET x
		SLOWLOG GET -2
		SLOWLOG GET -1
		SLOWLOG RESET
		SLOWLOG LEN x
		SLOWLOG HELP
		LATENCY
		LATENCY LATEST
		LATENCY HISTORY command
		LATENCY RESET
		LATENCY RESET foo
		LATENCY GRAPH command
		LATENCY HISTOGRAM nope
		LATENCY HELP
		SHUTDOWN FOO
		SHUTDOWN SAVE NOSAVE
		SHUTDOWN ABORT NOW
		SHUTDOWN ABORT
		BGSAVE FOO
		LASTSAVE x
		READONLY
		READWRITE
		ASKING
		CLUSTER INFO
		MONITOR x
		SAVE x
		COMMAND GETKEYS SPUBLISH a b
		COMMAND GETKEYSANDFLAGS SSUBSCRIBE a b
		COMMAND GETKEYSANDFLAGS PUBLISH a b
		COMMAND INFO publish
		COMMAND LIST FILTERBY PATTERN *subscribe x
		INFO nosuchsection`},
	{"server commands in RESP3 answer as Redis does", `
		HELLO 3 FOO
		CONFIG GET maxclients
		CONFIG GET nope
		CLIENT GETNAME
		CLIENT TRACKINGINFO
		GET nokey
		MULTI
		GET nokey
		EXEC
		WATCH w
		SET w 1
		MULTI
		GET w
		EXEC
		LATENCY HISTOGRAM nope
		LATENCY LATEST
		SLOWLOG GET
		MEMORY USAGE nokey
		INFO nosuchsection`},
}

// compared brings a reply into a form in which it has to be equal: the order of
// CONFIG GET's pairs is nobody's promise.
func compared(t *testing.T, c *servertest.Client, words []string) string {
	t.Helper()
	if len(words) < 3 || words[0] != "CONFIG" || words[1] != "GET" {
		return c.Raw(words...)
	}
	flat, ok := c.Do(words...).([]any)
	if !ok {
		return "not an array"
	}
	var pairs []string
	for i := 0; i+1 < len(flat); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%q=%q", flat[i], flat[i+1]))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

func TestRepliesAreThoseOfRedis(t *testing.T) {
	// On a busy machine anything may be slow.
	ours := servertest.Start(t, "--slowlog-log-slower-than", "-1")
	real := servertest.StartRedis(t, "--slowlog-log-slower-than", "-1")
	for _, conv := range conversations {
		t.Run(conv.name, func(t *testing.T) {
			a, b := ours.Client(t), real.Client(t)
			if strings.Contains(conv.name, "RESP3") {
				a.Do("HELLO", "3")
				b.Do("HELLO", "3")
			}
			for _, line := range strings.Split(strings.TrimSpace(conv.script), "\n") {
				words := splitWords(t, line)
				got, want := compared(t, a, words), compared(t, b, words)
				if got != want {
					t.Errorf("%s\n  ours  %q\n  Redis %q", strings.TrimSpace(line), got, want)
				}
			}
		})
	}
}

func splitWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var word string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			word, rest, _ = strings.Cut(quoted, `"`)
		} else {
			word, rest, _ = strings.Cut(rest, " ")
		}
		words = append(words, word)
	}
	return words
}
