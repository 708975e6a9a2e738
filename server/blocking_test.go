package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestClientsWaitForListsAsInRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"whoever waits gets what comes, and no more", `
			alice> BLPOP list 0
			bob> RPUSH list a b c
			bob> LRANGE list 0 -1
			alice> BRPOP list 0
			alice> BLPOP other list 0
			bob> EXISTS list`},
		{"who came first is served first", `
			alice> BLPOP list 0
			bob> BRPOP list 0
			carol> BLPOP list 0
			dave> RPUSH list 1 2
			alice> BLPOP list 0
			dave> RPUSH list 3
			dave> RPUSH list 4 5
			dave> LRANGE list 0 -1`},
		{"any of several keys will do, also one that is named twice", `
			alice> BLPOP one two two three one 0
			bob> BLPOP two 0
			carol> RPUSH two x
			carol> RPUSH two y
			carol> RPUSH one z
			carol> LLEN one`},
		{"a key in another database is another key", `
			alice> BLPOP list 0
			bob> SELECT 1
			bob> RPUSH list x
			bob> SELECT 0
			bob> RPUSH list y`},
		{"a transaction is over before anybody is served", `
			alice> BLPOP list 0
			bob> MULTI
			bob> RPUSH list a
			bob> RPUSH list b
			bob> LPOP list
			bob> EXEC
			bob> EXISTS list`},
		{"what a transaction takes back nobody gets", `
			alice> BLPOP list 0
			bob> MULTI
			bob> RPUSH list a
			bob> DEL list
			bob> EXEC
			bob> MULTI
			bob> RPUSH list a
			bob> DEL list
			bob> SET list text
			bob> EXEC
			bob> DEL list
			bob> RPUSH list b`},
		{"a script is over before anybody is served, and waits for nothing", `
			alice> BLPOP list 0
			bob> EVAL "redis.call('rpush','list','a') redis.call('rpush','list','b') return redis.call('lpop','list')" 0
			bob> EXISTS list
			alice> BLMOVE list other LEFT LEFT 0
			bob> EVAL "redis.call('rpush','list','a') redis.call('del','list') return 1" 0
			bob> MULTI
			bob> EVAL "return redis.call('rpush','list','c')" 0
			bob> RPUSH list d
			bob> EXEC
			bob> LRANGE list 0 -1`},
		{"within a transaction nobody waits", `
			alice> MULTI
			alice> BLPOP list 0
			alice> BRPOP list 1
			alice> BLMOVE list other LEFT RIGHT 0
			alice> BRPOPLPUSH list other 0
			alice> BLMPOP 0 1 list LEFT
			alice> RPUSH list x
			alice> BLPOP list 0
			alice> EXEC`},
		{"what is moved on serves who waits for that", `
			alice> BLMOVE first second LEFT RIGHT 0
			bob> BRPOPLPUSH second third 0
			carol> BLPOP third 0
			dave> RPUSH first x
			dave> EXISTS first second third
			alice> BLMOVE first first LEFT RIGHT 0
			bob> BLPOP first 0
			dave> RPUSH first a b
			dave> LRANGE first 0 -1`},
		{"a destination of another type is an error for who waits, and nothing is lost", `
			dave> SET text x
			alice> BLMOVE list text LEFT LEFT 0
			bob> BLPOP list 0
			dave> RPUSH list a
			dave> EXISTS list`},
		{"a value of another type ends no wait", `
			alice> BLPOP list 0
			bob> SET list text
			bob> DEL list
			bob> RPUSH list x
			bob> SET list text
			alice> BLPOP list 0`},
		{"many elements at once", `
			alice> BLMPOP 0 2 one two RIGHT COUNT 2
			bob> BLMPOP 0 1 two LEFT COUNT 10
			carol> RPUSH two a b c d
			carol> EXISTS two
			alice> BLMPOP 0 1 two LEFT
			alice> PING
			carol> RPUSH two e`},
		{"keys that come from elsewhere", `
			bob> RPUSH source x
			alice> BLPOP list 0
			bob> RENAME source list
			alice> BLPOP list 0
			bob> RPUSH source x
			bob> COPY source list
			alice> BLPOP list 0
			bob> SELECT 1
			bob> RPUSH list y
			bob> MOVE list 0
			alice> BLPOP list 0
			bob> RPUSH list z
			bob> SWAPDB 0 1
			alice> BLPOP list 0
			bob> RPUSH other a b
			bob> SWAPDB 0 1
			bob> SELECT 0
			bob> LMOVE other list LEFT LEFT
			alice> BRPOP list 0
			bob> RPOPLPUSH other list`},
		{"a wait that is in vain ends", `
			alice> AWAIT BLPOP list 0.02
			alice> AWAIT BLMOVE list other LEFT LEFT 0.02
			alice> AWAIT BLMPOP 0.02 1 list LEFT
			bob> RPUSH list x
			bob> LLEN list`},
		{"a wait that is in vain ends in RESP3", `
			alice> HELLO 3
			alice> AWAIT BRPOPLPUSH list other 0.02
			alice> AWAIT BLPOP list 0.02
			alice> BLPOP list 0
			bob> RPUSH list x`},
		{"a wait is ended from outside", `
			alice> BLPOP list 0
			bob> CLIENT UNBLOCK {alice}
			bob> CLIENT UNBLOCK {alice}
			alice> BLMOVE list other LEFT LEFT 0
			bob> CLIENT UNBLOCK {alice} TIMEOUT
			alice> BLMPOP 0 1 list LEFT
			bob> CLIENT UNBLOCK {alice} ERROR
			bob> RPUSH list x
			bob> LLEN list`},
		{"what was sent behind a wait is answered after it", `
			alice> BLPOP list 0
			alice> LPUSH other y
			alice> BLPOP list 0
			alice> GET key
			bob> EXISTS other
			bob> RPUSH list a
			bob> RPUSH list b`},
		{"who hangs up gets nothing", `
			alice> BLPOP list 0
			bob> BLPOP list other 0
			carol> BLPOP list 0
			alice> HANGUP
			dave> CLIENT KILL ID {bob}
			bob> HANGUP
			dave> RPUSH list x
			dave> RPUSH list y
			dave> LLEN list`},
		{"who wants no replies gets none", `
			alice> CLIENT REPLY SKIP
			alice> BLPOP list 0
			bob> RPUSH list x
			alice> PING
			alice> CLIENT REPLY OFF
			alice> BLPOP list 0
			bob> RPUSH list y
			bob> EXISTS list
			alice> CLIENT REPLY ON`},
		{"a pause of writes holds pushes and pops back", `
			alice> BLPOP list 0
			dave> CLIENT PAUSE 100000 WRITE
			bob> RPUSH list x
			carol> BLPOP list 0
			dave> CLIENT UNPAUSE
			bob> RPUSH list y`},
		{"events come in the order of what happens", `
			erin> CONFIG SET notify-keyspace-events AKE
			erin> PSUBSCRIBE __keyevent*
			alice> BLMOVE list other LEFT RIGHT 0
			bob> BRPOP other 0
			dave> RPUSH list x y
			dave> BLMPOP 0 1 list LEFT`},
		{"bad arguments are found before anybody waits", `
			alice> BLPOP list x
			alice> BLPOP list -1
			alice> BLPOP list
			alice> BLMOVE list other LEFT 0 0
			alice> BLMOVE list other UP DOWN x
			alice> BLMPOP x 0 list LEFT
			alice> BLMPOP 0 2 list LEFT
			alice> BLMPOP 0 1 list LEFT COUNT 0
			alice> BLMPOP 0 1 list LEFT COUNT 1 COUNT 1
			alice> BRPOPLPUSH list other -0.5
			alice> SET text x
			alice> BLPOP list text 0
			alice> BRPOPLPUSH text other 0`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines) })
	}
}

