package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scriptWriter writes random scripts: statements over a few variables, tables and
// functions, that end soon and draw on nothing that differs between two servers.
type scriptWriter struct {
	r     *rand.Rand
	b     strings.Builder
	depth int
	loops int
}

func (w *scriptWriter) pick(of ...string) string { return of[w.r.IntN(len(of))] }

func (w *scriptWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.b, strings.Repeat(" ", w.depth)+format+"\n", args...)
}

func (w *scriptWriter) name() string { return w.pick("a", "b", "c", "d", "e") }

// expr is an expression of at most some depth.
func (w *scriptWriter) expr(depth int) string {
	if depth <= 0 {
		return w.pick(w.name(), w.name(), "nil", "true", "false", strconv.Itoa(w.r.IntN(20)-5), "0.5", "'s'", "'10'", "''", "t[1]", "t.x", "#t", "{1,2,3}", "KEYS[1]", "select('#', ...)")
	}
	e := func() string { return w.expr(depth - 1 - w.r.IntN(2)) }
	switch w.r.IntN(22) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", e(), w.pick("+", "-", "*", "/", "%", "^"), e())
	case 4, 5:
		return fmt.Sprintf("(%s .. %s .. %s)", e(), e(), e())
	case 6, 7:
		return fmt.Sprintf("(%s %s %s)", e(), w.pick("==", "~=", "<", "<=", ">", ">="), e())
	case 8, 9, 10:
		return fmt.Sprintf("(%s %s %s)", e(), w.pick("and", "or"), e())
	case 11:
		return fmt.Sprintf("%s %s", w.pick("not", "-", "#"), e())
	case 12:
		return fmt.Sprintf("t[%s]", e())
	case 13:
		return fmt.Sprintf("{%s, %s, x = %s, [%s] = %s}", e(), e(), e(), w.pick("1", "2", "'k'", "10"), e())
	case 14:
		return fmt.Sprintf("f(%s, %s)", e(), e())
	case 15:
		return fmt.Sprintf("(function(a, ...) return %s end)(%s, %s)", e(), e(), e())
	case 16:
		return fmt.Sprintf("tostring(%s)", w.expr(0))
	case 17:
		return fmt.Sprintf("tonumber(%s)", e())
	case 18:
		return fmt.Sprintf("select(2, %s, %s, %s)", e(), e(), e())
	case 19:
		return fmt.Sprintf("string.format('%%s|%%5.1f|%%d', %s, %s, %s)", e(), e(), e())
	case 20:
		return fmt.Sprintf("(tostring(type(%s))):%s", w.name(), w.pick("upper()", "rep(2)", "sub(2,-2)", "find('1')", "gsub('%d','<%0>')", "byte(1,3)", "len()"))
	}
	return fmt.Sprintf("pcall(%s, %s, %s)", w.pick("f", "tostring", "rawget", "table.concat", "function(...) return #{...}, ... end"), e(), e())
}

func (w *scriptWriter) block(n int) {
	w.depth++
	for range n {
		w.statement()
	}
	w.depth--
}

