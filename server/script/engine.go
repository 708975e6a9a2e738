package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/server/lua"
	"github.com/lockstep-db/lockstep/server/resp"
)

// Host is the server, as its scripts see it. An Engine calls it while a script runs.
type Host interface {
	// Call runs a command and returns its reply in the given version of the
	// protocol, valid until the next call. refused, unless empty, says why it was
	// not run, without an error code if that is ERR.
	Call(args [][]byte, proto int) (reply []byte, refused string)
	// Allowed says whether the user who runs the script may run a command; known is
	// false when there is no such command.
	Allowed(args [][]byte) (allowed, known bool)
	// SetReplication chooses where effects go from now on: a bit for the log on
	// disk and one for replicas.
	SetReplication(flags int)
	// CountError counts an error in what a script returns; the text begins with the
	// error's code.
	CountError(text string)
	// Log writes to the server's log; level counts from 0, debug, to 3, warning.
	Log(level int, text string)
	// Interrupt is called every now and then while a script runs. What it returns,
	// unless empty, is the error that ends the script.
	Interrupt() string
}

// Versions that scripts are told.
type Versions struct {
	Redis  string // of the Redis that the server is compatible with, e.g. "7.2.4"
	Server string // of the server itself, e.g. "1.2.3"
	Name   string // of the server itself
}

// memoryLimit is what one script may occupy: enough for every reply that a client
// can be sent, and too little to bring the process down.
const memoryLimit = 1 << 30

// Engine is a sandbox with the scripts, or the libraries, that were loaded into it.
type Engine struct {
	host    Host
	l       *lua.State
	globals *lua.Table // what code finds as its global variables

	running   bool
	proto     int // of replies of commands: 2, or 3 after setresp
	random    uint64
	args      [][]byte // of the command being called; reused
	argBytes  []byte
	codeBytes int
	keysName  lua.Value
	argvName  lua.Value
	calls     callKeys

	loading *loading // FUNCTION LOAD is under way
	library *libraryGlobals
}

// callKeys are strings that conversions need again and again.
type callKeys struct{ err, ok, ignore, source, line lua.Value }

// New makes an engine for EVAL.
func New(host Host, v Versions) *Engine {
	e := newEngine(host, v)
	e.register(e.redisTable(), evalAPI(e))
	e.seal()
	return e
}

func newEngine(host Host, v Versions) *Engine {
	e := &Engine{host: host, l: lua.NewState(), keysName: lua.String("KEYS"), argvName: lua.String("ARGV")}
	e.calls = callKeys{lua.String("err"), lua.String("ok"), lua.String("ignore_error_stats_update"), lua.String("source"), lua.String("line")}
	e.globals = e.l.Globals
	e.random = randomStart
	e.l.Limit = memoryLimit
	e.l.Interrupt = func() *lua.Error {
		if why := host.Interrupt(); why != "" {
			return &lua.Error{Value: e.errorTable(why)}
		}
		return nil
	}
	lua.OpenLibraries(e.l)
	e.openRedis(v)
	e.openJSON()
	e.openMsgpack()
	e.openStruct()
	e.openBit()
	return e
}

// seal protects the globals and all that can be reached from them.
func (e *Engine) seal() {
	meta := e.l.NewTable(0, 1)
	meta.SetString("__index", e.l.NewNative("", missingGlobal).Value())
	e.globals.SetMetatable(meta)
	protect(e.globals)
	protect(e.l.StringMetatable())
}

func protect(t *lua.Table) {
	if t == nil || t.Readonly() {
		return
	}
	t.SetReadonly(true)
	for key := lua.Nil; ; {
		k, v, _ := t.Next(key)
		if k.IsNil() {
			break
		}
		protect(v.Table())
		key = k
	}
	protect(t.Metatable())
}

func missingGlobal(t *lua.Thread) int {
	name, ok := t.Arg(2).Text()
	if !ok {
		t.Errorf("Second argument to luaProtectedTableError must be a string or number")
	}
	t.Errorf("Script attempted to access nonexistent global variable '%s'", name)
	return 0
}

// Script is a compiled script.
type Script struct {
	fn    *lua.Function
	bytes int
}

// Bytes is about what the code occupies.
func (s *Script) Bytes() int { return s.bytes }

