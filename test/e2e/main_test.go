package e2e

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/redis/go-redis/v9/logging"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

const (
	// envEnable is set by hack/e2e once the cluster, the image and the chart
	// are in place.
	envEnable = "LOCKSTEP_E2E"
	// envTool is the path of hack/cluster/cluster.
	envTool = "LOCKSTEP_CLUSTER_TOOL"
	// envRuns is how often each measured fault is repeated.
	envRuns = "RUNS"

	operatorNamespace = "lockstep-system"
)

// kube is the client of all tests; it is safe for concurrent use.
var kube client.Client

func TestMain(m *testing.M) {
	if os.Getenv(envEnable) == "" {
		fmt.Printf("e2e: skipped: %s is not set. Run `make test-e2e`, which brings up a cluster first.\n", envEnable)
		return
	}
	if err := connect(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(1)
	}
	code := m.Run()
	printMeasurements()
	os.Exit(code)
}

func connect() error {
	logging.Disable() // each failed dial would be a line; the tests count them

	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(discoveryv1.AddToScheme(scheme))
	utilruntime.Must(coordinationv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("read KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 200, 400 // the tests poll; client-side throttling would measure itself
	kube, err = client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	return nil
}

// runs returns how often a measured fault is repeated: RUNS, or 10.
func runs(t *testing.T) int {
	t.Helper()
	text := os.Getenv(envRuns)
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a whole number of 1 or more", envRuns, text)
	}
	return n
}
