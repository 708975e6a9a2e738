package script

import (
	"crypto/sha1" //nolint:gosec // a fingerprint that has to equal Redis', not a protection
	"encoding/hex"
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/lua"
)

// Where effects go, for SetReplication.
const (
	ReplicateNone     = 0
	ReplicateLog      = 1
	ReplicateReplicas = 2
	ReplicateAll      = 3
)

// openRedis makes the table that is called redis, and server as well.
func (e *Engine) openRedis(v Versions) {
	t := e.l.NewTable(0, 32)
	e.register(t, map[string]lua.Native{
		"call":          func(t *lua.Thread) int { return e.call(t, true) },
		"pcall":         func(t *lua.Thread) int { return e.call(t, false) },
		"acl_check_cmd": e.aclCheck, "error_reply": e.errorReply, "log": e.log, "set_repl": e.setRepl,
		"setresp": e.setResp, "sha1hex": e.sha1hex, "status_reply": e.statusReply,
	})
	for name, n := range map[string]float64{
		"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": ReplicateNone, "REPL_AOF": ReplicateLog, "REPL_SLAVE": ReplicateReplicas,
		"REPL_REPLICA": ReplicateReplicas, "REPL_ALL": ReplicateAll, "REDIS_VERSION_NUM": versionNumber(v.Redis),
		"SERVER_VERSION_NUM": versionNumber(v.Server),
	} {
		t.SetString(name, lua.Number(n))
	}
	t.SetString("REDIS_VERSION", lua.String(v.Redis))
	t.SetString("SERVER_VERSION", lua.String(v.Server))
	t.SetString("SERVER_NAME", lua.String(v.Name))
	e.globals.SetString("redis", t.Value())
	e.globals.SetString("server", t.Value())
	e.register(e.globals, map[string]lua.Native{"pcall": e.pcall})
	e.register(e.globals.GetString("math").Table(), map[string]lua.Native{
		"random": e.mathRandom, "randomseed": e.mathRandomseed,
	})
}

func (e *Engine) redisTable() *lua.Table { return e.globals.GetString("redis").Table() }

func (e *Engine) register(t *lua.Table, fns map[string]lua.Native) { e.l.Register(t, fns) }

// evalAPI is what scripts have and functions have not.
func evalAPI(e *Engine) map[string]lua.Native {
	return map[string]lua.Native{
		"breakpoint": func(t *lua.Thread) int { t.Push(lua.Bool(false)); return 1 },
		"debug":      func(*lua.Thread) int { return 0 },
		// Scripts have replicated by their commands ever since Redis 7.
		"replicate_commands": func(t *lua.Thread) int { t.Push(lua.Bool(true)); return 1 },
	}
}

// versionNumber has a byte for each of the three parts.
func versionNumber(v string) float64 {
	n, part := 0, 0
	for i := range len(v) {
		switch ch := v[i]; {
		case ch == '.':
			n, part = n<<8|part, 0
		case ch >= '0' && ch <= '9':
			part = part*10 + int(ch-'0')
		default:
			return float64(n<<8 | part)
		}
	}
	return float64(n<<8 | part)
}

// fail raises an error that is a table.
func (e *Engine) fail(t *lua.Thread, text string) { t.Throw(e.errorTable(text)) }

func (e *Engine) mustRun(t *lua.Thread, what string) {
	if !e.running {
		e.fail(t, what+" can only be called inside a script invocation")
	}
}

func (e *Engine) call(t *lua.Thread, raise bool) int {
	e.mustRun(t, "redis.call/pcall")
	if why := e.takeArgs(t); why != "" {
		return e.refuse(t, e.errorTable(why), raise)
	}
	reply, refused := e.host.Call(e.args, e.proto)
	if refused != "" {
		v := e.errorTable(refused)
		v.Table().Set(e.calls.ignore, lua.Bool(true))
		return e.refuse(t, v, raise)
	}
	p := replyParser{e: e, rest: reply}
	v := p.value()
	if len(reply) > 0 && reply[0] == '-' {
		return e.refuse(t, v, raise)
	}
	t.Push(v)
	return 1
}

