package command

import (
	"fmt"
	"strconv"
	"strings"
)

// ~l is a key that mostly holds a list, ~n a list of numbers, ~s a set, ~z a sorted set, ~e an element, ~w the
// name of a weight and ~p the pattern of one.
var sortTemplates = lines(`
RPUSH ~l (~e)*
RPUSH ~l (~e)*
RPUSH ~n (s)*
RPUSH ~n (s)* [|f]
LTRIM ~l 0 20
LTRIM ~n 0 20
SET ~w s
SET ~w s PXAT 1
SET ~w [f|v]
HSET ~wh field [s|s|v]
DEL ~w
SORT ~n
SORT ~n [|ASC|DESC] [|LIMIT s s] [|ALPHA]
SORT ~n [|ASC|DESC|BY nosort] [|LIMIT 1 3|LIMIT n n] [|STORE ~l|STORE ~n|STORE k]
SORT ~l ALPHA [|DESC] [|LIMIT s s] [|STORE ~l|STORE k]
SORT ~l BY ~p [|DESC] [|LIMIT 0 2] [|STORE ~l]
SORT ~l BY ~p ALPHA [|DESC] [|STORE ~l]
SORT ~l [BY nosort|ALPHA|BY ~p] (GET ~p)* [|DESC] [|LIMIT 0 2] [|STORE k]
SORT [~l|~n|k] [|DESC|BY ~p|ALPHA]
SADD ~s (~e)* [|~e]
ZADD ~z s ~e s ~e
SREM ~s (~e)*
SORT [~s|~z] [|DESC] [|LIMIT s s] [|ALPHA] [|STORE ~l]
SORT [~s|~z] BY weight_*_x [|DESC] [|LIMIT s s] [|STORE ~l]
SORT ~z BY nosort [|DESC] [|LIMIT s s] [|STORE ~l]
SORT ~s BY nosort STORE ~l
SORT_RO ~l BY ~p [GET #|GET ~p|STORE k|ALPHA|LIMIT 0 x]
`)

func sortWord(g *generator, w string) (args [][]byte, ok bool) {
	element := func() string { return strconv.Itoa(g.rand.IntN(8)) }
	switch w {
	case "~l":
		return one(fmt.Sprintf("sortlist%d", g.rand.IntN(3))), true
	case "~n":
		return one(fmt.Sprintf("numbers%d", g.rand.IntN(2))), true
	case "~s":
		return one(fmt.Sprintf("sortset%d", g.rand.IntN(2))), true
	case "~z":
		return one(fmt.Sprintf("sortzset%d", g.rand.IntN(2))), true
	case "~e":
		return one(element()), true
	case "~w":
		return one("weight_" + element() + "_x"), true
	case "~wh":
		return one("weights_" + element()), true
	case "~p":
		patterns := strings.Fields("weight_*_x weight_*_x weights_*->field weights_*->field # none * weight_*_y weights_*-> *->field")
		return one(g.pick(patterns)), true
	}
	return nil, false
}
