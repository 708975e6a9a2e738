package command

import (
	"bytes"
	"math"
	"math/big"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

// readDouble reads all of b as a number the way C's strtod does without a locale:
// decimal or hexadecimal, with a sign, or infinity. A number that no double can
// hold is infinite or 0, and inRange false.
func readDouble(b []byte) (v float64, inRange, ok bool) {
	if n, isInt := parseInt(b); isInt {
		return float64(n), true, true
	}
	if len(b) >= extendedMaxLen {
		return 0, false, false
	}
	digits, sign := b, 1.0
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		digits = b[1:]
		if b[0] == '-' {
			sign = -1
		}
	}
	switch {
	case equalFold(digits, "inf"), equalFold(digits, "infinity"):
		return math.Inf(int(sign)), true, true
	case len(digits) > 2 && digits[0] == '0' && lowerByte(digits[1]) == 'x':
		v, ok = readHex(digits[2:])
	case numeral(digits, 10):
		v, _ = strconv.ParseFloat(string(digits), 64) // beyond the range it is infinite
		ok = true
	}
	inRange = !math.IsInf(v, 0) && (v != 0 || !hasDigits(digits))
	return math.Copysign(v, sign), inRange, ok
}

// readHex reads the digits of a hexadecimal number.
func readHex(digits []byte) (v float64, ok bool) {
	if !numeral(digits, 16) {
		return 0, false
	}
	// Precise enough for all digits, so that rounding happens only once.
	x, _, err := new(big.Float).SetPrec(uint(4*len(digits)+64)).Parse(string(digits), 16)
	if err != nil {
		return 0, false
	}
	v, _ = x.Float64()
	return v, true
}

// hasDigits says whether a numeral has another digit than 0 before its exponent,
// so that its value is not 0.
func hasDigits(numeral []byte) bool {
	hex := len(numeral) > 1 && lowerByte(numeral[1]) == 'x'
	for _, ch := range numeral {
		ch = lowerByte(ch)
		if ch == 'p' || ch == 'e' && !hex {
			return false
		}
		if ch >= '1' && ch <= '9' || hex && ch >= 'a' && ch <= 'f' {
			return true
		}
	}
	return false
}

// parseDouble reads a number that has to be in the range of a double.
func parseDouble(b []byte) (v float64, ok bool) {
	v, inRange, ok := readDouble(b)
	return v, ok && inRange
}

// doubleArg reads an argument as a number, or answers with an error.
func (c *Call) doubleArg(b []byte, otherwise ReplyError) (v float64, ok bool) {
	if v, ok = parseDouble(b); !ok {
		c.Fail(otherwise)
	}
	return v, ok
}

// parseBound reads an end of a range of scores: a number, perhaps behind a
// parenthesis. It accepts what C's strtod leaves nothing of: blanks in front,
// numbers out of range, anything behind a zero byte, and nothing at all, which is 0.
func parseBound(b []byte) (bound store.ScoreBound, ok bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) > 0 && b[0] == '(' {
		bound.Open = true
		b = b[1:]
	}
	if len(b) == 0 {
		return bound, true
	}
	bound.Score, _, ok = readDouble(bytes.TrimLeft(b, " \t\n\v\f\r"))
	return bound, ok
}

// parseScoreRange reads both ends of a range of scores, or answers with an error.
func (c *Call) parseScoreRange(from, to []byte) (min, max store.ScoreBound, ok bool) {
	if min, ok = parseBound(from); ok {
		max, ok = parseBound(to)
	}
	if !ok {
		c.Fail(errScoreRange)
	}
	return min, max, ok
}

// parseLexBound reads an end of a range of members: [member, (member, - or +.
func parseLexBound(b []byte) (bound store.LexBound, ok bool) {
	switch {
	case len(b) == 0:
	case b[0] == '-' && len(b) == 1:
		return store.LexBound{Beyond: -1}, true
	case b[0] == '+' && len(b) == 1:
		return store.LexBound{Beyond: 1}, true
	case b[0] == '(', b[0] == '[':
		return store.LexBound{Member: b[1:], Open: b[0] == '('}, true
	}
	return bound, false
}

// parseLexRange reads both ends of a range of members, or answers with an error.
func (c *Call) parseLexRange(from, to []byte) (min, max store.LexBound, ok bool) {
	if min, ok = parseLexBound(from); ok {
		max, ok = parseLexBound(to)
	}
	if !ok {
		c.Fail(errLexRange)
	}
	return min, max, ok
}
