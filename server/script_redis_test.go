package server_test

import (
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// bothServers are this server and the real redis-server, which get the same requests.
type bothServers struct {
	t           testing.TB
	ours, redis *servertest.Client
}

func startBoth(t testing.TB, directives ...string) *bothServers {
	t.Helper()
	redis := servertest.StartRedis(t, directives...)
	return &bothServers{t, servertest.Start(t, directives...).Client(t), redis.Client(t)}
}

// same sends a request to both and fails the test unless the replies are the same
// bytes.
func (b *bothServers) same(args ...string) {
	b.t.Helper()
	ours, redis := b.ours.Raw(args...), b.redis.Raw(args...)
	if ours != redis {
		b.t.Errorf("%q\n  ours:  %q\n  redis: %q", args, ours, redis)
	}
}

// scriptsLikeRedis runs each script, by EVAL without keys, on both servers and in
// both versions of the protocol.
func scriptsLikeRedis(t *testing.T, scripts string) {
	b := startBoth(t)
	for _, proto := range []string{"2", "3"} {
		b.ours.Do("HELLO", proto)
		b.redis.Do("HELLO", proto)
		for _, s := range strings.Split(strings.TrimSpace(scripts), "\n") {
			if s = strings.TrimSpace(s); s != "" && !strings.HasPrefix(s, "--") {
				b.same("EVAL", s, "0")
			}
		}
	}
}

func TestScriptRepliesAreConvertedAsRedisDoes(t *testing.T) {
	t.Parallel()
	scriptsLikeRedis(t, `
return 1
return 3.99
return -3.99
return 2^53
return 1e15
return 'text'
return 'a\0b'
return ''
return true
return false
return nil
return
return {}
return {1,2,3}
return {1,2,nil,4}
return {nil,2}
return {1,{2,{3,{}}},'x',true,false}
return {x=1}
return {1,2,x=3}
return {ok='fine'}
return {ok='two\r\nlines'}
return {err='plain'}
return {err='ERR with code'}
return {err='-MINUS x'}
return {err='two\nlines'}
return {{err='inside'},{ok='inside'}}
return {double=3.5}
return {double=3}
return {double=1e100}
return {double=1/0}
return {map={a=1}}
return {map={a={1,2}}}
return {set={a=true}}
return {big_number='12345678901234567890'}
return {verbatim_string={format='txt',string='hi'}}
return {verbatim_string={format='txt'}}
return redis.call('set','a','1')
return redis.call('get','a')
return redis.call('get','missing')
return redis.call('incr','a')
return redis.call('mget','a','missing','a')
return redis.call('ping')
return redis.call('echo','x')
return redis.call('hset','h','f','v')
return redis.call('hgetall','h')
return redis.call('lrange','missing',0,-1)
return type(redis.call('get','missing'))
return type(redis.call('ping'))
return redis.call('ping').ok
return {redis.call('zadd','z',1.5,'m'), redis.call('zscore','z','m')}
redis.setresp(3) return redis.call('hgetall','h')
redis.setresp(3) return redis.call('hgetall','h').map.f
redis.setresp(3) return redis.call('zscore','z','m')
redis.setresp(3) return redis.call('zscore','z','m').double
redis.setresp(3) return redis.call('get','missing')
redis.setresp(3) return type(redis.call('get','missing'))
redis.setresp(3) return redis.call('smembers','missing')
redis.setresp(3) return {true,false}
redis.setresp(3) return redis.call('zrange','z',0,-1,'withscores')
redis.setresp(3) redis.call('sadd','s','x') return redis.call('smembers','s')
return redis.status_reply('YES')
return redis.status_reply()
return redis.error_reply('NO')
return redis.error_reply('-NO way')
return redis.error_reply('My Err')
return redis.error_reply(1)
return redis.call('set','n',1.0)
return redis.call('set','n',10) and redis.call('get','n')
return redis.call('set','n',1e16) and redis.call('get','n')
return redis.call('set','n',-5) and redis.call('get','n')
return redis.call('set','n',0.5) and redis.call('get','n')
return redis.call('set','n',123456789012) and redis.call('get','n')
return cjson.null
return function() end
return coroutine.create(function() end)
`)
}

func TestErrorsOfScriptsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	scriptsLikeRedis(t, `
error('x')
error('x',0)
error('x',2)
error({err='MY error'})
error({err='plain'})
error(1)
error(nil)
error()
local function f() error('deep',2) end f()
assert(false)
assert(nil,'why')
assert(false,{err='E t'})
foo=1
return foo
local x x.y=1
local x = {} x.y.z=1
return undefined.x
undefined()
local t = {} t.f()
local t = {} t:f()
return 1 + nil
return 1 + {}
return 'a' + 1
return {} .. 'x'
return 1 < 'x'
return {} < {}
return nil > 1
return #nil
return -{}
for i='a',2 do end
for i=1,{} do end
local t = setmetatable({},{__index=function(t,k) error('idx '..k) end}) return t.foo
redis.call()
redis.pcall()
return redis.pcall()
redis.call('nosuch')
return redis.pcall('nosuch')
redis.call('get')
redis.call('get',{})
redis.call('get',nil)
redis.call({})
redis.call('set','s','x') redis.call('incr','s')
return redis.pcall('incr','s')
return redis.pcall('incr','s').err
local e = redis.pcall('incr','s') error(e)
local ok,e = pcall(redis.call,'incr','s') return {type(e), e}
local ok,e = pcall(redis.call,'incr','s') error(e)
return {pcall(error,{err='E x'})}
return {pcall(error,'s')}
return {pcall(error)}
return {pcall(function() local x = nil + 1 end)}
return {xpcall(function() redis.call('incr','s') end, function(e) return e.err end)}
return {xpcall(function() error('a') end, function(e) return 'H '..e end)}
return {xpcall(function() error('a') end, function(e) error('b') end)}
redis.call('eval','return 1',0)
redis.call('multi')
redis.call('subscribe','x')
redis.call('config','nosuch')
redis.call('config')
redis.setresp(4)
redis.setresp()
redis.setresp('x')
redis.set_repl()
redis.set_repl(9)
redis.log()
redis.log('x','y')
redis.log(9,'x')
redis.sha1hex()
return redis.sha1hex('')
return redis.sha1hex('abc')
return redis.acl_check_cmd('nosuch')
return redis.acl_check_cmd('get','x')
redis.acl_check_cmd()
return redis.replicate_commands()
return redis.breakpoint()
redis.register_function('x', function() end)
return 1+
return 1 1
x = = 1
if x then
for i=1 do end
return 'abc
local function end
goto x
return 0x
return 1e
return [[abc
break
return ...
local a <const> = 1
return '\300'
string.rep()
string.rep('x', {})
('x'):rep({})
('x'):bad()
return ('x').y.z
table.concat({1,{},3})
table.insert({},1,2,3)
table.insert({})
table.concat()
setmetatable(1,{})
setmetatable({},1)
tonumber()
tonumber('z',99)
string.char(256)
string.format('%d','x')
string.format('%y',1)
string.format('%')
string.format('%d')
('x'):find('[a')
('x'):find('%')
('x'):gsub('x','%9')
('x'):gsub('(x','y')
('x'):gsub('x',true)
select(0)
unpack({},1,1e8)
local function f() return 1+f() end f()
ipairs()
ipairs(nil)
pairs(nil)
next({},1)
rawset(1,2,3)
math.floor()
math.floor('x')
math.random(0)
math.random(2,1)
math.random(1,2,3)
local t = {} t[nil]=1
local t = {} t[0/0]=1
coroutine.resume(1)
coroutine.wrap(function() error('in co') end)()
return {coroutine.resume(coroutine.create(function() error('in co') end))}
return {coroutine.resume(coroutine.create(function() error({err='E co'}) end))}
coroutine.yield(1)
`)
}

