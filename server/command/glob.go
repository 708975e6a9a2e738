package command

// Match says whether a string matches a glob-style pattern in the dialect of
// Redis: * any bytes, ? any byte, [a-z] and [^a-z] a byte in or not in a set,
// \ takes the next byte as it is. Oddities are kept, since applications depend
// on them unknowingly: an unclosed set ends with the pattern, ranges compare
// bytes as signed numbers, and no pattern but the empty one matches the empty
// string.
func Match(pattern, s []byte) bool {
	g := globber{}
	return g.match(pattern, s)
}

// MatchFold is Match without regard to ASCII case.
func MatchFold(pattern, s []byte) bool {
	g := globber{fold: true}
	return g.match(pattern, s)
}

type globber struct {
	fold bool
	// hopeless is set once the rest of the pattern after some * was tried at
	// every place up to the end of the string. A * further left can then not
	// succeed with a later start: without this, patterns like a*a*a*b take
	// exponential time.
	hopeless bool
}

func (g *globber) match(p, s []byte) bool {
	for len(p) > 0 && len(s) > 0 {
		switch p[0] {
		case '*':
			return g.star(p, s)
		case '?':
			p = p[1:]
		case '[':
			rest, ok := g.set(p[1:], s[0])
			if !ok {
				return false
			}
			p = rest
		default:
			if p[0] == '\\' && len(p) > 1 {
				p = p[1:]
			}
			if !g.same(p[0], s[0]) {
				return false
			}
			p = p[1:]
		}
		s = s[1:]
		if len(s) == 0 {
			for len(p) > 0 && p[0] == '*' {
				p = p[1:]
			}
		}
	}
	return len(p) == 0 && len(s) == 0
}

func (g *globber) star(p, s []byte) bool {
	for len(p) > 1 && p[1] == '*' {
		p = p[1:]
	}
	if len(p) == 1 {
		return true
	}
	for ; len(s) > 0; s = s[1:] {
		if g.match(p[1:], s) {
			return true
		}
		if g.hopeless {
			return false
		}
	}
	g.hopeless = true
	return false
}

// set matches one byte against what follows a [ and returns the pattern behind
// the closing ].
func (g *globber) set(p []byte, ch byte) (rest []byte, ok bool) {
	not := len(p) > 0 && p[0] == '^'
	if not {
		p = p[1:]
	}
	found := false
	for len(p) > 0 && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) >= 2:
			found = found || p[1] == ch
			p = p[2:]
		case len(p) >= 3 && p[1] == '-':
			found = found || g.between(p[0], p[2], ch)
			p = p[3:]
		default:
			found = found || g.same(p[0], ch)
			p = p[1:]
		}
	}
	if len(p) > 0 {
		p = p[1:]
	}
	return p, found != not
}

func (g *globber) same(a, b byte) bool {
	if g.fold {
		return lowerByte(a) == lowerByte(b)
	}
	return a == b
}

func (g *globber) between(from, to, ch byte) bool {
	lo, hi := int8(from), int8(to)
	if lo > hi {
		lo, hi = hi, lo
	}
	if g.fold {
		lo, hi, ch = int8(lowerByte(byte(lo))), int8(lowerByte(byte(hi))), lowerByte(ch)
	}
	return lo <= int8(ch) && int8(ch) <= hi
}
