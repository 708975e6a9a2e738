package server

import (
	"fmt"
	"math"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

const (
	slowlogMaxArgs = 32  // arguments kept of one entry
	slowlogMaxArg  = 128 // bytes kept of one argument
)

// slowlog keeps the last commands that took long.
type slowlog struct {
	threshold time.Duration
	entries   []slowEntry // newest last
	nextID    int64
}

type slowEntry struct {
	id   int64
	at   int64 // unix seconds
	took time.Duration
	args []string
	peer string
	name string
}

func (s *Server) applySlowlog() {
	s.slowlog.threshold = time.Duration(math.MaxInt64)
	if us := s.config.SlowlogLogSlowerThan; us >= 0 {
		s.slowlog.threshold = time.Duration(us) * time.Microsecond
	}
	s.notable = s.slowlog.threshold
	if ms := s.config.LatencyMonitorThreshold; ms > 0 {
		s.notable = min(s.notable, time.Duration(ms)*time.Millisecond)
	}
	s.slowlog.trim(s.config.SlowlogMaxLen)
}

func (l *slowlog) trim(most int64) {
	if over := int64(len(l.entries)) - max(0, most); over > 0 {
		l.entries = append([]slowEntry(nil), l.entries[over:]...)
	}
}

// slow looks at a command that took notably long.
func (s *Server) slow(c *conn, call *command.Call, spec *command.Spec, took time.Duration) {
	event := "command"
	if spec.Has(command.Fast) {
		event = "fast-command"
	}
	s.spike(event, took)
	if took < s.slowlog.threshold || spec.Has(command.SkipSlowlog) {
		return
	}
	if c == &s.scripts.conn && s.current != nil {
		c = s.current // who has called the script
	}
	l := &s.slowlog
	l.entries = append(l.entries, slowEntry{
		id: l.nextID, at: s.clock.unix, took: took, args: abridge(spec, call.Args), peer: c.peer, name: c.name,
	})
	l.nextID++
	l.trim(s.config.SlowlogMaxLen)
}

// abridge copies arguments for the slow log and hides passwords.
func abridge(spec *command.Spec, args [][]byte) []string {
	n := min(len(args), slowlogMaxArgs)
	out := make([]string, n)
	for i, a := range args[:n] {
		switch {
		case i == slowlogMaxArgs-1 && len(args) > slowlogMaxArgs:
			out[i] = fmt.Sprintf("... (%d more arguments)", len(args)-slowlogMaxArgs+1)
		case i > 0 && secretArg(spec, args, i):
			out[i] = "(redacted)"
		case len(a) > slowlogMaxArg:
			out[i] = fmt.Sprintf("%s... (%d more bytes)", a[:slowlogMaxArg], len(a)-slowlogMaxArg)
		default:
			out[i] = string(a)
		}
	}
	return out
}

// secretArg says whether an argument is, or may be, a password.
func secretArg(spec *command.Spec, args [][]byte, i int) bool {
	switch spec.FullName() {
	case "auth":
		return true
	case "hello":
		return i >= 3 && foldIs(args[i-1], "auth") || i >= 4 && foldIs(args[i-2], "auth")
	case "acl|setuser", "acl|getuser", "acl|deluser":
		return i >= 2
	case "migrate":
		return i > 6 && (foldIs(args[i-1], "auth") || foldIs(args[i-1], "auth2") || foldIs(args[i-2], "auth2"))
	case "config|set":
		return i >= 3 && i%2 == 1 && secretDirective(args[i-1])
	}
	return false
}

func secretDirective(name []byte) bool {
	for _, secret := range []string{"requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"} {
		if foldIs(name, secret) {
			return true
		}
	}
	return false
}

func (s *Server) slowlogSpec() *command.Spec {
	flags := command.Admin | command.Loading | command.Stale
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	return &command.Spec{Name: "slowlog", Arity: -2,
		Subcommands: []*command.Spec{
			sub("get", -2, s.cmdSlowlogGet),
			sub("len", 2, func(c *command.Call) { c.Out.Int(int64(len(s.slowlog.entries))) }),
			sub("reset", 2,
				func(c *command.Call) { s.slowlog.entries = nil; c.Out.OK() }),
			helpSpec("slowlog", command.Loading|command.Stale,
				"GET [<count>]",
				"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
				"    Entries are made of:",
				"    id, timestamp, time in microseconds, arguments array, client IP and port,",
				"    client name",
				"LEN",
				"    Return the length of the slowlog.",
				"RESET",
				"    Reset the slowlog."),
		}}
}

func (s *Server) cmdSlowlogGet(call *command.Call) {
	if len(call.Args) > 3 {
		call.Fail(errSubSyntax("slowlog", call.Args[1]))
		return
	}
	count := int64(10)
	if len(call.Args) == 3 {
		n, ok := parseInt(call.Args[2])
		if !ok || n < -1 {
			call.Fail("ERR count should be greater than or equal to -1")
			return
		}
		count = n
	}
	entries := s.slowlog.entries
	if count == -1 || count > int64(len(entries)) {
		count = int64(len(entries))
	}
	call.Out.Array(int(count))
	for i := range int(count) {
		e := entries[len(entries)-1-i]
		call.Out.Array(6)
		call.Out.Int(e.id)
		call.Out.Int(e.at)
		call.Out.Int(e.took.Microseconds())
		call.Out.Array(len(e.args))
		for _, a := range e.args {
			call.Out.BulkString(a)
		}
		call.Out.BulkString(e.peer)
		call.Out.BulkString(e.name)
	}
}
