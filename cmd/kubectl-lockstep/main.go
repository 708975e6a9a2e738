// Command kubectl-lockstep is a plugin for kubectl: "kubectl lockstep status NAME"
// prints what the operator has decided and seen of a cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

const usage = `Usage: kubectl lockstep status NAME [-n NAMESPACE] [--context CONTEXT] [--kubeconfig FILE]
       kubectl lockstep version
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with what it touches as arguments; it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	var err error
	switch verb {
	case "status":
		err = status(ctx, args, stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "kubectl-lockstep", instance.Version)
	case "", "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
	default:
		err = fmt.Errorf("%q is not known\n%s", verb, usage)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stderr, "kubectl-lockstep:", err)
		return 1
	}
	return 0
}

func status(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{}
	set := flag.NewFlagSet("status", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&overrides.Context.Namespace, "n", "", "namespace")
	set.StringVar(&overrides.Context.Namespace, "namespace", "", "namespace")
	set.StringVar(&overrides.CurrentContext, "context", "", "context of the kubeconfig")
	set.StringVar(&rules.ExplicitPath, "kubeconfig", "", "path of the kubeconfig")
	name, err := parse(set, args)
	if err != nil {
		return err
	}
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loaded.ClientConfig()
	if err != nil {
		return fmt.Errorf("find the Kubernetes API server: %w", err)
	}
	namespace, _, err := loaded.Namespace()
	if err != nil {
		return fmt.Errorf("find the namespace: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("register types: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	cluster := &v1alpha1.LockstepCluster{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, cluster); err != nil {
		return fmt.Errorf("get cluster %s/%s: %w", namespace, name, err)
	}
	return describe(stdout, cluster)
}

// parse takes one name, with flags before or after it, as kubectl does.
func parse(set *flag.FlagSet, args []string) (name string, err error) {
	if err := set.Parse(args); err != nil {
		return "", err
	}
	if name = set.Arg(0); name == "" {
		return "", errors.New("which cluster? give its name: kubectl lockstep status NAME")
	}
	if err := set.Parse(set.Args()[1:]); err != nil {
		return "", err
	}
	if set.NArg() > 0 {
		return "", fmt.Errorf("argument %q is not understood: status takes one name", set.Arg(0))
	}
	return name, nil
}
