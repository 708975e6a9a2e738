package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// AppendHeader appends the beginning of a file.
func AppendHeader(dst []byte) []byte {
	return fmt.Appendf(dst, "REDIS%04d", WriteVersion)
}

// AppendAux appends a note about the file, such as "repl-id" or "redis-ver".
func AppendAux(dst []byte, key, value string) []byte {
	dst = append(dst, opAux)
	dst = appendString(dst, []byte(key))
	return appendString(dst, []byte(value))
}

// AppendSelectDB appends the beginning of the entries of one database. keys and
// volatile (those that expire) let the reader size its tables; they may be
// estimates.
func AppendSelectDB(dst []byte, db, keys, volatile int) []byte {
	dst = append(dst, opSelectDB)
	dst = appendLength(dst, uint64(db))
	dst = append(dst, opResizeDB)
	dst = appendLength(dst, uint64(keys))
	return appendLength(dst, uint64(volatile))
}

// AppendStringEntry appends a key with a string value. expireAt is in
// milliseconds since 1970; 0 when the key does not expire.
func AppendStringEntry(dst, key, value []byte, expireAt int64) []byte {
	if expireAt != 0 {
		dst = append(dst, opExpireMillis)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(expireAt))
	}
	dst = append(dst, wireString)
	dst = appendString(dst, key)
	return appendString(dst, value)
}

// AppendEOF appends the end of a file. sum is the Checksum over everything
// before it.
func AppendEOF(dst []byte, sum uint64) []byte {
	dst = append(dst, opEOF)
	return binary.LittleEndian.AppendUint64(dst, Checksum(sum, []byte{opEOF}))
}

func appendLength(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, len14|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, len64), n)
}

// appendString appends a string, as a number when it is one that fits in 32 bits
// and is spelled the only way.
func appendString(dst, s []byte) []byte {
	if v, ok := smallInt(s); ok {
		switch {
		case v == int64(int8(v)):
			return append(dst, lenSpec|specInt8, byte(v))
		case v == int64(int16(v)):
			return binary.LittleEndian.AppendUint16(append(dst, lenSpec|specInt16), uint16(v))
		default:
			return binary.LittleEndian.AppendUint32(append(dst, lenSpec|specInt32), uint32(v))
		}
	}
	dst = appendLength(dst, uint64(len(s)))
	return append(dst, s...)
}

// smallInt reports whether s is the canonical spelling of a 32 bit number.
func smallInt(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > len("-2147483648") || s[0] > '9' {
		return 0, false
	}
	v, err := strconv.ParseInt(string(s), 10, 32)
	if err != nil {
		return 0, false
	}
	var spelled [len("-2147483648")]byte
	return v, string(strconv.AppendInt(spelled[:0], v, 10)) == string(s)
}

// Writer puts a file together on an io.Writer and keeps its checksum. It belongs
// to one goroutine. It hands over what it has in pieces of about 64 KiB.
type Writer struct {
	w       io.Writer
	buf     []byte
	sum     uint64
	written int64
	err     error // sticky
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, buf: make([]byte, 0, bufferSize+bufferSize/4)}
}

// Aux is a note about a file.
type Aux struct{ Key, Value string }

// Header writes the beginning.
func (w *Writer) Header(notes ...Aux) error {
	w.buf = AppendHeader(w.buf)
	for _, n := range notes {
		w.buf = AppendAux(w.buf, n.Key, n.Value)
	}
	return w.flushIfFull()
}

// SelectDB begins a database; see AppendSelectDB.
func (w *Writer) SelectDB(db, keys, volatile int) error {
	w.buf = AppendSelectDB(w.buf, db, keys, volatile)
	return w.flushIfFull()
}

// StringEntry writes a key with a string value; see AppendStringEntry.
func (w *Writer) StringEntry(key, value []byte, expireAt int64) error {
	w.buf = AppendStringEntry(w.buf, key, value, expireAt)
	return w.flushIfFull()
}

// Raw writes what the append functions have made.
func (w *Writer) Raw(p []byte) error {
	if len(p) < bufferSize {
		w.buf = append(w.buf, p...)
		return w.flushIfFull()
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.out(p)
}

// Close writes the end and the checksum. It does not close the io.Writer.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.out(AppendEOF(nil, w.sum))
}

// Written is the number of bytes that the io.Writer has taken.
func (w *Writer) Written() int64 { return w.written }

func (w *Writer) flushIfFull() error {
	if len(w.buf) < bufferSize {
		return w.err
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.buf) == 0 {
		return w.err
	}
	err := w.out(w.buf)
	w.buf = w.buf[:0]
	if cap(w.buf) > 1<<20 {
		w.buf = make([]byte, 0, bufferSize+bufferSize/4)
	}
	return err
}

func (w *Writer) out(p []byte) error {
	if w.err != nil {
		return w.err
	}
	w.sum = Checksum(w.sum, p)
	n, err := w.w.Write(p)
	w.written += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write rdb at byte %d: %w", w.written, err)
	}
	return w.err
}
