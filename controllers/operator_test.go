package controllers

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

func cacheOf(namespace string) cache.Options {
	return cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}}
}

func TestANewClusterBecomesReady(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	c := s.ready()
	if c.Status.Epoch != 1 || c.Status.Primary != "demo-1" {
		t.Errorf("the first primary is %q in epoch %d, want demo-1 in epoch 1", c.Status.Primary, c.Status.Epoch)
	}
	if want := []string{"demo-1", "demo-2", "demo-3"}; !slices.Equal(c.Status.Voters, want) {
		t.Errorf("voters are %v, want %v", c.Status.Voters, want)
	}
	s.eventuallyRouted("demo-rw", "demo-1")
	s.eventuallyRouted("demo-ro", "demo-2", "demo-3")
	s.eventuallyEvent("PrimaryChosen", "demo-1")
	if err := s.world.write("demo-1", 100); err != nil {
		t.Error(err)
	}
}

func TestAKilledPrimaryIsReplacedWithoutWaitingForItsLease(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	if err := s.world.write("demo-1", 1000); err != nil {
		t.Fatal(err)
	}
	s.kill("demo-1")
	c := s.eventuallyCluster("another primary", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Primary != "" && c.Status.Primary != "demo-1" && c.Status.LastFailover != nil && c.Status.LastFailover.From == "demo-1"
	})
	s.eventuallyRouted("demo-rw", c.Status.Primary)
	f := c.Status.LastFailover
	if f.Reason != v1alpha1.FailoverPrimaryTerminated {
		t.Errorf("reason is %s, want %s", f.Reason, v1alpha1.FailoverPrimaryTerminated)
	}
	if f.BytesLost == nil || *f.BytesLost != 0 {
		t.Errorf("bytes lost: %v (%s), want 0: every replica had everything", f.BytesLost, f.BytesLostExplanation)
	}
	lease := v1alpha1.DefaultLeaseDuration.Milliseconds()
	if took := *f.Steps.PromotedMillis; took >= lease/2 {
		t.Errorf("promoted after %d ms: the lease of %d ms was waited for, although the process had ended", took, lease)
	}
	t.Logf("steps: %s", stepsInWords(f.Steps))
	s.eventuallyEvent("PrimaryChanged", "took over from demo-1 in epoch 2 (PrimaryTerminated)", "at most 0 bytes")
	if err := s.world.write(c.Status.Primary, 100); err != nil {
		t.Error(err)
	}
}

func TestAFrozenPrimaryIsReplacedOnlyAfterItsLease(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	i := s.world.byName("demo-1")
	s.world.change(func() { i.frozen = true })
	c := s.eventuallyCluster("another primary", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.LastFailover != nil && c.Status.LastFailover.From == "demo-1"
	})
	if steps := c.Status.LastFailover.Steps; *steps.LeaseEndedMillis <= *steps.FencedMillis {
		t.Errorf("fenced after %d ms and promoted at once: the primary might have woken up and taken writes", *steps.FencedMillis)
	}
	if r := c.Status.LastFailover.Reason; r != v1alpha1.FailoverPrimaryUnreachable {
		t.Errorf("reason is %s, want %s", r, v1alpha1.FailoverPrimaryUnreachable)
	}
	t.Logf("steps: %s", stepsInWords(c.Status.LastFailover.Steps))
	s.world.change(func() { i.frozen = false })
	if err := s.world.write("demo-1", 1); err == nil {
		t.Error("the old primary took a write when it woke up")
	}
	s.ready()
	s.eventually("the old primary follows the new one", func() (bool, string) {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		return i.role == instance.RoleReplica && i.linked() != nil, fmt.Sprintf("%s, epoch %d", i.role, i.epoch)
	})
}

func TestAPrimaryThatOnlyTheOperatorCanNotReachStays(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	i := s.world.byName("demo-1")
	s.world.change(func() { i.cut = true })
	c := s.eventuallyCluster("the condition PrimaryAvailable names the replica that hears it", func(c *v1alpha1.LockstepCluster) bool {
		condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionPrimaryAvailable)
		return condition.Reason == v1alpha1.ReasonPrimaryUnreachable && strings.Contains(condition.Message, "still hears it")
	})
	if c.Status.Epoch != 1 || c.Status.Primary != "demo-1" {
		t.Errorf("primary is %q in epoch %d, want demo-1 in epoch 1", c.Status.Primary, c.Status.Epoch)
	}
	s.world.change(func() { i.cut = false })
	s.ready()
}

