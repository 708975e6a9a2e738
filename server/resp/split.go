package resp

// SplitArgs splits a line into words the way redis-cli, inline requests and
// configuration files do: blanks separate; "..." understands \n \r \t \b \a,
// \xHH and backslash before any other character; '...' understands \' only; a
// closing quote must be followed by a blank or the end. The error is
// ErrUnbalancedQuotes.
func SplitArgs(line []byte) ([][]byte, error) {
	var args [][]byte
	for {
		for len(line) > 0 && isSpace(line[0]) {
			line = line[1:]
		}
		if len(line) == 0 || line[0] == 0 {
			return args, nil
		}
		word, rest, ok := nextWord(line)
		if !ok {
			return nil, ErrUnbalancedQuotes
		}
		args = append(args, word)
		line = rest
	}
}

func nextWord(line []byte) (word, rest []byte, ok bool) {
	word = []byte{}
	for len(line) > 0 {
		switch ch := line[0]; {
		case isSpace(ch), ch == 0:
			return word, line, true
		case ch == '"':
			word, line, ok = doubleQuoted(word, line[1:])
			return word, line, ok
		case ch == '\'':
			word, line, ok = singleQuoted(word, line[1:])
			return word, line, ok
		default:
			word = append(word, ch)
			line = line[1:]
		}
	}
	return word, nil, true
}

func doubleQuoted(word, line []byte) (_, rest []byte, ok bool) {
	for len(line) > 0 {
		switch {
		case len(line) >= 4 && line[0] == '\\' && line[1] == 'x' && isHex(line[2]) && isHex(line[3]):
			word = append(word, unhex(line[2])<<4|unhex(line[3]))
			line = line[4:]
		case len(line) >= 2 && line[0] == '\\':
			word = append(word, unescape(line[1]))
			line = line[2:]
		case line[0] == '"':
			return word, line[1:], len(line) == 1 || isSpace(line[1])
		default:
			word = append(word, line[0])
			line = line[1:]
		}
	}
	return word, nil, false
}

func singleQuoted(word, line []byte) (_, rest []byte, ok bool) {
	for len(line) > 0 {
		switch {
		case len(line) >= 2 && line[0] == '\\' && line[1] == '\'':
			word = append(word, '\'')
			line = line[2:]
		case line[0] == '\'':
			return word, line[1:], len(line) == 1 || isSpace(line[1])
		default:
			word = append(word, line[0])
			line = line[1:]
		}
	}
	return word, nil, false
}

func unescape(ch byte) byte {
	switch ch {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return ch
}

func isSpace(ch byte) bool {
	return ch == ' ' || (ch >= '\t' && ch <= '\r')
}

func isHex(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'f' || ch >= 'A' && ch <= 'F'
}

func unhex(ch byte) byte {
	switch {
	case ch <= '9':
		return ch - '0'
	case ch <= 'F':
		return ch - 'A' + 10
	}
	return ch - 'a' + 10
}
