package server

import (
	"container/list"
	"crypto/sha1" //nolint:gosec // a fingerprint that has to equal Redis', not a protection
	"encoding/hex"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
	"github.com/lockstep-db/lockstep/server/script"
)

// scripting runs scripts and functions. It is the server as they see it: commands
// that they call run on a connection and a Call of their own, and all that they
// change is one group of effects.
type scripting struct {
	server *Server
	engine *script.Engine // of EVAL; nil until it is needed
	bySHA  map[string]*cachedScript
	byBody map[string]*cachedScript
	recent *list.List // scripts that EVAL has brought in, the least recently used first

	cachedBytes   int64
	evicted       int64
	conn          conn // whose commands those of a script are
	call          command.Call
	run           *scriptRun
	current       scriptRun // what run points to
	loadingSince  time.Duration
	polled        time.Duration // when others last had their turn while a script runs
	spareRead     []byte        // the read buffers while a script keeps the ordinary ones
	spareArrivals arrivals
	spareTLS      []byte
}

// cachedScript is a script that EVALSHA finds.
type cachedScript struct {
	sha, body string
	code      *script.Script
	flags     script.Flags
	plain     bool          // without a shebang line: what it does is found out as it runs
	place     *list.Element // in recent; nil: loaded to stay
}

// maxEvalScripts is how many scripts are kept that were only ever given to EVAL.
const maxEvalScripts = 500

// scriptRun is a script or function that is under way.
type scriptRun struct {
	c        *conn // who has asked for it
	name     string
	command  [][]byte
	eval     bool // a script, not a function
	readOnly bool
	allowOOM bool
	overOOM  bool // memory was short when it began
	wrote    bool // from then on it must not be stopped
	killed   bool
	slow     bool // it has taken longer than busy-reply-threshold
	started  time.Duration
	now      int64 // for all its commands, Unix milliseconds
	effects  int   // where they go, of script.Replicate...
}

const (
	errNoScript     command.ReplyError = "NOSCRIPT No matching script. Please use EVAL."
	errBusyEval     command.ReplyError = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	errBusyFunction command.ReplyError = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
	errNotBusy      command.ReplyError = "NOTBUSY No scripts in execution right now."
	errUnkillable   command.ReplyError = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
	errOfPrimary    command.ReplyError = "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed."
	errScriptOOM    command.ReplyError = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
	errScriptStale  command.ReplyError = "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script."
	errWriteWithRO  command.ReplyError = "ERR Can not execute a script with write flag using *_ro command."
)

func scriptVersions() script.Versions {
	return script.Versions{Redis: compatVersion, Server: Version(), Name: "lockstep"}
}

func (s *Server) initScripting() {
	s.scripts.server = s
	s.scripts.conn = conn{fd: -1, peer: "lua"}
	s.scripts.call.Env, s.scripts.call.Scripted = &s.env, true
	s.functions.server = s
	s.scripts.flush()
}

// flush forgets all scripts and the machine that they ran in.
func (sc *scripting) flush() {
	sc.engine = nil
	sc.bySHA, sc.byBody = map[string]*cachedScript{}, map[string]*cachedScript{}
	sc.recent = list.New()
	sc.cachedBytes = 0
}

func (sc *scripting) machine() *script.Engine {
	if sc.engine == nil {
		sc.engine = script.New(sc, scriptVersions())
	}
	return sc.engine
}

// memory is about what scripts occupy, in bytes: the machine, and what is cached.
func (sc *scripting) memory() (machine, cached int64) {
	if sc.engine == nil {
		return 0, sc.cachedBytes
	}
	return int64(sc.engine.MemoryBytes()), sc.cachedBytes
}

// find returns a cached script by its fingerprint, of either case.
func (sc *scripting) find(sha []byte) *cachedScript {
	if len(sha) != 2*sha1.Size {
		return nil
	}
	if s := sc.bySHA[string(sha)]; s != nil {
		return s
	}
	return sc.bySHA[strings.ToLower(string(sha))]
}

// get returns the script with a body, compiling it if it is new. keep says that it
// was loaded to stay.
func (sc *scripting) get(body []byte, keep bool) (*cachedScript, command.ReplyError) {
	cs := sc.byBody[string(body)]
	if cs == nil {
		var why command.ReplyError
		if cs, why = sc.compile(string(body)); why != "" {
			return nil, why
		}
		sc.bySHA[cs.sha], sc.byBody[cs.body] = cs, cs
		sc.cachedBytes += cs.bytes()
		if !keep {
			cs.place = sc.recent.PushBack(cs)
			sc.evict()
		}
		return cs, ""
	}
	sc.used(cs)
	if keep && cs.place != nil {
		sc.recent.Remove(cs.place)
		cs.place = nil
	}
	return cs, ""
}

func (sc *scripting) used(cs *cachedScript) {
	if cs.place != nil {
		sc.recent.MoveToBack(cs.place)
	}
}

func (cs *cachedScript) bytes() int64 { return int64(len(cs.body)+len(cs.sha)+cs.code.Bytes()) + 200 }

