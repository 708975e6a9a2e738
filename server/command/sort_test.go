package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var sortScripts = []script{
	{"a list of numbers", []string{"RPUSH l 3 -1 2.5 = 3", `SORT l = ["-1" "2.5" "3"]`, `SORT l DESC = ["3" "2.5" "-1"]`, `SORT l LIMIT 1 1 = ["2.5"]`,
		`SORT l LIMIT 5 1 = []`, `SORT l LIMIT -5 2 = ["-1" "2.5"]`, `SORT l LIMIT 0 -1 = ["-1" "2.5" "3"]`, `SORT l LIMIT 1 0 = []`}, nil, ""},
	{"texts are no numbers", []string{"RPUSH l a b = 2", "SORT l = ERR One or more scores can't be converted into double",
		`SORT l ALPHA DESC = ["b" "a"]`}, nil, ""},
	{"equal weights leave the elements to decide", []string{"RPUSH l b a 3 = 3", "MSET w_a 1 w_b 1 w_3 1 = OK", `SORT l BY w_* = ["3" "a" "b"]`}, nil, ""},
	{"a missing weight is 0, or comes first", []string{"RPUSH l a b c = 3", "MSET w_a -1 w_c 5 = OK", `SORT l BY w_* = ["a" "b" "c"]`,
		`SORT l BY w_* ALPHA = ["b" "a" "c"]`}, nil, ""},
	{"a weight in a field of a hash", []string{"RPUSH l a b = 2", "HSET w_a f 2 = 1", "HSET w_b f 1 = 1", `SORT l BY w_*->f = ["b" "a"]`,
		`SORT l BY w_*->f GET # GET w_*->f = ["b" "1" "a" "2"]`, `SORT l BY nosort GET w_*->none = [(nil) (nil)]`}, nil, ""},
	{"what is not sorted keeps its order", []string{"RPUSH l 3 1 2 = 3", `SORT l BY nosort = ["3" "1" "2"]`, `SORT l BY nosort DESC LIMIT 0 2 = ["2" "1"]`,
		"ZADD z 3 c 1 a 2 b = 3", `SORT z BY nosort = ["a" "b" "c"]`, `SORT z BY nosort DESC LIMIT 1 1 = ["b"]`, `SORT z BY nosort LIMIT 1 9 = ["b" "c"]`}, nil, ""},
	{"what is not sorted stays so, whatever BY follows", []string{"RPUSH l 3 1 2 = 3", `SORT l BY nosort BY w_* DESC = ["2" "1" "3"]`,
		"MSET w_1 3 w_2 2 w_3 1 = OK", `SORT l BY w_* BY nosort = ["3" "1" "2"]`}, nil, ""},
	{"a set that is stored is always sorted", []string{"SADD s c a b = 3", "SORT s BY nosort STORE d = 3", `LRANGE d 0 -1 = ["a" "b" "c"]`}, []string{}, ""},
	{"a set of numbers", []string{"SADD s 10 9 8 = 3", `SORT s = ["8" "9" "10"]`, `SORT s ALPHA = ["10" "8" "9"]`}, nil, ""},
	{"STORE replaces", []string{"RPUSH l 2 1 = 2", "SET d text EX 100 = OK", "SORT l STORE d = 2", "TTL d = -1", `LRANGE d 0 -1 = ["1" "2"]`}, []string{}, ""},
	{"STORE goes out as it came", []string{"RPUSH l 2 1 = 2", "SORT l STORE d = 2"}, []string{"0: SORT l STORE d"}, ""},
	{"STORE of what GET does not find stores nothing in its place", []string{"RPUSH l 1 = 1", "SORT l GET none_* GET # STORE d = 2", `LRANGE d 0 -1 = ["" "1"]`}, []string{}, ""},
	{"STORE of nothing removes", []string{"SET d text = OK", "SORT l STORE d = 0", "EXISTS d = 0"}, []string{}, ""},
	{"STORE may be the source", []string{"RPUSH l 2 1 = 2", "SORT l STORE l = 2", `LRANGE l 0 -1 = ["1" "2"]`}, []string{}, ""},
	{"a weight whose time is over", []string{"RPUSH l a b = 2", "SET w_b -1 PXAT 1 = OK", `SORT l BY w_* = ["a" "b"]`}, []string{"0: DEL w_b"}, ""},
	{"values that can not be sorted", []string{"SET k v = OK", "SORT k = WRONGTYPE Operation against a key holding the wrong kind of value",
		"SORT_RO k STORE d = ERR syntax error", "SORT l LIMIT 1 = ERR syntax error", "SORT l BY = ERR syntax error",
		"SORT l LIMIT a 1 = ERR value is not an integer or out of range"}, nil, ""},
}

func TestSortOfAnotherUserStaysWithinItsKeys(t *testing.T) {
	s := newSubject(t)
	s.env.ReadsAll = func(*Call) bool { return false }
	s.do(words(t, "RPUSH l 1 2")...)
	for line, want := range map[string]string{
		"SORT l":               `["1" "2"]`,
		"SORT l BY nosort":     `["1" "2"]`,
		"SORT l BY w_*":        string(errSortByDenied),
		"SORT l GET #":         string(errSortGetDenied),
		"SORT l GET w_* ALPHA": string(errSortGetDenied),
	} {
		if got := spellReply(t, s.do(words(t, line)...)); got != want {
			t.Errorf("%s: %s; want %s", line, got, want)
		}
	}
}

// A LIMIT that leaves little of much does not sort everything.
func TestALimitCutsWhatWholeSortsGive(t *testing.T) {
	s := newSubject(t)
	random := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		s.do([]byte("RPUSH"), []byte("l"), fmt.Append(nil, random.IntN(300)-100))
	}
	for _, how := range []string{"", " DESC", " ALPHA", " ALPHA DESC"} {
		all := sortedInOrder(t, s, "SORT l"+how)
		for range 50 {
			first, n := random.IntN(520), random.IntN(60)
			line := fmt.Sprintf("SORT l%s LIMIT %d %d", how, first, n)
			want := all[min(first, len(all)):min(first+n, len(all))]
			if got := sortedInOrder(t, s, line); !slices.Equal(got, want) {
				t.Fatalf("%s: %v; want %v", line, got, want)
			}
		}
	}
}

func sortedInOrder(t *testing.T, s *subject, line string) (all []string) {
	t.Helper()
	node, _, err := parseReply(s.do(words(t, line)...))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range node.elems {
		all = append(all, e.text)
	}
	return all
}
