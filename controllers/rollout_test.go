package controllers

import (
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// outdated marks the pods of all instances but the named ones.
func outdated(o *Observation, but ...string) {
	for i := range o.Members {
		o.Members[i].Pod.Outdated = true
		for _, name := range but {
			if o.Members[i].Name == name {
				o.Members[i].Pod.Outdated = false
			}
		}
	}
}

// crashLooping ends an instance's container again and again.
func crashLooping(m *Member) {
	m.Pod.Trouble = "CrashLoopBackOff: exit code 1"
	silent(m, time.Minute)
}

// silent is an instance of which nothing was heard for so long.
func silent(m *Member, since time.Duration) {
	m.View.HeardAt, m.View.LostAt = ago(since), ago(since)
}

func TestWhichPodAnUpdateReplacesNext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*v1alpha1.LockstepCluster, *Observation)
		want   string // empty: none
	}{
		{"a mistake stops at one instance", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			crashLooping(&o.Members[1])
		}, ""},
		{"also when another one is lost and comes back", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			crashLooping(&o.Members[1])
			silent(&o.Members[2], time.Minute)
		}, ""},
		{"also when another one's container fails too: the new pod would fail as well", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			crashLooping(&o.Members[1])
			crashLooping(&o.Members[2])
		}, ""},
		{"also when no node is found for the new pod", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			o.Members[1].Pod.State, o.Members[1].Pod.Unschedulable = PodPending, "0/3 nodes are available"
			o.Members[1].View.Status, o.Members[1].View.HeardAt = nil, time.Time{}
			silent(&o.Members[2], time.Minute)
		}, ""},
		{"nothing is replaced while a new pod is starting, not even one that is lost", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			silent(&o.Members[1], time.Second)
			silent(&o.Members[2], time.Minute)
		}, ""},
		{"except one whose container fails", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-2")
			silent(&o.Members[1], time.Second)
			crashLooping(&o.Members[2])
		}, "demo-3"},
		{"an instance that was not heard for a moment keeps its pod", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o)
			silent(&o.Members[2], 3*time.Second)
		}, ""},
		{"one that was not heard for long is the first", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o)
			silent(&o.Members[2], time.Minute)
		}, "demo-3"},
		{"a rollback repairs the instance that crash-loops", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-1", "demo-3")
			crashLooping(&o.Members[1])
		}, "demo-2"},
		{"a rollback repairs the instance for which no node is found", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-1", "demo-3")
			o.Members[1].Pod.State, o.Members[1].Pod.Unschedulable = PodPending, "0/3 nodes are available"
			o.Members[1].View.Status, o.Members[1].View.HeardAt = nil, time.Time{}
		}, "demo-2"},
		{"a rollback repairs a cluster that has lost its primary too", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-3")
			lost(o)
			crashLooping(&o.Members[0])
			crashLooping(&o.Members[1])
			silent(&o.Members[2], 2*time.Second)
		}, "demo-1"},
		{"but not an ephemeral one, whose pods hold the only copies", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			outdated(o, "demo-3")
			lost(o)
			crashLooping(&o.Members[0])
			crashLooping(&o.Members[1])
			silent(&o.Members[2], 2*time.Second)
			for i := range o.Members {
				o.Members[i].Claim = ClaimEphemeral
			}
		}, ""},
		{"a rollback repairs a cluster of one", func(c *v1alpha1.LockstepCluster, o *Observation) {
			c.Status.Voters = []string{"demo-1"}
			o.Members = o.Members[:1]
			outdated(o)
			lost(o)
			crashLooping(&o.Members[0])
		}, "demo-1"},
		{"a rollback ends an election for which too few are there", func(c *v1alpha1.LockstepCluster, o *Observation) {
			electing(c)
			outdated(o, "demo-3")
			lost(o)
			o.Members[2].View.Status.Epoch = 2
			for i := range 2 {
				crashLooping(&o.Members[i])
				o.Members[i].View.FenceTriedAt = ago(time.Millisecond)
			}
		}, "demo-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, obs := wellCluster()
			tt.change(c, &obs)
			d := Decide(c, obs, testNow)
			got := ""
			if d.DeletePod != nil {
				got = d.DeletePod.Name
			}
			if got != tt.want {
				t.Errorf("replaces %q, want %q; the step is %s %s (%s)", got, tt.want, d.Step.Kind, d.Step.Why, d.Step.Message)
			}
		})
	}
}
