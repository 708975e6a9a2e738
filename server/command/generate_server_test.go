package command

// several makes commands that belong together: mostly one on data, sometimes a
// transaction or a script around some.
func (g *generator) several() [][][]byte {
	switch g.rand.IntN(10) {
	case 0:
		return g.transaction()
	case 1, 2:
		return [][][]byte{g.script()}
	}
	return [][][]byte{g.single()}
}

// transaction makes one that is executed, given up, or has lost a key that it
// watches.
func (g *generator) transaction() (all [][][]byte) {
	add := func(line string) { all = append(all, g.fill(line)) }
	if g.rand.IntN(3) == 0 {
		add("WATCH k k")
		if g.rand.IntN(2) == 0 {
			all = append(all, g.forOthers())
		}
	}
	add("MULTI")
	for range g.rand.IntN(5) {
		all = append(all, g.forOthers())
	}
	switch g.rand.IntN(12) {
	case 0:
		add("DISCARD")
	case 1:
		add("MULTI")
		add("EXEC")
	case 2:
		add("nosuch k")
		add("EXEC")
	default:
		add("EXEC")
	}
	return all
}

// forOthers makes a command that can be put into a transaction or a script, where
// replies in no promised order can not be told from others, and another database
// would stay selected.
func (g *generator) forOthers() [][]byte {
	for {
		args := g.single()
		if intended(args).same == nil && !equalFold(args[0], "SELECT") && !equalFold(args[0], "SWAPDB") &&
			!equalFold(args[0], "SORT") && !equalFold(args[0], "SORT_RO") && !equalFold(args[0], "BITFIELD") &&
			!equalFold(args[0], "XCLAIM") && !equalFold(args[0], "XAUTOCLAIM") && !equalFold(args[0], "COMMAND") && !drawsAtRandom(args[0]) && !mayWait(args[0]) {
			return args
		}
	}
}

// scripts call the commands that they are given. Each command is a number of words
// and the words.
var scripts = []string{
	"local r = false local i = 1 while i <= #ARGV do local n = tonumber(ARGV[i]) r = redis.pcall(unpack(ARGV, i + 1, i + n)) i = i + n + 1 end return r",
	"local all = {} local i = 1 while i <= #ARGV do local n = tonumber(ARGV[i]) all[#all + 1] = redis.pcall(unpack(ARGV, i + 1, i + n)) i = i + n + 1 end return all",
	"redis.setresp(3) local r = redis.pcall(unpack(ARGV, 2, 1 + tonumber(ARGV[1]))) return r",
	"local r = redis.call(unpack(ARGV, 2, 1 + tonumber(ARGV[1]))) return {type(r), r}",
	"local r = redis.pcall(unpack(ARGV, 2, 1 + tonumber(ARGV[1]))) if type(r) == 'table' then return cjson.encode(r) end return tostring(r)",
}

func (g *generator) script() [][]byte {
	args := g.fill("EVAL")
	args = append(args, []byte(g.pick(scripts)), []byte("0"))
	for range 1 + g.rand.IntN(3) {
		command := g.forOthers()
		args = append(args, appendInt(nil, int64(len(command))))
		args = append(args, command...)
	}
	return args
}
