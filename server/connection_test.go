package server_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestGreetingIsThatOfRedis(t *testing.T) {
	ours, real := servertest.Start(t), servertest.StartRedis(t)
	number := regexp.MustCompile(`:\d+\r\n`) // the connection's, which is its own
	for _, words := range [][]string{{"HELLO"}, {"HELLO", "2"}, {"HELLO", "3"}, {"HELLO", "3", "AUTH", "default", "any", "SETNAME", "me"}} {
		got, want := ours.Client(t).Raw(words...), real.Client(t).Raw(words...)
		if number.ReplaceAllString(got, "") != number.ReplaceAllString(want, "") {
			t.Errorf("%v\n  ours  %q\n  Redis %q", words, got, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	i := servertest.Start(t, "--requirepass", "one")
	c := i.Client(t)
	c.Must("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time", "HELLO", "3")
	c.Must("NOAUTH Authentication required.", "PING")
	c.Must("WRONGPASS invalid username-password pair or user is disabled.", "HELLO", "2", "AUTH", "default", "two")
	c.Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "somebody", "one")
	c.Must("OK", "AUTH", "default", "one")
	c.Must("PONG", "PING")
	c.Must("OK", "CONFIG", "SET", "requirepass", "two")
	c.Must("PONG", "PING") // who is in stays in
	other := i.Client(t)
	other.Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "one")
	other.Must("OK", "AUTH", "two")
	other.Must("RESET", "RESET")
	other.Must("NOAUTH Authentication required.", "PING")
	c.Must("OK", "CONFIG", "SET", "requirepass", "")
	other.Must("PONG", "PING")
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	i := servertest.Start(t, "--unixsocket", path, "--unixsocketperm", "700", "--protected-mode", "yes")
	c := servertest.Dial(t, path)
	c.Must("OK", "SET", "k", "v")
	i.Client(t).Must("v", "GET", "k")
	if line := c.Text("CLIENT", "INFO"); !strings.Contains(line, "addr="+path+":0") || !strings.Contains(line, "flags=U") {
		t.Errorf("CLIENT INFO: %s", line)
	}
}

func TestErrorsAndCallsAreCounted(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Do("SET", "k", "v")
	c.Do("GET", "k")
	c.Do("INCR", "k")      // fails
	c.Do("GET", "k", "k2") // rejected: wrong number of arguments
	c.Do("NOSUCH")
	c.Do("MULTI")
	c.Do("GET", "k")
	c.Do("EXEC")
	info := c.Info("commandstats", "errorstats")
	for name, want := range map[string]string{
		"cmdstat_get":   "calls=2,.*rejected_calls=1,failed_calls=0",
		"cmdstat_incr":  "calls=1,.*rejected_calls=0,failed_calls=1",
		"cmdstat_exec":  "calls=1,.*rejected_calls=0,failed_calls=0",
		"errorstat_ERR": "count=3",
	} {
		if !regexp.MustCompile("^" + want + "$").MatchString(info[name]) {
			t.Errorf("%s is %q, want %s", name, info[name], want)
		}
	}
	c.Must("OK", "CONFIG", "RESETSTAT")
	if info := c.Info("commandstats"); info["cmdstat_get"] != "" {
		t.Errorf("after RESETSTAT cmdstat_get is %q", info["cmdstat_get"])
	}
}

func TestProtectedModeLetsThisMachineIn(t *testing.T) {
	servertest.Start(t, "--protected-mode", "yes").Client(t).Must("PONG", "PING")
}
