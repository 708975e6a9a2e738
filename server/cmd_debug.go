package server

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/dataset"
)

func (s *Server) debugSpec() *command.Spec {
	return &command.Spec{Name: "debug", Arity: -2, Flags: command.Admin | command.NoScript | command.Loading | command.Stale,
		Run: s.cmdDebug}
}

// debugAllowed looks at enable-debug-command.
func (s *Server) debugAllowed(c *conn) bool {
	switch s.config.EnableDebugCommand {
	case "yes":
		return true
	case "local":
		return c.isLocal()
	}
	return false
}

// isLocal says whether the client is on this machine.
func (c *conn) isLocal() bool {
	return c.has(flagUnix) || strings.HasPrefix(c.peer, "127.") || strings.HasPrefix(c.peer, "[::1]")
}

func (s *Server) cmdDebug(call *command.Call) {
	for _, sub := range []struct {
		name     string
		min, max int // arguments with "debug" and the subcommand
		run      func(*command.Call)
	}{
		{"sleep", 3, 3, s.debugSleep},
		{"digest", 2, 2, s.debugDigest},
		{"digest-value", 2, math.MaxInt, s.debugDigestValue},
		{"populate", 3, 5, s.debugPopulate},
		{"object", 3, 4, s.debugObject},
		{"listpack", 3, 3, s.debugListpack},
		{"quicklist", 3, 4, s.debugQuicklist},
		{"htstats", 3, 4, s.debugHTStats},
		{"htstats-key", 3, 4, s.debugHTStatsKey},
		{"sdslen", 3, 3, s.debugSDSLen},
		{"stringmatch-len", 4, 4, debugStringMatch},
		{"client-eviction", 2, 2, s.debugClientEviction},
		{"pause-cron", 3, 3, s.debugPauseCron},
		{"replicate", 3, math.MaxInt, s.debugReplicate},
		{"segfault", 2, 2, s.debugCrash},
		{"panic", 2, 2, s.debugCrash},
		{"oom", 2, 2, s.debugCrash},
		{"assert", 2, 2, s.debugCrash},
		{"set-active-expire", 3, 3, s.debugSetActiveExpire},
		{"reload", 2, 5, s.debugReload},
		{"change-repl-id", 2, 2, s.debugChangeReplID},
		{"log", 3, 3, func(c *command.Call) { s.log.Warningf("DEBUG LOG: %s", c.Args[2]); c.Out.OK() }},
		{"error", 3, 3, func(c *command.Call) { c.Fail(command.ReplyError(c.Args[2])) }},
		{"quicklist-packed-threshold", 3, 3, debugPackedThreshold},
		{"protocol", 3, 3, s.debugProtocol},
		{"help", 2, 2, debugHelp},
	} {
		if foldIs(call.Args[1], sub.name) && len(call.Args) >= sub.min && len(call.Args) <= sub.max {
			sub.run(call)
			return
		}
	}
	if why := debugAbsent[strings.ToLower(string(call.Args[1]))]; why != "" {
		call.Fail(command.ReplyError(fmt.Sprintf("ERR DEBUG %s is not supported by this server: %s", strings.ToUpper(string(call.Args[1])), why)))
		return
	}
	call.Fail(errSubSyntax("debug", call.Args[1]))
}

func debugHelp(call *command.Call) {
	helpSpec("debug", 0,
		"ASSERT, OOM, PANIC, SEGFAULT", "    End the process as a crash does.",
		"CHANGE-REPL-ID", "    Change the replication IDs of the instance.",
		"CLIENT-EVICTION", "    Show how clients are spread over sizes (maxmemory-clients).",
		"DIGEST", "    Output a hex signature representing the current DB content.",
		"DIGEST-VALUE <key> [<key> ...]", "    Output a hex signature of the values of all the specified keys.",
		"ERROR <string>", "    Return a Redis protocol error with <string> as message.",
		"HTSTATS <dbid>", "    Show the size of a database's tables.",
		"HTSTATS-KEY <key>", "    Show the size of the table at <key>.",
		"LISTPACK <key>", "    Show the bytes of a listpack in the log.",
		"LOG <message>", "    Write <message> to the server log.",
		"OBJECT <key>", "    Show low level info about `key` and associated value.",
		"PAUSE-CRON <0|1>", "    Stop periodic work.",
		"POPULATE <count> [<prefix>] [<size>]", "    Create <count> string keys named key:<num>. If <prefix> is specified then",
		"    it is used instead of the 'key' prefix.",
		"PROTOCOL <type>", "    Reply with a test value of the specified type. <type> can be: string,",
		"    integer, double, null, array, set, map, attrib, push, verbatim, true, false.",
		"QUICKLIST <key>", "    Show the nodes of a list in the log.",
		"QUICKLIST-PACKED-THRESHOLD <size>", "    Accepted for tests; large elements have nodes of their own in any case.",
		"RELOAD [option ...]", "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
		"    * NOSAVE: load the file that is there.",
		"    * NOFLUSH: keep the data in memory, and add what is in the file.",
		"    * MERGE: replace keys that are there already; without it they are an error.",
		"REPLICATE <command> [<arg> ...]", "    Send a command to replicas that is not executed here.",
		"SDSLEN <key>", "    Show the lengths of <key> and of its string.",
		"SET-ACTIVE-EXPIRE <0|1>", "    Setting it to 0 disables expiring keys (and hash-fields) in background.",
		"SLEEP <seconds>", "    Stop the server for <seconds>. Decimals allowed.",
		"STRINGMATCH-LEN <pattern> <string>", "    Tell whether a pattern matches.",
	).Run(call)
}

