package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var setScripts = []script{
	{"SADD goes out as it came", []string{"SADD s 1 2 3 = 3", "SADD s 3 4 = 1"}, []string{"0: SADD s 3 4"}, ""},
	{"SADD that adds nothing sends nothing", []string{"SADD s a = 1", "SADD s a a = 0"}, nil, ""},
	{"SREM of the last member removes the set", []string{"SADD s a b = 2", "SREM s a x b = 2", "EXISTS s = 0", "SREM s a = 0"}, nil, ""},
	{"SREM goes out as it came", []string{"SADD s a b = 2", "SREM s x a = 1"}, []string{"0: SREM s x a"}, ""},
	{"SMOVE goes out as it came", []string{"SADD s a b = 2", "SMOVE s t a = 1"}, []string{"0: SMOVE s t a"}, ""},
	{"SMOVE of what is not there sends nothing", []string{"SADD s a = 1", "SMOVE s t b = 0", "SMOVE x s a = 0"}, nil, ""},
	{"SMOVE to itself sends nothing", []string{"SADD s a = 1", "SMOVE s s a = 1", "SMOVE s s b = 0"}, nil, ""},
	{"SMOVE of the last member", []string{"SADD s a = 1", "SADD t a = 1", "SMOVE s t a = 1", "EXISTS s = 0", "SMEMBERS t = [\"a\"]"}, nil, ""},
	{"SPOP becomes SREM", []string{"SADD s a = 1", `SPOP s = "a"`}, []string{"0: SREM s a"}, ""},
	{"SPOP of all becomes DEL", []string{"SADD s 1 2 = 2", `SPOP s 2 = ["1" "2"]`}, []string{"0: DEL s"}, ""},
	{"SPOP of none sends nothing", []string{"SADD s 1 2 = 2", "SPOP s 0 = []", "SPOP t 3 = []", "SPOP t = (nil)"}, nil, ""},
	{"SPOP counts", []string{"SPOP s -1 = ERR value is out of range, must be positive", "SPOP s x = ERR value is out of range, must be positive", "SPOP s 1 2 = ERR syntax error"}, nil, ""},
	{"SRANDMEMBER counts", []string{"SADD s a = 1", `SRANDMEMBER s = "a"`, `SRANDMEMBER s -3 = ["a" "a" "a"]`, `SRANDMEMBER s 3 = ["a"]`, "SRANDMEMBER s 0 = []",
		"SRANDMEMBER t = (nil)", "SRANDMEMBER t 5 = []", "SRANDMEMBER s x = ERR value is not an integer or out of range",
		"SRANDMEMBER s -9223372036854775808 = ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"}, nil, ""},
	{"SINTER", []string{"SADD a 1 2 3 = 3", "SADD b 2 3 4 = 3", `SINTER a b = ["2" "3"]`, "SINTER a c = []", `SINTER a = ["1" "2" "3"]`}, nil, ""},
	{"SINTERCARD", []string{"SADD a 1 2 3 = 3", "SADD b 2 3 4 = 3", "SINTERCARD 2 a b = 2", "SINTERCARD 2 a b LIMIT 1 = 1", "SINTERCARD 2 a b LIMIT 0 = 2",
		"SINTERCARD 0 a = ERR numkeys should be greater than 0", "SINTERCARD x a = ERR numkeys should be greater than 0",
		"SINTERCARD 2 a = ERR Number of keys can't be greater than number of args", "SINTERCARD 1 a b = ERR syntax error",
		"SINTERCARD 1 a LIMIT = ERR syntax error", "SINTERCARD 1 a LIMIT -1 = ERR LIMIT can't be negative", "SINTERCARD 1 a LIMIT x = ERR LIMIT can't be negative"}, nil, ""},
	{"SUNION", []string{"SADD a 1 2 = 2", "SADD b 2 3 = 2", `SUNION a b c = ["1" "2" "3"]`, "SUNION c = []"}, nil, ""},
	{"SDIFF", []string{"SADD a 1 2 = 2", "SADD b 2 3 = 2", `SDIFF a b c = ["1"]`, `SDIFF a c = ["1" "2"]`, "SDIFF a a = []", "SDIFF c a = []"}, nil, ""},
	{"SINTERSTORE goes out as it came", []string{"SADD a 1 2 = 2", "SADD b 2 3 = 2", "SINTERSTORE d a b = 1"}, []string{"0: SINTERSTORE d a b"}, ""},
	{"a result without members removes the target", []string{"SADD a 1 2 = 2", "SET d v = OK", "SDIFFSTORE d a a = 0", "EXISTS d = 0", "SET d v = OK", "SINTERSTORE d a x = 0"},
		[]string{"0: SINTERSTORE d a x"}, ""},
	{"a result without members and without a target sends nothing", []string{"SADD a 1 = 1", "SUNIONSTORE d x = 0"}, nil, ""},
	{"the target may be a source and loses its time to live", []string{"SADD a 1 2 = 2", "SADD b 3 = 1", "EXPIRE a 100 = 1", "SUNIONSTORE a a b = 3", "TTL a = -1"}, nil, ""},
	{"what is no set", []string{"SET s v = OK", "SADD t 1 = 1", "SADD s 1 = " + string(ErrWrongType), "SMOVE t s 1 = " + string(ErrWrongType), "SMOVE s t 1 = " + string(ErrWrongType),
		"SINTER x s = " + string(ErrWrongType), "SUNIONSTORE d t s = " + string(ErrWrongType), "SPOP s = " + string(ErrWrongType), "SSCAN s 0 = " + string(ErrWrongType)}, nil, ""},
	{"SMISMEMBER", []string{"SADD s a b = 2", "SMISMEMBER s a x b = [1 0 1]", "SMISMEMBER t a b = [0 0]", "SISMEMBER s a = 1", "SISMEMBER t a = 0"}, nil, ""},
	{"SSCAN", []string{"SADD s 1 2 30 = 3", `SSCAN s 0 MATCH ? = ["0" ["1" "2"]]`, "SSCAN s 0 TYPE set = ERR syntax error"}, nil, ""},
	{"the form of a set of integers", []string{"SADD s 1 2 = 2", `OBJECT ENCODING s = "intset"`, "SINTERSTORE d s = 2", `OBJECT ENCODING d = "intset"`}, nil, ""},
	{"the form of a set of strings", []string{"SADD s a 1 = 2", `OBJECT ENCODING s = "listpack"`, "SREM s a = 1", `OBJECT ENCODING s = "listpack"`,
		"SINTERSTORE d s = 1", `OBJECT ENCODING d = "intset"`, "SADD d b = 1", `OBJECT ENCODING d = "listpack"`}, nil, "Redis 7.0 has no listpack for sets"},
}

