package lua

import (
	"fmt"
	"strings"
)

// OpenLibraries puts the standard library into the globals: the basic functions,
// coroutine, table, string, math, and os with nothing but clock. Left out is what
// reaches files and processes, prints, or replaces the globals of a function.
func OpenLibraries(l *State) {
	g := l.Globals
	l.Register(g, map[string]Native{
		"assert": baseAssert, "collectgarbage": baseCollect, "error": baseError, "gcinfo": baseGCInfo,
		"getmetatable": baseGetmetatable, "ipairs": baseIpairs(l), "load": baseLoad,
		"loadstring": baseLoadstring, "next": baseNext, "pairs": basePairs(l),
		"pcall": basePcall, "rawequal": baseRawequal, "rawget": baseRawget, "rawset": baseRawset,
		"select": baseSelect, "setmetatable": baseSetmetatable, "tonumber": baseTonumber,
		"tostring": baseTostring, "type": baseType, "unpack": baseUnpack, "xpcall": baseXpcall,
	})
	g.SetString("_G", g.Value())
	g.SetString("_VERSION", String("Lua 5.1"))
	openCoroutine(l)
	openTable(l)
	openString(l)
	openMath(l)
	openOS(l)
}

// library makes a table of functions and a global variable with it.
func (l *State) library(name string, fns map[string]Native) *Table {
	t := l.NewTable(0, len(fns))
	l.Register(t, fns)
	l.Globals.SetString(name, t.Value())
	return t
}

func baseAssert(t *Thread) int {
	n := t.NArgs()
	if !t.CheckAny(1).Truth() {
		message := "assertion failed!"
		if !t.Arg(2).IsNil() {
			message = t.CheckString(2)
		}
		t.Errorf("%s", message)
	}
	return n
}

// emptyKB stands for what the machine itself occupies, for collectgarbage("count").
const emptyKB = 40

func baseCollect(t *Thread) int {
	what := "collect"
	if !t.Arg(1).IsNil() {
		what = t.CheckString(1)
	}
	switch what {
	case "count":
		t.Push(Number(float64(t.l.mem.allocated)/1024 + emptyKB))
	case "step":
		t.Push(Bool(true))
	case "stop", "restart", "collect", "setpause", "setstepmul":
		t.Push(Number(0))
	default:
		t.ArgError(1, fmt.Sprintf("invalid option '%s'", what))
	}
	return 1
}

func baseGCInfo(t *Thread) int {
	t.Push(Number(float64(t.l.mem.allocated/1024) + emptyKB))
	return 1
}

func baseError(t *Thread) int {
	v, level := t.Arg(1), t.OptInt(2, 1)
	if text, ok := v.Text(); ok && level > 0 {
		v = String(t.Where(level) + text)
	}
	t.Throw(v)
	return 0
}

func baseGetmetatable(t *Thread) int {
	m := t.l.metatable(t.CheckAny(1))
	switch protected := m.event(evMetatable); {
	case m == nil:
		t.Push(Nil)
	case protected.o != nil:
		t.Push(protected)
	default:
		t.Push(m.Value())
	}
	return 1
}

func baseSetmetatable(t *Thread) int {
	table, m := t.CheckTable(1), t.Arg(2)
	if !m.IsNil() && m.Table() == nil || t.NArgs() < 2 {
		t.ArgError(2, "nil or table expected")
	}
	if table.meta.event(evMetatable).o != nil {
		t.Errorf("cannot change a protected metatable")
	}
	t.CheckWritable(table)
	table.meta = m.Table()
	t.Push(table.Value())
	return 1
}

func baseIpairs(l *State) Native {
	step := l.NewNative("", func(t *Thread) int {
		i := t.CheckInt(2) + 1
		v := t.CheckTable(1).GetInt(i)
		if v.IsNil() {
			t.Push(Nil)
			return 1
		}
		t.Push(Number(float64(i)))
		t.Push(v)
		return 2
	})
	l.ipairsStep = step
	return func(t *Thread) int {
		table := t.CheckTable(1)
		t.Push(step.Value())
		t.Push(table.Value())
		t.Push(Number(0))
		return 3
	}
}

func baseNext(t *Thread) int {
	k, v, ok := t.CheckTable(1).Next(t.Arg(2))
	if !ok {
		t.fail("invalid key to 'next'")
	}
	t.Push(k)
	if k.IsNil() {
		return 1
	}
	t.Push(v)
	return 2
}

func basePairs(l *State) Native {
	next := l.NewNative("next", baseNext)
	l.pairsStep = next
	return func(t *Thread) int {
		table := t.CheckTable(1)
		t.Push(next.Value())
		t.Push(table.Value())
		t.Push(Nil)
		return 3
	}
}

func baseLoadstring(t *Thread) int {
	code := t.CheckString(1)
	name := code
	if !t.Arg(2).IsNil() {
		name = t.CheckString(2)
	}
	return t.loadChunk(name, code)
}

func (t *Thread) loadChunk(name, code string) int {
	if strings.HasPrefix(code, "\x1bLua") {
		t.Push(Nil)
		t.Push(String("bytecode can not be loaded"))
		return 2
	}
	t.Spend(len(code) / 64)
	f, err := t.l.Load(name, code)
	if err != nil {
		t.Push(Nil)
		t.Push(String(err.Error()))
		return 2
	}
	t.Push(f.Value())
	return 1
}

func baseLoad(t *Thread) int {
	piece := t.CheckFunction(1)
	name := "=(load)"
	if !t.Arg(2).IsNil() {
		name = t.CheckString(2)
	}
	var code strings.Builder
	for {
		v := t.callValue(piece)
		if v.IsNil() || v.IsString() && v.Str() == "" {
			return t.loadChunk(name, code.String())
		}
		s, ok := v.Text()
		if !ok {
			t.Push(Nil)
			t.Push(String("reader function must return a string"))
			return 2
		}
		t.l.charge(len(s))
		code.WriteString(s)
	}
}

