// Command lockstep-operator is the control plane: it runs LockstepClusters. Several
// replicas of it may run; one of them leads, and all listen to the instances, so
// that the next leader knows everything at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// The lock of the leader. A leader that is gone is replaced within lockDuration and
// a little; one that ends in order gives the lock back at once. A primary keeps its
// lease from its replicas meanwhile, so nothing depends on this being shorter.
const (
	lockName          = "lockstep-operator"
	lockDuration      = 3 * time.Second
	lockRenewDeadline = 2 * time.Second
	lockRetryPeriod   = 500 * time.Millisecond
)

// flags are what the command line says.
type flags struct {
	leaderElect    bool
	lockNamespace  string
	identity       string
	instanceImage  string
	metricsAddress string
	healthAddress  string
	logFormat      string
	logLevel       string
	namespaces     []string
	workers        int
	version        bool
}

func main() { os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }

// run is main with what it touches as arguments; it returns the exit status.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	f, err := parseFlags(args, getenv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "lockstep-operator:", err)
		return 2
	}
	if f.version {
		fmt.Fprintln(stdout, "lockstep-operator", instance.Version)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := operate(ctx, f, stderr); err != nil {
		fmt.Fprintln(stderr, "lockstep-operator:", err)
		return 1
	}
	return 0
}

func parseFlags(args []string, getenv func(string) string, stderr io.Writer) (flags, error) {
	var f flags
	var namespaces string
	set := flag.NewFlagSet("lockstep-operator", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&f.leaderElect, "leader-elect", false, "share the work with other replicas: only the one that holds the lock acts")
	set.StringVar(&f.lockNamespace, "leader-elect-namespace", getenv("POD_NAMESPACE"), "namespace of the lock; by default that of the pod, from POD_NAMESPACE")
	set.StringVar(&f.instanceImage, "instance-image", getenv("LOCKSTEP_IMAGE"), "image of instances whose spec names none; by default LOCKSTEP_IMAGE from the environment")
	set.StringVar(&f.metricsAddress, "metrics-address", ":8080", "host:port of the metrics, 0 for none")
	set.StringVar(&f.healthAddress, "health-address", ":8081", "host:port of /healthz and /readyz, 0 for none")
	set.StringVar(&f.logFormat, "log-format", "json", "json or text")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&namespaces, "namespaces", "", "namespaces to look after, separated by commas; by default all")
	set.IntVar(&f.workers, "workers", 8, "how many clusters are worked upon at the same time")
	set.BoolVar(&f.version, "version", false, "print the version and end")
	if err := set.Parse(args); err != nil {
		return flags{}, err
	}
	f.identity = getenv("POD_NAME")
	for _, namespace := range strings.Split(namespaces, ",") {
		if namespace = strings.TrimSpace(namespace); namespace != "" {
			f.namespaces = append(f.namespaces, namespace)
		}
	}
	return f, f.check(set)
}

func (f flags) check(set *flag.FlagSet) error {
	switch {
	case f.version:
		return nil
	case set.NArg() > 0:
		return fmt.Errorf("argument %q is not understood; see --help", set.Arg(0))
	case f.instanceImage == "":
		return errors.New("no image for the instances: give --instance-image, or LOCKSTEP_IMAGE in the environment")
	case f.leaderElect && f.lockNamespace == "":
		return errors.New("no namespace for the leader's lock: give --leader-elect-namespace, or POD_NAMESPACE in the environment")
	case f.logFormat != "json" && f.logFormat != "text":
		return fmt.Errorf("--log-format %q: want json or text", f.logFormat)
	case f.workers < 1:
		return fmt.Errorf("--workers %d: want 1 or more", f.workers)
	}
	return nil
}