func TestScriptsFindWhatRedisLeavesThem(t *testing.T) {
	t.Parallel()
	scriptsLikeRedis(t, `
string.x=1
redis.x=1
_G.x=1
_G.redis=nil
KEYS=nil
cjson.encode=nil
math.pi=3
setmetatable(_G,{})
setmetatable(string,{})
setmetatable(redis,{})
rawset(_G,'x',1)
rawset(redis,'x',1)
table.insert(redis,1)
table.remove(string)
table.sort(redis)
getmetatable('').__index=1
getmetatable('').x=1
getmetatable(_G).__index=nil
getmetatable(_G).__newindex=1
return string.zz
return redis.zz
return type(getmetatable(_G))
return type(getmetatable(''))
return rawget(_G,'nosuch')
return _G.nosuch
return print
return require
return dofile
return loadfile
return io
return debug
return package
return getfenv
return setfenv
return newproxy
return module
return type(loadstring)
return type(load)
return loadstring('return 1+1')()
return loadstring('x = 1')()
return {loadstring('return +')}
return load(function() return nil end)
return {pcall(load)}
return _VERSION
return #KEYS + #ARGV
KEYS[1]='x' return KEYS[1]
ARGV.x=1 return ARGV.x
return type(_G)
return _G._G == _G
return type(redis.call)
return type(tostring(redis.call))
return redis.REPL_ALL..redis.REPL_AOF..redis.REPL_NONE..redis.REPL_SLAVE..redis.REPL_REPLICA
return redis.LOG_DEBUG..redis.LOG_VERBOSE..redis.LOG_NOTICE..redis.LOG_WARNING
return type(redis.REDIS_VERSION)
return type(redis.REDIS_VERSION_NUM)
return math.random()
return tostring(math.random())
return {math.random(100),math.random(100),math.random(5,9)}
math.randomseed(42) return {math.random(1000),tostring(math.random())}
math.randomseed(-1) return {math.random(1000),tostring(math.random())}
return collectgarbage('count') > 0
return collectgarbage()
return type(gcinfo())
return collectgarbage('nosuch')
local n={} for k in pairs(string) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(table) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(math) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(coroutine) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(bit) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(struct) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(cjson) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(cmsgpack) do n[#n+1]=k end table.sort(n) return n
`)
}