func basePcall(t *Thread) int {
	t.CheckAny(1)
	n, at := t.NArgs(), t.ci.base
	if err := t.PCall(n-1, -1); err != nil {
		t.Push(Bool(false))
		t.Push(err.Value)
		return 2
	}
	return t.Prepend(at, Bool(true))
}

// PCall is Call that catches errors. After one the function and its arguments are
// gone from the stack.
func (t *Thread) PCall(nargs, want int) *Error { return t.protect(nargs, want, nil) }

// Base is the stack index of the first argument of the function that runs.
func (t *Thread) Base() int { return t.ci.base }

// Prepend returns the values from a stack index on with one in front.
func (t *Thread) Prepend(at int, v Value) int {
	t.Push(Nil)
	copy(t.stack[at+1:t.top], t.stack[at:t.top-1])
	t.stack[at] = v
	return t.top - at
}

func baseXpcall(t *Thread) int {
	t.CheckAny(2)
	f, handler := t.Arg(1), t.Arg(2)
	at := t.top
	t.Push(f)
	err := t.protect(0, -1, func(t *Thread, e *Error) *Error {
		return &Error{Value: t.callValue(handler, e.Value), Fatal: e.Fatal}
	})
	if err != nil {
		t.Push(Bool(false))
		t.Push(err.Value)
		return 2
	}
	return t.Prepend(at, Bool(true))
}

func baseRawequal(t *Thread) int {
	t.Push(Bool(Equal(t.CheckAny(1), t.CheckAny(2))))
	return 1
}

func baseRawget(t *Thread) int {
	t.Push(t.CheckTable(1).Get(t.CheckAny(2)))
	return 1
}

func baseRawset(t *Thread) int {
	table := t.CheckTable(1)
	key, v := t.CheckAny(2), t.CheckAny(3)
	t.rawSet(table, key, v)
	t.Push(table.Value())
	return 1
}

func baseSelect(t *Thread) int {
	n := t.NArgs()
	if t.Arg(1).Str() == "#" {
		t.Push(Number(float64(n - 1)))
		return 1
	}
	i := t.CheckInt(1)
	if i < 0 {
		i += n
	} else if i > n {
		i = n
	}
	if i < 1 {
		t.ArgError(1, "index out of range")
	}
	return n - i
}

func baseTonumber(t *Thread) int {
	base := t.OptInt(2, 10)
	if base == 10 {
		if n, ok := t.CheckAny(1).ToNumber(); ok {
			t.Push(Number(n))
		} else {
			t.Push(Nil)
		}
		return 1
	}
	s := t.CheckString(1)
	if base < 2 || base > 36 {
		t.ArgError(2, "base out of range")
	}
	n, ok := parseUnsigned(s, base)
	if !ok {
		t.Push(Nil)
	} else {
		t.Push(Number(n))
	}
	return 1
}

// parseUnsigned reads an integer as the C library's strtoul does: a minus sign
// wraps around, what is too large becomes the largest number.
func parseUnsigned(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	if s == "" {
		return 0, false
	}
	n, overflow := uint64(0), false
	for i := range len(s) {
		d := digitValue(s[i])
		if d >= base {
			return 0, false
		}
		next := n*uint64(base) + uint64(d)
		overflow = overflow || n > (1<<64-1)/uint64(base) || next < n
		n = next
	}
	if overflow {
		n = 1<<64 - 1
	} else if negative {
		n = -n
	}
	return float64(n), true
}

func digitValue(ch byte) int {
	switch {
	case isDigit(ch):
		return int(ch - '0')
	case ch >= 'a' && ch <= 'z':
		return int(ch-'a') + 10
	case ch >= 'A' && ch <= 'Z':
		return int(ch-'A') + 10
	}
	return 99
}

func baseTostring(t *Thread) int {
	t.Push(t.ToString(t.CheckAny(1)))
	return 1
}

// ToString is what tostring returns.
func (t *Thread) ToString(v Value) Value {
	if mm := t.metamethod(v, evToString); mm.o != nil {
		return t.callValue(mm, v)
	}
	switch v.Kind() {
	case KindString:
		return v
	case KindNumber:
		return String(FormatNumber(v.n))
	case KindBool:
		if v.Truth() {
			return String("true")
		}
		return String("false")
	case KindNil:
		return String("nil")
	}
	// An address in C; here a number that is the object's own.
	name := v.Kind().String()
	if f := v.Function(); f != nil && f.proto == nil {
		return String(fmt.Sprintf("function: builtin: 0x%08x", v.o.hash))
	}
	return String(fmt.Sprintf("%s: 0x%012x", name, 0x7f0000000000+uint64(v.o.hash)*32))
}

func baseType(t *Thread) int {
	t.Push(kindStrings[t.CheckAny(1).Kind()])
	return 1
}

// kindStrings are prepared once: they are read by all machines.
var kindStrings = func() (all [len(kindNames)]Value) {
	for i, name := range kindNames {
		all[i] = String(name)
		all[i].o.stringHash()
	}
	return all
}()

func baseUnpack(t *Thread) int {
	table := t.CheckTable(1)
	from, to := t.OptInt(2, 1), 0
	if t.Arg(3).IsNil() {
		to = table.Len()
	} else {
		to = t.CheckInt(3)
	}
	if from > to {
		return 0
	}
	n := to - from + 1
	if n <= 0 || n >= maxNatives {
		t.Errorf("too many results to unpack")
	}
	t.grow(t.top + n)
	for i := from; i <= to; i++ {
		t.Push(table.GetInt(i))
	}
	return n
}
