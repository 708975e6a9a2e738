package script

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/server/lua"
	"github.com/lockstep-db/lockstep/server/resp"
)

// replyParser makes Lua values of a reply. The reply was written by this server: a
// mistake in it is one in the program.
type replyParser struct {
	e    *Engine
	rest []byte
}

// line takes the first byte and what follows up to the end of the line.
func (p *replyParser) line() (kind byte, text []byte) {
	end := bytes.IndexByte(p.rest, '\r')
	if end < 1 || end+1 >= len(p.rest) {
		panic(fmt.Sprintf("a command's reply breaks off: %q", p.rest[:min(len(p.rest), 64)]))
	}
	kind, text = p.rest[0], p.rest[1:end]
	p.rest = p.rest[end+2:]
	return kind, text
}

func (p *replyParser) number(text []byte) int64 {
	n, ok := resp.ParseInt(text)
	if !ok {
		panic(fmt.Sprintf("a command's reply has the number %q", text))
	}
	return n
}

// value converts the next value. Null is false in version 2 and nil in version 3, as
// the protocols see it; statuses and everything else that is no plain value become
// tables with one field.
func (p *replyParser) value() lua.Value {
	kind, text := p.line()
	switch kind {
	case '+':
		return p.field(p.e.calls.ok, p.e.str(text))
	case '-':
		v := p.e.errorTable("-" + string(text))
		v.Table().Set(p.e.calls.ignore, lua.Bool(true))
		return v
	case ':':
		return lua.Number(float64(p.number(text)))
	case '$':
		n := p.number(text)
		if n < 0 {
			return lua.Bool(false)
		}
		return p.e.str(p.take(n))
	case '*', '>':
		return p.array(p.number(text))
	case '_':
		return lua.Nil
	case '#':
		return lua.Bool(text[0] == 't')
	case ',':
		n, _ := lua.ParseNumber(string(text))
		return p.named("double", lua.Number(n))
	case '(':
		return p.named("big_number", p.e.str(text))
	case '=':
		return p.verbatim(p.take(p.number(text)))
	case '%':
		return p.pairs(p.number(text))
	case '~':
		return p.set(p.number(text))
	case '|':
		for range 2 * p.number(text) {
			p.value() // scripts do not see attributes
		}
		return p.value()
	}
	panic(fmt.Sprintf("a command's reply has the type %q", kind))
}

// take takes n bytes and the end of the line behind them.
func (p *replyParser) take(n int64) []byte {
	b := p.rest[:n]
	p.rest = p.rest[n+2:]
	return b
}

func (e *Engine) str(b []byte) lua.Value {
	e.l.Main().Charge(64 + len(b))
	return lua.String(string(b))
}

func (p *replyParser) field(name, v lua.Value) lua.Value {
	t := p.e.l.NewTable(0, 1)
	t.Set(name, v)
	return t.Value()
}

func (p *replyParser) named(name string, v lua.Value) lua.Value { return p.field(lua.String(name), v) }

func (p *replyParser) array(n int64) lua.Value {
	if n < 0 {
		return lua.Bool(false)
	}
	t := p.e.l.NewTable(int(n), 0)
	for i := range n {
		t.SetInt(int(i)+1, p.value())
	}
	return t.Value()
}

func (p *replyParser) pairs(n int64) lua.Value {
	t := p.e.l.NewTable(0, 0)
	for range n {
		key := p.value()
		v := p.value()
		if !key.IsNil() {
			t.Set(key, v)
		}
	}
	return p.named("map", t.Value())
}

func (p *replyParser) set(n int64) lua.Value {
	t := p.e.l.NewTable(0, 0)
	for range n {
		if v := p.value(); !v.IsNil() {
			t.Set(v, lua.Bool(true))
		}
	}
	return p.named("set", t.Value())
}

func (p *replyParser) verbatim(b []byte) lua.Value {
	t := p.e.l.NewTable(0, 2)
	t.SetString("format", p.e.str(b[:3]))
	t.SetString("string", p.e.str(b[4:]))
	return p.named("verbatim_string", t.Value())
}

// replyWriter makes a reply of what a script returns.
type replyWriter struct {
	e      *Engine
	out    *resp.Writer
	failed bool
	errors []string // those in the reply that were not counted yet, when a command replied them
}

