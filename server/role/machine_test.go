package role

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

const (
	boot = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	term = 2 * time.Second
)

// disk keeps a state in memory, and can be told to fail.
type disk struct {
	kept   State
	broken bool
	saves  int
}

var errDisk = errors.New("input/output error")

func (d *disk) Save(s State) error {
	if d.broken {
		return errDisk
	}
	d.kept, d.saves = s, d.saves+1
	return nil
}

// world is one instance, its disk and its clock. Replicas are called r1, r2, ...
type world struct {
	*Machine
	disk *disk
	now  time.Duration
}

func newWorld() *world {
	d := &disk{kept: State{InstanceID: strings.Repeat("a", 40)}}
	return &world{Machine: New(NewLedger(d.kept, d), boot), disk: d}
}

// restart is what is left after kill -9.
func (w *world) restart() {
	w.Machine = New(NewLedger(w.disk.kept, w.disk), strings.Repeat("c", 40))
}

func (w *world) sleep(d time.Duration) { w.now += d }

func (w *world) lead(epoch uint64, members int) Result {
	return w.Promote(epoch, members, term, w.now)
}

// ack: a replica acknowledges now what was sent a moment ago.
func (w *world) ack(epoch uint64, replicas ...string) {
	for _, r := range replicas {
		w.AckedBy(r, epoch, w.now)
	}
}

