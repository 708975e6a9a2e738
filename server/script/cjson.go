package script

import (
	"fmt"
	"math"

	"github.com/lockstep-db/lockstep/server/lua"
)

// jsonConfig is what the functions of one cjson table agree on. Scripts may change
// it, also for those that come after them.
type jsonConfig struct {
	e    *Engine
	null lua.Value

	sparseConvert            int // 1: an array with too many holes becomes an object
	sparseRatio, sparseSafe  int
	encodeDepth, decodeDepth int
	precision                int // digits
	encodeInvalid            int // 0: infinities and NaN are errors, 1: written, 2: null
	decodeInvalid            int // 1: infinities, NaN and hexadecimal are read
	keepBuffer               int
}

func (e *Engine) openJSON() {
	null := e.l.NewUserdata()
	e.globals.SetString("cjson", e.newJSON(null).Value())
}

func (e *Engine) newJSON(null lua.Value) *lua.Table {
	c := &jsonConfig{e: e, null: null, sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000,
		precision: 14, decodeInvalid: 1, keepBuffer: 1}
	t := e.l.NewTable(0, 16)
	e.register(t, map[string]lua.Native{
		"encode": c.encode, "decode": c.decode,
		"encode_sparse_array": func(t *lua.Thread) int {
			limitArgs(t, 3)
			convert, ratio, safe := t.Arg(1), t.Arg(2), t.Arg(3) // before results are pushed
			return enumOption(t, 1, convert, &c.sparseConvert, "off", "on") + intOption(t, 2, ratio, &c.sparseRatio, 0, math.MaxInt32) +
				intOption(t, 3, safe, &c.sparseSafe, 0, math.MaxInt32)
		},
		"encode_max_depth": func(t *lua.Thread) int {
			limitArgs(t, 1)
			return intOption(t, 1, t.Arg(1), &c.encodeDepth, 1, math.MaxInt32)
		},
		"decode_max_depth": func(t *lua.Thread) int {
			limitArgs(t, 1)
			return intOption(t, 1, t.Arg(1), &c.decodeDepth, 1, math.MaxInt32)
		},
		"encode_number_precision": func(t *lua.Thread) int { limitArgs(t, 1); return intOption(t, 1, t.Arg(1), &c.precision, 1, 14) },
		"encode_keep_buffer": func(t *lua.Thread) int {
			limitArgs(t, 1)
			return enumOption(t, 1, t.Arg(1), &c.keepBuffer, "off", "on")
		},
		"encode_invalid_numbers": func(t *lua.Thread) int {
			limitArgs(t, 1)
			return enumOption(t, 1, t.Arg(1), &c.encodeInvalid, "off", "on", "null")
		},
		"decode_invalid_numbers": func(t *lua.Thread) int {
			limitArgs(t, 1)
			return enumOption(t, 1, t.Arg(1), &c.decodeInvalid, "off", "on")
		},
		"new": func(t *lua.Thread) int { t.Push(e.newJSON(null).Value()); return 1 },
	})
	t.SetString("null", null)
	t.SetString("_NAME", lua.String("cjson"))
	t.SetString("_VERSION", lua.String("2.1.0"))
	return t
}

func limitArgs(t *lua.Thread, n int) {
	if t.NArgs() > n {
		t.ArgError(n+1, "found too many arguments")
	}
}

// intOption reads, and with an argument sets, a number.
func intOption(t *lua.Thread, i int, v lua.Value, setting *int, least, most int) int {
	if !v.IsNil() {
		n := t.CheckInt(i)
		if n < least || n > most {
			t.ArgError(1, fmt.Sprintf("expected integer between %d and %d", least, most))
		}
		*setting = n
	}
	t.Push(lua.Number(float64(*setting)))
	return 1
}

func enumOption(t *lua.Thread, i int, v lua.Value, setting *int, names ...string) int {
	switch v.Kind() {
	case lua.KindNil:
	case lua.KindBool:
		*setting = 0
		if v.Truth() {
			*setting = 1
		}
	default:
		name, found := t.CheckString(i), false
		for n, known := range names {
			if name == known {
				*setting, found = n, true
			}
		}
		if !found {
			t.ArgError(i, fmt.Sprintf("invalid option '%s'", name))
		}
	}
	if *setting < 2 {
		t.Push(lua.Bool(*setting == 1))
	} else {
		t.Push(lua.String(names[*setting]))
	}
	return 1
}

// jsonEncoder appends a value as JSON.
type jsonEncoder struct {
	c       *jsonConfig
	t       *lua.Thread
	out     []byte
	charged int
}

