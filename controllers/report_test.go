package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
