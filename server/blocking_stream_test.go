package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestClientsWaitForStreamsAsInRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"everybody who waits gets what is added", `
			alice> XREAD BLOCK 0 STREAMS stream $
			bob> XREAD BLOCK 0 STREAMS stream 0
			carol> XADD stream 1-1 a 1
			alice> XREAD BLOCK 0 STREAMS stream $
			carol> XADD stream 2-1 a 2`},
		{"what $ stands for is settled when the wait begins", `
			carol> XADD stream 1-1 a 1
			alice> XREAD COUNT 1 BLOCK 0 STREAMS stream other $ $
			carol> MULTI
			carol> XADD stream 2-1 a 2
			carol> XADD stream 3-1 a 3
			carol> EXEC
			alice> XREAD BLOCK 0 STREAMS stream $
			carol> XADD stream 4-1 a 4`},
		{"entries up to the ID end no wait", `
			alice> XREAD BLOCK 0 STREAMS stream 5-5
			carol> XADD stream 1-1 a 1
			carol> XADD stream 5-5 a 2
			carol> XADD stream 5-6 a 3`},
		{"a wait for several streams in RESP3", `
			alice> HELLO 3
			alice> XREAD BLOCK 0 STREAMS one two 0 0
			carol> XADD two 1-1 a 1
			alice> XREAD BLOCK 0 STREAMS one two $ $
			carol> XADD one 1-1 a 1`},
		{"a group gives each entry to one consumer, who came first", `
			carol> XGROUP CREATE stream group $ MKSTREAM
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS stream >
			bob> XREADGROUP GROUP group bob BLOCK 0 COUNT 1 STREAMS stream >
			carol> XADD stream 1-1 a 1
			alice> XREADGROUP GROUP group alice BLOCK 0 COUNT 1 STREAMS stream >
			carol> MULTI
			carol> XADD stream 2-1 a 2
			carol> XADD stream 3-1 a 3
			carol> EXEC
			carol> XPENDING stream group
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS stream 0
			bob> XREADGROUP GROUP group bob BLOCK 0 STREAMS stream 2-1`},
		{"readers and consumers wait for the same stream", `
			carol> XGROUP CREATE stream one $ MKSTREAM
			carol> XGROUP CREATE stream two $
			alice> XREADGROUP GROUP one alice NOACK BLOCK 0 STREAMS stream >
			bob> XREADGROUP GROUP two bob BLOCK 0 STREAMS stream >
			dave> XREAD BLOCK 0 STREAMS stream $
			carol> XADD stream 1-1 a 1
			carol> XPENDING stream one
			carol> XPENDING stream two`},
		{"a reader waits on when the stream goes and comes back", `
			carol> XADD stream 5-1 a 1
			alice> XREAD BLOCK 0 STREAMS stream 5-1
			carol> DEL stream
			carol> SET stream text
			carol> DEL stream
			carol> XADD stream 1-1 a 1
			carol> XADD stream 6-1 a 1`},
		{"a stream that comes from elsewhere", `
			carol> XADD source 1-1 a 1
			alice> XREAD BLOCK 0 STREAMS stream 0
			carol> RENAME source stream
			alice> XREAD BLOCK 0 STREAMS copied 0
			carol> COPY stream copied
			alice> XREAD BLOCK 0 STREAMS moved 0
			carol> SELECT 1
			carol> XADD moved 1-1 a 1
			carol> MOVE moved 0`},
		{"a wait that is in vain ends", `
			carol> XGROUP CREATE stream group $ MKSTREAM
			alice> AWAIT XREAD BLOCK 20 STREAMS stream $
			alice> AWAIT XREADGROUP GROUP group alice BLOCK 20 STREAMS stream >
			alice> HELLO 3
			alice> AWAIT XREAD BLOCK 20 STREAMS stream $
			carol> XADD stream 1-1 a 1
			carol> XPENDING stream group`},
		{"within a transaction nobody waits", `
			carol> XGROUP CREATE stream group $ MKSTREAM
			alice> MULTI
			alice> XREAD BLOCK 0 STREAMS stream $
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS stream >
			alice> XADD stream 1-1 a 1
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS stream >
			alice> EXEC`},
		{"a wait is ended from outside", `
			alice> XREAD BLOCK 0 STREAMS stream $
			bob> CLIENT UNBLOCK {alice}
			alice> XREAD BLOCK 0 STREAMS stream $
			bob> CLIENT UNBLOCK {alice} ERROR`},
		{"events come in the order of what happens", `
			carol> XGROUP CREATE stream group $ MKSTREAM
			carol> XGROUP CREATECONSUMER stream group carol
			erin> CONFIG SET notify-keyspace-events AKE
			erin> PSUBSCRIBE __keyevent*
			alice> XREADGROUP GROUP group carol BLOCK 0 STREAMS stream >
			dave> XADD stream MAXLEN 1 1-1 a 1
			dave> XADD stream MAXLEN 1 2-1 a 1`},
		{"bad arguments are found before anybody waits", `
			carol> XGROUP CREATE stream group $ MKSTREAM
			alice> XREAD BLOCK x STREAMS stream $
			alice> XREAD BLOCK -1 STREAMS stream $
			alice> XREAD BLOCK 0 STREAMS stream >
			alice> XREAD BLOCK 0 STREAMS stream x
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS stream $
			alice> XREADGROUP GROUP nosuch alice BLOCK 0 STREAMS stream >
			alice> XREADGROUP GROUP group alice BLOCK 0 STREAMS nosuch >
			carol> SET text x
			alice> XREAD BLOCK 0 STREAMS stream text $ 0`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines) })
	}
}

