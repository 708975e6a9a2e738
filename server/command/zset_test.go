package command

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var sortedSetScripts = []script{
	{"the score of a rank came with 7.2", []string{
		`ZADD z 1 a 2.5 b = 2`, `ZRANK z b WITHSCORE = [1 "2.5"]`, `ZREVRANK z b withscore = [0 "2.5"]`,
		`ZRANK z nobody WITHSCORE = (nil)`, `ZRANK nosuch a WITHSCORE = (nil)`, `ZRANK z a SCORE = ERR syntax error`,
		`ZRANK z a WITHSCORE x = ERR wrong number of arguments for 'zrank' command`,
	}, nil, "7.0 knows no WITHSCORE"},
	{"scores are spelled as in 7.2", []string{
		`ZADD z 0.1 a 1e20 b 3000000 c 12345.12345678 d -0.0000001 e = 5`,
		`ZMSCORE z a b c d e = ["0.1" "1e+20" "3000000" "1.234512345678e+4" "-1e-7"]`,
	}, nil, "7.0 spells 17 digits"},
	{"what pops says how much it popped", []string{
		`ZADD z 1 a 2 b 3 c = 3`, `ZMPOP 2 nosuch z MAX COUNT 10 = ["z" [["c" "3"] ["b" "2"] ["a" "1"]]]`,
	}, []string{"0: ZPOPMAX z 3"}, ""},
	{"what waited pops without waiting elsewhere", []string{
		`ZADD z 1 a 2 b 3 c = 3`, `BZPOPMIN nosuch z 0 = ["z" "a" "1"]`,
	}, []string{"0: ZPOPMIN z"}, ""},
	{"a position is a score elsewhere", []string{
		`GEOADD z NX 13.361389 38.115556 Palermo = 1`,
	}, []string{"0: zadd z NX 3479099956230698 Palermo"}, ""},
	{"distances have four digits, in any unit", []string{
		`GEOADD z 13.361389 38.115556 Palermo 15.087269 37.502669 Catania = 2`,
		`GEODIST z Palermo Catania = "166274.1516"`, `GEODIST z Palermo Catania km = "166.2742"`,
		`GEODIST z Palermo Catania MI = "103.3182"`, `GEODIST z Palermo Palermo ft = "0.0000"`, `GEODIST z Palermo nobody = (nil)`,
		`GEOHASH z Palermo Catania nobody = ["sqc8b49rny0" "sqdtr74hyu0" (nil)]`,
		`GEOPOS z Palermo nobody = [["13.36138933897018433" "38.11555639549629859"] (nil)]`,
	}, nil, ""},
}

// What readDouble takes is what strtod takes, which Redis relies on.
func TestNumbersAreReadAsInC(t *testing.T) {
	for _, test := range []struct {
		text    string
		want    float64
		inRange bool // false with ok: a bound may be like that, a score not
		ok      bool
	}{
		{"17", 17, true, true}, {"-5", -5, true, true}, {"+5", 5, true, true}, {"007", 7, true, true},
		{"1e3", 1000, true, true}, {".5", 0.5, true, true}, {"5.", 5, true, true}, {"0.1", 0.1, true, true},
		{"inf", math.Inf(1), true, true}, {"-INF", math.Inf(-1), true, true}, {"+infinity", math.Inf(1), true, true},
		{"0x10", 16, true, true}, {"0X1.8p1", 3, true, true}, {"0x1p-1074", 5e-324, true, true},
		{"9007199254740993", 9007199254740992, true, true}, {"18446744073709551616", 1 << 64, true, true},
		{"1e400", math.Inf(1), false, true}, {"-1e400", math.Inf(-1), false, true}, {"1e-400", 0, false, true},
		{"0e999", 0, true, true}, {"0x1p-2000", 0, false, true}, {"0x1p2000", math.Inf(1), false, true},
		{"4.9e-324", 5e-324, true, true}, {"0.000", 0, true, true},
		{"", 0, false, false}, {" 1", 0, false, false}, {"1 ", 0, false, false}, {"nan", 0, false, false}, {"1_0", 0, false, false},
		{"0x", 0, false, false}, {"1e", 0, false, false}, {".", 0, false, false}, {"--1", 0, false, false}, {"in", 0, false, false},
		{"0x_1", 0, false, false}, {"1p3", 0, false, false}, {"+", 0, false, false}, {"1\x00", 0, false, false},
	} {
		v, inRange, ok := readDouble([]byte(test.text))
		if ok != test.ok || ok && (v != test.want || inRange != test.inRange) {
			t.Errorf("%q is read as %v, in range %v, %v; want %v, %v, %v", test.text, v, inRange, ok, test.want, test.inRange, test.ok)
		}
	}
	if v, _, _ := readDouble([]byte("-0.0")); !math.Signbit(v) {
		t.Error("-0.0 loses its sign")
	}
}

