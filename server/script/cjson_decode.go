package script

import (
	"strings"
	"unicode/utf8"

	"github.com/lockstep-db/lockstep/server/lua"
)

// jsonToken is a kind of token, by the name that messages use.
type jsonToken string

const (
	jsonObjectBegin jsonToken = "T_OBJ_BEGIN"
	jsonObjectEnd   jsonToken = "T_OBJ_END"
	jsonArrayBegin  jsonToken = "T_ARR_BEGIN"
	jsonArrayEnd    jsonToken = "T_ARR_END"
	jsonString      jsonToken = "T_STRING"
	jsonNumber      jsonToken = "T_NUMBER"
	jsonBoolean     jsonToken = "T_BOOLEAN"
	jsonNull        jsonToken = "T_NULL"
	jsonColon       jsonToken = "T_COLON"
	jsonComma       jsonToken = "T_COMMA"
	jsonEnd         jsonToken = "T_END"
)

// jsonDecoder reads a JSON text.
type jsonDecoder struct {
	c     *jsonConfig
	t     *lua.Thread
	src   string
	at    int
	depth int

	// The current token; problem is what is wrong with it.
	token   jsonToken
	index   int
	val     lua.Value
	problem string
}

func (c *jsonConfig) decode(t *lua.Thread) int {
	if t.NArgs() != 1 {
		t.ArgError(1, "expected 1 argument")
	}
	d := jsonDecoder{c: c, t: t, src: t.CheckString(1)}
	if len(d.src) >= 2 && (d.src[0] == 0 || d.src[1] == 0) {
		t.Errorf("JSON parser does not support UTF-16 or UTF-32")
	}
	d.next()
	v := d.value()
	d.next()
	if d.token != jsonEnd || d.problem != "" {
		d.expected("the end")
	}
	t.Push(v)
	return 1
}

func (d *jsonDecoder) expected(what string) {
	found := string(d.token)
	if d.problem != "" {
		found = d.problem
	}
	d.t.Errorf("Expected %s but found %s at character %d", what, found, d.index+1)
}

// char is the byte at an offset from here; 0 behind the end.
func (d *jsonDecoder) char(i int) byte {
	if d.at+i < len(d.src) {
		return d.src[d.at+i]
	}
	return 0
}

func (d *jsonDecoder) wrong(problem string) { d.problem, d.index = problem, d.at }

// next reads a token.
func (d *jsonDecoder) next() {
	for ch := d.char(0); ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r'; ch = d.char(0) {
		d.at++
	}
	d.index = d.at
	rest := d.src[d.at:]
	switch ch := d.char(0); {
	case d.at >= len(d.src) || ch == 0:
		d.token = jsonEnd
	case ch == '{':
		d.symbol(jsonObjectBegin)
	case ch == '}':
		d.symbol(jsonObjectEnd)
	case ch == '[':
		d.symbol(jsonArrayBegin)
	case ch == ']':
		d.symbol(jsonArrayEnd)
	case ch == ':':
		d.symbol(jsonColon)
	case ch == ',':
		d.symbol(jsonComma)
	case ch == '"':
		d.str()
	case ch == '-' || ch >= '0' && ch <= '9':
		if d.c.decodeInvalid == 0 && oddNumber(rest) {
			d.wrong("invalid number")
			return
		}
		d.number(rest)
	case strings.HasPrefix(rest, "true"):
		d.word(jsonBoolean, lua.Bool(true), 4)
	case strings.HasPrefix(rest, "false"):
		d.word(jsonBoolean, lua.Bool(false), 5)
	case strings.HasPrefix(rest, "null"):
		d.word(jsonNull, d.c.null, 4)
	case d.c.decodeInvalid != 0 && oddNumber(rest):
		d.number(rest)
	default:
		d.wrong("invalid token")
	}
}

func (d *jsonDecoder) symbol(t jsonToken) {
	d.token = t
	d.at++
}

func (d *jsonDecoder) word(t jsonToken, v lua.Value, length int) {
	d.token, d.val = t, v
	d.at += length
}

// oddNumber says whether this looks like a number that JSON does not allow.
func oddNumber(s string) bool {
	if strings.HasPrefix(s, "+") {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") {
		return len(s) > 1 && (s[1]|0x20 == 'x' || s[1] >= '0' && s[1] <= '9')
	}
	if s != "" && s[0] <= '9' {
		return false
	}
	if len(s) < 3 {
		return false
	}
	word := strings.ToLower(s[:3])
	return word == "inf" || word == "nan"
}

func (d *jsonDecoder) number(rest string) {
	n, length := numberPrefix(rest)
	if length == 0 {
		d.wrong("invalid number")
		return
	}
	d.word(jsonNumber, lua.Number(n), length)
}

