package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestClientSideCachingWorksAsInRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"a key that was read is announced once when it changes", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON
			alice> CLIENT TRACKINGINFO
			alice> CLIENT GETREDIR
			alice> GET a
			alice> MGET b c
			alice> EXISTS d
			bob> SET a 1
			bob> SET a 2
			alice> GET a
			bob> DEL a
			bob> MSET b 1 c 1
			bob> SET d 1
			bob> SET x 1
			alice> STRLEN d
			alice> GET a
			alice> GET a
			alice> INCR a
			alice> GET a
			alice> MULTI
			alice> SET a 5
			alice> GET a
			alice> SET a 6
			alice> EXEC
			alice> GET y
			bob> FLUSHDB
			alice> GET y
			alice> FLUSHALL
			alice> CLIENT TRACKING OFF
			alice> CLIENT TRACKINGINFO
			alice> GET a
			bob> SET a 1`},
		{"keys that run out are announced", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON
			bob> DEBUG SET-ACTIVE-EXPIRE 0
			bob> SET a 1 PX 400
			alice> GET a
			bob> WAIT-MS 420
			bob> GET a`},
		{"another connection may be told instead", `
			alice> SUBSCRIBE __redis__:invalidate
			bob> CLIENT TRACKING ON REDIRECT {alice}
			bob> CLIENT GETREDIR
			bob> CLIENT TRACKINGINFO
			bob> GET a
			carol> SET a 1
			bob> GET a
			bob> SET a 2
			carol> FLUSHALL
			dave> HELLO 3
			bob> CLIENT TRACKING ON REDIRECT {dave}
			bob> GET a
			carol> SET a 3
			carol> FLUSHALL
			dave> HANGUP
			bob> GET a
			carol> SET a 4
			bob> CLIENT TRACKINGINFO
			bob> HELLO 3
			bob> GET a
			carol> SET a 5
			bob> CLIENT TRACKING ON`},
		{"a broadcast tells of all keys with a prefix, read or not", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:
			alice> CLIENT TRACKINGINFO
			bob> HELLO 3
			bob> CLIENT TRACKING ON BCAST
			bob> CLIENT TRACKINGINFO
			carol> SET user:1 x
			carol> MSET user:3 x item:9 x user:2 x other x
			alice> SET user:5 x
			bob> SET y x
			carol> DEL user:1 user:2
			carol> FLUSHALL
			alice> CLIENT TRACKING ON BCAST PREFIX user:1
			alice> CLIENT TRACKING ON BCAST PREFIX z: PREFIX z:z
			alice> CLIENT TRACKING ON BCAST PREFIX z:
			alice> CLIENT TRACKINGINFO
			carol> SET z:1 x
			alice> CLIENT TRACKING OFF
			carol> SET user:1 x`},
		{"a broadcast of all keys comes on top of prefixes", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON BCAST PREFIX user:
			alice> CLIENT TRACKING ON BCAST
			alice> CLIENT TRACKINGINFO
			bob> SET user:1 x
			bob> SET other x
			alice> CLIENT TRACKING ON BCAST PREFIX z:
			alice> CLIENT TRACKING OFF
			bob> SET user:1 x`},
		{"nobody need be told of what it has changed itself", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON NOLOOP
			alice> CLIENT TRACKINGINFO
			alice> GET a
			alice> SET a 1
			alice> GET a
			bob> SET a 1
			bob> HELLO 3
			bob> CLIENT TRACKING ON BCAST NOLOOP
			bob> CLIENT TRACKINGINFO
			bob> SET a 2
			carol> SET a 3
			bob> MSET a 4 b 5
			bob> FLUSHALL`},
		{"what to remember may be opted in and out", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON OPTIN
			alice> CLIENT TRACKINGINFO
			alice> GET a
			bob> SET a 1
			alice> CLIENT CACHING YES
			alice> CLIENT TRACKINGINFO
			alice> GET a
			alice> GET b
			bob> MSET a 1 b 1
			alice> CLIENT CACHING YES
			alice> MULTI
			alice> GET a
			alice> GET b
			alice> EXEC
			alice> CLIENT TRACKINGINFO
			bob> SET a 2
			bob> SET b 2
			alice> CLIENT CACHING NO
			alice> CLIENT CACHING YES
			alice> nosuchcommand
			alice> CLIENT TRACKINGINFO
			alice> CLIENT TRACKING ON OPTOUT
			alice> CLIENT TRACKING OFF
			alice> CLIENT TRACKING ON OPTOUT
			alice> CLIENT CACHING YES
			alice> CLIENT CACHING NO
			alice> CLIENT TRACKINGINFO
			alice> GET a
			alice> GET b
			bob> SET a 2
			bob> SET b 2`},
		{"what scripts read and change counts", `
			alice> HELLO 3
			alice> CLIENT TRACKING ON
			alice> EVAL "return redis.call('get',KEYS[1])" 1 a
			bob> SET a 1
			bob> EVAL "redis.call('set','a','2'); return redis.call('set','b','2')" 0
			alice> GET b
			bob> EVAL "redis.call('set','a','3'); return redis.call('set','b','3')" 0
			alice> GET a
			alice> EVAL "return redis.call('set','a','3')" 0
			alice> GET a
			alice> EVAL "return redis.call('flushall')" 0`},
		{"wrong modes are refused", `
			alice> CLIENT TRACKING
			alice> CLIENT TRACKING maybe
			alice> CLIENT TRACKING ON NOPE
			alice> CLIENT TRACKING ON REDIRECT
			alice> CLIENT TRACKING ON REDIRECT x
			alice> CLIENT TRACKING ON REDIRECT 99999
			bob> PING
			alice> CLIENT TRACKING ON REDIRECT {bob} REDIRECT {bob}
			alice> CLIENT TRACKING ON PREFIX a
			alice> CLIENT TRACKING ON BCAST OPTIN
			alice> CLIENT TRACKING ON BCAST OPTOUT
			alice> CLIENT TRACKING ON OPTIN OPTOUT
			alice> CLIENT CACHING YES
			alice> CLIENT TRACKING OFF NOPE
			alice> CLIENT TRACKING ON
			alice> CLIENT CACHING YES
			alice> CLIENT CACHING NO
			alice> CLIENT CACHING MAYBE
			alice> CLIENT CACHING
			alice> CLIENT TRACKING ON BCAST
			alice> CLIENT TRACKING ON OPTIN
			alice> CLIENT TRACKING ON OPTOUT
			alice> CLIENT TRACKINGINFO x
			alice> RESET
			alice> CLIENT TRACKINGINFO
			alice> CLIENT GETREDIR`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines, "--enable-debug-command", "yes") })
	}
}

