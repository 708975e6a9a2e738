package server_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestWatchedKeys(t *testing.T) {
	for _, row := range []struct {
		name    string
		before  [][]string // on either connection, before WATCH
		meddle  [][]string // by somebody else, between WATCH and EXEC
		aborted bool
	}{
		{name: "nobody touches the key", before: [][]string{{"SET", "k", "1"}}},
		{name: "somebody else writes the key", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SET", "k", "2"}}, aborted: true},
		{name: "somebody else writes the same value", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SET", "k", "1"}}, aborted: true},
		{name: "somebody else creates the key", meddle: [][]string{{"SET", "k", "1"}}, aborted: true},
		{name: "somebody else deletes the key", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"DEL", "k"}}, aborted: true},
		{name: "deleting a key that is not there touches nothing", meddle: [][]string{{"DEL", "k"}}},
		{name: "another key is none of its business", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SET", "other", "2"}}},
		{name: "the same name in another database is another key", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SELECT", "1"}, {"SET", "k", "2"}, {"SELECT", "0"}}},
		{name: "an expiry is a change", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"EXPIRE", "k", "100"}}, aborted: true},
		{name: "a rename onto the key", before: [][]string{{"SET", "a", "1"}}, meddle: [][]string{{"RENAME", "a", "k"}}, aborted: true},
		{name: "FLUSHALL with the key there", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"FLUSHALL"}}, aborted: true},
		{name: "FLUSHALL without the key", meddle: [][]string{{"FLUSHALL"}}},
		{name: "SWAPDB brings another value", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SWAPDB", "0", "1"}}, aborted: true},
		{name: "SWAPDB of others", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"SWAPDB", "1", "2"}}},
		{name: "what was over already when it was watched goes for good", before: [][]string{{"DEBUG", "SET-ACTIVE-EXPIRE", "0"}, {"SET", "k", "1", "PXAT", "1"}}, meddle: [][]string{{"GET", "k"}}},
		{name: "what was over already is flushed", before: [][]string{{"DEBUG", "SET-ACTIVE-EXPIRE", "0"}, {"SET", "k", "1", "PXAT", "1"}}, meddle: [][]string{{"FLUSHALL"}}},
		{name: "what was over already is swapped away", before: [][]string{{"DEBUG", "SET-ACTIVE-EXPIRE", "0"}, {"SET", "k", "1", "PXAT", "1"}}, meddle: [][]string{{"SWAPDB", "0", "1"}}},
		{name: "what was over already is written again", before: [][]string{{"DEBUG", "SET-ACTIVE-EXPIRE", "0"}, {"SET", "k", "1", "PXAT", "1"}}, meddle: [][]string{{"GET", "k"}, {"SET", "k", "1"}}, aborted: true},
		{name: "reading is no change", before: [][]string{{"SET", "k", "1"}}, meddle: [][]string{{"GET", "k"}, {"TTL", "k"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := servertest.Start(t, "--enable-debug-command", "yes")
			c, other := i.Client(t), i.Client(t)
			for _, words := range row.before {
				c.Do(words...)
			}
			c.Must("OK", "WATCH", "k")
			for _, words := range row.meddle {
				other.Do(words...)
			}
			c.Must("OK", "MULTI")
			c.Must("QUEUED", "PING")
			want := "[PONG]"
			if row.aborted {
				want = "<nil>"
			}
			c.Must(want, "EXEC")
		})
	}
}

func TestAWatchedKeyThatRunsOutAbortsTheTransaction(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "SET", "k", "1", "PX", "20")
	c.Must("OK", "WATCH", "k")
	servertest.Until(t, "the key has run out", func() error {
		if v := c.Do("EXISTS", "k"); v != int64(0) {
			return fmt.Errorf("EXISTS says %v", v)
		}
		return nil
	})
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "PING")
	c.Must("<nil>", "EXEC")
}

