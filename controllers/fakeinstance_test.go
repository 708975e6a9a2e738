package controllers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

// fakeWorld is a set of instances that keep the contract of api/instance without
// being servers: replication is instantaneous, and faults are fields.
type fakeWorld struct {
	mu        sync.Mutex
	instances map[string]*fakeInstance // by IP
	nextIP    int
	// beforeRequest is called before each request that changes something; an
	// error means that the operator does not live to send it.
	beforeRequest func(verb, name string) error
}

func newFakeWorld() *fakeWorld { return &fakeWorld{instances: map[string]*fakeInstance{}} }

// fakeInstance is one server. The world's mutex guards it.
type fakeInstance struct {
	world *fakeWorld
	name  string
	ip    string

	id, boot  string
	seq       uint64
	role      instance.Role
	epoch     uint64
	roleEpoch uint64
	yielded   bool
	history   instance.History
	offset    int64
	keys      int64
	first     int64 // oldest byte in the window
	capacity  int64
	members   int
	lease     time.Duration
	// heardAt is when the operator or a majority was last heard.
	heardAt time.Time
	follows string // address
	ackedAt time.Time
	linkAt  time.Time // when the link was last seen up
	full    int64
	partial int64

	dead    bool // its process has ended: the kernel refuses
	frozen  bool // stopped: the kernel accepts, nobody answers
	cut     bool // out of reach of the operator
	slow    bool // a replica that receives nothing
	changed chan struct{}
}

func randomID() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// start puts a new process in the place of an instance: unassigned, with the data
// that it had.
func (w *fakeWorld) start(name string, kept *fakeInstance) *fakeInstance {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nextIP++
	f := &fakeInstance{
		world: w, name: name, ip: fmt.Sprintf("10.1.0.%d", w.nextIP),
		id: randomID(), boot: randomID(), role: instance.RoleUnassigned,
		history: instance.History{ReplicationID: randomID(), SecondValidThrough: -1},
		first:   1, capacity: 64 << 20, changed: make(chan struct{}),
	}
	if kept != nil {
		f.id, f.epoch, f.history, f.offset, f.keys, f.ip = kept.id, kept.epoch, kept.history, kept.offset, kept.keys, kept.ip
		kept.ip = ""
	}
	w.instances[f.ip] = f
	return f
}

// change runs f under the mutex and wakes the streams.
func (w *fakeWorld) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	for _, i := range w.instances {
		close(i.changed)
		i.changed = make(chan struct{})
	}
}

func (w *fakeWorld) byName(name string) *fakeInstance {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.instances {
		if i.name == name && i.ip != "" {
			return i
		}
	}
	return nil
}

// write makes a primary's data grow. It fails when the primary takes no writes.
func (w *fakeWorld) write(name string, bytes int64) error {
	i := w.byName(name)
	if i == nil {
		return errors.New("no such instance")
	}
	var err error
	w.change(func() {
		if verdict := i.verdict(); i.dead || i.frozen || verdict != instance.WritesAllowed {
			err = fmt.Errorf("%s takes no writes: %s", name, verdict)
			return
		}
		i.offset += bytes
		i.keys++
		for _, r := range w.instances {
			if r.linked() == i && !r.slow {
				r.offset, r.keys = i.offset, i.keys
			}
		}
	})
	return err
}

// verdict is why the instance takes writes or not. The mutex is held.
func (i *fakeInstance) verdict() instance.WriteVerdict {
	switch {
	case i.role == instance.RoleUnassigned:
		return instance.WritesUnassigned
	case i.yielded || i.epoch > i.roleEpoch:
		return instance.WritesFenced
	case i.role == instance.RoleReplica:
		return instance.WritesReplica
	case i.members > 1 && time.Since(i.keptAt()) > i.lease:
		return instance.WritesLeaseExpired
	}
	return instance.WritesAllowed
}

// keptAt is when the lease was last confirmed.
func (i *fakeInstance) keptAt() time.Time {
	following := 1
	for _, r := range i.world.instances {
		if r.linked() == i {
			following++
		}
	}
	if following > i.members/2 {
		return time.Now()
	}
	return i.heardAt
}

