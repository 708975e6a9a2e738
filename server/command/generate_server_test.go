package command

// several makes commands that belong together: mostly one on data, sometimes a
// transaction or a script around some.
func (g *generator) several() [][][]byte {
	switch g.rand.IntN(10) {
	case 0:
		return g.transaction()
	case 1, 2:
		return [][][]byte{g.script()}
	case 3:
		return g.function()
	}
	return [][][]byte{g.single()}
}

// elsewhere before a command has another client send it.
const elsewhere = "elsewhere"

// transaction makes one that is executed, given up, or has lost a key that it
// watches.
func (g *generator) transaction() (all [][][]byte) {
	add := func(line string) { all = append(all, g.fill(line)) }
	if g.rand.IntN(3) == 0 {
		add("WATCH [k k|k zset1|stream1 hash1|set1 list1]")
		switch g.rand.IntN(4) {
		case 0:
			all = append(all, g.forOthers())
		case 1, 2:
			all = append(all, append(one(elsewhere), g.forOthers()...))
		}
	}
	add("MULTI")
	for range g.rand.IntN(5) {
		all = append(all, g.forOthers())
		if g.rand.IntN(8) == 0 {
			all = append(all, append(one(elsewhere), g.forOthers()...))
		}
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
	if g.rand.IntN(4) == 0 {
		line := g.fill("[1|2|2] k [k|hash1|zset1] s [v|s]")
		return append([][]byte{[]byte("EVAL"), []byte(g.pick(programs))}, line...)
	}
	args := append(g.fill("EVAL"), []byte(g.pick(scripts)), []byte("0"))
	return g.appendCommands(args)
}

// programs decide what to do next by what a command before has replied.
var programs = []string{
	"if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[1]) return 'made' end return redis.call('TYPE', KEYS[1])",
	"local t = redis.call('TYPE', KEYS[1]).ok if t == 'string' then redis.call('APPEND', KEYS[1], ARGV[1]) return redis.call('STRLEN', KEYS[1]) elseif t == 'none' then return redis.status_reply('NONE') else return redis.error_reply('other ' .. t) end",
	"local n = 0 for i = 1, 10 do n = n + redis.call('HSET', 'hash5', 'f' .. i, i * (tonumber(ARGV[1]) or 1)) end local gone = redis.call('HDEL', 'hash5', 'f1', 'f20') return {n, gone, redis.call('HLEN', 'hash5')}",
	"local r = redis.pcall('INCR', KEYS[1]) if type(r) == 'table' and r.err then redis.call('DEL', KEYS[1]) return r end return r + 1",
	"for i = 1, 5 do redis.call('RPUSH', 'list3', i) end local all = redis.call('LRANGE', 'list3', 0, -1) for i, e in ipairs(all) do redis.call('ZADD', 'zset4', i, e) end redis.call('LTRIM', 'list3', -3, -1) return all",
	"redis.call('SET', KEYS[1], ARGV[1]) redis.call('LPUSH', KEYS[1], 1) return 'never'",
	"redis.set_repl(redis.REPL_NONE) redis.call('SET', 'alone', 1) redis.set_repl(redis.REPL_ALL) redis.call('DEL', 'alone') return redis.call('GET', 'alone')",
	"return {cjson.decode('{\"a\":[1,2.5,null]}').a[2], struct.unpack('>I2', struct.pack('>I2', 300)), cmsgpack.unpack(cmsgpack.pack(ARGV[1])), bit.band(255, 15), redis.sha1hex(ARGV[1])}",
	"redis.setresp(3) redis.call('ZADD', 'zset4', 1.5, 'm') return {redis.call('ZSCORE', 'zset4', 'm'), {double = 2.5}, {map = {k = 1}}, true, false}",
}

// function loads a library, and calls one of its functions: run, which calls the
// commands that it is given, and count, which may not write.
func (g *generator) function() [][][]byte {
	load := g.fill("FUNCTION LOAD [|REPLACE|REPLACE|REPLACE]")
	load = append(load, []byte("#!lua name="+g.pick([]string{"lib1", "lib2", "lib2"})+"\n"+
		"local function run(keys, args) local r = false local i = 1 while i <= #args do local n = tonumber(args[i]) r = redis.pcall(unpack(args, i + 1, i + n)) i = i + n + 1 end return r end\n"+
		"redis.register_function('"+g.pick([]string{"run", "run", "go"})+"', run)\n"+
		"redis.register_function{function_name = '"+g.pick([]string{"count", "rest"})+"', callback = run, flags = {'no-writes'}}"))
	all := [][][]byte{load}
	for range g.rand.IntN(3) {
		all = append(all, g.appendCommands(g.fill("[FCALL|FCALL|FCALL_RO] [run|go|count|rest] 0")))
	}
	if g.rand.IntN(4) == 0 {
		all = append(all, g.fill("FUNCTION [DELETE lib1|DELETE lib2|FLUSH|FLUSH ASYNC|zz|DELETE none]"))
	}
	return all
}

// appendCommands appends commands as the scripts and functions here take them.
func (g *generator) appendCommands(args [][]byte) [][]byte {
	for range 1 + g.rand.IntN(3) {
		command := g.forOthers()
		args = append(args, appendInt(nil, int64(len(command))))
		args = append(args, command...)
	}
	return args
}
