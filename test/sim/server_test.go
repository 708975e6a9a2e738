package sim

import (
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/role"
)

// server is one instance: the real role machine, and the simplest data that has a
// history: a list of writes, each of one byte.
type server struct {
	process
	id      string
	ip      string
	boot    string
	disk    disk
	machine *role.Machine

	history instance.History
	writes  []int // all writes, in order; the offset is their number
	seq     uint64

	follows   string // address of the primary; empty: nobody
	link      *link  // to the primary; nil while there is none
	lostLink  time.Duration
	hadLink   bool
	lastIO    time.Duration
	hasIO     bool
	lastAck   time.Duration
	hasAcked  bool
	fullSyncs int64
	fedBy     map[string]*link // links of replicas, by their name
}

// disk is what survives the process.
type disk struct {
	state   role.State
	history instance.History
	writes  []int
}

func (d *disk) Save(s role.State) error {
	d.state = s
	return nil
}

// link is a replica's connection to its primary.
type link struct {
	replica, primary         *server
	replicaBoot, primaryBoot int
	epoch                    uint64 // that the replica introduced itself with
	beatAt                   time.Duration
}

func (w *world) addServer(n int) *server {
	s := &server{id: hexID(fmt.Sprintf("id%d", n)), ip: fmt.Sprintf("10.0.0.%d", n)}
	s.process = process{world: w, name: fmt.Sprintf("demo-%d", n), skew: w.upTo(time.Hour)}
	s.disk.state.InstanceID = s.id
	s.disk.history = w.newHistory("fresh", instance.History{SecondValidThrough: -1})
	w.servers = append(w.servers, s)
	s.start()
	return s
}

// hexID makes a name look like an ID.
func hexID(name string) string {
	id := fmt.Sprintf("%x", name)
	for len(id) < 40 {
		id += "0"
	}
	return id[:40]
}

func (w *world) newHistory(of string, h instance.History) instance.History {
	w.nextID++
	h.ReplicationID = hexID(fmt.Sprintf("%d%s", w.nextID, of))
	return h
}

// start begins a new process with what is on the disk.
func (s *server) start() {
	s.alive, s.frozen = true, 0
	s.boots++
	s.boot = hexID(fmt.Sprintf("%s boot %04d", s.name, s.boots))
	s.machine = role.New(role.NewLedger(s.disk.state, &s.disk), s.boot)
	s.history, s.writes = s.disk.history, append([]int(nil), s.disk.writes...)
	s.seq, s.follows, s.link, s.hadLink = 0, "", nil, false
	s.hasIO, s.hasAcked, s.fullSyncs = false, false, 0
	s.fedBy = map[string]*link{}
	s.world.say("%s starts with %d writes of history %.12s, epoch %d", s.name, len(s.writes), s.history.ReplicationID, s.disk.state.Epoch)
}

// kill ends the process. Its kernel closes its connections.
func (s *server) kill() {
	w := s.world
	w.say("%s is killed", s.name)
	s.alive = false
	for _, r := range w.servers {
		if r.link != nil && r.link.primary == s && w.reachable(r.name, s.name) {
			l := r.link
			w.deliver(s.name, &r.process, func() { r.dropLink(l) })
		}
	}
	for _, o := range w.operators {
		w.deliver(s.name, &o.process, func() { o.severed(s) })
	}
}

// save is a snapshot reaching the disk.
func (s *server) save() {
	if s.alive && !s.stopped() {
		s.disk.history, s.disk.writes = s.history, append([]int(nil), s.writes...)
	}
}

func (s *server) offset() int64 { return int64(len(s.writes)) }

func (s *server) canWrite() bool { return s.alive && !s.stopped() && s.machine.CanWrite(s.clock()) }

