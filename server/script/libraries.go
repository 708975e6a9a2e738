package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/server/lua"
	"github.com/lockstep-db/lockstep/server/resp"
)

// Flags say what a script or function does and under which circumstances it may run.
type Flags uint8

// The flags, by the names of FlagNames.
const (
	NoWrites Flags = 1 << iota
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlotKeys
)

// FlagNames are the names of the flags, from the lowest.
var FlagNames = []string{"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"}

// FlagByName finds a flag; 0: there is none of that name.
func FlagByName(name string) Flags {
	for i, known := range FlagNames {
		if name == known {
			return 1 << i
		}
	}
	return 0
}

// Library is a library of functions that has been loaded.
type Library struct {
	Name      string
	Source    string // with the shebang line
	Functions map[string]*Function
	bytes     int
}

// Bytes is about what the library's code occupies.
func (l *Library) Bytes() int { return l.bytes }

// Function is one function of a library.
type Function struct {
	Name        string
	Description string // "" when there is none; Described tells the difference
	Described   bool
	Flags       Flags
	Library     *Library
	fn          *lua.Function
}

// loading is the library that is being loaded.
type loading struct{ library *Library }

// libraryGlobals are what the code of libraries finds: as a function's code, what a
// script finds; while it is loaded, hardly more than redis.register_function.
type libraryGlobals struct {
	env, meta      *lua.Table
	running, loads *lua.Table
}

// NewLibraries makes an engine for functions.
func NewLibraries(host Host, v Versions) *Engine {
	e := newEngine(host, v)
	e.seal()
	l := e.l
	missing := l.NewTable(0, 1)
	missing.SetString("__index", l.NewNative("", missingGlobal).Value())
	api := l.NewTable(0, 16)
	full := e.redisTable()
	for _, name := range []string{"log", "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING", "REDIS_VERSION", "REDIS_VERSION_NUM",
		"SERVER_NAME", "SERVER_VERSION", "SERVER_VERSION_NUM"} {
		api.SetString(name, full.GetString(name))
	}
	e.register(api, map[string]lua.Native{"register_function": e.registerFunction})
	api.SetMetatable(missing)
	g := &libraryGlobals{env: l.NewTable(0, 0), meta: l.NewTable(0, 1), running: e.globals, loads: l.NewTable(0, 2)}
	g.loads.SetString("redis", api.Value())
	g.loads.SetString("server", api.Value())
	g.loads.SetMetatable(missing)
	protect(g.loads)
	g.env.SetMetatable(g.meta)
	protect(g.env)
	g.use(g.running)
	e.library = g
	return e
}

func (g *libraryGlobals) use(t *lua.Table) { g.meta.SetString("__index", t.Value()) }

// LoadLibrary runs the code of a library, which registers its functions. The error
// is what to tell the client, without a code.
func (e *Engine) LoadLibrary(name, source string) (*Library, error) {
	// The shebang line stays a line, so that messages count from it.
	_, code, _ := strings.Cut(source, "\n")
	fn, err := e.l.Load("@user_function", "\n"+code)
	if err != nil {
		return nil, fmt.Errorf("Error compiling function: %s", CompileError(err)) //nolint:staticcheck // Redis' text
	}
	fn.SetEnv(e.library.env)
	lib := &Library{Name: name, Source: source, Functions: map[string]*Function{}, bytes: fn.Bytes() + len(source)}
	e.loading = &loading{lib}
	e.library.use(e.library.loads)
	_, failed := e.l.Call(fn, nil)
	e.library.use(e.library.running)
	e.loading = nil
	if failed != nil {
		return nil, fmt.Errorf("Error registering functions: %s", e.failure(failed.Value)) //nolint:staticcheck // Redis' text
	}
	if len(lib.Functions) == 0 {
		return nil, errNoneRegistered
	}
	return lib, nil
}

var errNoneRegistered = errors.New("No functions registered") //nolint:staticcheck // Redis' text

