package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ~z is a key that mostly holds a sorted set, ~f one whose scores are mostly the
// same, ~m a member of which there are few, ~s a score, ~b and ~B the ends of a
// range of scores and of members, ~r a rank, ~by what a range is of, ~many many
// scores and members.
var sortedSetTemplates = lines(`
ZADD ~z (~p ~m)*
ZADD ~z (~p ~m)*
ZADD ~z (~p ~m)* (~p ~m)* (~p ~m)*
ZADD ~z [NX|XX|GT|LT|CH|INCR] (~p ~m)*
ZADD ~z [|NX|XX|GT|LT] [CH|INCR|ch] [|XX|GT|LT|zz] ~s ~m
ZADD ~z [NX|XX] [GT|LT|XX|CH] (~p ~m)*
ZADD ~z ~s ~m [|~s|~m|~s zz]
ZADD ~z ~many
ZADD ~z ~s ~long
ZADD ~f (1 ~m)* (1 ~m)* (1 ~m)*
ZADD ~f 1 ~m
ZADD ~f ~same
ZINCRBY ~z ~s ~m
ZINCRBY ~z [f|s|nx|inf|-inf] ~m
ZREM ~z (~m)*
ZREM ~z (~m)*
ZREM ~f (~m)*
ZREMRANGEBYRANK ~z [~r ~r|1 2|-3 -2|n s|s v]
ZREMRANGEBYSCORE ~z ~b ~b
ZREMRANGEBYSCORE ~z [1 3|~b 2|2 ~b|5 1]
ZREMRANGEBYLEX ~f ~B ~B
ZCARD ~z
ZCOUNT ~z ~b ~b
ZLEXCOUNT ~f ~B ~B
ZSCORE ~z ~m
ZSCORE ~f ~m
ZMSCORE ~z (~m)*
ZRANK ~z ~m
ZREVRANK ~z ~m
ZRANK ~f ~m
ZRANGE ~z ~r ~r [|WITHSCORES|REV|REV WITHSCORES|withscores rev|LIMIT 0 5|LIMIT 1 -1|BYSCORE|zz]
ZRANGE ~z 0 -1 WITHSCORES
ZRANGE ~z ~b ~b BYSCORE [|REV|rev|REV REV] [|WITHSCORES] [|LIMIT s s|LIMIT 1 2|LIMIT 1|LIMIT n n|LIMIT s -1]
ZRANGE ~f ~B ~B BYLEX [|REV] [|||WITHSCORES|BYSCORE] [|LIMIT s s|LIMIT 1 2|LIMIT x 1]
ZRANGE ~z [s|n] [s|n|v]
ZRANGESTORE ~z ~z ~r ~r [|REV|WITHSCORES|LIMIT 0 1]
ZRANGESTORE ~z ~z ~b ~b BYSCORE [|REV] [|LIMIT s s|LIMIT 1 2]
ZRANGESTORE ~f ~f ~B ~B BYLEX [|REV] [|LIMIT 1 2]
ZRANGESTORE ~z k 0 -1
ZREVRANGE ~z ~r ~r [|WITHSCORES|REV]
ZRANGEBYSCORE ~z ~b ~b [|WITHSCORES] [|LIMIT s s|LIMIT 1 2|BYLEX|REV]
ZREVRANGEBYSCORE ~z ~b ~b [|WITHSCORES] [|LIMIT s s|LIMIT 1 2]
ZREVRANGEBYSCORE ~z inf -inf WITHSCORES
ZRANGEBYLEX ~f ~B ~B [|LIMIT s s|LIMIT 1 2|WITHSCORES]
ZREVRANGEBYLEX ~f ~B ~B [|LIMIT s s|LIMIT 1 2]
[ZUNION|ZINTER] [1|2|2|3|0|n] ~z ~z [|~z|~f] [|WEIGHTS ~s ~s|weights 2 -1 inf|WEIGHTS v v] [|AGGREGATE SUM|AGGREGATE MIN|AGGREGATE max|AGGREGATE zz] [|WITHSCORES]
[ZUNION|ZINTER|ZDIFF] 2 ~z [~z|~f|~x] WITHSCORES
[ZUNION|ZINTER|ZDIFF] 2 [~z|~x|k] [~z|~x]
[ZUNIONSTORE|ZINTERSTORE] ~z [1|2|2|3|0|n] ~z ~z [|~z|~f] [|WEIGHTS ~s ~s|weights 2 -1 inf] [|AGGREGATE SUM|AGGREGATE MIN|AGGREGATE max] [|||WITHSCORES]
[ZUNIONSTORE|ZINTERSTORE|ZDIFFSTORE] ~z 2 [~z|~f|~x] [~z|~x]
ZDIFFSTORE ~z 1 ~z
ZDIFF 2 ~z ~z [|WITHSCORES|WEIGHTS 1 1]
ZINTERCARD 2 ~z ~z [|LIMIT s|LIMIT 0|LIMIT 2|LIMIT x|WITHSCORES]
ZPOPMIN ~z [|s|2|0|n] [||||1]
ZPOPMAX ~z [|s|2|0|n]
ZMPOP [1|2|2|0|n] ~z ~z [MIN|MAX|min|zz] [|COUNT 2|COUNT s|COUNT 0|COUNT 1 COUNT 1|COUNT]
ZMPOP 1 [~z|k] [MIN|MAX] [|COUNT 3]
BZPOPMIN ~z [0.001|-1|x]
BZPOPMAX ~z ~z 0.001
BZPOPMAX [~z|k] 0.001
BZMPOP 0.001 [1|2] ~z [~z|MIN|zz] [MIN|MAX] [|COUNT 2]
ZRANDMEMBER ~z [|s|3|-3|100|x|-9223372036854775808|9223372036854775807] [|WITHSCORES|zz]
ZSCAN ~z c
ZSCAN ~z 0 [COUNT 100000|MATCH a* COUNT 100000]
ZSCAN ~z 0 [|COUNT 0|COUNT x|zz|MATCH] COUNT 100000
OBJECT ENCODING ~z
OBJECT ENCODING ~f
DEL ~z
SET ~z v
SADD ~x (~m)*
EXPIRE ~z t
COPY ~z ~z [|REPLACE]
RENAME ~z ~z
TYPE ~z
ZCARD k
ZADD k ~s ~m
ZRANGESTORE k ~z 0 -1
COMMAND GETKEYSANDFLAGS [ZADD a 1 b|ZUNION 2 a b|ZUNIONSTORE a 2 b c|BZPOPMIN a b 0|BZMPOP 0 2 a b MIN|ZRANGESTORE a b 0 1]
`)