func TestBoundsOfScoresAreReadAsInC(t *testing.T) {
	for _, test := range []struct {
		text string
		want float64
		open bool
		ok   bool
	}{
		{"1.5", 1.5, false, true}, {"(1.5", 1.5, true, true}, {"(-inf", math.Inf(-1), true, true}, {"", 0, false, true},
		{"(", 0, true, true}, {" 7", 7, false, true}, {"(\t7", 7, true, true}, {"5\x00x", 5, false, true}, {"1e999", math.Inf(1), false, true},
		{"1e-999", 0, false, true}, {"7 ", 0, false, false}, {" ", 0, false, false}, {"((1", 0, false, false}, {"nan", 0, false, false},
		{"x", 0, false, false},
	} {
		b, ok := parseBound([]byte(test.text))
		if ok != test.ok || ok && (b.Score != test.want || b.Open != test.open) {
			t.Errorf("%q is read as %v, %v; want %v, open %v, %v", test.text, b, ok, test.want, test.open, test.ok)
		}
	}
}

// Distances are stored with all their digits, whose last one depends on how sines
// are computed.
func TestStoredDistancesAreThoseOfRedis(t *testing.T) {
	redis, ours := startRedis(t), newSubject(t)
	for _, line := range []string{
		"GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -122.4 37.8 Frisco 179.9 -80 South",
		"GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 30000 km STOREDIST",
		"GEORADIUS g 10 40 30000 mi STOREDIST e",
		"GEORADIUSBYMEMBER g Frisco 30000 ft STOREDIST f",
	} {
		if our, their := ours.do(words(t, line)...), redis.must(line); string(our) != string(their) {
			t.Fatalf("%s: %q, redis replies %q", line, our, their)
		}
	}
	for _, key := range []string{"d", "e", "f"} {
		line := "ZRANGE " + key + " 0 -1 WITHSCORES"
		our, their := elements(t, ours.do(words(t, line)...)), elements(t, redis.must(line))
		if len(our) != len(their) || len(our) == 0 {
			t.Fatalf("%s: %q, redis replies %q", line, our, their)
		}
		for i := range our {
			a, errA := strconv.ParseFloat(our[i], 64)
			b, errB := strconv.ParseFloat(their[i], 64)
			if our[i] != their[i] && (errA != nil || errB != nil || math.Abs(a-b) > 1e-9*math.Max(1, b)) {
				t.Errorf("%s: %q, redis has %q", line, our, their)
			}
		}
	}
}

func elements(t *testing.T, raw []byte) (all []string) {
	t.Helper()
	node, _, err := parseReply(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range node.elems {
		all = append(all, e.text)
	}
	return all
}

func TestRandomMembersAreDrawnFairly(t *testing.T) {
	s := newSubject(t)
	s.do(words(t, "ZADD z 1 a 2 b 3 c 4 d 5 e")...)
	for _, line := range []string{"ZRANDMEMBER z 2", "ZRANDMEMBER z -2", "ZRANDMEMBER z 4", "ZRANDMEMBER z"} {
		counts := map[string]int{}
		const rounds = 5000
		per := 0
		for range rounds {
			drawn := elements(t, s.do(words(t, line)...))
			if drawn == nil {
				drawn = []string{strings.Fields(string(s.out.Buf))[1]}
			}
			per = len(drawn)
			for _, m := range drawn {
				counts[m]++
			}
			slices.Sort(drawn)
			if !strings.Contains(line, "-") && len(slices.Compact(drawn)) != per {
				t.Fatalf("%s: %q", line, drawn)
			}
		}
		for _, m := range []string{"a", "b", "c", "d", "e"} {
			// Five standard deviations either way.
			want := float64(rounds*per) / 5
			if got := float64(counts[m]); math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("%s: %s was drawn %v times of %v", line, m, got, want)
			}
		}
	}
}

// Scores of a large sorted set are spelled by ZSCAN, and by nothing else, as Redis 7.0
// spelled all scores.
func TestZSCANSpellsScoresAsRedisDoes(t *testing.T) {
	s, redis := newSubject(t), startRedis(t)
	s.limit("zset-max-listpack-entries", 0)
	redis.limit("zset-max-listpack-entries", 0)
	for _, score := range []string{"0.1", "-0.3", "1e20", "1e21", "1e17", "123456789.123456789", "5e-324", "1.7976931348623157e308", "inf", "-inf",
		"0", "-0", "100000", "12345678901234567", "1e-5", "0.0001", "1e16", "3.5"} {
		line := "ZADD z " + score + " a"
		s.do(words(t, line)...)
		redis.must(line)
		if ours, theirs := string(s.do(words(t, "ZSCAN z 0")...)), string(redis.do(words(t, "ZSCAN z 0")...)); ours != theirs {
			t.Errorf("%s is spelled\n%q, by Redis\n%q", score, ours, theirs)
		}
	}
}

func TestARestoredSortedSetStaysPackedWhateverTheLengthOfItsMembers(t *testing.T) {
	s := newSubject(t)
	s.limit("zset-max-listpack-value", 100)
	s.do([]byte("ZADD"), []byte("z"), []byte("1"), bytes.Repeat([]byte("x"), 90))
	node, _, err := parseReply(s.do(words(t, "DUMP z")...))
	if err != nil {
		t.Fatal(err)
	}
	s.limit("zset-max-listpack-value", 64)
	if got := string(s.do([]byte("RESTORE"), []byte("copy"), []byte("0"), []byte(node.text))); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if got := string(s.do(words(t, "OBJECT ENCODING copy")...)); !strings.Contains(got, "listpack") {
		t.Errorf("its form is %q", got)
	}
}