// Tables in tables are bounded by what they take on the stack of Redis' Lua: an array
// one place for its element, a map or a set more.
const (
	maxDepth   = 7994
	inMapKey   = 4
	inMapOrSet = 3
	inArray    = 1
)

func (w *replyWriter) value(v lua.Value, depth int) {
	switch v.Kind() {
	case lua.KindString:
		w.out.BulkString(v.Str())
	case lua.KindNumber:
		w.out.Int(int64(v.Float()))
	case lua.KindBool:
		w.boolean(v.Truth())
	case lua.KindTable:
		if depth > maxDepth {
			w.fail("ERR reached lua stack limit")
			return
		}
		w.table(v.Table(), depth)
	default:
		w.out.Null()
	}
}

func (w *replyWriter) boolean(b bool) {
	switch {
	case w.e.proto == 3:
		w.out.Bool(b)
	case b:
		w.out.Int(1)
	default:
		w.out.Null()
	}
}

// table converts a table by the first of these fields that it has.
func (w *replyWriter) table(t *lua.Table, depth int) {
	if t.Get(w.e.calls.err).IsString() {
		info := w.e.errorInfo(t)
		counted := len(w.errors)
		w.fail(strings.TrimRight(info.message, "\r\n"))
		if info.counted {
			w.errors = w.errors[:counted]
		}
		return
	}
	if ok := t.Get(w.e.calls.ok); ok.IsString() {
		w.out.Simple(oneLine(ok.Str()))
		return
	}
	if w.special(t, depth) {
		return
	}
	mark, errors, n := w.out.Mark(), len(w.errors), t.Len()
	if n > 0 && !t.GetInt(n).IsNil() {
		// Most arrays have no holes: then their length is known beforehand.
		w.out.Array(n)
		for i := 1; i <= n; i++ {
			v := t.GetInt(i)
			if v.IsNil() {
				w.out.Buf, w.errors = w.out.Buf[:mark], w.errors[:errors]
				w.uncounted(t, depth)
				return
			}
			w.value(v, depth+inArray)
		}
		if t.GetInt(n + 1).IsNil() {
			return
		}
		w.out.Buf, w.errors = w.out.Buf[:mark], w.errors[:errors]
	}
	w.uncounted(t, depth)
}

// fail writes an error, be it the whole reply or within it.
func (w *replyWriter) fail(message string) {
	w.failed = true
	w.errors = append(w.errors, message)
	w.out.Error(message)
}

// uncounted writes the elements up to the first hole.
func (w *replyWriter) uncounted(t *lua.Table, depth int) {
	mark, n := w.out.Mark(), 0
	for {
		v := t.GetInt(n + 1)
		if v.IsNil() {
			break
		}
		w.value(v, depth+inArray)
		n++
	}
	w.out.InsertArray(mark, n)
}

func (w *replyWriter) special(t *lua.Table, depth int) bool {
	if v := t.GetString("double"); v.IsNumber() {
		w.out.Double(v.Float())
		return true
	}
	if v := t.GetString("big_number"); v.IsString() {
		w.out.BigNumber(oneLine(v.Str()))
		return true
	}
	if v := t.GetString("verbatim_string").Table(); v != nil {
		format, text := v.GetString("format"), v.GetString("string")
		if format.IsString() && text.IsString() {
			w.out.Verbatim((format.Str() + "   ")[:3], text.Str())
			return true
		}
	}
	if v := t.GetString("map").Table(); v != nil {
		mark, n := w.out.Mark(), 0
		each(v, func(key, v lua.Value) {
			w.value(key, depth+inMapKey)
			w.value(v, depth+inMapOrSet)
			n++
		})
		w.out.InsertMap(mark, n)
		return true
	}
	if v := t.GetString("set").Table(); v != nil {
		mark, n := w.out.Mark(), 0
		each(v, func(key, _ lua.Value) {
			w.value(key, depth+inMapOrSet)
			n++
		})
		w.out.InsertSet(mark, n)
		return true
	}
	return false
}

// each visits all pairs of a table in its order.
func each(t *lua.Table, visit func(key, v lua.Value)) {
	for key := lua.Nil; ; {
		k, v, _ := t.Next(key)
		if k.IsNil() {
			return
		}
		visit(k, v)
		key = k
	}
}

func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		s = strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}
