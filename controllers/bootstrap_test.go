package controllers

import (
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

func TestBootstrap(t *testing.T) {
	fresh := func(ordinal int) Member {
		return with(heardMember(ordinal, 0), func(m *Member) {
			m.View.Status.Role, m.View.Status.Epoch, m.View.Status.RoleEpoch = instance.RoleUnassigned, 0, 0
			m.View.Status.History.ReplicationID = "fresh-" + m.Name
		})
	}
	data := func(ordinal int, history string, offset int64, epoch uint64) Member {
		return with(heardMember(ordinal, offset), func(m *Member) {
			m.View.Status.Role, m.View.Status.Epoch, m.View.Status.RoleEpoch = instance.RoleUnassigned, epoch, 0
			m.View.Status.History.ReplicationID = history
		})
	}
	absent := func(ordinal int, claim ClaimState, pod PodState) Member {
		return Member{Name: heardMember(ordinal, 0).Name, Ordinal: ordinal, Wanted: true, Claim: claim, Pod: Pod{State: pod}}
	}
	for _, tt := range []struct {
		name    string
		members []Member
		want    BootstrapOutcome
		chosen  string
	}{
		{"of new instances the first is taken", []Member{fresh(1), fresh(2), fresh(3)}, BootstrapEmpty, "demo-1"},
		{"an instance with a volume that has not been heard might hold data", []Member{fresh(1), absent(2, ClaimBound, PodRunning)}, BootstrapWaiting, ""},
		{"an instance that has never had a volume holds none", []Member{fresh(1), absent(2, ClaimUnbound, PodPending), absent(3, ClaimMissing, PodMissing)}, BootstrapEmpty, "demo-1"},
		{"an ephemeral instance whose pod has not run holds none", []Member{fresh(1), absent(2, ClaimEphemeral, PodPending)}, BootstrapEmpty, "demo-1"},
		{"an ephemeral instance whose pod runs might hold some", []Member{fresh(1), absent(2, ClaimEphemeral, PodRunning)}, BootstrapWaiting, ""},
		{"an unknown claim might hold some", []Member{fresh(1), absent(2, ClaimUnknown, PodMissing)}, BootstrapWaiting, ""},
		{"an empty instance never becomes the primary over one with data", []Member{fresh(1), data(2, "H", 500, 3), fresh(3)}, BootstrapData, "demo-2"},
		{"of one history the highest offset is taken", []Member{data(1, "H", 400, 3), data(2, "H", 500, 3)}, BootstrapData, "demo-2"},
		{"the later history contains what it took over", []Member{data(1, "G", 400, 2), with(data(2, "H", 450, 2), func(m *Member) {
			m.View.Status.History.SecondReplicationID, m.View.Status.History.SecondValidThrough = "G", 420
		})}, BootstrapData, "demo-2"},
		{"of two unrelated histories the one of the later epoch is taken", []Member{data(1, "G", 900, 2), data(2, "H", 450, 3)}, BootstrapData, "demo-2"},
		{"of two unrelated histories of one epoch a human has to choose", []Member{data(1, "G", 900, 3), data(2, "H", 450, 3)}, BootstrapDiverged, ""},
		{"an instance that is loading is waited for", []Member{fresh(1), with(data(2, "H", 5, 1), func(m *Member) { m.View.Status.Loading = &instance.Progress{} })}, BootstrapWaiting, ""},
		{"nobody is chosen while nobody runs", []Member{absent(1, ClaimMissing, PodMissing)}, BootstrapWaiting, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bootstrap(tt.members, 0, false, time.Second, testNow)
			if b.Outcome != tt.want || b.Name != tt.chosen {
				t.Errorf("got %+v, want %s %q", b, tt.want, tt.chosen)
			}
		})
	}
}