func TestSPOPTellsReplicasWhatItTook(t *testing.T) {
	for _, size := range []int{100, 3000} { // packed and large
		for _, count := range []int{1, 10, size / 2, size - 3} {
			t.Run(fmt.Sprintf("%d of %d", count, size), func(t *testing.T) {
				s := newSubject(t)
				replica := newSubject(t)
				var all []string
				for i := range size {
					all = append(all, fmt.Sprint("e", i))
					line := words(t, fmt.Sprint("SADD s e", i))
					s.do(line...)
					replica.do(line...)
				}
				s.env.Effects = appliedTo{replica}
				popped := sortedTexts(t, s.do(words(t, fmt.Sprint("SPOP s ", count))...))
				left := sortedTexts(t, s.do(words(t, "SMEMBERS s")...))
				if len(popped) != count || !slices.Equal(left, sortedTexts(t, replica.do(words(t, "SMEMBERS s")...))) {
					t.Errorf("%d popped, %d left", len(popped), len(left))
				}
				together := append(popped, left...)
				slices.Sort(together)
				slices.Sort(all)
				if !slices.Equal(together, all) {
					t.Error("the members popped and left are not those that there were")
				}
			})
		}
	}
}

// appliedTo runs effects on another subject, as a replica does.
type appliedTo struct{ replica *subject }

func (a appliedTo) Effect(_ int, args [][]byte) { a.replica.do(args...) }
func (a appliedTo) Begin()                      {}
func (a appliedTo) End()                        {}

// Each SPOP has its own effect, which names exactly the member of the reply.
func TestSPOPOfOneMemberIsSREMOfIt(t *testing.T) {
	s := newSubject(t)
	s.do(words(t, "SADD s a b c 1 2 3")...)
	s.takeEffects()
	for i := range 6 {
		node, _, err := parseReply(s.do(words(t, "SPOP s")...))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"0: SREM s " + node.text}
		if got := s.takeEffects(); !slices.Equal(got, want) {
			t.Errorf("effects %q, want %q", got, want)
		}
		if got := string(s.do(words(t, "SCARD s")...)); got != fmt.Sprintf(":%d\r\n", 5-i) {
			t.Errorf("%d popped, %s left", i+1, got)
		}
	}
}

// What is left of large sets is packed anew, and an intset only if it comes from one
// or SINTERSTORE has seen that it can be.
func TestSetsMadeOfLargeOnesHaveTheFormsOfRedis72(t *testing.T) {
	for _, row := range []struct{ name, a, b, line, form string }{
		{"the few strings that two have in common", "m 0 200", "m 195 400", "SINTERSTORE d a b", "listpack"},
		{"strings that are as many as are packed", "m 0 200", "m 72 400", "SINTERSTORE d a b", "listpack"},
		{"one string too many to be packed", "m 0 200", "m 71 400", "SINTERSTORE d a b", "hashtable"},
		{"the integers that two have in common", "i 0 600", "i 100 700", "SINTERSTORE d a b", "intset"},
		{"a few integers that stay of many", "i 0 600", "i 0 1", "SPOP a 598", "listpack"},
		{"a few integers that stay of an intset", "i 0 400", "i 0 1", "SPOP a 398", "intset"},
		{"a few strings that stay of many", "m 0 400", "i 0 1", "SPOP a 398", "listpack"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSubject(t)
			for key, of := range map[string]string{"a": row.a, "b": row.b} {
				var kind rune
				var from, to int
				if _, err := fmt.Sscanf(of, "%c %d %d", &kind, &from, &to); err != nil {
					t.Fatal(err)
				}
				for i := from; i < to; i++ {
					member := fmt.Appendf(nil, "%d", i)
					if kind == 'm' {
						member = fmt.Appendf(nil, "m%d", i)
					}
					s.do([]byte("SADD"), []byte(key), member)
				}
			}
			args := words(t, row.line)
			if reply := s.do(args...); reply[0] == '-' {
				t.Fatalf("%s: %s", row.line, reply)
			}
			if got := string(s.do([]byte("OBJECT"), []byte("ENCODING"), args[1])); !strings.Contains(got, row.form) {
				t.Errorf("the form is %q, want %s", got, row.form)
			}
		})
	}
}

func TestSPOPOfAllIsAHitAndOfSomeIsNone(t *testing.T) {
	s := newSubject(t)
	s.do(words(t, "SADD s a b c")...)
	for _, row := range []struct {
		count string
		hits  int64
	}{{"1", 0}, {"5", 1}} {
		before := s.env.Stats.Hits
		s.do(words(t, "SPOP s "+row.count)...)
		if got := int64(s.env.Stats.Hits - before); got != row.hits {
			t.Errorf("SPOP s %s counts %d hits, want %d", row.count, got, row.hits)
		}
	}
}
