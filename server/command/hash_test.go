package command

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/lockstep-db/lockstep/server/store"
)

var hashScripts = []script{
	{"HSET counts new fields and goes out as it came", []string{"HSET h a 1 b 2 = 2", "HSET h a 3 c 4 = 1", "HGETALL h = [\"a\" \"3\" \"b\" \"2\" \"c\" \"4\"]", "HSET h a 5 = 0"},
		[]string{"0: HSET h a 5"}, ""},
	{"HSET with a field without a value", []string{"HSET h a 1 b = ERR wrong number of arguments for 'hset' command"}, nil, ""},
	{"HMSET with a field without a value", []string{"HMSET h a 1 b = ERR wrong number of arguments for 'hmset' command"}, nil, ""},
	{"HSETNX that loses sends nothing", []string{"HSETNX h a 1 = 1", "HSETNX h a 2 = 0", `HGET h a = "1"`, "HSETNX h a 3 = 0"}, nil, ""},
	{"HDEL goes out with the missing fields", []string{"HSET h a 1 b 2 = 2", "HDEL h x a y = 1"}, []string{"0: HDEL h x a y"}, ""},
	{"HDEL of nothing sends nothing", []string{"HDEL h x = 0", "HSET h a 1 = 1", "HDEL h x = 0"}, nil, ""},
	{"HDEL of the last field removes the hash", []string{"HSET h a 1 = 1", "HDEL h a = 1", "EXISTS h = 0", "HDEL h a = 0"}, nil, ""},
	{"HINCRBY goes out as it came", []string{"HINCRBY h a 5 = 5", "HINCRBY h a -7 = -2"}, []string{"0: HINCRBY h a -7"}, ""},
	{"HINCRBY of what is no integer", []string{"HSET h a x = 1", "HINCRBY h a 1 = ERR hash value is not an integer", "HINCRBY h a x = ERR value is not an integer or out of range"}, nil, ""},
	{"HINCRBY over the edge", []string{"HSET h a 9223372036854775807 = 1", "HINCRBY h a 1 = ERR increment or decrement would overflow"}, nil, ""},
	{"HINCRBYFLOAT becomes its result", []string{"HSET h a 10.5 = 1", `HINCRBYFLOAT h a 0.1 = "10.6"`}, []string{"0: HSET h a 10.6"}, ""},
	{"HINCRBYFLOAT of what is no number", []string{"HSET h a x = 1", "HINCRBYFLOAT h a 1 = ERR hash value is not a float",
		"HINCRBYFLOAT h a x = ERR value is not a valid float", "HINCRBYFLOAT h a inf = ERR value is NaN or Infinity"}, nil, ""},
	{"a missing hash", []string{"HGET h a = (nil)", "HMGET h a b = [(nil) (nil)]", "HLEN h = 0", "HSTRLEN h a = 0", "HEXISTS h a = 0",
		"HKEYS h = []", "HVALS h = []", "HGETALL h = []", "HRANDFIELD h = (nil)", "HRANDFIELD h 5 = []", `HSCAN h 0 COUNT x = ["0" []]`}, nil, ""},
	{"what is no hash", []string{"SET s v = OK", "HGET s a = " + string(ErrWrongType), "HSET s a 1 = " + string(ErrWrongType),
		"HSCAN s 0 = " + string(ErrWrongType), "HRANDFIELD s 1 = " + string(ErrWrongType), "HDEL s a = " + string(ErrWrongType)}, nil, ""},
	{"a number is counted by its digits", []string{"HSET h a -1000 b hello = 2", "HSTRLEN h a = 5", "HSTRLEN h b = 5", "HSTRLEN h c = 0"}, nil, ""},
	{"HRANDFIELD counts", []string{"HSET h a 1 = 1", "HRANDFIELD h = \"a\"", "HRANDFIELD h 5 = [\"a\"]", "HRANDFIELD h -2 WITHVALUES = [\"a\" \"1\" \"a\" \"1\"]",
		"HRANDFIELD h 0 WITHVALUES = []", "HRANDFIELD h 1 zz = ERR syntax error", "HRANDFIELD h -9223372036854775807 WITHVALUES = ERR value is out of range"}, nil, ""},
	{"HSCAN", []string{"HSET h aa 1 ab 2 b 3 = 3", `HSCAN h 0 MATCH a* = ["0" ["aa" "1" "ab" "2"]]`, `HSCAN h 0 COUNT 1 = ["0" ["aa" "1" "ab" "2" "b" "3"]]`,
		"HSCAN h x = ERR invalid cursor", "HSCAN h 0 TYPE hash = ERR syntax error", "HSCAN h 0 COUNT 0 = ERR syntax error"}, nil, ""},
	{"HSCAN without values", []string{"HSET h aa 1 ab 2 b 3 = 3", `HSCAN h 0 NOVALUES MATCH a* = ["0" ["aa" "ab"]]`}, nil, "NOVALUES came with Valkey 8"},
	{"the form of a hash", []string{"HSET h a 1 = 1", `OBJECT ENCODING h = "listpack"`,
		"HSET h b 12345678901234567890123456789012345678901234567890123456789012345 = 1", `OBJECT ENCODING h = "hashtable"`,
		"HDEL h b = 1", `OBJECT ENCODING h = "hashtable"`}, nil, ""},
}

// bigHash fills a hash with fields f0 to fn-1, each with its number.
func bigHash(s *subject, key string, n int) {
	for i := range n {
		s.do([]byte("HSET"), []byte(key), fmt.Appendf(nil, "f%d", i), strconv.AppendInt(nil, int64(i), 10))
	}
}

