package managed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// awaitBlocked waits until n clients of m wait for keys.
func (m *member) awaitBlocked(n int) {
	m.t.Helper()
	admin := m.Client(m.t)
	servertest.Until(m.t, "clients wait", func() error {
		if got := admin.Info("clients")["blocked_clients"]; got != fmt.Sprint(n) {
			return fmt.Errorf("%s clients wait, not %d", got, n)
		}
		return nil
	})
}

// Whoever waits for a key on a primary waits for what only a primary can bring. They
// are told when there is another one to go to.
func TestAHandoverSendsThoseAwayWhoWait(t *testing.T) {
	c := newCluster(t, longLease)
	old, next := c.start("demo-1"), c.start("demo-2")
	old.promote(1, 1)
	next.follow(1, old)
	st := next.connected()
	old.until("it is online", func(st *instance.Status) bool {
		return len(st.Replicas) == 1 && st.Replicas[0].State == instance.FeedOnline
	})
	old.Client(t).Must("OK", "XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
	requests := [][]string{
		{"BLPOP", "list", "0"}, {"BLMOVE", "list", "other", "LEFT", "RIGHT", "0"}, {"BZPOPMIN", "zset", "0"},
		{"XREAD", "BLOCK", "0", "STREAMS", "stream", "$"}, {"XREADGROUP", "GROUP", "group", "me", "BLOCK", "0", "STREAMS", "stream", ">"},
		{"BLMPOP", "100", "2", "list", "list2", "LEFT"},
	}
	var waiting []*servertest.Client
	for _, request := range requests {
		w := old.Client(t)
		w.Send(request...)
		waiting = append(waiting, w)
	}
	redirected := old.Client(t)
	redirected.Must("OK", "CLIENT", "CAPA", "redirect")
	redirected.Send("BRPOP", "list", "0")
	old.awaitBlocked(len(requests) + 1)
	if _, err := old.api.Handover(old.ctx(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: st.InstanceID, TimeoutMillis: instance.MaxHandoverMillis}); err != nil {
		t.Fatal(err)
	}
	next.promote(2, 1)
	old.follow(2, next)
	if got, want := fmt.Sprint(redirected.Receive()), fmt.Sprintf("REDIRECT 127.0.0.1:%d", next.Port); got != want {
		t.Errorf("who understands redirects was answered with %q, want %q", got, want)
	}
	for i, w := range waiting {
		if told := w.AwaitClose(); !strings.HasPrefix(told, "-UNBLOCKED ") || strings.Count(told, "\r\n") != 1 {
			t.Errorf("%v was answered with %q", requests[i], told)
		}
	}
	old.awaitBlocked(0)
	next.Client(t).Must("1", "RPUSH", "list", "x")
	next.Client(t).Must("[list x]", "BLPOP", "list", "0")
}

const (
	writes   = "return redis.call('SET', KEYS[1], 'by a script')"
	tries    = "local r = redis.pcall('SET', KEYS[1], 'by a script') return r.err or 'written'"
	library  = "#!lua name=lib\nredis.register_function('put', function(k, a) return redis.call('SET', k[1], a[1]) end)"
	declared = "#!lua\nreturn redis.call('SET', KEYS[1], 'by a script')"
)

// What a script writes is a write, whoever has hidden it in what.
func TestScriptsWriteOnlyWhereOneMayWrite(t *testing.T) {
	c := newCluster(t, longLease)
	m, other := c.start("demo-1"), c.start("demo-2")
	attempts := [][]string{
		{"EVAL", writes, "1", "key"}, {"EVAL", tries, "1", "key"}, {"EVAL", declared, "1", "key"}, {"FCALL", "put", "1", "key", "value"},
		{"FUNCTION", "LOAD", "REPLACE", library}, {"FUNCTION", "FLUSH"},
	}
	everythingIsRefused := func(m *member, when string) {
		t.Helper()
		before := m.status().Offset
		for _, attempt := range attempts {
			got := fmt.Sprint(m.Client(t).Do(attempt...))
			unknown := attempt[0] == "FCALL" && got == "ERR Function not found"
			if !strings.HasPrefix(got, "READONLY ") && !unknown {
				t.Errorf("%s, %v was answered with %q", when, attempt, got)
			}
			tx := m.Client(t)
			tx.Do("MULTI")
			tx.Do(attempt...)
			tx.Send("EXEC")
			if got, err := tx.Read(); err == nil && !strings.Contains(fmt.Sprint(got), "READONLY ") && !unknown && !refused(got, "EXECABORT") {
				t.Errorf("%s, %v in a transaction was answered with %v", when, attempt, got)
			}
		}
		if after := m.status().Offset; before != nil && (after == nil || *after != *before) {
			t.Errorf("%s, attempts have moved the offset from %v to %v", when, *before, after)
		}
	}
	everythingIsRefused(m, "before there is a role")
	m.promote(1, 1)
	m.Client(t).Must("lib", "FUNCTION", "LOAD", "REPLACE", library)
	for _, attempt := range attempts[:5] {
		if got := fmt.Sprint(m.Client(t).Do(attempt...)); got != "OK" && got != "written" && got != "lib" {
			t.Errorf("on the primary, %v was answered with %q", attempt, got)
		}
	}
	other.follow(1, m)
	other.caughtUp(m)
	everythingIsRefused(other, "on a replica")
	other.Client(t).Must("value", "EVAL", "return redis.call('GET', KEYS[1])", "1", "key")

	m.promote(1, 3) // now it needs others
	m.lease = shortLease
	m.grant(1, 3)
	other.Stop(t)
	m.until("the lease is over", func(st *instance.Status) bool { return st.Writes == instance.WritesLeaseExpired })
	everythingIsRefused(m, "without a lease")
	m.fence(2)
	everythingIsRefused(m, "after the fence")
	m.Client(t).Must("value", "GET", "key")
}

// TestAScriptIsFencedBehindItsBack: it is neither read nor written then, but what has
// not begun to write does not begin any more, and what has is not acknowledged.
func TestAScriptIsFencedBehindItsBack(t *testing.T) {
	const works = "local n = 0 while n < 2e7 do n = n + 1 end "
	for _, row := range []struct{ name, script string }{
		{"before it writes", works + "return redis.call('SET', KEYS[1], 'too late')"},
		{"after it has written", "redis.call('SET', KEYS[1], 'too late') " + works + "return 'done'"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCluster(t, longLease)
			m := c.start("demo-1", "--busy-reply-threshold", "10")
			m.promote(1, 1)
			busy, other := m.Client(t), m.Client(t)
			busy.Send("EVAL", row.script, "1", "key")
			servertest.Until(t, "the script is seen to be busy", func() error {
				if got := other.Do("PING"); !refused(got, "BUSY") {
					return fmt.Errorf("PING: %v", got)
				}
				return nil
			})
			_, err := m.api.Fence(m.ctx(), instance.FenceRequest{Epoch: 2})
			if err != nil && instance.CodeOf(err) != instance.CodeBusy {
				t.Fatal(err)
			}
			reply, err := busy.Read()
			if err == nil && !refused(reply, "READONLY") {
				t.Errorf("the script was answered with %v", reply)
			}
			m.verdict(instance.WritesFenced)
			servertest.Until(t, "the script has ended", func() error {
				if got := m.Client(t).Do("PING"); got != "PONG" {
					return fmt.Errorf("PING: %v", got)
				}
				return nil
			})
			if row.name == "before it writes" {
				m.Client(t).Must("<nil>", "GET", "key")
			}
		})
	}
}

