package role

import (
	"strings"
	"sync"
	"testing"
)

// growing is a store that notices when an epoch is overwritten by a lower one.
type growing struct {
	mu   sync.Mutex
	kept uint64
	fell bool
}

func (g *growing) Save(s State) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fell = g.fell || s.Epoch < g.kept
	g.kept = s.Epoch
	return nil
}

func TestEpochsThatAreRaisedAtOnceNeverFall(t *testing.T) {
	store := &growing{}
	l := NewLedger(State{InstanceID: strings.Repeat("a", 40)}, store)
	var all sync.WaitGroup
	for epoch := uint64(1); epoch <= 200; epoch++ {
		all.Go(func() {
			if err := l.Raise(epoch); err != nil {
				t.Error(err)
			}
			if l.Stored() < epoch || l.Seen() < l.Stored() {
				t.Errorf("after raising to %d: seen %d, stored %d", epoch, l.Seen(), l.Stored())
			}
		})
	}
	all.Wait()
	if store.fell || store.kept != 200 || l.Stored() != 200 {
		t.Errorf("stored %d, ledger says %d, fell %v", store.kept, l.Stored(), store.fell)
	}
}

func TestAnEpochThatWasOnlySeenIsStoredByTheNextRaise(t *testing.T) {
	d := &disk{}
	l := NewLedger(State{}, d)
	l.See(5)
	l.See(4)
	if l.Seen() != 5 || l.Stored() != 0 || d.saves != 0 {
		t.Errorf("seen %d, stored %d after %d saves", l.Seen(), l.Stored(), d.saves)
	}
	if err := l.Raise(5); err != nil || l.Stored() != 5 {
		t.Errorf("stored %d, %v", l.Stored(), err)
	}
	if err := l.Raise(5); err != nil || d.saves != 1 {
		t.Errorf("%d saves, %v", d.saves, err)
	}
}
