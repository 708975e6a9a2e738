package command

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name, pattern, s string
		want             bool
	}{
		{"a star takes anything", "a*c", "abbbc", true},
		{"a star takes nothing", "a*c", "ac", true},
		{"stars at the end take nothing", "a**", "a", true},
		{"a star does not match the empty string", "*", "", false},
		{"a question mark takes one byte", "a?c", "abc", true},
		{"a question mark takes no less", "a?c", "ac", false},
		{"a set takes one of its bytes", "h[ae]llo", "hello", true},
		{"a set takes none of the others", "h[ae]llo", "hillo", false},
		{"a negated set takes the others", "h[^e]llo", "hallo", true},
		{"a range includes its ends", "[a-c]", "c", true},
		{"a range may be written backwards", "[c-a]", "b", true},
		{"a set ends with the pattern", "[abc", "b", true},
		{"an empty negated set takes any byte", "[^]", "x", true},
		{"an empty set takes none", "[]", "x", false},
		{"a backslash takes the next byte as it is", `a\*`, "a*", true},
		{"a backslash takes away the meaning", `a\*`, "ab", false},
		{"a backslash at the end is itself", `a\`, `a\`, true},
		{"a backslash works in a set", `[\]]`, "]", true},
		{"bytes of a range are signed", "[a-\xff]", "0", true},
		{"case matters", "ABC", "abc", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Match([]byte(test.pattern), []byte(test.s)); got != test.want {
				t.Errorf("Match(%q, %q) = %v", test.pattern, test.s, got)
			}
		})
	}
	if !MatchFold([]byte("aB[c-d]*"), []byte("AbCx")) {
		t.Error("MatchFold minds the case")
	}
}

// Without a bound this takes longer than the age of the universe.
func TestManyStarsTakeNoExponentialTime(t *testing.T) {
	pattern := strings.Repeat("a*", 60) + "b"
	if Match([]byte(pattern), []byte(strings.Repeat("a", 5000))) {
		t.Error("matched without a b")
	}
}

func TestMatchIsThatOfRedis(t *testing.T) {
	redis := startRedis(t)
	random := rand.New(rand.NewPCG(3, 4))
	word := func(alphabet string, n int) string {
		b := make([]byte, random.IntN(n))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	keys := map[string]bool{}
	for range 400 {
		key := word("aabbc]-^\\[*\x80\xff", 7)
		keys[key] = true
		redis.do([]byte("SET"), []byte(key), []byte("v"))
	}
	for range 6000 {
		pattern := word("aabbc**?[[]]-^\\\x80\xff", 9)
		var want []string
		for key := range keys {
			if pattern == "*" || Match([]byte(pattern), []byte(key)) {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		if got := sortedTexts(t, redis.do([]byte("KEYS"), []byte(pattern))); !slices.Equal(got, want) {
			t.Fatalf("pattern %q:\nours  %q\nredis %q", pattern, want, got)
		}
	}
}
