package controllers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/instance"
)

// listened runs a fleet that listens to demo-1 of a world, in a bubble of fake time.
func listened(t *testing.T, test func(t *testing.T, f *Fleet, w *fakeWorld, i *fakeInstance, news *atomic.Int64)) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorld()
		i := w.start("demo-1", nil)
		f := NewFleet(w, time.Now)
		var news atomic.Int64
		f.changed = func(types.NamespacedName) { news.Add(1) }
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = f.Start(ctx) })
		f.Track(testKey, []Target{{Name: "demo-1", PodUID: "1", IP: i.ip, Silence: time.Second}})
		synctest.Wait()
		test(t, f, w, i, &news)
		cancel()
		wg.Wait()
	})
}

func view(f *Fleet) View { return f.Views(testKey, 0)["demo-1"] }

func TestHeartbeatsAreNoNews(t *testing.T) {
	listened(t, func(t *testing.T, f *Fleet, w *fakeWorld, i *fakeInstance, news *atomic.Int64) {
		before, seq := news.Load(), view(f).Status.Seq
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := news.Load() - before; n != 0 {
			t.Errorf("%d reconciles for heartbeats", n)
		}
		if view(f).Status.Seq <= seq || !view(f).Heard(time.Now(), time.Second) {
			t.Error("the heartbeats were not heard")
		}
		w.change(func() { i.epoch = 3 })
		synctest.Wait()
		if news.Load() == before {
			t.Error("a new epoch is no news")
		}
	})
}

func TestAKilledProcessIsSeveredAtOnceAndASilentOneIsNot(t *testing.T) {
	listened(t, func(t *testing.T, f *Fleet, w *fakeWorld, i *fakeInstance, news *atomic.Int64) {
		before := news.Load()
		w.change(func() { i.dead = true })
		synctest.Wait()
		if v := view(f); !v.Severed || v.Heard(time.Now(), time.Second) || news.Load() == before {
			t.Errorf("after its end: severed=%v heard=%v news=%d", v.Severed, v.Heard(time.Now(), time.Second), news.Load()-before)
		}
	})
	listened(t, func(t *testing.T, f *Fleet, w *fakeWorld, i *fakeInstance, news *atomic.Int64) {
		before := news.Load()
		w.change(func() { i.frozen = true })
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if news.Load() != before {
			t.Error("a silence of 900 ms is news already")
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if v := view(f); v.Severed || v.Failure != instance.FailureSilence || news.Load() == before {
			t.Errorf("after a second of silence: severed=%v failure=%s news=%d", v.Severed, v.Failure, news.Load()-before)
		}
	})
}

func TestANewProcessIsKnownByItsBootAndTheOldOnesWordIsKept(t *testing.T) {
	listened(t, func(t *testing.T, f *Fleet, w *fakeWorld, i *fakeInstance, _ *atomic.Int64) {
		w.change(func() { i.offset = 42 })
		synctest.Wait()
		old := view(f).Status.BootID
		w.change(func() { i.dead = true })
		synctest.Wait()
		w.start("demo-1", i)
		w.change(func() {})
		time.Sleep(time.Second)
		synctest.Wait()
		v := view(f)
		if v.Status.BootID == old || v.LastBoot == nil || v.LastBoot.BootID != old || *v.LastBoot.Offset != 42 || v.Severed {
			t.Errorf("status of boot %.8s, before it %+v, severed=%v", v.Status.BootID, v.LastBoot, v.Severed)
		}
	})
}

func TestALateAnswerOfAnOlderProcessIsDropped(t *testing.T) {
	listened(t, func(t *testing.T, f *Fleet, _ *fakeWorld, _ *fakeInstance, _ *atomic.Int64) {
		now := view(f).Status
		older := *now
		older.BootID = "an older one"
		f.Record(testKey, "demo-1", time.Now().Add(-time.Minute), &older)
		if view(f).Status.BootID != now.BootID {
			t.Error("the answer of a process that was replaced is taken for a newer one")
		}
		earlier := *now
		earlier.Seq, earlier.Epoch = now.Seq-1, 9
		f.Record(testKey, "demo-1", time.Now(), &earlier)
		if view(f).Status.Epoch == 9 {
			t.Error("a status made before the last one replaces it")
		}
	})
}

// failingConnector can not connect at all, as when a secret is missing.
type failingConnector struct{ *fakeWorld }

func (failingConnector) Instance(context.Context, types.NamespacedName, string) (Instance, error) {
	return nil, errors.New("get secret default/demo-operator-tls: not found")
}

func TestWithoutCertificatesTheFleetTriesAgainAndEndsWhenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFleet(failingConnector{newFakeWorld()}, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = f.Start(ctx) })
		f.Track(testKey, []Target{{Name: "demo-1", IP: "10.0.0.1", Silence: time.Second}})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if v := view(f); v.Failure != instance.FailureProtocol || v.Status != nil {
			t.Errorf("view is %+v", v)
		}
		cancel()
		wg.Wait()
	})
}
