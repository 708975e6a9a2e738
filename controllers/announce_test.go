package controllers

import (
	"context"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// eventSink takes what a recorder would send to the API server.
type eventSink struct{ created, counted chan *eventsv1.Event }

func (s eventSink) Create(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	s.created <- e
	return e, nil
}

func (s eventSink) Update(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	return e, nil
}

func (s eventSink) Patch(_ context.Context, e *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	s.counted <- e
	return e, nil
}

func TestEachCreatedPodIsAnEventOfItsOwn(t *testing.T) {
	sink := eventSink{make(chan *eventsv1.Event, 10), make(chan *eventsv1.Event, 10)}
	broadcaster := events.NewBroadcaster(sink)
	defer broadcaster.Shutdown()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	p := &pass{
		Reconciler: &Reconciler{Options: Options{Events: broadcaster.NewRecorder(testScheme(), "lockstep-operator")}},
		c:          &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"}},
	}
	missing := map[string]string{}
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		missing[name] = "created pod " + name
		p.noteOf(name, "PodCreated", "CreatePod", "created pod %s", name)
	}
	for len(missing) > 0 {
		select {
		case e := <-sink.created:
			if e.Related == nil || e.Related.Kind != "Pod" || missing[e.Related.Name] != e.Note {
				t.Fatalf("event %q is related to %+v", e.Note, e.Related)
			}
			delete(missing, e.Related.Name)
		case e := <-sink.counted:
			t.Fatalf("counted as a repetition of %q; no events yet for %v", e.Note, missing)
		case <-time.After(10 * time.Second):
			t.Fatalf("no events for %v", missing)
		}
	}
}