// Compile makes a script of its source, without a shebang line. The error is what
// the compiler complains about.
func (e *Engine) Compile(body string) (*Script, error) {
	fn, err := e.l.Load("@user_script", body)
	if err != nil {
		return nil, fmt.Errorf("compile script: %w", err)
	}
	s := &Script{fn, fn.Bytes()}
	e.codeBytes += s.bytes
	return s, nil
}

// Forget counts the code of a script as gone.
func (e *Engine) Forget(s *Script) { e.codeBytes -= s.bytes }

// CompileError is what a client is told of an error of Compile.
func CompileError(err error) string {
	var syntax *lua.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Text
	}
	return err.Error()
}

// MemoryBytes is about what the engine occupies between runs.
func (e *Engine) MemoryBytes() int { return baseBytes + e.codeBytes }

// baseBytes is about what the libraries of an engine occupy.
const baseBytes = 48 << 10

// Run executes a script for a client and writes its reply. name is how errors call
// the script. failed says that it has ended with an error, counted that the error
// was counted already when a command replied it.
func (e *Engine) Run(s *Script, name string, keys, args [][]byte, out *resp.Writer) (failed, counted bool) {
	e.begin()
	// The engine itself may change what scripts can not.
	e.globals.Set(e.keysName, e.l.NewStrings(keys).Value())
	e.globals.Set(e.argvName, e.l.NewStrings(args).Value())
	result, err := e.l.Call(s.fn, e.handle)
	return e.finish(name, result, err, out)
}

func (e *Engine) begin() { e.running, e.proto = true, 2 }

// finish converts what a script has left.
func (e *Engine) finish(name string, result lua.Value, err *lua.Error, out *resp.Writer) (failed, counted bool) {
	e.running = false
	if cap(e.argBytes) > keepArgs {
		e.argBytes = nil
	}
	if err == nil {
		w := replyWriter{e: e, out: out}
		w.value(result, 0)
		for _, message := range w.errors {
			e.host.CountError(message)
		}
		return w.failed, true
	}
	table := err.Value.Table()
	if table == nil {
		text, ok := err.Value.Text()
		if !ok {
			text = "execution failure"
		}
		out.Error(fmt.Sprintf("ERR Error running script %s, %.100s", name, text))
		return true, false
	}
	info := e.errorInfo(table)
	if info.source != "" && info.line != "" {
		info.message += fmt.Sprintf(" script: %s, on %s:%s.", name, info.source, info.line)
	}
	out.Error(strings.TrimRight(info.message, "\r\n"))
	return true, info.counted
}

// keepArgs is how much of the room for arguments is kept between runs, in bytes.
const keepArgs = 64 << 10

type errorInfo struct {
	message, source, line string
	counted               bool
}

func (e *Engine) errorInfo(t *lua.Table) errorInfo {
	info := errorInfo{message: "ERR unknown error"}
	if s, ok := t.Get(e.calls.err).Text(); ok {
		info.message = s
	}
	info.source, _ = t.Get(e.calls.source).Text()
	info.line, _ = t.Get(e.calls.line).Text()
	ignore := t.Get(e.calls.ignore)
	info.counted = ignore.Kind() == lua.KindBool && ignore.Truth()
	return info
}

// handle sees an error that nobody has caught, and adds where it has happened: in
// the code that runs, or that has called the function that failed.
func (e *Engine) handle(t *lua.Thread, err *lua.Error) *lua.Error {
	if s, ok := err.Value.Text(); ok && s == lua.ErrMemory {
		return err
	}
	table := err.Value.Table()
	if table == nil {
		table = e.l.NewTable(0, 1)
		table.Set(e.calls.err, lua.String("ERR "+t.ToString(err.Value).Str()))
	}
	level := 0
	if t.Native(0) {
		level = 1
	}
	if source, line, ok := t.Position(level); ok && !table.Readonly() {
		table.Set(e.calls.source, lua.String(source))
		table.Set(e.calls.line, lua.Number(float64(line)))
	}
	return &lua.Error{Value: table.Value(), Fatal: err.Fatal}
}

// errorTable is an error as scripts see it. A text that begins with - brings its own
// code, any other one gets ERR.
func (e *Engine) errorTable(text string) lua.Value {
	code := "ERR"
	if strings.HasPrefix(text, "-") {
		if word, rest, ok := strings.Cut(text[1:], " "); ok {
			code, text = word, rest
		} else {
			text = text[1:]
		}
	}
	t := e.l.NewTable(0, 0)
	t.Set(e.calls.err, lua.String(code+" "+strings.Trim(text, "\r\n")))
	return t.Value()
}
