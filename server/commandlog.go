package server

import (
	"fmt"
	"math"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

const (
	logMaxArgs = 32  // arguments kept of one entry
	logMaxArg  = 128 // bytes kept of one argument
)

// logKind is what a command is remembered for.
type logKind int

const (
	logSlow         logKind = iota // microseconds that it took
	logLargeRequest                // bytes of its request, as they came
	logLargeReply                  // bytes of its reply
	logKinds
)

var logNames = [logKinds]string{"slow", "large-request", "large-reply"}

// commandLog keeps the last commands that stood out in one way.
type commandLog struct {
	least   int64      // from which on a command stands out; math.MaxInt64: none does
	most    int64      // entries kept
	entries []logEntry // newest last
	nextID  int64
}

type logEntry struct {
	id    int64
	at    int64 // unix seconds
	value int64 // in the unit of its log
	args  []string
	peer  string
	name  string
}

// applyCommandLogs makes the directives about the logs effective, and keeps the
// question whether a command stands out down to one comparison of times and one of
// sizes.
func (s *Server) applyCommandLogs() {
	cfg := s.config
	s.logs[logSlow].configure(cfg.SlowlogLogSlowerThan, cfg.SlowlogMaxLen)
	s.logs[logLargeRequest].configure(cfg.CommandlogRequestLargerThan, cfg.CommandlogLargeRequestMaxLen)
	s.logs[logLargeReply].configure(cfg.CommandlogReplyLargerThan, cfg.CommandlogLargeReplyMaxLen)
	s.notable = time.Duration(min(s.logs[logSlow].least, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
	if ms := cfg.LatencyMonitorThreshold; ms > 0 {
		s.notable = min(s.notable, time.Duration(ms)*time.Millisecond)
	}
	s.sizeable = int(min(s.logs[logLargeRequest].least, s.logs[logLargeReply].least))
}

func (l *commandLog) configure(least, most int64) {
	if least < 0 || most == 0 {
		least = math.MaxInt64
	}
	l.least, l.most = least, most
	l.trim()
}

func (l *commandLog) add(e logEntry) {
	e.id = l.nextID
	l.nextID++
	l.entries = append(l.entries, e)
	l.trim()
}

func (l *commandLog) trim() {
	if over := int64(len(l.entries)) - l.most; over > 0 {
		clear(l.entries[:over]) // they must not be kept alive by what lies behind them
		l.entries = l.entries[over:]
	}
}

// note looks at a command that may stand out, by its time or a size. Its reply begins
// at before.
func (s *Server) note(c *conn, call *command.Call, spec *command.Spec, took time.Duration, before int) {
	event := "command"
	if spec.Has(command.Fast) {
		event = "fast-command"
	}
	s.spike(event, took)
	if spec.Has(command.SkipSlowlog) {
		return
	}
	values := [logKinds]int64{took.Microseconds(), int64(s.requestSize), int64(len(c.out.Buf) - before)}
	if c.flags&(flagReplyOff|flagReplySkip|flagPrimary|flagReplica) != 0 {
		values[logLargeReply] = 0 // nobody gets it
	}
	if c == &s.scripts.conn {
		values[logLargeRequest] = 0 // only the script's own request came over the network
		if s.current != nil {
			c = s.current // who has called the script
		}
	}
	var args []string
	for kind := range s.logs {
		if values[kind] < s.logs[kind].least {
			continue
		}
		if args == nil {
			args = abridge(spec, call.Args)
		}
		s.logs[kind].add(logEntry{at: s.clock.unix, value: values[kind], args: args, peer: c.peer, name: c.name})
	}
}

// abridge copies arguments for a log and hides passwords.
func abridge(spec *command.Spec, args [][]byte) []string {
	n := min(len(args), logMaxArgs)
	out := make([]string, n)
	for i, a := range args[:n] {
		switch {
		case i == logMaxArgs-1 && len(args) > logMaxArgs:
			out[i] = fmt.Sprintf("... (%d more arguments)", len(args)-logMaxArgs+1)
		case i > 0 && secretArg(spec, args, i):
			out[i] = "(redacted)"
		case len(a) > logMaxArg:
			out[i] = fmt.Sprintf("%s... (%d more bytes)", a[:logMaxArg], len(a)-logMaxArg)
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

// slowlogSpec is the older command for the first of the logs.
func (s *Server) slowlogSpec() *command.Spec {
	flags := command.Admin | command.Loading | command.Stale
	slow := &s.logs[logSlow]
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	return &command.Spec{Name: "slowlog", Arity: -2,
		Subcommands: []*command.Spec{
			sub("get", -2, s.cmdSlowlogGet),
			sub("len", 2, func(c *command.Call) { c.Out.Int(int64(len(slow.entries))) }),
			sub("reset", 2,
				func(c *command.Call) { slow.entries = nil; c.Out.OK() }),
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

func (s *Server) commandlogSpec() *command.Spec {
	flags := command.Admin | command.Loading | command.Stale
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	return &command.Spec{Name: "commandlog", Arity: -2,
		Subcommands: []*command.Spec{
			sub("get", 4, s.cmdCommandlogGet),
			sub("len", 3, s.cmdCommandlogLen),
			sub("reset", 3, s.cmdCommandlogReset),
			helpSpec("commandlog", command.Loading|command.Stale,
				"GET <count> <type>",
				"    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).",
				"    Entries are made of:",
				"    id, timestamp,",
				"        time in microseconds for type of slow,",
				"        or size in bytes for type of large-request,",
				"        or size in bytes for type of large-reply",
				"    arguments array, client IP and port,",
				"    client name",
				"LEN <type>",
				"    Return the length of the specified type of commandlog.",
				"RESET <type>",
				"    Reset the specified type of commandlog."),
		}}
}

func (s *Server) cmdSlowlogGet(call *command.Call) {
	if len(call.Args) > 3 {
		call.Fail(errSubSyntax("slowlog", call.Args[1]))
		return
	}
	count, ok := int64(10), true
	if len(call.Args) == 3 {
		count, ok = logCount(call)
	}
	if ok {
		s.logs[logSlow].reply(call, count)
	}
}

func (s *Server) cmdCommandlogGet(call *command.Call) {
	count, ok := logCount(call)
	if !ok {
		return
	}
	if l := s.namedLog(call, call.Args[3]); l != nil {
		l.reply(call, count)
	}
}

func (s *Server) cmdCommandlogLen(call *command.Call) {
	if l := s.namedLog(call, call.Args[2]); l != nil {
		call.Out.Int(int64(len(l.entries)))
	}
}

func (s *Server) cmdCommandlogReset(call *command.Call) {
	if l := s.namedLog(call, call.Args[2]); l != nil {
		l.entries = nil
		call.Out.OK()
	}
}

// logCount reads how many entries are asked for; -1 is all of them.
func logCount(call *command.Call) (count int64, ok bool) {
	count, ok = parseInt(call.Args[2])
	if !ok || count < -1 {
		call.Fail("ERR count should be greater than or equal to -1")
		return 0, false
	}
	return count, true
}

// namedLog finds a log by its name; without one there is an error already.
func (s *Server) namedLog(call *command.Call, name []byte) *commandLog {
	for kind := range s.logs {
		if foldIs(name, logNames[kind]) {
			return &s.logs[kind]
		}
	}
	call.Fail("ERR type should be one of the following: slow, large-request, large-reply")
	return nil
}

// reply writes the newest entries, the newest first.
func (l *commandLog) reply(call *command.Call, count int64) {
	if n := int64(len(l.entries)); count == -1 || count > n {
		count = n
	}
	call.Out.Array(int(count))
	for i := range int(count) {
		e := &l.entries[len(l.entries)-1-i]
		call.Out.Array(6)
		call.Out.Int(e.id)
		call.Out.Int(e.at)
		call.Out.Int(e.value)
		call.Out.Array(len(e.args))
		for _, a := range e.args {
			call.Out.BulkString(a)
		}
		call.Out.BulkString(e.peer)
		call.Out.BulkString(e.name)
	}
}
