package control

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers"
)

// clusters counts those that tests have made; tests run one after the other.
var clusters int

const patience = 30 * time.Second

// stage is what all tests share: an API server and the server's program.
var stage struct {
	once    sync.Once
	config  *rest.Config
	client  client.Client
	server  string
	cleanup []func()
	err     error
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	if os.Getenv("KUBEBUILDER_ASSETS") != "" && os.Getenv(insideMarker) == "" {
		os.Exit(inNetworkNamespace())
	}
	code := m.Run()
	for _, f := range stage.cleanup {
		f()
	}
	os.Exit(code)
}

func setStage() {
	dir, err := os.MkdirTemp("", "lockstep-control-")
	if stage.err = err; err != nil {
		return
	}
	stage.cleanup = append(stage.cleanup, func() { _ = os.RemoveAll(dir) })
	stage.server = filepath.Join(dir, "lockstep-server")
	build := exec.Command("go", "build", "-o", stage.server, "github.com/lockstep-db/lockstep/cmd/lockstep-server")
	if out, err := build.CombinedOutput(); err != nil {
		stage.err = fmt.Errorf("build the server: %w: %s", err, out)
		return
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	// It would look for the address of the default route, and there is none.
	environment.ControlPlane.GetAPIServer().Configure().Set("advertise-address", podNetwork+".0.1")
	if stage.config, stage.err = environment.Start(); stage.err != nil {
		return
	}
	stage.cleanup = append(stage.cleanup, func() { _ = environment.Stop() })
	stage.config.QPS, stage.config.Burst = 500, 1000
	stage.client, stage.err = client.New(stage.config, client.Options{Scheme: scheme()})
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// cluster is a LockstepCluster named demo in a namespace of its own, with an
// operator that looks after it.
type cluster struct {
	t         *testing.T
	namespace string
	kubelet   *kubelet
	key       types.NamespacedName
}

func newCluster(t *testing.T, spec v1alpha1.LockstepClusterSpec) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs kube-apiserver and etcd: set KUBEBUILDER_ASSETS to the folder that `hack/cluster/cluster envtest-assets` prints")
	}
	if stage.once.Do(setStage); stage.err != nil {
		t.Fatal(stage.err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "control-"}}
	if err := stage.client.Create(t.Context(), ns); err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	c := &cluster{t: t, namespace: ns.Name, key: types.NamespacedName{Namespace: ns.Name, Name: "demo"}}
	clusters++
	c.kubelet = &kubelet{index: clusters, t: t, client: stage.client, namespace: ns.Name, server: stage.server, dir: t.TempDir(), pods: map[types.UID]*process{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.kubelet.run(ctx) })
	c.operate(ctx, &wg)
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if t.Failed() {
			c.printLogs()
		}
	})
	object := &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "demo"}, Spec: spec}
	if err := stage.client.Create(t.Context(), object); err != nil {
		t.Fatalf("create cluster: %v", err)
	}
	return c
}

func (c *cluster) operate(ctx context.Context, wg *sync.WaitGroup) {
	c.t.Helper()
	skip := true
	mgr, err := ctrl.NewManager(stage.config, ctrl.Options{
		Scheme: scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(),
		Controller: config.Controller{SkipNameValidation: &skip},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{c.namespace: {}}},
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		c.t.Fatalf("new manager: %v", err)
	}
	leadership := controllers.NewLeadership(0, time.Now)
	r := controllers.NewReconciler(controllers.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Connect: controllers.NewPodConnector(mgr.GetAPIReader()),
		Leadership: leadership, Events: mgr.GetEventRecorder("lockstep-operator"),
		Metrics: controllers.NewMetrics(prometheus.NewRegistry()), Image: "played", Now: time.Now, Workers: 2,
	})
	if err := r.AddTo(mgr); err != nil {
		c.t.Fatalf("add to manager: %v", err)
	}
	wg.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			c.t.Errorf("operator: %v", err)
		}
		r.Wait()
	})
}

