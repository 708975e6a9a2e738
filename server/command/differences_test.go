package command

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// difference is an intended deviation from Redis 7.0, for the commands it names.
type difference struct {
	commands string
	reason   string
	same     func(args [][]byte, ours, theirs replyNode) bool
	// adjust takes from the real server's effects what is not expected here.
	adjust func(theirs, ours []string) []string
}

// furtherEvents are keyspace events that may come here behind those of the real
// server: by the commands of a row, what is part of each of them.
var furtherEvents = map[string]string{
	"BITFIELD":                ": setbit ",  // the string has become longer
	"XREAD XREADGROUP XCLAIM": ": keymiss ", // with +, which 7.0 refuses before it looks
}

var differences = []difference{
	{"EXEC EVAL FCALL FCALL_RO", "as outside: numbers are spelled as in 7.2, and a key whose time is over is overwritten without a DEL before",
		sameScores, withoutMissingDeletes},
	{"FUNCTION", "which function of a library is named when several exist already is not promised", func(_ [][]byte, o, th replyNode) bool {
		const why = " already exists"
		return o.kind == '-' && th.kind == '-' && strings.HasSuffix(o.text, why) && strings.HasSuffix(th.text, why)
	}, nil},
	{"KEYS", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return slices.Equal(texts(o), texts(th))
	}, nil},
	{"SCAN", "a cursor means something only to the server that gave it; TestScan compares whole iterations",
		func(_ [][]byte, o, th replyNode) bool { return len(o.elems) == len(th.elems) },
		inAnyOrder},
	{"ZADD ZINCRBY ZSCORE ZMSCORE ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZUNION ZINTER ZDIFF ZPOPMIN ZPOPMAX ZMPOP " +
		"BZPOPMIN BZPOPMAX BZMPOP", "scores are spelled with the fewest digits that tell them from others, as in 7.2; 7.0 has 17", sameScores, nil},
	{"ZRANK ZREVRANK", "WITHSCORE came with 7.2", func(args [][]byte, o, _ replyNode) bool { return len(args) == 4 }, nil},
	{"ZRANDMEMBER", "drawn at random", sameShape, nil},
	{"ZSCAN", "a large sorted set is walked in an order of its own, and a cursor means something only to the server that gave it",
		func(args [][]byte, o, th replyNode) bool {
			walked := len(o.elems) == 2 && len(th.elems) == 2
			return walked && (string(args[2]) != "0" || o.elems[0].text != "0" || th.elems[0].text != "0") || sameAnyOrder(args, o, th)
		}, nil},
	{"GEODIST GEOSEARCH GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO",
		"sines and cosines are computed by other programs, which may differ in the last bit", sameDistances, nil},
	{"SORT SORT_RO", "the weights of sets and sorted sets are looked up in no promised order, and what is not sorted comes in none; " +
		"7.0 takes a score for no number that is too small to keep all its digits, when it unpacks the sorted set",
		func(args [][]byte, o, th replyNode) bool {
			if strings.HasPrefix(th.text, "ERR One or more scores") {
				return areNumbers(o)
			}
			return inNoOrder(args) && o.kind == th.kind && len(o.elems) == len(th.elems)
		}, inAnyOrder},
	{"DUMP", "long strings may be compressed or not", func(_ [][]byte, o, th replyNode) bool {
		return o.null == th.null
	}, nil},
	{"TTL EXPIRETIME OBJECT", "the servers do not look at the clock at the same instant; values are not shared here, " +
		"so the reference count is always 1, and a value is not older than its key; whole numbers are held as integers also after INCRBYFLOAT; " +
		"small lists and sets are packed, as in Redis 7.2",
		func(args [][]byte, o, th replyNode) bool {
			if len(args) == 3 && equalFold(args[1], "REFCOUNT") {
				return o.text == "1" && (th.text == "1" || th.text == "2147483647")
			}
			if len(args) == 3 && equalFold(args[1], "IDLETIME") && o.text == "0" {
				return th.kind == ':'
			}
			if len(args) == 3 && equalFold(args[1], "ENCODING") && (o.text == "int" || newerEncoding(args[2], o.text, th.text)) {
				return true
			}
			if len(args) == 3 && equalFold(args[1], "ENCODING") && o.text == "listpack" {
				return th.text == "quicklist" || th.text == "hashtable"
			}
			return within(o, th, 5)
		}, nil},
	{"HKEYS HVALS SMEMBERS SPOP SINTER SUNION SDIFF", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return o.kind == th.kind && slices.Equal(texts(o), texts(th))
	}, nil},
	{"HGETALL", "no order is promised", func(_ [][]byte, o, th replyNode) bool {
		return o.kind == th.kind && slices.Equal(pairs(o), pairs(th))
	}, nil},
	{"HSCAN SSCAN", "a cursor means something only to the server that gave it, and no order is promised; " +
		"NOVALUES came with Valkey 8", sameScan, nil},
	{"HRANDFIELD SRANDMEMBER", "the servers draw other elements", sameShape, nil},
	{"PTTL PEXPIRETIME", "the servers do not look at the clock at the same instant",
		func(_ [][]byte, o, th replyNode) bool { return within(o, th, clockTolerance.Milliseconds()) }, nil},
	{"BITCOUNT BITPOS", "Redis 7.2 complains of bad arguments also when the key is missing or of another type, 7.0 only afterwards; " +
		"BITCOUNT needs no end since Valkey 8",
		func(args [][]byte, o, th replyNode) bool {
			if len(args) == 3 && equalFold(args[0], "BITCOUNT") && th.kind == '-' {
				return true
			}
			return o.kind == '-' && (th.kind == ':' || strings.HasPrefix(th.text, "WRONGTYPE"))
		},
		func(theirs, _ []string) []string { return theirs }},
	{"SET MSET MSETNX GETSET BITOP SETNX SETEX PSETEX", "a key whose time is over is overwritten without a DEL before",
		nil, withoutMissingDeletes},
	{"BLMOVE BRPOPLPUSH", "nobody may wait here, as in a transaction, where the reply is another one than that of a wait in vain",
		func(_ [][]byte, o, th replyNode) bool { return o.null && th.null }, nil},
	{"LPOS", "the lowest integer has no opposite to count from the other end with; 7.0 overflows",
		func(args [][]byte, o, _ replyNode) bool {
			return slices.ContainsFunc(args, func(a []byte) bool { return string(a) == "-9223372036854775808" }) &&
				"ERR "+strings.TrimPrefix(o.text, "ERR ") == string(errCountRange)
		}, withoutMissingDeletes},
	{"BITFIELD", "a string that OVERFLOW FAIL left unchanged but longer is propagated, so that a replica gets as long",
		nil, func(theirs, ours []string) []string {
			for _, line := range theirs {
				if strings.Contains(lower(line), ": bitfield ") {
					return theirs
				}
			}
			return ours
		}},
}

