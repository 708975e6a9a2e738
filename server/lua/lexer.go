package lua

import (
	"fmt"
	"strings"
)

// token is a kind of token; single characters stand for themselves.
type token int

const (
	tokEOF token = iota + 256
	tokNumber
	tokString
	tokName
	tokConcat // ..
	tokDots   // ...
	tokEq     // ==
	tokNe     // ~=
	tokLe     // <=
	tokGe     // >=
	tokAnd
	tokBreak
	tokDo
	tokElse
	tokElseif
	tokEnd
	tokFalse
	tokFor
	tokFunction
	tokIf
	tokIn
	tokLocal
	tokNil
	tokNot
	tokOr
	tokRepeat
	tokReturn
	tokThen
	tokTrue
	tokUntil
	tokWhile
)

var tokenNames = [...]string{
	"<eof>", "<number>", "<string>", "<name>", "..", "...", "==", "~=", "<=", ">=",
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in",
	"local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
}

var reserved = func() map[string]token {
	m := map[string]token{}
	for t := tokAnd; t <= tokWhile; t++ {
		m[tokenNames[t-tokEOF]] = t
	}
	return m
}()

func (t token) String() string {
	if t >= tokEOF {
		return tokenNames[t-tokEOF]
	}
	if t < ' ' || t == 0x7f {
		return fmt.Sprintf("char(%d)", int(t))
	}
	return string([]byte{byte(t)})
}

// SyntaxError is why a chunk can not be compiled, as Lua says it.
type SyntaxError struct{ Text string }

func (e *SyntaxError) Error() string { return e.Text }

// lexer takes a chunk apart.
type lexer struct {
	source string // of chunks, for messages
	src    string
	at     int
	line   int

	// The current token.
	tok  token
	text string // of names and strings: their value
	num  float64
	raw  string // as it was written, for messages
	prev int    // the line of the token before

	ahead *lookahead
}

type lookahead struct {
	tok       token
	text, raw string
	num       float64
	line      int
}

func (x *lexer) fail(message, near string) {
	if near != "" {
		message += " near '" + near + "'"
	}
	panic(&SyntaxError{fmt.Sprintf("%s:%d: %s", chunkName(x.source), x.line, message)})
}

// failHere complains about the current token.
func (x *lexer) failHere(message string) { x.fail(message, x.spelled()) }

func (x *lexer) spelled() string {
	switch x.tok {
	case tokName, tokString, tokNumber:
		return x.raw
	}
	return x.tok.String()
}

// next reads a token.
func (x *lexer) next() {
	x.prev = x.line
	if a := x.ahead; a != nil {
		x.tok, x.text, x.raw, x.num, x.line = a.tok, a.text, a.raw, a.num, a.line
		x.ahead = nil
		return
	}
	x.tok = x.scan()
}

// peek reads the token after the current one.
func (x *lexer) peek() token {
	if x.ahead == nil {
		tok, text, raw, num, line := x.tok, x.text, x.raw, x.num, x.line
		next := x.scan()
		x.ahead = &lookahead{next, x.text, x.raw, x.num, x.line}
		x.tok, x.text, x.raw, x.num, x.line = tok, text, raw, num, line
	}
	return x.ahead.tok
}

func (x *lexer) char(i int) byte {
	if x.at+i < len(x.src) {
		return x.src[x.at+i]
	}
	return 0
}

func (x *lexer) scan() token {
	for x.at < len(x.src) {
		ch := x.src[x.at]
		switch {
		case ch == '\n' || ch == '\r':
			x.newline()
		case ch == ' ' || ch == '\t' || ch == '\v' || ch == '\f':
			x.at++
		case ch == '-' && x.char(1) == '-':
			x.comment()
		case ch == '"' || ch == '\'':
			return x.quoted(ch)
		case isDigit(ch) || ch == '.' && isDigit(x.char(1)):
			return x.number()
		case isLetter(ch):
			return x.word()
		default:
			return x.symbol(ch)
		}
	}
	return tokEOF
}

// newline skips one end of line of either spelling.
func (x *lexer) newline() {
	first := x.src[x.at]
	x.at++
	if second := x.char(0); (second == '\n' || second == '\r') && second != first {
		x.at++
	}
	x.line++
}

func (x *lexer) comment() {
	x.at += 2
	if x.char(0) == '[' {
		if level := x.longLevel(); level >= 0 {
			x.long(level, "comment")
			return
		}
	}
	for x.at < len(x.src) && x.src[x.at] != '\n' && x.src[x.at] != '\r' {
		x.at++
	}
}

// longLevel is the number of = in an opening long bracket here; -1: there is none,
// -2: it is begun and not finished.
func (x *lexer) longLevel() int {
	n := 0
	for x.char(1+n) == '=' {
		n++
	}
	switch {
	case x.char(1+n) == '[':
		return n
	case n > 0:
		return -2
	}
	return -1
}

