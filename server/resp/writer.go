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

// AppendDouble spells a number with the fewest digits that read back as the
// same number; infinities are "inf" and "-inf".
func AppendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(v):
		return append(dst, "nan"...)
	}
	// Plain notation up to 17 digits, as printf's %.17g has it.
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e17) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
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
func (w *Writer) InsertArray(mark, n int) { w.insert(mark, func(h *Writer) { h.Array(n) }) }

// InsertMap is InsertArray for n pairs.
func (w *Writer) InsertMap(mark, n int) { w.insert(mark, func(h *Writer) { h.Map(n) }) }

// InsertSet is InsertArray for a set.
func (w *Writer) InsertSet(mark, n int) { w.insert(mark, func(h *Writer) { h.Set(n) }) }

// InsertBulk is InsertArray for a string of up to 64 bytes.
func (w *Writer) InsertBulk(mark int, b []byte) { w.insert(mark, func(h *Writer) { h.Bulk(b) }) }

func (w *Writer) insert(mark int, write func(*Writer)) {
	var scratch [72]byte
	h := Writer{Buf: scratch[:0], Proto: w.Proto}
	write(&h)
	w.Buf = append(w.Buf, h.Buf...)
	copy(w.Buf[mark+len(h.Buf):], w.Buf[mark:len(w.Buf)-len(h.Buf)])
	copy(w.Buf[mark:], h.Buf)
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
