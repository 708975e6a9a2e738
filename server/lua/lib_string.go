package lua

import (
	"strings"
)

func openString(l *State) {
	s := l.library("string", map[string]Native{
		"byte": stringByte, "char": stringChar, "dump": stringDump, "find": stringFind, "format": stringFormat,
		"gfind": stringGmatch, "gmatch": stringGmatch, "gsub": stringGsub, "len": stringLen, "lower": stringLower,
		"match": stringMatch, "rep": stringRep, "reverse": stringReverse, "sub": stringSub, "upper": stringUpper,
	})
	l.stringMeta = l.NewTable(0, 1)
	l.stringMeta.SetString("__index", s.Value())
}

// StringMetatable is the metatable of all strings.
func (l *State) StringMetatable() *Table { return l.stringMeta }

// position makes an index that may count from the end one that counts from 1.
func position(i, length int) int {
	if i < 0 {
		i += length + 1
	}
	return max(i, 0)
}

func stringLen(t *Thread) int {
	t.Push(Number(float64(len(t.CheckString(1)))))
	return 1
}

func stringSub(t *Thread) int {
	s := t.CheckString(1)
	from := max(position(t.CheckInt(2), len(s)), 1)
	to := min(position(t.OptInt(3, -1), len(s)), len(s))
	if from > to {
		t.Push(String(""))
	} else {
		t.PushString(s[from-1 : to])
	}
	return 1
}

func stringByte(t *Thread) int {
	s := t.CheckString(1)
	from := position(t.OptInt(2, 1), len(s))
	to := min(position(t.OptInt(3, from), len(s)), len(s))
	from = max(from, 1)
	if from > to {
		return 0
	}
	if to-from+1 >= maxNatives {
		t.Errorf("string slice too long")
	}
	for _, ch := range []byte(s[from-1 : to]) {
		t.Push(Number(float64(ch)))
	}
	return to - from + 1
}

func stringChar(t *Thread) int {
	n := t.NArgs()
	b := make([]byte, n)
	for i := range b {
		ch := t.CheckInt(i + 1)
		if ch != int(byte(ch)) {
			t.ArgError(i+1, "invalid value")
		}
		b[i] = byte(ch)
	}
	t.PushString(string(b))
	return 1
}

func stringDump(t *Thread) int {
	t.CheckFunction(1)
	t.Errorf("unable to dump given function")
	return 0
}

func mapBytes(f func(byte) byte) func(t *Thread) int {
	return func(t *Thread) int {
		s := t.CheckString(1)
		t.l.charge(2 * len(s))
		b := []byte(s)
		for i, ch := range b {
			b[i] = f(ch)
		}
		t.PushString(string(b))
		return 1
	}
}

func stringLower(t *Thread) int {
	return mapBytes(func(ch byte) byte {
		if ch >= 'A' && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		return ch
	})(t)
}

func stringUpper(t *Thread) int {
	return mapBytes(func(ch byte) byte {
		if ch >= 'a' && ch <= 'z' {
			ch -= 'a' - 'A'
		}
		return ch
	})(t)
}

func stringReverse(t *Thread) int {
	s := t.CheckString(1)
	t.l.charge(len(s))
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	t.PushString(string(b))
	return 1
}

// maxString bounds what string.rep makes: more than any reply can hold.
const maxString = 1 << 30

func stringRep(t *Thread) int {
	s, n := t.CheckString(1), t.CheckInt(2)
	if n <= 0 || s == "" {
		t.Push(String(""))
		return 1
	}
	if n > maxString/len(s) {
		panic(&Error{Value: String(ErrMemory)})
	}
	t.l.charge(len(s) * n)
	t.Push(String(strings.Repeat(s, n)))
	return 1
}

func stringFind(t *Thread) int  { return findOrMatch(t, true) }
func stringMatch(t *Thread) int { return findOrMatch(t, false) }