// As of Redis 7.2: before, it was the keys that the script had declared.
func TestKeysThatAScriptReadsAreTracked(t *testing.T) {
	i := servertest.Start(t)
	c, other := i.Client(t), i.Client(t)
	c.Do("HELLO", "3")
	c.Must("OK", "CLIENT", "TRACKING", "ON")
	c.Must("<nil>", "EVAL_RO", "return redis.call('get','read')", "1", "declared")
	other.Must("OK", "MSET", "declared", "1", "read", "1")
	if got := fmt.Sprint(c.Receive()); got != "[invalidate [read]]" {
		t.Errorf("got %s", got)
	}
	c.Must("1", "EVAL", "redis.call('set','a','1'); return redis.call('get','a')", "0")
	other.Must("OK", "SET", "a", "2")
	if got := fmt.Sprint(c.Receive()); got != "[invalidate [a]]" {
		t.Errorf("got %s", got)
	}
}

func TestTheTrackingTableIsBounded(t *testing.T) {
	i := servertest.Start(t, "--tracking-table-max-keys", "10")
	c, admin := i.Client(t), i.Client(t)
	c.Do("HELLO", "3")
	c.Must("OK", "CLIENT", "TRACKING", "ON")
	for n := range 30 {
		c.Send("GET", "k"+strconv.Itoa(n))
	}
	replies, invalid := 0, 0
	for replies+invalid < 30+20 {
		if v := c.Receive(); v == nil {
			replies++
		} else {
			invalid++
		}
	}
	if invalid != 20 {
		t.Errorf("%d keys were announced as invalid, want 20", invalid)
	}
	want := map[string]string{"tracking_total_keys": "10", "tracking_total_items": "10", "tracking_total_prefixes": "0"}
	info := admin.Info("stats")
	for field, value := range want {
		if info[field] != value {
			t.Errorf("%s is %s, want %s", field, info[field], value)
		}
	}
	if n := admin.Info("clients")["tracking_clients"]; n != "1" {
		t.Errorf("tracking_clients is %s", n)
	}
	c.Close()
	servertest.Until(t, "nobody tracks", func() error {
		if n := admin.Info("clients")["tracking_clients"]; n != "0" {
			return fmt.Errorf("tracking_clients is %s", n)
		}
		return nil
	})
}

func TestWhatTheTrackingTableHasNoPlaceForAnyMoreIsAnnounced(t *testing.T) {
	i := servertest.Start(t)
	c, admin := i.Client(t), i.Client(t)
	c.Do("HELLO", "3")
	c.Must("OK", "CLIENT", "TRACKING", "ON")
	const keys = 12000 // more than leave the table at a time
	for n := range keys {
		c.Send("GET", "k"+strconv.Itoa(n))
	}
	for range keys {
		if v := c.Receive(); v != nil {
			t.Fatalf("a key that does not exist has the value %v", v)
		}
	}
	admin.Must("OK", "CONFIG", "SET", "tracking-table-max-keys", "1")
	for n := range keys - 1 {
		if got := fmt.Sprint(c.Receive()); !strings.HasPrefix(got, "[invalidate [k") {
			t.Fatalf("message %d is %s", n, got)
		}
	}
	if n := admin.Info("stats")["tracking_total_keys"]; n != "1" {
		t.Errorf("%s keys are tracked, want 1", n)
	}
}

func TestManyPrefixesAreHeldAgainstEachOtherQuickly(t *testing.T) {
	c := servertest.Start(t).Client(t)
	const prefixes = 200_000 // all pairs of which would take minutes
	args := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	for i := range prefixes {
		args = append(args, "PREFIX", fmt.Sprintf("prefix-%d-", i))
	}
	want := "ERR Prefix 'prefix-199999-more' overlaps with another provided prefix 'prefix-199999-'. Prefixes for a single client must not overlap."
	c.Must(want, append(args, "PREFIX", "prefix-199999-more")...)
	c.Must("OK", args...)
	c.Must("OK", "CLIENT", "TRACKING", "OFF")
}