// status is what the server tells of itself.
func (s *server) status() *instance.Status {
	m := s.machine
	offset, keys, rate := s.offset(), s.offset(), peakRate
	st := &instance.Status{
		Seq: m.StatusMade(s.clock()), InstanceID: s.id, BootID: s.boot, Name: s.name,
		Role: m.Role(), Epoch: m.Epoch(), RoleEpoch: m.RoleEpoch(), Writes: m.Verdict(s.clock()),
		History: s.history, Offset: &offset, Keys: &keys,
		Window: instance.Window{FirstOffset: 1, Bytes: offset, CapacityBytes: 64 << 20, WriteBytesPerSecond: &rate},
	}
	if l, ok := m.Lease(s.clock()); ok {
		st.Lease = &l
	}
	if s.hasAcked {
		age := (s.clock() - s.lastAck).Milliseconds()
		st.LastAckAgeMillis = &age
	}
	if m.Role() == instance.RoleReplica {
		st.Upstream = s.upstream()
	}
	return st
}

func (s *server) upstream() *instance.Upstream {
	u := &instance.Upstream{Address: s.follows, State: instance.LinkConnecting, FullSyncs: s.fullSyncs}
	if s.machine.Fenced() {
		u.State = instance.LinkNone
		return u
	}
	if s.link != nil {
		u.State = instance.LinkConnected
	} else if s.hadLink {
		down := (s.clock() - s.lostLink).Milliseconds()
		u.DownMillis = &down
	}
	if s.hasIO {
		io := (s.clock() - s.lastIO).Milliseconds()
		u.LastIOMillis = &io
	}
	return u
}

// refusal turns an outcome of the machine into the answer to a request.
func refusal(r role.Result) *instance.Error {
	codes := map[role.Outcome]instance.Code{
		role.Stale: instance.CodeStaleEpoch, role.Conflict: instance.CodeConflict, role.NotPrimary: instance.CodeNotPrimary,
	}
	if r.Accepted() {
		return nil
	}
	return &instance.Error{Code: codes[r.Outcome], Message: r.Reason}
}

func (s *server) fence(r instance.FenceRequest) *instance.Error {
	result := s.machine.Fence(r.Epoch)
	s.obeyFencing()
	return refusal(result)
}

// obeyFencing drops what a fenced instance must not have.
func (s *server) obeyFencing() {
	if s.machine.Fenced() {
		s.dropLink(s.link)
	}
}

func (s *server) promote(r instance.PromoteRequest) *instance.Error {
	if r.BootID != "" && r.BootID != s.boot {
		return &instance.Error{Code: instance.CodeConflict, Message: "another process was chosen"}
	}
	result := s.machine.Promote(r.Epoch, r.Members, millis(r.LeaseMillis), s.clock())
	if result.Outcome == role.Applied {
		old := s.history
		s.history = s.world.newHistory(s.name, instance.History{SecondReplicationID: old.ReplicationID, SecondValidThrough: s.offset()})
		s.dropLink(s.link)
		s.follows = ""
		s.world.say("%s is the primary of epoch %d from byte %d on, history %.12s", s.name, r.Epoch, s.offset(), s.history.ReplicationID)
		s.world.promoted(s, r.Epoch)
	}
	if result.Accepted() && r.StatusSeq != 0 {
		s.machine.RenewLease(r.Epoch, r.BootID, r.StatusSeq, r.Members, millis(r.LeaseMillis))
	}
	return refusal(result)
}

func (s *server) follow(r instance.FollowRequest) *instance.Error {
	result := s.machine.Follow(r.Epoch)
	if result.Accepted() && (result.Outcome == role.Applied || s.follows != r.Primary.Address()) {
		s.dropLink(s.link)
		s.follows, s.hadLink = r.Primary.Address(), false
	}
	return refusal(result)
}