// awaitBlocked returns when so many clients wait.
func awaitBlocked(t *testing.T, admin *servertest.Client, n int) {
	t.Helper()
	servertest.Until(t, fmt.Sprintf("%d clients wait", n), func() error {
		if got := admin.Info("clients")["blocked_clients"]; got != fmt.Sprint(n) {
			return fmt.Errorf("blocked_clients is %s", got)
		}
		return nil
	})
}

func TestKeysThatBecomeReadyAtOnceAreTriedInTheOrderOfTheCommand(t *testing.T) {
	i := servertest.Start(t)
	waiting, c := i.Client(t), i.Client(t)
	waiting.Send("BLPOP", "a", "b", "0")
	awaitBlocked(t, c, 1)
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "RPUSH", "b", "second")
	c.Must("QUEUED", "RPUSH", "a", "first")
	c.Must("[1 1]", "EXEC")
	if got := fmt.Sprint(waiting.Receive()); got != "[a first]" {
		t.Errorf("the waiting client got %s", got)
	}
	c.Must("[second]", "LRANGE", "b", "0", "-1")
}

// What a slow transaction has made ready may be over before anybody is served: time
// does not stand still while a command runs.
func TestNobodyIsServedWithWhatHasExpiredMeanwhile(t *testing.T) {
	i := servertest.Start(t, "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600")
	waiting, c := i.Client(t), i.Client(t)
	stream := dialReplica(t, i)
	stream.online()
	c.Must("OK", "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	id := waiting.Text("CLIENT", "ID")
	waiting.Send("BRPOP", "list", "0")
	awaitBlocked(t, c, 1)
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "RPUSH", "list", "x")
	c.Must("QUEUED", "PEXPIRE", "list", "1")
	c.Must("QUEUED", "DEBUG", "SLEEP", "0.02")
	c.Must("[1 1 OK]", "EXEC")
	if line := c.Text("CLIENT", "LIST", "ID", id); !strings.Contains(line, " flags=b ") {
		t.Errorf("after the transaction the waiting client is %s", line)
	}
	c.Must("0", "EXISTS", "list") // and this is what removes it
	c.Must("1", "RPUSH", "list", "y")
	if got := fmt.Sprint(waiting.Receive()); got != "[list y]" {
		t.Errorf("the waiting client got %s", got)
	}
	c.Must("OK", "SET", "last", "1")
	var got []string
	for len(got) == 0 || got[len(got)-1] != "SET last 1" {
		got = append(got, stream.command())
	}
	got = slices.DeleteFunc(got, func(line string) bool {
		return strings.HasPrefix(line, "SELECT") || strings.HasPrefix(line, "PEXPIREAT")
	})
	want := []string{"MULTI", "RPUSH list x", "EXEC", "DEL list", "RPUSH list y", "RPOP list", "SET last 1"}
	if !slices.Equal(got, want) {
		t.Errorf("the stream has %q, want %q", got, want)
	}
}

