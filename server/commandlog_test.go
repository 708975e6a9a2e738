package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// wireSize is how many bytes a request has.
func wireSize(args ...string) int {
	n := len(fmt.Sprintf("*%d\r\n", len(args)))
	for _, a := range args {
		n += len(fmt.Sprintf("$%d\r\n%s\r\n", len(a), a))
	}
	return n
}

// noted are the entries of a log as "VALUE ARGUMENTS", the oldest first.
func noted(t *testing.T, c *servertest.Client, kind string) []string {
	t.Helper()
	entries, ok := c.Do("COMMANDLOG", "GET", "-1", kind).([]any)
	if !ok {
		t.Fatalf("the log %s: %v", kind, entries)
	}
	lines := make([]string, 0, len(entries))
	for i := range entries {
		e := entries[len(entries)-1-i].([]any)
		lines = append(lines, fmt.Sprint(e[2], " ", e[3]))
	}
	return lines
}

func expectNoted(t *testing.T, c *servertest.Client, kind string, want ...string) {
	t.Helper()
	if got := noted(t, c, kind); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log %s has\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLargeRequestsAndRepliesAreRememberedWithTheirBytes(t *testing.T) {
	i := servertest.Start(t, "--commandlog-request-larger-than", "1000", "--commandlog-reply-larger-than", "1000")
	c := i.Client(t)
	c.Must("OK", "CLIENT", "SETNAME", "me")
	value := strings.Repeat("v", 1000)
	short := value[:128] + "... (872 more bytes)"
	c.Must("OK", "SET", "k", value)
	c.Must("OK", "SET", "small", "v")
	c.Do("GET", "k")
	c.Do("GET", "small")
	c.Do("ECHO", value)
	request := func(args ...string) string {
		return fmt.Sprint(wireSize(args...), " [", strings.Join(args[:len(args)-1], " "), " ", short, "]")
	}
	reply := len("$1000\r\n\r\n") + 1000
	expectNoted(t, c, "large-request", request("SET", "k", value), request("ECHO", value))
	expectNoted(t, c, "large-reply", fmt.Sprintf("%d [GET k]", reply), fmt.Sprintf("%d [ECHO %s]", reply, short))
	expectNoted(t, c, "slow")
	entry := c.Do("COMMANDLOG", "GET", "1", "LARGE-REPLY").([]any)[0].([]any)
	if fmt.Sprint(entry[0]) != "1" || entry[5] != "me" || !strings.HasPrefix(fmt.Sprint(entry[4]), "127.0.0.1:") {
		t.Errorf("the last entry is %v", entry)
	}
	c.Must("2", "COMMANDLOG", "LEN", "large-request")
	c.Must("OK", "COMMANDLOG", "RESET", "large-request")
	c.Must("0", "COMMANDLOG", "LEN", "large-request")
	c.Must("2", "COMMANDLOG", "LEN", "large-reply")
}

func TestInATransactionEveryCommandIsNotedWithItsOwnRequest(t *testing.T) {
	c := servertest.Start(t, "--commandlog-request-larger-than", "500", "--commandlog-reply-larger-than", "500").Client(t)
	value := strings.Repeat("v", 600)
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "SET", "k", value)
	c.Must("QUEUED", "GET", "k")
	c.Do("EXEC")
	expectNoted(t, c, "large-request", fmt.Sprintf("%d [SET k %s... (472 more bytes)]", wireSize("SET", "k", value), value[:128]))
	expectNoted(t, c, "large-reply", "608 [GET k]")
}

func TestACommandThatWaitedIsNotedWithItsOwnRequest(t *testing.T) {
	i := servertest.Start(t, "--commandlog-request-larger-than", "100")
	c, waiter := i.Client(t), i.Client(t)
	key, value := strings.Repeat("k", 100), strings.Repeat("v", 300)
	waiter.Send("BLPOP", key, "0")
	awaitBlocked(t, c, 1)
	c.Must("1", "LPUSH", key, value)
	waiter.Receive()
	short := value[:128] + "... (172 more bytes)"
	expectNoted(t, c, "large-request",
		fmt.Sprintf("%d [LPUSH %s %s]", wireSize("LPUSH", key, value), key, short),
		fmt.Sprintf("%d [BLPOP %s 0]", wireSize("BLPOP", key, "0"), key))
	// Ended from outside, it does not lend its size to what has ended it.
	id := waiter.Text("CLIENT", "ID")
	waiter.Send("BLPOP", key, "0")
	awaitBlocked(t, c, 1)
	c.Must("OK", "COMMANDLOG", "RESET", "large-request")
	c.Must("1", "CLIENT", "UNBLOCK", id)
	expectNoted(t, c, "large-request", fmt.Sprintf("%d [BLPOP %s 0]", wireSize("BLPOP", key, "0"), key))
}

