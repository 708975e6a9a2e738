package command

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestParseExtended(t *testing.T) {
	for _, test := range []struct {
		name, text, want string // want "": refused
	}{
		{"a whole number", "3", "3"},
		{"a fraction", "0.1", "0.1"},
		{"an exponent", "1e3", "1000"},
		{"zeros at the end vanish", "5.50000", "5.5"},
		{"hexadecimal", "0x1p4", "16"},
		{"hexadecimal without an exponent", "0x1.8", "1.5"},
		{"no digit before the point", ".5", "0.5"},
		{"no digit after the point", "5.", "5"},
		{"minus zero is zero", "-0", "0"},
		{"17 digits after the point", "0.000000000000000012", "0.00000000000000001"},
		{"only a point", ".", ""},
		{"an exponent without digits", "1e", ""},
		{"a blank before", " 1", ""},
		{"a blank behind", "1 ", ""},
		{"an underscore", "1_000", ""},
		{"binary", "0b1", ""},
		{"not a number", "nan", ""},
		{"too large", "1e5000", ""},
		{"too small", "1e-5000", ""},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if x, ok := parseExtended([]byte(test.text)); ok {
				got = string(appendExtended(nil, x))
			}
			if got != test.want {
				t.Errorf("%q gives %q; want %q", test.text, got, test.want)
			}
		})
	}
}

func TestSumsAreThoseOfRedis(t *testing.T) {
	redis := startRedis(t)
	ours := newSubject(t)
	random := rand.New(rand.NewPCG(5, 6))
	number := func() string {
		switch random.IntN(5) {
		case 0:
			return strconv.FormatFloat(random.NormFloat64(), 'f', random.IntN(25), 64)
		case 1:
			return fmt.Sprintf("%de%d", random.Int64N(1e9)-5e8, random.IntN(60)-30)
		case 2:
			return fmt.Sprintf("%d.%018d", random.Int64N(1e6), random.Int64N(1e18))
		case 3:
			return strconv.FormatFloat(random.ExpFloat64()*1e10, 'x', -1, 64)
		}
		return strconv.FormatInt(random.Int64()-random.Int64(), 10)
	}
	for range 20000 {
		a, b := []byte(number()), []byte(number())
		set, add := [][]byte{[]byte("SET"), []byte("k"), a}, [][]byte{[]byte("INCRBYFLOAT"), []byte("k"), b}
		redis.do(set...)
		ours.do(set...)
		if our, their := string(ours.do(add...)), string(redis.do(add...)); our != their {
			t.Fatalf("%s + %s: ours %q, redis %q", a, b, our, their)
		}
	}
}