func (x *lexer) long(level int, what string) string {
	start := x.at
	x.at += level + 2
	if ch := x.char(0); x.at < len(x.src) && (ch == '\n' || ch == '\r') {
		x.newline()
	}
	closing := "]" + strings.Repeat("=", level) + "]"
	var b strings.Builder
	for x.at < len(x.src) {
		switch ch := x.src[x.at]; {
		case ch == ']' && strings.HasPrefix(x.src[x.at:], closing):
			x.at += len(closing)
			x.raw = x.src[start:x.at]
			return b.String()
		case ch == '\n' || ch == '\r':
			x.newline()
			b.WriteByte('\n')
		default:
			b.WriteByte(ch)
			x.at++
		}
	}
	x.fail("unfinished long "+what, "<eof>")
	return ""
}

func (x *lexer) quoted(quote byte) token {
	start := x.at
	x.at++
	var b strings.Builder
	for {
		if x.at >= len(x.src) {
			x.fail("unfinished string", "<eof>")
		}
		switch ch := x.src[x.at]; ch {
		case quote:
			x.at++
			x.text, x.raw = b.String(), x.src[start:x.at]
			return tokString
		case '\n', '\r':
			x.fail("unfinished string", x.src[start:x.at])
		case '\\':
			x.at++
			x.escape(&b, start)
		default:
			b.WriteByte(ch)
			x.at++
		}
	}
}

func (x *lexer) escape(b *strings.Builder, start int) {
	if x.at >= len(x.src) {
		return // the caller says that the string is unfinished
	}
	ch := x.src[x.at]
	switch {
	case ch == '\n' || ch == '\r':
		x.newline()
		b.WriteByte('\n')
	case isDigit(ch):
		n, read := 0, x.src[start:x.at-1]
		for i := 0; i < 3 && isDigit(x.char(0)); i++ {
			n = n*10 + int(x.src[x.at]-'0')
			x.at++
		}
		if n > 255 {
			x.fail("escape sequence too large", read)
		}
		b.WriteByte(byte(n))
	default:
		if i := strings.IndexByte("abfnrtv", ch); i >= 0 {
			ch = "\a\b\f\n\r\t\v"[i]
		}
		b.WriteByte(ch)
		x.at++
	}
}

func (x *lexer) number() token {
	start := x.at
	for isDigit(x.char(0)) || x.char(0) == '.' {
		x.at++
	}
	if ch := x.char(0); ch == 'e' || ch == 'E' {
		x.at++
		if ch := x.char(0); ch == '+' || ch == '-' {
			x.at++
		}
	}
	for isLetter(x.char(0)) || isDigit(x.char(0)) {
		x.at++
	}
	x.raw = x.src[start:x.at]
	n, ok := ParseNumber(x.raw)
	if !ok {
		x.fail("malformed number", x.raw)
	}
	x.num = n
	return tokNumber
}

func (x *lexer) word() token {
	start := x.at
	for isLetter(x.char(0)) || isDigit(x.char(0)) {
		x.at++
	}
	x.text = x.src[start:x.at]
	x.raw = x.text
	if t, ok := reserved[x.text]; ok {
		return t
	}
	return tokName
}

func (x *lexer) symbol(ch byte) token {
	two := func(second byte, t token) token {
		if x.char(1) == second {
			x.at += 2
			return t
		}
		x.at++
		return token(ch)
	}
	switch ch {
	case '=':
		return two('=', tokEq)
	case '<':
		return two('=', tokLe)
	case '>':
		return two('=', tokGe)
	case '~':
		return two('=', tokNe)
	case '.':
		if x.char(1) == '.' && x.char(2) == '.' {
			x.at += 3
			return tokDots
		}
		return two('.', tokConcat)
	case '[':
		switch level := x.longLevel(); {
		case level >= 0:
			x.text = x.long(level, "string")
			return tokString
		case level == -2:
			x.fail("invalid long string delimiter", "[=")
		}
	}
	x.at++
	return token(ch)
}

func isDigit(ch byte) bool { return ch >= '0' && ch <= '9' }

func isLetter(ch byte) bool {
	return ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '_'
}

// maxChunkName is how much of a chunk's name messages show.
const maxChunkName = 60

// chunkName is how messages call a chunk: @file is a name, anything else is the
// source itself, of which the first line is shown.
func chunkName(source string) string {
	if strings.HasPrefix(source, "@") || strings.HasPrefix(source, "=") {
		return source[1:]
	}
	first, _, more := strings.Cut(source, "\n")
	const room = maxChunkName - len(`[string "..."]`) - 1
	if len(first) > room {
		first, more = first[:room], true
	}
	if more {
		first += "..."
	}
	return `[string "` + first + `"]`
}
