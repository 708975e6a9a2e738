package lua

import (
	"math"
	"strconv"
	"strings"
)

// FormatNumber spells a number as printf's %.14g does.
func FormatNumber(n float64) string {
	var scratch [32]byte
	return string(AppendNumber(scratch[:0], n))
}

// AppendNumber is FormatNumber into a buffer.
func AppendNumber(dst []byte, n float64) []byte { return AppendG(dst, n, 14) }

// AppendG spells a number as printf's %.{digits}g does, digits being 1 to 17.
func AppendG(dst []byte, n float64, digits int) []byte {
	// Integers below 10^digits have no exponent.
	if i := int64(n); float64(i) == n && i > -1e14 && i < 1e14 && digits >= 14 && (i != 0 || !math.Signbit(n)) {
		return strconv.AppendInt(dst, i, 10)
	}
	switch {
	case math.IsNaN(n):
		if math.Signbit(n) {
			return append(dst, "-nan"...)
		}
		return append(dst, "nan"...)
	case math.IsInf(n, 0):
		if n < 0 {
			return append(dst, "-inf"...)
		}
		return append(dst, "inf"...)
	}
	return appendGeneral(dst, n, digits)
}

// appendGeneral chooses between plain and exponential notation by the exponent that
// the rounded number has, and drops zeros at the end of the fraction.
func appendGeneral(dst []byte, n float64, digits int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, n, 'e', digits-1, 64)
	mark := len(dst) - 1
	for dst[mark] != 'e' {
		mark--
	}
	exponent, err := strconv.Atoi(string(dst[mark+1:]))
	if err != nil {
		panic("an exponent is a number: " + err.Error())
	}
	if exponent < -4 || exponent >= digits {
		tail := string(dst[mark:])
		return append(trimFraction(dst[:mark], start), tail...)
	}
	return trimFraction(strconv.AppendFloat(dst[:start], n, 'f', digits-1-exponent, 64), start)
}

func trimFraction(b []byte, start int) []byte {
	point := false
	for _, ch := range b[start:] {
		point = point || ch == '.'
	}
	if !point {
		return b
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

// ParseNumber reads a number as the C library's strtod does, with blanks around it:
// decimal, hexadecimal, inf and nan.
func ParseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" {
		return 0, false
	}
	if n, ok := shortInteger(s); ok {
		return n, true
	}
	digits, negative := s, false
	if s[0] == '-' || s[0] == '+' {
		digits, negative = s[1:], s[0] == '-'
	}
	if len(digits) > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') {
		return parseHex(digits, negative)
	}
	for i := range len(digits) {
		if digits[i] == '_' {
			return 0, false
		}
	}
	if strings.HasPrefix(digits, "nan(") || strings.HasPrefix(digits, "NAN(") {
		return math.NaN(), strings.HasSuffix(digits, ")")
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return 0, false
	}
	if math.IsNaN(n) {
		// C keeps the sign that was written.
		sign := 1.0
		if negative {
			sign = -1
		}
		return math.Copysign(math.NaN(), sign), true
	}
	return n, true
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError) //nolint:errorlint // ParseFloat returns nothing else
	return ok && e.Err == strconv.ErrRange
}

// shortInteger reads what most numbers in scripts are.
func shortInteger(s string) (float64, bool) {
	if len(s) > 15 {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return float64(n), true
}

func parseHex(s string, negative bool) (float64, bool) {
	text := s
	if !strings.ContainsAny(s, "pP") {
		text += "p0"
	}
	if strings.Contains(text, "_") {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !isRange(err) {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}
