package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// The programs assert by themselves; what they do is said at their top.

func TestRedisPy(t *testing.T) {
	python := pythonWith(t, "redis")
	onBoth(t, func(t *testing.T, s *servertest.Instance) { runPython(t, python, "redis_py.py", s) })
}

func TestATaskQueueOfCelery(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "redis", "celery")
	onBoth(t, func(t *testing.T, s *servertest.Instance) {
		t.Parallel() // its worker takes seconds to start and to end
		runPython(t, python, "celery_tasks.py", s)
	})
}

// pythonWith finds an interpreter that has the modules. Debian's packages are for
// the one that Debian has, which another installation may hide.
func pythonWith(t *testing.T, modules ...string) string {
	t.Helper()
	why := "no python3"
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(name, "-c", "import "+strings.Join(modules, ", ")).CombinedOutput()
		if err == nil {
			return name
		}
		why = fmt.Sprintf("%v\n%s", err, out)
	}
	if os.Getenv("LOCKSTEP_REQUIRE_CLIENTS") != "" {
		t.Fatalf("Python with %s is required: %s", strings.Join(modules, ", "), why)
	}
	t.Skipf("needs Python with %s: %s", strings.Join(modules, ", "), why)
	return ""
}

// runPython runs a program of the folder python against a server, as runNode does.
func runPython(t *testing.T, python, program string, server *servertest.Instance) {
	t.Helper()
	dir, err := filepath.Abs("python")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join(dir, program))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", server.Port), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
	// What it starts ends with it, also when it takes too long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}