func TestLuaBehavesAsInRedis(t *testing.T) {
	t.Parallel()
	scriptsLikeRedis(t, `
return tostring(0.1)..' '..tostring(1/3)..' '..tostring(1e15)..' '..tostring(123456789012345)..' '..tostring(-0.5)
return tostring(1/0)..tostring(-1/0)..tostring(0/0)..tostring(-(0/0))
return 1.5 ..''..2 ..''..1e100 ..''..0.1+0.2
return 2^31 ..' '..2^53 ..' '..2^63 ..' '..1e14 ..' '..99999999999999
return tonumber('0x10')..tonumber(' 12 ')..tonumber('1e2')..tostring(tonumber('abc'))..tostring(tonumber(''))..tostring(tonumber('1_0'))
return tostring(tonumber('inf'))..tostring(tonumber('nan'))..tostring(tonumber('0x'))..tostring(tonumber('1 2'))
return tonumber('ff',16)..tonumber('zz',36)..tonumber('101',2)..tostring(tonumber('8',8))..tonumber('-7',8)
return {5%3,-5%3,5%-3,-5%-3,5.5%2}
return {2^10,7/2,2*3,10-4,-3}
return {#'abc',#{1,2,3},#{1,nil,3},#{nil,nil,3},#{n=1}}
return {'a'<'b','a'<'B','a'<'aa',''<'a','10'<'9'}
return {1==1,'1'==1,nil==false,{}=={}}
return {1 and 2,nil and 2,false or 3,nil or false}
return {not nil,not 0,not ''}
local a,b,c=(function() return 1,2 end)() return {a,b,tostring(c)}
local function f(...) return select('#',...),... end return {f(1,nil,3)}
local function f(...) local t={...} return #t end return f(1,2,3)
local function f(...) return arg.n end return f(1,2,3)
return {select(2,'a','b','c')}
return {select(-1,'a','b','c')}
return select('#')
local t={} for i=1,10 do t[i]=i*i end return t
local t={} for i=10,1,-3 do t[#t+1]=i end return t
local t={} for i=1,0 do t[1]=1 end return t
local t={} for i=0.1,0.5,0.1 do t[#t+1]=tostring(i) end return t
local t={10,20,30,nil,50} local n=0 for k in pairs(t) do n=n+k end return n
local s='' for k,v in pairs({a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8}) do s=s..k..v end return s
local s='' for k,v in pairs({1,2,3,x=1,y=2,[10]=3,[2.5]=4,[true]=5}) do s=s..tostring(k)..v..',' end return s
local t={} for i=1,100 do t['key'..i]=i end local s='' for k in pairs(t) do s=s..k end return s
local t={} for i=1,100 do t[i*7]=i end local s='' for k in pairs(t) do s=s..k..',' end return s
local t={} for i=1,50 do t['k'..i]=i end for i=1,50,2 do t['k'..i]=nil end t.new=1 local s='' for k in pairs(t) do s=s..k end return s
local t={} for i=20,1,-1 do t[i]=i end local s='' for k in pairs(t) do s=s..k..',' end return s..#t
local t={} t[1]=1 t[2]=2 t[4]=4 t[8]=8 return #t
local t={1,2,3,4} t[5]=5 t[6]=6 t[3]=nil return #t
local t={} for i=1,17 do t[i]=i end t[17]=nil t[16]=nil return #t
local t={3,1,2} table.sort(t) return t
local t={'b','a','C'} table.sort(t) return t
local t={5,2,8,1} table.sort(t,function(a,b) return a>b end) return t
local s='' local t={5,2,8,1,9,3} table.sort(t,function(a,b) s=s..a..b..' ' return a<b end) return s
return {pcall(table.sort,{3,1,'x'})}
return {pcall(table.sort,{1,2,3,4,5},function() return true end)}
local t={1,2,3} table.insert(t,4) table.insert(t,1,0) table.insert(t,9,9) return t
local t={1,2,3} return {table.remove(t),table.remove(t,1),#t}
return {table.remove({}),table.remove({1},5)}
return table.concat({1,2,'x',4.5},', ')
return table.concat({1,2,3},'-',2,3)..table.concat({})..table.concat({1},'x',3)
return {table.maxn({1,2,[10]=1}),table.getn({1,2})}
return {unpack({1,2,3},2)}
return {unpack({1,2,3},-1,1)}
return {string.byte('hello',1,-1)}
return {string.byte('hello',10),string.byte('')}
return string.char(104,105)..string.char()
return {string.sub('hello',2,3),string.sub('hello',-3),string.sub('hello',0),string.sub('hello',4,2),string.sub('hello',-100,100)}
return {string.upper('aBc1'),string.lower('aBc1'),string.reverse('abc'),string.len('a\0b'),string.rep('ab',3)}
return {string.find('hello','l')}
return {string.find('hello','l+')}
return {string.find('hello','xyz'),string.find('','')}
return {string.find('a.b','.',1,true)}
return {string.find('hello','(l)(l)')}
return {string.find('hello','()ll()')}
return {string.find('abc','b',-1)}
return {string.find('abc','',10)}
return {string.match('key = value','(%w+)%s*=%s*(%w+)')}
return {string.match('2024-01-02','(%d+)-(%d+)-(%d+)')}
return {string.match('[[x]]','%[%[(.-)%]%]')}
return {string.match('f(a(b)c)d','%b()')}
return {string.match('THE (quick) fox','%f[%a]%a+')}
return {string.match('abcabc','(abc)%1')}
return {string.match('  x ','^%s*(.-)%s*$')}
return {string.gsub('hello world','o','0')}
return {string.gsub('hello','','-')}
return {string.gsub('hello','l','L',1)}
return {string.gsub('hello','(h)(e)','%2%1')}
return {string.gsub('$name is $age','%$(%w+)',{name='Bob',age=42})}
return {string.gsub('abc','%w',function(c) if c=='b' then return nil end return c..c end)}
return {string.gsub('abc','%w','%0%0')}
return {string.gsub('a,b,,c',',',';')}
local t={} for w in string.gmatch('one two three','%a+') do t[#t+1]=w end return t
local t={} for k,v in string.gmatch('a=1, b=2','(%w+)=(%w+)') do t[#t+1]=k..v end return t
local t={} for p in string.gmatch('abc','()') do t[#t+1]=p end return t
return string.format('%d %5d %-5d| %05d %+d %x %X %o %c %i',42,42,42,42,42,255,255,8,65,7)
return string.format('%f %.2f %10.3f %e %.3e %g %g %g',3.14159,3.14159,3.14159,12345.678,12345.678,0.0001,1e20,100000)
return string.format('%s %10s %-10s| %.2s %q','a','b','c','hello','q"\n\\')
return string.format('%s %s',1,1.5)
return string.format('%5.1f|%-8.3f|%08.2f|% d|%#x|%#o',1.25,2.5,3.14159,5,255,8)
return string.format('%d',3.99)..string.format('%d','10')..string.format('%x',-1)
return string.format('%%')..string.format('%s',string.rep('x',120))
return string.format('%.20s|%.0f|%.14g|%.17g|%.3g',string.rep('y',50),0.5,0.1,0.1,1234567)
return string.format('%g %g %g %g',1/0,-1/0,1e-5,123456789)
return string.format('%s','a\0b')
return {math.floor(-3.5),math.ceil(-3.5),math.abs(-3),math.max(1,9,3),math.min(4,2,8),math.fmod(-7,3),math.sqrt(16),math.pow(2,8)}
return {tostring(math.pi),tostring(math.huge),tostring(math.exp(1)),tostring(math.log(10)),tostring(math.log10(1000)),tostring(math.sin(1))}
return {math.modf(3.7)}
return {tostring(math.deg(1)),tostring(math.rad(180)),tostring(math.atan2(1,2)),tostring(math.ldexp(1,10))}
return {math.frexp(8)}
local t=setmetatable({},{__index=function(_,k) return k..'!' end}) return t.foo
local t=setmetatable({},{__newindex=function(t,k,v) rawset(t,k,v*2) end}) t.x=5 return t.x
local t=setmetatable({},{__call=function(self,a,b) return a+b end}) return t(1,2)
local m={} m.__add=function(a,b) return 'add' end m.__concat=function(a,b) return 'cat' end local t=setmetatable({},m) return {t+1,1+t,t..'x','x'..t}
local m={} m.__eq=function() return true end m.__lt=function() return true end m.__le=function() return false end local a,b=setmetatable({},m),setmetatable({},m) return {a==b,a<b,a<=b,a~=b}
local m={} m.__lt=function(a,b) return a.v<b.v end local a,b=setmetatable({v=1},m),setmetatable({v=2},m) return {a<b,a<=b,a>b,a>=b}
local t=setmetatable({},{__tostring=function() return 'TS' end,__len=function() return 9 end,__unm=function() return 'neg' end}) return {tostring(t),#t,-t}
local t=setmetatable({},{__metatable='locked'}) return {getmetatable(t),pcall(setmetatable,t,{})}
local t=setmetatable({},{__index={a=1}}) return {t.a,rawget(t,'a')}
local co=coroutine.create(function(a,b) local c=coroutine.yield(a+b) local d=coroutine.yield(c*2) return 'end',d end) local t={} for i=1,4 do local r={coroutine.resume(co,i,i)} t[#t+1]=tostring(r[1])..tostring(r[2]) end t[#t+1]=coroutine.status(co) return t
local g=coroutine.wrap(function() for i=1,3 do coroutine.yield(i) end end) return {g(),g(),g()}
local co=coroutine.wrap(function() return pcall(coroutine.yield,1) end) return {pcall(co)}
local co co=coroutine.create(function() return coroutine.resume(co) end) return {coroutine.resume(co)}
return {type(coroutine.running()),coroutine.status(coroutine.create(function() end))}
local fs={} for i=1,3 do fs[i]=function() i=i+1 return i end end return {fs[1](),fs[1](),fs[2]()}
local x=0 local function inc() x=x+1 return x end inc() inc() return x
local function fact(n) if n<=1 then return 1 end return n*fact(n-1) end return fact(10)
local function loop(n) if n==0 then return 'done' end return loop(n-1) end return loop(100000)
local i=0 while true do i=i+1 if i>5 then break end end return i
local i=0 repeat local j=i i=i+1 until j>=3 return i
local a,b=1,2 a,b=b,a return {a,b}
local t={1,2} local i=1 i,t[i]=i+1,20 return {i,t[1],t[2]}
local t={f=function(self,x) return x*2 end} return t:f(21)
return (('x'):rep(3)):upper()
return #[[
return [==[a]]b]==]
return 'a\
return "\65\066\x"
return 0xff+0XA
return 1e3+.5+5.
return {1,2,3;4,[10]=5,x=6}
return {tostring(nil),tostring(true),type(nil),type(print==nil)}
local s=0 for _,v in ipairs({1,2,nil,4}) do s=s+v end return s
return next({})==nil
local t={a=1} t.a=nil return next(t)==nil
return {pcall(next,{},'x')}
return {rawequal('a','a'),rawequal({},{})}
do local x=1 do local x=2 end return x end
return {(('a,b'):find(',',1,true))}
return -2^2
return 2^3^2
return 1 ..2
return not 1==2
return {1<2==true,'a'..'b'=='ab'}
local a={} a.b={} a.b.c=1 return a.b.c
return {tostring(1e300*1e10),tostring(5e-324),tostring(1.7976931348623157e308)}
`)
}

func TestLibrariesOfScriptsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	scriptsLikeRedis(t, `
return cjson.encode({1,2,3})
return cjson.encode({})
return cjson.encode({a=1})
return cjson.encode({a=1,b={c=2,d={1,2}},e='x',f=true,g=cjson.null})
return cjson.encode({[1]=1,[3]=3})
return cjson.encode({[1]=1,[30]=3})
return cjson.encode({[1]='a',x='b'})
return cjson.encode({[1.5]=1})
return cjson.encode('a"b\\c/d\n\t\r\b\f\1\127é')
return cjson.encode(1.5)..cjson.encode(1e20)..cjson.encode(-0.1)..cjson.encode(123456789012345)..cjson.encode(1/3)
return cjson.encode(true)..cjson.encode(nil)..cjson.encode(cjson.null)
return cjson.encode(1/0)
return cjson.encode(0/0)
return cjson.encode(function() end)
return cjson.encode({[{}]=1})
return cjson.encode({[true]=1})
return cjson.encode()
return cjson.encode(1,2)
local t={} t.t=t return cjson.encode(t)
return {cjson.encode_sparse_array()}
return {cjson.encode_sparse_array(true,2,3)}
return cjson.encode({[1]=1,[30]=3})
return {cjson.encode_sparse_array(false,2,10)}
return {cjson.encode_max_depth(2),cjson.encode_max_depth()}
return cjson.encode({{1}})
return cjson.encode({{{1}}})
return cjson.encode_max_depth(1000)
return cjson.encode_max_depth(0)
return {cjson.encode_number_precision(3),cjson.encode(1/3)}
return cjson.encode_number_precision(14)
return cjson.encode_number_precision(17)
return {cjson.encode_keep_buffer(false),cjson.encode_keep_buffer(true)}
return {cjson.encode_invalid_numbers(true),cjson.encode(1/0),cjson.encode(0/0)}
return {cjson.encode_invalid_numbers('null'),cjson.encode(1/0)}
return {cjson.encode_invalid_numbers(false)}
return cjson.encode_invalid_numbers('bad')
return {cjson.decode_invalid_numbers(false),cjson.decode_max_depth()}
return cjson.decode('0x10')
return cjson.decode('nan')
return cjson.decode('[01]')
return cjson.decode_invalid_numbers(true)
return cjson.decode('0x10')
return tostring(cjson.decode('inf'))
return cjson.decode('[1,2,3]')
return cjson.decode('{"a":1}').a
return cjson.decode('{"a":{"b":[1,{"c":"x"}]}}').a.b[2].c
return cjson.decode('"\\u00e9\\ud83d\\ude00\\n\\/"')
return tostring(cjson.decode('null'))==tostring(cjson.null)
return cjson.decode('null')==cjson.null
return type(cjson.null)
return cjson.decode('[1.5,-2e3,0.1]')[2]
return tostring(cjson.decode('1e400'))
return cjson.decode('')
return cjson.decode('{')
return cjson.decode('[1,]')
return cjson.decode('[1 2]')
return cjson.decode('{"a" 1}')
return cjson.decode('{1:2}')
return cjson.decode('{"a":1,}')
return cjson.decode('"abc')
return cjson.decode('"\\x"')
return cjson.decode('"\\u12"')
return cjson.decode('"\\ud800"')
return cjson.decode('"\\udc00"')
return cjson.decode('tru')
return cjson.decode('true false')
return cjson.decode('-')
return cjson.decode('+1')
return cjson.decode('[1')
return cjson.decode(']')
return cjson.decode(nil)
return cjson.decode({})
return cjson.decode()
return cjson.decode('a\0b')
return cjson.decode('"a\0b"')
return cjson.decode(string.rep('[',1001)..string.rep(']',1001))
return #cjson.decode(string.rep('[',1000)..string.rep(']',1000))
return cjson.decode_max_depth(1001)
return cjson.decode_max_depth(1000)
return cjson.new().encode({1})
return {cjson._NAME,cjson._VERSION}
return cjson.encode(cjson.decode('{"z":1,"y":2,"x":3,"w":[],"v":{}}'))
local t={} for i=1,30 do t['k'..i]=i end return cjson.encode(t)
local t={} for i=1,20 do t['key:'..i]={id=i,name='n'..i} end return cjson.encode(t)
return cmsgpack.pack(1,2,3)
return cmsgpack.pack(0,127,128,255,256,65535,65536,4294967295,4294967296,2^53)
return cmsgpack.pack(-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-2^53)
return cmsgpack.pack(1.5,0.1,1/0,-1/0,1e300,2^63,-2^63,2^64)
return cmsgpack.pack('',('x'):rep(31),('x'):rep(32),('x'):rep(255))
return #cmsgpack.pack(('x'):rep(256))+#cmsgpack.pack(('x'):rep(70000))
return cmsgpack.pack(true,false,nil)
return cmsgpack.pack({1,2,3},{},{a=1},{1,nil,3},{[1]=1,[2]=2},{[2]=2})
return cmsgpack.pack({a={b={c={1,{2}}}}})
local t={} for i=1,20 do t[i]=i end return cmsgpack.pack(t)
local t={} for i=1,20 do t['k'..i]=i end return cmsgpack.pack(t)
local t={} t.t=t return cmsgpack.pack(t)
local t={} t[1]=t return cmsgpack.pack(t)
return cmsgpack.pack(cjson.null,function() end)
return cmsgpack.pack()
return {cmsgpack.unpack(cmsgpack.pack(1,'a',{1,2},{x='y'},true,-5,1.5))}
return cmsgpack.unpack(cmsgpack.pack({a={b=1}})).a.b
return {cmsgpack.unpack('')}
return {cmsgpack.unpack('\204')}
return {cmsgpack.unpack('\193')}
return {cmsgpack.unpack('\196\1a')}
return {cmsgpack.unpack('\199\1\1a')}
return {cmsgpack.unpack('\217\3ab')}
return {cmsgpack.unpack('\146\1')}
return {cmsgpack.unpack('\129\192\1')}
return {cmsgpack.unpack('\221\255\255\255\255')}
return {cmsgpack.unpack('\217\3abc\218\0\1x\219\0\0\0\1y')}
return {cmsgpack.unpack('\207\255\255\255\255\255\255\255\255')}
return {tostring(cmsgpack.unpack('\202\63\128\0\0')),tostring(cmsgpack.unpack('\203\63\240\0\0\0\0\0\0'))}
return {cmsgpack.unpack('\220\0\2\1\2\222\0\1\1\2')}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),3)}
return {cmsgpack.unpack_one(cmsgpack.pack(1),9)}
return {cmsgpack.unpack_one(cmsgpack.pack(1),-1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),-1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),0)}
return {cmsgpack.unpack_limit()}
return cmsgpack.unpack(1)
return cmsgpack.unpack({})
return {cmsgpack._NAME,cmsgpack._VERSION,cmsgpack._DESCRIPTION}
return {bit.tobit(0xffffffff),bit.tobit(2^31),bit.tobit(2^32+5),bit.tobit(-1),bit.tobit(1.5),bit.tobit(2.5)}
return {bit.band(0xff,0x0f),bit.bor(1,2,4),bit.bxor(5,3),bit.bnot(0)}
return {bit.lshift(1,31),bit.lshift(1,32),bit.rshift(-1,28),bit.arshift(-16,2),bit.rol(0x12345678,8),bit.ror(0x12345678,8),bit.bswap(0x12345678)}
return {bit.tohex(255),bit.tohex(255,4),bit.tohex(-1,-4),bit.tohex(1,0),bit.tohex(1,20)}
return bit.band()
return bit.band('x')
return bit.band('255','15')
return bit.tobit({})
return struct.pack('>I2h',1,-2)
return struct.pack('<i4I8bB',-5,2^40,-1,200)
return struct.pack('>i4I8bB',-5,2^40,-1,200)
return struct.pack('fd',1.5,0.1)
return struct.pack('>fd',1.5,0.1)
return struct.pack('s','hello')..struct.pack('c3','abcdef')..struct.pack('c0','xyz')
return struct.pack('!4bi','1',2)
return struct.pack('!bhld',1,2,3,4)
return struct.pack('bxb',1,2)
return struct.pack('I3',0x123456)..struct.pack('>I3',0x123456)
return struct.pack('i16',5)
return struct.pack('LlHhT',1,2,3,4,5)
return struct.pack('i40',1)
return struct.pack('z',1)
return struct.pack('!3b',1)
return struct.pack('c5','ab')
return struct.pack('i','x')
return struct.pack('i')
return struct.pack()
return {struct.unpack('>I2h',struct.pack('>I2h',1,-2))}
return {struct.unpack('<i4I8bB',struct.pack('<i4I8bB',-5,2^40,-1,200))}
return {struct.unpack('sb',struct.pack('sb','hi',7))}
return {struct.unpack('c2c2','abcd')}
return {struct.unpack('bc0',struct.pack('bc0',3,'abc'))}
return {struct.unpack('c0','abc')}
return {struct.unpack('b','abc',2)}
return {struct.unpack('b','abc',4)}
return {struct.unpack('b','abc',0)}
return {struct.unpack('b','abc',-1)}
return {struct.unpack('','abc',-1)}
return {struct.size('z9'),struct.size('>z')}
return struct.size('$')
return {pcall()}
local a = {} a[1] = a return a
local a = {} a.set = {[a] = true} return a
return {struct.unpack('i4','abc')}
return {struct.unpack('s','abc')}
return {struct.unpack('!bi',struct.pack('!bi',1,2))}
return {struct.unpack('i16',struct.pack('i16',5))}
return {struct.unpack('bbbb','ab',3)}
return {struct.size('i4'),struct.size('!bi'),struct.size('bhld'),struct.size('c10'),struct.size('<>b')}
return struct.size('s')
return struct.size('c0')
return struct.size('i2147483648')
`)
}
