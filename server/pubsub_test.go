package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestChannelsWorkAsInRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"messages reach those who listen, and confirmations count channels and patterns together", `
			alice> SUBSCRIBE news sport news
			alice> PSUBSCRIBE n* s?ort
			alice> SSUBSCRIBE shard1
			bob> PUBLISH news hello
			bob> PUBLISH nothing x
			bob> PUBLISH weather x
			bob> SPUBLISH shard1 x
			bob> SPUBLISH news x
			bob> PUBLISH shard1 x
			bob> PUBSUB CHANNELS n*
			bob> PUBSUB NUMSUB
			bob> PUBSUB NUMSUB news none sport
			bob> PUBSUB NUMPAT
			bob> PUBSUB SHARDCHANNELS
			bob> PUBSUB SHARDCHANNELS x*
			bob> PUBSUB SHARDNUMSUB shard1 news
			alice> UNSUBSCRIBE none
			alice> UNSUBSCRIBE news
			alice> UNSUBSCRIBE
			alice> UNSUBSCRIBE
			alice> PUNSUBSCRIBE n*
			alice> PUNSUBSCRIBE
			alice> PUNSUBSCRIBE
			alice> SUNSUBSCRIBE
			alice> SUNSUBSCRIBE
			alice> GET x`},
		{"a RESP2 listener may only do what fits between messages", `
			alice> SUBSCRIBE a
			alice> GET x
			alice> PING
			alice> PING there
			alice> PING a b
			alice> CLIENT LIST
			alice> PUBLISH a x
			alice> PUBSUB NUMPAT
			alice> HELLO 3
			alice> MULTI
			alice> nosuchcommand
			alice> UNSUBSCRIBE a
			alice> PING
			alice> SSUBSCRIBE s
			alice> GET x
			alice> PING
			alice> RESET
			alice> PING
			bob> PUBSUB SHARDCHANNELS
			alice> SUBSCRIBE a
			alice> QUIT`},
		{"a RESP3 listener may do everything", `
			alice> HELLO 3
			alice> SUBSCRIBE a b
			alice> PING
			alice> PING x
			alice> MULTI
			alice> SET k v
			alice> SUBSCRIBE c
			alice> UNSUBSCRIBE b
			alice> EXEC
			bob> PUBLISH a 1
			bob> PUBLISH b 2
			bob> PUBLISH c 3
			alice> UNSUBSCRIBE nothing
			alice> UNSUBSCRIBE a
			alice> UNSUBSCRIBE
			alice> PUNSUBSCRIBE
			alice> SUNSUBSCRIBE x
			bob> PUBSUB CHANNELS`},
		{"a RESP2 transaction may begin to listen", `
			alice> MULTI
			alice> SUBSCRIBE a
			alice> PSUBSCRIBE a*
			alice> PING
			alice> EXEC
			bob> PUBLISH a z
			alice> GET k
			alice> UNSUBSCRIBE
			alice> PUNSUBSCRIBE
			alice> GET k`},
		{"messages are sent although replies are off", `
			alice> CLIENT REPLY OFF
			alice> SUBSCRIBE a
			bob> PUBLISH a x
			alice> PING
			alice> UNSUBSCRIBE a
			alice> CLIENT REPLY ON
			alice> CLIENT REPLY SKIP
			alice> SUBSCRIBE a
			alice> PING`},
		{"scripts may publish, and not listen", `
			alice> SUBSCRIBE a
			bob> EVAL "return {redis.call('publish','a','x'), redis.call('spublish','a','y')}" 0
			bob> EVAL "return redis.call('subscribe','a')" 0
			bob> EVAL "return redis.pcall('pubsub','numsub','a')" 0`},
		{"a transaction may listen to channels, and not to those of shards", `
			alice> MULTI
			alice> SUBSCRIBE a
			alice> SSUBSCRIBE a
			alice> SUNSUBSCRIBE a
			alice> PSUBSCRIBE a*
			alice> EXEC
			bob> PUBLISH a x
			bob> SPUBLISH a x`},
		{"wrong calls are refused", `
			alice> SUBSCRIBE
			alice> PSUBSCRIBE
			alice> PUBLISH a
			alice> PUBLISH a b c
			alice> SPUBLISH a
			alice> PUBSUB
			alice> PUBSUB NOPE
			alice> PUBSUB CHANNELS a b
			alice> PUBSUB SHARDCHANNELS a b
			alice> PUBSUB NUMPAT x
			alice> PUBSUB HELP
			alice> PUBSUB NUMSUB`},
		{"who hangs up listens no more", `
			alice> SUBSCRIBE a
			alice> PSUBSCRIBE *
			bob> SUBSCRIBE a
			alice> HANGUP
			carol> PUBLISH a x
			carol> PUBSUB NUMSUB a
			carol> PUBSUB NUMPAT`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines) })
	}
}