// evict keeps the number of scripts bounded that clients make up as they go.
func (sc *scripting) evict() {
	for sc.recent.Len() > maxEvalScripts {
		cs := sc.recent.Remove(sc.recent.Front()).(*cachedScript)
		delete(sc.bySHA, cs.sha)
		delete(sc.byBody, cs.body)
		sc.cachedBytes -= cs.bytes()
		sc.engine.Forget(cs.code)
		sc.evicted++
	}
}

func (sc *scripting) compile(body string) (*cachedScript, command.ReplyError) {
	flags, plain, code, why := shebang(body)
	if why != "" {
		return nil, why
	}
	compiled, err := sc.machine().Compile(code)
	if err != nil {
		return nil, command.ReplyError("ERR Error compiling script (new function): " + script.CompileError(err))
	}
	sum := sha1.Sum([]byte(body)) //nolint:gosec // see the import
	return &cachedScript{sha: hex.EncodeToString(sum[:]), body: body, code: compiled, flags: flags, plain: plain}, ""
}

// shebang takes the first line off a script that begins with #!. The end of the line
// stays, so that messages count from it.
func shebang(body string) (flags script.Flags, plain bool, code string, why command.ReplyError) {
	if !strings.HasPrefix(body, "#!") {
		return 0, true, body, ""
	}
	words, end, ok := shebangWords(body)
	switch {
	case end < 0:
		return 0, false, "", "ERR Invalid script shebang"
	case !ok:
		return 0, false, "", "ERR Invalid engine in script shebang"
	case words[0] != "#!lua":
		return 0, false, "", command.ReplyError("ERR Unexpected engine in script shebang: " + words[0])
	}
	for _, word := range words[1:] {
		list, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			return 0, false, "", command.ReplyError("ERR Unknown lua shebang option: " + word)
		}
		for _, name := range strings.Split(list, ",") {
			flag := script.FlagByName(name)
			if flag == 0 && list != "" {
				return 0, false, "", command.ReplyError("ERR Unexpected flag in script shebang: " + name)
			}
			flags |= flag
		}
	}
	return flags, false, body[end:], ""
}

// shebangWords splits the first line of a script or library that begins with #!, as
// arguments are split: words may be quoted, and a carriage return is a blank. end is
// where the line ends, -1 when it does not.
func shebangWords(code string) (words []string, end int, ok bool) {
	end = strings.IndexAny(code, "\n\x00")
	if end < 0 || code[end] == 0 {
		return nil, -1, false
	}
	args, err := resp.SplitArgs([]byte(code[:end]))
	if err != nil {
		return nil, end, false
	}
	for _, a := range args {
		words = append(words, string(a))
	}
	return words, end, true
}

// scriptFlags are the flags by which the gates judge a call of a script that says
// what it does; those of the command for any other one.
func (s *Server) scriptFlags(spec *command.Spec, args [][]byte) command.Flags {
	flags := spec.Flags
	var of script.Flags
	switch spec.Name {
	case "eval", "eval_ro":
		if len(args[1]) < 2 || string(args[1][:2]) != "#!" {
			return flags
		}
		cs, why := s.scripts.get(args[1], false)
		if why != "" || cs.plain {
			return flags
		}
		of = cs.flags
	case "evalsha", "evalsha_ro":
		cs := s.scripts.find(args[1])
		if cs == nil || cs.plain {
			return flags
		}
		of = cs.flags
	default:
		f := s.functions.find(args[1])
		if f == nil {
			return flags
		}
		of = f.Flags
	}
	flags &^= command.Stale | command.DenyOOM | command.Write | command.MayReplicate
	if of&script.NoWrites == 0 {
		flags |= command.Write
	}
	if of&(script.AllowOOM|script.NoWrites) == 0 {
		flags |= command.DenyOOM
	}
	if of&script.AllowStale != 0 {
		flags |= command.Stale
	}
	return flags
}

// mayRun says why a script may not begin. plain: it does not say what it does.
func (s *Server) mayRun(c *conn, flags script.Flags, plain, readOnly bool) command.ReplyError {
	stale := s.repl.stale && !s.config.ReplicaServeStaleData && !c.has(flagPrimary)
	switch {
	case plain && stale:
		return errMasterDown
	case plain || c.has(flagPrimary):
		return ""
	case flags&(script.AllowOOM|script.NoWrites) == 0 && s.config.Maxmemory > 0 && s.outOfMemory():
		return errScriptOOM
	case stale && flags&script.AllowStale == 0:
		return errScriptStale
	case flags&script.NoWrites != 0:
		return ""
	case readOnly:
		return errWriteWithRO
	}
	return s.writeGate(true)
}

