package sim

import (
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers"
)

// origin makes moments of the operators' clocks.
var origin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// operator is one replica of the operator: it listens to the servers, and when it
// leads it decides and acts, one step at a time.
type operator struct {
	process
	cluster *v1alpha1.LockstepCluster // as it was last read or written
	version int

	views      map[string]*controllers.View
	fenceEpoch map[string]uint64
	handover   *controllers.FailedHandover

	leads       bool
	leadsSince  time.Time
	lockSent    time.Duration // when the last successful renewal was sent
	busy        int           // requests under way; no decision meanwhile
	renewing    *controllers.LeaseAssignment
	renewed     uint64 // the status that was last granted upon
	grantedFrom time.Time
}

func (w *world) addOperator(n int) *operator {
	o := &operator{}
	o.process = process{world: w, name: fmt.Sprintf("operator-%d", n), skew: w.upTo(time.Hour)}
	w.operators = append(w.operators, o)
	o.start()
	return o
}

func (o *operator) start() {
	o.alive, o.frozen = true, 0
	o.boots++
	o.cluster, o.leads, o.busy, o.renewing, o.handover = nil, false, 0, nil, nil
	o.grantedFrom, o.lockSent = time.Time{}, 0
	o.views, o.fenceEpoch = map[string]*controllers.View{}, map[string]uint64{}
	for _, s := range o.world.servers {
		o.views[s.name] = &controllers.View{TryingSince: o.time()}
	}
	o.world.say("%s starts", o.name)
}

func (o *operator) time() time.Time { return origin.Add(o.clock()) }

// sure reports whether nobody else can hold the lock.
func (o *operator) sure() bool { return o.leads && o.clock()-o.lockSent < lockDuration }

// grantWithin is as in the product: a leader grants only for so long after the last
// renewal of its lock, and the next leader relies on that.
const grantWithin = time.Second

func (o *operator) mayGrant() bool {
	return o.leads && o.clock()-o.lockSent < grantWithin
}

// othersUntil is Leadership.OthersUntil: in the simulation a lock is never given
// back, only taken over.
func (o *operator) othersUntil() time.Time { return o.leadsSince.Add(grantWithin - lockDuration) }

// listen is one status of the stream, or the silence where one should be.
func (o *operator) listen(s *server) {
	w := o.world
	if !o.alive || !s.alive || s.stopped() || !w.reachable(o.name, s.name) {
		return
	}
	st := s.status()
	boot := o.boots
	// The bound on what a failover loses supposes that a status is not under way
	// for longer than this.
	w.after(200*time.Microsecond+w.upTo(90*time.Millisecond), func() {
		if w.reachable(o.name, s.name) && o.alive && o.boots == boot && !o.stopped() {
			o.hear(s, st, o.time().Add(-100*time.Millisecond))
		}
	})
}

func (o *operator) hear(s *server, st *instance.Status, madeAfter time.Time) {
	v := o.views[s.name]
	if v.Status != nil && v.Status.BootID == st.BootID && st.Seq < v.Status.Seq {
		return
	}
	if v.Status != nil && v.Status.BootID != st.BootID && st.BootID < v.Status.BootID {
		return // of an older process
	}
	if v.Status == nil || v.Status.BootID != st.BootID {
		v.LastBoot, v.LastBootMadeAfter, v.BootHeardAt = v.Status, v.MadeAfter, o.time()
		v.Followed, v.LinkDown = nil, controllers.LinkDown{}
	}
	v.NoteLink(st, o.time())
	v.Status, v.HeardAt, v.MadeAfter = st, o.time(), madeAfter
	v.Severed, v.Failure, v.LostAt = false, "", time.Time{}
}

// severed is the kernel of a server closing the stream of an ended process.
func (o *operator) severed(s *server) {
	v := o.views[s.name]
	if v.Status != nil && v.Status.BootID == s.boot && !s.alive {
		v.LostAt, v.Severed, v.Failure = o.time(), true, instance.FailureClosed
	}
}

// ask sends a request. then is told that an answer has come, or that none will.
func (o *operator) ask(s *server, deadline time.Duration, request func(*server) *instance.Error, then func(err *instance.Error, answered bool)) {
	w, boot, settled, sentAt := o.world, o.boots, false, o.time()
	settle := func(err *instance.Error, answered bool) {
		if !settled && o.alive && o.boots == boot {
			settled = true
			then(err, answered)
		}
	}
	w.after(deadline, func() { w.arrive(o.name, &o.process, boot, func() { settle(nil, false) }) })
	if !s.alive {
		if w.reachable(o.name, s.name) {
			w.deliver(s.name, &o.process, func() {
				if v := o.views[s.name]; !s.alive {
					v.Failure = instance.FailureRefused
				}
				settle(nil, false)
			})
		}
		return
	}
	w.deliver(o.name, &s.process, func() {
		err := request(s)
		st := s.status()
		w.deliver(s.name, &o.process, func() {
			o.hear(s, st, sentAt)
			settle(err, true)
		})
	})
}

