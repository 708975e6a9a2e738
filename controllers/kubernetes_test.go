package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

// The tests of this file run the operator against a real kube-apiserver and etcd,
// with fakeWorld in the place of the servers and the kubelet.

const patience = 20 * time.Second

var apiServer struct {
	once   sync.Once
	config *rest.Config
	client client.Client
	stop   func() error
	err    error
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	code := m.Run()
	if apiServer.stop != nil {
		if err := apiServer.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}
	os.Exit(code)
}

// startAPIServer starts one API server for all tests that need it.
func startAPIServer(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs kube-apiserver and etcd: set KUBEBUILDER_ASSETS to the folder that `hack/cluster/cluster envtest-assets` prints")
	}
	apiServer.once.Do(func() {
		environment := &envtest.Environment{
			CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
			ErrorIfCRDPathMissing: true,
		}
		if apiServer.config, apiServer.err = environment.Start(); apiServer.err != nil {
			return
		}
		apiServer.stop = environment.Stop
		apiServer.config.QPS, apiServer.config.Burst = 500, 1000
		apiServer.client, apiServer.err = client.New(apiServer.config, client.Options{Scheme: testScheme()})
	})
	if apiServer.err != nil {
		t.Fatalf("start the API server: %v", apiServer.err)
	}
}

func testScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

// scene is one namespace with a world of instances, a kubelet and an operator.
type scene struct {
	t         *testing.T
	client    client.Client
	namespace string
	world     *fakeWorld
	operator  *runningOperator
}

func newScene(t *testing.T) *scene {
	t.Helper()
	startAPIServer(t)
	s := &scene{t: t, client: apiServer.client, world: newFakeWorld()}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.client.Create(t.Context(), ns); err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	s.namespace = ns.Name
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.kubelet(ctx) })
	s.operator = s.startOperator(nil)
	t.Cleanup(func() {
		s.operator.stop()
		cancel()
		wg.Wait()
	})
	return s
}

// runningOperator is a manager with a reconciler.
type runningOperator struct {
	reconciler *Reconciler
	cancel     context.CancelFunc
	done       chan struct{}
}

// inTouch waits until the operator hears every instance of the cluster.
func (s *scene) inTouch(o *runningOperator, instances int) {
	s.t.Helper()
	s.eventually("the operator hears every instance", func() (bool, string) {
		heard := 0
		for _, v := range o.reconciler.Fleet.Views(types.NamespacedName{Namespace: s.namespace, Name: "demo"}, 0) {
			heard += yes(v.Heard(time.Now(), time.Second))
		}
		return heard == instances, fmt.Sprint(heard)
	})
}

func (o *runningOperator) stop() {
	o.cancel()
	<-o.done
}

// startOperator starts one. beforeWrite is called before each write to the API
// server that belongs to a decision; an error means that it does not live to
// write.
func (s *scene) startOperator(beforeWrite func(what string) error) *runningOperator {
	s.t.Helper()
	skipNames := true
	mgr, err := ctrl.NewManager(apiServer.config, ctrl.Options{
		Scheme:     testScheme(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &skipNames},
		Cache:      cacheOf(s.namespace),
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Logger:     logr.Discard(),
	})
	if err != nil {
		s.t.Fatalf("new manager: %v", err)
	}
	leadership := NewLeadership(0, time.Now)
	r := NewReconciler(Options{
		Client: hooked(mgr.GetClient(), beforeWrite), Live: mgr.GetAPIReader(), Connect: s.world, Leadership: leadership,
		Events: mgr.GetEventRecorder("lockstep-operator"), Metrics: NewMetrics(prometheus.NewRegistry()),
		Image: "localhost/lockstep:test", Now: time.Now, Workers: 2,
	})
	if err := r.AddTo(mgr); err != nil {
		s.t.Fatalf("add to manager: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := &runningOperator{reconciler: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		if err := mgr.Start(ctx); err != nil {
			s.t.Errorf("operator: %v", err)
		}
		r.Wait()
	}()
	return o
}

var errOperatorDied = errors.New("the operator has died")

// hooked makes writes fail when the hook says so.
func hooked(inner client.Client, before func(string) error) client.Client {
	if before == nil {
		return inner
	}
	return hookedClient{inner, before}
}

type hookedClient struct {
	client.Client
	before func(what string) error
}

func (h hookedClient) Apply(ctx context.Context, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	if err := h.before("apply"); err != nil {
		return err
	}
	return h.Client.Apply(ctx, o, opts...)
}

func (h hookedClient) Status() client.SubResourceWriter {
	return hookedStatus{h.Client.Status(), h.before}
}

type hookedStatus struct {
	client.SubResourceWriter
	before func(what string) error
}

func (h hookedStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := h.before("status write"); err != nil {
		return err
	}
	return h.SubResourceWriter.Update(ctx, o, opts...)
}