// begin prepares a run; end is to be called after it.
func (sc *scripting) begin(call *command.Call, name string, flags script.Flags, plain, readOnly bool) {
	s, c := sc.server, session(call)
	sc.current = scriptRun{c: c, name: name, command: call.Args, started: s.clock.elapsed(), now: call.Now, effects: script.ReplicateAll,
		readOnly: readOnly || !plain && flags&script.NoWrites != 0, allowOOM: !plain && flags&script.AllowOOM != 0}
	sc.run = &sc.current
	sc.run.overOOM = s.config.Maxmemory > 0 && s.outOfMemory()
	sc.conn.flags = c.flags & (flagPrimary | flagAuthenticated | flagRestricted | flagNoTouch | flagImporting | flagUnix)
	sc.conn.user, sc.conn.db, sc.conn.id = c.user, call.DBIndex, c.id
	if len(s.monitors) > 0 {
		s.showMonitors(c, call.Spec, call.Args)
	}
	s.effects.Begin()
	s.cmdClock = sc.run.started
}

func (sc *scripting) end() {
	s, run := sc.server, sc.run
	sc.run = nil
	s.effects.End()
	if run.wrote {
		s.hasWritten(run.c)
	}
	s.cmdClock = run.started // the command's own time includes all of it
	sc.current = scriptRun{}
	if cap(sc.conn.out.Buf) > keepOut {
		sc.conn.out.Buf = nil
	}
}

// Call implements script.Host.
func (sc *scripting) Call(args [][]byte, proto int) (reply []byte, refused string) {
	s, c := sc.server, &sc.conn
	spec, err := s.commands.Lookup(args)
	if spec == nil {
		return nil, sc.refuse(nil, "Unknown Redis command called from script")
	}
	if err != nil {
		return nil, sc.refuse(spec, "Wrong number of args calling Redis command from script")
	}
	if why := sc.refusal(spec, args); why != "" {
		return nil, sc.refuse(spec, why)
	}
	if spec.Flags&command.Write != 0 {
		sc.run.wrote = true
	}
	c.out.Buf, c.out.Proto = c.out.Buf[:0], proto
	call := &sc.call
	call.Args, call.DBIndex = args, c.db
	s.prepare(c, call)
	call.Now = sc.run.now
	if sc.run.effects&script.ReplicateReplicas == 0 {
		s.env.Effects = nil
		s.commands.Execute(call, spec)
		s.env.Effects = &s.effects
	} else {
		s.commands.Execute(call, spec)
	}
	s.ranInScript(c.db, spec, args)
	now := s.clock.elapsed()
	s.account(c, call, spec, now-s.cmdClock, 0)
	s.cmdClock = now
	return c.out.Buf, ""
}

// refuse counts a refusal and passes it on.
func (sc *scripting) refuse(spec *command.Spec, why string) string {
	s := sc.server
	if spec != nil {
		s.stats.rejectedCalls(spec.ID())
	}
	if why[0] == '-' {
		s.stats.countError([]byte(why), false)
	} else {
		s.stats.countError([]byte("-ERR "), false)
	}
	return why
}

// refusal says why a script may not call a command; it begins with - when it has a
// code of its own.
func (sc *scripting) refusal(spec *command.Spec, args [][]byte) string {
	s, run := sc.server, sc.run
	if spec.Flags&command.NoScript != 0 {
		return "This Redis command is not allowed from script"
	}
	if run.c.has(flagPrimary) {
		return ""
	}
	if s.repl.stale && !s.config.ReplicaServeStaleData && spec.Flags&command.Stale == 0 {
		return "Can not execute the command on a stale replica"
	}
	if why := s.aclCheckScript(&sc.conn, spec, args); why != "" {
		return "-" + string(why)
	}
	if spec.Flags&command.ReadOnly != 0 {
		if why := s.managedReadRefusal(); why != "" {
			return "-" + string(why)
		}
	}
	if run.readOnly && spec.Flags&(command.Write|command.MayReplicate) != 0 {
		return "Write commands are not allowed from read-only scripts."
	}
	if spec.Flags&command.Write != 0 {
		// What has written can not be failed for a reason that was there before.
		if !run.wrote {
			if why := s.writeGate(true); why != "" {
				return "-" + string(why)
			}
		}
	} else if spec.Flags&(command.PubSub|command.MayReplicate) == command.PubSub|command.MayReplicate {
		if why := s.publishGate(); why != "" {
			return "-" + string(why)
		}
	}
	if spec.Flags&command.DenyOOM != 0 && run.overOOM && !run.allowOOM && !run.wrote && !s.isReplica() {
		return "-" + string(command.ErrOutOfMemory)
	}
	return ""
}

// Allowed implements script.Host.
func (sc *scripting) Allowed(args [][]byte) (allowed, known bool) {
	spec, _ := sc.server.commands.Lookup(args)
	if spec == nil {
		return false, false
	}
	return sc.server.aclCheck(&sc.conn, spec, args) == "", true
}

// SetReplication implements script.Host. There is one log, for replicas and for
// restarts: what shall not reach replicas is not in it.
func (sc *scripting) SetReplication(flags int) { sc.run.effects = flags }

// CountError implements script.Host.
func (sc *scripting) CountError(text string) { sc.server.stats.countError([]byte("-"+text), true) }

// Log implements script.Host.
func (sc *scripting) Log(level int, text string) {
	log := sc.server.log
	[]func(string, ...any){log.Debugf, log.Verbosef, log.Noticef, log.Warningf}[level]("%s", text)
}