func (c *jsonConfig) encode(t *lua.Thread) int {
	if t.NArgs() != 1 {
		t.ArgError(1, "expected 1 argument")
	}
	w := jsonEncoder{c: c, t: t}
	w.value(t.Arg(1), 0)
	t.PushString(string(w.out))
	return 1
}

func (w *jsonEncoder) fail(v lua.Value, why string) {
	w.t.Errorf("Cannot serialise %s: %s", v.Kind(), why)
}

func (w *jsonEncoder) value(v lua.Value, depth int) {
	if len(w.out) > w.charged {
		w.charged = 2*len(w.out) + 64
		w.t.Charge(w.charged)
	}
	w.t.Spend(1)
	switch v.Kind() {
	case lua.KindString:
		w.str(v.Str())
	case lua.KindNumber:
		w.number(v)
	case lua.KindBool:
		if v.Truth() {
			w.out = append(w.out, "true"...)
		} else {
			w.out = append(w.out, "false"...)
		}
	case lua.KindNil:
		w.out = append(w.out, "null"...)
	case lua.KindTable:
		if depth++; depth > w.c.encodeDepth {
			w.t.Errorf("Cannot serialise, excessive nesting (%d)", depth)
		}
		if n := w.arrayLength(v); n > 0 {
			w.array(v.Table(), n, depth)
		} else {
			w.object(v.Table(), depth)
		}
	default:
		if !v.Same(w.c.null) {
			w.fail(v, "type not supported")
		}
		w.out = append(w.out, "null"...)
	}
}

// arrayLength is the highest index of a table that has nothing but indexes, and not
// too many holes; 0 or -1 otherwise.
func (w *jsonEncoder) arrayLength(v lua.Value) int {
	most, items, isArray := 0.0, 0, true
	t := v.Table()
	for key := lua.Nil; isArray; {
		k, _, _ := t.Next(key)
		if k.IsNil() {
			break
		}
		n := k.Float()
		isArray = k.IsNumber() && n > 0 && math.Floor(n) == n
		most = max(most, n)
		items++
		key = k
	}
	if !isArray {
		return -1
	}
	if c := w.c; c.sparseRatio > 0 && most > float64(items)*float64(c.sparseRatio) && most > float64(c.sparseSafe) {
		if c.sparseConvert == 0 {
			w.fail(v, "excessively sparse array")
		}
		return -1
	}
	return int(most)
}

func (w *jsonEncoder) array(t *lua.Table, n, depth int) {
	w.out = append(w.out, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			w.out = append(w.out, ',')
		}
		w.value(t.GetInt(i), depth)
	}
	w.out = append(w.out, ']')
}

func (w *jsonEncoder) object(t *lua.Table, depth int) {
	w.out = append(w.out, '{')
	first := true
	each(t, func(k, v lua.Value) {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		switch k.Kind() {
		case lua.KindNumber:
			w.out = append(w.out, '"')
			w.number(k)
			w.out = append(w.out, '"')
		case lua.KindString:
			w.str(k.Str())
		default:
			w.fail(k, "table key must be a number or string")
		}
		w.out = append(w.out, ':')
		w.value(v, depth)
	})
	w.out = append(w.out, '}')
}

func (w *jsonEncoder) number(v lua.Value) {
	n := v.Float()
	if math.IsInf(n, 0) || math.IsNaN(n) {
		switch {
		case w.c.encodeInvalid == 0:
			w.fail(v, "must not be NaN or Inf")
		case w.c.encodeInvalid == 2:
			w.out = append(w.out, "null"...)
			return
		case math.IsNaN(n):
			w.out = append(w.out, "nan"...)
			return
		}
	}
	w.out = lua.AppendG(w.out, n, w.c.precision)
}

const hexDigits = "0123456789abcdef"

func (w *jsonEncoder) str(s string) {
	w.t.Charge(len(s))
	w.out = append(w.out, '"')
	from := 0
	for i := range len(s) {
		ch := s[i]
		if ch >= ' ' && ch != '"' && ch != '\\' && ch != '/' && ch != 0x7f {
			continue
		}
		w.out = append(w.out, s[from:i]...)
		from = i + 1
		switch ch {
		case '"', '\\', '/':
			w.out = append(w.out, '\\', ch)
		case '\b':
			w.out = append(w.out, '\\', 'b')
		case '\t':
			w.out = append(w.out, '\\', 't')
		case '\n':
			w.out = append(w.out, '\\', 'n')
		case '\f':
			w.out = append(w.out, '\\', 'f')
		case '\r':
			w.out = append(w.out, '\\', 'r')
		default:
			w.out = append(w.out, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&15])
		}
	}
	w.out = append(append(w.out, s[from:]...), '"')
}
