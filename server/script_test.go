package server_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// request is the arguments of a request; blanks separate them.
func request(line string) []string { return strings.Fields(line) }

func TestScriptCommandsAnswerAsRedisDoes(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	sum := "e0e1f9fabfc9d4800c877a703b823ac0578ff8db" // of "return 1"
	for _, proto := range []string{"2", "3"} {
		b.ours.Do("HELLO", proto)
		b.redis.Do("HELLO", proto)
		for _, args := range [][]string{
			{"EVAL", "return 1", "x"},
			{"EVAL", "return 1", "1"},
			{"EVAL", "return 1", "-1"},
			{"EVAL", "return 1"},
			{"EVAL", "return {KEYS,ARGV}", "2", "a", "b", "c", "d"},
			{"EVAL", "return {#KEYS,#ARGV,KEYS[3],ARGV[1]}", "2", "a", "b"},
			{"EVALSHA", sum, "0"},
			{"EVALSHA", strings.ToUpper(sum), "0"},
			{"EVALSHA", "abc", "0"},
			{"EVALSHA", strings.Repeat("0", 40), "0"},
			{"SCRIPT", "EXISTS", sum, "abc", strings.ToUpper(sum)},
			{"SCRIPT", "LOAD", "return 'loaded'"},
			{"SCRIPT", "LOAD", "return 1+"},
			{"SCRIPT", "EXISTS", "abc"},
			{"SCRIPT", "EXISTS"},
			{"SCRIPT", "FLUSH", "x"},
			{"SCRIPT", "FLUSH", "ASYNC", "x"},
			{"SCRIPT", "FLUSH", "ASYNC"},
			{"SCRIPT", "EXISTS", sum},
			{"SCRIPT", "FLUSH"},
			{"SCRIPT", "KILL"},
			{"SCRIPT", "DEBUG", "NO"},
			{"SCRIPT", "DEBUG", "MAYBE"},
			{"SCRIPT", "NOSUCH"},
			{"SCRIPT"},
			{"EVAL", "#!js\nreturn 1", "0"},
			{"EVAL", "#!lua x=1\nreturn 1", "0"},
			{"EVAL", "#!lua flags=nosuch\nreturn 1", "0"},
			{"EVAL", "#!lua", "0"},
			{"EVAL", "#!lua\nreturn 1", "0"},
			{"EVAL", "#!lua\n\n\nerror('line 4')", "0"},
			{"EVAL", "#!lua flags=\nreturn 1", "0"},
			{"EVAL", "#!lua\r\nreturn 1", "0"},
			{"EVAL", "#!lua  flags='no-writes' \r\nreturn redis.call('set','a',1)", "0"},
			{"EVAL", "#!lua\tflags=no-writes\nreturn 1", "0"},
			{"EVAL", "#!lua flags=\"no-writes\nreturn 1", "0"},
			{"EVAL", "#!lua\x00\nreturn 1", "0"},
			{"EVAL", "#!\nreturn 1", "0"},
			{"EVAL", "#!lua flags=no-writes,allow-oom,allow-stale,no-cluster\nreturn 1", "0"},
			{"EVAL", "#!lua flags=no-writes\nreturn redis.call('set','a',1)", "0"},
			{"EVAL", "#!lua flags=no-writes\nreturn redis.pcall('set','a',1)", "0"},
			{"EVAL_RO", "return redis.call('set','a',1)", "0"},
			{"EVAL_RO", "return redis.pcall('pfcount','a')", "0"},
			{"EVAL_RO", "return redis.pcall('publish','a','b')", "0"},
			{"EVAL_RO", "return redis.call('get','missing')", "0"},
			{"EVAL_RO", "#!lua\nreturn 1", "0"},
			{"EVAL_RO", "#!lua flags=no-writes\nreturn 1", "0"},
			{"EVALSHA_RO", strings.Repeat("0", 40), "0"},
			{"SELECT", "3"},
			{"EVAL", "redis.call('set','db','3') redis.call('select','4') redis.call('set','db','4') return redis.call('get','db')", "0"},
			{"GET", "db"},
			{"SELECT", "4"},
			{"GET", "db"},
			{"SELECT", "0"},
			{"MULTI"},
			{"EVAL", "redis.call('set','m','1') return redis.call('incr','m')", "0"},
			{"EVAL", "return redis.call('nosuch')", "0"},
			{"INCR", "m"},
			{"EXEC"},
			{"CONFIG", "SET", "maxmemory", "1"},
			{"EVAL", "return redis.call('set','a',1)", "0"},
			{"EVAL", "return redis.call('get','a')", "0"},
			{"EVAL", "redis.call('del','a') return redis.call('set','a',1)", "0"},
			{"EVAL", "#!lua\nreturn 1", "0"},
			{"EVAL", "#!lua flags=allow-oom\nreturn redis.call('set','a',1)", "0"},
			{"EVAL", "#!lua flags=no-writes\nreturn redis.call('get','a')", "0"},
			{"CONFIG", "SET", "maxmemory", "0"},
			{"CONFIG", "SET", "min-replicas-to-write", "1"},
			{"EVAL", "return redis.call('set','a',1)", "0"},
			{"EVAL", "return redis.call('get','a')", "0"},
			{"EVAL", "#!lua\nreturn 1", "0"},
			{"EVAL", "#!lua flags=no-writes\nreturn 1", "0"},
			{"CONFIG", "SET", "min-replicas-to-write", "0"},
			{"CONFIG", "GET", "busy-reply-threshold"},
			{"CONFIG", "GET", "lua-time-limit"},
			{"CONFIG", "SET", "lua-time-limit", "-1"},
			{"SET", "a", "1", "PX", "1"},
			{"FLUSHALL"},
		} {
			b.same(args...)
		}
	}
}

