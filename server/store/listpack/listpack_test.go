package listpack

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func all(lp []byte) []string {
	var found []string
	for at := First(lp); at != 0; at = Next(lp, at) {
		found = append(found, string(Get(lp, at, nil)))
	}
	return found
}

func TestTheBytesAreThoseOfRedis(t *testing.T) {
	for _, c := range []struct{ element, want string }{
		{"0", "0001"},
		{"127", "7f01"},
		{"128", "c08002"},
		{"-1", "dfff02"},
		{"4095", "cfff02"},
		{"-4096", "d00002"},
		{"4096", "f1001003"},
		{"-32768", "f1008003"},
		{"32768", "f200800004"},
		{"-8388608", "f200008004"},
		{"8388608", "f30000800005"},
		{"2147483648", "f4000000800000000009"},
		{"-9223372036854775808", "f4000000000000008009"},
		{"9223372036854775808", "9339323233333732303336383534373735383038" + "14"},
		{"", "8001"},
		{"a", "816102"},
		{"-0", "822d3003"},
		{"007", "8330303704"},
		{"+1", "822b3103"},
		{strings.Repeat("x", 63), "bf" + strings.Repeat("78", 63) + "40"},
		{strings.Repeat("x", 64), "e040" + strings.Repeat("78", 64) + "42"},
		{strings.Repeat("x", 126), "e07e" + strings.Repeat("78", 126) + "0180"},
		{strings.Repeat("x", 4096), "f000100000" + strings.Repeat("78", 4096) + "2085"},
	} {
		lp := Append(New(), []byte(c.element))
		if got := hex.EncodeToString(lp[headerSize : len(lp)-1]); got != c.want {
			t.Errorf("%.30q is encoded as %s, want %s", c.element, got, c.want)
		}
		if got := EncodedSize([]byte(c.element)); got*2 != len(c.want) {
			t.Errorf("%.30q: foretold %d bytes", c.element, got)
		}
		if got := all(lp); len(got) != 1 || got[0] != c.element {
			t.Errorf("%.30q is read as %.30q", c.element, got)
		}
		if n := int(lp[0]) | int(lp[1])<<8; n != len(lp) || lp[4] != 1 {
			t.Errorf("%.30q: header %x for %d bytes", c.element, lp[:headerSize], len(lp))
		}
	}
}

func TestTheLengthBackwardsTakesAsManyBytesAsInRedis(t *testing.T) {
	for size, want := range map[int]int{1: 1, 127: 1, 128: 2, 16382: 2, 16383: 3, 2097150: 3, 2097151: 4, 268435454: 4, 268435455: 5} {
		var b [16]byte
		putBack(b[headerSize:], size)
		if got := backSize(size); got != want {
			t.Errorf("the length %d takes %d bytes, want %d", size, got, want)
		}
		if got := back(b[:], headerSize+want-1); got != size {
			t.Errorf("the length %d is read as %d", size, got)
		}
	}
}

// someElement draws elements around the borders of encodings.
func someElement(rng *rand.Rand) string {
	switch rng.IntN(8) {
	case 0:
		return strconv.Itoa(rng.IntN(260) - 130)
	case 1:
		return strconv.FormatInt(int64(rng.Uint64())>>rng.IntN(64), 10)
	case 2:
		edges := []int64{-4097, -4096, 4095, 4096, math.MinInt16, math.MaxInt16 + 1, -1 << 23, 1<<23 - 1, 1 << 23, math.MinInt32, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64}
		return strconv.FormatInt(edges[rng.IntN(len(edges))], 10)
	case 3:
		return strings.Repeat("v", rng.IntN(140))
	case 4:
		if rng.IntN(20) == 0 {
			return strings.Repeat("w", 4080+rng.IntN(30))
		}
		return "0" + strconv.Itoa(rng.IntN(10))
	}
	return "e" + strconv.Itoa(rng.IntN(30))
}

func TestAListpackBehavesLikeASliceUnderRandomOperations(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lp, model := New(), []string(nil)
		for step := range 600 {
			i := 0
			if len(model) > 0 {
				i = rng.IntN(len(model))
			}
			e := someElement(rng)
			switch op := rng.IntN(8); {
			case op < 2 || len(model) == 0:
				lp, model = Append(lp, []byte(e)), append(model, e)
			case op < 4:
				lp = Insert(lp, Seek(lp, i), []byte(e))
				model = append(model[:i], append([]string{e}, model[i:]...)...)
			case op < 5:
				lp, model[i] = Replace(lp, Seek(lp, i-len(model)), []byte(e)), e
			case op < 7:
				n := min(1+rng.IntN(3), len(model)-i)
				lp = Delete(lp, Seek(lp, i), n)
				model = append(model[:i], model[i+n:]...)
			default:
				n := int64(rng.Uint64()) >> rng.IntN(64)
				lp, model = AppendInt(lp, n), append(model, strconv.FormatInt(n, 10))
			}
			if err := compare(lp, model, e); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
	}
}