func (e *Engine) refuse(t *lua.Thread, v lua.Value, raise bool) int {
	if raise {
		t.Throw(v)
	}
	t.Push(v)
	return 1
}

// takeArgs makes the arguments of a native function those of a command, in memory
// that is used again for the next one.
func (e *Engine) takeArgs(t *lua.Thread) (why string) {
	n := t.NArgs()
	if n == 0 {
		return "Please specify at least one argument for this redis lib call"
	}
	size := 0
	for i := 1; i <= n; i++ {
		size += max(len(t.Arg(i).Str()), 32)
	}
	if cap(e.argBytes) < size {
		e.argBytes = make([]byte, 0, size)
	}
	e.args, e.argBytes = e.args[:0], e.argBytes[:0]
	for i := 1; i <= n; i++ {
		from := len(e.argBytes)
		switch v := t.Arg(i); v.Kind() {
		case lua.KindString:
			e.argBytes = append(e.argBytes, v.Str()...)
		case lua.KindNumber:
			e.argBytes = appendNumber(e.argBytes, v.Float())
		default:
			return "Lua redis lib command arguments must be strings or integers"
		}
		e.args = append(e.args, e.argBytes[from:len(e.argBytes):len(e.argBytes)])
	}
	return ""
}

// appendNumber spells an argument that is a number: integers without an exponent,
// others with the fewest digits that read back as the same.
func appendNumber(dst []byte, n float64) []byte {
	if i := int64(n); float64(i) == n && n >= -math.MaxInt64/2 && n <= math.MaxInt64/2 {
		return strconv.AppendInt(dst, i, 10)
	}
	if math.IsInf(n, 0) || math.IsNaN(n) {
		return lua.AppendG(dst, n, 17)
	}
	var scratch [32]byte
	digits := strconv.AppendFloat(scratch[:0], n, 'e', -1, 64)
	exponent, mark := 0, len(digits)-1
	for digits[mark] != 'e' {
		mark--
	}
	exponent, err := strconv.Atoi(string(digits[mark+1:]))
	if err != nil {
		panic("an exponent is a number: " + err.Error())
	}
	if exponent >= -7 && exponent <= 21 {
		return strconv.AppendFloat(dst, n, 'f', -1, 64)
	}
	dst = append(dst, digits[:mark+1]...)
	if exponent >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

func (e *Engine) pcall(t *lua.Thread) int {
	at := t.Base()
	if t.NArgs() == 0 {
		t.Push(lua.Bool(false)) // as in Redis, where what is called then is a boolean
		t.PushString("attempt to call a boolean value")
		return 2
	}
	err := t.PCall(t.NArgs()-1, -1)
	if err == nil {
		return t.Prepend(at, lua.Bool(true))
	}
	v := err.Value
	if table := v.Table(); table != nil {
		// Scripts from before Redis 7 expect a text.
		if message := t.Index(v, e.calls.err); message.IsString() || message.IsNumber() {
			v = message
		}
	}
	t.Push(lua.Bool(false))
	t.Push(v)
	return 2
}

func (e *Engine) aclCheck(t *lua.Thread) int {
	e.mustRun(t, "redis.acl_check_cmd")
	if why := e.takeArgs(t); why != "" {
		e.fail(t, why)
	}
	allowed, known := e.host.Allowed(e.args)
	if !known {
		e.fail(t, "Invalid command passed to redis.acl_check_cmd()")
	}
	t.Push(lua.Bool(allowed))
	return 1
}

const errReplyArgs = "wrong number or type of arguments"

func (e *Engine) errorReply(t *lua.Thread) int {
	if t.NArgs() != 1 || !t.Arg(1).IsString() {
		t.Push(e.errorTable(errReplyArgs))
		return 1
	}
	text := t.Arg(1).Str()
	if len(text) == 0 || text[0] != '-' {
		text = "-" + text
	}
	t.Push(e.errorTable(text))
	return 1
}

func (e *Engine) statusReply(t *lua.Thread) int {
	if t.NArgs() != 1 || !t.Arg(1).IsString() {
		t.Push(e.errorTable(errReplyArgs))
		return 1
	}
	table := e.l.NewTable(0, 0)
	table.Set(e.calls.ok, t.Arg(1))
	t.Push(table.Value())
	return 1
}

func (e *Engine) sha1hex(t *lua.Thread) int {
	if t.NArgs() != 1 {
		e.fail(t, "wrong number of arguments")
	}
	s, _ := t.Arg(1).Text()
	sum := sha1.Sum([]byte(s)) //nolint:gosec // see the import
	t.PushString(hex.EncodeToString(sum[:]))
	return 1
}

func (e *Engine) log(t *lua.Thread) int {
	n := t.NArgs()
	if n < 2 {
		e.fail(t, "redis.log() requires two arguments or more.")
	}
	level, ok := t.Arg(1).ToNumber()
	if !ok {
		e.fail(t, "First argument must be a number (log level).")
	}
	if level < 0 || level > 3 {
		e.fail(t, "Invalid debug level.")
	}
	text := ""
	for i := 2; i <= n; i++ {
		if s, ok := t.Arg(i).Text(); ok {
			if i > 2 {
				text += " "
			}
			text += s
		}
	}
	e.host.Log(int(level), text)
	return 0
}

func (e *Engine) setRepl(t *lua.Thread) int {
	e.mustRun(t, "redis.set_repl")
	if t.NArgs() != 1 {
		e.fail(t, "redis.set_repl() requires two arguments.")
	}
	n, _ := t.Arg(1).ToNumber()
	flags := int(n)
	if flags&^ReplicateAll != 0 {
		e.fail(t, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	e.host.SetReplication(flags)
	return 0
}

func (e *Engine) setResp(t *lua.Thread) int {
	e.mustRun(t, "redis.setresp")
	if t.NArgs() != 1 {
		e.fail(t, "redis.setresp() requires one argument.")
	}
	n, _ := t.Arg(1).ToNumber()
	if n != 2 && n != 3 {
		e.fail(t, "RESP version must be 2 or 3.")
	}
	e.proto = int(n)
	return 0
}

// The generator of math.random is lrand48. It begins where C begins it, so that
// scripts draw the same numbers here as on any other server that was just started.
const (
	randomMask     = 1<<48 - 1
	randomFactor   = 0x5DEECE66D
	randomAddend   = 0xB
	randomLowWord  = 0x330E
	randomStart    = 0x1234ABCD330E
	randomInterval = math.MaxInt32
)

func seedOf(n int32) uint64 { return uint64(uint32(n))<<16 | randomLowWord }

func (e *Engine) draw() float64 {
	e.random = (e.random*randomFactor + randomAddend) & randomMask
	return float64((e.random>>17)%randomInterval) / randomInterval
}

func (e *Engine) mathRandom(t *lua.Thread) int {
	if !e.running {
		t.Errorf("math.random can only be called inside a script invocation")
	}
	n := t.NArgs()
	r := e.draw()
	switch n {
	case 0:
		t.Push(lua.Number(r))
	case 1:
		most := int32(t.CheckInt(1))
		if most < 1 {
			t.ArgError(1, "interval is empty")
		}
		t.Push(lua.Number(math.Floor(r*float64(most)) + 1))
	case 2:
		least, most := int32(t.CheckInt(1)), int32(t.CheckInt(2))
		if least > most {
			t.ArgError(2, "interval is empty")
		}
		t.Push(lua.Number(math.Floor(r*float64(most-least+1)) + float64(least)))
	default:
		t.Errorf("wrong number of arguments")
	}
	return 1
}

func (e *Engine) mathRandomseed(t *lua.Thread) int {
	if !e.running {
		t.Errorf("math.randomseed can only be called inside a script invocation")
	}
	e.random = seedOf(int32(t.CheckInt(1)))
	return 0
}