// areNumbers says whether a reply is an array of numbers, for which no text at all
// passes in SORT.
func areNumbers(n replyNode) bool {
	return n.kind == '*' && !slices.ContainsFunc(n.elems, func(e replyNode) bool {
		_, err := strconv.ParseFloat(e.text, 64)
		return err != nil && e.text != ""
	})
}

// inNoOrder says whether a SORT does not sort, or compares only texts that may be
// equal.
func inNoOrder(args [][]byte) bool {
	by := slices.IndexFunc(args, func(a []byte) bool { return equalFold(a, "BY") })
	return by > 0 && by+1 < len(args) &&
		(!bytes.ContainsRune(args[by+1], '*') || slices.ContainsFunc(args, func(a []byte) bool { return equalFold(a, "ALPHA") }))
}

// newerEncoding: Redis 7.2 packs small sets of strings, 7.0 does not.
func newerEncoding(key []byte, ours, theirs string) bool {
	return !strings.HasPrefix(string(key), "hash") && ours == "listpack" && theirs == "hashtable"
}

// pairs are the elements of a reply two by two, sorted.
func pairs(n replyNode) []string {
	var all []string
	for i := 0; i+1 < len(n.elems); i += 2 {
		all = append(all, fmt.Sprintf("%q %q", n.elems[i].text, n.elems[i+1].text))
	}
	slices.Sort(all)
	return all
}

