package server_test

import (
	"fmt"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestKeyspaceNotificationsAreThoseOfRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"the classes are shown in one order, and wrong ones refused", `
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events KEA
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events KEAm
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events mnshKE
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events dtezxhsl$g
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events dtezxhsl$
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events KKEEggg
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events q
			alice> CONFIG SET notify-keyspace-events "K E"
			alice> CONFIG GET notify-keyspace-events
			alice> CONFIG SET notify-keyspace-events ""
			alice> CONFIG GET notify-keyspace-events`},
		{"events are published by key and by event, with the number of the database", `
			alice> CONFIG SET notify-keyspace-events KEA
			bob> PSUBSCRIBE __key*
			carol> SUBSCRIBE __keyevent@0__:set __keyspace@0__:k
			alice> SET k 1
			alice> INCR k
			alice> APPEND k x
			alice> EXPIRE k 100
			alice> PERSIST k
			alice> RENAME k k2
			alice> COPY k2 k3
			alice> MOVE k3 4
			alice> SELECT 4
			alice> DEL k3
			alice> DEBUG SET-ACTIVE-EXPIRE 0
			alice> SET e x PX 1
			alice> WAIT-MS 5
			alice> GET e
			alice> SELECT 0
			alice> GETDEL k2
			alice> MSET a 1 b 2
			alice> MULTI
			alice> SET a 2
			alice> DEL b
			alice> EXEC
			alice> EVAL "return redis.call('set','a','3')" 0
			alice> FLUSHALL`},
		{"only what is asked for is published", `
			alice> CONFIG SET notify-keyspace-events Eg
			bob> PSUBSCRIBE *
			alice> SET k 1
			alice> DEL k
			alice> CONFIG SET notify-keyspace-events K$
			alice> SET k 1
			alice> DEL k
			alice> CONFIG SET notify-keyspace-events A
			alice> SET k 1
			alice> CONFIG SET notify-keyspace-events KE
			alice> SET k 1
			alice> CONFIG SET notify-keyspace-events Em
			alice> GET nokey
			alice> EXISTS nokey
			alice> OBJECT ENCODING nokey
			alice> DEL nokey`},
		{"keys that come into being are announced where that is asked for", `
			alice> CONFIG SET notify-keyspace-events EAn
			bob> PSUBSCRIBE __keyevent*
			alice> SET k 1
			alice> SET k 2
			alice> APPEND k3 x
			alice> SETRANGE k5 3 x
			alice> SETBIT k6 3 1
			alice> RENAME k k4
			alice> SET k7 1
			alice> RENAME k7 k6
			alice> COPY k4 k5
			alice> COPY k4 k5 REPLACE
			alice> MOVE k4 3
			alice> SELECT 3
			alice> BITOP NOT k8 k4
			alice> MSET a 1 k4 2
			alice> INCR n
			alice> GETSET m 1`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines, "--enable-debug-command", "yes") })
	}
}

func TestAKeyThatRunsOutIsAnnouncedThoughNobodyAsks(t *testing.T) {
	i := servertest.Start(t, "--notify-keyspace-events", "Ex")
	listener, c := i.Client(t), i.Client(t)
	listener.Do("SUBSCRIBE", "__keyevent@0__:expired")
	c.Must("OK", "SET", "k", "v", "PX", "1")
	if got := fmt.Sprint(listener.Receive()); got != "[message __keyevent@0__:expired k]" {
		t.Errorf("got %s", got)
	}
}

func TestAnEvictedKeyIsAnnounced(t *testing.T) {
	i := servertest.Start(t, "--notify-keyspace-events", "Ee", "--maxmemory-policy", "allkeys-random")
	listener, cacher, c := i.Client(t), i.Client(t), i.Client(t)
	listener.Do("SUBSCRIBE", "__keyevent@0__:evicted")
	cacher.Do("HELLO", "3")
	cacher.Must("OK", "CLIENT", "TRACKING", "ON")
	c.Must("OK", "SET", "k", "v")
	cacher.Must("v", "GET", "k")
	c.Must("OK", "CONFIG", "SET", "maxmemory", "1")
	if got := fmt.Sprint(listener.Receive()); got != "[message __keyevent@0__:evicted k]" {
		t.Errorf("the listener was told %s", got)
	}
	if got := fmt.Sprint(cacher.Receive()); got != "[invalidate [k]]" {
		t.Errorf("who had cached the key was told %s", got)
	}
}

func TestAReplicaAnnouncesWhatItsPrimaryChanges(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary, "--notify-keyspace-events", "KEA")
	listener := replica.Client(t)
	listener.Do("SUBSCRIBE", "__keyspace@0__:k")
	primary.Client(t).Must("OK", "SET", "k", "v")
	if got := fmt.Sprint(listener.Receive()); got != "[message __keyspace@0__:k set]" {
		t.Errorf("got %s", got)
	}
}
