package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Kind says what a Record is.
type Kind uint8

// Kinds of records, in the order in which a file usually has them.
const (
	KindAux      Kind = iota + 1 // Key and Value.String: a note about the file
	KindSelectDB                 // DB: the entries that follow belong to it
	KindResizeDB                 // Keys, Volatile: how many entries to expect; a hint
	KindEntry                    // DB, Key, Value, ExpireAt, IdleSeconds, Frequency
	KindFunction                 // Value.String: the source of a function library
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
	key     []byte // buffers that are used again for every record
	value   []byte
	lzf     []byte
	err     error // sticky; io.EOF after KindEnd
}

// NewReader reads from r. It reads ahead, so what follows the data in r is lost
// to others.
func NewReader(r io.Reader) *Reader {
	return newReader(r, bufferSize)
}

// newReader: size is of the buffer, 16 bytes or more.
func newReader(r io.Reader, size int) *Reader {
	return &Reader{src: source{r: r, buf: make([]byte, size)}}
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
			err = r.refuseModule(nil, at)
		case opFunctionOld:
			err = &UnsupportedTypeError{Type: "function library of a Redis 7.0 release candidate", Pos: at}
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
		if r.key, err = r.str(r.key[:0], "a note"); err != nil {
			return rec, err
		}
		r.value, err = r.str(r.value[:0], "a note")
		rec.Key, rec.Value = r.key, Value{String: r.value}
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
		r.value, err = r.str(r.value[:0], "a function library")
		rec.Value = Value{String: r.value}
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

// entry reads a key and its value.
func (r *Reader) entry(rec Record, wireType byte, at int64) (Record, error) {
	if int(wireType) >= len(wireTypeNames) || wireTypeNames[wireType] == "" {
		return rec, &FormatError{Pos: at, What: fmt.Sprintf("%d is not the type of any value", wireType)}
	}
	var err error
	if r.key, err = r.str(r.key[:0], "a key"); err != nil {
		return rec, err
	}
	rec.Kind, rec.Key = KindEntry, r.key
	rec.Value, err = r.body(wireType, r.key, at)
	return rec, err
}

// body reads a value of the given type.
func (r *Reader) body(wireType byte, key []byte, at int64) (Value, error) {
	switch wireType {
	case wireString:
		var err error
		r.value, err = r.str(r.value[:0], "a string value")
		return Value{Type: TypeString, String: r.value}, err
	case wireModule, wireModulePreGA:
		return Value{}, r.refuseModule(key, at)
	}
	return Value{}, unsupported(wireType, key, at)
}

// unsupported names what can not be taken. wireType must be a known one.
func unsupported(wireType byte, key []byte, at int64) error {
	return &UnsupportedTypeError{Key: bytes.Clone(key), Type: wireTypeNames[wireType], Pos: at}
}

// refuseModule reads the module's ID to be able to say its name: nine
// characters of six bits each, then ten bits of version.
func (r *Reader) refuseModule(key []byte, at int64) error {
	id, special, err := r.length("a module's name")
	if err != nil {
		return err
	}
	if special {
		return &FormatError{Pos: at, What: "a module's name is missing"}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var name [9]byte
	for i := range name {
		name[i] = alphabet[id>>(10+6*(8-i))&63]
	}
	return &UnsupportedTypeError{Key: bytes.Clone(key), Type: "value of module type " + string(name[:]), Pos: at}
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

// length reads a length, or the kind of a special string.
func (r *Reader) length(what string) (n uint64, special bool, err error) {
	at := r.src.pos()
	p, err := r.src.take(1, what)
	if err != nil {
		return 0, false, err
	}
	switch first := p[0]; first & 0xC0 {
	case len6:
		return uint64(first & 63), false, nil
	case len14:
		p, err = r.src.take(1, what)
		if err != nil {
			return 0, false, err
		}
		return uint64(first&63)<<8 | uint64(p[0]), false, nil
	case lenSpec:
		return uint64(first & 63), true, nil
	default:
		return r.longLength(first, what, at)
	}
}

func (r *Reader) longLength(first byte, what string, at int64) (uint64, bool, error) {
	switch first {
	case len32:
		p, err := r.src.take(4, what)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(p)), false, nil
	case len64:
		p, err := r.src.take(8, what)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(p), false, nil
	}
	return 0, false, &FormatError{Pos: at, What: fmt.Sprintf("%#02x does not begin a length (of %s)", first, what)}
}

// count reads a length that must be a plain number.
func (r *Reader) count(what string) (int64, error) {
	at := r.src.pos()
	n, special, err := r.length(what)
	if err != nil {
		return 0, err
	}
	if special || n > math.MaxInt64 {
		return 0, &FormatError{Pos: at, What: what + " is not a number"}
	}
	return int64(n), nil
}

// str appends a string to dst.
func (r *Reader) str(dst []byte, what string) ([]byte, error) {
	if cap(dst) > 1<<20 {
		dst = nil // one huge value shall not be paid for until the end
	}
	at := r.src.pos()
	n, special, err := r.length(what)
	if err != nil {
		return dst, err
	}
	if !special {
		return r.bytes(dst, n, what, at)
	}
	switch n {
	case specInt8, specInt16, specInt32:
		return r.integer(dst, n, what)
	case specLZF:
		return r.compressed(dst, what, at)
	}
	return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s has the unknown encoding %d", what, n)}
}

func (r *Reader) integer(dst []byte, kind uint64, what string) ([]byte, error) {
	p, err := r.src.take(1<<kind, what)
	if err != nil {
		return dst, err
	}
	var v int64
	switch kind {
	case specInt8:
		v = int64(int8(p[0]))
	case specInt16:
		v = int64(int16(binary.LittleEndian.Uint16(p)))
	case specInt32:
		v = int64(int32(binary.LittleEndian.Uint32(p)))
	}
	return strconv.AppendInt(dst, v, 10), nil
}

// bytes appends n bytes to dst. The buffer grows with what arrives, not with
// what is claimed.
func (r *Reader) bytes(dst []byte, n uint64, what string, at int64) ([]byte, error) {
	if n > MaxString {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s of %d bytes is longer than %d", what, n, MaxString)}
	}
	for left := int(n); left > 0; {
		p, err := r.src.takeSome(left, what)
		if err != nil {
			return dst, err
		}
		dst = append(dst, p...)
		left -= len(p)
	}
	return dst, nil
}

func (r *Reader) compressed(dst []byte, what string, at int64) ([]byte, error) {
	packed, err := r.count(what)
	if err != nil {
		return dst, err
	}
	size, err := r.count(what)
	if err != nil {
		return dst, err
	}
	if size > MaxString || size/lzfMaxRatio > packed {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("%s: %d compressed bytes can not stand for %d", what, packed, size)}
	}
	if cap(r.lzf) > 1<<20 {
		r.lzf = nil
	}
	if r.lzf, err = r.bytes(r.lzf[:0], uint64(packed), what, at); err != nil {
		return dst, err
	}
	dst, ok := appendLZF(dst, r.lzf, int(size))
	if !ok {
		return dst, &FormatError{Pos: at, What: fmt.Sprintf("the compressed bytes of %s are damaged", what)}
	}
	return dst, nil
}

// Handler takes the records of a whole file. An error ends the reading and is
// returned by Read unchanged.
type Handler interface {
	Aux(key, value []byte) error
	SelectDB(db int) error
	Resize(keys, volatile int64) error
	Entry(rec *Record) error // rec and its bytes are valid until it returns
}

// FunctionHandler may be implemented by a Handler to take function libraries;
// otherwise they are refused.
type FunctionHandler interface {
	Function(source []byte) error
}

// Read gives all records of one file to h. It returns nil only when the data was
// complete and its checksum right; the errors are those of Next.
func Read(r io.Reader, h Handler) error {
	reader := NewReader(r)
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = handle(h, &rec)
		}
		if err != nil {
			return err
		}
	}
}

func handle(h Handler, rec *Record) error {
	switch rec.Kind {
	case KindAux:
		return h.Aux(rec.Key, rec.Value.String)
	case KindSelectDB:
		return h.SelectDB(rec.DB)
	case KindResizeDB:
		return h.Resize(rec.Keys, rec.Volatile)
	case KindEntry:
		return h.Entry(rec)
	case KindFunction:
		if f, ok := h.(FunctionHandler); ok {
			return f.Function(rec.Value.String)
		}
		return &UnsupportedTypeError{Type: "function library", Pos: rec.Pos}
	}
	return nil
}
