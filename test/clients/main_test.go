package clients

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// onBoth runs a test on this project's server, as a process, and on the real
// redis-server, both with the same directives.
func onBoth(t *testing.T, test func(t *testing.T, server *servertest.Instance), directives ...string) {
	t.Helper()
	at := append([]string{"--repl-diskless-sync-delay", "0"}, directives...)
	t.Run("lockstep", func(t *testing.T) { test(t, servertest.StartProcess(t, at...)) })
	t.Run("redis-server", func(t *testing.T) { test(t, servertest.StartRedis(t, at...)) })
}

// limit bounds a test's conversation; nothing waits for it unless it fails.
const limit = time.Minute

// dial returns a go-redis client and a context that ends with the test.
func dial(t *testing.T, server *servertest.Instance, with ...func(*redis.Options)) (*redis.Client, context.Context) {
	t.Helper()
	o := &redis.Options{Addr: server.Addr}
	for _, set := range with {
		set(o)
	}
	c := redis.NewClient(o)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(func() {
		cancel()
		_ = c.Close()
	})
	return c, ctx
}

func must[T any](t *testing.T, what string) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// require skips the test when a program is missing, or fails it where it must be
// there.
func require(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("LOCKSTEP_REQUIRE_CLIENTS") != "":
		t.Fatalf("%s is required: %v", program, err)
	default:
		t.Skipf("needs %s: %v", program, err)
	}
	return path
}

var nodeOnce = sync.OnceValues(installNode)

// runNode runs a program of the folder node against a server. It passes when the
// program exits with 0; its output is the report of a failure.
func runNode(t *testing.T, program string, server *servertest.Instance) {
	t.Helper()
	node := require(t, "node")
	require(t, "npm")
	dir, err := nodeOnce()
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs(filepath.Join("node", program))
	if err != nil {
		t.Fatal(err)
	}
	// Modules are found beside the program, so it runs as a copy.
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(dir, "run-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	copied := filepath.Join(work, program)
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, copied)
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", server.Port))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// installNode makes a folder in which the packages of the lock file are installed.
func installNode() (string, error) {
	lock, err := os.ReadFile(filepath.Join("node", "package-lock.json"))
	if err != nil {
		return "", fmt.Errorf("read lock file: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache: %w", err)
	}
	parent := filepath.Join(cache, "lockstep", "clients")
	dir := filepath.Join(parent, fmt.Sprintf("%.8x", sha256.Sum256(lock)))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	// Installed beside and moved into place, so that a run that was cut short
	// leaves nothing that looks complete.
	temp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	defer os.RemoveAll(temp)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("node", name))
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(temp, name), text, 0o600); err != nil {
			return "", fmt.Errorf("copy %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	// Not "npm ci": it wants the packages of every platform in the lock file, also
	// those that a mirror of the registry does not carry and nobody needs here.
	cmd := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = temp
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w\n%s", err, out)
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil {
			return "", fmt.Errorf("keep the installed packages: %w", err)
		}
	}
	return dir, nil
}