// grant: the operator renews the lease from a status that is made now.
func (w *world) grant(epoch uint64) Result {
	return w.RenewLease(epoch, boot, w.StatusMade(w.now), w.lease.members, term)
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name  string
		story func(w *world)
		want  instance.WriteVerdict
	}{
		{"a server that has just started takes no writes", func(*world) {}, instance.WritesUnassigned},
		{"nor does one that was fenced before it had a role", func(w *world) { w.Fence(3) }, instance.WritesUnassigned},
		{"a cluster of one needs nobody", func(w *world) { w.lead(1, 1); w.sleep(time.Hour) }, instance.WritesAllowed},
		{"a promotion alone grants no time", func(w *world) { w.lead(1, 3) }, instance.WritesLeaseExpired},
		{"one replica and the primary are a majority of three", func(w *world) { w.lead(1, 3); w.ack(1, "r1") }, instance.WritesAllowed},
		{"one replica and the primary are no majority of four", func(w *world) { w.lead(1, 4); w.ack(1, "r1") }, instance.WritesLeaseExpired},
		{"one replica that acknowledges twice is still one", func(w *world) { w.lead(1, 4); w.ack(1, "r1", "r1") }, instance.WritesLeaseExpired},
		{"two replicas and the primary are a majority of five", func(w *world) { w.lead(1, 5); w.ack(1, "r1", "r2") }, instance.WritesAllowed},
		{"in a cluster of two, both are needed", func(w *world) { w.lead(1, 2) }, instance.WritesLeaseExpired},
		{"in a cluster of two, the replica keeps the lease", func(w *world) { w.lead(1, 2); w.ack(1, "r1") }, instance.WritesAllowed},
		{"the lease runs out without acknowledgements", func(w *world) { w.lead(1, 3); w.ack(1, "r1"); w.sleep(term) }, instance.WritesLeaseExpired},
		{"it holds until its last nanosecond", func(w *world) { w.lead(1, 3); w.ack(1, "r1"); w.sleep(term - 1) }, instance.WritesAllowed},
		{"of five, the second newest acknowledgement counts", func(w *world) {
			w.lead(1, 5)
			w.ack(1, "r1", "r2", "r3")
			w.sleep(term - 1)
			w.ack(1, "r1") // alone it does not help
			w.sleep(1)
		}, instance.WritesLeaseExpired},
		{"an acknowledgement counts from the sending of what it acknowledges, not from its arrival", func(w *world) {
			w.lead(1, 3)
			sent := w.now
			w.sleep(term)
			w.AckedBy("r1", 1, sent)
		}, instance.WritesLeaseExpired},
		{"an older acknowledgement that comes late takes nothing away", func(w *world) {
			w.lead(1, 3)
			w.sleep(time.Second)
			w.ack(1, "r1")
			w.AckedBy("r1", 1, 0)
			w.sleep(term - 1)
		}, instance.WritesAllowed},
		{"a lease that ran out comes back with an acknowledgement", func(w *world) {
			w.lead(1, 3)
			w.ack(1, "r1")
			w.sleep(10 * term)
			w.ack(1, "r1")
		}, instance.WritesAllowed},
		{"acknowledgements on a link of an earlier epoch do not count", func(w *world) { w.lead(2, 3); w.ack(1, "r1", "r2") }, instance.WritesLeaseExpired},
		{"acknowledgements from before the promotion are forgotten", func(w *world) {
			w.lead(1, 3)
			w.ack(1, "r1")
			w.Fence(2)
			w.lead(2, 3)
		}, instance.WritesLeaseExpired},
		{"our own acknowledgement does not count twice", func(w *world) { w.lead(1, 3); w.ack(1, strings.Repeat("a", 40)) }, instance.WritesLeaseExpired},
		{"a replica that does not say who it is does not count", func(w *world) { w.lead(1, 3); w.ack(1, "") }, instance.WritesLeaseExpired},
		{"the operator alone keeps the lease", func(w *world) { w.lead(1, 3); w.grant(1) }, instance.WritesAllowed},
		{"the operator's grant ends, too", func(w *world) { w.lead(1, 3); w.grant(1); w.sleep(term) }, instance.WritesLeaseExpired},
		{"a grant counts from the status that it answers", func(w *world) {
			w.lead(1, 3)
			seq := w.StatusMade(w.now)
			w.sleep(term)
			w.StatusMade(w.now)
			w.RenewLease(1, boot, seq, 3, term)
		}, instance.WritesLeaseExpired},
		{"a grant for a status that was never made grants nothing", func(w *world) { w.lead(1, 3); w.RenewLease(1, boot, 7, 3, term) }, instance.WritesLeaseExpired},
		{"a grant that is meant for an earlier life of the process grants nothing", func(w *world) {
			w.lead(1, 3)
			w.RenewLease(1, strings.Repeat("d", 40), w.StatusMade(w.now), 3, term)
		}, instance.WritesLeaseExpired},
		{"a renewal without a status changes the members only", func(w *world) {
			w.lead(1, 3)
			w.ack(1, "r1")
			w.RenewLease(1, boot, 0, 5, term)
		}, instance.WritesLeaseExpired},
		{"a longer lease counts at once", func(w *world) {
			w.lead(1, 3)
			w.ack(1, "r1")
			w.sleep(term)
			w.RenewLease(1, boot, 0, 3, 2*term)
		}, instance.WritesAllowed},
		{"a fence stops writes at once", func(w *world) { w.lead(1, 3); w.ack(1, "r1"); w.Fence(2) }, instance.WritesFenced},
		{"a fence of the same epoch changes nothing", func(w *world) { w.lead(1, 3); w.ack(1, "r1"); w.Fence(1) }, instance.WritesAllowed},
		{"a higher epoch that a replica tells stops writes at once", func(w *world) { w.lead(1, 3); w.ack(1, "r1"); w.ObserveEpoch(2) }, instance.WritesFenced},
		{"acknowledgements do not bring a fenced primary back", func(w *world) { w.lead(1, 3); w.Fence(2); w.ack(1, "r1", "r2") }, instance.WritesFenced},
		{"renewals do not bring a fenced primary back", func(w *world) { w.lead(1, 3); w.Fence(2); w.grant(1) }, instance.WritesFenced},
		{"a promotion of a new epoch does", func(w *world) { w.lead(1, 1); w.Fence(2); w.lead(2, 1) }, instance.WritesAllowed},
		{"a replica takes no writes", func(w *world) { w.Follow(1) }, instance.WritesReplica},
		{"a primary that is told to follow takes no writes", func(w *world) { w.lead(1, 1); w.Follow(2) }, instance.WritesReplica},
		{"a fenced replica says that it is fenced", func(w *world) { w.Follow(1); w.Fence(2) }, instance.WritesFenced},
		{"a replica that is promoted takes writes", func(w *world) { w.Follow(1); w.lead(2, 1) }, instance.WritesAllowed},
		{"a handover holds writes back", func(w *world) { w.lead(1, 1); w.Pause(1) }, instance.WritesPaused},
		{"a handover that fails lets them go on", func(w *world) { w.lead(1, 1); w.Pause(1); w.Resume() }, instance.WritesAllowed},
		{"a primary that has handed over takes no writes, although it knows no higher epoch", func(w *world) { w.lead(1, 1); w.Pause(1); w.Yield() }, instance.WritesFenced},
		{"and does not get its epoch back", func(w *world) { w.lead(1, 1); w.Pause(1); w.Yield(); w.lead(1, 1) }, instance.WritesFenced},
		{"a promotion in the middle of a pause begins without it", func(w *world) { w.lead(1, 1); w.Pause(1); w.lead(2, 1) }, instance.WritesAllowed},
		{"a primary whose process was stopped for long finds its lease over", func(w *world) {
			w.lead(1, 3)
			w.ack(1, "r1", "r2")
			w.sleep(time.Hour)
		}, instance.WritesLeaseExpired},
		{"a disk that can not store the fence does not keep the writes going", func(w *world) {
			w.lead(1, 1)
			w.disk.broken = true
			w.Fence(2)
		}, instance.WritesFenced},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			tt.story(w)
			if got := w.Verdict(w.now); got != tt.want {
				t.Errorf("verdict %s, want %s", got, tt.want)
			}
			if w.CanWrite(w.now) != (tt.want == instance.WritesAllowed) {
				t.Errorf("CanWrite says %v", w.CanWrite(w.now))
			}
		})
	}
}