// failure is an error value as text with a code.
func (e *Engine) failure(v lua.Value) string {
	if t := v.Table(); t != nil {
		return e.errorInfo(t).message
	}
	text, _ := v.Text()
	return "ERR " + text
}

// Adopt counts a library's code as in use, or with false no more.
func (e *Engine) Adopt(l *Library, in bool) {
	if in {
		e.codeBytes += l.bytes
	} else {
		e.codeBytes -= l.bytes
	}
}

// RunFunction is Run for a function of a library.
func (e *Engine) RunFunction(f *Function, keys, args [][]byte, out *resp.Writer) (failed, counted bool) {
	e.begin()
	result, err := e.l.Call(f.fn, e.handle, e.l.NewStrings(keys).Value(), e.l.NewStrings(args).Value())
	return e.finish(f.Name, result, err, out)
}

// ValidName says whether this can be the name of a library or function.
func ValidName(name string) bool {
	for i := range len(name) {
		if ch := name[i]; !digit(ch) && ch != '_' && (ch|0x20 < 'a' || ch|0x20 > 'z') {
			return false
		}
	}
	return name != ""
}

// ErrName is the complaint about names that are not valid.
const ErrName = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

func (e *Engine) registerFunction(t *lua.Thread) int {
	if e.loading == nil {
		e.fail(t, "redis.register_function can only be called on FUNCTION LOAD command")
	}
	lib := e.loading.library
	f := &Function{Library: lib}
	switch t.NArgs() {
	case 1:
		e.namedArgs(t, f)
	case 2:
		name, ok := t.Arg(1).Text()
		if !ok {
			e.fail(t, "first argument to redis.register_function must be a string")
		}
		if f.Name, f.fn = name, t.Arg(2).Function(); f.fn == nil {
			e.fail(t, "second argument to redis.register_function must be a function")
		}
	default:
		e.fail(t, "wrong number of arguments to redis.register_function")
	}
	if !ValidName(f.Name) {
		e.fail(t, ErrName)
	}
	if lib.Functions[f.Name] != nil {
		e.fail(t, "Function already exists in the library")
	}
	lib.Functions[f.Name] = f
	return 0
}

func (e *Engine) namedArgs(t *lua.Thread, f *Function) {
	table := t.Arg(1).Table()
	if table == nil {
		e.fail(t, "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
	}
	named := false
	each(table, func(k, v lua.Value) {
		name, ok := k.Text()
		if !ok {
			e.fail(t, "named argument key given to redis.register_function is not a string")
		}
		switch strings.ToLower(name) {
		case "function_name":
			if f.Name, named = v.Text(); !named {
				e.fail(t, "function_name argument given to redis.register_function must be a string")
			}
		case "description":
			if f.Description, f.Described = v.Text(); !f.Described {
				e.fail(t, "description argument given to redis.register_function must be a string")
			}
		case "callback":
			if f.fn = v.Function(); f.fn == nil {
				e.fail(t, "callback argument given to redis.register_function must be a function")
			}
		case "flags":
			if v.Table() == nil {
				e.fail(t, "flags argument to redis.register_function must be a table representing function flags")
			}
			e.functionFlags(t, f, v.Table())
		default:
			e.fail(t, "unknown argument given to redis.register_function")
		}
	})
	if !named {
		e.fail(t, "redis.register_function must get a function name argument")
	}
	if f.fn == nil {
		e.fail(t, "redis.register_function must get a callback argument")
	}
}

func (e *Engine) functionFlags(t *lua.Thread, f *Function, flags *lua.Table) {
	for i := 1; !flags.GetInt(i).IsNil(); i++ {
		name, _ := flags.GetInt(i).Text()
		flag := FlagByName(strings.ToLower(name))
		if flag == 0 {
			e.fail(t, "unknown flag given")
		}
		f.Flags |= flag
	}
}