func TestFunctionCommandsAnswerAsRedisDoes(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	const (
		head = "#!lua name=lib\n"
		one  = head + "redis.register_function('f', function(keys, args) return {keys, args} end)"
	)
	for _, proto := range []string{"2", "3"} {
		b.ours.Do("HELLO", proto)
		b.redis.Do("HELLO", proto)
		for _, args := range [][]string{
			{"FUNCTION", "LOAD", "return 1"},
			{"FUNCTION", "LOAD", "#!lua name=x"},
			{"FUNCTION", "LOAD", "#!lua\nreturn 1"},
			{"FUNCTION", "LOAD", "#!js name=x\nreturn 1"},
			{"FUNCTION", "LOAD", "#!lua nam=x\nreturn 1"},
			{"FUNCTION", "LOAD", "#!lua name=x name=y\nreturn 1"},
			{"FUNCTION", "LOAD", "#!lua name=a-b\nreturn 1"},
			{"FUNCTION", "LOAD", "#!lua name=\nreturn 1"},
			{"FUNCTION", "LOAD", head + "local x ="},
			{"FUNCTION", "LOAD", head + "local x = 1"},
			{"FUNCTION", "LOAD", head + "error('boom')"},
			{"FUNCTION", "LOAD", head + "x = 1"},
			{"FUNCTION", "LOAD", head + "local n = string.format('%d', 1)"},
			{"FUNCTION", "LOAD", head + "redis.call('ping')"},
			{"FUNCTION", "LOAD", head + "redis.register_function()"},
			{"FUNCTION", "LOAD", head + "redis.register_function('f')"},
			{"FUNCTION", "LOAD", head + "redis.register_function('f', 1)"},
			{"FUNCTION", "LOAD", head + "redis.register_function({}, 1)"},
			{"FUNCTION", "LOAD", head + "redis.register_function('a b', function() end)"},
			{"FUNCTION", "LOAD", head + "redis.register_function('f', function() end) redis.register_function('f', function() end)"},
			{"FUNCTION", "LOAD", head + "redis.register_function{}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f'}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name={}, callback=function() end}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f', callback=1}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f', callback=function() end, flags=1}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f', callback=function() end, flags={'x'}}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f', callback=function() end, description={}}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{function_name='f', callback=function() end, other=1}"},
			{"FUNCTION", "LOAD", head + "redis.register_function{[{}]=1}"},
			{"FUNCTION", "LOAD", one},
			{"FUNCTION", "LOAD", one},
			{"FUNCTION", "LOAD", "x", one},
			{"FUNCTION", "LOAD", "REPLACE", one},
			{"FUNCTION", "LOAD", strings.Replace(one, "name=lib", "name=other", 1)},
			{"FCALL", "f", "1", "k", "a", "b"},
			{"FCALL", "f", "0"},
			{"FCALL", "f", "x"},
			{"FCALL", "f", "1"},
			{"FCALL", "f", "-1"},
			{"FCALL", "nosuch", "0"},
			{"FCALL", "nosuch", "x"},
			{"FCALL_RO", "f", "0"},
			{"FUNCTION", "LIST"},
			{"FUNCTION", "LIST", "WITHCODE"},
			{"FUNCTION", "LIST", "LIBRARYNAME", "L*", "WITHCODE"},
			{"FUNCTION", "LIST", "LIBRARYNAME", "x*"},
			{"FUNCTION", "LIST", "WITHCODE", "WITHCODE"},
			{"FUNCTION", "LIST", "LIBRARYNAME"},
			{"FUNCTION", "LIST", "NOSUCH"},
			{"FUNCTION", "STATS"},
			{"FUNCTION", "KILL"},
			{"FUNCTION", "LOAD", "#!lua name=ro\nredis.register_function{function_name='r', callback=function(k, a) return redis.call(unpack(a)) end, flags={'no-writes'}, description='d'}"},
			{"FCALL_RO", "r", "0", "PING"},
			{"FCALL", "r", "0", "SET", "a", "b"},
			{"FCALL_RO", "r", "0", "GET", "missing"},
			{"FCALL", "r", "0"},
			{"FUNCTION", "LIST", "LIBRARYNAME", "ro"},
			{"FUNCTION", "LOAD", "REPLACE", "#!lua name=ro\nlocal n = 0\nredis.register_function('count', function() n = n + 1 return n end)\n" +
				"redis.register_function('err', function() error('e') end)\nredis.register_function('glob', function() x = 1 end)\n" +
				"redis.register_function('undef', function() return x end)\nredis.register_function('reg', function() redis.register_function('z', function() end) end)\n" +
				"redis.register_function('env', function() return {type(redis.call), type(string.format), type(cjson.encode), type(math.random())} end)"},
			{"FCALL", "r", "0"},
			{"FCALL", "count", "0"},
			{"FCALL", "count", "0"},
			{"FCALL", "err", "0"},
			{"FCALL", "glob", "0"},
			{"FCALL", "undef", "0"},
			{"FCALL", "reg", "0"},
			{"FCALL", "env", "0"},
			{"FUNCTION", "DELETE", "ro"},
			{"FUNCTION", "DELETE", "ro"},
			{"FUNCTION", "RESTORE", "abc"},
			{"FUNCTION", "RESTORE", "abc", "NOSUCH"},
			{"FUNCTION", "FLUSH", "x"},
			{"FUNCTION", "FLUSH", "ASYNC"},
			{"FUNCTION", "LIST"},
			{"FUNCTION", "FLUSH"},
			{"FUNCTION", "HELP"},
			{"FUNCTION", "NOSUCH"},
			{"FUNCTION", "LOAD", head + "while true do end"},
			{"FUNCTION", "FLUSH", "SYNC", "x"},
			{"FUNCTION", "RESTORE", "abc", "APPEND", "x"},
			// The first line is split as a configuration line is, and names of
			// functions have no case.
			{"FUNCTION", "LOAD", "#!lua name=crlf\r\nredis.register_function('Crlf', function() return 'crlf' end)"},
			{"FUNCTION", "LOAD", "#!lua\tNAME='quoted' \nredis.register_function('quoted', function() end)"},
			{"FUNCTION", "LOAD", "#!lua name=\"half\nredis.register_function('half', function() end)"},
			{"FUNCTION", "LOAD", "#!lua name=nul\x00\nredis.register_function('nul', function() end)"},
			{"FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('cRLF', function() end)"},
			{"FCALL", "CRLF", "0"},
			{"FCALL_RO", "crlf", "0"},
			{"FUNCTION", "STATS"},
			{"FUNCTION", "LOAD", "REPLACE", "#!lua name=crlf\nredis.register_function('CRLF', function() return 'again' end)"},
			{"FCALL", "crlf", "0"},
			{"FUNCTION", "DELETE", "crlf"},
			{"FCALL", "crlf", "0"},
			{"FUNCTION", "FLUSH"},
		} {
			b.same(args...)
		}
	}
}