func TestHSCANVisitsEveryFieldThatStaysWhileOthersComeAndGo(t *testing.T) {
	s := newSubject(t)
	bigHash(s, "h", 2000)
	seen := map[string]string{}
	cursor := []byte("0")
	for step := 0; step < 10000; step++ {
		node, _, err := parseReply(s.do([]byte("HSCAN"), []byte("h"), cursor, []byte("COUNT"), []byte("20")))
		if err != nil {
			t.Fatal(err)
		}
		all := node.elems[1].elems
		for i := 0; i+1 < len(all); i += 2 {
			seen[all[i].text] = all[i+1].text
		}
		if cursor = []byte(node.elems[0].text); string(cursor) == "0" {
			break
		}
		for i := range 60 {
			name := []string{"HSET", "HDEL"}[step/10%2]
			s.do(words(t, fmt.Sprintf("%s h g%d %s", name, step%10*60+i, []string{"v", ""}[step/10%2]))...)
		}
	}
	for i := range 2000 {
		if got := seen[fmt.Sprint("f", i)]; got != strconv.Itoa(i) {
			t.Fatalf("field f%d was there all the time, and was visited with %q", i, got)
		}
	}
}

func TestDrawnFieldsAreDifferentOrNotAsTheCountSays(t *testing.T) {
	s := newSubject(t)
	for _, size := range []int{10, 1000} { // packed and large
		key := fmt.Sprint("h", size)
		bigHash(s, key, size)
		for _, count := range []int{1, 5, size / 2, size - 1, size, size + 5, -3, -2 * size} {
			args := words(t, fmt.Sprintf("HRANDFIELD %s %d WITHVALUES", key, count))
			node, _, err := parseReply(s.do(args...))
			if err != nil {
				t.Fatal(err)
			}
			want := min(count, size)
			if count < 0 {
				want = -count
			}
			different := map[string]bool{}
			for i := 0; i+1 < len(node.elems); i += 2 {
				field, value := node.elems[i].text, node.elems[i+1].text
				if field != "f"+value {
					t.Errorf("field %s has the value %s", field, value)
				}
				different[field] = true
			}
			if len(node.elems) != 2*want || count > 0 && len(different) != want {
				t.Errorf("%s: %d fields, %d different ones, want %d", spellArgs(args), len(node.elems)/2, len(different), want)
			}
		}
	}
}

func TestAReplyThatRepeatsElementsWithoutEndIsRefused(t *testing.T) {
	s := newSubject(t)
	long := bytes.Repeat([]byte("x"), 100_000)
	s.do([]byte("HSET"), []byte("h"), long, long)
	s.do([]byte("SADD"), []byte("s"), long)
	s.do([]byte("ZADD"), []byte("z"), []byte("1"), long)
	for _, line := range []string{"HRANDFIELD h -9223372036854775807", "HRANDFIELD h -4611686018427387903 WITHVALUES",
		"SRANDMEMBER s -9223372036854775807", "ZRANDMEMBER z -9223372036854775807"} {
		if got := string(s.do(words(t, line)...)); got != "-"+string(errReplyTooLong)+"\r\n" {
			t.Errorf("%s replied %.100q", line, got)
		}
		if cap(s.out.Buf) > 1<<20 {
			t.Errorf("%s: %d bytes are kept for replies", line, cap(s.out.Buf))
		}
	}
}

func TestEveryFieldIsDrawnAsOftenAsAnyOther(t *testing.T) {
	s := newSubject(t)
	for _, size := range []int{20, 700} {
		key := fmt.Sprint("h", size)
		bigHash(s, key, size)
		for _, count := range []string{"1", "7", "-1"} {
			drawn := map[string]int{}
			total := 0
			for total < size*100 {
				node, _, err := parseReply(s.do([]byte("HRANDFIELD"), []byte(key), []byte(count)))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range node.elems {
					drawn[e.text]++
					total++
				}
			}
			for i := range size {
				// 100 expected; one in a billion is beyond six standard deviations.
				if n := drawn[fmt.Sprint("f", i)]; n < 40 || n > 160 {
					t.Errorf("f%d of %d was drawn %d times instead of about 100 (count %s)", i, size, n, count)
				}
			}
		}
	}
}

// A cut sees a large hash or set as it was, whatever happens to it meanwhile.
func TestACutSeesLargeCollectionsAsTheyWere(t *testing.T) {
	s := newSubject(t)
	bigHash(s, "h", 1000)
	for i := range 1000 {
		s.do([]byte("SADD"), []byte("s"), fmt.Appendf(nil, "f%d", i))
	}
	seen := 0
	cut, err := s.env.Keyspace.Cut(func(_ int, e store.Entry) {
		seen++
		n := 0
		if e.Type() == store.TypeHash {
			e.Hash().Each(func(field, value []byte) bool {
				n++
				if string(field[1:]) != string(value) {
					t.Errorf("field %s has the value %s", field, value)
				}
				return true
			})
		} else {
			n = e.Set().Len()
		}
		if n != 1000 {
			t.Errorf("%s has %d elements, want 1000", e.Key(), n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"HSET h f5 other", "HDEL h f6", "SREM s f7", "SPOP s 900", "SUNIONSTORE s s h2", "HINCRBY h f8 1", "DEL h"} {
		if reply := s.do(words(t, line)...); bytes.HasPrefix(reply, []byte("-")) {
			t.Errorf("%s: %s", line, reply)
		}
	}
	for !cut.Step(100) {
	}
	if seen != 2 {
		t.Errorf("%d keys, want 2", seen)
	}
}
