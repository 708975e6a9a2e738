package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// wellCluster is a cluster of three in epoch 1: demo-1 is the primary, and the
// others follow it.
func wellCluster() (*v1alpha1.LockstepCluster, Observation) {
	c := &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"}}
	v1alpha1.SetDefaults(c)
	c.Status = v1alpha1.LockstepClusterStatus{
		Epoch: 1, Primary: "demo-1", PrimaryInstanceID: "id-demo-1", PrimaryBootID: "boot-demo-1",
		ReplicationID: "H", PreviousReplicationID: "G", PreviousValidThrough: ptr(int64(500)),
		Voters: []string{"demo-1", "demo-2", "demo-3"},
	}
	primary := with(heardMember(1, 900), func(m *Member) {
		st := m.View.Status
		st.Role, st.Epoch, st.RoleEpoch, st.Writes = instance.RolePrimary, 1, 1, instance.WritesAllowed
		st.Lease = &instance.Lease{DurationMillis: 2000, RemainingMillis: 2000, Members: 3}
		st.Window = instance.Window{FirstOffset: 1, Bytes: 900, CapacityBytes: 64 << 20}
	})
	obs := Observation{Members: []Member{primary, follower(2), follower(3)}, Self: Self{OthersUntil: ago(time.Hour)}}
	return c, obs
}

func follower(ordinal int) Member {
	return with(heardMember(ordinal, 900), func(m *Member) {
		st := m.View.Status
		st.Epoch, st.RoleEpoch, st.Writes = 1, 1, instance.WritesReplica
		st.Window.CapacityBytes = 64 << 20
		st.Upstream = &instance.Upstream{Address: "10.0.0.1:6379", State: instance.LinkConnected, LastIOMillis: ptr(int64(10))}
		m.View.Followed = &instance.FollowRequest{Epoch: 1, Primary: instance.Endpoint{Host: "10.0.0.1", Port: 6379}, LeaseMillis: 2000}
	})
}

// lost makes the primary silent, and the replicas' links too.
func lost(o *Observation) {
	o.Members[0].View.HeardAt, o.Members[0].View.LostAt = ago(2*time.Second), ago(time.Second)
	o.Members[0].View.Probe = Probe{At: ago(100 * time.Millisecond), API: instance.FailureTimeout, Client: instance.FailureTimeout}
	for i := range o.Members[1:] {
		o.Members[i+1].View.Status.Upstream.LastIOMillis = ptr(int64(2000))
	}
}

