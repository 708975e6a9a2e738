package controllers

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// conditionOf is what a condition says of what is known.
func conditionOf(c *v1alpha1.LockstepCluster, obs Observation, kind string, problems ...problem) *metav1.Condition {
	s := newSituation(c, obs, testNow)
	return meta.FindStatusCondition(s.conditions(Decide(c, obs, testNow), problems), kind)
}

func TestACrashLoopStallsTheClusterAlsoWhileItsServerIsLoading(t *testing.T) {
	c, obs := wellCluster()
	m := &obs.Members[1]
	m.Pod.Trouble = "CrashLoopBackOff: the server ended with code 137 (OOMKilled)"
	if got := conditionOf(c, obs, v1alpha1.ConditionStalled); got.Status != metav1.ConditionFalse {
		t.Errorf("with a server that is linked: %s %s", got.Status, got.Message)
	}
	m.View.Status.Loading = &instance.Progress{}
	if got := conditionOf(c, obs, v1alpha1.ConditionStalled); got.Reason != v1alpha1.ReasonPodsCanNotStart {
		t.Errorf("with a server that loads: %s %s", got.Status, got.Message)
	}
}

func TestASwitchoverToAnInstanceThatCanNotTakeOverSaysForWhatItWaits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*v1alpha1.LockstepCluster, *Observation)
		reason string
		says   string
	}{
		{"not ready", func(_ *v1alpha1.LockstepCluster, o *Observation) { silent(&o.Members[2], time.Minute) },
			v1alpha1.ReasonSwitchoverWaiting, "waits for demo-3, which is not ready; remove the annotation lockstep.dev/switchover-to"},
		{"being deleted", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[2].Pod.Deleting = true },
			v1alpha1.ReasonSwitchoverWaiting, "waits for demo-3, which is being deleted"},
		{"far behind", func(_ *v1alpha1.LockstepCluster, o *Observation) { *o.Members[0].View.Status.Offset += catchUp + 1 },
			v1alpha1.ReasonSwitchoverWaiting, "waits for demo-3, which is too far behind"},
		{"well: it does not wait", func(*v1alpha1.LockstepCluster, *Observation) {}, v1alpha1.ReasonNoFailover, ""},
		{"the primary already", func(c *v1alpha1.LockstepCluster, _ *Observation) {
			c.Annotations[v1alpha1.AnnotationSwitchover] = "demo-1"
		}, v1alpha1.ReasonNoFailover, ""},
		{"nobody: it is refused", func(c *v1alpha1.LockstepCluster, _ *Observation) {
			c.Annotations[v1alpha1.AnnotationSwitchover] = "demo-9"
		}, v1alpha1.ReasonNoFailover, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, obs := wellCluster()
			c.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
			tt.change(c, &obs)
			got := conditionOf(c, obs, v1alpha1.ConditionFailoverInProgress)
			if got.Status != metav1.ConditionFalse || got.Reason != tt.reason || !strings.Contains(got.Message, tt.says) {
				t.Errorf("%s %s: %s; want %s: %s", got.Status, got.Reason, got.Message, tt.reason, tt.says)
			}
		})
	}
}

func TestAWaitingSwitchoverIsAnnouncedOnce(t *testing.T) {
	c, obs := wellCluster()
	c.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
	silent(&obs.Members[2], time.Minute)
	recorder := events.NewFakeRecorder(10)
	for range 2 {
		p := &pass{Reconciler: &Reconciler{Options: Options{Events: recorder}}, c: c, obs: obs}
		next := c.DeepCopy()
		p.setConditions(next, newSituation(c, obs, testNow), Decide(c, obs, testNow))
		p.announceWaitingSwitchover(next)
		c = next
	}
	if len(recorder.Events) != 1 {
		t.Fatalf("%d events, want 1", len(recorder.Events))
	}
	if event := <-recorder.Events; !strings.Contains(event, "SwitchoverWaiting the switchover waits for demo-3") {
		t.Errorf("the event is %q", event)
	}
}

func TestAStalledClusterTellsAllProblemsTheMostUrgentFirst(t *testing.T) {
	c, obs := wellCluster()
	lost(&obs)
	crashLooping(&obs.Members[0])
	obs.Members[1].Pod.State, obs.Members[1].Pod.Unschedulable = PodPending, "no node is large enough"
	silent(&obs.Members[1], time.Minute)
	crashLooping(&obs.Members[2])
	obs.Members[2].Pod.Trouble = "ImagePullBackOff"
	refused := problem{v1alpha1.ReasonObjectRefused, "the API server refuses Service demo-rw"}
	got := conditionOf(c, obs, v1alpha1.ConditionStalled, refused, refused)
	if got.Reason != v1alpha1.ReasonFailoverRefused {
		t.Errorf("the reason is %s, want %s", got.Reason, v1alpha1.ReasonFailoverRefused)
	}
	_, others, _ := strings.Cut(got.Message, "; also: ")
	want := "the API server refuses Service demo-rw; also: demo-3: ImagePullBackOff; also: demo-1: CrashLoopBackOff: exit code 1; also: demo-2: no node is large enough"
	if others != want {
		t.Errorf("beside the first:\n got %s\nwant %s", others, want)
	}
}