func TestTheRestOfAPipelineSeesThatTimeHasGoneOn(t *testing.T) {
	c := servertest.Start(t, "--enable-debug-command", "yes").Client(t)
	c.Write(slices.Concat(servertest.Request("SET", "k", "v", "PX", "1"), servertest.Request("DEBUG", "SLEEP", "0.02"), servertest.Request("GET", "k")))
	if got := fmt.Sprint([]any{c.Receive(), c.Receive(), c.Receive()}); got != "[OK OK <nil>]" {
		t.Errorf("the replies are %s", got)
	}
}

func TestAWaitCountsAsOneCallAndIsShown(t *testing.T) {
	i := servertest.Start(t)
	waiting, c := i.Client(t), i.Client(t)
	id := waiting.Text("CLIENT", "ID")
	waiting.Send("BLPOP", "one", "two", "100")
	awaitBlocked(t, c, 1)
	info := c.Info("clients")
	if info["total_blocking_keys"] != "2" || info["clients_in_timeout_table"] != "1" {
		t.Errorf("while it waits: %v", info)
	}
	if line := c.Text("CLIENT", "LIST", "ID", id); !strings.Contains(line, " flags=b ") || !strings.Contains(line, " cmd=blpop ") {
		t.Errorf("the waiting client is shown as %s", line)
	}
	if stat := c.Info("commandstats")["cmdstat_blpop"]; stat != "" {
		t.Errorf("counted before it is over: %s", stat)
	}
	c.Must("1", "RPUSH", "two", "x")
	if got := fmt.Sprint(waiting.Receive()); got != "[two x]" {
		t.Errorf("the waiting client got %s", got)
	}
	waiting.Send("BLPOP", "one", "0")
	awaitBlocked(t, c, 1)
	c.Must("1", "CLIENT", "UNBLOCK", id, "ERROR")
	if got := fmt.Sprint(waiting.Receive()); got != "UNBLOCKED client unblocked via CLIENT UNBLOCK" {
		t.Errorf("the waiting client got %s", got)
	}
	if stat := c.Info("commandstats")["cmdstat_blpop"]; !strings.HasPrefix(stat, "calls=2,") || !strings.HasSuffix(stat, "failed_calls=1") {
		t.Errorf("cmdstat_blpop is %s", stat)
	}
	info = c.Info("clients")
	if info["total_blocking_keys"] != "0" || info["clients_in_timeout_table"] != "0" {
		t.Errorf("in the end: %v", info)
	}
}

