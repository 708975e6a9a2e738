package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// Values that are one string in a file: small collections in a packed form, which
// is either the one in which they can be held, or an older one to convert.

// packed reads a value that is a single blob.
func (r *Reader) packed(wireType byte) (Value, error) {
	at := r.src.pos()
	v := Value{Type: wireTypes[wireType].is, Form: FormListpack}
	var err error
	switch wireType {
	case wireIntset:
		if r.value, err = r.str(recycled(r.value), "a set of integers"); err == nil {
			v.Form = FormIntset
			if err = intset.Valid(r.value); err == nil {
				v.Count = int64(intset.Len(r.value))
			}
		}
	case wireHashPacked, wireZSetPacked, wireSetPacked:
		if r.value, err = r.str(recycled(r.value), "a listpack"); err == nil {
			err = listpack.Valid(r.value, true)
		}
	case wireHashZipmap:
		if r.blob, err = r.str(recycled(r.blob), "a zipmap"); err == nil {
			r.value, err = appendZipmap(recycled(r.value), r.blob)
		}
	default:
		if r.blob, err = r.str(recycled(r.blob), "a ziplist"); err == nil {
			r.value, err = appendZiplist(recycled(r.value), r.blob)
		}
	}
	if err == nil && v.Form == FormListpack {
		err = r.checkPacked(&v)
	}
	v.Data = r.value
	return v, inBlob(err, wireTypes[wireType].name, at)
}

// inBlob says where in the data the blob begins that an error is about.
func inBlob(err error, name string, at int64) error {
	switch err.(type) {
	case nil, *FormatError, *UnsupportedTypeError:
		return err
	}
	return &FormatError{Pos: at, What: fmt.Sprintf("a packed %s is damaged: %v", name, err)}
}

// node appends a node of a list. Empty ones, which servers have written by mistake,
// are left out.
func (r *Reader) node(wireType byte) (err error) {
	at := r.src.pos()
	if wireType == wireQuicklist {
		if r.blob, err = r.str(recycled(r.blob), "a node of a list"); err != nil {
			return err
		}
		if r.pack, err = appendZiplist(recycled(r.pack), r.blob); err == nil && listpack.Len(r.pack) > 0 {
			r.value = appendNode(r.value, r.pack, true)
		}
		return inBlob(err, "list", at)
	}
	kind, err := r.count("a kind of node")
	if err != nil {
		return err
	}
	if kind != plainNode && kind != packedNode {
		return &FormatError{Pos: at, What: fmt.Sprintf("%d is not the kind of a node of a list", kind)}
	}
	if r.blob, err = r.str(recycled(r.blob), "a node of a list"); err != nil {
		return err
	}
	if kind == plainNode {
		r.value = appendNode(r.value, r.blob, false)
		return nil
	}
	if err = listpack.Valid(r.blob, true); err == nil && listpack.Len(r.blob) > 0 {
		r.value = appendNode(r.value, r.blob, true)
	}
	return inBlob(err, "list", at)
}

// checkPacked finds out what a listpack that is whole in itself has to be as a value
// of its type, and counts its elements.
func (r *Reader) checkPacked(v *Value) error {
	n, step := listpack.Len(r.value), 1
	if v.Type == TypeHash || v.Type == TypeSortedSet {
		if n%2 != 0 {
			return fmt.Errorf("%d elements do not make pairs", n)
		}
		step = 2
	}
	v.Count = int64(n / step)
	if v.Type == TypeList {
		r.pack = append(recycled(r.pack), r.value...)
		r.value = recycled(r.value)
		if n > 0 {
			r.value = appendNode(r.value, r.pack, true)
		}
		v.Form, v.Count = FormNodes, 1
		return nil
	}
	if twice := r.seen.find(r.value, n/step, step); twice != nil {
		return fmt.Errorf("%.40q occurs twice", twice)
	}
	if v.Type == TypeSortedSet {
		return r.checkScores(v)
	}
	return nil
}

// checkScores reads all scores. Members that are not in the order of their scores
// are given one by one, to be put into order.
func (r *Reader) checkScores(v *Value) error {
	ordered, last := true, math.Inf(-1)
	var lastMember []byte
	var scratch, member [maxIntLen]byte
	for at := listpack.First(r.value); at != 0; {
		next := listpack.Next(r.value, at)
		score, err := packedScore(r.value, next)
		if err != nil {
			return err
		}
		p := listpack.Get(r.value, at, scratch[:0])
		if score < last || score == last && lastMember != nil && bytes.Compare(p, lastMember) < 0 {
			ordered = false
		}
		if len(p) <= len(member) {
			p = member[:copy(member[:], p)] // it may be in scratch
		}
		last, lastMember = score, p
		at = listpack.Next(r.value, next)
	}
	if ordered {
		return nil
	}
	r.blob = recycled(r.blob)
	for p, score := range (&Value{Form: FormListpack, Data: r.value}).Scored() {
		r.blob = binary.LittleEndian.AppendUint64(appendElement(r.blob, p), math.Float64bits(score))
	}
	r.value, r.blob = r.blob, r.value
	v.Form = FormElements
	return nil
}

// packedScore is the score at a place of a listpack.
func packedScore(lp []byte, at int) (float64, error) {
	if n, ok := listpack.Int(lp, at); ok {
		return float64(n), nil
	}
	p := listpack.Get(lp, at, nil)
	f, err := parseScore(p)
	if err != nil || math.IsNaN(f) {
		return 0, fmt.Errorf("%.40q is not a score", p)
	}
	return f, nil
}

// seen finds elements of a listpack that occur twice: a hash table of places.
type seen struct {
	seed  maphash.Seed
	slots []uint32
}

// find looks at n elements, every step-th one, and returns one that occurs twice,
// or nil.
func (s *seen) find(lp []byte, n, step int) []byte {
	if s.slots == nil {
		s.seed = maphash.MakeSeed()
	}
	size := 16
	for size < 2*n {
		size *= 2
	}
	if size > cap(s.slots) {
		s.slots = make([]uint32, size)
	}
	slots := s.slots[:size]
	clear(slots)
	var scratch, scratch2 [maxIntLen]byte
	for at := listpack.First(lp); at != 0; {
		p := listpack.Get(lp, at, scratch[:0])
		i := maphash.Bytes(s.seed, p) & uint64(size-1)
		for ; slots[i] != 0; i = (i + 1) & uint64(size-1) {
			if bytes.Equal(p, listpack.Get(lp, int(slots[i]), scratch2[:0])) {
				return bytes.Clone(p)
			}
		}
		slots[i] = uint32(at)
		for range step {
			if at != 0 {
				at = listpack.Next(lp, at)
			}
		}
	}
	if cap(s.slots) > 1<<18 {
		s.slots = s.slots[:0:16]
	}
	return nil
}
