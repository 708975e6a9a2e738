package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestSentinelFailsOver: three real Sentinels find the replicas of a primary, and
// each other, through it. They promote a replica when the primary is killed, the
// other replica continues at the new primary where it was, and they swap the two
// when asked to. A client that asks Sentinel for the primary loses nothing.
func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{
		"lockstep": servertest.StartProcess, "redis-server": servertest.StartRedis} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time Sentinel waits
			sentinelFailsOver(t, start)
		})
	}
}

func sentinelFailsOver(t *testing.T, start func(testing.TB, ...string) *servertest.Instance) {
	fast := []string{"--repl-diskless-sync-delay", "0"}
	servers := map[int]*servertest.Instance{}
	primary := start(t, fast...)
	servers[primary.Port] = primary
	for range 2 {
		replica := start(t, append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(primary.Port)}, fast...)...)
		servers[replica.Port] = replica
		awaitLink(t, replica, primary.Port)
	}
	sentinels := startSentinels(t, primary.Port)
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "app", SentinelAddrs: sentinels, MaxRetries: 100})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer func() {
		cancel()
		_ = c.Close()
	}()
	sentinel := servertest.Dial(t, sentinels[0])
	awaitSentinel(t, sentinel, "num-slaves", "2")
	awaitSentinel(t, sentinel, "num-other-sentinels", "2")

	written := 0
	write := func(replicas int) {
		t.Helper()
		for range 100 {
			written++
			must[int64](t, "write")(c.RPush(ctx, "log", written).Result())
		}
		if got := must[int64](t, "wait")(c.Wait(ctx, replicas, 10*time.Second).Result()); got < int64(replicas) {
			t.Fatalf("%d replicas have what was written, want %d", got, replicas)
		}
	}
	write(2)
	primary.Kill()
	delete(servers, primary.Port)
	promoted, other := awaitNewPrimary(t, sentinel, servers, primary.Port)
	there, _ := dial(t, promoted)
	if stats := must[map[string]map[string]string](t, "ask")(there.InfoMap(ctx, "stats").Result())["Stats"]; stats["sync_full"] != "0" {
		t.Errorf("the other replica took %s full synchronizations", stats["sync_full"])
	}
	write(1)

	servertest.Until(t, "Sentinel is ready for another failover", func() error {
		if reply := sentinel.Do("SENTINEL", "FAILOVER", "app"); reply != "OK" {
			return fmt.Errorf("it says: %v", reply)
		}
		return nil
	})
	swapped, _ := awaitNewPrimary(t, sentinel, servers, promoted.Port)
	if swapped != other {
		t.Errorf("the primary is %s, want %s", swapped.Addr, other.Addr)
	}
	write(1)
	log := must[[]string](t, "read")(c.LRange(ctx, "log", 0, -1).Result())
	if len(log) != written {
		t.Errorf("%d entries of %d", len(log), written)
	}
	for at, entry := range log {
		if entry != strconv.Itoa(at+1) {
			t.Fatalf("entry %d of the log is %s", at+1, entry)
		}
	}
}

// startSentinels starts three Sentinels of which two must agree, and returns their
// addresses.
func startSentinels(t *testing.T, primary int) []string {
	t.Helper()
	program := require(t, "redis-server")
	var addrs []string
	for range 3 {
		port := servertest.FreePort(t)
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor app 127.0.0.1 %d 2\n"+
			"sentinel down-after-milliseconds app 1000\nsentinel failover-timeout app 10000\n", port, filepath.Dir(file), primary)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, file, "--sentinel")
		out := &servertest.Output{}
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("a Sentinel:\n%s", out)
			}
		})
		servertest.Until(t, "a Sentinel watches", func() error {
			if !strings.Contains(out.String(), "+monitor master") {
				return fmt.Errorf("it says:\n%s", out)
			}
			return nil
		})
		addrs = append(addrs, "127.0.0.1:"+strconv.Itoa(port))
	}
	return addrs
}

// awaitSentinel waits until a field of what Sentinel knows of the primary has a value.
func awaitSentinel(t *testing.T, sentinel *servertest.Client, field, want string) {
	t.Helper()
	servertest.Until(t, "Sentinel knows "+field, func() error {
		known, _ := sentinel.Do("SENTINEL", "MASTER", "app").([]any)
		for i := 0; i+1 < len(known); i += 2 {
			if known[i] == field && known[i+1] == want {
				return nil
			}
		}
		return fmt.Errorf("it knows %v", known)
	})
}

// awaitNewPrimary waits until Sentinel names another primary than before, and the
// other server follows it. It returns both.
func awaitNewPrimary(t *testing.T, sentinel *servertest.Client, servers map[int]*servertest.Instance, before int) (primary, replica *servertest.Instance) {
	t.Helper()
	servertest.Until(t, "Sentinel names another primary", func() error {
		addr, _ := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "app").([]any)
		if len(addr) != 2 || addr[1] == strconv.Itoa(before) {
			return fmt.Errorf("it names %v", addr)
		}
		port, err := strconv.Atoi(addr[1].(string))
		primary = servers[port]
		return err
	})
	for _, s := range servers {
		if s != primary {
			replica = s
		}
	}
	awaitLink(t, replica, primary.Port)
	return primary, replica
}

// awaitLink waits until a server follows the one at a port. It asks with a client
// that connects again, because Sentinel hangs up on the clients of those it demotes.
func awaitLink(t *testing.T, replica *servertest.Instance, port int) {
	t.Helper()
	c, ctx := dial(t, replica)
	servertest.Until(t, "the replica follows", func() error {
		sections, err := c.InfoMap(ctx, "replication").Result()
		info := sections["Replication"]
		if err == nil && (info["role"] != "slave" || info["master_port"] != strconv.Itoa(port) || info["master_link_status"] != "up") {
			err = fmt.Errorf("it is %s of %s, link %s", info["role"], info["master_port"], info["master_link_status"])
		}
		return err
	})
}
