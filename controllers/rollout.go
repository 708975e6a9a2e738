package controllers

import "time"

// The order of a rolling update: replicas first, one at a time and each back in
// step before the next; then the primary hands over; then its pod is replaced as
// that of any replica. Whatever is not ready is a reason to wait, except that a
// pod which is itself not ready can only gain from being replaced.

// listenFirst is for how long an instance must have been listened to before it counts
// as not ready: an operator that has just started hears nobody.
const listenFirst = 10 * time.Second

// nextOutdated is the next pod to replace; nil while there is none, or while
// something has to come back first.
func (s situation) nextOutdated() *PodDeletion {
	if s.status.Failover != nil {
		return nil
	}
	var outdated []Member
	for _, m := range s.obs.Members {
		if !m.Wanted {
			continue
		}
		if m.Pod.Deleting || m.Pod.State == PodMissing || m.Pod.State == PodUnknown {
			return nil
		}
		if m.Pod.Outdated {
			outdated = append(outdated, m)
		}
	}
	for _, m := range outdated {
		// It may be the very thing that the update repairs.
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

func (s situation) listenedTo(m Member) bool {
	return m.Pod.IP == "" || s.now.Sub(m.View.TryingSince) >= listenFirst
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
