package server_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestDebugLooksInsideAsRedisDoes(t *testing.T) {
	perform(t, `
		alice> SET n 12
		alice> SET s hello
		alice> RPUSH l a b c
		alice> HSET h f v
		alice> CONFIG SET hash-max-listpack-entries 1
		alice> HSET big f v g w
		alice> DEBUG OBJECT nokey
		alice> DEBUG LISTPACK nokey
		alice> DEBUG LISTPACK n
		alice> DEBUG LISTPACK h
		alice> DEBUG QUICKLIST n
		alice> DEBUG QUICKLIST nokey
		alice> DEBUG SDSLEN n
		alice> DEBUG SDSLEN nokey
		alice> DEBUG HTSTATS x
		alice> DEBUG HTSTATS 99
		alice> DEBUG HTSTATS-KEY n
		alice> DEBUG HTSTATS-KEY nokey
		alice> DEBUG PAUSE-CRON 0
		alice> DEBUG SET-ACTIVE-EXPIRE 1
		alice> DEBUG nope
		alice> DEBUG SLEEP
		alice> DEBUG SLEEP 0
		alice> DEBUG QUICKLIST-PACKED-THRESHOLD 1b
		alice> DEBUG QUICKLIST-PACKED-THRESHOLD 5gb
		alice> DEBUG QUICKLIST-PACKED-THRESHOLD x
		alice> DEBUG QUICKLIST-PACKED-THRESHOLD 0
		alice> DEBUG CLIENT-EVICTION
		alice> DEBUG ERROR "MYERR text"
		alice> DEBUG DIGEST
		alice> DEBUG DIGEST-VALUE n s l h big nokey`, "--enable-debug-command", "yes")
}

func TestWhatDebugDoesNotDoItSaysByName(t *testing.T) {
	c := servertest.Start(t, "--enable-debug-command", "yes").Client(t)
	for _, sub := range []string{"RESTART", "MALLCTL", "LOADAOF", "SEGFAULT"} {
		reply, isError := c.Do("DEBUG", sub).(servertest.ReplyError)
		if !isError || strings.Contains(string(reply), "unknown") {
			t.Errorf("DEBUG %s: %v", sub, reply)
		}
	}
	c.Must("1", "DEBUG", "STRINGMATCH-LEN", "a*c", "abbc")
	c.Must("0", "DEBUG", "STRINGMATCH-LEN", "a*c", "abb")
}

func TestACrashIsACrash(t *testing.T) {
	i := servertest.StartProcess(t, "--enable-debug-command", "yes")
	c := i.Client(t)
	c.Send("DEBUG", "SEGFAULT")
	<-i.Ended()
}

func TestLatencyIsReported(t *testing.T) {
	c := servertest.Start(t, "--enable-debug-command", "yes", "--latency-monitor-threshold", "1").Client(t)
	if text := c.Text("LATENCY", "DOCTOR"); !strings.Contains(text, "Nothing has taken 1 ms") {
		t.Errorf("LATENCY DOCTOR without samples: %s", text)
	}
	c.Must("OK", "DEBUG", "SLEEP", "0.005")
	graph := c.Text("LATENCY", "GRAPH", "command")
	for _, want := range []string{"command - high ", " (all time high ", strings.Repeat("-", 80)} {
		if !strings.Contains(graph, want) {
			t.Errorf("LATENCY GRAPH lacks %q:\n%s", want, graph)
		}
	}
	if text := c.Text("LATENCY", "DOCTOR"); !strings.Contains(text, "1. command: 1 seconds with a spike") {
		t.Errorf("LATENCY DOCTOR: %s", text)
	}
	histogram := fmt.Sprint(c.Do("LATENCY", "HISTOGRAM", "debug"))
	if !strings.HasPrefix(histogram, "[debug [calls 1 histogram_usec [") || !strings.HasSuffix(histogram, " 1]]]") {
		t.Errorf("LATENCY HISTOGRAM: %s", histogram)
	}
	c.Must("1", "LATENCY", "RESET", "command")
	c.Must("ERR No samples available for event 'command'", "LATENCY", "GRAPH", "command")
}