func TestARestartedEmptyPrimaryDoesNotWipeItsReplicas(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	if err := s.world.write("demo-1", 5000); err != nil {
		t.Fatal(err)
	}
	// The process comes back at once, in the same pod, and has lost everything.
	old := s.world.byName("demo-1")
	empty := &fakeInstance{id: old.id, ip: old.ip, epoch: old.epoch, history: instance.History{ReplicationID: randomID(), SecondValidThrough: -1}}
	s.kill("demo-1")
	s.world.change(func() { old.ip = "" })
	s.world.start("demo-1", empty)
	s.world.change(func() {})
	s.eventuallyCluster("a replica with the data takes over", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Epoch >= 2 && c.Status.Primary != "" && c.Status.Primary != "demo-1" && isReady(c)
	})
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		i := s.world.byName(name)
		s.world.mu.Lock()
		if i.offset < 5000 {
			t.Errorf("%s ends at byte %d: data was lost", name, i.offset)
		}
		s.world.mu.Unlock()
	}
}

func TestADeletedPrimaryPodHandsOverFirst(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "demo-1"}}
	if err := s.client.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c := s.eventuallyCluster("another primary, and three instances again", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Primary != "" && c.Status.Primary != "demo-1" && isReady(c)
	})
	if c.Status.LastFailover.BytesLost == nil || *c.Status.LastFailover.BytesLost != 0 {
		t.Errorf("bytes lost: %v (%s)", c.Status.LastFailover.BytesLost, c.Status.LastFailover.BytesLostExplanation)
	}
}

func TestASwitchoverMovesThePrimaryToTheNamedInstance(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	c := s.ready()
	patched := c.DeepCopy()
	patched.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
	if err := s.client.Patch(t.Context(), patched, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	c = s.eventuallyCluster("demo-3 is the primary and the annotation is gone", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Primary == "demo-3" && c.Annotations[v1alpha1.AnnotationSwitchover] == "" && isReady(c)
	})
	f := c.Status.LastFailover
	if f.Reason != v1alpha1.FailoverSwitchover || f.BytesLost == nil || *f.BytesLost != 0 {
		t.Errorf("reason %s, bytes lost %v (%s), want %s and 0", f.Reason, f.BytesLost, f.BytesLostExplanation, v1alpha1.FailoverSwitchover)
	}
	t.Logf("steps: %s", stepsInWords(f.Steps))
	s.eventuallyEvent("SwitchoverDone", "demo-3")
}

func TestASwitchoverToNobodyIsRefused(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	c := s.ready()
	patched := c.DeepCopy()
	patched.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-7"}
	if err := s.client.Patch(t.Context(), patched, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	s.eventuallyEvent("SwitchoverRefused", `there is no instance "demo-7"`)
	if c := s.get("demo"); c.Status.Epoch != 1 {
		t.Errorf("epoch is %d, want 1", c.Status.Epoch)
	}
}

func (s *scene) scale(instances int32) {
	s.t.Helper()
	c := s.get("demo")
	patched := c.DeepCopy()
	patched.Spec.Instances = instances
	if err := s.client.Patch(s.t.Context(), patched, client.MergeFrom(c)); err != nil {
		s.t.Fatal(err)
	}
}

func TestScalingUpAddsVotersAndScalingDownNeverRemovesThePrimaryFirst(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{Instances: 1})
	s.ready()
	if err := s.world.write("demo-1", 10); err != nil {
		t.Fatal(err)
	}
	s.scale(3)
	s.eventuallyCluster("three voters", func(c *v1alpha1.LockstepCluster) bool { return len(c.Status.Voters) == 3 && isReady(c) })

	c := s.get("demo")
	patched := c.DeepCopy()
	patched.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
	if err := s.client.Patch(t.Context(), patched, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	s.eventuallyCluster("demo-3 is the primary", func(c *v1alpha1.LockstepCluster) bool { return c.Status.Primary == "demo-3" && isReady(c) })

	s.scale(1)
	c = s.eventuallyCluster("one instance, which is a primary with the data", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Primary == "demo-1" && c.Status.Instances == 1 && isReady(c)
	})
	if c.Status.LastFailover.Reason != v1alpha1.FailoverScaleDown {
		t.Errorf("reason is %s, want %s", c.Status.LastFailover.Reason, v1alpha1.FailoverScaleDown)
	}
	if !slices.Equal(c.Status.Voters, []string{"demo-1"}) {
		t.Errorf("voters are %v", c.Status.Voters)
	}
	if i := s.world.byName("demo-1"); i.offset < 10 {
		t.Errorf("demo-1 ends at byte %d: data was lost", i.offset)
	}
}

