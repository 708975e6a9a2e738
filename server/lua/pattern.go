package lua

// matcher matches a pattern against a string.
type matcher struct {
	t        *Thread
	src, pat string
	depth    int
	level    int // captures
	captures [maxCaptures]struct{ start, length int }
}

const (
	maxCaptures = 32
	// maxPatternDepth bounds the recursion: one level for each optional item.
	maxPatternDepth = 10000

	openCapture     = -1 // not closed yet
	positionCapture = -2
)

// class returns where the single-character class at p ends.
func (m *matcher) class(p int) int {
	if p >= len(m.pat) {
		m.t.Errorf("malformed pattern (ends with '%%')")
	}
	ch := m.pat[p]
	p++
	switch ch {
	case '%':
		if p >= len(m.pat) {
			m.t.Errorf("malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pat) && m.pat[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pat) || m.pat[p] != ']'; first = false {
			if p >= len(m.pat) {
				m.t.Errorf("malformed pattern (missing ']')")
			}
			p++
			if m.pat[p-1] == '%' && p < len(m.pat) {
				p++
			}
		}
		return p + 1
	}
	return p
}

func classHas(class, ch byte) bool {
	var has bool
	switch class | 0x20 {
	case 'a':
		has = ch|0x20 >= 'a' && ch|0x20 <= 'z'
	case 'c':
		has = ch < ' ' || ch == 0x7f
	case 'd':
		has = isDigit(ch)
	case 'l':
		has = ch >= 'a' && ch <= 'z'
	case 'p':
		has = ch > ' ' && ch < 0x7f && !isAlnum(ch)
	case 's':
		has = ch == ' ' || ch >= '\t' && ch <= '\r'
	case 'u':
		has = ch >= 'A' && ch <= 'Z'
	case 'w':
		has = isAlnum(ch)
	case 'x':
		has = isDigit(ch) || ch|0x20 >= 'a' && ch|0x20 <= 'f'
	case 'z':
		has = ch == 0
	default:
		return class == ch
	}
	if class >= 'A' && class <= 'Z' {
		return !has
	}
	return has
}

func isAlnum(ch byte) bool { return isDigit(ch) || ch|0x20 >= 'a' && ch|0x20 <= 'z' }

// setHas matches a character against the set pat[p:end], brackets included.
func (m *matcher) setHas(ch byte, p, end int) bool {
	end--
	found := true
	p++
	if m.pat[p] == '^' {
		found = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			p++
			if classHas(m.pat[p], ch) {
				return found
			}
		case p+2 < end && m.pat[p+1] == '-':
			if m.pat[p] <= ch && ch <= m.pat[p+2] {
				return found
			}
			p += 2
		case m.pat[p] == ch:
			return found
		}
	}
	return !found
}

// single matches one character at s against the class pat[p:end].
func (m *matcher) single(s, p, end int) bool {
	if s >= len(m.src) {
		return false
	}
	ch := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return classHas(m.pat[p+1], ch)
	case '[':
		return m.setHas(ch, p, end)
	}
	return m.pat[p] == ch
}

// match returns where the match of pat[p:] at s ends, or -1.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxPatternDepth {
		m.t.Errorf("pattern too complex")
	}
	defer func() { m.depth-- }()
	for p < len(m.pat) {
		switch m.pat[p] {
		case '(':
			if p+1 < len(m.pat) && m.pat[p+1] == ')' {
				return m.beginCapture(s, p+2, positionCapture)
			}
			return m.beginCapture(s, p+1, openCapture)
		case ')':
			return m.endCapture(s, p+1)
		case '$':
			if p+1 == len(m.pat) {
				if s == len(m.src) {
					return s
				}
				return -1
			}
		case '%':
			if p+1 < len(m.pat) {
				switch next := m.pat[p+1]; {
				case next == 'b':
					if s = m.balanced(s, p+2); s < 0 {
						return -1
					}
					p += 4
					continue
				case next == 'f':
					if p = m.frontier(s, p+2); p < 0 {
						return -1
					}
					continue
				case isDigit(next):
					if s = m.backReference(s, next); s < 0 {
						return -1
					}
					p += 2
					continue
				}
			}
		}
		end := m.class(p)
		repeat := byte(0)
		if end < len(m.pat) {
			repeat = m.pat[end]
		}
		switch repeat {
		case '?':
			if m.single(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end, 0)
		case '+':
			return m.most(s, p, end, 1)
		case '-':
			return m.least(s, p, end)
		default:
			if !m.single(s, p, end) {
				return -1
			}
			s, p = s+1, end
		}
	}
	return s
}

