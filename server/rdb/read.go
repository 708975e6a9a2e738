package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Kind says what a Record is.
type Kind uint8

// Kinds of records, in the order in which a file usually has them.
const (
	KindAux      Kind = iota + 1 // Key and Value.Data: a note about the file
	KindSelectDB                 // DB: the entries that follow belong to it
	KindResizeDB                 // Keys, Volatile: how many entries to expect; a hint
	KindEntry                    // DB, Key, Value, ExpireAt, IdleSeconds, Frequency
	KindMore                     // DB, Key, Value: the next part of the value of the last entry
	KindFunction                 // Value.Data: the source of a function library
	KindEnd                      // the data is complete and its checksum is right
)

// Record is one item of a file.
type Record struct {
	Kind Kind
	Pos  int64 // byte position of its first byte, from 0
	DB   int   // 0 or more; whether it exists is for the caller to say

	// Key and Value are valid until the next call of Next.
	Key   []byte
	Value Value

	// ExpireAt is in milliseconds since 1970; 0 when the entry does not expire.
	// A time at or before 1970 is given as 1: long past either way.
	ExpireAt    int64
	IdleSeconds int64 // since the entry was used; -1 when not recorded
	Frequency   int   // the LFU counter, 0 to 255; -1 when not recorded

	Keys, Volatile int64 // of KindResizeDB
}

// Reader takes one file, or one snapshot from a socket, apart.
type Reader struct {
	src     source
	version int
	db      int
	err     error // sticky; io.EOF after KindEnd

	// A value under way: its elements that have yet to be read. A part ends when it
	// has partBytes bytes.
	unread    unread
	partBytes int

	// Buffers that are used again for every record.
	key, value, blob, pack, lzf []byte
	seen                        seen
}

// NewReader reads from r. It reads ahead, so what follows the data in r is lost
// to others.
func NewReader(r io.Reader) *Reader {
	return newReader(r, bufferSize)
}

// newReader: size is of the buffer, 16 bytes or more.
func newReader(r io.Reader, size int) *Reader {
	return &Reader{src: source{r: r, buf: make([]byte, size)}, partBytes: partBytes}
}

// Version is the version that the header states; 0 before the first call of
// Next.
func (r *Reader) Version() int { return r.version }

// Consumed is the number of bytes that have been taken apart so far.
func (r *Reader) Consumed() int64 { return r.src.pos() }

// Next returns the next record. After KindEnd it returns io.EOF.
//
// Errors are *FormatError (which tells the byte position, and unwraps to
// io.ErrUnexpectedEOF when the data ends too early), *VersionError,
// *UnsupportedTypeError, ErrChecksum, or what reading returned. After an error
// it returns the same one again.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	if r.version == 0 {
		if r.err = r.header(); r.err != nil {
			return Record{}, r.err
		}
	}
	rec, err := r.next()
	r.err = err
	if err == nil && rec.Kind == KindEnd {
		r.err = io.EOF
	}
	return rec, err
}

// header accepts "REDIS" and four digits.
func (r *Reader) header() error {
	const magic = "REDIS"
	p, err := r.src.take(len(magic)+4, "the header")
	if err != nil {
		return err
	}
	if string(p[:6]) == "VALKEY" {
		version, _ := strconv.Atoi(string(p[6:]))
		return &VersionError{Magic: "VALKEY", Version: version}
	}
	if string(p[:len(magic)]) != magic {
		return &FormatError{What: fmt.Sprintf("not an RDB file: it begins with %q instead of %q", p[:len(magic)], magic)}
	}
	version := 0
	for _, c := range p[len(magic):] {
		if c < '0' || c > '9' {
			return &FormatError{Pos: int64(len(magic)), What: fmt.Sprintf("the version %q is not a number", p[len(magic):])}
		}
		version = version*10 + int(c-'0')
	}
	if version < 1 || version > MaxVersion {
		return &VersionError{Magic: magic, Version: version}
	}
	r.version = version
	return nil
}

// next collects the opcodes that belong to an entry until the entry comes.
func (r *Reader) next() (Record, error) {
	rec := Record{Pos: r.src.pos(), DB: r.db, IdleSeconds: -1, Frequency: -1}
	if r.unread.left > 0 {
		var err error
		rec.Kind, rec.Key = KindMore, r.key
		rec.Value, err = r.part()
		return rec, err
	}
	for {
		at := r.src.pos()
		p, err := r.src.take(1, "an entry")
		if err != nil {
			return rec, err
		}
		switch op := p[0]; op {
		case opExpireMillis, opExpireSecs:
			err = r.expire(&rec, op)
		case opIdle:
			rec.IdleSeconds, err = r.count("an idle time")
		case opFreq:
			if p, err = r.src.take(1, "a use frequency"); err == nil {
				rec.Frequency = int(p[0])
			}
		case opSlotInfo:
			for range 3 {
				if _, err = r.count("slot information"); err != nil {
					break
				}
			}
		case opModuleAux:
			err = r.refuseModule("data of module type %s that belongs to no key", nil, at)
		case opFunctionOld:
			err = &UnsupportedTypeError{What: "a function library of a Redis 7.0 release candidate", Pos: at}
		case opAux, opResizeDB, opSelectDB, opFunction2, opEOF:
			return r.section(rec, op)
		default:
			return r.entry(rec, op, at)
		}
		if err != nil {
			return rec, err
		}
	}
}

// section reads the records that are not entries.
func (r *Reader) section(rec Record, op byte) (Record, error) {
	var err error
	switch op {
	case opAux:
		rec.Kind = KindAux
		if r.key, err = r.str(recycled(r.key), "a note"); err != nil {
			return rec, err
		}
		r.value, err = r.str(recycled(r.value), "a note")
		rec.Key, rec.Value = r.key, Value{Data: r.value}
	case opResizeDB:
		rec.Kind = KindResizeDB
		if rec.Keys, err = r.count("a number of keys"); err != nil {
			return rec, err
		}
		rec.Volatile, err = r.count("a number of keys")
	case opSelectDB:
		rec.Kind = KindSelectDB
		at := r.src.pos()
		var db int64
		if db, err = r.count("a database index"); err == nil && db > math.MaxInt32 {
			err = &FormatError{Pos: at, What: fmt.Sprintf("database index %d is out of range", db)}
		}
		r.db = int(db)
		rec.DB = r.db
	case opFunction2:
		rec.Kind = KindFunction
		r.value, err = r.str(recycled(r.value), "a function library")
		rec.Value = Value{Data: r.value}
	case opEOF:
		rec.Kind = KindEnd
		err = r.trailer()
	}
	return rec, err
}

func (r *Reader) expire(rec *Record, op byte) error {
	size := 8
	if op == opExpireSecs {
		size = 4
	}
	p, err := r.src.take(size, "a time to live")
	if err != nil {
		return err
	}
	if op == opExpireSecs {
		rec.ExpireAt = int64(int32(binary.LittleEndian.Uint32(p))) * 1000
	} else {
		rec.ExpireAt = int64(binary.LittleEndian.Uint64(p))
	}
	rec.ExpireAt = max(rec.ExpireAt, 1)
	return nil
}

// trailer compares the checksum. A sum of 0 means that the writer did not make
// one.
func (r *Reader) trailer() error {
	if r.version < 5 {
		return nil
	}
	got := r.src.checksum()
	p, err := r.src.take(8, "the checksum")
	if err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint64(p); want != 0 && want != got {
		return fmt.Errorf("rdb: byte %d: %w", r.src.pos()-8, ErrChecksum)
	}
	return nil
}
