package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// partBytes is how long a part of a large value gets, so that neither a reader nor
// whoever takes the records has to hold all of it.
const partBytes = 256 << 10

// unread is a value under way.
type unread struct {
	wireType    byte
	count, left int64 // elements, pairs or nodes
	stream      streamUnread
}

// entry reads a key and its value, or the first part of it.
func (r *Reader) entry(rec Record, wireType byte, at int64) (Record, error) {
	if !knownWireType(wireType) {
		return rec, errNoType(wireType, at)
	}
	var err error
	if r.key, err = r.str(recycled(r.key), "a key"); err != nil {
		return rec, err
	}
	rec.Kind, rec.Key = KindEntry, r.key
	rec.Value, err = r.body(wireType, r.key, at)
	return rec, err
}

func errNoType(wireType byte, at int64) error {
	return &FormatError{Pos: at, What: fmt.Sprintf("%d is not the type of any value", wireType)}
}

// body reads a value of a known type, or the first part of it.
func (r *Reader) body(wireType byte, key []byte, at int64) (Value, error) {
	switch wireType {
	case wireString:
		var err error
		r.value, err = r.str(recycled(r.value), "a string value")
		return Value{Type: TypeString, Data: r.value, Count: 1}, err
	case wireModule, wireModulePreGA:
		return Value{}, r.refuseModule("a value of module type %s", key, at)
	case wireStream1, wireStream2, wireStream3:
		return r.stream(wireType)
	case wireHashZipmap, wireListZiplist, wireIntset, wireZSetZiplist, wireHashZiplist, wireHashPacked, wireZSetPacked, wireSetPacked:
		return r.packed(wireType)
	}
	n, err := r.count("a number of elements")
	if err != nil {
		return Value{}, err
	}
	r.unread = unread{wireType: wireType, count: n, left: n}
	return r.part()
}

// part reads on in the value under way until it ends or the part is full.
func (r *Reader) part() (Value, error) {
	u := &r.unread
	if wireTypes[u.wireType].is == TypeStream {
		return r.streamPart()
	}
	v := Value{Type: wireTypes[u.wireType].is, Form: FormElements, Count: u.count}
	if u.wireType == wireQuicklist || u.wireType == wireQuicklist2 {
		v.Form = FormNodes
	}
	for r.value = recycled(r.value); u.left > 0 && len(r.value) < r.partBytes; u.left-- {
		if err := r.element(u.wireType); err != nil {
			u.left = 0
			return v, err
		}
	}
	v.Data, v.More = r.value, u.left > 0
	return v, nil
}

// element appends an element, pair or node to the value.
func (r *Reader) element(wireType byte) error {
	switch wireType {
	case wireHash:
		if err := r.plain("a field of a hash"); err != nil {
			return err
		}
		return r.plain("a value of a hash")
	case wireZSet, wireZSetText:
		if err := r.plain("a member of a sorted set"); err != nil {
			return err
		}
		return r.score(wireType == wireZSetText)
	case wireQuicklist, wireQuicklist2:
		return r.node(wireType)
	case wireSet:
		return r.plain("a member of a set")
	}
	return r.plain("an element of a list")
}

func (r *Reader) plain(what string) (err error) {
	if r.blob, err = r.str(recycled(r.blob), what); err == nil {
		r.value = appendElement(r.value, r.blob)
	}
	return err
}

// score appends a score. The text of old files has its length in front; three
// lengths that no text has stand for what text is bad at.
func (r *Reader) score(asText bool) error {
	at := r.src.pos()
	var f float64
	if asText {
		p, err := r.src.take(1, "a score")
		if err != nil {
			return err
		}
		switch p[0] {
		case 255:
			f = math.Inf(-1)
		case 254:
			f = math.Inf(1)
		case 253:
			f = math.NaN()
		default:
			if p, err = r.src.take(int(p[0]), "a score"); err != nil {
				return err
			}
			if f, err = parseScore(p); err != nil {
				return &FormatError{Pos: at, What: fmt.Sprintf("%.40q is not a score", p)}
			}
		}
	} else {
		p, err := r.src.take(8, "a score")
		if err != nil {
			return err
		}
		f = math.Float64frombits(binary.LittleEndian.Uint64(p))
	}
	if math.IsNaN(f) {
		return &FormatError{Pos: at, What: "a score is not a number"}
	}
	r.value = binary.LittleEndian.AppendUint64(r.value, math.Float64bits(f))
	return nil
}

// parseScore reads a score as strtod does: a number that is too large is infinite.
func parseScore(p []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(p), 64)
	if math.IsInf(f, 0) {
		return f, nil
	}
	if err == nil && bytes.IndexByte(p, '_') >= 0 { // which only Go takes for a part of a number
		err = strconv.ErrSyntax
	}
	return f, err
}

// refuseModule reads the module's ID to be able to say its name: nine
// characters of six bits each, then ten bits of version.
func (r *Reader) refuseModule(what string, key []byte, at int64) error {
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
	return &UnsupportedTypeError{Key: bytes.Clone(key), What: fmt.Sprintf(what, name[:]), Pos: at}
}