func (m *matcher) most(s, p, end, atLeast int) int {
	n := 0
	for m.single(s+n, p, end) {
		n++
	}
	m.t.Spend(n / 16)
	for ; n >= atLeast; n-- {
		m.t.Spend(1)
		if r := m.match(s+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) least(s, p, end int) int {
	for {
		m.t.Spend(1)
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if !m.single(s, p, end) {
			return -1
		}
		s++
	}
}

func (m *matcher) beginCapture(s, p, what int) int {
	if m.level >= maxCaptures {
		m.t.Errorf("too many captures")
	}
	m.captures[m.level].start, m.captures[m.level].length = s, what
	m.level++
	r := m.match(s, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) endCapture(s, p int) int {
	l := m.level - 1
	for l >= 0 && m.captures[l].length != openCapture {
		l--
	}
	if l < 0 {
		m.t.Errorf("invalid pattern capture")
	}
	m.captures[l].length = s - m.captures[l].start
	r := m.match(s, p)
	if r < 0 {
		m.captures[l].length = openCapture
	}
	return r
}

func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.pat) {
		m.t.Errorf("unbalanced pattern")
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return -1
	}
	opens, closes, depth := m.pat[p], m.pat[p+1], 1
	for s++; s < len(m.src); s++ {
		switch m.src[s] {
		case closes:
			if depth--; depth == 0 {
				return s + 1
			}
		case opens:
			depth++
		}
	}
	return -1
}

// frontier returns where the pattern goes on if s is where a set begins to match.
func (m *matcher) frontier(s, p int) int {
	if p >= len(m.pat) || m.pat[p] != '[' {
		m.t.Errorf("missing '[' after '%%f' in pattern")
	}
	end := m.class(p)
	before, here := byte(0), byte(0)
	if s > 0 {
		before = m.src[s-1]
	}
	if s < len(m.src) {
		here = m.src[s]
	}
	if m.setHas(before, p, end) || !m.setHas(here, p, end) {
		return -1
	}
	return end
}

func (m *matcher) backReference(s int, digit byte) int {
	l := int(digit) - '1'
	if l < 0 || l >= m.level || m.captures[l].length == openCapture {
		m.t.Errorf("invalid capture index")
	}
	c := m.captures[l]
	if c.length < 0 || len(m.src)-s < c.length || m.src[c.start:c.start+c.length] != m.src[s:s+c.length] {
		return -1
	}
	return s + c.length
}

// capture returns what capture i holds; without any, 0 is the whole match.
func (m *matcher) capture(i, s, e int) Value {
	if i >= m.level {
		if i != 0 {
			m.t.Errorf("invalid capture index")
		}
		return String(m.src[s:e])
	}
	switch c := m.captures[i]; c.length {
	case openCapture:
		m.t.Errorf("unfinished capture")
		return Nil
	case positionCapture:
		return Number(float64(c.start + 1))
	default:
		return String(m.src[c.start : c.start+c.length])
	}
}

// pushCaptures pushes all captures, or the whole match when there are none and
// whole is set.
func (m *matcher) pushCaptures(s, e int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		v := m.capture(i, s, e)
		m.t.l.charge(stringBytes)
		m.t.Push(v)
	}
	return n
}