// TestNeverBootsAsPrimary: whatever an instance was, after a restart it is nothing,
// and it still knows the epoch.
func TestNeverBootsAsPrimary(t *testing.T) {
	for name, story := range map[string]func(w *world){
		"a primary":        func(w *world) { w.lead(7, 1) },
		"a replica":        func(w *world) { w.Follow(7) },
		"a fenced primary": func(w *world) { w.lead(6, 1); w.Fence(7) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			story(w)
			w.restart()
			if w.Role() != instance.RoleUnassigned || w.CanWrite(w.now) || w.Feeds() || w.Epoch() != 7 {
				t.Errorf("after the restart: role %s, epoch %d, can write %v, feeds %v", w.Role(), w.Epoch(), w.CanWrite(w.now), w.Feeds())
			}
			if r := w.lead(6, 1); r.Outcome != Stale {
				t.Errorf("a promotion of the epoch before: %+v", r)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world) Result
		want Outcome
	}{
		{"promoting is applied once", func(w *world) Result { return w.lead(1, 3) }, Applied},
		{"and changes nothing when repeated", func(w *world) Result { w.lead(1, 3); return w.lead(1, 5) }, Unchanged},
		{"promoting after following in one epoch contradicts it", func(w *world) Result { w.Follow(1); return w.lead(1, 3) }, Conflict},
		{"following after promoting in one epoch contradicts it", func(w *world) Result { w.lead(1, 3); return w.Follow(1) }, Conflict},
		{"following may be repeated", func(w *world) Result { w.Follow(1); return w.Follow(1) }, Unchanged},
		{"following in a new epoch is applied", func(w *world) Result { w.Follow(1); return w.Follow(2) }, Applied},
		{"a fence makes older promotions stale", func(w *world) Result { w.Fence(5); return w.lead(4, 3) }, Stale},
		{"a fence makes older following stale", func(w *world) Result { w.Fence(5); return w.Follow(4) }, Stale},
		{"an older fence is stale", func(w *world) Result { w.Fence(5); return w.Fence(4) }, Stale},
		{"the same fence changes nothing", func(w *world) Result { w.Fence(5); return w.Fence(5) }, Unchanged},
		{"the epoch of the fence is there for a promotion", func(w *world) Result { w.Fence(5); return w.lead(5, 3) }, Applied},
		{"a replica's lease can not be renewed", func(w *world) Result { w.Follow(1); return w.grant(1) }, NotPrimary},
		{"a renewal of an older epoch is stale", func(w *world) Result { w.lead(2, 3); return w.grant(1) }, Stale},
		{"a renewal of a newer epoch fences, and renews nothing", func(w *world) Result { w.lead(1, 3); return w.grant(2) }, NotPrimary},
		{"a replica can not hand over", func(w *world) Result { w.Follow(1); return w.Pause(1) }, NotPrimary},
		{"two handovers at once contradict each other", func(w *world) Result { w.lead(1, 3); w.Pause(1); return w.Pause(1) }, Conflict},
		{"who has handed over can not do it again", func(w *world) Result { w.lead(1, 3); w.Pause(1); w.Yield(); return w.Pause(1) }, NotPrimary},
		{"who has handed over can follow in the next epoch", func(w *world) Result { w.lead(1, 3); w.Yield(); return w.Follow(2) }, Applied},
		{"who has handed over can lead again in the next epoch", func(w *world) Result { w.lead(1, 3); w.Yield(); return w.lead(2, 3) }, Applied},
		{"a promotion that can not be stored does not happen", func(w *world) Result { w.disk.broken = true; return w.lead(1, 1) }, StorageFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			got := tt.do(w)
			if got.Outcome != tt.want {
				t.Errorf("outcome %+v, want %s", got, tt.want)
			}
			if !got.Accepted() && got.Reason == "" {
				t.Error("refused without a reason")
			}
		})
	}
}

