package store

import (
	"encoding/binary"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

const (
	kindInt    = byte(TypeString)<<4 | byte(EncodingInt)
	kindEmbstr = byte(TypeString)<<4 | byte(EncodingEmbstr)
	kindRaw    = byte(TypeString)<<4 | byte(EncodingRaw)
)

// SetString sets key to val, whatever it was before. expireAt is the new expiry
// time in Unix milliseconds; 0 means that the key never expires. A val that is
// the canonical decimal form of a 64 bit integer is held as one. The access
// bits of an existing key are kept, those of a new one are 0.
//
// key and val may not be slices got from an Entry.
func (db *DB) SetString(key, val []byte, expireAt int64) Entry {
	if n, ok := listpack.ParseInt(val); ok {
		return db.SetInt(key, n, expireAt)
	}
	kind := kindRaw
	if len(val) <= embstrMax {
		kind = kindEmbstr
	}
	h, dst := db.space.write(key, kind, len(val), expireAt)
	copy(dst, val)
	return Entry{db.ks.arena, h}
}

// SetStringKeepTTL is SetString, but an existing key keeps its expiry time.
func (db *DB) SetStringKeepTTL(key, val []byte) Entry {
	return db.SetString(key, val, keepExpiry)
}

// SetRawKeepTTL is SetStringKeepTTL for bytes that are not text: they are never held
// as an integer, and called raw.
func (db *DB) SetRawKeepTTL(key, val []byte) Entry {
	h, dst := db.space.write(key, kindRaw, len(val), keepExpiry)
	copy(dst, val)
	return Entry{db.ks.arena, h}
}

// SetInt is SetString for an integer.
func (db *DB) SetInt(key []byte, n, expireAt int64) Entry {
	h, dst := db.space.write(key, kindInt, intSize, expireAt)
	binary.LittleEndian.PutUint64(dst, uint64(n))
	return Entry{db.ks.arena, h}
}

// SetIntKeepTTL is SetStringKeepTTL for an integer. It writes in place when the
// key already holds an integer.
func (db *DB) SetIntKeepTTL(key []byte, n int64) Entry {
	return db.SetInt(key, n, keepExpiry)
}

// Append appends suffix to the string at key, which is created when missing,
// and returns the new length. The error is ErrValueTooLong or ErrWrongType;
// nothing has changed then.
func (db *DB) Append(key, suffix []byte) (newLen int, err error) {
	b, err := db.space.growString(key, 0, len(suffix))
	if err != nil {
		return 0, err
	}
	copy(b[len(b)-len(suffix):], suffix)
	return len(b), nil
}

// SetRange overwrites the string at key from byte off on, after filling up with
// zero bytes to off, and returns the new length. The key is created when
// missing; but an empty val changes nothing. off must not be negative. The error
// is ErrValueTooLong or ErrWrongType; nothing has changed then.
func (db *DB) SetRange(key []byte, off int, val []byte) (newLen int, err error) {
	if len(val) == 0 {
		return db.stringLen(key)
	}
	b, err := db.GrowString(key, off+len(val))
	if err != nil {
		return 0, err
	}
	copy(b[off:], val)
	return len(b), nil
}

func (db *DB) stringLen(key []byte) (int, error) {
	e, ok := db.Find(key)
	switch {
	case !ok:
		return 0, nil
	case e.Type() != TypeString:
		return 0, ErrWrongType
	}
	return e.StringLen(), nil
}

// GrowString makes the string at key at least minLen bytes long, filling up
// with zero bytes, and returns its bytes for the caller to modify in place
// before the next call of anything in this package (SETBIT, BITFIELD). The key
// is created when missing. The error is ErrValueTooLong or ErrWrongType; nothing
// has changed then.
func (db *DB) GrowString(key []byte, minLen int) ([]byte, error) {
	return db.space.growString(key, minLen, 0)
}

// growString is GrowString to minLen bytes, or to more bytes than the string
// has, whichever is longer.
func (s *space) growString(key []byte, minLen, more int) ([]byte, error) {
	if max(minLen, more) > MaxLen || minLen < 0 {
		return nil, ErrValueTooLong
	}
	hash := s.ks.hash.sum(key)
	p, h := s.table.find(hash, key)
	if h == 0 {
		_, val := s.create(hash, key, kindRaw, max(minLen, more), 0)
		clear(val)
		return val, nil
	}
	b := s.ks.arena.block(h)
	if Type(b[atKind]>>4) != TypeString {
		return nil, ErrWrongType
	}
	if minLen = max(minLen, stringLen(b)+more); minLen > MaxLen {
		return nil, ErrValueTooLong
	}
	s.preserve(h, hash)
	if b[atKind] == kindInt {
		h = s.spellOut(p, h, minLen)
		b = s.ks.arena.block(h)
	}
	b[atKind] = kindRaw
	want := shapeOf(b)
	if length := want.val; minLen > length {
		want.val = minLen
		b = s.ks.arena.block(s.reshape(p, h, want, want.size()+slack(minLen)))
		clear(valueOf(b)[length:])
	}
	return valueOf(b), nil
}

// spellOut turns an integer into the string of its digits.
func (s *space) spellOut(p place, h handle, minLen int) handle {
	var scratch [maxIntLen]byte
	b := s.ks.arena.block(h)
	digits := stringOf(b, scratch[:])
	want := shapeOf(b)
	want.val = len(digits)
	h = s.reshape(p, h, want, want.size()+max(0, minLen-len(digits)))
	copy(valueOf(s.ks.arena.block(h)), digits)
	return h
}

// slack is how many bytes more than asked for a string gets that has outgrown
// its block: as many again, so that appending byte by byte costs constant time
// a byte. Above 64 MiB the copying is rare enough.
func slack(size int) int { return min(size, 64<<20) }