// kubelet runs an instance for each pod, and ends it when the pod is deleted.
func (s *scene) kubelet(ctx context.Context) {
	running := map[types.UID]*fakeInstance{}
	data := map[string]*fakeInstance{} // what is on an instance's volume
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
		pods := &corev1.PodList{}
		if err := s.client.List(ctx, pods, client.InNamespace(s.namespace)); err != nil {
			continue
		}
		there := map[types.UID]bool{}
		for i := range pods.Items {
			pod := &pods.Items[i]
			there[pod.UID] = true
			if running[pod.UID] == nil {
				f := s.world.start(pod.Name, data[pod.Name])
				running[pod.UID], data[pod.Name] = f, f
				s.reportRunning(ctx, pod, f, "1")
			}
		}
		for uid, f := range running {
			if !there[uid] {
				s.world.change(func() { f.dead = true })
				delete(running, uid)
			}
		}
	}
}

func (s *scene) reportRunning(ctx context.Context, pod *corev1.Pod, f *fakeInstance, container string) {
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP = f.ip
	pod.Status.PodIPs = []corev1.PodIP{{IP: f.ip}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: desired.ContainerName, ContainerID: "fake://" + pod.Name + "-" + container,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	// A patch does not mind that somebody has changed the pod's labels meanwhile.
	if err := s.client.Status().Patch(ctx, pod, client.MergeFrom(before)); err != nil && ctx.Err() == nil {
		s.t.Logf("kubelet: %v", err)
	}
}

// create applies a manifest with the given spec.
func (s *scene) create(name string, spec v1alpha1.LockstepClusterSpec) {
	s.t.Helper()
	c := &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Spec: spec}
	if err := s.client.Create(s.t.Context(), c); err != nil {
		s.t.Fatalf("create cluster: %v", err)
	}
}

func (s *scene) get(name string) *v1alpha1.LockstepCluster {
	s.t.Helper()
	c := &v1alpha1.LockstepCluster{}
	if err := s.client.Get(s.t.Context(), types.NamespacedName{Namespace: s.namespace, Name: name}, c); err != nil {
		s.t.Fatalf("get cluster: %v", err)
	}
	return c
}

// eventually polls until what is asked for is so, and prints the last observation
// when it never is.
func (s *scene) eventually(what string, check func() (ok bool, seen string)) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := check()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("after %v still not: %s; last seen: %s", patience, what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// eventuallyCluster is eventually about the cluster's status.
func (s *scene) eventuallyCluster(what string, check func(*v1alpha1.LockstepCluster) bool) *v1alpha1.LockstepCluster {
	s.t.Helper()
	var c *v1alpha1.LockstepCluster
	s.eventually(what, func() (bool, string) {
		c = s.get("demo")
		return check(c), describe(c)
	})
	return c
}

func describe(c *v1alpha1.LockstepCluster) string {
	var b strings.Builder
	fmt.Fprintf(&b, "phase=%s epoch=%d primary=%q ready=%d/%d voters=%v failover=%+v", c.Status.Phase, c.Status.Epoch, c.Status.Primary,
		c.Status.ReadyInstances, c.Status.Instances, c.Status.Voters, c.Status.Failover)
	for _, condition := range c.Status.Conditions {
		fmt.Fprintf(&b, "\n  %s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	for _, m := range c.Status.Members {
		fmt.Fprintf(&b, "\n  %s %s %s %s", m.Name, m.Role, m.State, m.Message)
	}
	return b.String()
}

func isReady(c *v1alpha1.LockstepCluster) bool {
	return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) && c.Status.ObservedGeneration == c.Generation
}

// ready waits until the cluster is, and returns it.
func (s *scene) ready() *v1alpha1.LockstepCluster {
	s.t.Helper()
	return s.eventuallyCluster("Ready, with everything as the spec asks for", func(c *v1alpha1.LockstepCluster) bool {
		return isReady(c) && c.Status.Phase == v1alpha1.PhaseHealthy
	})
}

// routed is the set of instances that a service leads to.
func (s *scene) routed(service string) []string {
	s.t.Helper()
	list := &discoveryv1.EndpointSliceList{}
	if err := s.client.List(s.t.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service}); err != nil {
		s.t.Fatalf("list endpoint slices: %v", err)
	}
	var names []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			names = append(names, e.TargetRef.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *scene) eventuallyRouted(service string, want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s leads to %v", service, want), func() (bool, string) {
		got := s.routed(service)
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

// events are the reasons and notes of the cluster's events.
func (s *scene) events() []string {
	s.t.Helper()
	list := &eventsv1.EventList{}
	if err := s.client.List(s.t.Context(), list, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatalf("list events: %v", err)
	}
	var lines []string
	for _, e := range list.Items {
		lines = append(lines, e.Reason+": "+e.Note)
	}
	slices.Sort(lines)
	return lines
}

func (s *scene) eventuallyEvent(reason string, parts ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("an event %s with %q", reason, parts), func() (bool, string) {
		lines := s.events()
		for _, line := range lines {
			if strings.HasPrefix(line, reason+": ") && containsAll(line, parts) {
				return true, line
			}
		}
		return false, strings.Join(lines, "\n")
	})
}

func containsAll(line string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(line, part) {
			return false
		}
	}
	return true
}

// kill ends the process of an instance; the kubelet starts it again in the same pod
// only when the test says so, by restart.
func (s *scene) kill(name string) *fakeInstance {
	s.t.Helper()
	i := s.world.byName(name)
	s.world.change(func() { i.dead = true })
	return i
}
