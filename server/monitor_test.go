package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestMonitorShowsWhatRedisShows(t *testing.T) {
	long := strings.Repeat("z", 300)
	perform(t, `
		watcher> MONITOR
		alice> SET k v
		alice> GET
		alice> nosuchcommand x
		alice> SELECT 3
		alice> get k
		alice> MULTI
		alice> SET a 1
		alice> INCR a
		alice> PING
		alice> EXEC
		alice> MULTI
		alice> SET a 2
		alice> DISCARD
		alice> SELECT 0
		alice> AUTH secret
		alice> AUTH default secret
		alice> HELLO 3 AUTH default secret SETNAME x
		alice> HELLO 2
		alice> CONFIG SET requirepass ""
		alice> CONFIG SET hz 10 requirepass ""
		alice> CONFIG GET requirepass
		alice> CLIENT SETNAME x
		alice> CLIENT KILL ID 12345
		alice> CLIENT LIST TYPE pubsub
		alice> ACL WHOAMI
		alice> INFO nosuch
		alice> SLOWLOG LEN
		alice> DBSIZE
		alice> EXPIRE k 100
		alice> SET x `+long+`
		alice> EVAL "redis.call('set','a','1'); redis.call('select','2'); return redis.call('get','a')" 0
		alice> SUBSCRIBE c
		bob> PUBLISH c x
		bob> MONITOR
		bob> PING
		alice> UNSUBSCRIBE c
		bob> RESET
		alice> PING
		watcher> MONITOR
		watcher> GET k
		watcher> INCR k
		watcher> PUBLISH c x
		watcher> PING
		carol> MULTI
		carol> MONITOR
		carol> EXEC
		carol> PING
		carol> XREAD BLOCK 0 STREAMS stream $
		alice> XADD stream 1-1 a 1
		carol> MULTI
		carol> XREAD BLOCK 0 STREAMS stream $
		carol> EXEC
		carol> RESET
		alice> ECHO "tab	and \ and ümlaut"`)
}

func TestTheSlowLogShowsWhatRedisShows(t *testing.T) {
	many := strings.Repeat(" arg", 40)
	perform(t, `
		alice> CLIENT SETNAME al
		alice> CONFIG SET slowlog-log-slower-than 0
		alice> SLOWLOG RESET
		alice> SET k v
		alice> GET
		alice> nosuchcommand
		alice> SET long `+strings.Repeat("z", 200)+`
		alice> DEL`+many+`
		alice> MULTI
		alice> SET a 1
		alice> INCR a
		alice> EXEC
		alice> AUTH secret
		alice> HELLO 2 AUTH default secret
		alice> CONFIG SET masterauth secret hz 10
		alice> CLIENT SETNAME bob
		bob> PING
		alice> SLOWLOG GET 3
		alice> SLOWLOG LEN
		alice> SLOWLOG GET -1
		alice> CONFIG SET slowlog-max-len 2
		alice> SLOWLOG LEN
		alice> SLOWLOG GET 5
		alice> SLOWLOG GET 0
		alice> SLOWLOG GET 1 2
		alice> CONFIG SET slowlog-log-slower-than -1
		alice> SLOWLOG RESET
		alice> PING
		alice> SLOWLOG GET`, "--enable-debug-command", "yes")
}

// Nothing is written while a transaction runs, however much there is to be shown.
func TestAMonitorThatIsOverItsLimitIsShownNothingMore(t *testing.T) {
	i := servertest.Start(t, "--client-output-buffer-limit", "normal 1mb 0 0", "--client-output-buffer-limit", "replica 1mb 0 0")
	watcher, c := i.Client(t), i.Client(t)
	watcher.Must("OK", "CLIENT", "SETNAME", "watcher")
	watcher.Must("OK", "MONITOR")
	c.Must("OK", "MULTI")
	for range 40 {
		c.Must("QUEUED", "SET", "k", strings.Repeat("x", 100_000))
	}
	c.Must("QUEUED", "CLIENT", "LIST")
	replies, _ := c.Do("EXEC").([]any)
	for line := range strings.Lines(fmt.Sprint(replies[len(replies)-1])) {
		if strings.Contains(line, "name=watcher") && !strings.Contains(line, " omem=0 ") {
			t.Errorf("something waits for who is going to be hung up on: %s", line)
		}
	}
	watcher.AwaitClose()
}
