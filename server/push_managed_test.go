package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/api/instance"
)

// A message is part of the stream, like a write: who must not lead publishes
// nothing, and who has handed over loses nothing that a client has sent.
func TestMessagesAndRedirectsFollowTheRole(t *testing.T) {
	ms := startMembers(t, "a", "b")
	a, b := ms[0], ms[1]
	early := a.Client(t)
	if got := fmt.Sprint(early.Do("PUBLISH", "news", "x")); !strings.HasPrefix(got, "READONLY ") {
		t.Errorf("an instance without a role publishes: %s", got)
	}
	a.promote(1, 2)
	b.follow(1, a, nil)
	a.write("first", "1")
	b.untilHas("first", "1")

	listener := b.Client(t)
	listener.Do("SUBSCRIBE", "news")
	a.Client(t).Must("0", "PUBLISH", "news", "from the primary")
	if got := fmt.Sprint(listener.Receive()); got != "[message news from the primary]" {
		t.Errorf("got %s", got)
	}
	b.Client(t).Must("1", "PUBLISH", "news", "from the replica") // for its own listeners
	if got := fmt.Sprint(listener.Receive()); got != "[message news from the replica]" {
		t.Errorf("got %s", got)
	}

	// Between the hand-over and the news of the next primary commands wait.
	writer, reader := a.Client(t), b.Client(t)
	writer.Must("OK", "CLIENT", "CAPA", "redirect")
	reader.Must("OK", "CLIENT", "CAPA", "redirect")
	reader.Must(fmt.Sprintf("REDIRECT 127.0.0.1:%d", a.Port), "GET", "first")
	st := b.untilConnected()
	if _, err := a.api.Handover(context.Background(), instance.HandoverRequest{Epoch: 1, TargetInstanceID: st.InstanceID, TimeoutMillis: 500}); err != nil {
		t.Fatalf("hand over: %v", err)
	}
	offset := *a.status().Offset
	writer.Send("SET", "second", "2")
	if got := fmt.Sprint(a.Client(t).Do("PUBLISH", "news", "x")); !strings.HasPrefix(got, "READONLY ") {
		t.Errorf("an instance that has handed over publishes: %s", got)
	}
	if now := *a.status().Offset; now != offset {
		t.Errorf("the offset went on from %d to %d after the hand-over", offset, now)
	}
	b.promote(2, 2)
	a.follow(2, b, nil)
	if got, want := fmt.Sprint(writer.Receive()), fmt.Sprintf("REDIRECT 127.0.0.1:%d", b.Port); got != want {
		t.Errorf("the write that had waited: %s, want %s", got, want)
	}
	b.write("second", "2")
	a.untilHas("second", "2")
}