func TestNothingHappensBeforeTheEpochIsStored(t *testing.T) {
	w := newWorld()
	w.lead(1, 1)
	w.disk.broken = true
	if r := w.Follow(2); r.Outcome != StorageFailed || w.Role() != instance.RolePrimary || w.Epoch() != 1 {
		t.Errorf("%+v; role %s, epoch %d", r, w.Role(), w.Epoch())
	}
	w.disk.broken = false
	if r := w.Follow(2); r.Outcome != Applied || w.disk.kept.Epoch != 2 {
		t.Errorf("after the repair: %+v, stored %d", r, w.disk.kept.Epoch)
	}
}

// TestAPauseDoesNotOutliveTheLease: while writes were held back for a handover,
// replies to earlier ones left after the lease, too.
func TestAPauseDoesNotOutliveTheLease(t *testing.T) {
	w := newWorld()
	w.lead(1, 3)
	w.ack(1, "r1")
	w.Pause(1)
	if !w.MayReply(w.now) {
		t.Error("replies to writes of before the pause may leave")
	}
	w.sleep(term)
	if w.MayReply(w.now) {
		t.Error("not after the lease")
	}
}

func TestAReplicaAcknowledgesOnlyItsOwnEpoch(t *testing.T) {
	w := newWorld()
	w.Follow(3)
	if !w.Acknowledges(3) || w.Acknowledges(2) {
		t.Error("a replica of epoch 3 acknowledges links of epoch 3, and no others")
	}
	w.ledger.See(4) // the reactor may be busy: the API only leaves a note
	if w.Acknowledges(3) {
		t.Error("it must not after it was fenced")
	}
}

func TestLeaseIsToldWithWhatIsLeft(t *testing.T) {
	w := newWorld()
	if _, ok := w.Lease(w.now); ok {
		t.Error("an unassigned instance tells a lease")
	}
	w.lead(1, 3)
	w.ack(1, "r1")
	w.sleep(500 * time.Millisecond)
	if got, _ := w.Lease(w.now); got != (instance.Lease{DurationMillis: 2000, RemainingMillis: 1500, Members: 3}) {
		t.Errorf("lease %+v", got)
	}
	if end, ok := w.LeaseEnd(w.now); !ok || end != term {
		t.Errorf("ends at %v, %v", end, ok)
	}
	w.sleep(time.Hour)
	if got, _ := w.Lease(w.now); got.RemainingMillis != 0 {
		t.Errorf("after its end: %+v", got)
	}
	w.lead(2, 1)
	if got, _ := w.Lease(w.now); got.RemainingMillis != 2000 {
		t.Errorf("of a cluster of one: %+v", got)
	}
}

func TestStatusesAreForgottenInOrder(t *testing.T) {
	w := newWorld()
	w.lead(1, 3)
	first := w.StatusMade(w.now)
	for range statusesKept - 1 {
		w.StatusMade(w.now)
	}
	if r := w.RenewLease(1, boot, first, 3, term); r.Outcome != Applied {
		t.Errorf("the oldest that is kept: %+v", r)
	}
	w.StatusMade(w.now)
	if r := w.RenewLease(1, boot, first, 3, term); r.Outcome != Unchanged {
		t.Errorf("the first that is forgotten: %+v", r)
	}
}

// evidence is what a model of the lease remembers: who was heard when.
type evidence struct {
	by string // a replica; empty: the operator
	at time.Duration
}

