package command

import (
	"slices"
	"testing"
)

const valkey8 = "Redis 7.0 does not have it"

var valkeyScripts = []script{
	{"SET IFEQ replaces what is expected, and any server understands the effect", []string{"SET k a = OK", "SET k b IFEQ a = OK", `GET k = "b"`, "SET k c ifeq b = OK"},
		[]string{"0: SET k c"}, valkey8},
	{"SET IFEQ leaves anything else", []string{"SET k a EX 100 = OK", "SET k b IFEQ x = (nil)", "SET k b IFEQ A EX 5 = (nil)", `GET k = "a"`, "TTL k = 100", "SET none b IFEQ x = (nil)",
		"EXISTS none = 0"}, nil, valkey8},
	{"SET IFEQ compares numbers as they are spelled", []string{"SET k 12 = OK", "SET k 13 IFEQ 012 = (nil)", "SET k 13 IFEQ 12 = OK"}, []string{"0: SET k 13"}, valkey8},
	{"SET IFEQ GET tells what was there in any case", []string{"SET k a = OK", `SET k b IFEQ x GET = "a"`, `SET k b GET IFEQ a = "a"`, `GET k = "b"`, "SET none b IFEQ x GET = (nil)"}, nil, valkey8},
	{"SET IFEQ with a time", []string{"SET k a = OK", "SET k b IFEQ a EX 100 = OK"}, []string{"0: SET k b PXAT @100000"}, valkey8},
	{"SET IFEQ that keeps the time", []string{"SET k a EX 100 = OK", "SET k b IFEQ a KEEPTTL = OK"}, []string{"0: SET k b KEEPTTL"}, valkey8},
	{"SET IFEQ of a list", []string{"RPUSH k a = 1", "SET k b IFEQ a = " + string(ErrWrongType), "SET k b IFEQ a GET = " + string(ErrWrongType)}, nil, valkey8},
	{"SET IFEQ excludes other conditions", []string{"SET k v IFEQ a NX = ERR syntax error", "SET k v XX IFEQ a = ERR syntax error", "SET k v IFEQ = ERR syntax error",
		"GETEX k IFEQ a = ERR syntax error"}, nil, ""},
	{"SET IFEQ reads its key", []string{`COMMAND GETKEYSANDFLAGS SET k v IFEQ a = [["k" [RW access update]]]`}, nil, valkey8},
	{"BITCOUNT without an end", []string{"SET k foobar = OK", "BITCOUNT k 0 = 26", "BITCOUNT k 1 = 22", "BITCOUNT k 1000 = 0", "BITCOUNT k -1 = 4", "BITCOUNT k -1000 = 26",
		"BITCOUNT none 0 = 0", "BITCOUNT k x = ERR value is not an integer or out of range"}, nil, valkey8},
	{"ZSCAN without scores", []string{"ZADD z 1 aa 2 ab 3 b = 3", `ZSCAN z 0 NOSCORES MATCH a* = ["0" ["aa" "ab"]]`}, nil, valkey8},
	{"each option of scans has its command", []string{"SADD s a = 1", "HSET h a 1 = 1", "ZADD z 1 a = 1", "SSCAN s 0 NOVALUES = ERR NOVALUES option can only be used in HSCAN",
		"SCAN 0 NOVALUES = ERR NOVALUES option can only be used in HSCAN", "ZSCAN z 0 NOVALUES = ERR NOVALUES option can only be used in HSCAN",
		"HSCAN h 0 NOSCORES = ERR NOSCORES option can only be used in ZSCAN", "SCAN 0 NOSCORES = ERR NOSCORES option can only be used in ZSCAN"}, nil, valkey8},
}

// The lazyfree directives promise UNLINK to those who follow the stream.
func TestWhatIsRemovedLazilyIsUnlinked(t *testing.T) {
	for _, row := range []struct {
		name          string
		lines         []string
		lazyExpire    bool
		lazyServerDel bool
		want          string
		wantOtherwise string
	}{
		{"a key found expired", []string{"SET k v PXAT 1", "GET k"}, true, false, "0: UNLINK k", "0: DEL k"},
		{"EXPIRE with a time in the past", []string{"SET k v", "EXPIRE k -1"}, true, false, "0: UNLINK k", "0: DEL k"},
		{"GETEX with a time in the past", []string{"SET k v", "GETEX k PXAT 1"}, true, false, "0: UNLINK k", "0: DEL k"},
		{"RESTORE of what is over", []string{"SET k v", `RESTORE k 1 "\x00\xc0\x0c\x0a\x00<*\xf8Q\\\x04\xbc\xd5" ABSTTL REPLACE`}, false, true, "0: UNLINK k", "0: DEL k"},
		{"SPOP of all", []string{"SADD k a b", "SPOP k 2"}, false, true, "0: UNLINK k", "0: DEL k"},
		{"GETDEL is no removal of the server's own", []string{"SET k v", "GETDEL k"}, true, true, "0: DEL k", "0: DEL k"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, lazy := range []bool{true, false} {
				s, want := newSubject(t), row.wantOtherwise
				if lazy {
					s.env.LazyExpire, s.env.LazyServerDel = row.lazyExpire, row.lazyServerDel
					want = row.want
				}
				for _, line := range row.lines {
					s.takeEffects()
					if reply := s.do(words(t, line)...); reply[0] == '-' {
						t.Fatalf("%s: %s", line, reply)
					}
				}
				if got := s.takeEffects(); !slices.Equal(got, []string{want}) {
					t.Errorf("lazy %v: effects %q; want %q", lazy, got, want)
				}
			}
		})
	}
}