// What FUNCTION DUMP of either returns, both restore.
func TestFunctionsAreDumpedAndRestoredAsInRedis(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	load := func(name, fn string) []string {
		return []string{"FUNCTION", "LOAD", fmt.Sprintf("#!lua name=%s\nredis.register_function('%s', function() return '%s' end)", name, fn, name)}
	}
	b.same(load("one", "f")...)
	ours, redis := b.ours.Text("FUNCTION", "DUMP"), b.redis.Text("FUNCTION", "DUMP")
	for _, dump := range []string{ours, redis} {
		b.redis.Must("OK", "FUNCTION", "RESTORE", ours, "REPLACE")
		b.same("FUNCTION", "RESTORE", redis)
		b.same("FUNCTION", "RESTORE", redis, "REPLACE")
		b.same("FUNCTION", "DELETE", "one")
		b.same(load("two", "f")...)
		b.same("FUNCTION", "RESTORE", redis)
		b.same("FUNCTION", "RESTORE", redis, "REPLACE")
		b.same("FUNCTION", "RESTORE", redis, "FLUSH")
		b.same("FCALL", "f", "0")
		if dump == ours {
			b.ours.Must("OK", "FUNCTION", "RESTORE", ours, "REPLACE")
		}
		b.same("FUNCTION", "RESTORE", redis[:len(redis)-1]+"x")
	}
}

func TestEffectsOfScriptsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	directives := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600"}
	redis, ours := servertest.StartRedis(t, directives...), servertest.Start(t, directives...)
	b := &bothServers{t, ours.Client(t), redis.Client(t)}
	var streams [2]*wireReplica
	for i, server := range []*servertest.Instance{ours, redis} {
		streams[i] = dialReplica(t, server)
		streams[i].online("psync2")
	}
	for _, args := range [][]string{
		{"EVAL", "redis.call('set','a','1')", "0"},
		{"EVAL", "redis.call('set','a','1') redis.call('incr','a') return redis.call('get','a')", "0"},
		{"EVAL", "return redis.call('get','a')", "0"},
		{"EVAL", "redis.call('set','t','1','px',100000) return redis.call('set','b','x') and redis.call('append','b','y')", "0"},
		{"EVAL", "redis.call('set','x','1') error('after a write')", "0"},
		{"EVAL", "redis.pcall('incr','b') redis.call('del','a','missing')", "0"},
		{"EVAL", "redis.set_repl(redis.REPL_NONE) redis.call('set','none','1') redis.set_repl(redis.REPL_ALL) redis.call('set','all','1')", "0"},
		{"EVAL", "redis.call('select',2) redis.call('set','in2','1') redis.call('select',0) redis.call('set','in0','1')", "0"},
		{"EVAL", "redis.call('rpush','l','a','b','c') redis.call('lpop','l') return redis.call('spop','missing')", "0"},
		{"EVAL", "redis.call('publish','ch','m')", "0"},
		{"EVAL", "for i=1,3 do redis.call('incrbyfloat','f',0.5) end", "0"},
		{"MULTI"},
		{"SET", "m", "1"},
		{"EVAL", "redis.call('incr','m') redis.call('incr','m')", "0"},
		{"EXEC"},
		{"FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('w', function(k, a) redis.call('set', k[1], a[1]) return redis.call('incr', k[1]) end)"},
		{"FCALL", "w", "1", "k", "5"},
		{"FUNCTION", "DELETE", "l"},
		{"FUNCTION", "FLUSH"},
		{"SET", "end", "1"},
	} {
		b.same(args...)
	}
	read := func(w *wireReplica) (all []string) {
		for len(all) == 0 || all[len(all)-1] != "SET end 1" {
			// Times differ, and Redis selects a database in front of a transaction.
			if c := w.command(); !strings.Contains(c, "PXAT") && !strings.HasPrefix(c, "SELECT") {
				all = append(all, c)
			}
		}
		return all
	}
	got, want := read(streams[0]), read(streams[1])
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); !strings.EqualFold(g, w) {
		t.Errorf("effects\n%s\nRedis has\n%s", g, w)
	}
}

