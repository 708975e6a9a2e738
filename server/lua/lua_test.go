package lua

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func newTestState() *State {
	l := NewState()
	OpenLibraries(l)
	return l
}

// run executes a chunk and returns its result as tostring shows it, or its error.
func run(t testing.TB, l *State, code string) string {
	t.Helper()
	f, err := l.Load("@chunk", code)
	if err != nil {
		return err.Error()
	}
	v, failed := l.Call(f, nil)
	if failed != nil {
		return failed.Error()
	}
	return l.Main().ToString(v).Str()
}

func TestChunksDoWhatTheManualSays(t *testing.T) {
	for code, want := range map[string]string{
		"return 1 + 2 * 3 ^ 2": "19",
		"return -'10' + 1":     "-9",
		"return 10 .. 20":      "1020",
		"return 0.1 + 0.2":     "0.3",
		"return 2^53":          "9.007199254741e+15",
		"return 1e14":          "1e+14",
		"return (function(...) return select('#', ...) end)(nil, nil)":                                                           "2",
		"local t = {} for i = 1, 3 do t[i] = function() return i end end return t[2]()":                                          "2",
		"local a, b = 1, 2 a, b = b, a return a .. b":                                                                            "21",
		"local x = 1 x = x and x or x x = {x} return x[1]":                                                                       "1",
		"local t = {1, 2, nil, 4} return #t":                                                                                     "4",
		"local s = '' for k in pairs({a = 1, b = 2, c = 3}) do s = s .. k end return s":                                          "acb",
		"local s = '' for i, v in ipairs({5, 6, nil, 7}) do s = s .. i .. v end return s":                                        "1526",
		"local s = '' for i in ipairs({5, 6}) do s = s .. i end return s":                                                        "12",
		"local s = '' for i, v, w in ipairs({5, 6}) do s = s .. i .. v .. tostring(w) end return s":                              "15nil26nil",
		"local t, s = {1, 2, 3, x = 4}, '' for k, v in pairs(t) do t[k] = nil s = s .. k .. v end return s .. tostring(next(t))": "112233x4nil",
		"local s = '' for k in pairs({7, 8}) do local one, two = 'a', 'b' s = s .. k .. one .. two end return s":                 "1ab2ab",
		"local f, t, c = pairs({3}) local s = '' for k, v in f, t, c do s = s .. k .. v k = 9 end return s":                      "13",
		"for k in pairs({}), {}, 'gone' do end":                                                                                  "invalid key to 'next'",
		"local f, t = ipairs({4, 5}) local s = '' for i, v in f, t, 1 do s = s .. i .. v end return s":                           "25",
		"local f = ipairs({}) for i in f, 3, 0 do end":                                                                           "chunk:1: bad argument #1 to '?' (table expected, got number)",
		"return pcall(error)":    "false",
		"local f = nil f()":      "chunk:1: attempt to call local 'f' (a nil value)",
		"return x.y":             "chunk:1: attempt to index global 'x' (a nil value)",
		"local t = {} t.a.b = 1": "chunk:1: attempt to index field 'a' (a nil value)",
		"return {} < 1":          "chunk:1: attempt to compare table with number",
		"return ('x'):rep(3, 4)": "xxx",
		"x =":                    "chunk:1: unexpected symbol near '<eof>'",
		"for i = 1 do end":       "chunk:1: ',' expected near 'do'",
		"return '\\":             "chunk:1: unfinished string near '<eof>'",
		"\n\nreturn 1 .. {}":     "chunk:3: attempt to concatenate a table value",
	} {
		if got := run(t, newTestState(), code); got != want {
			t.Errorf("%s\n  got  %s\n  want %s", code, got, want)
		}
	}
}

