package role

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// State is what survives a restart. The role does not: that is the point.
type State struct {
	InstanceID string `json:"instanceID"` // 40 hex digits; drawn once, never changed
	Epoch      uint64 `json:"epoch"`      // the highest that was ever obeyed; 0 before the first
}

// Store keeps a State. Save returns only when a crash can no longer undo it; when
// it fails, the previous state is still there.
type Store interface {
	Save(State) error
}

// Ledger is the record of epochs. It is safe for concurrent use.
//
// Invariants: seen and stored never decrease; stored <= seen. They differ while
// the disk is being written, and for as long as it can not be: then the instance
// already obeys the higher epoch by taking no writes, but does not vouch for it.
type Ledger struct {
	instanceID string // fixed
	seen       atomic.Uint64
	stored     atomic.Uint64

	mu    sync.Mutex // held while saving, so that a lower epoch never overwrites a higher
	store Store
}

// NewLedger continues from what the store has kept.
func NewLedger(kept State, store Store) *Ledger {
	l := &Ledger{instanceID: kept.InstanceID, store: store}
	l.seen.Store(kept.Epoch)
	l.stored.Store(kept.Epoch)
	return l
}

// InstanceID is this instance's identity.
func (l *Ledger) InstanceID() string { return l.instanceID }

// Seen is the highest epoch heard of. Whoever holds a role of a lower one is
// fenced, from the moment at which See or Raise was called.
func (l *Ledger) Seen() uint64 { return l.seen.Load() }

// Stored is the highest epoch that is durable.
func (l *Ledger) Stored() uint64 { return l.stored.Load() }

// See takes notice of an epoch without storing it. It does not block.
func (l *Ledger) See(epoch uint64) {
	for {
		seen := l.seen.Load()
		if epoch <= seen || l.seen.CompareAndSwap(seen, epoch) {
			return
		}
	}
}

// Raise takes notice of an epoch at once and returns when it is durable. Epochs
// at or below the stored one cost nothing.
func (l *Ledger) Raise(epoch uint64) error {
	l.See(epoch)
	if epoch <= l.stored.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch <= l.stored.Load() {
		return nil
	}
	if err := l.store.Save(State{InstanceID: l.instanceID, Epoch: epoch}); err != nil {
		return fmt.Errorf("store epoch %d: %w", epoch, err)
	}
	l.stored.Store(epoch)
	return nil
}