func TestAScriptThatRunsTooLongLetsOthersEndIt(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--busy-reply-threshold", "10")
	busy, other := i.Client(t), i.Client(t)
	other.Do("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('forever', function() while true do end end)")
	loop := "while true do end"
	caught := "while true do pcall(function() while true do end end) end"
	const (
		evalBusy     = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
		functionBusy = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
	)
	for _, tc := range []struct{ request, refused, wrongKill, kill []string }{
		{[]string{"EVAL", loop, "0"}, []string{evalBusy}, request("FUNCTION KILL"), request("SCRIPT KILL")},
		{[]string{"EVAL", caught, "0"}, []string{evalBusy}, request("FUNCTION KILL"), request("SCRIPT KILL")},
		{[]string{"EVAL", "local s = ('a'):rep(100) .. 'b' return s:find(('.-'):rep(20) .. 'c')", "0"}, []string{evalBusy}, request("FUNCTION KILL"), request("SCRIPT KILL")},
		{[]string{"FCALL", "forever", "0"}, []string{functionBusy}, request("SCRIPT KILL"), request("FUNCTION KILL")},
	} {
		busy.Send(tc.request...)
		servertest.Until(t, "others are told that the server is busy", func() error {
			if got := fmt.Sprint(other.Do("PING")); got != tc.refused[0] {
				return fmt.Errorf("PING: %s", got)
			}
			return nil
		})
		other.Must(tc.refused[0], "GET", "a")
		other.Must(tc.refused[0], tc.wrongKill...)
		if tc.request[0] == "FCALL" {
			if got := fmt.Sprint(other.Do("FUNCTION", "STATS")); !strings.HasPrefix(got, "[running_script [name forever command [FCALL forever 0] duration_ms ") {
				t.Errorf("FUNCTION STATS: %s", got)
			}
		} else {
			other.Must(tc.refused[0], "FUNCTION", "STATS")
		}
		other.Must(tc.refused[0], "SHUTDOWN")
		late := i.Client(t) // who comes now is accepted, too
		late.Must(tc.refused[0], "GET", "a")
		other.Must("OK", tc.kill...)
		if got := fmt.Sprint(busy.Receive()); !strings.HasPrefix(got, "ERR Script killed by user with SCRIPT KILL... script: ") || strings.HasSuffix(got, ":0.") {
			t.Errorf("%v ended with %s", tc.request, got)
		}
		other.Must("PONG", "PING")
		busy.Must("PONG", "PING")
	}
}

func TestErrorsThatScriptsReplyAreCountedAsInRedis(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	for _, script := range []string{
		"return {err='alone'}",
		"return {err='TWO words'}",
		"return {1, {err='A a'}, {{err='B b'}}, nil, {err='never seen'}}",
		"return {map={key={err='M m'}}}",
		"return {1, redis.pcall('select', 'x')}",
		"redis.pcall('select', 'x') return 1",
		"return {err='X x', ignore_error_stats_update=true}",
		"return {err='X x', ignore_error_stats_update=1}",
		"return redis.error_reply('CODE text')",
		"error({err='T t'})",
	} {
		b.same("CONFIG", "RESETSTAT")
		b.same("EVAL", script, "0")
		b.same("INFO", "errorstats")
		if ours, redis := b.ours.Info("stats")["total_error_replies"], b.redis.Info("stats")["total_error_replies"]; ours != redis {
			t.Errorf("%s: %s errors, in Redis %s", script, ours, redis)
		}
		failed := func(c *servertest.Client) string {
			_, rest, _ := strings.Cut(c.Info("commandstats")["cmdstat_eval"], ",rejected_calls=")
			return rest
		}
		if ours, redis := failed(b.ours), failed(b.redis); ours != redis {
			t.Errorf("%s: EVAL was rejected and has failed %s times, in Redis %s", script, ours, redis)
		}
	}
}

func TestTimeStandsStillInScriptsAndTransactions(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t).Client(t)
	const later = "local t = os.clock() while os.clock() - t < 0.005 do end "
	c.Must("[1 1]", "EVAL", "local a = redis.call('time') "+later+"local b = redis.call('time') return {a[1] == b[1], a[2] == b[2]}", "0")
	c.Must("OK", "MULTI")
	for _, args := range [][]string{{"TIME"}, {"EVAL", later, "0"}, {"TIME"}} {
		c.Must("QUEUED", args...)
	}
	if all := c.Do("EXEC").([]any); fmt.Sprint(all[0]) != fmt.Sprint(all[2]) {
		t.Errorf("TIME was %v and then %v", all[0], all[2])
	}
}

