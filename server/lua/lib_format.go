package lua

import (
	"math"
	"strconv"
	"strings"
)

// directive is one of string.format's: %[flags][width][.precision]letter.
type directive struct {
	minus, plus, space, alternate, zero bool
	width                               int
	precision                           int // -1: none
	letter                              byte
}

const formatFlags = "-+ #0"

// parseDirective reads what follows a % and returns what is behind it.
func parseDirective(t *Thread, s string) (d directive, rest string) {
	d.precision = -1
	i := 0
	for ; i < len(s) && strings.IndexByte(formatFlags, s[i]) >= 0; i++ {
		switch s[i] {
		case '-':
			d.minus = true
		case '+':
			d.plus = true
		case ' ':
			d.space = true
		case '#':
			d.alternate = true
		case '0':
			d.zero = true
		}
	}
	if i > len(formatFlags) {
		t.Errorf("invalid format (repeated flags)")
	}
	digits := func() int {
		n, start := 0, i
		for ; i < len(s) && i < start+2 && isDigit(s[i]); i++ {
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	d.width = digits()
	if i < len(s) && s[i] == '.' {
		i++
		d.precision = digits()
	}
	if i < len(s) && isDigit(s[i]) {
		t.Errorf("invalid format (width or precision too long)")
	}
	if i < len(s) {
		d.letter = s[i]
		i++
	}
	return d, s[i:]
}

func stringFormat(t *Thread) int {
	s, n := t.CheckString(1), t.NArgs()
	var out []byte
	arg := 1
	for s != "" {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			break
		}
		out = append(out, s[:at]...)
		s = s[at+1:]
		if strings.HasPrefix(s, "%") {
			out, s = append(out, '%'), s[1:]
			continue
		}
		var d directive
		if arg++; arg > n {
			t.ArgError(arg, "no value")
		}
		d, s = parseDirective(t, s)
		out = d.append(t, out, arg)
		t.l.charge(d.width)
	}
	out = append(out, s...)
	t.PushString(string(out))
	return 1
}

func (d *directive) append(t *Thread, out []byte, arg int) []byte {
	switch d.letter {
	case 'c':
		return d.pad(out, "", string([]byte{byte(t.CheckInt(arg))}), false)
	case 'd', 'i':
		return d.integer(out, int64(t.CheckNumber(arg)))
	case 'u':
		d.plus, d.space = false, false
		return d.unsigned(out, uint64(int64(t.CheckNumber(arg))), 10, "")
	case 'o':
		return d.unsigned(out, uint64(int64(t.CheckNumber(arg))), 8, "0")
	case 'x':
		return d.unsigned(out, uint64(int64(t.CheckNumber(arg))), 16, "0x")
	case 'X':
		return d.unsigned(out, uint64(int64(t.CheckNumber(arg))), 16, "0X")
	case 'e', 'E', 'f', 'g', 'G':
		return d.float(out, t.CheckNumber(arg))
	case 'q':
		return appendQuoted(out, t.CheckString(arg))
	case 's':
		s := t.CheckString(arg)
		t.l.charge(len(s))
		if d.precision < 0 && len(s) >= 100 {
			return append(out, s...)
		}
		s, _, _ = strings.Cut(s, "\x00") // C's end of the string
		if d.precision >= 0 && len(s) > d.precision {
			s = s[:d.precision]
		}
		return d.pad(out, "", s, false)
	}
	if d.letter == 0 {
		t.Errorf("invalid option '%%' to 'format'")
	}
	t.Errorf("invalid option '%%%c' to 'format'", d.letter)
	return nil
}

// pad adds a text, at least as wide as asked. Zeros go between the sign and digits.
func (d *directive) pad(out []byte, sign, digits string, zeros bool) []byte {
	missing := d.width - len(sign) - len(digits)
	fill := func(ch byte) {
		for ; missing > 0; missing-- {
			out = append(out, ch)
		}
	}
	if !d.minus && !zeros {
		fill(' ')
	}
	out = append(out, sign...)
	if !d.minus && zeros {
		fill('0')
	}
	out = append(out, digits...)
	fill(' ')
	return out
}

func (d *directive) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case d.plus:
		return "+"
	case d.space:
		return " "
	}
	return ""
}

func (d *directive) integer(out []byte, n int64) []byte {
	digits := strconv.FormatInt(n, 10)
	digits = strings.TrimPrefix(digits, "-")
	return d.digits(out, d.sign(n < 0), digits)
}

func (d *directive) unsigned(out []byte, n uint64, base int, prefix string) []byte {
	digits := strconv.FormatUint(n, base)
	if d.letter == 'X' {
		digits = strings.ToUpper(digits)
	}
	if !d.alternate || n == 0 {
		prefix = ""
	} else if base == 8 {
		digits, prefix = prefix+digits, ""
	}
	return d.digits(out, prefix, digits)
}

func (d *directive) digits(out []byte, sign, digits string) []byte {
	if d.precision == 0 && digits == "0" {
		digits = ""
	}
	if missing := d.precision - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return d.pad(out, sign, digits, d.zero && d.precision < 0)
}

func (d *directive) float(out []byte, n float64) []byte {
	sign := d.sign(math.Signbit(n))
	if math.IsInf(n, 0) || math.IsNaN(n) {
		text := "inf"
		if math.IsNaN(n) {
			text = "nan"
		}
		if d.letter < 'a' {
			text = strings.ToUpper(text)
		}
		return d.pad(out, sign, text, false)
	}
	precision := d.precision
	if precision < 0 {
		precision = 6
	}
	n = math.Abs(n)
	var digits string
	switch d.letter {
	case 'e', 'E':
		digits = strconv.FormatFloat(n, 'e', precision, 64)
	case 'f':
		digits = strconv.FormatFloat(n, 'f', precision, 64)
	default:
		digits = d.general(n, max(precision, 1))
	}
	if d.alternate && precision == 0 && !strings.Contains(digits, ".") {
		digits += "."
	}
	if d.letter < 'a' {
		digits = strings.ToUpper(digits)
	}
	return d.pad(out, sign, digits, d.zero)
}

// general is %g; with # it keeps the zeros at the end.
func (d *directive) general(n float64, precision int) string {
	digits := string(appendGeneral(nil, n, precision))
	if !d.alternate {
		return digits
	}
	mantissa, exponent, scientific := strings.Cut(digits, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += "."
	}
	significant := len(strings.TrimLeft(strings.Replace(mantissa, ".", "", 1), "0"))
	if n == 0 {
		significant = 1
	}
	mantissa += strings.Repeat("0", max(0, precision-significant))
	if scientific {
		mantissa += "e" + exponent
	}
	return mantissa
}

// appendQuoted spells a string so that Lua reads it back.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch ch := s[i]; ch {
		case '"', '\\', '\n':
			out = append(out, '\\', ch)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, ch)
		}
	}
	return append(out, '"')
}