func (c *cluster) printLogs() {
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		text, err := os.ReadFile(filepath.Join(c.kubelet.dir, name, "log"))
		if err == nil {
			c.t.Logf("log of %s:\n%s", name, text)
		}
	}
}

func (c *cluster) get() *v1alpha1.LockstepCluster {
	c.t.Helper()
	object := &v1alpha1.LockstepCluster{}
	if err := stage.client.Get(c.t.Context(), c.key, object); err != nil {
		c.t.Fatalf("get cluster: %v", err)
	}
	return object
}

// eventually polls the cluster until the check holds, and prints the last status
// when it never does.
func (c *cluster) eventually(what string, check func(*v1alpha1.LockstepCluster) bool) *v1alpha1.LockstepCluster {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		object := c.get()
		if check(object) {
			return object
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("after %v still not: %s; last seen: %s", patience, what, inWords(object))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func inWords(c *v1alpha1.LockstepCluster) string {
	var b strings.Builder
	fmt.Fprintf(&b, "phase=%s epoch=%d primary=%q", c.Status.Phase, c.Status.Epoch, c.Status.Primary)
	for _, condition := range c.Status.Conditions {
		fmt.Fprintf(&b, "\n  %s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	for _, m := range c.Status.Members {
		fmt.Fprintf(&b, "\n  %s %s %s %s", m.Name, m.Role, m.State, m.Message)
	}
	return b.String()
}

func (c *cluster) ready() *v1alpha1.LockstepCluster {
	c.t.Helper()
	return c.eventually("healthy", func(o *v1alpha1.LockstepCluster) bool {
		return meta.IsStatusConditionTrue(o.Status.Conditions, v1alpha1.ConditionReady) && o.Status.Phase == v1alpha1.PhaseHealthy
	})
}

// primaryAddress is where the writers' service leads to; empty when nowhere.
func (c *cluster) primaryAddress() string {
	slices := &discoveryv1.EndpointSliceList{}
	labels := client.MatchingLabels{discoveryv1.LabelServiceName: "demo-rw"}
	if err := stage.client.List(c.t.Context(), slices, client.InNamespace(c.namespace), labels); err != nil {
		return ""
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			return net.JoinHostPort(e.Addresses[0], "6379")
		}
	}
	return ""
}

// command sends one inline command and returns the first line of the reply.
func command(address, line string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(reply), err
}

// write sets a key through the service until it is acknowledged, and returns how
// long that took.
func (c *cluster) write(key, value string) time.Duration {
	c.t.Helper()
	begin := time.Now()
	last := ""
	for time.Since(begin) < patience {
		if address := c.primaryAddress(); address != "" {
			reply, err := command(address, "SET "+key+" "+value)
			if reply == "+OK" {
				return time.Since(begin)
			}
			last = fmt.Sprint(reply, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("no write was accepted in %v; last reply: %s", patience, last)
	return 0
}

func (c *cluster) mustHold(name, key, value string) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	last := ""
	for time.Now().Before(deadline) {
		conn, err := net.DialTimeout("tcp", c.kubelet.clientAddress(name), time.Second)
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			fmt.Fprintf(conn, "GET %s\r\n", key)
			r := bufio.NewReader(conn)
			head, _ := r.ReadString('\n')
			body, _ := r.ReadString('\n')
			_ = conn.Close()
			if last = strings.TrimSpace(head) + " " + strings.TrimSpace(body); strings.TrimSpace(body) == value {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Fatalf("%s does not hold %s=%s; it said %q", name, key, value, last)
}

func TestKilledPrimary(t *testing.T) {
	c := newCluster(t, v1alpha1.LockstepClusterSpec{})
	old := c.ready().Status.Primary
	c.write("before", "1")
	c.mustHold("demo-2", "before", "1")
	if err := c.kubelet.signal(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gap := c.write("after", "2")
	o := c.ready()
	t.Logf("write gap %v; %s", gap, show(o.Status.LastFailover))
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		c.mustHold(name, "before", "1")
		c.mustHold(name, "after", "2")
	}
}

func TestFrozenPrimary(t *testing.T) {
	c := newCluster(t, v1alpha1.LockstepClusterSpec{})
	old := c.ready().Status.Primary
	c.write("before", "1")
	if err := c.kubelet.signal(old, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.eventually("another primary", func(o *v1alpha1.LockstepCluster) bool {
		return o.Status.Primary != "" && o.Status.Primary != old && o.Status.Failover == nil
	})
	gap := c.write("after", "2")
	if err := c.kubelet.signal(old, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if reply, err := command(c.kubelet.clientAddress(old), "SET stray 1"); err == nil && reply == "+OK" {
		t.Error("the old primary took a write when it woke up")
	}
	o := c.ready()
	t.Logf("after %v; %s", gap, show(o.Status.LastFailover))
	c.mustHold(old, "after", "2")
}

func TestSwitchover(t *testing.T) {
	c := newCluster(t, v1alpha1.LockstepClusterSpec{})
	o := c.ready()
	c.write("before", "1")
	patched := o.DeepCopy()
	patched.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
	if err := stage.client.Patch(t.Context(), patched, client.MergeFrom(o)); err != nil {
		t.Fatal(err)
	}
	c.eventually("demo-3 is the primary", func(o *v1alpha1.LockstepCluster) bool {
		return o.Status.Primary == "demo-3" && o.Status.Failover == nil
	})
	c.write("after", "2")
	o = c.ready()
	t.Log(show(o.Status.LastFailover))
	c.mustHold("demo-1", "after", "2")
	c.mustHold("demo-3", "before", "1")
}

func TestScaleAndUpdate(t *testing.T) {
	c := newCluster(t, v1alpha1.LockstepClusterSpec{Instances: 1})
	c.ready()
	c.write("before", "1")
	o := c.get()
	patched := o.DeepCopy()
	patched.Spec.Instances = 3
	if err := stage.client.Patch(t.Context(), patched, client.MergeFrom(o)); err != nil {
		t.Fatal(err)
	}
	c.eventually("three ready voters", func(o *v1alpha1.LockstepCluster) bool {
		return len(o.Status.Voters) == 3 && o.Status.Phase == v1alpha1.PhaseHealthy
	})
	o = c.get()
	patched = o.DeepCopy()
	patched.Spec.Config = map[string]v1alpha1.DirectiveValue{"timeout": "300"}
	if err := stage.client.Patch(t.Context(), patched, client.MergeFrom(o)); err != nil {
		t.Fatal(err)
	}
	c.eventually("updated", func(o *v1alpha1.LockstepCluster) bool {
		return o.Status.Phase == v1alpha1.PhaseHealthy && o.Status.Primary != "demo-1" && o.Status.ObservedGeneration == o.Generation &&
			meta.IsStatusConditionFalse(o.Status.Conditions, v1alpha1.ConditionRollingUpdate)
	})
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		c.mustHold(name, "before", "1")
	}
}

func show(f *v1alpha1.FailoverReport) string {
	lost := "unknown"
	if f.BytesLost != nil {
		lost = fmt.Sprint(*f.BytesLost)
	}
	s, words := f.Steps, []string{fmt.Sprintf("%s, lost %s (%s)", f.Reason, lost, f.BytesLostExplanation)}
	for _, one := range []struct {
		name string
		at   *int64
	}{{"confirmed", s.ConfirmedMillis}, {"elected", s.ElectedMillis}, {"fenced", s.FencedMillis}, {"lease ended", s.LeaseEndedMillis}, {"committed", s.CommittedMillis}, {"promoted", s.PromotedMillis}, {"routed", s.RoutedMillis}} {
		if one.at != nil {
			words = append(words, fmt.Sprintf("%s %d ms", one.name, *one.at))
		}
	}
	return strings.Join(words, ", ")
}
