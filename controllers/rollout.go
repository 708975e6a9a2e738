package controllers

import (
	"slices"
	"time"
)

// The order of a rolling update: replicas first, one at a time and each back in
// step before the next; then the primary hands over; then its pod is replaced as
// that of any replica. Whatever is not ready is a reason to wait, so that a mistake
// in the spec stops at one instance, also when others are lost meanwhile: they come
// back by themselves as long as their pods are left alone. Only a pod that can not
// come back by itself is replaced out of turn, so that a spec which is put right
// repairs what the mistake had broken.

// listenFirst is for how long an instance must have been listened to, or have been
// silent, before its pod is replaced because it is not ready: an operator that has
// just started hears nobody, and one on a busy machine hears late.
const listenFirst = 10 * time.Second

// nextOutdated is the next pod to replace; nil while there is none, or while
// something has to come back first.
func (s situation) nextOutdated() *PodDeletion {
	var outdated, updated []Member
	for _, m := range s.obs.Members {
		if !m.Wanted {
			continue
		}
		if m.Pod.Deleting || m.Pod.State == PodMissing || m.Pod.State == PodUnknown {
			return nil
		}
		if m.Pod.Outdated {
			outdated = append(outdated, m)
		} else {
			updated = append(updated, m)
		}
	}
	if slices.ContainsFunc(updated, s.stuck) {
		return s.outdatedWithoutPrimary(outdated) // what the spec asks for does not start
	}
	if i := slices.IndexFunc(outdated, s.mayRepair); i >= 0 {
		return &PodDeletion{outdated[i].Name, outdated[i].Pod.UID, DeleteOutdated}
	}
	notReady := func(m Member) bool { return !s.ready(m) }
	if s.status.Failover != nil || slices.ContainsFunc(updated, notReady) {
		return s.outdatedWithoutPrimary(outdated)
	}
	return s.nextInTurn(outdated)
}

// nextInTurn is the next pod to replace when every one that is new is ready.
func (s situation) nextInTurn(outdated []Member) *PodDeletion {
	for _, m := range outdated {
		// It has to be replaced anyway, and takes nothing away while it is not ready.
		if m.Name != s.status.Primary && !s.ready(m) && s.acting() && s.listenedTo(m) {
			return &PodDeletion{m.Name, m.Pod.UID, DeleteOutdated}
		}
	}
	if !s.allReady() {
		return s.outdatedWithoutPrimary(outdated)
	}
	for _, m := range outdated {
		if m.Name != s.status.Primary || s.alone() {
			return &PodDeletion{m.Name, m.Pod.UID, DeleteOutdated}
		}
	}
	return nil
}

// stuck reports whether an instance can not become ready by itself: its container
// does not start, or no node is found for its pod.
func (s situation) stuck(m Member) bool { return s.failing(m) || m.Pod.Unschedulable != "" }

// failing reports whether an instance's container does not start or does not stay.
// That it is heard while it loads its data says nothing: it may end by that again.
func (s situation) failing(m Member) bool {
	up := m.View.Heard(s.now, s.silence) && m.View.Status.Loading == nil
	return m.Pod.Trouble != "" && !up
}

// mayRepair reports whether the pod of an outdated instance is to be replaced out of
// turn. It has no server that could be lost by it, and its volume stays. Where there
// is none, the pod holds its data, which may be the only copy while no primary acts.
func (s situation) mayRepair(m Member) bool {
	return s.stuck(m) && (m.Claim != ClaimEphemeral || s.acting() || s.alone() || m.Pod.State == PodPending)
}

// listenedTo reports whether an instance had its time to be heard.
func (s situation) listenedTo(m Member) bool {
	if m.Pod.IP == "" {
		return true
	}
	since := m.View.TryingSince
	if !m.View.Heard(s.now, s.silence) {
		since = m.View.SilentSince()
	}
	return s.now.Sub(since) >= listenFirst
}

// outdatedWithoutPrimary replaces a pod of a cluster that has never come to life:
// there is nothing to be careful about.
func (s situation) outdatedWithoutPrimary(outdated []Member) *PodDeletion {
	if s.epoch == 0 && len(outdated) > 0 {
		return &PodDeletion{outdated[0].Name, outdated[0].Pod.UID, DeleteOutdated}
	}
	return nil
}

// onlyPrimaryOutdated reports whether the rolling update has come to the primary.
func (s situation) onlyPrimaryOutdated() bool {
	for _, m := range s.obs.Members {
		if m.Wanted && m.Name != s.status.Primary && (m.Pod.Outdated || m.Pod.Deleting || !s.ready(m)) {
			return false
		}
	}
	return !s.alone()
}

func (s situation) allReady() bool {
	for _, m := range s.obs.Members {
		if m.Wanted && !s.ready(m) {
			return false
		}
	}
	return true
}

// alone reports whether there is nobody to hand over to.
func (s situation) alone() bool { return len(s.wanted()) == 1 }