func TestAReadonlyTableIsModifiedByNothing(t *testing.T) {
	for _, code := range []string{"t.x = 1", "t[1] = 1", "rawset(t, 'x', 1)", "table.insert(t, 1)", "table.remove(t)", "table.sort(t)", "setmetatable(t, {})"} {
		l := newTestState()
		table := l.NewTable(0, 0)
		table.SetInt(1, Number(3))
		table.SetInt(2, Number(2))
		table.SetReadonly(true)
		l.Globals.SetString("t", table.Value())
		if got := run(t, l, code); !strings.HasSuffix(got, "Attempt to modify a readonly table") {
			t.Errorf("%s: %s", code, got)
		}
		if table.Len() != 2 || table.GetInt(1).Float() != 3 || table.Metatable() != nil {
			t.Errorf("%s has modified it", code)
		}
	}
}

func TestNumbersAreSpelledAsC(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 1: "1", -1: "-1", 0.5: "0.5", 1e15: "1e+15", 123456789012345: "1.2345678901234e+14",
		99999999999999: "99999999999999", 1e-5: "1e-05", 0.0001: "0.0001", 1.0 / 3: "0.33333333333333", math.Inf(-1): "-inf", 5e-324: "4.9406564584125e-324",
	} {
		if n == 0 && math.Signbit(n) {
			want = "-0"
		}
		if got := FormatNumber(n); got != want {
			t.Errorf("%v: got %s, want %s", n, got, want)
		}
	}
	for s, want := range map[string]float64{"10": 10, " 0x1F ": 31, "-0x10": -16, "1e3": 1000, ".5": 0.5, "5.": 5, "inf": math.Inf(1)} {
		if got, ok := ParseNumber(s); !ok || got != want {
			t.Errorf("%q: got %v %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", " ", "x", "1x", "0x", "1_000", "--1", "1e", "0x1p-", "é"} {
		if got, ok := ParseNumber(s); ok {
			t.Errorf("%q is no number, and not %v", s, got)
		}
	}
}

// A table that many keys go in and out of keeps what a map keeps.
func TestATableKeepsWhatAMapKeeps(t *testing.T) {
	l := NewState()
	table, model := l.NewTable(0, 0), map[float64]float64{}
	x := uint32(1)
	for i := range 200000 {
		x = x*1664525 + 1013904223
		key := float64(x>>16%3000) - 500
		if x>>8&3 == 0 {
			table.Set(Number(key), Nil)
			delete(model, key)
		} else {
			table.Set(Number(key), Number(float64(i)))
			model[key] = float64(i)
		}
	}
	seen := 0
	for key := Nil; ; seen++ {
		k, v, ok := table.Next(key)
		if !ok {
			t.Fatalf("%v is not in the table any more", key)
		}
		if k.IsNil() {
			break
		}
		if want, known := model[k.Float()]; !known || want != v.Float() {
			t.Errorf("%v: got %v, want %v", k.Float(), v.Float(), want)
		}
		key = k
	}
	if seen != len(model) {
		t.Errorf("%d keys, want %d", seen, len(model))
	}
	if n := table.Len(); n > 0 && table.GetInt(n).IsNil() || !table.GetInt(n+1).IsNil() {
		t.Errorf("%d is no border", n)
	}
}

// Any text is compiled or refused with a syntax error, and what is compiled ends.
func FuzzLoad(f *testing.F) {
	for _, code := range []string{
		"return 1", "local a <", "for i=1,2 do end", "x = {1, a=2, [3]=4; f()}", "return ('x'):rep(3)", "--[==[\n]==] goto", "if a then elseif b then else end",
		"local function f(...) return ... end return f(1, 2)", "repeat local x = 1 until x", "a.b:c 'd' {e}", "return [[x]] .. \"\\065\\n\"", "while true do break end",
	} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		l := newTestState()
		l.Limit = 64 << 20
		interrupts := 0
		l.Interrupt = func() *Error {
			if interrupts++; interrupts > 3 {
				return &Error{Value: String("enough")}
			}
			return nil
		}
		fn, err := l.Load("@chunk", code)
		var syntax *SyntaxError
		if err != nil {
			if !errors.As(err, &syntax) {
				t.Fatalf("%q: %v", code, err)
			}
			return
		}
		_, _ = l.Call(fn, nil) // whatever it does, it returns
	})
}
