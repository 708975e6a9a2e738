package server_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestAReplicaRedirectsClientsThatUnderstandIt(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary)
	redirect := fmt.Sprintf("REDIRECT 127.0.0.1:%d", primary.Port)
	c := replica.Client(t)
	for _, step := range []struct {
		want string
		args []string
	}{
		{"ERR This instance has cluster support disabled", []string{"READONLY"}},
		{"<nil>", []string{"GET", "k"}},
		{"READONLY You can't write against a read only replica.", []string{"SET", "k", "v"}},
		{"OK", []string{"CLIENT", "CAPA", "something", "redirect"}},
		{redirect, []string{"GET", "k"}},
		{redirect, []string{"SET", "k", "v"}},
		{redirect, []string{"DBSIZE"}},
		{"PONG", []string{"PING"}},
		{"0", []string{"PUBLISH", "a", "b"}},
		{"OK", []string{"MULTI"}},
		{redirect, []string{"GET", "k"}},
		{"EXECABORT Transaction discarded because of previous errors.", []string{"EXEC"}},
		{"OK", []string{"READONLY"}},
		{"<nil>", []string{"GET", "k"}},
		{redirect, []string{"SET", "k", "v"}},
		{"OK", []string{"MULTI"}},
		{"QUEUED", []string{"GET", "k"}},
		{"[<nil>]", []string{"EXEC"}},
		{"OK", []string{"MULTI"}},
		{"QUEUED", []string{"GET", "k"}},
		{"OK", []string{"DISCARD"}},
		{"OK", []string{"READWRITE"}},
		{redirect, []string{"GET", "k"}},
	} {
		c.Must(step.want, step.args...)
	}
	c.Must("OK", "REPLICAOF", "NO", "ONE")
	c.Must("OK", "SET", "k", "v")
	// A transaction that was begun on a primary is not executed on a replica.
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "SET", "k", "w")
	replica.Client(t).Must("OK", "REPLICAOF", "127.0.0.1", strconv.Itoa(primary.Port))
	c.Must(redirect, "EXEC")
	c.Must("ERR EXEC without MULTI", "EXEC")
}

func TestARedirectedClientLosesNoCommandToAFailover(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary)
	c, waiting := primary.Client(t), primary.Client(t)
	c.Must("OK", "CLIENT", "CAPA", "redirect")
	waiting.Must("OK", "CLIENT", "CAPA", "redirect")
	waiting.Send("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
	servertest.Until(t, "the client waits", func() error {
		if n := c.Info("clients")["blocked_clients"]; n != "1" {
			return fmt.Errorf("blocked_clients is %s", n)
		}
		return nil
	})
	primary.Client(t).Must("OK", "FAILOVER")
	redirect := fmt.Sprintf("REDIRECT 127.0.0.1:%d", replica.Port)
	servertest.Until(t, "the primary has handed over", func() error {
		if got := fmt.Sprint(c.Do("SET", "k", "v")); got != redirect {
			return fmt.Errorf("SET: %s", got)
		}
		return nil
	})
	if got := fmt.Sprint(waiting.Receive()); got != redirect {
		t.Errorf("the client that waited was told %s, want %s", got, redirect)
	}
	replica.Client(t).Must("OK", "SET", "k", "v")
}
