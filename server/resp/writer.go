package resp

import (
	"math"
	"strconv"
)

// Writer appends replies to Buf. Commands use the methods that say what they
// mean; the Writer chooses the bytes by Proto.
type Writer struct {
	Buf   []byte
	Proto int // 2 or 3; 0 counts as 2
}

// Replies that never change, as bytes.
const (
	replyOK        = "+OK\r\n"
	replyNullBulk  = "$-1\r\n"
	replyNullArray = "*-1\r\n"
	replyNull3     = "_\r\n"
)

// RESP3 says whether the client speaks version 3. Commands whose reply has
// another shape there (not only another encoding) need to know.
func (w *Writer) RESP3() bool { return w.Proto == 3 }

// OK is the reply +OK.
func (w *Writer) OK() { w.Buf = append(w.Buf, replyOK...) }

// Simple appends a status; s must not contain line ends.
func (w *Writer) Simple(s string) {
	w.Buf = append(w.Buf, '+')
	w.Buf = append(w.Buf, s...)
	w.crlf()
}

// Error appends an error; s begins with its code, e.g. "ERR syntax error". Line
// ends within it become blanks.
func (w *Writer) Error(s string) {
	w.Buf = append(w.Buf, '-')
	start := len(w.Buf)
	w.Buf = append(w.Buf, s...)
	oneLine(w.Buf[start:])
	w.crlf()
}

// ErrorBytes is Error for text that is already bytes.
func (w *Writer) ErrorBytes(s []byte) {
	w.Buf = append(w.Buf, '-')
	start := len(w.Buf)
	w.Buf = append(w.Buf, s...)
	oneLine(w.Buf[start:])
	w.crlf()
}

func oneLine(b []byte) {
	for i, ch := range b {
		if ch == '\r' || ch == '\n' {
			b[i] = ' '
		}
	}
}

// Int appends an integer.
func (w *Writer) Int(v int64) { w.header(':', v) }

// Bulk appends a string of any bytes.
func (w *Writer) Bulk(b []byte) {
	w.header('$', int64(len(b)))
	w.Buf = append(w.Buf, b...)
	w.crlf()
}

// BulkString is Bulk for a string.
func (w *Writer) BulkString(s string) {
	w.header('$', int64(len(s)))
	w.Buf = append(w.Buf, s...)
	w.crlf()
}

// BulkInt appends a string that holds a number.
func (w *Writer) BulkInt(v int64) {
	var scratch [20]byte
	w.Bulk(strconv.AppendInt(scratch[:0], v, 10))
}

// Null is the absent string.
func (w *Writer) Null() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, replyNull3...)
		return
	}
	w.Buf = append(w.Buf, replyNullBulk...)
}

// NullArray is the absent array.
func (w *Writer) NullArray() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, replyNull3...)
		return
	}
	w.Buf = append(w.Buf, replyNullArray...)
}

// Array begins an array of n elements, which the caller appends next.
func (w *Writer) Array(n int) { w.header('*', int64(n)) }

// Map begins n pairs: 2n elements follow.
func (w *Writer) Map(n int) {
	if w.Proto == 3 {
		w.header('%', int64(n))
		return
	}
	w.header('*', int64(2*n))
}

// Set begins n elements without order.
func (w *Writer) Set(n int) {
	if w.Proto == 3 {
		w.header('~', int64(n))
		return
	}
	w.header('*', int64(n))
}

// Push begins an out-of-band message of n elements.
func (w *Writer) Push(n int) {
	if w.Proto == 3 {
		w.header('>', int64(n))
		return
	}
	w.header('*', int64(n))
}

// Attribute begins n pairs of extra information in front of a reply. Version 2
// has no place for them: then nothing is written, false is returned, and the
// caller writes no pairs.
func (w *Writer) Attribute(n int) bool {
	if w.Proto != 3 {
		return false
	}
	w.header('|', int64(n))
	return true
}