func (s *server) lease(r instance.LeaseRequest) *instance.Error {
	return refusal(s.machine.RenewLease(r.Epoch, r.BootID, r.StatusSeq, r.Members, millis(r.LeaseMillis)))
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

func (s *server) dropLink(l *link) {
	if l == nil || s.link != l {
		return
	}
	s.link, s.lostLink = nil, s.clock()
	delete(l.primary.fedBy, s.name)
}

// tick is what a server does by itself all the time.
func (s *server) tick() {
	if !s.alive || s.stopped() {
		return
	}
	s.obeyFencing()
	if s.machine.Role() == instance.RoleReplica && !s.machine.Fenced() && s.link == nil && s.follows != "" {
		s.connect()
	}
	if s.machine.Feeds() {
		for _, r := range s.world.servers {
			if l := s.fedBy[r.name]; l != nil {
				s.beat(l)
			}
		}
	}
}

// connect introduces a replica to its primary.
func (s *server) connect() {
	w := s.world
	for _, p := range w.servers {
		at := instance.Endpoint{Host: p.ip, Port: 6379}
		if p == s || at.Address() != s.follows {
			continue
		}
		l := &link{replica: s, primary: p, replicaBoot: s.boots, primaryBoot: p.boots, epoch: s.machine.RoleEpoch()}
		w.deliver(s.name, &p.process, func() { p.greeted(l) })
	}
}

// greeted is a replica's hello arriving at a primary.
func (p *server) greeted(l *link) {
	if l.epoch > p.machine.Epoch() {
		p.machine.ObserveEpoch(l.epoch)
		p.world.say("%s learns of epoch %d from %s", p.name, l.epoch, l.replica.name)
		return
	}
	if !p.machine.Feeds() || l.epoch != p.machine.RoleEpoch() {
		return
	}
	p.world.deliver(p.name, &l.replica.process, func() { l.replica.linked(l) })
}

// linked is the primary's answer: the replica takes what it is missing, or all.
func (s *server) linked(l *link) {
	p := l.primary
	if s.link != nil || s.machine.Fenced() || s.machine.RoleEpoch() != l.epoch || p.boots != l.primaryBoot || !p.alive || !p.machine.Feeds() {
		return
	}
	h := p.history
	continues := s.history.ReplicationID == h.ReplicationID && s.offset() <= p.offset() ||
		s.history.ReplicationID == h.SecondReplicationID && s.offset() <= h.SecondValidThrough
	switch {
	case continues && s.history.ReplicationID != h.ReplicationID:
		s.history = instance.History{ReplicationID: h.ReplicationID, SecondReplicationID: s.history.ReplicationID, SecondValidThrough: s.offset()}
	case !continues:
		s.fullSyncs++
		s.world.say("%s takes a full copy from %s: %d writes instead of %d", s.name, p.name, p.offset(), s.offset())
		s.history = instance.History{ReplicationID: h.ReplicationID, SecondValidThrough: -1}
	}
	s.writes = append([]int(nil), p.writes...)
	s.link, s.hadLink = l, true
	s.lastIO, s.hasIO = s.clock(), true
	p.fedBy[s.name] = l
}

// beat sends a replica what is new, or a heartbeat.
func (p *server) beat(l *link) {
	sentAt := p.clock()
	through := p.offset()
	writes := p.writes
	p.world.deliver(p.name, &l.replica.process, func() {
		s := l.replica
		if s.link != l || s.boots != l.replicaBoot || sentAt < l.beatAt {
			return
		}
		l.beatAt = sentAt
		if through > s.offset() {
			s.writes = append(s.writes, writes[s.offset():through]...)
		}
		s.lastIO, s.hasIO = s.clock(), true
		s.acknowledge(l, sentAt)
	})
}

// acknowledge extends the primary's lease, unless a newer epoch forbids it.
func (s *server) acknowledge(l *link, sentAt time.Duration) {
	if !s.machine.Acknowledges(l.epoch) {
		return
	}
	s.lastAck, s.hasAcked = s.clock(), true
	p := l.primary
	s.world.deliver(s.name, &p.process, func() {
		if p.boots == l.primaryBoot {
			p.machine.AckedBy(s.id, l.epoch, sentAt)
		}
	})
}