func TestScriptsThatWereForgottenAreCountedSinceConfigResetstat(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t).Client(t)
	for n := range 503 {
		c.Do("EVAL", fmt.Sprintf("return %d", n), "0")
	}
	for _, want := range []string{"3", "0"} {
		if got := c.Info("stats")["evicted_scripts"]; got != want {
			t.Errorf("evicted_scripts:%s, want %s", got, want)
		}
		c.Must("OK", "CONFIG", "RESETSTAT")
	}
}

func TestScriptsDoNotWait(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t).Client(t)
	c.Must("0", "EVAL", "return redis.call('wait', 1, 0)", "0")
	c.Must("<nil>", "EVAL", "return redis.call('blpop', 'a', 0)", "0")
	if got := c.Text("EVAL", "return redis.pcall('waitaof', 0, 1, 0).err", "0"); !strings.HasPrefix(got, "ERR WAITAOF is not supported") {
		t.Errorf("WAITAOF: %s", got)
	}
}

func TestNothingIsEvictedUnderAScriptThatRuns(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--busy-reply-threshold", "10", "--maxmemory-policy", "allkeys-lru")
	busy, other := i.Client(t), i.Client(t)
	used, _ := strconv.Atoi(other.Info("memory")["used_memory"])
	other.Must("OK", "CONFIG", "SET", "maxmemory", strconv.Itoa(used+1<<20))
	busy.Send("EVAL", `for i = 1, 300 do redis.call('set', 'k' .. i, ('x'):rep(10000)) end
		local t = os.clock() while os.clock() - t < 0.5 do end return redis.call('dbsize')`, "0")
	servertest.Until(t, "others are told that the server is busy", func() error {
		if got := fmt.Sprint(other.Do("SET", "a", "1")); !strings.HasPrefix(got, "BUSY") {
			return fmt.Errorf("SET: %s", got)
		}
		return nil
	})
	if got, _ := busy.Receive().(int64); got < 300 {
		t.Errorf("%d of 300 keys are left", got)
	}
}

func TestAScriptThatHasWrittenIsNotKilled(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--busy-reply-threshold", "10")
	busy, other := i.Client(t), i.Client(t)
	waiter := i.Client(t)
	waiter.Send("BLPOP", "q", "0")
	servertest.Until(t, "a client waits for the list", func() error {
		if n := other.Info("clients")["blocked_clients"]; n != "1" {
			return fmt.Errorf("%s clients wait", n)
		}
		return nil
	})
	// It ends by itself, but not before it was noticed. Nobody takes from its list.
	busy.Send("EVAL", `redis.call('set','a','1') redis.call('rpush','q','x')
		local t = os.clock() while os.clock() - t < 0.5 do end return redis.call('llen','q')`, "0")
	busy.Send("ECHO", "behind it")
	servertest.Until(t, "SCRIPT KILL is refused", func() error {
		if got := fmt.Sprint(other.Do("SCRIPT", "KILL")); !strings.HasPrefix(got, "UNKILLABLE") {
			return fmt.Errorf("SCRIPT KILL: %s", got)
		}
		return nil
	})
	if got := busy.Receive(); got != int64(1) {
		t.Errorf("the script: %v", got)
	}
	if got := fmt.Sprint(waiter.Receive()); got != "[q x]" {
		t.Errorf("who waited for the list: %v", got)
	}
	if got := busy.Receive(); got != "behind it" {
		t.Errorf("what was pipelined behind the script: %v", got)
	}
	other.Must("1", "GET", "a")
}

func TestABusyServerCanBeShutDown(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--busy-reply-threshold", "10")
	busy, other := i.Client(t), i.Client(t)
	busy.Send("EVAL", "redis.call('set','a','1') while true do end", "0")
	servertest.Until(t, "the server is busy", func() error {
		if got := fmt.Sprint(other.Do("PING")); !strings.HasPrefix(got, "BUSY") {
			return fmt.Errorf("PING: %s", got)
		}
		return nil
	})
	other.Send("SHUTDOWN", "NOSAVE")
	select {
	case <-i.Ended():
	case <-time.After(servertest.Deadline):
		t.Fatal("the server did not end")
	}
}

