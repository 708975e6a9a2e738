package control

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const (
	// insideMarker is set in the environment of the process that runs the tests
	// in the namespace.
	insideMarker = "LOCKSTEP_CONTROL_INSIDE"
	// podNetwork is the beginning of the pods' addresses. Services refuse to lead
	// to loopback addresses, so those of 127.0.0.0/8 would not do.
	podNetwork = "10.77"
)

// inNetworkNamespace runs this program again in a network namespace of its own, in
// which every address of the pods' network is local. It returns the exit status.
func inNetworkNamespace() int {
	script := "ip link set lo up && ip address add " + podNetwork + `.0.1/16 dev lo && exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, os.Args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideMarker+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, "run the tests in a network namespace:", err)
		return 1
	}
	return 0
}