func sameScan(args [][]byte, o, th replyNode) bool {
	if len(o.elems) != 2 || len(th.elems) != 2 {
		return slices.ContainsFunc(args, func(a []byte) bool { return equalFold(a, "NOVALUES") })
	}
	if string(args[2]) != "0" || o.elems[0].text != "0" || th.elems[0].text != "0" {
		return true // a part, and not the same one
	}
	if upper(string(args[0])) == "HSCAN" {
		return slices.Equal(pairs(o.elems[1]), pairs(th.elems[1]))
	}
	return slices.Equal(texts(o.elems[1]), texts(th.elems[1]))
}

// sameShape compares everything of two replies but texts.
func sameShape(args [][]byte, o, th replyNode) bool {
	return o.kind == th.kind && o.null == th.null && o.kind != '-' &&
		slices.EqualFunc(o.elems, th.elems, func(a, b replyNode) bool { return sameShape(args, a, b) })
}

func intended(args [][]byte) difference {
	name := upper(string(args[0]))
	for _, d := range differences {
		if slices.Contains(strings.Fields(d.commands), name) {
			return d
		}
	}
	return difference{}
}

func (d difference) sameReply(args [][]byte, ours, theirs []byte) bool {
	if bytes.Equal(ours, theirs) {
		return true
	}
	if d.same == nil {
		return false
	}
	o, _, err1 := parseReply(ours)
	th, _, err2 := parseReply(theirs)
	return err1 == nil && err2 == nil && d.same(args, o, th)
}

func (d difference) effects(theirs, ours []string) []string {
	if d.adjust == nil {
		return theirs
	}
	return d.adjust(theirs, ours)
}

// events takes from the real server's events those that come of finding a key
// expired, or not at all, where we do not look for it.
func (d difference) events(theirs, ours []string) []string {
	if d.adjust == nil {
		return theirs
	}
	if further := furtherEvents[d.commands]; further != "" && len(ours) > len(theirs) && slices.Equal(ours[:len(theirs)], theirs) &&
		!slices.ContainsFunc(ours[len(theirs):], func(line string) bool { return !strings.Contains(line, further) }) {
		return ours
	}
	kept := slices.DeleteFunc(slices.Clone(theirs), func(line string) bool {
		return (strings.Contains(line, ": expired ") || strings.Contains(line, ": keymiss ")) && !slices.Contains(ours, line)
	})
	if slices.Equal(slices.Sorted(slices.Values(kept)), slices.Sorted(slices.Values(ours))) {
		return ours // SCAN meets keys in another order
	}
	return kept
}

func texts(n replyNode) []string {
	var all []string
	for _, e := range n.elems {
		all = append(all, e.text)
	}
	slices.Sort(all)
	return all
}

func within(o, th replyNode, tolerance int64) bool {
	a, err1 := strconv.ParseInt(o.text, 10, 64)
	b, err2 := strconv.ParseInt(th.text, 10, 64)
	return o.kind == ':' && th.kind == ':' && err1 == nil && err2 == nil && (a < 0) == (b < 0) &&
		a-b <= tolerance && b-a <= tolerance
}

// inAnyOrder takes the effects of the real server in our order.
func inAnyOrder(theirs, ours []string) []string {
	if slices.Equal(slices.Sorted(slices.Values(theirs)), slices.Sorted(slices.Values(ours))) {
		return ours
	}
	return theirs
}

// withoutMissingDeletes drops DELs that only the real server sent, and MULTI and
// EXEC if less than two commands are left between them.
func withoutMissingDeletes(theirs, ours []string) []string {
	var kept []string
	for _, line := range theirs {
		if line == "MULTI" || line == "EXEC" || (strings.Contains(line, ": DEL ") && !slices.Contains(ours, line)) {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) > 1 {
		kept = append(append([]string{"MULTI"}, kept...), "EXEC")
	}
	return kept
}

// sameEffects compares lines word by word; two points in time within a few
// seconds of each other are the same, because the two servers do not look at
// the clock at the same instant.
func sameEffects(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool {
		return slices.EqualFunc(strings.Split(x, " "), strings.Split(y, " "), func(v, w string) bool {
			return v == w || nearlySameTime(v, w)
		})
	})
}

const clockTolerance = 10 * time.Second

func nearlySameTime(v, w string) bool {
	a, errA := strconv.ParseInt(v, 10, 64)
	b, errB := strconv.ParseInt(w, 10, 64)
	year2001 := int64(1e12)
	return errA == nil && errB == nil && a > year2001 && b > year2001 && max(a-b, b-a) <= clockTolerance.Milliseconds()
}