func (w *scriptWriter) statement() {
	if w.depth > 4 {
		w.line("%s = %s", w.name(), w.expr(2))
		return
	}
	switch w.r.IntN(14) {
	case 0, 1:
		w.line("%s = %s", w.name(), w.expr(3))
	case 2:
		w.line("%s, %s = %s, %s", w.name(), w.pick("t.x", w.name(), "t[1]"), w.expr(2), w.expr(2))
	case 3:
		w.line("local %s, %s = %s", w.name(), w.name(), w.expr(2))
	case 4:
		w.line("t[%s] = %s", w.pick("1", "#t+1", "'k'", "tonumber("+w.name()+") or 0", "5", "-1", "2.5"), w.expr(2))
	case 5:
		w.line("if %s then", w.expr(2))
		w.block(1 + w.r.IntN(2))
		w.line("elseif %s then", w.expr(2))
		w.block(1)
		w.line("else")
		w.block(1)
		w.line("end")
	case 6:
		w.line("for %s = %d, %d, %s do", w.name(), w.r.IntN(5), w.r.IntN(8), w.pick("1", "2", "-1", "0.5"))
		w.block(1 + w.r.IntN(2))
		w.line("end")
	case 7:
		w.line("for %s, %s in %s do", w.name(), w.name(), w.pick("pairs({10,20,x=1,y=2})", "ipairs({1,2,nil,4})", "pairs({['1']=1,[1]=2,[2.5]=3,[true]=4})", "('a1b2'):gmatch('(%a)(%d)')"))
		w.block(1 + w.r.IntN(2))
		w.line("end")
	case 8:
		w.loops++
		w.line("local n%d = 0 while n%d < %d do n%d = n%d + 1", w.loops, w.loops, w.r.IntN(5), w.loops, w.loops)
		w.block(1)
		w.line(" if %s then break end", w.expr(1))
		w.line("end")
	case 9:
		w.line("do local function g(%s) return %s, %s end", w.name(), w.expr(2), w.name())
		w.block(1)
		w.line(" %s, %s = g(%s) end", w.name(), w.name(), w.expr(1))
	case 10:
		w.line("fs[#fs+1] = function(x) %s = %s return %s end", w.name(), w.expr(1), w.name())
	case 11:
		w.line("if #fs > 0 then %s = fs[#fs](%s) end", w.name(), w.expr(1))
	case 12:
		w.line("log[#log+1] = tostring(%s)..type(%s)", w.pick(w.name(), "#t", "#log"), w.name())
	default:
		w.line("%s = %s", w.name(), w.pick("redis.call('incr','n')", "redis.pcall('get')", "cjson.encode({x=1,y={1,2}})", "#cmsgpack.pack(1,'a',{1})", "bit.band(255,15)", "table.concat({1,2,3},'-')", "redis.call('mget','n','m')"))
	}
}

// script writes a script. It returns what its variables hold, or its error.
func (w *scriptWriter) script() string {
	w.line("local a, b, c, d, e = 1, 'two', nil, {3}, false")
	w.line("local t, fs, log = {1, 2, x = 'x'}, {}, {}")
	w.line("local function f(x, y) if type(x) == 'number' and x > 3 then return y, x end return x end")
	w.line("local ok, err = pcall(function(...)")
	w.block(6 + w.r.IntN(10))
	w.line("end, 1, 2)")
	w.line("local function show(v, n) if type(v) == 'function' then return 'fn' elseif type(v) ~= 'table' then return tostring(v) elseif n > 4 then return '...' end")
	w.line("  local s = '{' for k, x in pairs(v) do s = s .. tostring(k == v or type(k) == 'table' and 'tab' or type(k) == 'function' and 'fn' or k) .. '=' .. show(x, n + 1) .. ',' end return s .. '}#' .. #v end")
	w.line("local out = {tostring(ok), tostring(type(err) == 'table' and 'tab' or type(err) == 'function' and 'fn' or err), table.concat(log, ' '):gsub('0[xX]%%x+', 'ADDR'), ''}")
	w.line("for i, v in ipairs({show(a, 0), show(b, 0), show(c, 0), show(d, 0), show(e, 0), show(t, 0)}) do out[#out+1] = v:gsub('0[xX]%%x+', 'ADDR') end")
	w.line("return table.concat(out, '; ')")
	return w.b.String()
}

// Random scripts do the same on both servers. LOCKSTEP_SCRIPT_SEED repeats one,
// LOCKSTEP_SCRIPT_COUNT runs more of them.
func TestRandomScriptsDoTheSameAsInRedis(t *testing.T) {
	t.Parallel()
	seed, count := uint64(time.Now().UnixNano()), 400
	if s := os.Getenv("LOCKSTEP_SCRIPT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed, count = n, 1
	}
	if s := os.Getenv("LOCKSTEP_SCRIPT_COUNT"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	b := startBoth(t)
	for range count {
		w := &scriptWriter{r: rand.New(rand.NewPCG(seed, 0))}
		script := w.script()
		ours, redis := b.ours.Raw("EVAL", script, "1", "key"), b.redis.Raw("EVAL", script, "1", "key")
		if ours != redis {
			t.Fatalf("LOCKSTEP_SCRIPT_SEED=%d\n%s\nours:  %q\nredis: %q", seed, script, ours, redis)
		}
		seed++
	}
}