func compare(lp []byte, model []string, e string) error {
	if err := Valid(lp, true); err != nil {
		return err
	}
	if got := all(lp); fmt.Sprint(got) != fmt.Sprint(model) || Len(lp) != len(model) {
		return fmt.Errorf("holds %d elements %.300q, want %.300q", Len(lp), got, model)
	}
	i := len(model)
	for at := Last(lp); at != 0; at = Prev(lp, at) {
		i--
		if Seek(lp, i) != at || Seek(lp, i-len(model)) != at {
			return fmt.Errorf("element %d is at %d, and Seek finds %d and %d", i, at, Seek(lp, i), Seek(lp, i-len(model)))
		}
		if Equal(lp, at, []byte(e)) != (model[i] == e) {
			return fmt.Errorf("%q equals %q: %v", model[i], e, Equal(lp, at, []byte(e)))
		}
	}
	if i != 0 {
		return fmt.Errorf("%d elements are missing on the way back", i)
	}
	for skip := range 3 {
		want := 0
		for i := 0; i < len(model) && want == 0; i += skip + 1 {
			if model[i] == e {
				want = Seek(lp, i)
			}
		}
		if got := Find(lp, 0, []byte(e), skip); got != want {
			return fmt.Errorf("find %q, passing over %d: %d, want %d", e, skip, got, want)
		}
	}
	return nil
}

func TestMoreElementsThanTheHeaderCanTellAreCounted(t *testing.T) {
	lp := New()
	for i := range 65536 {
		lp = AppendInt(lp, int64(i&7))
	}
	if lp[4] != 255 || lp[5] != 255 || Len(lp) != 65536 || Valid(lp, true) != nil {
		t.Errorf("header %x for %d elements: %v", lp[:headerSize], Len(lp), Valid(lp, true))
	}
	if at := Seek(lp, 65535); at != Last(lp) || Seek(lp, 65536) != 0 || Seek(lp, -65536) != First(lp) || Seek(lp, -65537) != 0 {
		t.Errorf("the last element is at %d, found at %d", Last(lp), at)
	}
}

func TestDamageIsToldWithItsPosition(t *testing.T) {
	good := Append(Append(New(), []byte("key")), []byte("1000"))
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		at     int
	}{
		{"too short", func(b []byte) []byte { return b[:5] }, 5},
		{"cut off", func(b []byte) []byte { return b[:len(b)-1] }, 0},
		{"no end", func(b []byte) []byte { b[len(b)-1] = 0; return b }, len(good) - 1},
		{"wrong count", func(b []byte) []byte { b[4] = 3; return b }, 4},
		{"a string longer than the whole", func(b []byte) []byte { b[6] = 0xBF; return b }, 6},
		{"unknown encoding", func(b []byte) []byte { b[6] = 0xF5; return b }, 6},
		{"wrong length backwards", func(b []byte) []byte { b[10] = 5; return b }, 10},
		{"an end in the middle", func(b []byte) []byte { b[11] = 0xFF; return b }, 11},
	} {
		err, ok := Valid(c.damage(bytes.Clone(good)), true).(*InvalidError)
		if !ok || err.At != c.at {
			t.Errorf("%s: %v, want byte %d", c.name, err, c.at)
		}
	}
}

func FuzzWhatIsValidCanBeReadAndChanged(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 10 {
		lp := New()
		for range rng.IntN(20) {
			lp = Append(lp, []byte(someElement(rng)))
		}
		f.Add(lp, []byte("e1"), byte(3))
	}
	f.Add([]byte{9, 0, 0, 0, 255, 255, 1, 1, 255}, []byte("1"), byte(0))
	f.Fuzz(func(t *testing.T, lp, p []byte, n byte) {
		_ = Valid(lp, false)
		if Valid(lp, true) != nil {
			return
		}
		lp = bytes.Clone(lp)
		elements := all(lp)
		if Len(lp) != len(elements) {
			t.Fatalf("%d elements, counted %d", len(elements), Len(lp))
		}
		count := 0
		for at := Last(lp); at != 0; at = Prev(lp, at) {
			count++
			if Equal(lp, at, p) != (elements[len(elements)-count] == string(p)) {
				// An integer may be held as text, which reads the same.
				t.Fatalf("%q equals %q: %v", elements[len(elements)-count], p, Equal(lp, at, p))
			}
		}
		if count != len(elements) {
			t.Fatalf("%d elements, %d backwards", len(elements), count)
		}
		for skip := range 3 {
			Find(lp, 0, p, skip)
		}
		at := Seek(lp, int(n))
		if (at == 0) != (int(n) >= count) {
			t.Fatalf("element %d of %d is at %d", n, count, at)
		}
		if at != 0 {
			lp = Replace(lp, at, p)
			lp = Delete(Insert(lp, at, p), at, 2)
		}
		if err := Valid(Append(lp, p), true); err != nil {
			t.Fatal(err)
		}
	})
}
