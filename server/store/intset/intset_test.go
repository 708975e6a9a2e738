package intset

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTheBytesAreThoseOfRedis(t *testing.T) {
	for _, c := range []struct {
		add  []int64
		want string
	}{
		{nil, "0200000000000000"},
		{[]int64{5, -1, 5}, "0200000002000000" + "ffff0500"},
		{[]int64{5, 40000, -1}, "0400000003000000" + "ffffffff05000000409c0000"},
		{[]int64{1, 1 << 40}, "0800000002000000" + "0100000000000000" + "0000000000010000"},
		{[]int64{1, -1 << 40}, "0800000002000000" + "0000000000ffffff" + "0100000000000000"},
	} {
		set := New()
		for _, n := range c.add {
			set, _ = Add(set, n)
		}
		if got := hex.EncodeToString(set); got != c.want {
			t.Errorf("%d: %s, want %s", c.add, got, c.want)
		}
	}
}

func TestASetBehavesLikeASortedSliceUnderRandomOperations(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		set, model := New(), []int64(nil)
		for range 400 {
			n := int64(rng.IntN(60) - 30)
			if rng.IntN(50) == 0 {
				n = int64(rng.Uint64()) >> rng.IntN(64)
			}
			i, there := slices.BinarySearch(model, n)
			if at, found := Find(set, n); at != i || found != there {
				t.Fatalf("find %d: %d, %v; want %d, %v", n, at, found, i, there)
			}
			var done bool
			if rng.IntN(2) == 0 {
				if set, done = Add(set, n); done {
					model = slices.Insert(model, i, n)
				}
				there = !there
			} else if set, done = Remove(set, n); done {
				model = slices.Delete(model, i, i+1)
			}
			if done != there || Valid(set) != nil || Len(set) != len(model) {
				t.Fatalf("done %v, want %v; %d elements, want %d; %v", done, there, Len(set), len(model), Valid(set))
			}
			for i, want := range model {
				if got := Get(set, i); got != want {
					t.Fatalf("element %d is %d, want %d", i, got, want)
				}
			}
		}
	}
}

func TestDamageIsToldWithItsPosition(t *testing.T) {
	good := New()
	for _, n := range []int64{1, 2, 3} {
		good, _ = Add(good, n)
	}
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		at     int
	}{
		{"too short", func(b []byte) []byte { return b[:7] }, 7},
		{"a width of 3", func(b []byte) []byte { b[0] = 3; return b }, 0},
		{"cut off", func(b []byte) []byte { return b[:len(b)-1] }, 4},
		{"an element twice", func(b []byte) []byte { b[10] = 1; return b }, 10},
		{"out of order", func(b []byte) []byte { b[12] = 0; return b }, 12},
	} {
		err, ok := Valid(c.damage(bytes.Clone(good))).(*InvalidError)
		if !ok || err.At != c.at {
			t.Errorf("%s: %v, want byte %d", c.name, err, c.at)
		}
	}
}

func FuzzWhatIsValidCanBeReadAndChanged(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 1, 0, 0, 0, 5, 0}, int64(7))
	f.Add([]byte{4, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}, int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, set []byte, n int64) {
		if Valid(set) != nil {
			return
		}
		set = bytes.Clone(set)
		count := Len(set)
		set, added := Add(set, n)
		if added {
			count++
		}
		if Valid(set) != nil || Len(set) != count {
			t.Fatalf("%d elements, want %d: %v", Len(set), count, Valid(set))
		}
		if set, removed := Remove(set, n); !removed || Valid(set) != nil || Len(set) != count-1 {
			t.Fatalf("removed %v, %d elements, want %d: %v", removed, Len(set), count-1, Valid(set))
		}
	})
}
