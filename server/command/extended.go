package command

import (
	"math/big"
)

// INCRBYFLOAT computes in the 80-bit extended precision of x86: a mantissa of
// 64 bits and an exponent of 15. Clients see the difference (in double
// precision 0.1 + 0.2 prints as 0.30000000000000004, here as 0.3), so it is
// done the same way on every machine.

const (
	extendedPrec   = 64
	extendedMaxExp = 16384  // 0.5 <= mantissa < 1: the largest number is just below 2^16384
	extendedMinExp = -16444 // below it even denormal numbers end
	extendedMaxLen = 5 * 1024
	// extendedDigits after the point are printed: few enough to hide what
	// rounding did to short decimal numbers.
	extendedDigits = 17
)

func newExtended() *big.Float {
	return new(big.Float).SetPrec(extendedPrec).SetMode(big.ToNearestEven)
}

// parseExtended reads a number as C's strtold does in its locale-free form:
// decimal or hexadecimal, with a sign, or infinity; nothing before or after it.
func parseExtended(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) >= extendedMaxLen {
		return nil, false
	}
	x, digits, neg := newExtended(), b, false
	if b[0] == '+' || b[0] == '-' {
		neg, digits = b[0] == '-', b[1:]
	}
	if equalFold(digits, "inf") || equalFold(digits, "infinity") {
		return x.SetInf(neg), true
	}
	base := 10
	if len(digits) > 2 && digits[0] == '0' && lowerByte(digits[1]) == 'x' {
		base, digits = 16, digits[2:]
	}
	if !numeral(digits, base) {
		return nil, false
	}
	if _, _, err := x.Parse(string(digits), base); err != nil {
		return nil, false
	}
	if exp := x.MantExp(nil); x.IsInf() || exp > extendedMaxExp || (x.Sign() != 0 && exp < extendedMinExp) {
		return nil, false
	}
	if neg {
		x.Neg(x)
	}
	return x, true
}

// numeral says whether b is digits with at most one point, at least one digit,
// and perhaps an exponent. big.Float alone would accept more.
func numeral(b []byte, base int) bool {
	exponent := byte('e')
	if base == 16 {
		exponent = 'p'
	}
	seen, point, i := 0, false, 0
	for ; i < len(b); i++ {
		switch ch := lowerByte(b[i]); {
		case '0' <= ch && ch <= '9', base == 16 && 'a' <= ch && ch <= 'f':
			seen++
			continue
		case ch == '.' && !point:
			point = true
			continue
		}
		break
	}
	if seen == 0 || i == len(b) {
		return seen > 0
	}
	if lowerByte(b[i]) != exponent {
		return false
	}
	i++
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	if i == len(b) {
		return false
	}
	for ; i < len(b); i++ {
		if b[i] < '0' || b[i] > '9' {
			return false
		}
	}
	return true
}

// addExtended returns the sum unless it is infinite or not a number.
func addExtended(a, b *big.Float) (*big.Float, bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum := newExtended().Add(a, b)
	if sum.IsInf() || sum.MantExp(nil) > extendedMaxExp {
		return nil, false
	}
	return sum, true
}

// appendExtended spells a number without an exponent and without zeros at its
// end.
func appendExtended(dst []byte, x *big.Float) []byte {
	from := len(dst)
	dst = x.Append(dst, 'f', extendedDigits)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	if string(dst[from:]) == "-0" {
		return append(dst[:from], '0')
	}
	return dst
}
