package clients

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// cli runs redis-cli to its end and returns what it printed.
func cli(t *testing.T, server *servertest.Instance, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, require(t, "redis-cli"), append([]string{"-p", strconv.Itoa(server.Port)}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// everyType writes keys of every type, small and large.
func everyType() string {
	var b bytes.Buffer
	command := func(args ...string) { b.Write(servertest.Request(args...)) }
	for i := range 200 {
		n := strconv.Itoa(i)
		command("SET", "string:"+n, strings.Repeat("x", i))
		command("RPUSH", "list:"+strconv.Itoa(i%3), "element "+n)
		command("SADD", "set:"+strconv.Itoa(i%3), n)
		command("SADD", "words", "word "+n)
		command("ZADD", "zset:"+strconv.Itoa(i%3), n, "member "+n)
		command("HSET", "hash:"+strconv.Itoa(i%3), "field "+n, strings.Repeat("v", i))
		command("XADD", "stream", n+"-1", "field", n)
		command("PFADD", "hll", n)
	}
	command("SET", "big", strings.Repeat("b", 100000))
	command("EXPIRE", "string:1", "100000")
	return b.String()
}

func TestRedisCliPipesRequestsIn(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		out := cli(t, server, everyType(), "--pipe")
		if !strings.Contains(out, "errors: 0, replies: 1602") {
			t.Errorf("redis-cli --pipe says:\n%s", out)
		}
		if size := server.Client(t).Do("DBSIZE"); size != int64(200+3*4+1+1+1+1) {
			t.Errorf("%v keys", size)
		}
	})
}

func TestRedisCliScansAndFindsBigKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		cli(t, server, everyType(), "--pipe")
		if keys := strings.Fields(cli(t, server, "", "--scan", "--pattern", "string:1*")); len(keys) != 111 {
			t.Errorf("--scan found %d keys", len(keys))
		}
		for args, want := range map[string][]string{
			"--bigkeys": {`Biggest string found`, `'"big"' has 100000 bytes`, `Biggest   list found`, `has 67 items`, `Biggest stream found`, `'"stream"' has 200 entries`, `1 streams with 200 entries`},
			"--memkeys": {`Biggest string found`, `'"big"' has`},
		} {
			out := cli(t, server, "", strings.Fields(args)...)
			for _, text := range want {
				if !strings.Contains(out, text) {
					t.Errorf("redis-cli %s does not say %q:\n%s", args, text, out)
				}
			}
		}
	})
}

func TestRedisCliFindsHotKeysUnderLFU(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c := server.Client(t)
		c.Must("OK", "SET", "cold", "v")
		c.Must("OK", "SET", "hot", "v")
		for range 2000 {
			c.Must("v", "GET", "hot")
		}
		if out := cli(t, server, "", "--hotkeys"); !strings.Contains(out, "hot key found with counter") {
			t.Errorf("--hotkeys says:\n%s", out)
		}
	}, "--maxmemory-policy", "allkeys-lfu", "--maxmemory", "100mb")
}

// TestRedisCliTakesASnapshot: the file that --rdb writes is loaded by the real
// redis-server and by this one, and holds the same.
func TestRedisCliTakesASnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		cli(t, server, everyType(), "--pipe")
		dir := t.TempDir()
		cli(t, server, "", "--rdb", filepath.Join(dir, "dump.rdb"))
		want := server.Client(t).Text("DEBUG", "DIGEST") // and not an error, which would be the same everywhere
		for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{
			"lockstep": servertest.StartProcess, "redis-server": servertest.StartRedis} {
			copied := t.TempDir()
			text, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(copied, "dump.rdb"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			other := start(t, "--dir", copied, "--enable-debug-command", "yes")
			if got := other.Client(t).Text("DEBUG", "DIGEST"); got != want {
				t.Errorf("%s loads the file as %v, want %v", name, got, want)
			}
		}
	}, "--enable-debug-command", "yes")
}

// TestRedisCliFollowsAsAReplica: --replica prints the commands that a replica gets.
func TestRedisCliFollowsAsAReplica(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, require(t, "redis-cli"), "-p", strconv.Itoa(server.Port), "--replica")
		out := &servertest.Output{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		seen := func(text string) func() error {
			return func() error {
				if !strings.Contains(out.String(), text) {
					return fmt.Errorf("it says:\n%s", out.String())
				}
				return nil
			}
		}
		servertest.Until(t, "redis-cli is in sync", seen("SYNC done"))
		c := server.Client(t)
		c.Must("OK", "SET", "k", "v")
		c.Must("1", "ZADD", "z", "1.5", "m")
		servertest.Until(t, "the commands are seen", seen(`"ZADD","z","1.5","m"`))
	})
}

func TestRedisCliEvaluatesAFileAndMeasures(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		file := filepath.Join(t.TempDir(), "script.lua")
		if err := os.WriteFile(file, []byte("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := cli(t, server, "", "--eval", file, "counter", ",", "arg"); out != "counter\narg\n1\n" {
			t.Errorf("--eval prints %q", out)
		}
		if out := cli(t, server, "SUBSCRIBE\nGET counter\n"); !strings.Contains(out, "wrong number of arguments") || !strings.Contains(out, "1") {
			t.Errorf("a session prints %q", out)
		}
		if out := cli(t, server, "", "-3", "--json", "CONFIG", "GET", "port"); !strings.Contains(out, `"port"`) {
			t.Errorf("--json prints %q", out)
		}
		if out := cli(t, server, "", "-r", "3", "-i", "0.01", "INCR", "counter"); out != "2\n3\n4\n" {
			t.Errorf("-r prints %q", out)
		}
		if out := cli(t, server, "", "--csv", "LRANGE", "none", "0", "-1"); strings.TrimSpace(out) != "" {
			t.Errorf("--csv prints %q", out)
		}
	})
}