// model reckons in the most direct way whether there is a lease.
func model(heard []evidence, members int, now time.Duration) bool {
	following := map[string]bool{"self": true}
	for _, e := range heard {
		if e.at+term > now {
			if e.by == "" {
				return true
			}
			following[e.by] = true
		}
	}
	return len(following) > members/2
}

// TestOnePrimaryPerEpoch lets anything happen in any order, and looks after each
// step at what must always be so.
func TestOnePrimaryPerEpoch(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			w := newWorld()
			var story []string
			var heard []evidence
			members, highest := 3, uint64(0)
			led := map[uint64]bool{} // epochs in which it was primary
			followed := map[uint64]bool{}
			seqs := []time.Duration{0}
			for range 200 {
				epoch := uint64(max(1, int64(w.Epoch())-2+rng.Int64N(5)))
				step := ""
				switch rng.IntN(12) {
				case 0:
					if w.lead(epoch, members).Outcome == Applied {
						heard = nil
						led[epoch] = true
					}
					step = fmt.Sprintf("promote %d", epoch)
				case 1:
					if w.Follow(epoch).Accepted() {
						followed[epoch] = true
					}
					step = fmt.Sprintf("follow %d", epoch)
				case 2:
					w.Fence(epoch)
					step = fmt.Sprintf("fence %d", epoch)
				case 3:
					w.ObserveEpoch(epoch)
					step = fmt.Sprintf("observe %d", epoch)
				case 4, 5, 6:
					who, at := fmt.Sprintf("r%d", rng.IntN(4)), w.now-time.Duration(rng.Int64N(int64(term)))
					counts := w.Feeds() && epoch == w.RoleEpoch()
					w.AckedBy(who, epoch, at)
					if counts {
						heard = append(heard, evidence{who, at})
					}
					step = fmt.Sprintf("%s acknowledges %v in epoch %d", who, at, epoch)
				case 7:
					seq := rng.IntN(len(seqs))
					if w.RenewLease(epoch, boot, uint64(seq), members, term).Outcome == Applied {
						heard = append(heard, evidence{"", seqs[seq]})
					}
					step = fmt.Sprintf("renew %d by status %d", epoch, seq)
				case 8:
					w.StatusMade(w.now)
					seqs = append(seqs, w.now)
					step = "make a status"
				case 9:
					w.disk.broken = rng.IntN(4) == 0
					step = fmt.Sprintf("disk broken: %v", w.disk.broken)
				case 10:
					if rng.IntN(8) == 0 {
						w.Yield()
						step = "yield"
					} else {
						w.Pause(epoch)
						w.Resume()
						step = "pause and resume"
					}
				case 11:
					w.sleep(time.Duration(rng.Int64N(int64(term))))
					step = fmt.Sprintf("sleep until %v", w.now)
				}
				story = append(story, step)
				fail := func(format string, args ...any) {
					t.Fatalf(format+"\n%s", append(args, strings.Join(story, "\n"))...)
				}
				if w.Epoch() < highest || w.Epoch() != w.disk.kept.Epoch {
					fail("epoch %d after %d, on disk %d", w.Epoch(), highest, w.disk.kept.Epoch)
				}
				highest = w.Epoch()
				if w.RoleEpoch() > w.Epoch() {
					fail("role of epoch %d before it was stored (%d)", w.RoleEpoch(), w.Epoch())
				}
				if led[epoch] && followed[epoch] {
					fail("primary and replica in epoch %d", epoch)
				}
				if w.CanWrite(w.now) {
					if w.Role() != instance.RolePrimary || w.RoleEpoch() != w.Epoch() || w.ledger.Seen() != w.Epoch() {
						fail("writes as %s of epoch %d in epoch %d", w.Role(), w.RoleEpoch(), w.ledger.Seen())
					}
					if !model(heard, members, w.now) {
						fail("writes at %v without a lease: heard %v", w.now, heard)
					}
				} else if w.Feeds() && model(heard, members, w.now) {
					fail("refuses writes at %v with a lease: heard %v, verdict %s", w.now, heard, w.Verdict(w.now))
				}
			}
		})
	}
}

func BenchmarkVerdict(b *testing.B) {
	w := newWorld()
	w.lead(1, 5)
	w.ack(1, "r1", "r2", "r3", "r4")
	for b.Loop() {
		if !w.CanWrite(w.now) {
			b.Fatal("no lease")
		}
	}
}