func sortedSetWord(g *generator, w string) (args [][]byte, ok bool) {
	switch w {
	case "~z":
		return one(fmt.Sprintf("zset%d", g.rand.IntN(5))), true
	case "~f":
		return one(fmt.Sprintf("flat%d", g.rand.IntN(2))), true
	case "~x":
		return one(fmt.Sprintf("set%d", g.rand.IntN(2))), true
	case "~m":
		return one(g.pick([]string{"a", "b", "c", "abc", "1", "2", "-70000", "", "01", "member", "9223372036854775807", "\xff"})), true
	case "~long":
		return one(string(slices.Repeat([]byte{'m'}, 62+g.rand.IntN(5)))), true
	case "~s":
		return one(g.score()), true
	case "~p":
		return one(g.scoreOfMany()), true
	case "~b":
		return one(g.pick([]string{"", "", "(", ""}) + g.score()), true
	case "~B":
		return one(g.pick([]string{"-", "+", "[a", "(a", "[b", "(c", "[", "(", "[1", "[2", "[~", "x", ""})), true
	case "~r":
		return one(strconv.Itoa(g.rand.IntN(16) - 8)), true
	case "~many", "~same":
		from := g.rand.IntN(500)
		for i := range 1 + g.rand.IntN(150) {
			score := "1"
			if w == "~many" {
				score = g.scoreOfMany()
			}
			args = append(args, []byte(score), []byte("many:"+strconv.Itoa(from+i)))
		}
		return args, true
	}
	return nil, false
}

// addsToFlat says whether a command adds to a sorted set whose scores have to stay
// the same: ranges by members have no meaning in others.
func addsToFlat(args [][]byte) bool {
	return len(args) > 1 && equalFold(args[0], "ZADD") && strings.HasPrefix(string(args[1]), "flat")
}

// score is one that a sorted set can hold, or, seldom, that it can not.
func (g *generator) score() string {
	switch n := g.rand.IntN(20); {
	case n == 0:
		return g.pick(floats)
	case n == 1:
		return g.pick([]string{"inf", "-inf", "+inf", "Infinity", "-0", "0x1p-3", "4611686018427387904", "9007199254740993", "1e308", "-1e308",
			"1e21", "123456789012345680000000", "0.000001", "0.0000001", "12345.12345678", "4.9e-324"})
	case n < 6:
		return strconv.FormatFloat(g.rand.NormFloat64()*100, 'g', 1+g.rand.IntN(17), 64)
	}
	return strconv.Itoa(g.rand.IntN(10) - 4)
}

// scoreOfMany is a score of one of several members that are added at once. When they
// are too many for a packed sorted set, 7.0 packs the first ones nevertheless, which
// loses the sign of a zero, and 7.2 does not.
func (g *generator) scoreOfMany() string {
	if s := g.score(); s != "-0" {
		return s
	}
	return "0"
}

// sameScores says whether two replies are the same but for the spelling of
// numbers.
func sameScores(_ [][]byte, o, th replyNode) bool {
	if o.kind != th.kind || o.null != th.null || len(o.elems) != len(th.elems) {
		return false
	}
	for i := range o.elems {
		if !sameScores(nil, o.elems[i], th.elems[i]) {
			return false
		}
	}
	if o.text == th.text || len(o.elems) > 0 {
		return true
	}
	a, errA := strconv.ParseFloat(o.text, 64)
	b, errB := strconv.ParseFloat(th.text, 64)
	return errA == nil && errB == nil && a == b
}

// sameAnyOrder compares a cursor and what comes with it in pairs.
func sameAnyOrder(_ [][]byte, o, th replyNode) bool {
	if len(o.elems) != 2 || len(th.elems) != 2 || o.elems[0].text != th.elems[0].text {
		return false
	}
	pairs := func(n replyNode) (all []string) {
		for i := 0; i+1 < len(n.elems); i += 2 {
			score, _ := strconv.ParseFloat(n.elems[i+1].text, 64)
			all = append(all, fmt.Sprint(n.elems[i].text, " ", score))
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(pairs(o.elems[1]), pairs(th.elems[1]))
}
