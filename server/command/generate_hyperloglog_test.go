package command

import (
	"fmt"
	"strconv"
)

// ~h is a key that mostly holds a HyperLogLog, ~many a lot of elements.
var hyperLogLogTemplates = lines(`
PFADD ~h (v)*
PFADD ~h (v)*
PFADD ~h
PFADD ~h ~many
PFADD k v
PFCOUNT ~h
PFCOUNT ~h
PFCOUNT (~h)*
PFCOUNT ~h k
PFMERGE ~h (~h)*
PFMERGE ~h
PFMERGE ~h k
PFDEBUG [GETREG|DECODE|ENCODING|TODENSE|zz] [~h|~h|k]
PFDEBUG ENCODING ~h
PFSELFTEST x
GET ~h
STRLEN ~h
OBJECT ENCODING ~h
DEL ~h
SET ~h v
`)

func hyperLogLogWord(g *generator, w string) (args [][]byte, ok bool) {
	switch w {
	case "~h":
		return one(fmt.Sprintf("hll%d", g.rand.IntN(4))), true
	case "~many":
		from := g.rand.IntN(5000)
		for i := range 1 + g.rand.IntN(400) {
			args = append(args, []byte("element:"+strconv.Itoa(from+i)))
		}
		return args, true
	}
	return nil, false
}
