package command

import "strconv"

// ~h is a key that mostly holds a hash, ~f one of a few fields, ~p some pairs, ~P
// so many pairs that the hash becomes a large one.
var hashTemplates = lines(`
HSET ~H ~p
HSET ~H ~p
HSET ~H ~p
HSET ~H ~P
HSET k ~f v
HSET ~H ~f
HMSET ~H ~p
HMSET ~H ~f
HSETNX ~H ~f v
HGET ~H ~f
HGET k ~f
HMGET ~H ~f ~f v
HMGET k ~f
HDEL ~H ~f
HDEL ~H ~f ~f v
HDEL ~H ~F
HLEN ~H
HLEN k
HSTRLEN ~H ~f
HEXISTS ~H ~f
HKEYS ~H
HVALS ~H
HGETALL ~H
HGETALL k
HINCRBY ~H ~f [n|s|s]
HINCRBY k ~f s
HINCRBYFLOAT ~H ~f [f|f|n|v]
HSCAN ~H c COUNT 10000 [|MATCH g] [||||zz|TYPE hash|COUNT 0]
HSCAN ~H 0 COUNT 1000 MATCH [f*|*1|*]
HRANDFIELD ~H
HRANDFIELD ~H [s|0|100|-300|x|-9223372036854775808|9223372036854775807] [||WITHVALUES|zz|WITHVALUES zz]
HRANDFIELD k s
OBJECT ENCODING ~H
DUMP ~H
TYPE ~H
COPY ~H ~H [|REPLACE]
RENAME ~H ~H
EXPIRE ~H t
DEL ~H
UNLINK ~H
`)

func hashWord(g *generator, w string) (args [][]byte, ok bool) {
	field := func() []byte {
		if g.rand.IntN(10) == 0 {
			return g.value()
		}
		return []byte("f" + strconv.Itoa(g.rand.IntN(30)))
	}
	switch w {
	case "~H":
		return one("hash" + strconv.Itoa(g.rand.IntN(6))), true
	case "~f":
		return [][]byte{field()}, true
	case "~p":
		for range 1 + g.rand.IntN(4) {
			args = append(args, field(), g.value())
		}
		return args, true
	case "~P":
		for i := range 300 + g.rand.IntN(300) {
			args = append(args, []byte("f"+strconv.Itoa(i)), []byte(strconv.Itoa(i)))
		}
		return args, true
	case "~F":
		for i := range 500 {
			args = append(args, []byte("f"+strconv.Itoa(i)))
		}
		return args, true
	}
	return nil, false
}