// As of Redis 7.2: before, messages to oneself came in front of the reply, and
// among the replies of a transaction.
func TestMessagesToOneselfComeAfterTheReply(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Do("HELLO", "3")
	c.Do("SUBSCRIBE", "a")
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := fmt.Sprint(c.Receive()); got != w {
				t.Fatalf("got %s, want %s", got, w)
			}
		}
	}
	c.Send("PUBLISH", "a", "x")
	expect("1", "[message a x]")
	c.Send("MULTI")
	c.Send("PUBLISH", "a", "1")
	c.Send("SET", "k", "v")
	c.Send("PUBLISH", "a", "2")
	c.Send("EXEC")
	expect("OK", "QUEUED", "QUEUED", "QUEUED", "[1 OK 1]", "[message a 1]", "[message a 2]")
}

func TestAListenerIsSeenInTheListOfClients(t *testing.T) {
	i := servertest.Start(t)
	listener, admin := i.Client(t), i.Client(t)
	listener.Do("SUBSCRIBE", "a")
	listener.Do("PSUBSCRIBE", "b*")
	listener.Do("SSUBSCRIBE", "c")
	line := admin.Text("CLIENT", "LIST", "TYPE", "pubsub")
	for _, want := range []string{" flags=P ", " sub=1 psub=1 ssub=1 ", " cmd=ssubscribe "} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	info := admin.Info("stats")
	for _, field := range []string{"pubsub_channels", "pubsub_patterns", "pubsubshard_channels"} {
		if info[field] != "1" {
			t.Errorf("%s is %s, want 1", field, info[field])
		}
	}
	admin.Must("1", "CLIENT", "KILL", "TYPE", "pubsub")
	listener.AwaitClose()
	admin.Must("0", "PUBLISH", "a", "x")
}

func TestAListenerWhoDoesNotReadIsHungUpOn(t *testing.T) {
	i := servertest.Start(t, "--client-output-buffer-limit", "pubsub 1mb 0 0")
	listener, admin := i.Client(t), i.Client(t)
	listener.Do("SUBSCRIBE", "a")
	message := strings.Repeat("x", 256<<10)
	servertest.Until(t, "the listener is gone", func() error {
		if n := admin.Do("PUBLISH", "a", message); n != int64(0) {
			return fmt.Errorf("a message goes to %v", n)
		}
		return nil
	})
	if n := admin.Info("stats")["client_output_buffer_limit_disconnections"]; n != "1" {
		t.Errorf("client_output_buffer_limit_disconnections is %s, want 1", n)
	}
}

func TestMessagesArePassedOnToReplicas(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary)
	listener := replica.Client(t)
	listener.Do("SUBSCRIBE", "a")
	listener.Do("SSUBSCRIBE", "s")
	primary.Client(t).Must("0", "PUBLISH", "a", "hello")
	if got := fmt.Sprint(listener.Receive()); got != "[message a hello]" {
		t.Errorf("got %s", got)
	}
	primary.Client(t).Must("0", "SPUBLISH", "s", "hello")
	if got := fmt.Sprint(listener.Receive()); got != "[smessage s hello]" {
		t.Errorf("got %s", got)
	}
	replica.Client(t).Must("1", "PUBLISH", "a", "here only")
	if got := fmt.Sprint(listener.Receive()); got != "[message a here only]" {
		t.Errorf("got %s", got)
	}
}

// What a script publishes to the very client that runs it waits for the end of the
// script, and is held to the client's limit until then, too.
func TestAScriptThatPublishesToItsOwnClientIsHeldToTheLimit(t *testing.T) {
	i := servertest.Start(t, "--client-output-buffer-limit", "pubsub 1mb 0 0")
	c, other := i.Client(t), i.Client(t)
	c.Do("HELLO", "3")
	c.Do("SUBSCRIBE", "news")
	c.Send("EVAL", `for i = 1, 40 do redis.call('publish', 'news', string.rep('x', 100000)) end
		redis.call('set', 'seen', redis.call('info', 'stats'))`, "0")
	c.AwaitClose()
	if seen := other.Text("GET", "seen"); !strings.Contains(seen, "client_output_buffer_limit_disconnections:1\r\n") {
		t.Error("the limit was passed unnoticed while the script ran")
	}
}