// observe puts together what the operator knows.
func (o *operator) observe() controllers.Observation {
	obs := controllers.Observation{
		Self:     controllers.Self{OthersUntil: o.othersUntil(), GrantedFrom: o.grantedFrom},
		Handover: o.handover,
	}
	for i, s := range o.world.servers {
		view := *o.views[s.name]
		if o.fenceEpoch[s.name] != uint64(o.cluster.Status.Epoch) {
			view.FenceTriedAt = time.Time{}
		}
		m := controllers.Member{
			Name: s.name, Ordinal: i + 1, Wanted: true, Claim: controllers.ClaimBound, View: view,
			Pod: controllers.Pod{State: controllers.PodRunning, UID: s.name, IP: s.ip},
		}
		for _, voter := range o.cluster.Status.Voters {
			m.Voter = m.Voter || voter == s.name
		}
		obs.Members = append(obs.Members, m)
	}
	return obs
}

// tick is one turn of the operator: the lock, then a decision when none is being
// carried out.
func (o *operator) tick() {
	if !o.alive || o.stopped() {
		return
	}
	if o.leads && !o.sure() {
		// A leader that lost the lock ends its process.
		o.world.say("%s has lost the lock", o.name)
		o.start()
		return
	}
	if o.sure() && o.busy == 0 {
		o.work()
	}
}

// lock takes or renews the lock.
func (o *operator) lock() {
	w, boot := o.world, o.boots
	if !o.alive || o.stopped() || !w.reachable(o.name, apiName) {
		return
	}
	sent := o.clock()
	w.after(w.delay(), func() {
		if !w.reachable(o.name, apiName) || !w.api.lead(o.name) {
			return
		}
		w.after(w.delay(), func() {
			w.arrive(apiName, &o.process, boot, func() {
				o.lockSent = max(o.lockSent, sent)
				if !o.leads {
					o.leads, o.leadsSince = true, o.time()
					w.say("%s leads", o.name)
				}
			})
		})
	})
}

func (o *operator) work() {
	w := o.world
	if o.cluster == nil {
		o.read()
		return
	}
	obs := o.observe()
	d := w.mutation.decide(o.cluster, obs, o.time())
	o.renewing = d.Lease
	if d.Step.Acts() {
		o.take(d.Step, obs)
		return
	}
	for _, order := range d.Follow {
		s := w.server(order.Name)
		o.begin()
		o.ask(s, time.Second, func(s *server) *instance.Error { return s.follow(order.Request) }, func(err *instance.Error, answered bool) {
			if answered && err == nil {
				o.views[s.name].Followed = &order.Request
			}
			o.end()
		})
	}
	if d.Terms != nil {
		o.begin()
		r := instance.LeaseRequest{Epoch: o.epoch(), Members: d.Terms.Members, LeaseMillis: d.Terms.Duration.Milliseconds()}
		o.ask(w.server(o.cluster.Status.Primary), time.Second, func(s *server) *instance.Error { return s.lease(r) }, func(*instance.Error, bool) { o.end() })
	}
}

func (o *operator) epoch() uint64 { return uint64(o.cluster.Status.Epoch) }

// begin and end bracket a request: no decision is made while one is under way.
func (o *operator) begin() { o.busy++ }
func (o *operator) end()   { o.busy-- }

func (o *operator) read() {
	w, boot := o.world, o.boots
	if !w.reachable(o.name, apiName) {
		return
	}
	o.begin()
	done := false
	w.after(time.Second, func() {
		w.arrive(o.name, &o.process, boot, func() {
			if !done {
				done = true
				o.end()
			}
		})
	})
	c, version := w.api.cluster.DeepCopy(), w.api.version
	w.after(w.delay(), func() {
		w.arrive(apiName, &o.process, boot, func() {
			if !done {
				done, o.cluster, o.version = true, c, version
				o.end()
			}
		})
	})
}

// store writes the status. When the answer is lost, nothing is known of what has
// become of it, and it is read again.
func (o *operator) store(next *v1alpha1.LockstepCluster, then func()) {
	w, boot, version := o.world, o.boots, o.version
	o.begin()
	done := false
	w.after(2*time.Second, func() {
		w.arrive(o.name, &o.process, boot, func() {
			if !done {
				done, o.cluster = true, nil
				o.end()
			}
		})
	})
	if !w.reachable(o.name, apiName) {
		return
	}
	w.after(w.delay(), func() {
		if !w.reachable(o.name, apiName) {
			return
		}
		stored, newVersion, err := w.api.update(next, version)
		w.after(w.delay(), func() {
			if !w.reachable(o.name, apiName) {
				return
			}
			w.arrive(apiName, &o.process, boot, func() {
				if done {
					return
				}
				done = true
				if o.cluster = nil; err == nil {
					o.cluster, o.version = stored.DeepCopy(), newVersion
					if then != nil {
						then()
					}
				}
				o.end()
			})
		})
	})
}