func TestPausedWritesWaitAndReadsDoNot(t *testing.T) {
	i := servertest.Start(t)
	admin, writer, reader := i.Client(t), i.Client(t), i.Client(t)
	admin.Must("OK", "SET", "k", "old")
	admin.Must("OK", "CLIENT", "PAUSE", "100000", "WRITE")
	writer.Send("SET", "k", "new")
	writer.Send("GET", "k") // behind a write that waits
	servertest.Until(t, "the writer waits", func() error {
		if n := admin.Info("clients")["blocked_clients"]; n != "1" {
			return fmt.Errorf("blocked_clients is %s", n)
		}
		return nil
	})
	reader.Must("old", "GET", "k")
	reader.Must("OK", "MULTI")
	reader.Must("QUEUED", "GET", "k")
	reader.Must("[old]", "EXEC")
	// Scripts are what they say they are.
	reader.Must("old", "EVAL", "#!lua flags=no-writes\nreturn redis.call('get', 'k')", "0")
	reader.Must("old", "EVAL_RO", "return redis.call('get', 'k')", "0")
	script, transaction := i.Client(t), i.Client(t)
	script.Send("EVAL", "#!lua\nreturn 'ran'", "0")
	transaction.Must("OK", "MULTI")
	transaction.Send("SET", "other", "1")
	servertest.Until(t, "a script that may write waits, and a write that is to be queued", func() error {
		if n := admin.Info("clients")["blocked_clients"]; n != "3" {
			return fmt.Errorf("blocked_clients is %s", n)
		}
		return nil
	})
	admin.Must("OK", "CLIENT", "UNPAUSE")
	if got := script.Receive(); got != "ran" {
		t.Errorf("the held script: %v", got)
	}
	if got := transaction.Receive(); got != "QUEUED" {
		t.Errorf("the held SET of a transaction: %v", got)
	}
	if got := writer.Receive(); got != "OK" {
		t.Errorf("the held SET: %v", got)
	}
	if got := writer.Receive(); got != "new" {
		t.Errorf("the GET behind it: %v", got)
	}
}

func TestAPauseEndsByItself(t *testing.T) {
	i := servertest.Start(t)
	admin, client := i.Client(t), i.Client(t)
	admin.Must("OK", "CLIENT", "PAUSE", "50", "ALL")
	client.Must("PONG", "PING") // nobody ends the pause
}

func TestRepliesCanBeTurnedOff(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Send("CLIENT", "REPLY", "SKIP")
	c.Send("SET", "a", "1")
	c.Must("1", "GET", "a")
	c.Send("CLIENT", "REPLY", "OFF")
	c.Send("SET", "a", "2")
	c.Send("GET", "a")
	c.Must("OK", "CLIENT", "REPLY", "ON")
	c.Must("2", "GET", "a")
}