func TestScriptsCanNotExhaustTheProcess(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t).Client(t)
	for _, script := range []string{
		"local function f() return 1 + f() end return f()",
		"local function f() return pcall(f) end return f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
		"local t = setmetatable({}, {__tostring = tostring}) return tostring(t)",
		"local function f() return coroutine.wrap(f)() end return f()",
		"return string.rep('x', 2^31)",
		"return string.rep(string.rep('x', 2^20), 2^20)",
		"return loadstring(string.rep('(', 1e6))",
		"return loadstring('return ' .. string.rep('1+', 1e6) .. '1')",
		"return loadstring('return ' .. string.rep('-', 1e6) .. '1')",
		"return loadstring('a' .. string.rep('.a', 1e6) .. '=1')",
		"return ('x'):rep(1e5):match(('x?'):rep(1e5))",
		"local t = {} t[1] = t return t",
		"local t = {} t[1] = t return cjson.encode(t)",
		"return cjson.decode(string.rep('[', 1e6))",
		"return cmsgpack.unpack(string.rep('\\145', 1e6))",
		"return table.concat({unpack({}, 1, 1e9)})",
		"return xpcall(function() error('a') end, function() error('b') end)",
		"local function f(n) return xpcall(function() f(n + 1) end, function() return f(n + 1) end) end return f(1)",
	} {
		reply := c.Raw("EVAL", script, "0")
		if len(reply) > 200 {
			reply = reply[:200] + "..."
		}
		t.Logf("%s: %q", script, reply)
		c.Must("PONG", "PING")
	}
}

// Scripts as applications and their libraries use them.
func TestScriptsOfApplications(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	const (
		unlock = `if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end`
		extend = `if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("pexpire",KEYS[1],ARGV[2]) else return 0 end`
		window = `local current = redis.call("incr",KEYS[1])
			if tonumber(current) == 1 then redis.call("expire",KEYS[1],ARGV[1]) end
			if current > tonumber(ARGV[2]) then return {err = "LIMIT exceeded by " .. (current - ARGV[2])} end
			return {current, redis.call("ttl",KEYS[1]) > 0 and 1 or 0}`
		bucket = `local rate, burst, now, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
			local last = redis.call('HMGET', KEYS[1], 'tokens', 'at')
			local tokens, at = tonumber(last[1]) or burst, tonumber(last[2]) or now
			tokens = math.min(burst, tokens + (now - at) * rate)
			local ok = tokens >= want
			if ok then tokens = tokens - want end
			redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
			redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) * 2)
			return {ok and 1 or 0, tostring(tokens)}`
		addJob = `local args = cmsgpack.unpack(ARGV[1])
			local id = redis.call("INCR", KEYS[1])
			local key = args[1] .. id
			local fields = {"name", args[2], "data", ARGV[2], "timestamp", args[3], "opts", cjson.encode(args[4])}
			redis.call("HMSET", key, unpack(fields))
			local score = (args[4].priority or 0) * 0x100000000 + id % 0x100000000
			if args[4].priority then redis.call("ZADD", KEYS[3], score, id) else redis.call("LPUSH", KEYS[2], id) end
			redis.call("XADD", KEYS[4], "MAXLEN", "~", 100, "1-" .. id, "event", "added", "jobId", id, "name", args[2])
			return {id .. "", redis.call("HGET", key, "opts")}`
		nextJob = `local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[2])
			if not id then
				local best = redis.call("ZPOPMIN", KEYS[3])
				if #best == 0 then return false end
				id = best[1]
				redis.call("LPUSH", KEYS[2], id)
			end
			local raw, job = redis.call("HGETALL", "job:" .. id), {}
			for i = 1, #raw, 2 do if raw[i] ~= "timestamp" then job[raw[i]] = raw[i + 1] end end
			return {id, job.name, job.data, job.opts, cjson.encode({n = #raw / 2})}`
	)
	b.same("SET", "lock", "me", "PX", "100000")
	b.same("EVAL", unlock, "1", "lock", "you")
	b.same("EVAL", extend, "1", "lock", "me", "200000")
	b.same("EVAL", unlock, "1", "lock", "me")
	b.same("EVAL", unlock, "1", "lock", "me")
	for range 4 {
		b.same("EVAL", window, "1", "rate", "100", "3")
	}
	for _, now := range []string{"1000", "1000.25", "1001", "1001", "1009.5"} {
		b.same("EVAL", bucket, "1", "bucket", "0.5", "3", now, "2")
	}
	// cmsgpack of {"job:", "mail", 1700000000000, {attempts=3, priority=n}}, as msgpackr spells it.
	options := func(priority string) string {
		return "\x94\xa4job:\xa4mail\xcf\x00\x00\x01\x8b\xcf\xe5\x68\x00" + priority
	}
	queue := []string{"4", "id", "wait", "prioritized", "events"}
	for _, opts := range []string{options("\x81\xa8attempts\x03"), options("\x82\xa8attempts\x03\xa8priority\x05"), options("\x82\xa8attempts\x03\xa8priority\x01")} {
		b.same(append(append([]string{"EVAL", addJob}, queue...), opts, `{"to":"a@b.c","n":1.5}`)...)
	}
	for range 4 {
		b.same("EVAL", nextJob, "3", "wait", "active", "prioritized")
	}
	b.same("XRANGE", "events", "-", "+")
	b.same("LRANGE", "active", "0", "-1")
}

