package resp

// peekArgs is how many arguments of one request PeekKey steps over.
const peekArgs = 16

// PeekKey looks at the request at the front of buf without taking it: size is its
// length in bytes, 0 if it is not all there, or is not of the plain form that
// clients send, or has more than a few arguments. key is the second argument, in which
// nearly every command has its first key; nil when there is none.
//
// It is a guess to act upon early, and never wrong about size; whether the request
// is a valid one is the Parser's business.
func PeekKey(buf []byte) (key []byte, size int) {
	count, at := peekNumber(buf, 0, '*')
	if at == 0 || count > peekArgs {
		return nil, 0
	}
	for i := range count {
		length, from := peekNumber(buf, at, '$')
		if from == 0 || len(buf)-from < length+2 {
			return nil, 0
		}
		at = from + length + 2
		if i == 1 {
			key = buf[from : from+length : from+length]
		}
	}
	return key, at
}

// peekNumber reads a header line of up to six digits at off, and returns the offset
// behind it; 0 when there is none.
func peekNumber(buf []byte, off int, kind byte) (v, next int) {
	if off >= len(buf) || buf[off] != kind {
		return 0, 0
	}
	i := off + 1
	for ; i < len(buf) && i < off+7; i++ {
		d := buf[i] - '0'
		if d > 9 {
			break
		}
		v = v*10 + int(d)
	}
	if i == off+1 || i+1 >= len(buf) || buf[i] != '\r' {
		return 0, 0
	}
	return v, i + 2
}