// take carries out one step.
func (o *operator) take(step controllers.Step, obs controllers.Observation) {
	w := o.world
	switch step.Kind {
	case controllers.StepConfirm:
		o.confirm(step)
	case controllers.StepElect:
		if !w.mutation.keepsGranting {
			o.renewing = nil
		}
		w.say("%s elects epoch %d: %s", o.name, step.Epoch, step.Reason)
		o.store(controllers.Elected(o.cluster, step, obs, o.time()), nil)
	case controllers.StepFence:
		for _, name := range step.Names {
			s := w.server(name)
			o.views[name].FenceTriedAt, o.fenceEpoch[name] = o.time(), step.Epoch
			o.begin()
			o.ask(s, 500*time.Millisecond, func(s *server) *instance.Error { return s.fence(instance.FenceRequest{Epoch: step.Epoch}) }, func(*instance.Error, bool) { o.end() })
		}
	case controllers.StepCommit:
		c := step.Choice
		w.say("%s commits %s for epoch %d at byte %d (%s, %s)", o.name, c.Name, step.Epoch, c.Offset, c.Standing, c.Proof)
		o.store(controllers.Committed(o.cluster, step, obs, time.Time{}, o.time()), func() { w.committed(step) })
	case controllers.StepPromote:
		o.promote(step)
	case controllers.StepComplete:
		next := controllers.Completed(o.cluster, obs, o.time(), o.time(), o.time())
		o.store(next, func() { w.completed(next) })
	case controllers.StepHandover:
		w.fail("nobody has asked for a handover")
	}
}

func (o *operator) confirm(step controllers.Step) {
	w, boot := o.world, o.boots
	primary := w.server(o.cluster.Status.Primary)
	waiting := len(step.Names) + 1
	finish := func() {
		if waiting--; waiting == 0 {
			v := o.views[primary.name]
			v.Probe = controllers.Probe{At: o.time(), API: o.dial(primary), Client: o.dial(primary)}
		}
		o.end()
	}
	for _, name := range step.Names {
		o.begin()
		o.ask(w.server(name), 500*time.Millisecond, func(*server) *instance.Error { return nil }, func(*instance.Error, bool) { finish() })
	}
	o.begin()
	w.after(w.delay(), func() { w.arrive(o.name, &o.process, boot, finish) })
}

// dial is a new connection: the kernel answers for the process.
func (o *operator) dial(s *server) instance.Failure {
	switch {
	case !o.world.reachable(o.name, s.name):
		return instance.FailureTimeout
	case !s.alive:
		return instance.FailureRefused
	}
	return ""
}

func (o *operator) promote(step controllers.Step) {
	w, name := o.world, o.cluster.Status.Primary
	v := o.views[name]
	r := instance.PromoteRequest{
		Epoch: step.Epoch, Members: max(1, len(o.cluster.Status.Voters)), LeaseMillis: o.cluster.Spec.Failover.LeaseDuration.Milliseconds(),
		BootID: o.cluster.Status.PrimaryBootID,
	}
	if o.mayGrant() {
		o.granted(v.HeardAt)
		r.StatusSeq = v.Status.Seq
	}
	if w.mutation.promotesAnyBoot {
		r.BootID = ""
	}
	o.begin()
	o.ask(w.server(name), time.Second, func(s *server) *instance.Error { return s.promote(r) }, func(*instance.Error, bool) { o.end() })
}

func (o *operator) granted(heardAt time.Time) {
	if heardAt.After(o.grantedFrom) {
		o.grantedFrom = heardAt
	}
}

// renew is the lease keeper: it works beside the decisions.
func (o *operator) renew() {
	a := o.renewing
	if !o.alive || o.stopped() || a == nil || !o.mayGrant() {
		return
	}
	v := o.views[a.Name]
	if v.Status == nil || v.Status.BootID != a.BootID || v.Status.Seq <= o.renewed {
		return
	}
	o.renewed = v.Status.Seq
	o.granted(v.HeardAt)
	r := instance.LeaseRequest{Epoch: a.Epoch, BootID: v.Status.BootID, StatusSeq: v.Status.Seq, Members: a.Terms.Members, LeaseMillis: a.Terms.Duration.Milliseconds()}
	o.ask(o.world.server(a.Name), 500*time.Millisecond, func(s *server) *instance.Error {
		if o.world.mutation.grantsFromArrival {
			r.StatusSeq = s.status().Seq
		}
		return s.lease(r)
	}, func(*instance.Error, bool) {})
}

func (w *world) server(name string) *server {
	for _, s := range w.servers {
		if s.name == name {
			return s
		}
	}
	panic("no server " + name)
}