func TestNextStep(t *testing.T) {
	no := false
	for _, tt := range []struct {
		name   string
		change func(*v1alpha1.LockstepCluster, *Observation)
		kind   StepKind
		why    Why
	}{
		{"a primary that is well is left alone", func(*v1alpha1.LockstepCluster, *Observation) {}, StepNone, WhyActing},
		{"a primary that was silent for a moment is listened to", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.HeardAt, o.Members[0].View.LostAt = ago(900*time.Millisecond), ago(100*time.Millisecond)
		}, StepWait, WhyListening},
		{"a primary whose kernel closed the stream is asked again at once", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.LostAt, o.Members[0].View.Severed = testNow, true
		}, StepConfirm, ""},
		{"a primary that was silent for long is asked again", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[0].View.Probe = Probe{}
		}, StepConfirm, ""},
		{"a probe from before the loss does not count", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[0].View.Probe.At = ago(1500 * time.Millisecond)
		}, StepConfirm, ""},
		{"a primary that is silent and that nobody hears is replaced", func(_ *v1alpha1.LockstepCluster, o *Observation) { lost(o) }, StepElect, ""},
		{"a replica that still hears the primary is a veto", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[2].View.Status.Upstream.LastIOMillis = ptr(int64(400))
		}, StepWait, WhyVetoed},
		{"a replica that hears another address is none", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[2].View.Status.Upstream.LastIOMillis = ptr(int64(400))
			o.Members[2].View.Status.Upstream.Address = "10.0.0.9:6379"
		}, StepElect, ""},
		{"a busy primary is not suspect", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.Status.ReactorStallMillis = 29_000
		}, StepNone, WhyBusy},
		{"a primary that is busy for too long is replaced", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.Status.ReactorStallMillis = 30_000
		}, StepElect, ""},
		{"a new process in the primary's place gets no role without an election", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.Status.BootID, o.Members[0].View.Status.Role, o.Members[0].View.Status.RoleEpoch = "new", instance.RoleUnassigned, 0
		}, StepElect, ""},
		{"without automatic failover a human is waited for", func(c *v1alpha1.LockstepCluster, o *Observation) {
			c.Spec.Failover.Automatic = &no
			lost(o)
		}, StepWait, WhyDisabled},
		{"a human who names another one is obeyed", func(c *v1alpha1.LockstepCluster, o *Observation) {
			c.Spec.Failover.Automatic = &no
			c.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
			lost(o)
		}, StepElect, ""},
		{"without automatic failover a restarted primary with all data has its role back", func(c *v1alpha1.LockstepCluster, o *Observation) {
			c.Spec.Failover.Automatic = &no
			o.Members[0].View.Status.BootID, o.Members[0].View.Status.Role, o.Members[0].View.Status.RoleEpoch = "new", instance.RoleUnassigned, 0
			o.Members[1].View.Status.Offset, o.Members[2].View.Status.Offset = ptr(int64(899)), ptr(int64(899))
		}, StepElect, ""},
		{"an election that could not end is not begun: too few to end the lease", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[2].View.HeardAt = ago(2 * time.Second)
		}, StepWait, WhyNoMajority},
		{"an election that could not end is not begun: nobody is eligible", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			lost(o)
			o.Members[1].View.Status.Offset, o.Members[2].View.Status.Offset = nil, nil
		}, StepWait, WhyNoCandidate},
		{"an instance of a higher epoch needs a higher one still", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].View.Status.Epoch = 7
		}, StepElect, ""},
		{"in an election everybody is told first", func(c *v1alpha1.LockstepCluster, o *Observation) { electing(c) }, StepFence, ""},
		{"an election goes on when enough are fenced and the lease is over", func(c *v1alpha1.LockstepCluster, o *Observation) {
			electing(c)
			fencedIn2(o)
			lost(o)
			o.Members[1].View.Status.LastAckAgeMillis, o.Members[2].View.Status.LastAckAgeMillis = ptr(int64(2500)), ptr(int64(2500))
		}, StepCommit, ""},
		{"an election waits for the rest of the lease", func(c *v1alpha1.LockstepCluster, o *Observation) {
			electing(c)
			fencedIn2(o)
			lost(o)
		}, StepWait, WhyLeaseRunning},
		{"an election waits while the old primary may have a majority", func(c *v1alpha1.LockstepCluster, o *Observation) {
			electing(c)
			fencedIn2(o)
			lost(o)
			o.Members[2].View.Status.Epoch, o.Members[2].View.FenceTriedAt = 1, ago(10*time.Millisecond)
		}, StepWait, WhyNoMajority},
		{"a committed primary that has not heard of it is told", func(c *v1alpha1.LockstepCluster, o *Observation) {
			promoting(c)
			fencedIn2(o)
		}, StepPromote, ""},
		{"a committed primary whose process ended is not", func(c *v1alpha1.LockstepCluster, o *Observation) {
			promoting(c)
			fencedIn2(o)
			o.Members[1].View.Status.BootID = "new"
		}, StepElect, ""},
		{"the history of a promoted primary is stored", func(c *v1alpha1.LockstepCluster, o *Observation) {
			promoting(c)
			fencedIn2(o)
			st := o.Members[1].View.Status
			st.Role, st.RoleEpoch, st.Writes, st.History.ReplicationID = instance.RolePrimary, 2, instance.WritesAllowed, "N"
		}, StepComplete, ""},
		{"a primary that has handed over is replaced, whoever had asked for it", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].View.Status.Writes = instance.WritesFenced
		}, StepElect, ""},
		{"a primary whose pod is asked to end hands over", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[0].Pod.Deleting = true }, StepHandover, ""},
		{"a handover that has just failed rests", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].Pod.Deleting = true
			o.Handover = &FailedHandover{At: ago(100 * time.Millisecond), Target: "demo-2", Failures: 1}
		}, StepNone, WhyActing},
		{"nobody takes over who is not linked", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].Pod.Deleting = true
			o.Members[1].View.Status.Upstream.State, o.Members[2].View.Status.Upstream.State = instance.LinkConnecting, instance.LinkSyncing
		}, StepNone, WhyActing},
		{"a switchover goes to the named instance", func(c *v1alpha1.LockstepCluster, _ *Observation) {
			c.Annotations = map[string]string{v1alpha1.AnnotationSwitchover: "demo-3"}
		}, StepHandover, ""},
		{"a primary that is scaled away hands over", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[0].Wanted = false
		}, StepHandover, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, obs := wellCluster()
			tt.change(c, &obs)
			d := Decide(c, obs, testNow)
			if d.Step.Kind != tt.kind || d.Step.Why != tt.why {
				t.Errorf("got %s %s (%s), want %s %s", d.Step.Kind, d.Step.Why, d.Step.Message, tt.kind, tt.why)
			}
		})
	}
}