// Keys whose time is over, and keys for which there is no room, are deleted by the
// primary alone: what anybody else deleted would be in no stream.
func TestOnlyThePrimaryDeletesByItself(t *testing.T) {
	c := newCluster(t, longLease)
	eviction := []string{"--maxmemory-policy", "allkeys-lru", "--maxmemory-eviction-tenacity", "100"}
	old, next := c.start("demo-1", eviction...), c.start("demo-2", eviction...)
	old.promote(1, 1)
	next.follow(1, old)
	next.connected()
	admin := old.Client(t)
	admin.Must("OK", "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	value := strings.Repeat("x", 1<<10)
	var sets []byte
	for n := range 3000 {
		sets = append(sets, servertest.Request("SET", fmt.Sprint("key:", n), value)...)
	}
	admin.Write(sets)
	for range 3000 {
		if got := admin.Receive(); got != "OK" {
			t.Fatalf("SET was answered with %v", got)
		}
	}
	admin.Must("OK", "SET", "short", "value", "PX", "20")
	next.caughtUp(old)
	time.Sleep(30 * time.Millisecond) // the key's life
	keeps := func(m *member, when string) {
		t.Helper()
		client := m.Client(t)
		client.Must("OK", "CONFIG", "SET", "maxmemory", "2mb")
		client.Must("<nil>", "GET", "short")
		client.Must("<nil>", "EVAL", "return redis.call('GET', KEYS[1])", "1", "short")
		client.Must("0", "EXISTS", "short")
		client.Must(value, "GET", "key:2999")
		if got := client.Do("DBSIZE"); got != int64(3001) {
			t.Errorf("%s there are %v keys, not 3001", when, got)
		}
		if info := client.Info("stats"); info["evicted_keys"] != "0" || info["expired_keys"] != "0" {
			t.Errorf("%s %s keys were evicted and %s have expired", when, info["evicted_keys"], info["expired_keys"])
		}
	}
	keeps(next, "on the replica")
	old.fence(2)
	keeps(old, "on the fenced primary")
	next.fence(2)
	keeps(next, "on the fenced replica")

	next.promote(2, 1)
	old.follow(2, next)
	client := next.Client(t)
	servertest.Until(t, "the new primary has deleted what is over and what is too much", func() error {
		client.Do("SET", "one", "more")
		if n, ok := client.Do("DBSIZE").(int64); !ok || n > 2500 {
			return fmt.Errorf("%d keys", n)
		}
		return nil
	})
	old.caughtUp(next)
	servertest.Until(t, "the replica holds the same", func() error {
		if a, b := client.Do("DBSIZE"), old.Client(t).Do("DBSIZE"); a != b {
			return fmt.Errorf("%v keys, not %v", b, a)
		}
		return nil
	})
	if n := old.Client(t).Info("stats")["evicted_keys"]; n != "0" {
		t.Errorf("the replica has evicted %s keys by itself", n)
	}
}