// A script that everybody sends anew each time must not fill the memory.
func TestScriptsThatAreMadeUpAreForgotten(t *testing.T) {
	t.Parallel()
	c := servertest.Start(t).Client(t)
	kept := c.Text("SCRIPT", "LOAD", "return 'kept'")
	for i := range 1000 {
		c.Must(fmt.Sprint(i), "EVAL", fmt.Sprintf("return %d", i), "0")
	}
	if n := c.Info("memory")["number_of_cached_scripts"]; n != "501" {
		t.Errorf("%s scripts are cached, want 500 and the one that was loaded", n)
	}
	c.Must("kept", "EVALSHA", kept, "0")
	c.Must("return 'kept'", "SCRIPT", "SHOW", kept)
}

func TestFunctionsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := servertest.Start(t, "--dir", dir)
	c := first.Client(t)
	c.Must("l", "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 'still here' end)")
	c.Must("OK", "SAVE")
	first.Stop(t)
	if _, err := os.Stat(dir + "/dump.rdb"); err != nil {
		t.Fatal(err)
	}
	servertest.Start(t, "--dir", dir).Client(t).Must("still here", "FCALL", "f", "0")
}

func TestFunctionsReachReplicasOfEitherKind(t *testing.T) {
	t.Parallel()
	code := "#!lua name=l\nredis.register_function('f', function(k) return redis.call('incr', k[1]) end)"
	later := strings.NewReplacer("=l", "=m", "'f'", "'g'").Replace(code)
	ours, redis := servertest.Start(t, "--repl-diskless-sync-delay", "0"), servertest.StartRedis(t, "--repl-diskless-sync-delay", "0")
	replica := servertest.Start(t)
	for _, p := range [][2]*servertest.Instance{{ours, redis}, {redis, replica}} {
		from, to := p[0].Client(t), p[1].Client(t)
		from.Do("FUNCTION", "FLUSH")
		from.Must("l", "FUNCTION", "LOAD", code) // travels in the snapshot
		to.Must("OK", "REPLICAOF", "127.0.0.1", fmt.Sprint(p[0].Port))
		servertest.Until(t, "the link is up", func() error {
			if s := to.Info("replication")["master_link_status"]; s != "up" {
				return fmt.Errorf("link is %s", s)
			}
			return nil
		})
		from.Must("m", "FUNCTION", "LOAD", later) // travels in the stream
		from.Must("1", "FCALL", "g", "1", "counter")
		servertest.Until(t, "both libraries are there", func() error {
			if n := len(to.Do("FUNCTION", "LIST").([]any)); n != 2 {
				return fmt.Errorf("%d libraries", n)
			}
			if got := fmt.Sprint(to.Do("GET", "counter")); got != "1" {
				return fmt.Errorf("counter is %s", got)
			}
			return nil
		})
		to.Must("READONLY You can't write against a read only replica.", "FCALL", "f", "1", "x")
		to.Must("OK", "REPLICAOF", "NO", "ONE")
		to.Must("2", "FCALL", "f", "1", "counter")
		from.Do("FLUSHALL")
		to.Do("FLUSHALL")
	}
}
