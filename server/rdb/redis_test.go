package rdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startRedis runs the real redis-server on the data in dir, reachable by a Unix
// socket alone.
func startRedis(t *testing.T, dir string, args ...string) *redis.Client {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	socket := filepath.Join(dir, "redis.sock")
	var log bytes.Buffer
	cmd := exec.Command(binary, append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no", "--databases", "16"}, args...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	t.Cleanup(func() {
		_ = client.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("redis-server said:\n%s", log.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return client
		}
		if ctx.Err() != nil {
			t.Fatalf("redis-server does not answer: %v\n%s", err, log.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func do(t *testing.T, c *redis.Client, args ...any) any {
	t.Helper()
	v, err := c.Do(t.Context(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// dataset has every spelling, with and without a time to live, in three databases.
func dataset() (want map[string]string, each func(func(db int, key, value string, expire int64))) {
	want = map[string]string{}
	const farAway = 4_102_444_800_123 // the year 2100
	each = func(fn func(db int, key, value string, expire int64)) {
		for _, db := range []int{0, 7, 15} {
			for i, v := range append(values, strings.Repeat("compressible ", 50), strings.Repeat("\x00", 1000), fmt.Sprintf("%s%s", strings.Repeat("ab", 300), strings.Repeat("cd", 300))) {
				fn(db, fmt.Sprintf("key:%d", i), v, int64(i%2)*farAway)
				fn(db, v, v, 0)
			}
		}
	}
	each(func(db int, key, value string, expire int64) {
		want[fmt.Sprintf("%d/%s", db, key)] = fmt.Sprintf("%s@%d", value, expire)
	})
	return want, each
}

func writeDataset(w *fileWriter, each func(func(db int, key, value string, expire int64))) {
	selected := -1
	each(func(db int, key, value string, expire int64) {
		if db != selected {
			w.selectDB(db, 10, 5)
			selected = db
		}
		w.Entry(ShapeString, []byte(key), expire, NoAccess)
		w.String([]byte(value))
	})
}

// readStrings reads a file of strings.
func readStrings(r io.Reader) (map[string]string, error) {
	got := map[string]string{}
	for reader := NewReader(r); ; {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if rec.Kind == KindEntry {
			got[fmt.Sprintf("%d/%s", rec.DB, rec.Key)] = fmt.Sprintf("%s@%d", rec.Value.Data, rec.ExpireAt)
		}
	}
}

func TestWeReadWhatRedisWrites(t *testing.T) {
	for _, compression := range []string{"yes", "no"} {
		t.Run("compression "+compression, func(t *testing.T) {
			dir := t.TempDir()
			c := startRedis(t, dir, "--rdbcompression", compression)
			want, each := dataset()
			each(func(db int, key, value string, expire int64) {
				do(t, c, "SELECT", db)
				if expire == 0 {
					do(t, c, "SET", key, value)
				} else {
					do(t, c, "SET", key, value, "PXAT", expire)
				}
			})
			do(t, c, "SAVE")
			f, err := os.Open(filepath.Join(dir, "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }() // read only
			if got, err := readStrings(f); err != nil || !maps.Equal(got, want) {
				t.Errorf("read %d entries, redis has %d: %v", len(got), len(want), err)
			}
		})
	}
}

func TestRedisReadsWhatWeWrite(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compression %v", compress), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "dump.rdb")
			want, each := dataset()
			w := newFileWriter(compress)
			writeDataset(w, each)
			if err := os.WriteFile(path, w.end(), 0o600); err != nil {
				t.Fatal(err)
			}
			if checker, err := exec.LookPath("redis-check-rdb"); err == nil {
				if out, err := exec.Command(checker, path).CombinedOutput(); err != nil || !strings.Contains(string(out), "looks OK") {
					t.Errorf("redis-check-rdb: %v\n%s", err, out)
				}
			}
			c := startRedis(t, dir)
			got := map[string]string{}
			for _, db := range []int{0, 7, 15} {
				do(t, c, "SELECT", db)
				for _, key := range do(t, c, "KEYS", "*").([]any) {
					expire := do(t, c, "PEXPIRETIME", key).(int64)
					got[fmt.Sprintf("%d/%s", db, key)] = fmt.Sprintf("%s@%d", do(t, c, "GET", key), max(expire, 0))
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("redis has %d entries, we wrote %d", len(got), len(want))
			}
		})
	}
}

func TestDumpPayloadsTravelBothWays(t *testing.T) {
	c := startRedis(t, t.TempDir())
	for i, v := range append(values, strings.Repeat("compressible ", 50)) {
		key := fmt.Sprintf("key:%d", i)
		do(t, c, "SET", key, v)
		got, err := ParseDump([]byte(do(t, c, "DUMP", key).(string)))
		if err != nil || string(got.Data) != v {
			t.Errorf("redis' payload of %.20q came as %.20q, %v", v, got.Data, err)
		}
		do(t, c, "RESTORE", key, 0, dumpString([]byte(v)), "REPLACE")
		if back := do(t, c, "GET", key); back != v {
			t.Errorf("our payload of %.20q came as %.20q", v, back)
		}
	}
}