func electing(c *v1alpha1.LockstepCluster) {
	c.Status.Failover = &v1alpha1.FailoverProgress{
		Epoch: 2, Phase: v1alpha1.FailoverElecting, Reason: v1alpha1.FailoverPrimaryUnreachable,
		From: "demo-1", FromInstanceID: "id-demo-1", FromBootID: "boot-demo-1", FromReplicationID: "H", FromEpoch: 1,
	}
	c.Status.Epoch, c.Status.Primary, c.Status.PrimaryInstanceID, c.Status.PrimaryBootID = 2, "", "", ""
}

func promoting(c *v1alpha1.LockstepCluster) {
	electing(c)
	c.Status.Failover.Phase, c.Status.Failover.Candidate, c.Status.Failover.CandidateOffset = v1alpha1.FailoverPromoting, "demo-2", ptr(int64(900))
	c.Status.Primary, c.Status.PrimaryInstanceID, c.Status.PrimaryBootID = "demo-2", "id-demo-2", "boot-demo-2"
	c.Status.PreviousReplicationID, c.Status.PreviousValidThrough, c.Status.ReplicationID = "H", ptr(int64(900)), ""
}

// fencedIn2 fences the replicas in epoch 2. The old primary was tried and not
// reached.
func fencedIn2(o *Observation) {
	o.Members[0].View.FenceTriedAt = ago(10 * time.Millisecond)
	for i := range o.Members[1:] {
		o.Members[i+1].View.Status.Epoch = 2
		o.Members[i+1].View.Status.Writes = instance.WritesFenced
	}
}

func TestThePromotedOneIsTheChosenOne(t *testing.T) {
	c, obs := wellCluster()
	electing(c)
	fencedIn2(&obs)
	lost(&obs)
	for i := range obs.Members[1:] {
		obs.Members[i+1].View.Status.LastAckAgeMillis = ptr(int64(2500))
	}
	obs.Members[2].View.Status.Offset = ptr(int64(905))
	d := Decide(c, obs, testNow)
	if d.Step.Choice == nil || d.Step.Choice.Name != "demo-3" || d.Step.Choice.BootID != "boot-demo-3" || d.Step.Choice.Offset != 905 || d.Step.Choice.History != "H" {
		t.Fatalf("choice is %+v", d.Step.Choice)
	}
	next := Committed(c, d.Step, obs, testNow, testNow)
	if next.Status.Primary != "demo-3" || next.Status.ReplicationID != "" || next.Status.PreviousReplicationID != "H" || *next.Status.PreviousValidThrough != 905 {
		t.Errorf("stored %+v", next.Status)
	}
}