// Bool is true or false; 1 or 0 in version 2.
func (w *Writer) Bool(v bool) {
	switch {
	case w.Proto == 3 && v:
		w.Buf = append(w.Buf, "#t\r\n"...)
	case w.Proto == 3:
		w.Buf = append(w.Buf, "#f\r\n"...)
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Double appends a floating point number, as a string in version 2.
func (w *Writer) Double(v float64) {
	var scratch [32]byte
	text := AppendDouble(scratch[:0], v)
	if w.Proto == 3 {
		w.Buf = append(w.Buf, ',')
		w.Buf = append(w.Buf, text...)
		w.crlf()
		return
	}
	w.Bulk(text)
}

// HumanDouble appends a floating point number with up to 17 digits behind the point
// and never an exponent, as a string in version 2. v must be finite.
func (w *Writer) HumanDouble(v float64) {
	var scratch [400]byte
	text := strconv.AppendFloat(scratch[:0], v, 'f', 17, 64)
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	if text[end-1] == '.' {
		end--
	}
	if text = text[:end]; string(text) == "-0" {
		text = text[1:]
	}
	if w.Proto == 3 {
		w.Buf = append(w.Buf, ',')
		w.Buf = append(w.Buf, text...)
		w.crlf()
		return
	}
	w.Bulk(text)
}

// AppendDouble spells a number as Redis 7.2 does: with the fewest digits that read
// back as the same number; infinities are "inf" and "-inf".
func AppendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(v):
		return append(dst, "nan"...)
	case v == 0 && math.Signbit(v):
		return append(dst, "-0"...)
	case v == math.Trunc(v) && math.Abs(v) <= 1<<62:
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return appendShortest(dst, v)
}

// AppendSeventeen spells a number in 17 digits at most, as %.17g does in C. It is how
// Redis spells scores in a few places.
func AppendSeventeen(dst []byte, v float64) []byte {
	if math.IsInf(v, 0) {
		return AppendDouble(dst, v)
	}
	return strconv.AppendFloat(dst, v, 'g', 17, 64)
}

// appendShortest decides when an exponent is needed: above 10^7 times as much as
// the digits alone would be, and below 10^-6 times as much, unless the whole is
// between 0.0001 and 10000.
func appendShortest(dst []byte, v float64) []byte {
	var scratch [32]byte
	text := strconv.AppendFloat(scratch[:0], v, 'e', -1, 64) // -d.ddde-dd
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	e := len(text) - 1
	exp, place := 0, 1
	for ; text[e] >= '0'; e-- { // '+' and '-' are below
		exp += int(text[e]-'0') * place
		place *= 10
	}
	size := exp
	if text[e] == '-' {
		exp = -exp
	}
	digits := append(text[:1], text[min(2, e-1):e-1]...)
	power := exp - len(digits) + 1 // of ten, that the digits are to be multiplied with
	switch point := len(digits) + power; {
	case power >= 0 && size < len(digits)+7:
		return append(append(dst, digits...), "000000000000000000000000"[:power]...)
	case power < 0 && (power > -7 || size < 4) && point <= 0:
		return append(append(append(dst, '0', '.'), "000000"[:-point]...), digits...)
	case power < 0 && (power > -7 || size < 4):
		return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	sign := byte('+')
	if exp < 0 {
		sign = '-'
	}
	return strconv.AppendInt(append(dst, 'e', sign), int64(size), 10)
}

// Verbatim appends text meant for people; format has three letters, "txt" or
// "mkd".
func (w *Writer) Verbatim(format, text string) {
	if w.Proto != 3 {
		w.BulkString(text)
		return
	}
	w.header('=', int64(len(format)+1+len(text)))
	w.Buf = append(w.Buf, format...)
	w.Buf = append(w.Buf, ':')
	w.Buf = append(w.Buf, text...)
	w.crlf()
}

// BigNumber appends an integer of any size, given in decimal.
func (w *Writer) BigNumber(s string) {
	if w.Proto != 3 {
		w.BulkString(s)
		return
	}
	w.Buf = append(w.Buf, '(')
	w.Buf = append(w.Buf, s...)
	w.crlf()
}

// Raw appends bytes that are already a reply.
func (w *Writer) Raw(b []byte) { w.Buf = append(w.Buf, b...) }

// Mark remembers a position for InsertArray and friends: for replies whose
// number of elements is known only after they were written.
func (w *Writer) Mark() int { return len(w.Buf) }

// InsertArray puts the header of an array of n elements at the mark, in front
// of what was appended since. It moves those bytes once.
func (w *Writer) InsertArray(mark, n int) { w.insertHeader(mark, '*', n) }

// InsertMap is InsertArray for n pairs.
func (w *Writer) InsertMap(mark, n int) {
	if w.Proto == 3 {
		w.insertHeader(mark, '%', n)
		return
	}
	w.insertHeader(mark, '*', 2*n)
}

// InsertSet is InsertArray for a set.
func (w *Writer) InsertSet(mark, n int) {
	if w.Proto == 3 {
		w.insertHeader(mark, '~', n)
		return
	}
	w.insertHeader(mark, '*', n)
}

// InsertBulk is InsertArray for a string.
func (w *Writer) InsertBulk(mark int, b []byte) {
	w.insert(mark, []byte{'\r', '\n'})
	w.insert(mark, b)
	w.insertHeader(mark, '$', len(b))
}

func (w *Writer) insertHeader(mark int, kind byte, n int) {
	var scratch [24]byte
	w.insert(mark, appendHeader(scratch[:0], kind, int64(n)))
}

func (w *Writer) insert(mark int, head []byte) {
	w.Buf = append(w.Buf, head...)
	copy(w.Buf[mark+len(head):], w.Buf[mark:len(w.Buf)-len(head)])
	copy(w.Buf[mark:], head)
}

func (w *Writer) crlf() { w.Buf = append(w.Buf, '\r', '\n') }

func (w *Writer) header(kind byte, v int64) { w.Buf = appendHeader(w.Buf, kind, v) }

func appendHeader(dst []byte, kind byte, v int64) []byte {
	if v >= 0 && v < 10 {
		return append(dst, kind, byte('0'+v), '\r', '\n')
	}
	if v >= 10 && v < 100 {
		return append(dst, kind, byte('0'+v/10), byte('0'+v%10), '\r', '\n')
	}
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, v, 10)
	return append(dst, '\r', '\n')
}

// AppendCommand appends a request, or an effect of the replication stream: an
// array of bulk strings.
func AppendCommand(dst []byte, args ...[]byte) []byte {
	dst = appendHeader(dst, '*', int64(len(args)))
	for _, arg := range args {
		dst = appendHeader(dst, '$', int64(len(arg)))
		dst = append(dst, arg...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}