func TestARollingUpdateReplacesThePrimaryLast(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	c := s.ready()
	before := map[string]string{}
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		before[name] = s.podUID(name)
	}
	patched := c.DeepCopy()
	patched.Spec.Image = "localhost/lockstep:newer"
	patched.Spec.Config = map[string]v1alpha1.DirectiveValue{"timeout": "300"}
	if err := s.client.Patch(t.Context(), patched, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	c = s.eventuallyCluster("every pod is new", func(c *v1alpha1.LockstepCluster) bool {
		for name, uid := range before {
			if now := s.podUID(name); now == uid || now == "" {
				return false
			}
		}
		return isReady(c) && c.Status.Phase == v1alpha1.PhaseHealthy
	})
	if f := c.Status.LastFailover; f.Reason != v1alpha1.FailoverRollingUpdate || f.From != "demo-1" {
		t.Errorf("last change of primary: from %s because of %s, want from demo-1 because of %s", f.From, f.Reason, v1alpha1.FailoverRollingUpdate)
	}
	if c.Status.Epoch != 2 {
		t.Errorf("epoch is %d, want 2: one change of primary is enough", c.Status.Epoch)
	}
	s.eventually("the old configuration is gone", func() (bool, string) {
		list := &corev1.ConfigMapList{}
		if err := s.client.List(t.Context(), list, client.InNamespace(s.namespace), client.HasLabels{v1alpha1.LabelCluster}); err != nil {
			return false, err.Error()
		}
		return len(list.Items) == 1, fmt.Sprint(len(list.Items))
	})
}

func (s *scene) podUID(name string) string {
	pod := &corev1.Pod{}
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, pod); err != nil {
		return ""
	}
	return string(pod.UID)
}

func TestWithoutAutomaticFailoverTheClusterWaitsForAHuman(t *testing.T) {
	s := newScene(t)
	no := false
	s.create("demo", v1alpha1.LockstepClusterSpec{Failover: v1alpha1.FailoverSpec{Automatic: &no}})
	s.ready()
	s.kill("demo-1")
	c := s.eventuallyCluster("the condition says that it waits", func(c *v1alpha1.LockstepCluster) bool {
		condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionFailoverInProgress)
		return condition.Reason == v1alpha1.ReasonFailoverDisabled && meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled)
	})
	if c.Status.Epoch != 1 {
		t.Errorf("epoch is %d, want 1", c.Status.Epoch)
	}
	patched := c.DeepCopy()
	patched.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
	if err := s.client.Patch(t.Context(), patched, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	s.eventuallyCluster("the named instance takes over", func(c *v1alpha1.LockstepCluster) bool { return c.Status.Primary == "demo-3" })
}

func TestAReplicaOutsideTheWindowTakesAFullCopyAndTheEventSaysByHowMuch(t *testing.T) {
	s := newScene(t)
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.ready()
	if err := s.world.write("demo-1", 500); err != nil {
		t.Fatal(err)
	}
	replica, primary := s.world.byName("demo-2"), s.world.byName("demo-1")
	s.world.change(func() { replica.dead = true })
	if err := s.world.write("demo-1", 10_000); err != nil {
		t.Fatal(err)
	}
	s.world.change(func() { primary.first = 8001 })
	s.world.start("demo-2", replica)
	s.world.change(func() {})
	s.ready()
	s.eventuallyEvent("FullResync", "demo-2 takes a full copy from demo-1", "ends at byte 500", "begins at byte 8001", "7500 bytes are missing")
}

func TestAnUnusableManifestIsRefusedWithAWordOnWhatToChange(t *testing.T) {
	s := newScene(t)
	c := &v1alpha1.LockstepCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "demo"},
		Spec:       v1alpha1.LockstepClusterSpec{Config: map[string]v1alpha1.DirectiveValue{"port": "7000"}},
	}
	err := s.client.Create(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "set by the operator") {
		t.Errorf("the API server said %v", err)
	}
}