func TestNobodyIsToldToFollowBeforeTheHistoryIsStored(t *testing.T) {
	c, obs := wellCluster()
	promoting(c)
	fencedIn2(&obs)
	st := obs.Members[1].View.Status
	st.Role, st.RoleEpoch, st.Writes = instance.RolePrimary, 2, instance.WritesAllowed
	st.History = instance.History{ReplicationID: "N", SecondReplicationID: "H", SecondValidThrough: 900}
	lost(&obs)
	if d := Decide(c, obs, testNow); len(d.Follow) > 0 {
		t.Errorf("told to follow: %+v", d.Follow)
	}
	next := Completed(c, obs, testNow, testNow, testNow)
	d := Decide(next, obs, testNow)
	if len(d.Follow) != 1 || d.Follow[0].Name != "demo-3" || d.Follow[0].Request.Primary.Host != "10.0.0.2" {
		t.Errorf("told to follow: %+v, want demo-3 to follow 10.0.0.2", d.Follow)
	}
}

func TestNobodyIsToldToFollowAPrimaryWhoseAddressIsNotKnown(t *testing.T) {
	c, obs := wellCluster()
	obs.Members[1].View.Followed = nil // an order is due
	if d := Decide(c, obs, testNow); len(d.Follow) != 1 || d.Follow[0].Name != "demo-2" {
		t.Fatalf("told to follow: %+v, want demo-2", d.Follow)
	}
	obs.Members[0].Pod.State, obs.Members[0].Pod.UID, obs.Members[0].Pod.IP = PodMissing, "", ""
	if d := Decide(c, obs, testNow); len(d.Follow) > 0 {
		t.Errorf("told to follow: %+v", d.Follow)
	}
}

func TestTheLeaseIsRenewedForNobodyInAnElection(t *testing.T) {
	c, obs := wellCluster()
	if d := Decide(c, obs, testNow); d.Lease == nil || d.Lease.Name != "demo-1" || d.Lease.Terms.Members != 3 {
		t.Errorf("lease of a well primary: %+v", d.Lease)
	}
	electing(c)
	fencedIn2(&obs)
	if d := Decide(c, obs, testNow); d.Lease != nil {
		t.Errorf("lease in an election: %+v", d.Lease)
	}
}

func TestFullCopiesAreTakenOneAtATime(t *testing.T) {
	c, obs := wellCluster()
	c.Status.Voters = nil
	for i := range obs.Members[1:] {
		m := &obs.Members[i+1]
		m.View.Status.Role, m.View.Status.RoleEpoch, m.View.Status.Upstream, m.View.Followed = instance.RoleUnassigned, 0, nil, nil
		m.View.Status.History.ReplicationID = "X"
	}
	d := Decide(c, obs, testNow)
	if len(d.Follow) != 1 || !d.Follow[0].Full || len(d.Withheld) != 1 {
		t.Errorf("follow %+v, withheld %v, want one of each", d.Follow, d.Withheld)
	}
	c.Spec.Replication.MaxConcurrentFullResyncs = 2
	if d := Decide(c, obs, testNow); len(d.Follow) != 2 {
		t.Errorf("follow %+v, want two", d.Follow)
	}
}