func TestHistogramsAreOfCommandsAskedForWithTheirSubcommands(t *testing.T) {
	c := servertest.Start(t).Client(t)
	names := func(asked ...string) string {
		t.Helper()
		var names []string
		for i, v := range c.Do(append([]string{"LATENCY", "HISTOGRAM"}, asked...)...).([]any) {
			if i%2 == 0 {
				names = append(names, v.(string))
			}
		}
		return strings.Join(names, " ")
	}
	want := func(expect string, asked ...string) {
		t.Helper()
		if got := names(asked...); got != expect {
			t.Errorf("LATENCY HISTOGRAM %v has %q, want %q", asked, got, expect)
		}
	}
	c.Must("OK", "CONFIG", "RESETSTAT")
	want("config|resetstat")
	c.Do("CLIENT", "ID")
	c.Do("CLIENT", "GETNAME")
	c.Must("OK", "SET", "k", "v")
	c.Do("GET", "k")
	want("get set get", "get", "nosuch", "SET", "get", "client|nosuch", "zadd")
	want("client|getname client|id", "client")
	want("client|id set", "CLIENT|ID", "set")
	c.Must("OK", "CONFIG", "SET", "latency-tracking", "no")
	c.Must("OK", "CONFIG", "RESETSTAT")
	c.Must("OK", "SET", "k", "v")
	want("", "set")
	c.Must("OK", "CONFIG", "SET", "latency-tracking", "yes")
	want("", "set")
	c.Must("OK", "SET", "k", "v")
	want("set", "set")
}

func TestTheSlowLogTellsWhoCalledTheScript(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "CLIENT", "SETNAME", "me")
	c.Must("OK", "CONFIG", "SET", "slowlog-log-slower-than", "0")
	c.Do("EVAL", "return redis.call('PING')", "0")
	entries := c.Do("SLOWLOG", "GET", "2").([]any)
	script, within := entries[0].([]any), entries[1].([]any)
	if got := fmt.Sprint(within[3]); got != "[PING]" {
		t.Errorf("the script has run %s, want [PING]", got)
	}
	if fmt.Sprint(within[4:]) != fmt.Sprint(script[4:]) || within[5] != "me" {
		t.Errorf("the script was called by %v, what it ran by %v", script[4:], within[4:])
	}
}

func TestInfoEstimatesHowLongKeysHaveToLive(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for n := range 50 {
		c.Must("OK", "SET", "k"+strconv.Itoa(n), "v", "EX", "1000")
	}
	servertest.Until(t, "there is an estimate", func() error {
		_, ttl, _ := strings.Cut(c.Info("keyspace")["db0"], "avg_ttl=")
		if ms, err := strconv.Atoi(ttl); err != nil || ms < 900_000 || ms > 1_000_000 {
			return fmt.Errorf("avg_ttl=%s", ttl)
		}
		return nil
	})
}

func TestAnErrorOnTheStreamIsUnexpected(t *testing.T) {
	p := listenPrimary(t)
	replica := startReplica(t, p)
	l, _ := p.accept()
	l.feed(strings.Repeat("a", 40), 0, snapshotWith())
	l.stream("SET k v", "LPUSH k x")
	c := replica.Client(t)
	servertest.Until(t, "the error is counted", func() error {
		if n := c.Info("stats")["unexpected_error_replies"]; n != "1" {
			return fmt.Errorf("unexpected_error_replies is %s", n)
		}
		return nil
	})
}

func TestLolwutTakesASize(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for _, row := range []struct{ args, lines string }{
		{"LOLWUT", "10"}, {"LOLWUT VERSION 5", "10"}, {"LOLWUT VERSION 6 3 20", "22"}, {"LOLWUT 5", "10"}, {"LOLWUT 1 -7", "3"},
		{"LOLWUT VERSION x", "ERR value is not an integer or out of range"},
		{"LOLWUT VERSION 5 x", "ERR value is not an integer or out of range"},
	} {
		got := fmt.Sprint(c.Do(strings.Fields(row.args)...))
		if !strings.HasPrefix(got, "ERR") {
			got = strconv.Itoa(strings.Count(got, "\n"))
		}
		if got != row.lines {
			t.Errorf("%s: %s lines; want %s", row.args, got, row.lines)
		}
	}
}

func TestResetStatForgetsWhatWasReleasedAndSaved(t *testing.T) {
	c := servertest.Start(t).Client(t)
	members := []string{"SADD", "s"}
	for i := range 1000 {
		members = append(members, "member"+strconv.Itoa(i))
	}
	c.Must("1000", members...)
	c.Must("1", "UNLINK", "s")
	c.Must("OK", "SAVE")
	counters := func() string {
		info := c.Info("memory", "persistence")
		return info["lazyfreed_objects"] + " released, " + info["rdb_saves"] + " saved"
	}
	servertest.Until(t, "the set is released", func() error {
		if got := counters(); got != "1 released, 1 saved" {
			return errors.New(got)
		}
		return nil
	})
	c.Must("OK", "CONFIG", "RESETSTAT")
	if got := counters(); got != "0 released, 0 saved" {
		t.Errorf("after RESETSTAT: %s", got)
	}
}