// numberPrefix reads the longest number at the front, as C's strtod does.
func numberPrefix(s string) (n float64, length int) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	lower := strings.ToLower(s[i:min(len(s), i+8)])
	switch {
	case strings.HasPrefix(lower, "infinity"):
		i += 8
	case strings.HasPrefix(lower, "inf"), strings.HasPrefix(lower, "nan"):
		i += 3
	case strings.HasPrefix(lower, "0x") && len(lower) > 2 && isHex(lower[2]):
		for i += 2; i < len(s) && isHex(s[i]); i++ {
		}
	default:
		i = decimalPrefix(s, i)
	}
	n, ok := lua.ParseNumber(s[:i])
	if !ok {
		return 0, 0
	}
	return n, i
}

func isHex(ch byte) bool { return digit(ch) || ch|0x20 >= 'a' && ch|0x20 <= 'f' }

func decimalPrefix(s string, i int) int {
	start := i
	digits := func() (any bool) {
		for i < len(s) && digit(s[i]) {
			i++
			any = true
		}
		return any
	}
	whole := digits()
	fraction := false
	if i < len(s) && s[i] == '.' {
		i++
		fraction = digits()
	}
	if !whole && !fraction {
		return start
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		before := i
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			i = before
		}
	}
	return i
}

func (d *jsonDecoder) str() {
	d.at++
	var b []byte
	from := d.at
	for {
		switch ch := d.char(0); ch {
		case '"':
			b = append(b, d.src[from:d.at]...)
			d.at++
			d.t.Charge(64 + len(b))
			d.token, d.val = jsonString, lua.String(string(b))
			return
		case 0:
			d.wrong("unexpected end of string")
			return
		case '\\':
			b = append(b, d.src[from:d.at]...)
			escaped := d.char(1)
			if escaped == 'u' {
				r, length := unicodeEscape(d.src[d.at:])
				if length == 0 {
					d.wrong("invalid unicode escape code")
					return
				}
				b = utf8.AppendRune(b, r)
				d.at += length
			} else {
				i := strings.IndexByte(`"\/btnfr`, escaped)
				if i < 0 || escaped == 0 {
					d.wrong("invalid escape code")
					return
				}
				b = append(b, "\"\\/\b\t\n\f\r"[i])
				d.at += 2
			}
			from = d.at
		default:
			d.at++
		}
	}
}

// unicodeEscape reads \uXXXX, or two of them that make one character. length is 0
// when they are wrong.
func unicodeEscape(s string) (r rune, length int) {
	high, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if high&0xF800 != 0xD800 {
		return rune(high), 6
	}
	if high&0x400 != 0 || len(s) < 12 || s[6] != '\\' || s[7] != 'u' {
		return 0, 0
	}
	low, ok := hex4(s[6:])
	if !ok || low&0xFC00 != 0xDC00 {
		return 0, 0
	}
	return rune(high&0x3FF)<<10 + rune(low&0x3FF) + 0x10000, 12
}

func hex4(s string) (n int, ok bool) {
	if len(s) < 6 {
		return 0, false
	}
	for _, ch := range []byte(s[2:6]) {
		i := strings.IndexByte(hexDigits, ch|0x20)
		if digit(ch) {
			i = int(ch - '0')
		} else if i < 10 {
			return 0, false
		}
		n = n<<4 | i
	}
	return n, true
}

// value makes a value of the current token and those that belong to it.
func (d *jsonDecoder) value() lua.Value {
	if d.problem != "" {
		d.expected("value")
	}
	d.t.Spend(1)
	switch d.token {
	case jsonString, jsonNumber, jsonBoolean, jsonNull:
		return d.val
	case jsonObjectBegin:
		return d.object()
	case jsonArrayBegin:
		return d.array()
	}
	d.expected("value")
	return lua.Nil
}

func (d *jsonDecoder) descend() {
	if d.depth++; d.depth > d.c.decodeDepth || d.depth > maxJSONDepth {
		d.t.Errorf("Found too many nested data structures (%d) at character %d", d.depth, d.at)
	}
}

// maxJSONDepth is where C's stack ends.
const maxJSONDepth = 2600

func (d *jsonDecoder) is(t jsonToken) bool { return d.token == t && d.problem == "" }

func (d *jsonDecoder) object() lua.Value {
	d.descend()
	t := d.c.e.l.NewTable(0, 0)
	d.next()
	if !d.is(jsonObjectEnd) {
		for {
			if !d.is(jsonString) {
				d.expected("object key string")
			}
			key := d.val
			d.next()
			if !d.is(jsonColon) {
				d.expected("colon")
			}
			d.next()
			t.Set(key, d.value())
			d.next()
			if d.is(jsonObjectEnd) {
				break
			}
			if !d.is(jsonComma) {
				d.expected("comma or object end")
			}
			d.next()
		}
	}
	d.depth--
	return t.Value()
}

func (d *jsonDecoder) array() lua.Value {
	d.descend()
	t := d.c.e.l.NewTable(0, 0)
	d.next()
	if !d.is(jsonArrayEnd) {
		for i := 1; ; i++ {
			t.SetInt(i, d.value())
			d.next()
			if d.is(jsonArrayEnd) {
				break
			}
			if !d.is(jsonComma) {
				d.expected("comma or array end")
			}
			d.next()
		}
	}
	d.depth--
	return t.Value()
}