// linked is the primary from which an instance receives the stream; nil when its
// link is down.
func (i *fakeInstance) linked() *fakeInstance {
	if i.dead || i.frozen || i.role != instance.RoleReplica || i.epoch > i.roleEpoch {
		return nil
	}
	for _, p := range i.world.instances {
		at := instance.Endpoint{Host: p.ip, Port: desired.ClientPort}
		if p != i && at.Address() == i.follows && !p.dead && !p.frozen && p.role == instance.RolePrimary &&
			p.roleEpoch == i.roleEpoch && p.epoch == p.roleEpoch && !p.yielded {
			return p
		}
	}
	return nil
}

// sync is what PSYNC would do. The mutex is held.
func (i *fakeInstance) sync() {
	p := i.linked()
	if p == nil {
		return
	}
	if i.history == p.history && i.offset == p.offset {
		return
	}
	if i.slow {
		return
	}
	continues := i.history.ReplicationID == p.history.ReplicationID && i.offset <= p.offset ||
		i.history.ReplicationID == p.history.SecondReplicationID && i.offset <= p.history.SecondValidThrough
	if continues && i.offset+1 >= p.first {
		i.partial++
	} else {
		i.full++
	}
	i.history, i.offset, i.keys = p.history, p.offset, p.keys
}

// status is what the instance tells. The mutex is held.
func (i *fakeInstance) status() *instance.Status {
	i.sync()
	i.seq++
	offset, keys, rate := i.offset, i.keys, 0.0
	st := &instance.Status{
		Seq: i.seq, InstanceID: i.id, BootID: i.boot, Name: i.name, Version: "fake",
		Role: i.role, Epoch: i.epoch, RoleEpoch: i.roleEpoch, Writes: i.verdict(),
		History: i.history, Offset: &offset, Keys: &keys,
		Window: instance.Window{FirstOffset: i.first, Bytes: max(0, i.offset+1-i.first), CapacityBytes: i.capacity, WriteBytesPerSecond: &rate},
	}
	if !i.ackedAt.IsZero() {
		age := time.Since(i.ackedAt).Milliseconds()
		st.LastAckAgeMillis = &age
	}
	if i.role == instance.RolePrimary {
		st.Lease = &instance.Lease{DurationMillis: i.lease.Milliseconds(), Members: i.members}
	}
	if i.role == instance.RoleReplica {
		st.Upstream = i.upstream()
	}
	return st
}

func (i *fakeInstance) upstream() *instance.Upstream {
	if i.epoch > i.roleEpoch {
		// Fenced: it has dropped the link, and forgotten what had become of it.
		return &instance.Upstream{State: instance.LinkNone}
	}
	u := &instance.Upstream{Address: i.follows, FullSyncs: i.full, PartialSyncs: i.partial}
	if i.linked() != nil && i.epoch == i.roleEpoch {
		i.linkAt, i.ackedAt = time.Now(), time.Now()
		var none int64
		u.State, u.LastIOMillis = instance.LinkConnected, &none
		return u
	}
	u.State = instance.LinkConnecting
	if p := i.frozenPrimary(); p != nil {
		u.State = instance.LinkConnected // TCP does not know
	}
	if !i.linkAt.IsZero() {
		since := time.Since(i.linkAt).Milliseconds()
		u.LastIOMillis = &since
		if u.State != instance.LinkConnected {
			u.DownMillis = &since
		}
	}
	return u
}

// frozenPrimary is the one that the instance follows, if that is stopped.
func (i *fakeInstance) frozenPrimary() *fakeInstance {
	for _, p := range i.world.instances {
		at := instance.Endpoint{Host: p.ip, Port: desired.ClientPort}
		if at.Address() == i.follows && p.frozen && i.epoch == i.roleEpoch {
			return p
		}
	}
	return nil
}

// fakeConnection is a connection of the operator to an IP address.
type fakeConnection struct {
	world *fakeWorld
	ip    string
}

func (w *fakeWorld) Instance(_ context.Context, _ types.NamespacedName, ip string) (Instance, error) {
	return fakeConnection{w, ip}, nil
}

