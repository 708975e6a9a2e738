package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// problem is something that somebody has to put right. It shows in the condition
// Stalled.
type problem struct{ reason, message string }

func (p *pass) problem(reason, format string, args ...any) {
	p.problems = append(p.problems, problem{reason, fmt.Sprintf(format, args...)})
}

// note and warn write events. They are for what has happened once, never for what
// is so at every reconcile. Those that tell of an instance go through noteOf and
// warnOf.
func (p *pass) note(reason, action, format string, args ...any) {
	p.Events.Eventf(p.c, nil, corev1.EventTypeNormal, reason, action, format, args...)
}

func (p *pass) warn(reason, action, format string, args ...any) {
	p.Events.Eventf(p.c, nil, corev1.EventTypeWarning, reason, action, format, args...)
}

// noteOf and warnOf write events that tell of an instance, with its pod as the related
// object. Events that differ in nothing but their text are counted as one, of which
// only the first text is kept: the second pod that is created would never be named.
func (p *pass) noteOf(name, reason, action, format string, args ...any) {
	p.Events.Eventf(p.c, p.podOf(name), corev1.EventTypeNormal, reason, action, format, args...)
}

func (p *pass) warnOf(name, reason, action, format string, args ...any) {
	p.Events.Eventf(p.c, p.podOf(name), corev1.EventTypeWarning, reason, action, format, args...)
}

// podOf refers to an instance's pod, whichever bears its name at the time.
func (p *pass) podOf(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.c.Namespace, Name: name}}
}

// announceFailover tells of a completed change of primary.
func (p *pass) announceFailover(ctx context.Context, r *v1alpha1.FailoverReport) {
	p.Metrics.failover(p.key, r)
	took := r.CompletedAt.Sub(r.StartedAt.Time).Round(time.Millisecond)
	log.FromContext(ctx).Info("completed", "epoch", r.Epoch, "from", r.From, "to", r.To, "reason", r.Reason, "took", took.String(), "bytesLost", r.BytesLost)
	if r.From == "" {
		p.note("PrimaryChosen", "Promote", "%s is the first primary, in epoch %d", r.To, r.Epoch)
		return
	}
	p.note("PrimaryChanged", "Promote", "%s took over from %s in epoch %d (%s) in %v (%s); lost: %s",
		r.To, r.From, r.Epoch, r.Reason, took, stepsInWords(r.Steps), lossInWords(r))
}

func stepsInWords(s v1alpha1.FailoverSteps) string {
	var words []string
	for _, step := range []struct {
		name string
		at   *int64
	}{
		{"confirmed", s.ConfirmedMillis}, {"elected", s.ElectedMillis}, {"fenced", s.FencedMillis},
		{"lease ended", s.LeaseEndedMillis}, {"committed", s.CommittedMillis}, {"promoted", s.PromotedMillis}, {"routed", s.RoutedMillis},
	} {
		if step.at != nil {
			words = append(words, fmt.Sprintf("%s after %d ms", step.name, *step.at))
		}
	}
	return strings.Join(words, ", ")
}

func lossInWords(r *v1alpha1.FailoverReport) string {
	if r.BytesLost == nil {
		return "not known, because " + r.BytesLostExplanation
	}
	return fmt.Sprintf("at most %d bytes (%s)", *r.BytesLost, r.BytesLostExplanation)
}

// announceFullCopy tells that an instance has to take everything anew, and by how
// much it has missed the window. One that holds nothing is no news.
func (p *pass) announceFullCopy(order FollowOrder) {
	m, _ := p.obs.Member(order.Name)
	st := m.View.Status
	if st == nil || st.Offset != nil && *st.Offset == 0 {
		return
	}
	p.Metrics.fullCopy(p.key)
	p.warnOf(order.Name, "FullResync", "Follow", "%s takes a full copy from %s: %s", order.Name, p.c.Status.Primary, p.whyFull(m))
}

// whyFull says in numbers why a replica can not continue where it is.
func (p *pass) whyFull(m Member) string {
	primary, _ := p.obs.Member(p.c.Status.Primary)
	st, ps := m.View.Status, primary.View.Status
	switch {
	case st == nil || st.Offset == nil:
		return "it does not know how far its data goes"
	case ps == nil || ps.Offset == nil:
		return "the primary does not know its offset"
	case st.History.ReplicationID != ps.History.ReplicationID && st.History.ReplicationID != ps.History.SecondReplicationID:
		return "its data is of another history"
	case *st.Offset > *ps.Offset, st.History.ReplicationID != ps.History.ReplicationID && *st.Offset > ps.History.SecondValidThrough:
		return fmt.Sprintf("it holds bytes up to %d that %s does not have", *st.Offset, primary.Name)
	}
	return fmt.Sprintf("it ends at byte %d, and the window of %s (%d bytes) begins at byte %d, so %d bytes are missing",
		*st.Offset, primary.Name, ps.Window.Bytes, ps.Window.FirstOffset, max(0, ps.Window.FirstOffset-1-*st.Offset))
}

// seenMember is what was last seen of an instance, to tell what is new.
type seenMember struct {
	boot      string
	fullSyncs int64
	savedTail string
}

// announceMembers tells what instances have gone through since the last reconcile.
func (p *pass) announceMembers() {
	for _, m := range p.obs.Members {
		st := m.View.Status
		if st == nil {
			continue
		}
		before, known := p.memory.seen[m.Name]
		now := seenOf(st)
		p.memory.seen[m.Name] = now
		if now.savedTail != "" && now.savedTail != before.savedTail {
			p.warnOf(m.Name, "TailSaved", "Follow", "%s had written %d bytes that its new primary does not have: they are kept in its data directory, in %s",
				m.Name, st.SavedTail.Bytes, st.SavedTail.File)
		}
		if known && now.boot == before.boot && now.fullSyncs > before.fullSyncs && m.View.Followed != nil && before.fullSyncs > 0 {
			p.warnOf(m.Name, "FullResync", "Follow", "%s has taken a full copy again: %s", m.Name, lastLinkError(st))
		}
	}
}

func seenOf(st *instance.Status) seenMember {
	s := seenMember{boot: st.BootID}
	if st.Upstream != nil {
		s.fullSyncs = st.Upstream.FullSyncs
	}
	if st.SavedTail != nil {
		s.savedTail = st.SavedTail.File
	}
	return s
}

func lastLinkError(st *instance.Status) string {
	if st.Upstream.LastError != "" {
		return "its link was lost (" + st.Upstream.LastError + ") and it had fallen out of the window"
	}
	return "it had fallen out of the window"
}
