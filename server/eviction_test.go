package server_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// fillTo writes n keys of a KiB each, named by number; more says what follows the
// value in SET.
func fillTo(t *testing.T, c *servertest.Client, prefix string, n int, more ...string) {
	t.Helper()
	value := strings.Repeat("x", 1024)
	for i := range n {
		c.Must("OK", append([]string{"SET", prefix + strconv.Itoa(i), value}, more...)...)
	}
}

func exist(c *servertest.Client, prefix string, n int) int {
	found := 0
	for i := range n {
		if c.Do("EXISTS", prefix+strconv.Itoa(i)) == int64(1) {
			found++
		}
	}
	return found
}

func TestEvictionKeepsMemoryBelowTheLimit(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			c := servertest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", policy, "--maxmemory-eviction-tenacity", "100").Client(t)
			fillTo(t, c, "key:", 6000, "EX", "1000")
			info := fmt.Sprint(c.Do("INFO", "stats"))
			if evicted := infoNumber(t, info, "evicted_keys"); evicted < 2000 || evicted > 5000 {
				t.Errorf("%d keys were evicted of 6 MB for a limit of 4 MB", evicted)
			}
			if used := infoNumber(t, fmt.Sprint(c.Do("INFO", "memory")), "used_memory"); used > 4<<20+64<<10 {
				t.Errorf("%d bytes are in use", used)
			}
		})
	}
}

func TestVolatilePoliciesLeaveKeysWithoutAnExpiryTimeAlone(t *testing.T) {
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			c := servertest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", policy, "--maxmemory-eviction-tenacity", "100").Client(t)
			fillTo(t, c, "keep:", 1000)
			fillTo(t, c, "volatile:", 4000, "EX", "1000")
			if n := exist(c, "keep:", 1000); n != 1000 {
				t.Errorf("%d of 1000 keys without an expiry time are left", n)
			}
			if n := exist(c, "volatile:", 4000); n == 4000 || n == 0 {
				t.Errorf("%d of 4000 keys with an expiry time are left", n)
			}
			value := strings.Repeat("x", 1024)
			for i := 0; c.Do("SET", "more:"+strconv.Itoa(i), value) == "OK"; i++ {
				if i == 4000 {
					t.Fatal("without anything to evict, writes are to be refused")
				}
			}
			if n := exist(c, "volatile:", 4000); n != 0 {
				t.Errorf("writes are refused while %d keys could be evicted", n)
			}
		})
	}
}

func TestTheKeyThatExpiresFirstIsEvictedFirst(t *testing.T) {
	c := servertest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "20", "--maxmemory-eviction-tenacity", "100").Client(t)
	fillTo(t, c, "late:", 1000, "EX", "100000")
	fillTo(t, c, "soon:", 1000, "EX", "1000")
	fillTo(t, c, "new:", 1500, "EX", "50000")
	late, soon := exist(c, "late:", 1000), exist(c, "soon:", 1000)
	if late < 950 || soon > 600 {
		t.Errorf("left are %d that expire late and %d that expire soon", late, soon)
	}
}

func TestKeysInUseOutliveOthersUnderLFU(t *testing.T) {
	c := servertest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lfu", "--maxmemory-samples", "20",
		"--lfu-log-factor", "0", "--maxmemory-eviction-tenacity", "100").Client(t)
	fillTo(t, c, "hot:", 500)
	for range 10 {
		exist(c, "hot:", 500) // EXISTS is an access
	}
	for i := range 500 {
		c.Do("GET", "hot:"+strconv.Itoa(i))
	}
	fillTo(t, c, "cold:", 6000)
	if n := exist(c, "hot:", 500); n < 490 {
		t.Errorf("%d of 500 keys in use are left", n)
	}
}

// TestEvictedKeysVanishFromReplicas: a replica holds what its primary holds, and
// evicts nothing itself.
func TestEvictedKeysVanishFromReplicas(t *testing.T) {
	primary := servertest.StartProcess(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru", "--repl-diskless-sync-delay", "0")
	c := primary.Client(t)
	replica := servertest.StartProcess(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.Port), "--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru")
	r := replica.Client(t)
	servertest.Until(t, "the replica is in sync", func() error {
		if info := fmt.Sprint(r.Do("INFO", "replication")); !strings.Contains(info, "master_link_status:up") {
			return errors.New(info)
		}
		return nil
	})
	fillTo(t, c, "key:", 6000)
	servertest.Until(t, "both hold the same", func() error {
		if ours, theirs := c.Do("DBSIZE"), r.Do("DBSIZE"); ours != theirs {
			return fmt.Errorf("%v keys here, %v there", ours, theirs)
		}
		return nil
	})
	if n := infoNumber(t, fmt.Sprint(r.Do("INFO", "stats")), "evicted_keys"); n != 0 {
		t.Errorf("the replica has evicted %d keys by itself", n)
	}
	if n := c.Do("DBSIZE").(int64); n < 1000 || n > 4000 {
		t.Errorf("%d keys are left on the primary", n)
	}
}

func infoNumber(t *testing.T, info, field string) int {
	t.Helper()
	_, rest, found := strings.Cut(info, field+":")
	if !found {
		t.Fatalf("INFO has no %s", field)
	}
	line, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestScriptsCountTowardsMaxmemory: INFO said that they occupy memory, and eviction did
// not look at it.
func TestScriptsCountTowardsMaxmemory(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("1", "EVAL", "return 1", "0")
	c.Must("OK", "SET", "k", "v")
	used, err := strconv.Atoi(c.Info("memory")["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	c.Must("OK", "CONFIG", "SET", "maxmemory", strconv.Itoa(used-10_000))
	c.Must("OOM command not allowed when used memory > 'maxmemory'.", "SET", "k", "w")
}

// TestInfoDoesNotCountWhatWasFlushed: deleted values are freed in the background, and
// used_memory after FLUSHALL was still that of before.
func TestInfoDoesNotCountWhatWasFlushed(t *testing.T) {
	c := servertest.Start(t, "--enable-debug-command", "yes").Client(t)
	c.Must("OK", "DEBUG", "POPULATE", "20000", "key", "500")
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "FLUSHALL")
	c.Must("QUEUED", "INFO", "memory")
	text := fmt.Sprint(c.Do("EXEC"))
	var used int
	_, rest, _ := strings.Cut(text, "used_memory:")
	if _, err := fmt.Sscan(rest, &used); err != nil || used > 5<<20 {
		t.Errorf("%d bytes are in use after FLUSHALL (%v)", used, err)
	}
}

// TestALimitThatIsLiftedIsNotExceededAnyMore: the time in which more was in use than
// maxmemory went on for ever once there was no limit.
func TestALimitThatIsLiftedIsNotExceededAnyMore(t *testing.T) {
	for _, lift := range []string{"CONFIG SET maxmemory 0", "CONFIG RESETSTAT"} {
		t.Run(lift, func(t *testing.T) {
			c := servertest.Start(t, "--maxmemory", "1").Client(t)
			servertest.Until(t, "the limit is exceeded for a millisecond", func() error {
				c.Do("SET", "k", "v")
				if n := c.Info("stats")["current_eviction_exceeded_time"]; n == "0" {
					return errors.New("exceeded for 0 ms")
				}
				return nil
			})
			c.Must("OK", strings.Fields(lift)...)
			if n := c.Info("stats")["current_eviction_exceeded_time"]; n != "0" {
				t.Errorf("exceeded for %s ms after %s", n, lift)
			}
		})
	}
}