func TestOnlyTheScriptItselfCameAsARequest(t *testing.T) {
	c := servertest.Start(t, "--commandlog-request-larger-than", "100", "--commandlog-reply-larger-than", "500").Client(t)
	script := "redis.call('SET', KEYS[1], string.rep('v', 600)) redis.call('GET', KEYS[1]) return 1"
	c.Must("1", "EVAL", script, "1", "k")
	expectNoted(t, c, "large-request", fmt.Sprintf("%d [EVAL %s 1 k]", wireSize("EVAL", script, "1", "k"), script))
	expectNoted(t, c, "large-reply", "608 [GET k]")
}

func TestAReplyThatNobodyGetsIsNotLarge(t *testing.T) {
	c := servertest.Start(t, "--commandlog-reply-larger-than", "100").Client(t)
	c.Send("CLIENT", "REPLY", "OFF")
	c.Send("ECHO", strings.Repeat("v", 100))
	c.Must("OK", "CLIENT", "REPLY", "ON")
	expectNoted(t, c, "large-reply")
}

func TestCommandLogsAreBoundedAndCanBeOff(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "CONFIG", "SET", "commandlog-request-larger-than", "0", "commandlog-large-request-max-len", "3",
		"commandlog-reply-larger-than", "0", "commandlog-large-reply-max-len", "0")
	for range 10 {
		c.Must("PONG", "PING")
	}
	c.Must("3", "COMMANDLOG", "LEN", "large-request")
	c.Must("0", "COMMANDLOG", "LEN", "large-reply")
	c.Must("OK", "CONFIG", "SET", "commandlog-large-request-max-len", "1")
	expectNoted(t, c, "large-request", fmt.Sprintf("%d [CONFIG SET commandlog-large-request-max-len 1]",
		wireSize("CONFIG", "SET", "commandlog-large-request-max-len", "1")))
	c.Must("OK", "COMMANDLOG", "RESET", "large-request")
	c.Must("OK", "CONFIG", "SET", "commandlog-request-larger-than", "-1", "commandlog-large-reply-max-len", "5", "commandlog-reply-larger-than", "-1")
	c.Must("OK", "COMMANDLOG", "RESET", "large-request")
	c.Must("PONG", "PING")
	c.Must("0", "COMMANDLOG", "LEN", "large-request")
	c.Must("0", "COMMANDLOG", "LEN", "large-reply")
}

func TestTheSlowLogIsTheFirstOfTheCommandLogs(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "CONFIG", "SET", "commandlog-execution-slower-than", "0", "commandlog-slow-execution-max-len", "2")
	c.Must("[slowlog-log-slower-than 0]", "CONFIG", "GET", "slowlog-log-slower-than")
	c.Must("[commandlog-slow-execution-max-len 2]", "CONFIG", "GET", "commandlog-slow-execution-max-len")
	c.Must("PONG", "PING")
	c.Must("2", "SLOWLOG", "LEN")
	c.Must("2", "COMMANDLOG", "LEN", "Slow")
	c.Must("OK", "CONFIG", "SET", "slowlog-log-slower-than", "-1")
	if ours, old := fmt.Sprint(c.Do("COMMANDLOG", "GET", "5", "slow")), fmt.Sprint(c.Do("SLOWLOG", "GET")); ours != old {
		t.Errorf("COMMANDLOG: %s\nSLOWLOG:    %s", ours, old)
	}
	c.Must("OK", "COMMANDLOG", "RESET", "slow")
	c.Must("0", "SLOWLOG", "LEN")
}

func TestWhatIsWrongWithACallOfCommandlogIsSaidAsInValkey(t *testing.T) {
	c := servertest.Start(t).Client(t)
	const types = "ERR type should be one of the following: slow, large-request, large-reply"
	for _, call := range []struct{ args, want string }{
		{"GET", "ERR wrong number of arguments for 'commandlog|get' command"},
		{"GET slow", "ERR wrong number of arguments for 'commandlog|get' command"},
		{"GET 1 slow x", "ERR wrong number of arguments for 'commandlog|get' command"},
		{"GET x nope", "ERR count should be greater than or equal to -1"},
		{"GET -2 slow", "ERR count should be greater than or equal to -1"},
		{"GET 1 nope", types},
		{"LEN", "ERR wrong number of arguments for 'commandlog|len' command"},
		{"LEN nope", types},
		{"RESET nope", types},
		{"NOPE", "ERR unknown subcommand 'NOPE'. Try COMMANDLOG HELP."},
	} {
		c.Must(call.want, append([]string{"COMMANDLOG"}, strings.Fields(call.args)...)...)
	}
	for directive, want := range map[string]string{"commandlog-request-larger-than": "1048576", "commandlog-large-request-max-len": "128",
		"commandlog-reply-larger-than": "1048576", "commandlog-large-reply-max-len": "128",
		"commandlog-execution-slower-than": "10000", "commandlog-slow-execution-max-len": "128"} {
		c.Must("["+directive+" "+want+"]", "CONFIG", "GET", directive)
	}
}
