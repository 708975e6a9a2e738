package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this seed alone, and print its transcript")
	seeds    = flag.Int("seeds", 200, "how many seeds to run")
)

// mutation is a way of being wrong. The zero value is the product as it is.
type mutation struct {
	name string
	// from is the first seed to run: where the mistake was caught before, so that
	// the test need not search for long.
	from uint64
	// wrong decides in the product's place; nil: it is right.
	wrong func(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision
	// keepsGranting: an election does not end the renewals of the lease.
	keepsGranting bool
	// grantsFromArrival: a renewal counts from when it arrives.
	grantsFromArrival bool
	// promotesAnyBoot: a promotion is obeyed by whichever process it reaches.
	promotesAnyBoot bool
}

func (m mutation) decide(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision {
	if m.wrong != nil {
		return m.wrong(c, obs, now)
	}
	return controllers.Decide(c, obs, now)
}

// run plays a seed: faults for a while, then peace, in which the cluster has to come
// back by itself.
func run(seed uint64, m mutation) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), cut: map[[2]string]bool{}, mutation: m}
	w.clients = clients{committed: map[uint64]string{}, promoted: map[uint64]string{}, lost: map[uint64]int64{}, epochs: map[string]uint64{}}
	instances := []int{3, 3, 3, 5, 2, 1}[w.rng.IntN(6)]
	w.api = newAPIServer(w, int32(instances))
	for n := 1; n <= instances; n++ {
		w.addServer(n)
	}
	for n := 1; n <= 2; n++ {
		o := w.addOperator(n)
		w.every(20*time.Millisecond, o.tick)
		w.every(500*time.Millisecond, o.lock)
		w.every(200*time.Millisecond, o.renew)
		for _, s := range w.servers {
			w.every(100*time.Millisecond, func() { o.listen(s) })
		}
	}
	for _, s := range w.servers {
		w.every(100*time.Millisecond, s.tick)
		w.every(2*time.Second, s.save)
	}
	w.regularly(writeEvery, w.write)
	w.run(8 * time.Second)
	w.every(700*time.Millisecond, w.fault)
	w.run(40 * time.Second)
	w.peace()
	w.run(75 * time.Second)
	if w.broken == "" {
		w.checkRecovered()
	}
	return w
}

func (w *world) processes() []*process {
	var all []*process
	for _, s := range w.servers {
		all = append(all, &s.process)
	}
	for _, o := range w.operators {
		all = append(all, &o.process)
	}
	return all
}

const peaceFrom = 40 * time.Second

// fault does something to the world.
func (w *world) fault() {
	if w.now >= peaceFrom || w.chance(40) {
		return
	}
	s := w.servers[w.rng.IntN(len(w.servers))]
	if w.clients.primary != nil && w.chance(50) {
		s = w.clients.primary
	}
	switch w.rng.IntN(6) {
	case 0, 1:
		w.killServer(s)
	case 2:
		w.freeze(&s.process, w.upTo(6*time.Second))
	case 3:
		w.partition()
	case 4:
		o := w.operators[w.rng.IntN(len(w.operators))]
		if w.chance(50) {
			w.freeze(&o.process, w.upTo(6*time.Second))
		} else if o.alive {
			w.say("%s is killed", o.name)
			o.alive = false
			w.after(w.upTo(3*time.Second), o.start)
		}
	case 5:
		w.isolate(s.name)
	}
}

// killServer ends a process and starts it again, in most cases with what is on its
// disk.
func (w *world) killServer(s *server) {
	if !s.alive {
		return
	}
	s.kill()
	w.after(50*time.Millisecond+w.upTo(4*time.Second), func() {
		if s.alive {
			return
		}
		if w.chance(20) {
			w.say("the snapshot of %s is lost", s.name)
			s.disk.writes = nil
			s.disk.history = w.newHistory("fresh", s.disk.history)
			s.disk.history.SecondReplicationID, s.disk.history.SecondValidThrough = "", -1
		}
		s.start()
	})
}

func (w *world) freeze(p *process, d time.Duration) {
	if p.alive && !p.stopped() {
		w.say("%s is stopped for %v", p.name, d.Round(time.Millisecond))
		p.frozen = w.now + d
	}
}

// partition cuts one pair of processes.
func (w *world) partition() {
	all := w.processes()
	a, b := all[w.rng.IntN(len(all))].name, all[w.rng.IntN(len(all))].name
	if w.chance(15) {
		b = apiName
	}
	if a != b {
		w.cutPair(a, b, w.upTo(6*time.Second))
	}
}

// isolate cuts one process from all or most others.
func (w *world) isolate(name string) {
	d := w.upTo(6 * time.Second)
	for _, p := range w.processes() {
		if p.name != name && w.chance(85) {
			w.cutPair(name, p.name, d)
		}
	}
}

func (w *world) cutPair(a, b string, d time.Duration) {
	if w.cut[pair(a, b)] {
		return
	}
	w.say("%s and %s can not reach each other for %v", a, b, d.Round(time.Millisecond))
	w.cut[pair(a, b)] = true
	w.after(d, func() { delete(w.cut, pair(a, b)) })
}

// peace ends all faults.
func (w *world) peace() {
	w.say("peace")
	w.cut = map[[2]string]bool{}
	for _, p := range w.processes() {
		p.frozen = 0
	}
	for _, s := range w.servers {
		if !s.alive {
			s.start()
		}
	}
	for _, o := range w.operators {
		if !o.alive {
			o.start()
		}
	}
}

