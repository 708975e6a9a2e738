package controllers

import (
	"slices"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

var testNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return testNow.Add(-d) }

func ptr[T any](v T) *T { return &v }

// heardMember is an instance that was heard a moment ago, fenced in epoch 2, with
// data of history "H" up to the offset.
func heardMember(ordinal int, offset int64) Member {
	name := "demo-" + string(rune('0'+ordinal))
	return Member{
		Name: name, Ordinal: ordinal, Wanted: true, Voter: true, Claim: ClaimBound,
		Pod: Pod{State: PodRunning, UID: "uid-" + name, IP: "10.0.0." + string(rune('0'+ordinal))},
		View: View{
			Status: &instance.Status{
				InstanceID: "id-" + name, BootID: "boot-" + name, Name: name,
				Role: instance.RoleReplica, Epoch: 2, RoleEpoch: 1, Writes: instance.WritesFenced,
				History: instance.History{ReplicationID: "H", SecondValidThrough: -1},
				Offset:  &offset, Keys: ptr(offset),
				LastAckAgeMillis: ptr(int64(700)),
			},
			HeardAt: ago(50 * time.Millisecond), MadeAfter: ago(60 * time.Millisecond),
			BootHeardAt: ago(time.Hour), TryingSince: ago(time.Hour),
		},
	}
}

func with(m Member, change func(*Member)) Member {
	if m.View.Status != nil {
		st := *m.View.Status
		m.View.Status = &st
	}
	change(&m)
	return m
}

var testBallot = Ballot{Epoch: 2, From: "demo-1", Silence: time.Second, Lineage: Lineage{ID: "H", Previous: "G", PreviousThrough: 500, Primary: "id-demo-1"}}