func TestNeedsFullCopy(t *testing.T) {
	primary := &instance.Status{
		Offset: ptr(int64(1000)), History: instance.History{ReplicationID: "H", SecondReplicationID: "G", SecondValidThrough: 600},
		Window: instance.Window{FirstOffset: 501, Bytes: 500},
	}
	for _, tt := range []struct {
		name    string
		history string
		held    *int64
		want    bool
	}{
		{"byte 501 is the oldest kept, and the next one that is needed", "H", ptr(int64(500)), false},
		{"byte 500 is needed and gone", "H", ptr(int64(499)), true},
		{"nothing is missing", "H", ptr(int64(1000)), false},
		{"more than the primary has is another story", "H", ptr(int64(1001)), true},
		{"the previous history counts up to its end", "G", ptr(int64(600)), false},
		{"and not beyond", "G", ptr(int64(601)), true},
		{"another history never does", "X", ptr(int64(700)), true},
		{"an unknown offset needs everything", "H", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			replica := &instance.Status{Offset: tt.held, History: instance.History{ReplicationID: tt.history}}
			if got := needsFullCopy(replica, primary); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMembership(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*v1alpha1.LockstepCluster, *Observation)
		want   func(Decision) bool
	}{
		{"a missing pod is made", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[2].Pod = Pod{State: PodMissing} },
			func(d Decision) bool { return len(d.CreatePods) == 1 && d.CreatePods[0] == "demo-3" }},
		{"a pod that could not be observed is not made again", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[2].Pod = Pod{} },
			func(d Decision) bool { return len(d.CreatePods) == 0 }},
		{"a pod that has ended is removed", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[2].Pod.State = PodEnded },
			func(d Decision) bool { return d.DeletePod != nil && d.DeletePod.Reason == DeleteEnded }},
		{"a pod that ends on a lost node is left to Kubernetes", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Pod.Deleting, o.Members[2].Pod.NodeLost = true, true
			o.Members[2].View.HeardAt = ago(time.Minute)
		}, func(d Decision) bool { return d.DeletePod == nil && len(d.CreatePods) == 0 }},
		{"a surplus instance leaves the voters first", func(c *v1alpha1.LockstepCluster, o *Observation) { o.Members[2].Wanted = false },
			func(d Decision) bool { return len(d.Voters) == 2 && d.DeletePod == nil }},
		{"then the primary is told", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Wanted, o.Members[2].Voter = false, false
			c.Status.Voters = []string{"demo-1", "demo-2"}
		}, func(d Decision) bool { return d.Terms != nil && d.Terms.Members == 2 && d.DeletePod == nil }},
		{"then its pod goes", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Wanted, o.Members[2].Voter = false, false
			c.Status.Voters = []string{"demo-1", "demo-2"}
			o.Members[0].View.Status.Lease.Members = 2
		}, func(d Decision) bool {
			return d.DeletePod != nil && d.DeletePod.Name == "demo-3" && d.DeletePod.Reason == DeleteSurplus
		}},
		{"the primary is told of a new voter first", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Voter = false
			c.Status.Voters = []string{"demo-1", "demo-2"}
			o.Members[0].View.Status.Lease.Members = 2
		}, func(d Decision) bool { return d.Terms != nil && d.Terms.Members == 3 && d.Voters == nil }},
		{"then it is stored", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Voter = false
			c.Status.Voters = []string{"demo-1", "demo-2"}
		}, func(d Decision) bool { return len(d.Voters) == 3 && d.Terms == nil }},
		{"an instance that is not linked does not vote yet", func(c *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Voter = false
			o.Members[2].View.Status.Upstream.State = instance.LinkSyncing
			c.Status.Voters = []string{"demo-1", "demo-2"}
			o.Members[0].View.Status.Lease.Members = 2
		}, func(d Decision) bool { return d.Terms == nil && d.Voters == nil }},
		{"an update begins with a replica", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			for i := range o.Members {
				o.Members[i].Pod.Outdated = true
			}
		}, func(d Decision) bool { return d.DeletePod != nil && d.DeletePod.Name == "demo-2" }},
		{"an update waits until every instance is ready", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Pod.Outdated = true
			o.Members[1].View.Status.Upstream.State = instance.LinkConnecting
		}, func(d Decision) bool { return d.DeletePod == nil }},
		{"an update replaces a pod that is not ready itself", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[1].Pod.Outdated, o.Members[2].Pod.Outdated = true, true
			o.Members[2].View.Status.Upstream.State = instance.LinkConnecting
		}, func(d Decision) bool { return d.DeletePod != nil && d.DeletePod.Name == "demo-3" }},
		{"an operator that has just begun to listen takes nothing for not ready", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[2].Pod.Outdated = true
			o.Members[2].View = View{TryingSince: ago(time.Second)}
		}, func(d Decision) bool { return d.DeletePod == nil }},
		{"an update waits while a pod ends", func(_ *v1alpha1.LockstepCluster, o *Observation) {
			o.Members[1].Pod.Deleting, o.Members[2].Pod.Outdated = true, true
		}, func(d Decision) bool { return d.DeletePod == nil }},
		{"the primary hands over before its pod is replaced", func(_ *v1alpha1.LockstepCluster, o *Observation) { o.Members[0].Pod.Outdated = true },
			func(d Decision) bool { return d.DeletePod == nil && d.Step.Kind == StepHandover }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, obs := wellCluster()
			tt.change(c, &obs)
			if d := Decide(c, obs, testNow); !tt.want(d) {
				t.Errorf("decided %+v", d)
			}
		})
	}
}