func (w *fakeWorld) DialClientPort(ctx context.Context, ip string) error {
	return fakeConnection{w, ip}.Dial(ctx)
}

func (w *fakeWorld) Forget(types.NamespacedName) {}

// reach finds the process behind the address, or how it can not be reached.
func (c fakeConnection) reach() (*fakeInstance, instance.Failure) {
	i := c.world.instances[c.ip]
	switch {
	case i == nil || i.ip != c.ip:
		return nil, instance.FailureUnreachable
	case i.cut:
		return nil, instance.FailureTimeout
	case i.dead:
		return nil, instance.FailureRefused
	case i.frozen:
		return nil, instance.FailureTimeout
	}
	return i, ""
}

func (c fakeConnection) fail(ctx context.Context, f instance.Failure) error {
	if f == instance.FailureTimeout {
		<-ctx.Done()
	}
	return &instance.TransportError{Address: c.ip, Failure: f, Err: errors.New("fake")}
}

func (c fakeConnection) Dial(ctx context.Context) error {
	c.world.mu.Lock()
	i, failure := c.reach()
	if i == nil && failure == instance.FailureTimeout && c.world.instances[c.ip].frozen && !c.world.instances[c.ip].cut {
		failure = "" // the kernel accepts
	}
	c.world.mu.Unlock()
	if failure != "" {
		return c.fail(ctx, failure)
	}
	return nil
}

func (c fakeConnection) Close() {}

// call runs a request on the process behind the address.
func (c fakeConnection) call(ctx context.Context, verb string, f func(*fakeInstance) *instance.Error) (*instance.Status, error) {
	c.world.mu.Lock()
	hook, name := c.world.beforeRequest, ""
	if i := c.world.instances[c.ip]; i != nil {
		name = i.name
	}
	c.world.mu.Unlock()
	if hook != nil && f != nil {
		if err := hook(verb, name); err != nil {
			return nil, &instance.TransportError{Address: c.ip, Failure: instance.FailureCancelled, Err: err}
		}
	}
	var st *instance.Status
	var refusal *instance.Error
	var failure instance.Failure
	c.world.change(func() {
		var i *fakeInstance
		if i, failure = c.reach(); i == nil {
			return
		}
		if f != nil {
			refusal = f(i)
		}
		st = i.status()
	})
	switch {
	case failure != "":
		return nil, c.fail(ctx, failure)
	case refusal != nil:
		refusal.Status = st
		return nil, refusal
	}
	return st, nil
}

// obey is what every request with an epoch begins with.
func (i *fakeInstance) obey(epoch uint64) *instance.Error {
	if epoch < i.epoch {
		return &instance.Error{Code: instance.CodeStaleEpoch, Message: fmt.Sprintf("epoch %d is over: this instance obeys epoch %d", epoch, i.epoch)}
	}
	i.epoch = epoch
	return nil
}

func (c fakeConnection) Status(ctx context.Context) (*instance.Status, error) {
	return c.call(ctx, "status", nil)
}

func (c fakeConnection) Fence(ctx context.Context, r instance.FenceRequest) (*instance.Status, error) {
	return c.call(ctx, "fence", func(i *fakeInstance) *instance.Error { return i.obey(r.Epoch) })
}

func (c fakeConnection) Promote(ctx context.Context, r instance.PromoteRequest) (*instance.Status, error) {
	return c.call(ctx, "promote", func(i *fakeInstance) *instance.Error {
		if r.BootID != "" && r.BootID != i.boot {
			return &instance.Error{Code: instance.CodeConflict, Message: "another process was chosen"}
		}
		if e := i.obey(r.Epoch); e != nil {
			return e
		}
		if i.roleEpoch == r.Epoch && i.role == instance.RolePrimary && !i.yielded {
			return nil
		}
		if i.roleEpoch == r.Epoch {
			return &instance.Error{Code: instance.CodeConflict, Message: "has another role in this epoch"}
		}
		i.role, i.roleEpoch, i.yielded = instance.RolePrimary, r.Epoch, false
		i.members, i.lease = r.Members, time.Duration(r.LeaseMillis)*time.Millisecond
		i.history = instance.History{ReplicationID: randomID(), SecondReplicationID: i.history.ReplicationID, SecondValidThrough: i.offset}
		if r.StatusSeq != 0 {
			i.heardAt = time.Now()
		}
		return nil
	})
}