func findOrMatch(t *Thread, find bool) int {
	s, pat := t.CheckString(1), t.CheckString(2)
	init := min(max(position(t.OptInt(3, 1), len(s))-1, 0), len(s))
	if find && (t.Arg(4).Truth() || !strings.ContainsAny(pat, "^$*+?.([%-")) {
		at := strings.Index(s[init:], pat)
		if at < 0 {
			t.Push(Nil)
			return 1
		}
		t.Push(Number(float64(init + at + 1)))
		t.Push(Number(float64(init + at + len(pat))))
		return 2
	}
	anchored := strings.HasPrefix(pat, "^")
	m := matcher{t: t, src: s, pat: pat}
	if anchored {
		m.pat = pat[1:]
	}
	for at := init; ; at++ {
		m.level = 0
		t.Spend(1)
		if end := m.match(at, 0); end >= 0 {
			if !find {
				return m.pushCaptures(at, end, true)
			}
			t.Push(Number(float64(at + 1)))
			t.Push(Number(float64(end)))
			return m.pushCaptures(at, end, false) + 2
		}
		if anchored || at >= len(s) {
			t.Push(Nil)
			return 1
		}
	}
}

func stringGmatch(t *Thread) int {
	s, pat := t.CheckString(1), t.CheckString(2)
	at := 0
	t.Push(t.l.NewNative("", func(t *Thread) int {
		m := matcher{t: t, src: s, pat: pat}
		for ; at <= len(s); at++ {
			m.level = 0
			t.Spend(1)
			if end := m.match(at, 0); end >= 0 {
				from := at
				if at = end; end == from {
					at++
				}
				return m.pushCaptures(from, end, true)
			}
		}
		return 0
	}).Value())
	return 1
}

func stringGsub(t *Thread) int {
	s, pat := t.CheckString(1), t.CheckString(2)
	repl := t.Arg(3)
	switch repl.Kind() {
	case KindNumber, KindString, KindFunction, KindTable:
	default:
		t.ArgError(3, "string/function/table expected")
	}
	most := t.OptInt(4, len(s)+1)
	anchored := strings.HasPrefix(pat, "^")
	m := matcher{t: t, src: s, pat: pat}
	if anchored {
		m.pat = pat[1:]
	}
	var b strings.Builder
	at, n, charged := 0, 0, 0
	for n < most {
		m.level = 0
		t.Spend(1)
		end := m.match(at, 0)
		if end >= 0 {
			n++
			m.replace(&b, at, end, repl)
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			b.WriteByte(s[at])
			at++
		default:
			at++
		}
		if b.Len() > charged {
			charged = 2 * b.Len()
			t.l.charge(charged)
		}
		if at > len(s) || anchored {
			break
		}
	}
	if at < len(s) {
		b.WriteString(s[at:])
	}
	t.PushString(b.String())
	t.Push(Number(float64(n)))
	return 2
}

// replace adds what a match is replaced by.
func (m *matcher) replace(b *strings.Builder, s, e int, repl Value) {
	var v Value
	switch repl.Kind() {
	case KindFunction:
		m.t.Push(repl)
		m.t.Call(m.pushCaptures(s, e, true), 1)
		v = m.t.Pop()
	case KindTable:
		v = m.t.index(repl, m.capture(0, s, e), -1)
	default:
		text, _ := repl.Text()
		m.expand(b, s, e, text)
		return
	}
	if !v.Truth() {
		b.WriteString(m.src[s:e])
		return
	}
	text, ok := v.Text()
	if !ok {
		m.t.Errorf("invalid replacement value (a %s)", v.Kind())
	}
	b.WriteString(text)
}

// expand adds a replacement text, in which % and a digit stand for a capture.
func (m *matcher) expand(b *strings.Builder, s, e int, text string) {
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch {
		case i >= len(text):
			b.WriteByte(0) // C's end of the string
		case !isDigit(text[i]):
			b.WriteByte(text[i])
		case text[i] == '0':
			b.WriteString(m.src[s:e])
		default:
			v, _ := m.capture(int(text[i]-'1'), s, e).Text()
			b.WriteString(v)
		}
	}
}
