package server

import (
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/script"
)

// scriptSpecs are the commands about scripts.
func (s *Server) scriptSpecs() []*command.Spec {
	const any = command.NoScript | command.Stale | command.SkipMonitor | command.NoMandatoryKeys
	run := func(name string, flags command.Flags, notes string, access command.KeyFlags, fn func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: -3, Flags: any | flags, Categories: command.CatScripting, Run: fn,
			KeySpecs: []command.KeySpec{{Flags: access, Notes: notes, Begin: command.KeyBegin{Index: 2},
				Find: command.KeyFind{How: command.FindCount, CountAt: 0, FirstAt: 1, Step: 1}}}}
	}
	const (
		worstRW = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
		worstRO = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"
		rw      = command.KeyRW | command.KeyAccess | command.KeyUpdate
		ro      = command.KeyRO | command.KeyAccess
	)
	return []*command.Spec{
		run("eval", command.MayReplicate, worstRW, rw, func(c *command.Call) { s.cmdEval(c, false, false) }),
		run("evalsha", command.MayReplicate, "", rw, func(c *command.Call) { s.cmdEval(c, true, false) }),
		run("eval_ro", command.ReadOnly, worstRO, ro, func(c *command.Call) { s.cmdEval(c, false, true) }),
		run("evalsha_ro", command.ReadOnly, "", ro, func(c *command.Call) { s.cmdEval(c, true, true) }),
		run("fcall", command.MayReplicate, worstRW, rw, func(c *command.Call) { s.cmdFcall(c, false) }),
		run("fcall_ro", command.ReadOnly, worstRO, ro, func(c *command.Call) { s.cmdFcall(c, true) }),
		s.scriptSpec(),
		s.functionSpec(),
	}
}

func (s *Server) scriptSpec() *command.Spec {
	sub := func(name string, arity int, flags command.Flags, fn func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags | command.NoScript, Categories: command.CatScripting, Run: fn}
	}
	help := helpSpec("script", command.Loading|command.Stale,
		"DEBUG (YES|SYNC|NO)",
		"    Set the debug mode for subsequent scripts executed.",
		"EXISTS <sha1> [<sha1> ...]",
		"    Return information about the existence of the scripts in the script cache.",
		"FLUSH [ASYNC|SYNC]",
		"    Flush the Lua scripts cache. Very dangerous on replicas.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the scripts cache.",
		"    * SYNC: Synchronously flush the scripts cache.",
		"KILL",
		"    Kill the currently executing Lua script.",
		"LOAD <script>",
		"    Load a script into the scripts cache without executing it.",
		"SHOW <sha1>",
		"    Show a script from the scripts cache.")
	help.Categories = command.CatScripting
	return &command.Spec{Name: "script", Arity: -2, Subcommands: []*command.Spec{
		sub("debug", 3, 0, cmdScriptDebug),
		sub("exists", -3, 0, s.cmdScriptExists),
		sub("flush", -2, 0, s.cmdScriptFlush),
		sub("kill", 2, command.AllowBusy, func(c *command.Call) { s.killScript(c, true) }),
		sub("load", 3, command.Stale, s.cmdScriptLoad),
		sub("show", 3, 0, s.cmdScriptShow),
		help,
	}}
}

// scriptArgs reads the number of keys and tells keys from arguments.
func scriptArgs(call *command.Call) (keys, args [][]byte, ok bool) {
	n, isNumber := parseInt(call.Args[2])
	rest := call.Args[3:]
	switch {
	case !isNumber:
		call.Fail(errNotInteger)
	case n > int64(len(rest)):
		call.Fail("ERR Number of keys can't be greater than number of args")
	case n < 0:
		call.Fail("ERR Number of keys can't be negative")
	default:
		return rest[:n], rest[n:], true
	}
	return nil, nil, false
}

func (s *Server) cmdEval(call *command.Call, bySHA, readOnly bool) {
	sc := &s.scripts
	var cs *cachedScript
	if bySHA {
		if cs = sc.find(call.Args[1]); cs == nil {
			call.Fail(errNoScript)
			return
		}
		sc.used(cs)
	}
	keys, args, ok := scriptArgs(call)
	if !ok {
		return
	}
	if cs == nil {
		var why command.ReplyError
		if cs, why = sc.get(call.Args[1], false); why != "" {
			call.Fail(why)
			return
		}
	}
	if why := s.mayRun(session(call), cs.flags, cs.plain, readOnly); why != "" {
		call.Fail(why)
		return
	}
	sc.begin(call, cs.sha, cs.flags, cs.plain, readOnly)
	sc.run.eval = true
	failed, counted := sc.engine.Run(cs.code, cs.sha, keys, args, call.Out)
	sc.end()
	call.Failed, call.Counted = failed, counted
}

func (s *Server) cmdFcall(call *command.Call, readOnly bool) {
	sc := &s.scripts
	f := s.functions.find(call.Args[1])
	if f == nil {
		call.Fail("ERR Function not found")
		return
	}
	if _, isNumber := parseInt(call.Args[2]); !isNumber {
		call.Fail("ERR Bad number of keys provided")
		return
	}
	keys, args, ok := scriptArgs(call)
	if !ok {
		return
	}
	if why := s.mayRun(session(call), f.Flags, false, readOnly); why != "" {
		call.Fail(why)
		return
	}
	sc.begin(call, f.Name, f.Flags, false, readOnly)
	failed, counted := s.functions.engine.RunFunction(f, keys, args, call.Out)
	sc.end()
	call.Failed, call.Counted = failed, counted
}

func cmdScriptDebug(call *command.Call) {
	switch mode := call.Args[2]; {
	case foldIs(mode, "no"):
		call.Out.OK()
	case foldIs(mode, "yes"), foldIs(mode, "sync"):
		call.Fail("ERR SCRIPT DEBUG is not supported: scripts can not be run step by step")
	default:
		call.Fail("ERR Use SCRIPT DEBUG YES/SYNC/NO")
	}
}

func (s *Server) cmdScriptExists(call *command.Call) {
	call.Out.Array(len(call.Args) - 2)
	for _, sha := range call.Args[2:] {
		n := int64(0)
		if s.scripts.find(sha) != nil {
			n = 1
		}
		call.Out.Int(n)
	}
}

// flushMode reads the optional SYNC or ASYNC. Both are the same here: the collector
// takes what is left behind.
func flushMode(args [][]byte) bool {
	return len(args) == 2 || len(args) == 3 && (foldIs(args[2], "sync") || foldIs(args[2], "async"))
}

func (s *Server) cmdScriptFlush(call *command.Call) {
	if !flushMode(call.Args) {
		call.Fail("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	}
	s.scripts.flush()
	call.Out.OK()
}

func (s *Server) cmdScriptLoad(call *command.Call) {
	cs, why := s.scripts.get(call.Args[2], true)
	if why != "" {
		call.Fail(why)
		return
	}
	call.Out.BulkString(cs.sha)
}

func (s *Server) cmdScriptShow(call *command.Call) {
	cs := s.scripts.find(call.Args[2])
	if cs == nil {
		call.Fail(errNoScript)
		return
	}
	call.Out.BulkString(cs.body)
}

var _ script.Host = (*scripting)(nil)