// checkRecovered asks whether the cluster is whole again.
func (w *world) checkRecovered() {
	writers, linked := 0, 0
	for _, s := range w.servers {
		if s.canWrite() {
			writers++
		}
		if s.link != nil {
			linked++
		}
	}
	if w.waitsForAHuman() {
		w.undecided = true
		return
	}
	if writers != 1 || linked != len(w.servers)-1 {
		st := w.api.cluster.Status
		w.fail("after 35 s of peace %d servers take writes and %d of %d follow; epoch %d, primary %q, failover %+v", writers, linked, len(w.servers)-1, st.Epoch, st.Primary, st.Failover)
	}
}

// waitsForAHuman reports whether the operator says that instances hold contradicting
// data. It is the end of some stories in which snapshots were lost.
func (w *world) waitsForAHuman() bool {
	for _, o := range w.operators {
		if o.sure() && o.cluster != nil {
			return controllers.Decide(o.cluster, o.observe(), o.time()).Step.Why == controllers.WhyDiverged
		}
	}
	return false
}

func TestGuaranteesHoldThroughRandomFaults(t *testing.T) {
	if *seedFlag != 0 {
		w := run(*seedFlag, mutation{})
		t.Log(strings.Join(w.transcript, "\n"))
		if w.broken != "" {
			t.Fatal(w.broken)
		}
		return
	}
	failovers, undecided := 0, 0
	for seed := uint64(1); seed <= uint64(*seeds); seed++ {
		w := run(seed, mutation{})
		failovers += w.clients.failovers
		if w.undecided {
			undecided++
		}
		if w.broken != "" {
			t.Fatalf("seed %d: %s\n%s", seed, w.broken, strings.Join(w.transcript, "\n"))
		}
	}
	if failovers < *seeds {
		t.Errorf("only %d changes of primary in %d seeds: the simulation tests too little", failovers, *seeds)
	}
	if undecided > *seeds/20 {
		t.Errorf("%d of %d seeds end with a question to a human", undecided, *seeds)
	}
	t.Logf("%d changes of primary in %d seeds; %d seeds end with a question to a human", failovers, *seeds, undecided)
}

// Each of these mistakes has to be caught. A simulation that lets one pass proves
// nothing about the product.
func TestMistakesAreCaught(t *testing.T) {
	mistakes := []mutation{
		{name: "the lease of the old primary is not waited out", from: 130, wrong: withoutLeaseWait},
		{name: "instances are believed to be fenced that were not told", wrong: withoutFencing},
		{name: "offsets are compared before lineage", wrong: offsetBeforeLineage},
		{name: "a primary that was restarted gets its role back without an election", wrong: restartedStays},
		{name: "renewals count from their arrival, and go on in an election", from: 30, keepsGranting: true, grantsFromArrival: true},
		{name: "a promotion is obeyed by a process that was not chosen", from: 85, promotesAnyBoot: true},
	}
	for _, m := range mistakes {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			for seed := max(m.from, 1); seed < m.from+1000; seed++ {
				if w := run(seed, m); w.broken != "" {
					t.Logf("seed %d: %s", seed, w.broken)
					return
				}
			}
			t.Error("nobody has noticed")
		})
	}
}

func withoutLeaseWait(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision {
	d := controllers.Decide(c, obs, now)
	if d.Step.Why != controllers.WhyLeaseRunning {
		return d
	}
	// The same with a lease of no length.
	short := c.DeepCopy()
	short.Spec.Failover.LeaseDuration.Duration = time.Nanosecond
	for i := range obs.Members {
		if st := obs.Members[i].View.Status; st != nil && st.Lease != nil {
			without := *st
			without.Lease = nil
			obs.Members[i].View.Status = &without
		}
	}
	return controllers.Decide(short, obs, now)
}

func withoutFencing(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision {
	f := c.Status.Failover
	if f != nil && f.Phase == v1alpha1.FailoverElecting {
		for i := range obs.Members {
			if st := obs.Members[i].View.Status; st != nil && st.Epoch < uint64(f.Epoch) {
				believed := *st
				believed.Epoch = uint64(f.Epoch)
				obs.Members[i].View.Status = &believed
			}
		}
	}
	return controllers.Decide(c, obs, now)
}

func offsetBeforeLineage(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision {
	d := controllers.Decide(c, obs, now)
	if d.Step.Kind != controllers.StepCommit || !d.Step.Choice.Standing.Eligible() {
		return d
	}
	for _, m := range obs.Members {
		st := m.View.Status
		if st == nil || st.Epoch < d.Step.Epoch || !m.View.Heard(now, time.Second) || *st.Offset <= d.Step.Choice.Offset {
			continue
		}
		d.Step.Choice.Name, d.Step.Choice.InstanceID, d.Step.Choice.BootID = m.Name, st.InstanceID, st.BootID
		d.Step.Choice.Offset, d.Step.Choice.History = *st.Offset, st.History.ReplicationID
	}
	return d
}

// restartedStays takes a primary with a new process for the one that was committed.
func restartedStays(c *v1alpha1.LockstepCluster, obs controllers.Observation, now time.Time) controllers.Decision {
	blind := c.DeepCopy()
	if m, ok := obs.Member(c.Status.Primary); ok && m.View.Status != nil {
		blind.Status.PrimaryBootID = m.View.Status.BootID
	}
	return controllers.Decide(blind, obs, now)
}

func TestASeedAlwaysTellsTheSameStory(t *testing.T) {
	first, second := run(11, mutation{}), run(11, mutation{})
	if a, b := fmt.Sprint(first.transcript), fmt.Sprint(second.transcript); a != b {
		t.Error("two runs of one seed differ: something in the simulation does not follow from the seed")
	}
}
