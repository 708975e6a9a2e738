package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/redis/go-redis/v9"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

const (
	// settle bounds every wait for the cluster to become whole again. It is
	// generous: what is measured is measured by the client.
	settle = 2 * time.Minute
	poll   = 50 * time.Millisecond
)

// cluster is one LockstepCluster in a namespace of its own.
type cluster struct {
	t         *testing.T
	name      string
	namespace string
}

// newCluster creates a cluster of three instances and waits until it is Ready.
// The test's end removes it. Change may be nil.
func newCluster(t *testing.T, name string, change func(*v1alpha1.LockstepCluster)) *cluster {
	t.Helper()
	c := &cluster{t: t, name: name, namespace: "e2e-" + name}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   c.namespace,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := kube.Create(t.Context(), ns); err != nil {
		t.Fatalf("create namespace %s: %v", c.namespace, err)
	}
	t.Cleanup(func() { removeNamespace(t, ns) })

	lc := &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.namespace}}
	lc.Spec.Instances = 3
	if change != nil {
		change(lc)
	}
	if err := kube.Create(t.Context(), lc); err != nil {
		t.Fatalf("create LockstepCluster %s: %v", name, err)
	}
	c.waitReady()
	t.Cleanup(func() {
		if t.Failed() {
			c.describe()
		}
	})
	return c
}

func removeNamespace(t *testing.T, ns *corev1.Namespace) {
	ctx, cancel := context.WithTimeout(context.Background(), settle)
	defer cancel()
	if err := kube.Delete(ctx, ns); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("delete namespace %s: %v", ns.Name, err)
		return
	}
	eventually(t, settle, "namespace "+ns.Name+" to be gone", func() (bool, string) {
		err := kube.Get(ctx, client.ObjectKeyFromObject(ns), ns)
		return apierrors.IsNotFound(err), fmt.Sprintf("error %v, phase %s", err, ns.Status.Phase)
	})
}

func (c *cluster) get() *v1alpha1.LockstepCluster {
	c.t.Helper()
	lc := &v1alpha1.LockstepCluster{}
	if err := kube.Get(context.Background(), types.NamespacedName{Namespace: c.namespace, Name: c.name}, lc); err != nil {
		c.t.Fatalf("get LockstepCluster %s: %v", c.name, err)
	}
	return lc
}

// waitReady waits until Ready is true for the present generation, with all
// instances of the spec counted.
func (c *cluster) waitReady() *v1alpha1.LockstepCluster {
	c.t.Helper()
	var lc *v1alpha1.LockstepCluster
	eventually(c.t, settle, c.name+" to be Ready", func() (bool, string) {
		lc = c.get()
		ready := meta.FindStatusCondition(lc.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil {
			return false, "no Ready condition yet"
		}
		whole := ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == lc.Generation &&
			lc.Status.ReadyInstances == lc.Spec.Instances && lc.Status.Failover == nil
		return whole, fmt.Sprintf("Ready=%s %s: %s; %d of %d ready", ready.Status, ready.Reason, ready.Message, lc.Status.ReadyInstances, lc.Spec.Instances)
	})
	return lc
}

func (c *cluster) pod(name string) *corev1.Pod {
	c.t.Helper()
	pod := &corev1.Pod{}
	if err := kube.Get(context.Background(), types.NamespacedName{Namespace: c.namespace, Name: name}, pod); err != nil {
		c.t.Fatalf("get pod %s: %v", name, err)
	}
	return pod
}

// address of the pod's Redis port.
func (c *cluster) address(pod string) string {
	c.t.Helper()
	return net.JoinHostPort(c.pod(pod).Status.PodIP, "6379")
}

// service returns host:port of one of the cluster's services: "rw", "ro", "r".
func (c *cluster) service(suffix string) string {
	c.t.Helper()
	svc := &corev1.Service{}
	if err := kube.Get(context.Background(), types.NamespacedName{Namespace: c.namespace, Name: c.name + "-" + suffix}, svc); err != nil {
		c.t.Fatalf("get service %s-%s: %v", c.name, suffix, err)
	}
	return net.JoinHostPort(svc.Spec.ClusterIP, "6379")
}

func (c *cluster) replicas(lc *v1alpha1.LockstepCluster) []string {
	var names []string
	for _, m := range lc.Status.Members {
		if m.Name != lc.Status.Primary {
			names = append(names, m.Name)
		}
	}
	return names
}

// waitSameData waits until every instance reports the primary's offset, with
// nobody writing.
func (c *cluster) waitSameData() {
	c.t.Helper()
	lc := c.get()
	eventually(c.t, settle, "all instances of "+c.name+" to have the same offset", func() (bool, string) {
		seen := map[string]string{}
		for _, m := range lc.Status.Members {
			seen[m.Name] = replicationField(c.address(m.Name), "master_repl_offset")
		}
		same := true
		for _, offset := range seen {
			// Idle clusters carry heartbeats: equal at one look is enough.
			same = same && offset != "" && offset == seen[lc.Status.Primary]
		}
		return same, fmt.Sprint(seen)
	})
}

// replicationField reads one field of INFO replication; "" when it can not be had.
func replicationField(addr, field string) string {
	rdb := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1, DisableIdentity: true})
	defer func() { _ = rdb.Close() }()
	info, err := rdb.Info(context.Background(), "replication").Result()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return v
		}
	}
	return ""
}

// events returns the cluster's events with the given reason.
func (c *cluster) events(reason string) []string {
	c.t.Helper()
	list := &corev1.EventList{}
	if err := kube.List(context.Background(), list, client.InNamespace(c.namespace)); err != nil {
		c.t.Fatalf("list events: %v", err)
	}
	var found []string
	for _, e := range list.Items {
		if reason == "" || e.Reason == reason {
			found = append(found, fmt.Sprintf("%s %s: %s", e.InvolvedObject.Name, e.Reason, e.Message))
		}
	}
	return found
}

// describe prints what a person would look at first.
func (c *cluster) describe() {
	lc := c.get()
	c.t.Logf("status of %s: phase %s, epoch %d, primary %s, failover %+v", c.name, lc.Status.Phase, lc.Status.Epoch, lc.Status.Primary, lc.Status.Failover)
	for _, cond := range lc.Status.Conditions {
		c.t.Logf("  %s=%s %s: %s", cond.Type, cond.Status, cond.Reason, cond.Message)
	}
	for _, m := range lc.Status.Members {
		c.t.Logf("  member %+v", m)
	}
	for _, e := range c.events("") {
		c.t.Logf("  event %s", e)
	}
}

// tool runs hack/cluster/cluster.
func tool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(os.Getenv(envTool), args...).CombinedOutput(); err != nil {
		t.Fatalf("cluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// eventually polls until ok, and fails the test with the last observation.
func eventually(t *testing.T, limit time.Duration, what string, look func() (ok bool, seen string)) {
	t.Helper()
	var seen string
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(poll) {
		var ok bool
		if ok, seen = look(); ok {
			return
		}
	}
	t.Fatalf("waited %s for %s; last seen: %s", limit, what, seen)
}