func TestAnObjectOfSomebodyElseIsLeftAlone(t *testing.T) {
	s := newScene(t)
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "demo-rw", Labels: map[string]string{"mine": "yes"}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	if err := s.client.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	s.create("demo", v1alpha1.LockstepClusterSpec{})
	s.eventuallyCluster("Stalled names the service", func(c *v1alpha1.LockstepCluster) bool {
		condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionStalled)
		return condition != nil && condition.Reason == v1alpha1.ReasonObjectNotOwned && strings.Contains(condition.Message, "Service demo-rw")
	})
	after := &corev1.Service{}
	if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(foreign), after); err != nil {
		t.Fatal(err)
	}
	if after.Spec.Ports[0].Port != 80 || len(after.OwnerReferences) > 0 {
		t.Errorf("somebody else's service was changed: %v", after.Spec.Ports)
	}
}

// TestAFailoverGoesOnWhereAnOperatorDied kills the operator before each of its
// writes and requests in the course of a failover, one after the other, and lets
// another one go on.
func TestAFailoverGoesOnWhereAnOperatorDied(t *testing.T) {
	for death := 1; ; death++ {
		died := false
		t.Run(fmt.Sprintf("before_its_action_%d", death), func(t *testing.T) { died = failoverWithDeath(t, death) })
		if t.Failed() || !died {
			return
		}
	}
}

// failoverWithDeath reports whether the operator died at all before it was done.
func failoverWithDeath(t *testing.T, death int) (died bool) {
	s := newScene(t)
	short := metav1.Duration{Duration: 500 * time.Millisecond}
	s.create("demo", v1alpha1.LockstepClusterSpec{Failover: v1alpha1.FailoverSpec{LeaseDuration: short}})
	s.ready()
	if err := s.world.write("demo-1", 1000); err != nil {
		t.Fatal(err)
	}
	s.operator.stop()

	var killed, dead atomic.Bool
	var mu sync.Mutex
	var actions []string
	act := func(what string) error {
		if dead.Load() {
			return errOperatorDied
		}
		mu.Lock()
		defer mu.Unlock()
		// The story begins with the election; what the operator was doing
		// before is of no interest.
		if !killed.Load() || len(actions) == 0 && what != "status write" {
			return nil
		}
		if actions = append(actions, what); len(actions) == death {
			dead.Store(true)
			return errOperatorDied
		}
		return nil
	}
	s.world.change(func() {
		s.world.beforeRequest = func(verb, name string) error {
			if verb == "lease" {
				return nil
			}
			return act(verb + " " + name)
		}
	})
	doomed := s.startOperator(act)
	s.inTouch(doomed, 3)
	s.ready()
	s.kill("demo-1")
	killed.Store(true)
	deadline := time.Now().Add(3 * time.Second)
	for !dead.Load() && time.Now().Before(deadline) && !s.failoverDone() {
		time.Sleep(5 * time.Millisecond)
	}
	doomed.stop()
	died = dead.Load()
	s.world.change(func() { s.world.beforeRequest = nil })
	mu.Lock()
	t.Logf("actions: %v, died: %v", actions, died)
	mu.Unlock()

	s.operator = s.startOperator(nil)
	c := s.eventuallyCluster("another primary", func(c *v1alpha1.LockstepCluster) bool {
		return c.Status.Failover == nil && c.Status.Primary != "" && c.Status.Primary != "demo-1" && c.Status.ReplicationID != ""
	})
	s.eventuallyRouted("demo-rw", c.Status.Primary)
	if err := s.world.write(c.Status.Primary, 1); err != nil {
		t.Error(err)
	}
	s.eventually("the other replica follows", func() (bool, string) {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		linked := 0
		for _, i := range s.world.instances {
			if i.linked() != nil {
				linked++
			}
		}
		return linked == 1, fmt.Sprint(linked)
	})
	primaries := 0
	s.world.mu.Lock()
	for _, i := range s.world.instances {
		if !i.dead && i.verdict() == instance.WritesAllowed {
			primaries++
		}
		if !i.dead && i.offset < 1000 {
			t.Errorf("%s ends at byte %d: data was lost", i.name, i.offset)
		}
	}
	s.world.mu.Unlock()
	if primaries != 1 {
		t.Errorf("%d instances take writes, want 1", primaries)
	}
	return died
}

func (s *scene) failoverDone() bool {
	c := s.get("demo")
	return c.Status.LastFailover != nil && c.Status.LastFailover.From == "demo-1"
}
