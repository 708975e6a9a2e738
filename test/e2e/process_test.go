package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// processOf returns the machine's process ID of the program in the pod. The
// nodes' processes are all visible here; the one that is meant carries the
// pod's UID in its control group.
func processOf(t *testing.T, pod *corev1.Pod, program string) int {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatalf("list processes: %v", err)
	}
	// The control group's name has the UID with dashes or, under some drivers,
	// with underscores.
	uid := string(pod.UID)
	for _, path := range procs {
		groups, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since the listing
		}
		text := strings.ReplaceAll(string(groups), "_", "-")
		if !strings.Contains(text, uid) {
			continue
		}
		dir := filepath.Dir(path)
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || !strings.HasPrefix(program, strings.TrimSpace(string(comm))) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatalf("parse process ID of %s: %v", dir, err)
		}
		return pid
	}
	t.Fatalf("pod %s (UID %s) has no process %s on this machine", pod.Name, uid, program)
	return 0
}

const (
	serverProgram   = "lockstep-server"
	operatorProgram = "lockstep-operator"
)

func signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("send %s to process %d: %v", sig, pid, err)
	}
}
