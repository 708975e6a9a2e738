package interop

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// library is what the functions of this test do: many commands of all groups, some of
// which draw lots or read the clock, on a few keys.
const library = `#!lua name=work
local function step(n)
	local k = n % 40
	local pick = math.random(1, 16)
	if pick == 1 then redis.call('INCRBY', 'n:' .. k, n)
	elseif pick == 2 then redis.call('SET', 's:' .. k, cmsgpack.pack({n, k, tostring(n / 7)}), 'PX', 100000000 + n)
	elseif pick == 3 then redis.call('HSET', 'h:' .. k, 'f' .. n % 9, cjson.encode({n = n, at = {1, 2, n / 8}}))
	elseif pick == 4 then redis.call('HINCRBYFLOAT', 'h:' .. k .. ':float', 'f', n / 16)
	elseif pick == 5 then redis.call('RPUSH', 'l:' .. k, n, 'x' .. n, struct.pack('>I4', n))
	elseif pick == 6 then redis.call('LPOP', 'l:' .. k)
	elseif pick == 7 then redis.call('SADD', 'set:' .. k, n % 100, 'm' .. n % 7)
	elseif pick == 8 then redis.call('SPOP', 'set:' .. k)
	elseif pick == 9 then redis.call('ZADD', 'z:' .. k, n / 4, 'm' .. n % 50)
	elseif pick == 10 then redis.call('ZPOPMIN', 'z:' .. k)
	elseif pick == 11 then redis.call('XADD', 'x:' .. k, 'MAXLEN', 50, '*', 'n', n)
	elseif pick == 12 then redis.call('PEXPIRE', 'h:' .. k, 50000000)
	elseif pick == 13 then redis.pcall('RENAME', 'l:' .. k, 'l:' .. (n + 1) % 40)
	elseif pick == 14 then redis.call('SETBIT', 'b:' .. k, n % 1000, bit.band(n, 1))
	elseif pick == 15 then redis.call('PFADD', 'p:' .. k, n)
	elseif n % 10 == 0 then redis.call('UNLINK', 's:' .. k, 'set:' .. k, 'n:' .. k)
	end
end
local function steps(keys, args)
	math.randomseed(args[1])
	for i = 1, args[2] do step(args[1] * 31 + i * 17) end
	if args[1] % 5 == 0 then error('after its writes') end
	return redis.call('DBSIZE')
end
redis.register_function('steps', steps)
`

// digest tells what a server holds, whatever the encodings.
const digest = `
local keys, all = redis.call('KEYS', '*'), {}
table.sort(keys)
for _, k in ipairs(keys) do
	local kind, v = redis.call('TYPE', k).ok
	if kind == 'string' then v = {redis.call('GET', k)}
	elseif kind == 'list' then v = redis.call('LRANGE', k, 0, -1)
	elseif kind == 'set' then v = redis.call('SMEMBERS', k) table.sort(v)
	elseif kind == 'zset' then v = redis.call('ZRANGE', k, 0, -1, 'WITHSCORES')
	elseif kind == 'hash' then
		v = {}
		local h = redis.call('HGETALL', k)
		for i = 1, #h, 2 do v[#v + 1] = h[i] .. '=' .. h[i + 1] end
		table.sort(v)
	else
		v = {}
		for _, e in ipairs(redis.call('XRANGE', k, '-', '+')) do v[#v + 1] = e[1] .. table.concat(e[2], ',') end
	end
	all[#all + 1] = k .. ' ' .. kind .. ' ' .. redis.call('PEXPIRETIME', k) .. ' ' .. table.concat(v, ' ')
end
return #keys .. ' ' .. redis.sha1hex(table.concat(all, '\n'))`

// Functions and scripts change everything while a replica takes its first snapshot
// and later, after a cut, the rest.
func TestFunctionsWriteWhileAReplicaFollows(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary, replica := start(t, p), start(t, r)
		primary.do("FUNCTION", "LOAD", library)
		stop := make(chan struct{})
		var done sync.WaitGroup
		calls := make([]int, 3)
		for i := range calls {
			done.Add(1)
			go func() {
				defer done.Done()
				c := dial(primary, 0)
				defer c.Close()
				for n := i; ; n += len(calls) {
					select {
					case <-stop:
						return
					default:
					}
					_ = c.Do(context.Background(), "FCALL", "steps", 0, n, 1+n%30).Err() // some end with an error, after their writes
					calls[i]++
				}
			}()
		}
		link := newProxy(t, primary)
		replica.follow(link.port())
		for range 2 {
			before := primary.number("total_commands_processed")
			primary.until("more calls", func() (bool, string) {
				n := primary.number("total_commands_processed")
				return n > before+5000, fmt.Sprint(n - before)
			})
			link.cut()
			replica.untilField("master_link_status", "down")
			link.heal()
			replica.untilField("master_link_status", "up")
		}
		close(stop)
		done.Wait()
		replica.caughtUp(primary)
		if a, b := primary.do("EVAL_RO", digest, 0), replica.do("EVAL_RO", digest, 0); a != b {
			t.Errorf("%s holds %v, %s holds %v (after %v calls)", p, a, r, b, calls)
		}
		if a, b := fmt.Sprint(primary.do("FUNCTION", "LIST", "WITHCODE")), fmt.Sprint(replica.do("FUNCTION", "LIST", "WITHCODE")); a != b {
			t.Errorf("functions of %s: %v; of %s: %v", p, a, r, b)
		}
	})
}
