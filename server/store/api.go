package store

import "errors"

// ErrCutActive is returned by Keyspace.Cut while another cut is neither done
// nor aborted.
var ErrCutActive = errors.New("store: a cut is already active")

// ErrValueTooLong is returned by Append, SetRange and GrowString for a value
// that would exceed MaxLen.
var ErrValueTooLong = errors.New("store: value would exceed 512 MiB")

// ErrWrongType is returned by an operation that meets a value of another type.
var ErrWrongType = errors.New("store: value is of another type")

// MaxLen is the largest length of a key or of a string value, in bytes
// (Redis' proto-max-bulk-len default). Longer ones are a caller's bug.
const MaxLen = 512 << 20

// Type is the type of a value as TYPE tells it.
type Type uint8

// The types. Their numbers are part of the layout of an entry.
const (
	TypeString Type = iota + 1
	TypeList
	TypeSet
	TypeSortedSet
	TypeHash
	TypeStream
)

// String gives the name that TYPE replies.
func (t Type) String() string {
	switch t {
	case TypeString:
		return "string"
	case TypeList:
		return "list"
	case TypeSet:
		return "set"
	case TypeSortedSet:
		return "zset"
	case TypeHash:
		return "hash"
	case TypeStream:
		return "stream"
	}
	return "none"
}

// Options of a new Keyspace.
type Options struct {
	// Databases is the number of databases, 1 or more; 0 means 16.
	Databases int
	// Seed, when not 0, makes the hash function (and with it the order of SCAN
	// and RandomEntry) the same in every process. It is for tests and
	// simulations: a server that takes keys from strangers leaves it 0 and
	// gets a hash with a secret of its own, which nobody can flood with
	// colliding keys.
	Seed uint64
}

// Hash is the hash of a key within one Keyspace, for the ...Hashed variants.
type Hash uint64

// Encoding is how a value is held, under the names of OBJECT ENCODING.
type Encoding uint8

// The encodings. Those up to EncodingIntset hold the whole value within the
// entry; from EncodingQuicklist on, the entry refers to an Object.
const (
	EncodingInt       Encoding = iota + 1 // a string: a 64 bit integer
	EncodingEmbstr                        // a string: written in one go, at most 44 bytes
	EncodingRaw                           // a string: longer, or modified in place
	EncodingListpack                      // any collection but a stream: packed (package listpack)
	EncodingIntset                        // a set of integers: packed
	EncodingQuicklist                     // a list: an Object
	EncodingHashtable                     // a hash or a set: an Object
	EncodingSkiplist                      // a sorted set: an Object
	EncodingStream                        // a stream: an Object
)

// String gives the name that OBJECT ENCODING replies.
func (e Encoding) String() string {
	switch e {
	case EncodingInt:
		return "int"
	case EncodingEmbstr:
		return "embstr"
	case EncodingRaw:
		return "raw"
	case EncodingListpack:
		return "listpack"
	case EncodingIntset:
		return "intset"
	case EncodingQuicklist:
		return "quicklist"
	case EncodingHashtable:
		return "hashtable"
	case EncodingSkiplist:
		return "skiplist"
	case EncodingStream:
		return "stream"
	}
	return "unknown"
}

// embstrMax is the longest string that Redis calls embstr; clients' tests look
// at the name, so the boundary is kept although nothing here depends on it.
const embstrMax = 44
