package rdb

import (
	"encoding/binary"
	"iter"
	"math"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// Type is the type of a value as users know it, whatever its spelling was.
type Type uint8

// The types of values.
const (
	TypeString Type = iota
	TypeList
	TypeSet
	TypeSortedSet
	TypeHash
	TypeStream
)

// String gives the word that the TYPE command would answer.
func (t Type) String() string {
	return [...]string{"string", "list", "set", "zset", "hash", "stream"}[t]
}

// Form is how the bytes of a Value are to be understood. The many spellings that a
// file may have come down to these.
type Form uint8

const (
	// FormString is the bytes of a string.
	FormString Form = iota
	// FormElements is one element after the other, each behind its length: the
	// elements of a list or set, the fields and values of a hash in turn, or the
	// members of a sorted set, each with 8 bytes of score. See the iterators.
	// Members and fields may occur twice: whoever keeps them finds out.
	FormElements
	// FormListpack is one listpack. It has been checked: it is whole, has the
	// elements of its type in pairs where they belong in pairs, none of the members
	// or fields twice, and the members of a sorted set in order.
	FormListpack
	// FormIntset is one intset, which has been checked: whole, in order, none twice.
	FormIntset
	// FormNodes is the nodes of a list in order, each behind its kind and length:
	// checked listpacks, or single elements as they are. See Nodes.
	FormNodes
	// FormStream is what stream.go says.
	FormStream
)

// Value is the value of an entry, or a part of it.
type Value struct {
	Type Type
	Form Form
	// Count is how many elements, pairs or nodes the whole value has. For a value in
	// parts it is merely what the file claims.
	Count int64
	// Data is valid until the next call of Next.
	Data []byte
	// More says that this is not all: the next record is a KindMore, which goes on.
	More bool
}

// Empty tells whether the value is a collection without elements. Servers have
// written such, by mistake, and skip them when they load.
func (v *Value) Empty() bool {
	switch v.Form {
	case FormString, FormStream:
		return false
	}
	return v.Count == 0 || len(v.Data) == 0
}

// Elements gives the elements of a list or set, or the fields and values of a hash
// in turn, in any form but a sorted set's. Each is valid until the next one.
func (v *Value) Elements() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		switch v.Form {
		case FormListpack:
			eachPacked(v.Data, yield)
		case FormIntset:
			eachInt(v.Data, yield)
		case FormNodes:
			for node, packed := range v.Nodes() {
				if packed && !eachPacked(node, yield) || !packed && !yield(node) {
					return
				}
			}
		case FormElements:
			for rest := v.Data; len(rest) > 0; {
				var p []byte
				if p, rest = cutElement(rest); !yield(p) {
					return
				}
			}
		}
	}
}

// Pairs gives the fields of a hash with their values. Both are valid until the next
// pair.
func (v *Value) Pairs() iter.Seq2[[]byte, []byte] {
	return func(yield func(field, value []byte) bool) {
		if v.Form == FormElements {
			for rest := v.Data; len(rest) > 0; {
				var field, value []byte
				field, rest = cutElement(rest)
				value, rest = cutElement(rest)
				if !yield(field, value) {
					return
				}
			}
			return
		}
		var scratch, scratch2 [maxIntLen]byte
		for at := listpack.First(v.Data); at != 0; {
			next := listpack.Next(v.Data, at)
			if !yield(listpack.Get(v.Data, at, scratch[:0]), listpack.Get(v.Data, next, scratch2[:0])) {
				return
			}
			at = listpack.Next(v.Data, next)
		}
	}
}

// Scored gives the members of a sorted set with their scores. A member is valid
// until the next one.
func (v *Value) Scored() iter.Seq2[[]byte, float64] {
	return func(yield func(member []byte, score float64) bool) {
		if v.Form == FormElements {
			for rest := v.Data; len(rest) > 0; {
				var member []byte
				member, rest = cutElement(rest)
				if !yield(member, math.Float64frombits(binary.LittleEndian.Uint64(rest))) {
					return
				}
				rest = rest[8:]
			}
			return
		}
		var scratch [maxIntLen]byte
		for at := listpack.First(v.Data); at != 0; {
			next := listpack.Next(v.Data, at)
			score, _ := packedScore(v.Data, next) // was checked
			if !yield(listpack.Get(v.Data, at, scratch[:0]), score) {
				return
			}
			at = listpack.Next(v.Data, next)
		}
	}
}

// Nodes gives the nodes of a value of FormNodes: listpacks, or single elements.
func (v *Value) Nodes() iter.Seq2[[]byte, bool] {
	return func(yield func(node []byte, packed bool) bool) {
		for rest := v.Data; len(rest) > 0; {
			head, size := binary.Uvarint(rest)
			end := size + int(head>>1)
			if !yield(rest[size:end:end], head&1 != 0) {
				return
			}
			rest = rest[end:]
		}
	}
}

// appendElement is the other side of cutElement.
func appendElement(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}

func cutElement(p []byte) (element, rest []byte) {
	n, size := binary.Uvarint(p)
	end := size + int(n)
	return p[size:end:end], p[end:]
}

// appendNode is the other side of Nodes.
func appendNode(dst, p []byte, packed bool) []byte {
	head := uint64(len(p)) << 1
	if packed {
		head |= 1
	}
	return append(binary.AppendUvarint(dst, head), p...)
}

func eachPacked(lp []byte, yield func([]byte) bool) bool {
	var scratch [maxIntLen]byte
	for at := listpack.First(lp); at != 0; at = listpack.Next(lp, at) {
		if !yield(listpack.Get(lp, at, scratch[:0])) {
			return false
		}
	}
	return true
}

const maxIntLen = len("-9223372036854775808")

func eachInt(set []byte, yield func([]byte) bool) bool {
	var scratch [maxIntLen]byte
	for i := range intset.Len(set) {
		if !yield(strconv.AppendInt(scratch[:0], intset.Get(set, i), 10)) {
			return false
		}
	}
	return true
}
