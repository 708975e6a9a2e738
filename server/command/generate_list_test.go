package command

import (
	"fmt"
	"strings"
)

// ~l is a key that mostly holds a list, ~e an element of which there are few, ~i an
// index, ~end an end of a list.
var listTemplates = lines(`
LPUSH ~l (~e)*
RPUSH ~l (~e)*
RPUSH ~l (~e)* (~e)* (~e)* (~e)*
RPUSH ~l (~big)*
LPUSH ~l ~big
LPUSHX ~l (~e)*
RPUSHX ~l (~e)*
LPOP ~l
RPOP ~l
LPOP ~l [s|n|2|5|0]
RPOP ~l [s|n|2|5|0]
LPOP ~l 1 2
LLEN ~l
LINDEX ~l ~i
LINDEX ~l [n|v]
LSET ~l ~i ~e
LSET ~l ~i [~big|~e]
LSET ~l [n|v] ~e
LRANGE ~l ~i ~i
LRANGE ~l 0 -1
LRANGE ~l n [n|v]
LTRIM ~l ~i ~i
LTRIM ~l 0 -2
LTRIM ~l n [n|v]
LREM ~l [0|0|1|2|-1|-2|n] ~e
LINSERT ~l [BEFORE|AFTER|before|zz] ~e [~e|~e|~big]
LPOS ~l ~e [|RANK ~i|rank n|RANK 0] [|COUNT 0|COUNT s|COUNT n] [|MAXLEN s|MAXLEN 3|MAXLEN n] [||||zz|RANK 1]
RPOPLPUSH ~l ~l
LMOVE ~l ~l ~end ~end
LMOVE ~l ~l ~end [~end|zz]
LMPOP [1|2|3|0|n] ~l ~l ~end [|COUNT 2|COUNT s|COUNT 1 COUNT 1|zz|COUNT]
LMPOP 2 ~l ~l ~end COUNT 3
LMPOP 1 ~l [zz|~end]
BLPOP ~l 0.001
BRPOP ~l ~l 0.001
BLPOP ~l [-1|x|-0.0001x|nan|1.5e]
BLMPOP 0.001 2 ~l ~l ~end [|COUNT 2|zz]
BLMPOP [-1|x] 2 ~l ~l ~end
BLMOVE ~l ~l ~end ~end 0.001
BLMOVE ~l ~l ~end [zz|~end] -1
BRPOPLPUSH ~l ~l 0.001
LLEN k
OBJECT ENCODING ~l
DUMP ~l
SET ~l v
DEL ~l
EXPIRE ~l t
COPY ~l ~l [|REPLACE]
RENAME ~l ~l
TYPE ~l
PERSIST ~l
COMMAND GETKEYSANDFLAGS [LMPOP 2 a b LEFT|BLMPOP 0 1 a LEFT|BLPOP a b 0|LMOVE a b LEFT LEFT|LPOS a b]
`)

func listWord(g *generator, w string) (args [][]byte, ok bool) {
	switch w {
	case "~l":
		return one(fmt.Sprintf("list%d", g.rand.IntN(4))), true
	case "~e":
		return one(g.pick([]string{"a", "b", "c", "1", "2", "-70000", "", "01", "element", "9223372036854775807"})), true
	case "~big":
		return one(strings.Repeat(g.pick([]string{"x", "yz"}), 10+g.rand.IntN(2)*g.rand.IntN(6000))), true
	case "~i":
		return one(fmt.Sprint(g.rand.IntN(30) - 15)), true
	case "~end":
		return one(g.pick([]string{"LEFT", "RIGHT", "left", "right"})), true
	}
	return nil, false
}
