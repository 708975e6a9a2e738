package server_test

import (
	"fmt"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestScriptsThatDoNotWriteGoOnInAPauseOfWrites: those that say so had to wait like any
// other.
func TestScriptsThatDoNotWriteGoOnInAPauseOfWrites(t *testing.T) {
	i := servertest.Start(t)
	admin, c := i.Client(t), i.Client(t)
	c.Must("OK", "SET", "k", "v")
	c.Must("f", "FUNCTION", "LOAD", "#!lua name=f\nredis.register_function{function_name='reads', callback=function() return 1 end, flags={'no-writes'}}\n"+
		"redis.register_function('writes', function() return 1 end)")
	sha := c.Text("SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 1")
	for _, row := range []struct {
		say   []string
		waits bool
	}{
		{say: []string{"GET", "k"}},
		{say: []string{"EVAL", "#!lua flags=no-writes\nreturn 1", "0"}},
		{say: []string{"EVALSHA", sha, "0"}},
		{say: []string{"EVAL_RO", "return 1", "0"}},
		{say: []string{"FCALL", "reads", "0"}},
		{say: []string{"SET", "k"}}, // is refused at once
		{say: []string{"EVAL", "#!lua\nreturn 1", "0"}, waits: true},
		{say: []string{"EVAL", "return 1", "0"}, waits: true},
		{say: []string{"FCALL", "writes", "0"}, waits: true},
		{say: []string{"PUBLISH", "c", "m"}, waits: true},
		{say: []string{"PFCOUNT", "h"}, waits: true},
		{say: []string{"SET", "k", "w"}, waits: true},
	} {
		admin.Must("OK", "CLIENT", "PAUSE", "100000", "WRITE")
		c.Send(row.say...)
		if row.waits {
			servertest.Until(t, fmt.Sprint(row.say, " waits"), func() error {
				if n := admin.Info("clients")["blocked_clients"]; n != "1" {
					return fmt.Errorf("blocked_clients:%s", n)
				}
				return nil
			})
			admin.Must("OK", "CLIENT", "UNPAUSE")
		}
		c.Receive() // does not come, and fails the test, if it should not wait and does
		admin.Must("OK", "CLIENT", "UNPAUSE")
	}
}

func TestInfoTellsOfAPause(t *testing.T) {
	c := servertest.Start(t).Client(t)
	expect := func(reason, actions string) {
		t.Helper()
		info := c.Info("clients")
		if info["paused_reason"] != reason || info["paused_actions"] != actions || (info["paused_timeout_milliseconds"] == "0") != (reason == "none") {
			t.Errorf("reason %s, actions %s, %s ms; want %s and %s", info["paused_reason"], info["paused_actions"], info["paused_timeout_milliseconds"], reason, actions)
		}
	}
	expect("none", "none")
	c.Must("OK", "CLIENT", "PAUSE", "100000", "WRITE")
	expect("client_pause", "write")
	c.Must("OK", "CLIENT", "UNPAUSE")
	expect("none", "none")
}