func (s *Server) debugSleep(call *command.Call) {
	seconds, err := strconv.ParseFloat(string(call.Args[2]), 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 {
		call.Fail(command.ErrNotFloat)
		return
	}
	// The reactor stands still: that is what this is for.
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	call.Out.OK()
}

func (s *Server) debugDigest(call *command.Call) {
	call.Out.Simple(s.keyspaceDigest())
}

// keyspaceDigest equals DEBUG DIGEST of a Redis with the same data.
func (s *Server) keyspaceDigest() string { return dataset.OfKeyspace(s.keyspace).String() }

func (s *Server) debugDigestValue(call *command.Call) {
	call.Out.Array(len(call.Args) - 2)
	for _, key := range call.Args[2:] {
		var d dataset.Digest
		if e, ok := call.DB.Find(key); ok {
			d = dataset.OfValue(e)
		}
		call.Out.Simple(d.String())
	}
}

func (s *Server) debugPopulate(call *command.Call) {
	count, ok := parseInt(call.Args[2])
	if !ok || count < 0 {
		call.Fail("ERR value is out of range, must be positive")
		return
	}
	prefix, size := "key", int64(-1)
	if len(call.Args) > 3 {
		prefix = string(call.Args[3])
	}
	if len(call.Args) > 4 {
		if size, ok = parseInt(call.Args[4]); !ok || size < 0 {
			call.Fail("ERR value is out of range, must be positive")
			return
		}
	}
	var key, value []byte
	for i := range count {
		key = append(append(key[:0], prefix...), ':')
		key = strconv.AppendInt(key, i, 10)
		if _, exists := call.DB.Find(key); exists {
			continue
		}
		value = strconv.AppendInt(append(value[:0], "value:"...), i, 10)
		if size >= 0 {
			for int64(len(value)) < size {
				value = append(value, 0)
			}
			value = value[:size]
		}
		call.DB.SetString(key, value, 0)
		call.Touch(key)
	}
	call.Out.OK()
}

func (s *Server) debugSetActiveExpire(call *command.Call) {
	s.expiring.off = string(call.Args[2]) == "0"
	call.Out.OK()
}

func (s *Server) debugReload(call *command.Call) {
	o := reloading{save: true, flush: true}
	for _, arg := range call.Args[2:] {
		switch {
		case foldIs(arg, "nosave"):
			o.save = false
		case foldIs(arg, "noflush"):
			o.flush = false
		case foldIs(arg, "merge"):
			o.merge = true
		default:
			call.Fail("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
			return
		}
	}
	if o.save {
		if err := s.saving.foreground(s); err != nil {
			call.Fail(command.ReplyError("ERR " + err.Error()))
			return
		}
	}
	c := session(call)
	s.blockConn(c, "reload", nil, func(unblockReason) {})
	s.reload(o, func(err error) {
		if c.blocked == nil || c.blocked.kind != "reload" {
			return
		}
		if err != nil {
			s.log.Warningf("DEBUG RELOAD: %v", err)
			c.out.Error("ERR Error trying to load the RDB dump, check server logs")
		} else {
			s.log.Warningf("DB reloaded by DEBUG RELOAD")
			c.out.OK()
		}
		s.unblocked(c)
	})
}

func (s *Server) debugChangeReplID(call *command.Call) {
	s.changeReplicationID()
	call.Out.OK()
}

// debugProtocol answers with each kind of reply, for the tests of clients.
func (s *Server) debugProtocol(call *command.Call) {
	out := call.Out
	kinds := map[string]func(){
		"string":  func() { out.BulkString("Hello World") },
		"integer": func() { out.Int(12345) },
		"double":  func() { out.Double(3.141) },
		"null":    func() { out.Null() },
		"array":   func() { out.Array(3); out.Int(0); out.Int(1); out.Int(2) },
		"set":     func() { out.Set(3); out.Int(0); out.Int(1); out.Int(2) },
		"map": func() {
			out.Map(3)
			out.Int(0)
			out.Bool(false)
			out.Int(1)
			out.Bool(true)
			out.Int(2)
			out.Bool(false)
		},
		"bignum":   func() { out.BigNumber("1234567999999999999999999999999999999") },
		"true":     func() { out.Bool(true) },
		"false":    func() { out.Bool(false) },
		"verbatim": func() { out.Verbatim("txt", "This is a verbatim\nstring") },
		"attrib": func() {
			if out.Attribute(1) {
				out.BulkString("key-popularity")
				out.Array(2)
				out.BulkString("key:123")
				out.Int(90)
			}
			out.BulkString("Some real reply following the attribute")
		},
		"push": func() {
			if !out.RESP3() {
				call.Fail("ERR RESP2 is not supported by this command")
				return
			}
			out.Push(2)
			out.BulkString("server-cpu-usage")
			out.Int(42)
			out.BulkString("Some real reply following the push reply")
		},
	}
	write, known := kinds[strings.ToLower(string(call.Args[2]))]
	if !known {
		call.Fail("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
		return
	}
	write()
}

// debugPackedThreshold checks its argument as Redis does, and does no more: which
// elements of a list have nodes of their own shows nowhere.
func debugPackedThreshold(call *command.Call) {
	bytes, err := config.ParseMemory(string(call.Args[2]))
	if err != nil || bytes < 0 || bytes > 1<<32-1<<20 {
		call.Fail("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
		return
	}
	call.Out.OK()
}
