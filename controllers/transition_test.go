package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

func TestProduced(t *testing.T) {
	primary := func(change func(*View)) View {
		v := silentPrimary().View
		v.Status.Offset, v.Status.Role, v.Status.RoleEpoch = ptr(int64(1000)), instance.RolePrimary, 1
		v.Status.Window.WriteBytesPerSecond = ptr(50.0)
		v.MadeAfter = ago(time.Second)
		change(&v)
		return v
	}
	for _, tt := range []struct {
		name         string
		view         View
		known, limit *int64
	}{
		{"one second at twice the average of 50 bytes a second", primary(func(*View) {}), ptr(int64(1000)), ptr(int64(1100))},
		{"or at the highest rate that was seen", primary(func(v *View) { v.PeakRate = ptr(300.0) }), ptr(int64(1000)), ptr(int64(1300))},
		{"only until its kernel closed the stream", primary(func(v *View) { v.Severed, v.LostAt = true, ago(500*time.Millisecond) }), ptr(int64(1000)), ptr(int64(1050))},
		{"nothing after it has yielded", primary(func(v *View) { v.Status.Writes = instance.WritesFenced }), ptr(int64(1000)), ptr(int64(1000))},
		{"being fenced before it was promoted says nothing", primary(func(v *View) {
			v.Status.Writes, v.Status.Role, v.Status.RoleEpoch = instance.WritesFenced, instance.RoleReplica, 0
		}), ptr(int64(1000)), ptr(int64(1100))},
		{"until another process took its place", primary(func(v *View) {
			v.LastBoot, v.LastBootMadeAfter, v.BootHeardAt = v.Status, ago(2*time.Second), ago(time.Second)
			v.Status = &instance.Status{BootID: "new", Offset: ptr(int64(3))}
		}), ptr(int64(1000)), ptr(int64(1100))},
		{"an unknown rate has no bound", primary(func(v *View) { v.Status.Window.WriteBytesPerSecond = nil }), ptr(int64(1000)), nil},
		{"an unknown offset has none either", primary(func(v *View) { v.Status.Offset = nil }), nil, nil},
		{"nor has a primary that was never heard", View{}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known, limit := produced(tt.view, "boot-demo-1", 1, testNow)
			if number(known) != number(tt.known) || number(limit) != number(tt.limit) {
				t.Errorf("known %d, limit %d; want %d, %d", number(known), number(limit), number(tt.known), number(tt.limit))
			}
		})
	}
}

// number makes an unknown number comparable: it equals no other.
func number(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func TestWhatAChangeLost(t *testing.T) {
	change := func(edit func(*v1alpha1.FailoverProgress)) *v1alpha1.FailoverProgress {
		f := &v1alpha1.FailoverProgress{From: "demo-1", Candidate: "demo-2", FromOffset: ptr(int64(1000)), FromOffsetLimit: ptr(int64(1100)), CandidateOffset: ptr(int64(990))}
		edit(f)
		return f
	}
	for _, tt := range []struct {
		name  string
		f     *v1alpha1.FailoverProgress
		want  *int64
		words string
	}{
		{"the distance from where it may have come to", change(func(*v1alpha1.FailoverProgress) {}), ptr(int64(110)), "can have reached 1100"},
		{"nothing when the new one has more than was known", change(func(f *v1alpha1.FailoverProgress) { f.CandidateOffset = ptr(int64(1200)) }), ptr(int64(0)), ""},
		{"what an unfinished change lost is added", change(func(f *v1alpha1.FailoverProgress) { f.LostBefore = ptr(int64(7)) }), ptr(int64(117)), "lost 7 before"},
		{"and makes it unknown when it was", change(func(f *v1alpha1.FailoverProgress) { f.LostBeforeUnknown = true }), nil, "did not come to an end"},
		{"no bound is not the same as nothing", change(func(f *v1alpha1.FailoverProgress) { f.FromOffsetLimit = nil }), nil, "is not known"},
		{"a first primary loses nothing that could be named", change(func(f *v1alpha1.FailoverProgress) { f.From = "" }), nil, "no primary before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, words := bytesLost(tt.f)
			if number(got) != number(tt.want) || !strings.Contains(words, tt.words) {
				t.Errorf("got %d (%s), want %d (%s)", number(got), words, number(tt.want), tt.words)
			}
		})
	}
}

func TestTheLossOfAnUnfinishedChangeIsCarriedOn(t *testing.T) {
	c, obs := wellCluster()
	promoting(c)
	c.Status.Failover.FromOffset, c.Status.Failover.FromOffsetLimit = ptr(int64(950)), ptr(int64(960))
	fencedIn2(&obs)
	obs.Members[1].View.Status.BootID = "new" // the committed one has ended
	d := Decide(c, obs, testNow)
	next := Elected(c, d.Step, obs, testNow)
	if f := next.Status.Failover; f.From != "demo-2" || number(f.LostBefore) != 60 {
		t.Errorf("from %s, lost before %d; want demo-2 and 960 - 900", f.From, number(f.LostBefore))
	}
}
