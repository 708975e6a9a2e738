package script

import (
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/resp"
)

// quietHost is a server without commands.
type quietHost struct{ interrupts int }

func (*quietHost) Call(args [][]byte, _ int) (reply []byte, refused string) {
	return append(append([]byte("+"), args[0]...), "\r\n"...), ""
}
func (*quietHost) Allowed([][]byte) (allowed, known bool) { return true, true }
func (*quietHost) SetReplication(int)                     {}
func (*quietHost) Log(int, string)                        {}
func (*quietHost) CountError(string)                      {}
func (h *quietHost) Interrupt() string {
	if h.interrupts++; h.interrupts > 50 {
		return "Script killed"
	}
	return ""
}

func newTestEngine() *Engine {
	return New(&quietHost{}, Versions{Redis: "7.2.4", Server: "1.2.3", Name: "test"})
}

// eval runs a script and returns its reply.
func eval(t testing.TB, e *Engine, body string, args ...string) string {
	t.Helper()
	s, err := e.Compile(body)
	if err != nil {
		return "-" + CompileError(err)
	}
	given := make([][]byte, len(args))
	for i, a := range args {
		given[i] = []byte(a)
	}
	var out resp.Writer
	e.Run(s, "sha", nil, given, &out)
	return string(out.Buf)
}

func TestAScriptThatTakesTooMuchMemoryEnds(t *testing.T) {
	for _, body := range []string{
		"local s = 'x' while true do s = s .. s end",
		"local t = {} while true do t[#t + 1] = {} end",
		"local t = {} while true do t[#t + 1] = #t .. 'x' end",
		"local t = {} for i = 1, 1e9 do t[i .. ''] = i end",
		"local function f() return f end local t = {} while true do t[#t + 1] = function() return t end end",
		"local s = ('x'):rep(1e6) while true do s = s:gsub('x', 'xx') end",
		"local s = ('x'):rep(1e6) local t = {} while true do t[#t + 1] = s:upper() .. #t end",
		"local t = {} while true do t[#t + 1] = cjson.decode('[[],[],[],[],[],[],[],[]]') end",
		"local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
		"local s = '[' while true do s = s .. s .. ',' pcall(cjson.decode, s) end",
	} {
		e := New(&quietHost{interrupts: -1 << 40}, Versions{})
		e.l.Limit = 32 << 20
		if got := eval(t, e, body); !strings.Contains(got, "not enough memory") {
			t.Errorf("%s: %q", body, got)
		}
		if got := eval(t, e, "return 'fine'"); got != "$4\r\nfine\r\n" {
			t.Errorf("after %s: %q", body, got)
		}
	}
}

func TestGarbageDoesNotCountAsMemory(t *testing.T) {
	e := New(&quietHost{interrupts: -1 << 40}, Versions{})
	e.l.Limit = 64 << 20
	if got := eval(t, e, "for i = 1, 300 do local s = ('x'):rep(1e6) .. i end return 'fine'"); got != "$4\r\nfine\r\n" {
		t.Errorf("300 MB of garbage: %q", got)
	}
}

func TestNoScriptCatchesItsEnd(t *testing.T) {
	for _, body := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"while true do xpcall(function() while true do end end, function() while true do end end) end",
		"local function f() return f() end f()",
		"for i = 1, math.huge do end",
		"repeat until false",
		"for _ in function() return 1 end do end",
		"table.sort({5,4,3,2,1,0}, function() while true do end end)",
		"(' '):rep(100):gsub(' ', function() while true do end end)",
		"local t = {} for i = 1, 1e5 do t[i] = i end while true do table.concat(t) end",
		"return (('a'):rep(60)):find(('.-'):rep(30) .. 'b')",
		"local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
		"coroutine.wrap(function() while true do end end)()",
		"setmetatable({}, {__index = function() while true do end end}).x()",
		"return cmsgpack.pack(setmetatable({}, {__index = 1})) .. #(function() while true do end end)()",
	} {
		if got := eval(t, newTestEngine(), body); !strings.Contains(got, "Script killed") {
			t.Errorf("%s: %q", body, got)
		}
	}
}

