package command

import "strconv"

// ~S is a key that mostly holds a set, ~e one of a few members, ~i a small
// integer, ~E so many members that the set becomes a large one, ~I the same with
// integers, ~m a key that holds one thing or another. What is drawn at random is drawn from a set of one, or all is.
var setTemplates = lines(`
SADD ~S ~e
SADD ~S ~e ~e ~i
SADD ~S ~i ~i ~i
SADD ~S ~i
SADD ~S v
SADD ~S ~E
SADD ~S ~I
SADD ~m ~e
SET ~m v
HSET ~m ~e v
DEL ~m
SREM ~S ~e
SREM ~S ~i ~e
SREM ~S ~E
SREM ~S ~I
SREM [~m|k] ~e
SMOVE ~S ~S ~e
SMOVE ~S ~S ~i
SMOVE ~S ~m ~e
SMOVE [~m|k] ~S ~e
SISMEMBER [~S|~m] ~e
SISMEMBER ~S ~i
SMISMEMBER ~S ~e ~i v
SMISMEMBER k v
SCARD ~S
SCARD k
SMEMBERS ~S
SMEMBERS k
SPOP ~S [1000000|0|-1|9223372036854775808|x]
SPOP ~S 1000000 zz
SPOP nosuch
SPOP k 1000000
SRANDMEMBER ~S
SRANDMEMBER ~S [s|0|100|-300|x|-9223372036854775808|9223372036854775807] [||||zz]
SINTER (~S)*
SINTER ~S k
SINTERCARD [1 ~S|2 ~S ~S|3 ~S ~S ~S|2 ~S|0 ~S|n ~S] [||LIMIT s|LIMIT n|zz|LIMIT]
SINTERSTORE ~S (~S)*
SINTERSTORE ~S k
SUNION (~S)*
SUNION ~S k
SUNIONSTORE ~S (~S)*
SUNIONSTORE ~m ~S
SDIFF (~S)*
SDIFF ~S k
SDIFFSTORE ~S (~S)*
SDIFFSTORE ~S ~S ~S ~S
SSCAN ~S c COUNT 10000 [|MATCH g] [||||zz|TYPE set|COUNT 0|NOVALUES]
SSCAN ~S 0 COUNT 1000 MATCH [e*|*1|*]
OBJECT ENCODING ~S
DUMP ~S
TYPE ~S
COPY ~S ~S [|REPLACE]
RENAME ~S ~S
EXPIRE ~S t
DEL ~S
COMMAND GETKEYS [SMOVE ~S ~S v|SINTERCARD 2 ~S ~S LIMIT 1|SDIFFSTORE ~S ~S ~S]
COMMAND GETKEYS [SINTERCARD|ZUNION|ZMPOP|LMPOP|BLMPOP 0] [1e3|1x|+1|-1|" 1"|01|0x1|x|1.9|99999999999999999999] a b LEFT
COMMAND [GETKEYS|GETKEYSANDFLAGS] [ZUNIONSTORE d|SINTERCARD|ZDIFFSTORE d] [1e3|2x|2| 1|x] a b c
`)

func setWord(g *generator, w string) (args [][]byte, ok bool) {
	several := func(prefix string) {
		for i := range 100 + g.rand.IntN(500) {
			args = append(args, []byte(prefix+strconv.Itoa(i)))
		}
	}
	switch w {
	case "~S":
		return one("set" + strconv.Itoa(g.rand.IntN(8))), true
	case "~m":
		return one("mixed" + strconv.Itoa(g.rand.IntN(2))), true
	case "~e":
		if g.rand.IntN(10) == 0 {
			return [][]byte{g.value()}, true
		}
		return one("e" + strconv.Itoa(g.rand.IntN(30))), true
	case "~i":
		return one(strconv.Itoa((g.rand.IntN(40) - 10) << (g.rand.IntN(3) * 12))), true
	case "~E":
		several("e")
		return args, true
	case "~I":
		several("")
		return args, true
	}
	return nil, false
}