// Since Redis 7.2 a call that has waited is executed anew. 7.0 replies with what
// woke it, also when that is gone already.
func TestWhoWaitsForStreamsGetsWhatIsThereThen(t *testing.T) {
	i := servertest.Start(t)
	admin, consumer, reader := i.Client(t), i.Client(t), i.Client(t)
	admin.Must("OK", "XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
	consumer.Send("XREADGROUP", "GROUP", "group", "me", "BLOCK", "0", "STREAMS", "stream", ">")
	reader.Send("XREAD", "BLOCK", "0", "STREAMS", "other", "stream", "$", "$")
	awaitBlocked(t, admin, 2)
	admin.Must("OK", "MULTI")
	admin.Must("QUEUED", "XADD", "stream", "1-1", "a", "1")
	admin.Must("QUEUED", "XDEL", "stream", "1-1")
	admin.Must("[1-1 1]", "EXEC")
	awaitBlocked(t, admin, 2)
	admin.Must("OK", "MULTI")
	admin.Must("QUEUED", "XADD", "stream", "2-1", "a", "2")
	admin.Must("QUEUED", "XADD", "other", "3-1", "a", "3")
	admin.Must("[2-1 3-1]", "EXEC")
	for _, c := range []struct {
		who    *servertest.Client
		expect string
	}{
		{consumer, "[[stream [[2-1 [a 2]]]]]"},
		{reader, "[[other [[3-1 [a 3]]]] [stream [[2-1 [a 2]]]]]"},
	} {
		if got := fmt.Sprint(c.who.Receive()); got != c.expect {
			t.Errorf("who waited has got %s, want %s", got, c.expect)
		}
	}
}

func TestWhoWaitsForTheLastEntryGetsTheFirstThatComes(t *testing.T) {
	i := servertest.Start(t)
	admin, reader := i.Client(t), i.Client(t)
	reader.Send("XREAD", "BLOCK", "0", "COUNT", "5", "STREAMS", "stream", "+")
	awaitBlocked(t, admin, 1)
	admin.Must("1-1", "XADD", "stream", "1-1", "a", "1")
	if got := fmt.Sprint(reader.Receive()); got != "[[stream [[1-1 [a 1]]]]]" {
		t.Errorf("who waited has got %s", got)
	}
	admin.Must("1", "XDEL", "stream", "1-1")
	reader.Send("XREAD", "BLOCK", "0", "COUNT", "5", "STREAMS", "stream", "+")
	awaitBlocked(t, admin, 1)
	admin.Must("OK", "MULTI")
	admin.Must("QUEUED", "XADD", "stream", "2-1", "a", "2")
	admin.Must("QUEUED", "XADD", "stream", "2-2", "a", "3")
	admin.Must("[2-1 2-2]", "EXEC")
	if got := fmt.Sprint(reader.Receive()); got != "[[stream [[2-2 [a 3]]]]]" {
		t.Errorf("who waited has got %s", got)
	}
}

// A call that waits for a group says what it finds when it is executed anew.
func TestWhoWaitsForAGroupIsToldWhenItVanishes(t *testing.T) {
	const noGroup = "-NOGROUP No such key 'stream' or consumer group 'group' in XREADGROUP with GROUP option"
	for _, test := range []struct {
		name, want string
		do         [][]string
	}{
		{"because the group is destroyed", noGroup, [][]string{{"XGROUP", "DESTROY", "stream", "group"}}},
		{"because the key is deleted", noGroup, [][]string{{"DEL", "stream"}}},
		{"because the key is renamed", noGroup, [][]string{{"RENAME", "stream", "other"}}},
		{"because everything is flushed", noGroup, [][]string{{"FLUSHALL"}}},
		{"because the key expires", noGroup, [][]string{{"PEXPIRE", "stream", "1"}}},
		{"because the databases are swapped", noGroup, [][]string{{"SWAPDB", "0", "1"}}},
		{"because a stream without the group takes its place", noGroup, [][]string{
			{"XADD", "other", "1-1", "a", "b"}, {"RENAME", "other", "stream"}}},
		{"because the key gets another value", "-WRONGTYPE Operation against a key holding the wrong kind of value",
			[][]string{{"SET", "stream", "text"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := servertest.Start(t)
			admin, waiting, reader := i.Client(t), i.Client(t), i.Client(t)
			admin.Must("OK", "XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
			waiting.Send("XREADGROUP", "GROUP", "group", "me", "BLOCK", "0", "STREAMS", "stream", ">")
			reader.Send("XREAD", "BLOCK", "0", "STREAMS", "stream", "1000")
			awaitBlocked(t, admin, 2)
			for _, args := range test.do {
				if reply := admin.Raw(args...); strings.HasPrefix(reply, "-") {
					t.Fatalf("%v: %s", args, reply)
				}
			}
			if got := strings.TrimSpace(waiting.RawReply()); got != test.want {
				t.Errorf("who waits is told %s", got)
			}
			awaitBlocked(t, admin, 1) // who only reads waits on
		})
	}
}

// What consumers who waited have got follows what woke them, as claims.
func TestTheStreamTellsWhatConsumersWereGiven(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{"ours": servertest.Start, "redis-server": servertest.StartRedis} {
		t.Run(name, func(t *testing.T) {
			i := start(t, "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600")
			c := i.Client(t)
			stream := dialReplica(t, i)
			stream.online()
			c.Must("OK", "SET", "first of all", "1") // with a SELECT in front
			for stream.command() != "SET first of all 1" {
			}
			c.Must("OK", "XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
			c.Must("1", "XGROUP", "CREATECONSUMER", "stream", "group", "one")
			c.Must("1", "XGROUP", "CREATECONSUMER", "stream", "group", "two")
			i.Client(t).Send("XREADGROUP", "GROUP", "group", "one", "BLOCK", "0", "COUNT", "1", "STREAMS", "stream", ">")
			awaitBlocked(t, c, 1)
			i.Client(t).Send("XREADGROUP", "GROUP", "group", "two", "BLOCK", "0", "NOACK", "STREAMS", "stream", ">")
			awaitBlocked(t, c, 2)
			c.Must("OK", "MULTI")
			c.Must("QUEUED", "XADD", "stream", "1-1", "a", "1")
			c.Must("QUEUED", "XADD", "stream", "2-1", "a", "2")
			c.Must("[1-1 2-1]", "EXEC")
			c.Must("OK", "SET", "last", "1")
			var got []string
			for len(got) == 0 || got[len(got)-1] != "SET last 1" {
				words := strings.Fields(stream.command())
				if at := slices.Index(words, "TIME"); at > 0 {
					words[at+1] = "now"
				}
				got = append(got, strings.Join(words, " "))
			}
			claims := []string{"XCLAIM stream group one 0 1-1 TIME now RETRYCOUNT 1 FORCE JUSTID LASTID 1-1"}
			if name == "ours" { // and Valkey 8
				claims = []string{"MULTI", claims[0], "XGROUP SETID stream group 1-1 ENTRIESREAD 1", "EXEC"}
			}
			want := []string{"XGROUP CREATE stream group $ MKSTREAM",
				"XGROUP CREATECONSUMER stream group one", "XGROUP CREATECONSUMER stream group two",
				"MULTI", "XADD stream 1-1 a 1", "XADD stream 2-1 a 2", "EXEC"}
			want = append(append(want, claims...), "XGROUP SETID stream group 2-1 ENTRIESREAD 2", "SET last 1")
			if !slices.EqualFunc(got, want, strings.EqualFold) {
				t.Errorf("the stream has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
