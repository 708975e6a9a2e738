package command

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What goes word by word finds and combines the same bits as one at a time.
func TestBitsByTheWord(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		b := make([]byte, random.IntN(60))
		bit := byte(random.IntN(2))
		for i := range b {
			b[i] = -(1 - bit) // none of the bits that are looked for
		}
		for range random.IntN(3) {
			if len(b) > 0 {
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			}
		}
		from := random.Int64N(int64(len(b))*8 + 1)
		to := from + random.Int64N(int64(len(b))*8-from+1)
		want := int64(-1)
		for i := from; i < to; i++ {
			if b[i>>3]>>(7-i&7)&1 == bit {
				want = i
				break
			}
		}
		if got := findBit(b, from, to, bit); got != want {
			t.Fatalf("bit %d of %x in [%d, %d): %d; want %d", bit, b, from, to, got, want)
		}
	}
}

func TestStringsOfDifferentLengthsAreCombined(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	length := func() int {
		if random.IntN(4) == 0 {
			return random.IntN(50000) // more than one part
		}
		return random.IntN(40)
	}
	for range 300 {
		sources := make([][]byte, 1+random.IntN(4))
		n := 0
		for i := range sources {
			sources[i] = make([]byte, length())
			for j := range sources[i] {
				sources[i][j] = byte(random.Uint32())
			}
			n = max(n, len(sources[i]))
		}
		for op, combine := range []func(a, b byte) byte{
			bitAnd: func(a, b byte) byte { return a & b }, bitOr: func(a, b byte) byte { return a | b }, bitXor: func(a, b byte) byte { return a ^ b },
		} {
			want := make([]byte, n)
			copy(want, sources[0])
			for _, s := range sources[1:] {
				for i := range want {
					var b byte
					if i < len(s) {
						b = s[i]
					}
					want[i] = combine(want[i], b)
				}
			}
			if got := combineBits(bitwise(op), sources); !bytes.Equal(got, want) {
				t.Fatalf("operation %d of %d strings of up to %d bytes differs", op, len(sources), n)
			}
		}
	}
}
