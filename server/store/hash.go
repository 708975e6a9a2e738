package store

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// A hasher maps keys to 64 bits, all of which are used: the low ones choose the
// bucket, the high ones are the tag within it.
type hasher struct {
	secret maphash.Seed
	seed   uint64 // not 0: the reproducible function
}

func newHasher(seed uint64) hasher {
	return hasher{secret: maphash.MakeSeed(), seed: seed}
}

func (h *hasher) sum(key []byte) uint64 {
	if h.seed != 0 {
		return reproducibleHash(h.seed, key)
	}
	return maphash.Bytes(h.secret, key)
}

// reproducibleHash spreads well but resists nobody who wants collisions.
func reproducibleHash(seed uint64, key []byte) uint64 {
	x := mix(seed + uint64(len(key)))
	for ; len(key) >= 8; key = key[8:] {
		x = mix(x ^ binary.LittleEndian.Uint64(key))
	}
	var tail [8]byte
	copy(tail[:], key)
	return mix(x ^ binary.LittleEndian.Uint64(tail[:]))
}

// golden is the fraction of the golden ratio: adding it again and again spreads
// evenly over all 64 bit numbers.
const golden = 0x9e3779b97f4a7c15

// mix changes about half of the bits of its result for each bit of x.
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^golden, 0x243f6a8885a308d3) // the fraction of pi
	x = hi ^ lo
	x ^= x >> 32
	x *= golden
	return x ^ x>>29
}