func TestWhoWaitsIsSentAwayWhenThePrimaryBecomesAReplica(t *testing.T) {
	i, other := servertest.Start(t), servertest.Start(t)
	waiting, c := i.Client(t), i.Client(t)
	waiting.Send("BLPOP", "a", "b", "0")
	waiting.Send("PING") // is not answered any more
	awaitBlocked(t, c, 1)
	c.Must("OK", "REPLICAOF", "127.0.0.1", fmt.Sprint(other.Port))
	want := "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"
	if got := waiting.AwaitClose(); got != want {
		t.Errorf("the waiting client got %q", got)
	}
	awaitBlocked(t, c, 0)
}

func TestAReplicaOfAListThatIsWaitedForGetsWhatThePrimaryHas(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary)
	c, r := primary.Client(t), replica.Client(t)
	var waiting []*servertest.Client
	for n := range 20 {
		w := primary.Client(t)
		switch n % 4 {
		case 0:
			w.Send("BLPOP", "list", "0")
		case 1:
			w.Send("BLMOVE", "list", "other", "LEFT", "RIGHT", "0")
		case 2:
			w.Send("BLMPOP", "0", "2", "other", "list", "RIGHT", "COUNT", "2")
		case 3:
			w.Send("BRPOPLPUSH", "list", "list2", "0")
		}
		awaitBlocked(t, c, n+1)
		waiting = append(waiting, w)
	}
	for n := 0; ; n++ {
		if c.Info("clients")["blocked_clients"] == "0" {
			break
		}
		if n > 100 {
			t.Fatal("some are never served")
		}
		c.Do("RPUSH", "list", fmt.Sprint(n), "x", fmt.Sprint(-n))
	}
	for _, w := range waiting {
		w.Receive()
	}
	c.Must("1", "WAIT", "1", "10000")
	for _, key := range []string{"list", "other", "list2"} {
		if ours, theirs := fmt.Sprint(c.Do("LRANGE", key, "0", "-1")), fmt.Sprint(r.Do("LRANGE", key, "0", "-1")); ours != theirs {
			t.Errorf("%s is %s on the primary and %s on the replica", key, ours, theirs)
		}
	}
}

// What those who waited have done follows what woke them, outside of its
// transaction, in words that a replica executes without waiting.
func TestTheStreamTellsWhoWasServedAfterWhatWokeThem(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{"ours": servertest.Start, "redis-server": servertest.StartRedis} {
		t.Run(name, func(t *testing.T) {
			i := start(t, "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600")
			c := i.Client(t)
			stream := dialReplica(t, i)
			stream.online()
			c.Must("OK", "SET", "first of all", "1") // with a SELECT in front
			for stream.command() != "SET first of all 1" {
			}
			for n, args := range [][]string{{"BLMOVE", "first", "second", "LEFT", "RIGHT", "0"}, {"BRPOPLPUSH", "second", "third", "0"},
				{"BLPOP", "third", "0"}, {"BLMPOP", "0", "1", "first", "RIGHT", "COUNT", "7"}} {
				i.Client(t).Send(args...)
				awaitBlocked(t, c, n+1)
			}
			c.Must("OK", "MULTI")
			c.Must("QUEUED", "RPUSH", "first", "x")
			c.Must("QUEUED", "RPUSH", "first", "y", "z")
			c.Must("[1 3]", "EXEC")
			c.Must("OK", "SET", "last", "1")
			var got []string
			for len(got) == 0 || got[len(got)-1] != "SET last 1" {
				got = append(got, stream.command())
			}
			want := []string{"MULTI", "RPUSH first x", "RPUSH first y z", "EXEC", "LMOVE first second LEFT RIGHT",
				"RPOP first 2", "RPOPLPUSH second third", "LPOP third", "SET last 1"}
			if !slices.EqualFunc(got, want, strings.EqualFold) {
				t.Errorf("the stream has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestAFencedPrimarySendsThoseAwayWhoWait(t *testing.T) {
	m := startMembers(t, "a")[0]
	m.promote(1, 1)
	m.write("k", "v") // it has its lease
	served, waiting, c := m.Client(t), m.Client(t), m.Client(t)
	served.Send("BLPOP", "list", "0")
	awaitBlocked(t, c, 1)
	waiting.Send("BLPOP", "list", "0")
	awaitBlocked(t, c, 2)
	c.Must("1", "RPUSH", "list", "x")
	if got := fmt.Sprint(served.Receive()); got != "[list x]" {
		t.Errorf("the first one got %s", got)
	}
	if _, err := m.api.Fence(context.Background(), instance.FenceRequest{Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	if got := waiting.AwaitClose(); !strings.HasPrefix(got, "-UNBLOCKED ") {
		t.Errorf("the second one got %q", got)
	}
}