func (c fakeConnection) Follow(ctx context.Context, r instance.FollowRequest) (*instance.Status, error) {
	return c.call(ctx, "follow", func(i *fakeInstance) *instance.Error {
		if e := i.obey(r.Epoch); e != nil {
			return e
		}
		if i.roleEpoch == r.Epoch && i.role == instance.RolePrimary {
			return &instance.Error{Code: instance.CodeConflict, Message: "is the primary of this epoch"}
		}
		i.role, i.roleEpoch, i.yielded = instance.RoleReplica, r.Epoch, false
		i.follows = r.Primary.Address()
		return nil
	})
}

func (c fakeConnection) Lease(ctx context.Context, r instance.LeaseRequest) (*instance.Status, error) {
	return c.call(ctx, "lease", func(i *fakeInstance) *instance.Error {
		if e := i.obey(r.Epoch); e != nil {
			return e
		}
		if i.role != instance.RolePrimary || i.roleEpoch != r.Epoch || i.yielded {
			return &instance.Error{Code: instance.CodeNotPrimary, Message: "is not the primary"}
		}
		i.members, i.lease = r.Members, time.Duration(r.LeaseMillis)*time.Millisecond
		if r.StatusSeq != 0 && r.BootID == i.boot {
			i.heardAt = time.Now()
		}
		return nil
	})
}

func (c fakeConnection) Handover(ctx context.Context, r instance.HandoverRequest) (*instance.Status, error) {
	return c.call(ctx, "handover", func(i *fakeInstance) *instance.Error {
		if i.role != instance.RolePrimary || i.roleEpoch != r.Epoch || i.epoch != r.Epoch {
			return &instance.Error{Code: instance.CodeNotPrimary, Message: "is not the primary"}
		}
		for _, t := range c.world.instances {
			if t.id == r.TargetInstanceID && t.linked() == i {
				if t.slow {
					return &instance.Error{Code: instance.CodeHandoverTimeout, Message: "did not catch up"}
				}
				t.sync()
				i.yielded = true
				return nil
			}
		}
		return &instance.Error{Code: instance.CodeUnknownTarget, Message: "is not an online replica"}
	})
}

func (c fakeConnection) Resize(ctx context.Context, r instance.WindowRequest) (*instance.Status, error) {
	return c.call(ctx, "resize", func(i *fakeInstance) *instance.Error {
		if e := i.obey(r.Epoch); e != nil {
			return e
		}
		i.capacity = r.CapacityBytes
		return nil
	})
}

// Watch sends a status at every change and every 100 ms.
func (c fakeConnection) Watch(ctx context.Context, silence time.Duration, each func(*instance.Status) error) error {
	boot, spoke := "", false
	for {
		c.world.mu.Lock()
		i, failure := c.reach()
		var st *instance.Status
		changed := make(chan struct{})
		if i != nil && (boot == "" || boot == i.boot) {
			st, changed, boot = i.status(), i.changed, i.boot
		} else if i != nil {
			failure = instance.FailureReset // another process is there now
		}
		if spoke && failure == instance.FailureRefused {
			failure = instance.FailureClosed
		}
		c.world.mu.Unlock()
		if failure == instance.FailureTimeout {
			select {
			case <-ctx.Done():
				failure = instance.FailureCancelled
			case <-time.After(silence):
				failure = instance.FailureSilence
			}
		}
		if failure != "" {
			return &instance.TransportError{Address: c.ip, Failure: failure, Err: errors.New("fake")}
		}
		if err := each(st); err != nil {
			return err
		}
		spoke = true
		select {
		case <-ctx.Done():
			return &instance.TransportError{Address: c.ip, Failure: instance.FailureCancelled, Err: ctx.Err()}
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
}