func TestKilledClientsAreGone(t *testing.T) {
	i := servertest.Start(t)
	admin, victim := i.Client(t), i.Client(t)
	id := victim.Text("CLIENT", "ID")
	admin.Must("1", "CLIENT", "KILL", "ID", id)
	if rest := victim.AwaitClose(); rest != "" {
		t.Errorf("the victim was told %q", rest)
	}
	admin.Must("0", "CLIENT", "KILL", "ID", id)
	admin.Must("1", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
	admin.AwaitClose()
}

func TestMonitorShowsRequestsWithoutPasswords(t *testing.T) {
	i := servertest.Start(t)
	watcher, c := i.Client(t), i.Client(t)
	watcher.Must("OK", "MONITOR")
	c.Do("SET", "k", "with \"quotes\"\n")
	c.Do("AUTH", "secret")
	c.Do("PING")
	for _, want := range []string{`"SET" "k" "with \"quotes\"\n"`, `"AUTH" "(redacted)"`, `"PING"`} {
		line := fmt.Sprint(watcher.Receive())
		if len(line) < len(want) || line[len(line)-len(want):] != want {
			t.Errorf("got %q, want it to end in %s", line, want)
		}
	}
}

// What EXEC is told when the server has changed its mind since commands were queued.
func TestExecIsJudgedByAllThatIsQueued(t *testing.T) {
	t.Parallel()
	redis, ours := servertest.StartRedis(t), servertest.Start(t)
	b, other := &bothServers{t, ours.Client(t), redis.Client(t)}, &bothServers{t, ours.Client(t), redis.Client(t)}
	other.same("CONFIG", "SET", "replica-serve-stale-data", "no")
	const noReplica, replica = "NO ONE", "127.0.0.1 1" // nobody is there, so it is stale
	for _, row := range []struct {
		master, maxmemory string
		queue             [][]string
	}{
		{replica, "0", [][]string{{"GET", "a"}}},
		{replica, "0", [][]string{{"PING"}, {"INFO", "nosuch"}}},
		{replica, "0", [][]string{{"INFO", "nosuch"}}}, // which a stale replica still tells
		{replica, "0", [][]string{{"EVAL", "#!lua\nreturn 1", "0"}}},
		{replica, "0", [][]string{{"EVAL", "#!lua flags=no-writes,allow-stale\nreturn 1", "0"}}},
		{noReplica, "1", [][]string{{"EVAL", "#!lua\nreturn 1", "0"}}},
		{noReplica, "1", [][]string{{"EVAL", "return 1", "0"}}},
	} {
		b.same("MULTI")
		for _, args := range row.queue {
			b.same(args...)
		}
		other.same(append([]string{"REPLICAOF"}, strings.Fields(row.master)...)...)
		other.same("CONFIG", "SET", "maxmemory", row.maxmemory)
		b.same("EXEC")
		other.same("CONFIG", "SET", "maxmemory", "0")
		other.same("REPLICAOF", "NO", "ONE")
		b.same("PING")
	}
}

// Also what would be refused for another reason: it comes to the same, EXEC aborts.
func TestWithoutMemoryATransactionCanOnlyEnd(t *testing.T) {
	t.Parallel()
	b := startBoth(t)
	for _, within := range [][]string{{"MULTI"}, {"WATCH", "a"}, {"UNWATCH"}, {"GET", "a"}, {"DISCARD"}, {"RESET"}} {
		b.same("MULTI")
		b.same("CONFIG", "SET", "maxmemory", "0")
		b.same("EXEC")
		b.same("CONFIG", "SET", "maxmemory", "1")
		b.same("MULTI")
		b.same(within...)
		b.same("EXEC")
		b.same("CONFIG", "SET", "maxmemory", "0")
	}
}

// When a request is refused for several reasons, clients see the same one first.
func TestOfSeveralReasonsTheFirstIsThatOfRedis(t *testing.T) {
	t.Parallel()
	redis, ours := servertest.StartRedis(t, "--save", "3600 1"), servertest.Start(t, "--save", "3600 1")
	b, user := &bothServers{t, ours.Client(t), redis.Client(t)}, &bothServers{t, ours.Client(t), redis.Client(t)}
	b.same("ACL", "SETUSER", "u", "on", "nopass", "+multi", "+exec", "+debug")
	user.same("AUTH", "u", "x")
	for _, args := range [][]string{{"MULTI"}, {"SAVE"}, {"EXEC"}, {"DEBUG", "JMAP"}} {
		user.same(args...)
	}
	for _, i := range []*servertest.Instance{ours, redis} { // a directory where the snapshot should be
		if err := os.MkdirAll(filepath.Join(i.Dir, "dump.rdb", "x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.same("SET", "k", "v")
	b.same("BGSAVE")
	for _, c := range []*servertest.Client{b.ours, b.redis} {
		servertest.Until(t, "the snapshot has failed", func() error {
			if got := c.Info("persistence")["rdb_last_bgsave_status"]; got != "err" {
				return errors.New(got)
			}
			return nil
		})
	}
	writes := func() {
		t.Helper()
		b.same("SET", "k", "v")
		b.same("EVAL", "return redis.call('set', 'k', 'v')", "0")
		b.same("EVAL", "#!lua\nreturn 1", "0")
	}
	b.same("CONFIG", "SET", "min-replicas-to-write", "1")
	writes()
	b.same("REPLICAOF", "127.0.0.1", "1")
	writes()
	b.same("CONFIG", "SET", "replica-read-only", "no")
	writes()
	b.same("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
	writes()
	b.same("CONFIG", "SET", "save", "") // a snapshot that can not be written stops the end
}