func TestStanding(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    Member
		want Standing
	}{
		{"data of the lost primary's own history is eligible", heardMember(2, 900), StandingSame},
		{"data of the history that it took over is eligible up to where it did", with(heardMember(2, 500), func(m *Member) {
			m.View.Status.History.ReplicationID = "G"
		}), StandingBefore},
		{"one byte beyond that is another story", with(heardMember(2, 501), func(m *Member) {
			m.View.Status.History.ReplicationID = "G"
		}), StandingDiverged},
		{"data of an unknown history is not eligible, however much it is", with(heardMember(2, 1<<40), func(m *Member) {
			m.View.Status.History.ReplicationID = "X"
		}), StandingUnrelated},
		{"an unknown offset is not zero", with(heardMember(2, 0), func(m *Member) { m.View.Status.Offset = nil }), StandingNoOffset},
		{"one that is loading has no offset yet", with(heardMember(2, 9), func(m *Member) { m.View.Status.Loading = &instance.Progress{} }), StandingNoOffset},
		{"one that is silent can not be promoted", with(heardMember(2, 9), func(m *Member) { m.View.HeardAt = ago(time.Second) }), StandingUnheard},
		{"one whose stream broke after it was heard can not either", with(heardMember(2, 9), func(m *Member) { m.View.LostAt = testNow }), StandingUnheard},
		{"one that was never heard can not either", Member{Name: "demo-2"}, StandingUnheard},
		{"one that might still follow the old primary is not compared", with(heardMember(2, 9), func(m *Member) { m.View.Status.Epoch = 1 }), StandingUnfenced},
		{"one that does not turn would not do what it is told", with(heardMember(2, 9), func(m *Member) { m.View.Status.ReactorStallMillis = 1000 }), StandingBusy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testBallot.assess(tt.m, testNow, true).Standing; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestACommittedPrimaryThatHasNotToldItsHistoryIsTheNewest(t *testing.T) {
	ballot := testBallot
	ballot.Lineage = Lineage{Previous: "H", PreviousThrough: 900, Primary: "id-demo-2"}
	promoted := with(heardMember(2, 905), func(m *Member) {
		m.View.Status.History = instance.History{ReplicationID: "N", SecondReplicationID: "H", SecondValidThrough: 900}
	})
	impostor := with(heardMember(3, 2000), func(m *Member) {
		m.View.Status.History = instance.History{ReplicationID: "O", SecondReplicationID: "H", SecondValidThrough: 900}
	})
	best, _, ok := ballot.choose([]Member{heardMember(1, 900), promoted, impostor}, testNow, true)
	if !ok || best.Name != "demo-2" || best.Standing != StandingNewest {
		t.Errorf("chose %+v, want demo-2, which was committed", best)
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name    string
		members []Member
		target  string
		want    string
	}{
		{"the highest offset wins", []Member{heardMember(1, 10), heardMember(2, 30), heardMember(3, 20)}, "", "demo-2"},
		{"lineage comes before the offset", []Member{heardMember(2, 10), with(heardMember(3, 99), func(m *Member) {
			m.View.Status.History.ReplicationID = "X"
		})}, "", "demo-2"},
		{"among equals the target of a planned move wins", []Member{heardMember(2, 10), heardMember(3, 10)}, "demo-3", "demo-3"},
		{"the target does not win with less data", []Member{heardMember(2, 11), heardMember(3, 10)}, "demo-3", "demo-2"},
		{"among equals one that is about to end loses", []Member{with(heardMember(2, 10), func(m *Member) { m.Pod.Deleting = true }), heardMember(3, 10)}, "", "demo-3"},
		{"among equals the old primary loses", []Member{heardMember(1, 10), heardMember(2, 10)}, "", "demo-2"},
		{"otherwise the lowest ordinal wins", []Member{heardMember(3, 10), heardMember(2, 10)}, "", "demo-2"},
		{"nobody wins when nobody is eligible", []Member{with(heardMember(2, 10), func(m *Member) { m.View.Status.Offset = nil })}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ballot := testBallot
			ballot.Target = tt.target
			best, _, _ := ballot.choose(tt.members, testNow, true)
			if best.Name != tt.want {
				t.Errorf("chose %q, want %q", best.Name, tt.want)
			}
		})
	}
}

func TestWhenOnlyAHumanMayAcceptTheLossNobodyElseIsChosen(t *testing.T) {
	ballot := testBallot
	ballot.Target, ballot.OnlyTarget = "demo-3", true
	best, _, _ := ballot.choose([]Member{heardMember(2, 99), heardMember(3, 10)}, testNow, true)
	if best.Name != "demo-3" {
		t.Errorf("chose %q, want demo-3", best.Name)
	}
}

// silentPrimary is the old primary, out of reach.
func silentPrimary() Member {
	return with(heardMember(1, 900), func(m *Member) {
		m.View.Status.Role, m.View.Status.Epoch, m.View.Status.Writes = instance.RolePrimary, 1, instance.WritesAllowed
		m.View.HeardAt, m.View.LostAt, m.View.Failure = ago(1500*time.Millisecond), ago(500*time.Millisecond), instance.FailureSilence
	})
}

var oldPrimary = OldPrimary{Name: "demo-1", InstanceID: "id-demo-1", BootID: "boot-demo-1"}

func unfenced(ordinal int) Member {
	return with(heardMember(ordinal, 900), func(m *Member) { m.View.Status.Epoch = 1 })
}

func TestRevocation(t *testing.T) {
	lease := 2 * time.Second
	// The replicas' last acknowledgement was 700 ms before they were heard, 50 ms ago.
	acked := ago(750 * time.Millisecond)
	for _, tt := range []struct {
		name    string
		members []Member
		voters  int
		self    Self
		enough  bool
		missing []string
		voidAt  time.Time
		proof   Ended
	}{
		{"with both replicas of three fenced, the lease ends with their last acknowledgement",
			[]Member{silentPrimary(), heardMember(2, 900), heardMember(3, 900)}, 3, Self{}, true, nil, acked.Add(lease), ""},
		{"with one replica of three not fenced, it may go on for ever",
			[]Member{silentPrimary(), heardMember(2, 900), unfenced(3)}, 3, Self{}, false, []string{"demo-3"}, time.Time{}, ""},
		{"with one of five not fenced, the primary needs one more: the newest of the fenced counts",
			[]Member{silentPrimary(), heardMember(2, 9), with(heardMember(3, 9), func(m *Member) { m.View.Status.LastAckAgeMillis = ptr(int64(100)) }), heardMember(4, 9), unfenced(5)},
			5, Self{}, true, []string{"demo-5"}, ago(150 * time.Millisecond).Add(lease), ""},
		{"with none of five missing, the primary needs two: the second newest counts",
			[]Member{silentPrimary(), heardMember(2, 9), with(heardMember(3, 9), func(m *Member) { m.View.Status.LastAckAgeMillis = ptr(int64(100)) }), heardMember(4, 9), heardMember(5, 9)},
			5, Self{}, true, nil, acked.Add(lease), ""},
		{"with two of five not fenced, it may go on for ever",
			[]Member{silentPrimary(), heardMember(2, 9), heardMember(3, 9), unfenced(4), unfenced(5)}, 5, Self{}, false, []string{"demo-4", "demo-5"}, time.Time{}, ""},
		{"in a cluster of two the fenced replica is enough",
			[]Member{silentPrimary(), heardMember(2, 9)}, 2, Self{}, true, nil, acked.Add(lease), ""},
		{"alone, a primary needs nobody, so silence is never enough",
			[]Member{silentPrimary()}, 1, Self{}, false, nil, time.Time{}, ""},
		{"the operator's own grant has to be waited out",
			[]Member{silentPrimary(), heardMember(2, 9), heardMember(3, 9)}, 3, Self{GrantedFrom: ago(100 * time.Millisecond)}, true, nil, ago(100 * time.Millisecond).Add(lease), ""},
		{"what the previous leader may have granted has to be waited out",
			[]Member{silentPrimary(), heardMember(2, 9), heardMember(3, 9)}, 3, Self{OthersUntil: ago(10 * time.Millisecond)}, true, nil, ago(10 * time.Millisecond).Add(lease), ""},
		{"a replica that has restarted may have acknowledged until it was first heard",
			[]Member{silentPrimary(), heardMember(2, 9), with(heardMember(3, 9), func(m *Member) {
				m.View.Status.LastAckAgeMillis, m.View.BootHeardAt = nil, ago(200*time.Millisecond)
			})}, 3, Self{}, true, nil, ago(200 * time.Millisecond).Add(lease), ""},
		{"an old primary that is fenced itself has no lease",
			[]Member{with(silentPrimary(), func(m *Member) { m.View.Status.Epoch = 2 }), unfenced(2), unfenced(3)}, 3, Self{GrantedFrom: testNow}, true, nil, time.Time{}, ""},
		{"an old primary whose process has ended has no lease",
			[]Member{with(silentPrimary(), func(m *Member) { m.View.Status.BootID = "another" }), unfenced(2), unfenced(3)}, 3, Self{GrantedFrom: testNow}, true, nil, time.Time{}, EndedNewBoot},
		{"an instance that is not a voter and has never run acknowledges nothing",
			[]Member{silentPrimary(), heardMember(2, 9), heardMember(3, 9), {Name: "demo-4", Wanted: true, Pod: Pod{State: PodPending}}}, 3, Self{}, true, nil, acked.Add(lease), ""},
		{"a voter whose pod is gone may still run somewhere",
			[]Member{silentPrimary(), heardMember(2, 9), {Name: "demo-3", Voter: true, Pod: Pod{State: PodMissing}}}, 3, Self{}, false, []string{"demo-3"}, time.Time{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := revocation(testBallot, oldPrimary, tt.members, tt.voters, lease, tt.self)
			if r.Enough != tt.enough || !slices.Equal(r.Missing, tt.missing) || !r.VoidAt.Equal(tt.voidAt) || r.Proof != tt.proof {
				t.Errorf("got %+v, want enough=%v missing=%v voidAt=%v proof=%q", r, tt.enough, tt.missing, tt.voidAt, tt.proof)
			}
		})
	}
}

func TestProofThatAProcessHasEnded(t *testing.T) {
	severed := func(change func(*Member)) Member {
		return with(silentPrimary(), func(m *Member) {
			m.View.Severed, m.View.Failure, m.View.LostAt = true, instance.FailureRefused, ago(40*time.Millisecond)
			m.View.Probe = Probe{At: ago(20 * time.Millisecond), API: instance.FailureRefused, Client: instance.FailureRefused}
			m.View.Container = "c1"
			change(m)
		})
	}
	linkDown := with(heardMember(2, 9), func(m *Member) {
		m.View.LinkDown = LinkDown{Address: "10.0.0.1:6379", HeardAt: ago(30 * time.Millisecond)}
	})
	for _, tt := range []struct {
		name    string
		members []Member
		want    Ended
	}{
		{"another process in its place", []Member{with(silentPrimary(), func(m *Member) { m.View.Status.BootID = "new" })}, EndedNewBoot},
		{"another data directory proves nothing", []Member{with(silentPrimary(), func(m *Member) {
			m.View.Status.BootID, m.View.Status.InstanceID = "new", "other"
		})}, EndedUnknown},
		{"its kernel closed both links, and refuses on both ports", []Member{severed(func(*Member) {}), linkDown}, EndedKernel},
		{"without a replica's word it proves nothing", []Member{severed(func(*Member) {}), heardMember(2, 9)}, EndedUnknown},
		{"a replica's word from before proves nothing", []Member{severed(func(*Member) {}), with(linkDown, func(m *Member) { m.View.LinkDown.HeardAt = ago(time.Minute) })}, EndedUnknown},
		{"a port that does not refuse proves nothing", []Member{severed(func(m *Member) { m.View.Probe.Client = "" }), linkDown}, EndedUnknown},
		{"a refusal from before the link broke proves nothing", []Member{severed(func(m *Member) { m.View.Probe.At = ago(time.Minute) }), linkDown}, EndedUnknown},
		{"silence proves nothing", []Member{silentPrimary(), linkDown}, EndedUnknown},
		{"the kubelet says that its container has terminated", []Member{severed(func(m *Member) {
			m.Pod.EndedContainers, m.View.Probe = []string{"c1"}, Probe{}
		})}, EndedContainer},
		{"the end of another container proves nothing", []Member{severed(func(m *Member) {
			m.Pod.EndedContainers, m.View.Probe = []string{"c0"}, Probe{}
		})}, EndedUnknown},
		{"a pod that is gone proves nothing", []Member{with(silentPrimary(), func(m *Member) { m.Pod = Pod{State: PodMissing} }), linkDown}, EndedUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := endedHow(oldPrimary, tt.members); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