func TestScriptsKnowTheServerByBothNames(t *testing.T) {
	e := newTestEngine()
	for body, want := range map[string]string{
		"return server.SERVER_NAME .. server.SERVER_VERSION .. server.REDIS_VERSION": "$14\r\ntest1.2.37.2.4\r\n",
		"return server.REDIS_VERSION_NUM":                                            ":459268\r\n",
		"return server.call == redis.call":                                           ":1\r\n",
		"return server.call('ping')":                                                 "+ping\r\n",
		"return type(os.clock()) .. type(os.time)":                                   "$9\r\nnumbernil\r\n",
	} {
		if got := eval(t, e, body); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// Fractions are spelled with the fewest digits, as Redis 7.2 does; 7.0 has 17.
func TestNumbersAsArgumentsAreSpelledShortly(t *testing.T) {
	e := newTestEngine()
	for body, want := range map[string]string{
		"0.1": "0.1", "1/3": "0.3333333333333333", "1e20": "100000000000000000000", "2^62": "4611686018427387904", "-2^53": "-9007199254740992",
		"1e100": "1e+100", "1.5e-10": "1.5e-10", "1/0": "inf", "0.5": "0.5", "123456789.125": "123456789.125",
	} {
		if got := eval(t, e, "return redis.call("+body+")"); got != "+"+want+"\r\n" {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// What the decoders make of any bytes is a value or an error, and what is encoded
// of that value is as long as what is encoded of its copy: maps may have another order.
func fuzzDecoder(f *testing.F, library, decode, encode string) {
	e := newTestEngine()
	e.l.Limit = 256 << 20
	f.Fuzz(func(t *testing.T, data string) {
		e.host.(*quietHost).interrupts = 0
		reply := eval(t, e, `
			local ok, v = pcall(`+library+`.`+decode+`, ARGV[1])
			if not ok or v == nil then return 'error' end
			local ok, s = pcall(`+library+`.`+encode+`, v)
			if not ok then return 'error' end
			local again = `+library+`.`+encode+`(`+library+`.`+decode+`(s))
			if #again ~= #s then return {s, again} end
			return 'same'`, data)
		if reply != "$4\r\nsame\r\n" && reply != "$5\r\nerror\r\n" {
			t.Errorf("%q: %q", data, reply)
		}
	})
}

func FuzzMsgpack(f *testing.F) {
	for _, s := range []string{"", "\x01", "\x93\x01\x02\x03", "\x81\xa1a\x01", "\xdd\xff\xff\xff\xff", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", "\xd9\x03abc", "\xdf\x00\x00\x00\x01\xc3\xc2"} {
		f.Add(s)
	}
	fuzzDecoder(f, "cmsgpack", "unpack", "pack")
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "[1,2.5,-3e4]", `{"a":{"b":[true,false,null]}}`, `"é\n\\"`, "0x1F", "nan", "[[[]]]", "{", `"\ud83d\ude00"`} {
		f.Add(s)
	}
	fuzzDecoder(f, "cjson", "decode", "encode")
}

func FuzzStruct(f *testing.F) {
	f.Add(">I2hc3s", "abcdefghij\x00")
	f.Add("!8bidLx", "0123456789012345678901234567890123456789")
	f.Add("bc0", "\x03abc")
	e := newTestEngine()
	f.Fuzz(func(t *testing.T, format, data string) {
		e.host.(*quietHost).interrupts = 0
		reply := eval(t, e, `pcall(struct.size, ARGV[1]) pcall(struct.pack, ARGV[1], 1, 2, 3, 4)
			local ok = pcall(struct.unpack, ARGV[1], ARGV[2]) return ok and 'value' or 'error'`, format, data)
		if reply != "$5\r\nvalue\r\n" && reply != "$5\r\nerror\r\n" {
			t.Errorf("%q %q: %q", format, data, reply)
		}
	})
}

func BenchmarkSetByScript(b *testing.B) {
	e := newTestEngine()
	s, err := e.Compile("return redis.call('SET', KEYS[1], ARGV[1])")
	if err != nil {
		b.Fatal(err)
	}
	keys, args := [][]byte{[]byte("key:000000001")}, [][]byte{make([]byte, 32)}
	var out resp.Writer
	b.ReportAllocs()
	for b.Loop() {
		out.Buf = out.Buf[:0]
		e.Run(s, "sha", keys, args, &out)
	}
}

func BenchmarkLoop(b *testing.B) {
	e := newTestEngine()
	s, err := e.Compile("local s = 0 for i = 1, 1000 do s = s + i % 7 end return s")
	if err != nil {
		b.Fatal(err)
	}
	var out resp.Writer
	for b.Loop() {
		out.Buf = out.Buf[:0]
		e.host.(*quietHost).interrupts = 0
		e.Run(s, "sha", nil, nil, &out)
	}
}
