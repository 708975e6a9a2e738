package controllers

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/instance"
)

// Target is an instance to listen to.
type Target struct {
	Name    string
	PodUID  string
	IP      string
	Silence time.Duration // after which a stream that says nothing is given up
}

// Fleet listens to the instances of all clusters: for each, one goroutine keeps a
// stream of statuses open. It runs on every replica of the operator, so that the
// next leader knows everything when it begins, and it never changes anything.
//
// Reconciles are triggered by what matters to a decision, and not by heartbeats.
type Fleet struct {
	connect Connector        // fixed
	now     func() time.Time // fixed
	// changed is called, without the mutex, when something has changed that
	// matters. It must not block. Set before Start.
	changed func(cluster types.NamespacedName)

	mu       sync.Mutex // guards what follows
	running  context.Context
	clusters map[types.NamespacedName]map[string]*listener
	wg       sync.WaitGroup
}

// listener is one instance and the goroutine that listens to it. The Fleet's mutex
// guards it.
type listener struct {
	cluster    types.NamespacedName
	target     Target
	view       View
	fenceEpoch uint64 // that view.FenceTriedAt speaks of
	client     Instance
	stop       context.CancelFunc // of the goroutine; nil while none runs
}

// NewFleet makes a fleet that listens to nobody yet.
func NewFleet(connect Connector, now func() time.Time) *Fleet {
	return &Fleet{
		connect:  connect,
		now:      now,
		changed:  func(types.NamespacedName) {},
		clusters: map[types.NamespacedName]map[string]*listener{},
	}
}

// Start listens until the context ends, and returns when every goroutine has.
func (f *Fleet) Start(ctx context.Context) error {
	f.mu.Lock()
	f.running = ctx
	for _, listeners := range f.clusters {
		for _, l := range listeners {
			f.listen(l)
		}
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.wg.Wait()
	return nil
}

// NeedLeaderElection says that every replica of the operator listens.
func (f *Fleet) NeedLeaderElection() bool { return false }

// Track sets whom to listen to in a cluster. What was heard of an instance is
// kept while its address changes, and dropped when it is not named any more.
func (f *Fleet) Track(cluster types.NamespacedName, targets []Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	listeners := f.clusters[cluster]
	if listeners == nil {
		listeners = map[string]*listener{}
		f.clusters[cluster] = listeners
	}
	named := map[string]bool{}
	for _, target := range targets {
		named[target.Name] = true
		l := listeners[target.Name]
		if l == nil {
			l = &listener{cluster: cluster}
			listeners[target.Name] = l
		}
		f.aim(l, target)
	}
	for name, l := range listeners {
		if !named[name] {
			f.silenceListener(l)
			delete(listeners, name)
		}
	}
}

// Forget stops listening to a cluster.
func (f *Fleet) Forget(cluster types.NamespacedName) {
	f.Track(cluster, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clusters, cluster)
	f.connect.Forget(cluster)
}

// aim points a listener at a target. The caller holds the mutex.
func (f *Fleet) aim(l *listener, target Target) {
	if l.target == target && (l.stop != nil || target.IP == "") {
		return
	}
	moved := l.target.IP != target.IP || l.target.PodUID != target.PodUID
	l.target = target
	if moved {
		f.silenceListener(l)
		l.view.Failure = ""
	}
	if target.IP == "" {
		return
	}
	if l.view.TryingSince.IsZero() {
		l.view.TryingSince = f.now()
	}
	f.listen(l)
}

// listen starts the goroutine of a listener. The caller holds the mutex.
func (f *Fleet) listen(l *listener) {
	if l.stop != nil || f.running == nil || f.running.Err() != nil || l.target.IP == "" {
		return
	}
	ctx, stop := context.WithCancel(f.running)
	l.stop = stop
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		f.keepListening(ctx, l)
	}()
}

// silenceListener stops the goroutine of a listener. The caller holds the mutex.
func (f *Fleet) silenceListener(l *listener) {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

const (
	// A process that was killed may be back within half a second, and a primary
	// is asked again by the failover itself, so there is no hurry.
	redialFirst = 50 * time.Millisecond
	redialMost  = 500 * time.Millisecond
)

// keepListening opens a stream again whenever it has ended.
func (f *Fleet) keepListening(ctx context.Context, l *listener) {
	delay := redialFirst
	for {
		heard := false
		err := f.listenOnce(ctx, l, &heard)
		if ctx.Err() != nil {
			return
		}
		f.broken(l, err, heard)
		if heard {
			delay = redialFirst
		}
		pause := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		delay = min(2*delay, redialMost)
	}
}

func (f *Fleet) listenOnce(ctx context.Context, l *listener, heard *bool) error {
	f.mu.Lock()
	target, client := l.target, l.client
	f.mu.Unlock()
	if client == nil {
		var err error
		if client, err = f.connect.Instance(ctx, l.cluster, target.IP); err != nil {
			return err
		}
		f.mu.Lock()
		if ctx.Err() == nil {
			l.client = client
		}
		f.mu.Unlock()
	}
	return client.Watch(ctx, target.Silence, func(st *instance.Status) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		*heard = true
		f.hear(l, st, f.now().Add(-transit), true)
		return nil
	})
}

// broken notes that a stream has ended, or could not be opened. heard tells
// whether it had carried any status.
func (f *Fleet) broken(l *listener, err error, heard bool) {
	f.mu.Lock()
	failure := instance.FailureOf(err)
	if failure == "" {
		failure = instance.FailureProtocol
	}
	news := heard || l.view.Failure != failure
	if heard {
		l.view.LostAt = f.now()
		l.view.Severed = instance.KernelClosed(err)
	}
	l.view.Failure = failure
	if failure == instance.FailureTLS && l.client != nil {
		// The certificates may have been renewed.
		l.client.Close()
		l.client = nil
		f.connect.Forget(l.cluster)
	}
	f.mu.Unlock()
	if news {
		f.changed(l.cluster)
	}
}

// transit is for how long a status of a stream may have been under way, or have
// waited for the next one, when it arrived. Also when the operator itself was
// stopped for a while: it then reads all that was sent, and the last one is recent,
// or was made shortly before the stream ended.
const transit = 100 * time.Millisecond

// hear takes a status in that was made after madeAfter. One that is older than what
// is known is dropped: answers to requests come on other connections than the
// stream.
func (f *Fleet) hear(l *listener, st *instance.Status, madeAfter time.Time, stream bool) {
	f.mu.Lock()
	at := f.now()
	v := &l.view
	old := v.Status
	if old != nil && old.BootID == st.BootID && st.Seq < old.Seq {
		f.mu.Unlock()
		return
	}
	if old == nil || old.BootID != st.BootID {
		v.LastBoot, v.LastBootMadeAfter, v.LastBootPeakRate, v.BootHeardAt = old, v.MadeAfter, v.PeakRate, at
		v.Container, v.Followed, v.LinkDown, v.PeakRate = "", nil, LinkDown{}, nil
	}
	v.notePeak(st, at)
	v.NoteLink(st, at)
	news := matters(old, st, l.target.Silence) || v.Failure != ""
	v.Status, v.HeardAt, v.MadeAfter = st, at, madeAfter
	v.Severed, v.Failure = false, ""
	if stream {
		v.LostAt = time.Time{}
	}
	f.mu.Unlock()
	if news {
		f.changed(l.cluster)
	}
}

// Record takes in the status that came as the answer to a request, which was sent
// at sentAt.
func (f *Fleet) Record(cluster types.NamespacedName, name string, sentAt time.Time, st *instance.Status) {
	f.mu.Lock()
	l := f.clusters[cluster][name]
	// The answer of a process that was replaced while it was under way would
	// look like a newer process.
	late := l != nil && l.view.Status != nil && l.view.Status.BootID != st.BootID && sentAt.Before(l.view.BootHeardAt)
	f.mu.Unlock()
	if l != nil && !late {
		f.hear(l, st, sentAt, false)
	}
}

// Views are copies of what is known of a cluster's instances.
func (f *Fleet) Views(cluster types.NamespacedName, epoch uint64) map[string]View {
	f.mu.Lock()
	defer f.mu.Unlock()
	views := map[string]View{}
	for name, l := range f.clusters[cluster] {
		view := l.view
		if l.fenceEpoch != epoch {
			view.FenceTriedAt = time.Time{}
		}
		views[name] = view
	}
	return views
}

// Client is for asking an instance; ok is false while it has no address.
func (f *Fleet) Client(cluster types.NamespacedName, name string) (client Instance, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.clusters[cluster][name]
	if l == nil || l.client == nil {
		return nil, false
	}
	return l.client, true
}

// Note changes what is known of an instance beside its statuses.
func (f *Fleet) Note(cluster types.NamespacedName, name string, change func(*View)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.clusters[cluster][name]; l != nil {
		change(&l.view)
	}
}

// NoteFenceTried remembers that an instance is being told of the epoch.
func (f *Fleet) NoteFenceTried(cluster types.NamespacedName, name string, epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.clusters[cluster][name]; l != nil {
		l.view.FenceTriedAt, l.fenceEpoch = f.now(), epoch
	}
}

// Clusters are those that are listened to.
func (f *Fleet) Clusters() []types.NamespacedName {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.clusters))
}

// matters reports whether the difference between two statuses can change a
// decision or a condition. What grows all the time (offsets, ages) does not, until
// it becomes known or unknown.
func matters(old, st *instance.Status, silence time.Duration) bool {
	if old == nil {
		return true
	}
	return gist(old, silence) != gist(st, silence)
}

// statusGist is what of a status matters at once.
type statusGist struct {
	boot, version            string
	role                     instance.Role
	epoch, roleEpoch         uint64
	writes                   instance.WriteVerdict
	history                  instance.History
	knowsOffset, loading     bool
	linkAddress              string
	link                     instance.LinkState
	linkDown                 bool
	fullSyncs, partialSyncs  int64
	replicas, online, acking int
	leaseMembers             int
	leaseMillis              int64
	stalled                  bool
	capacity                 int64
	rateKnown                bool
	savedTail                string
}

func gist(st *instance.Status, silence time.Duration) statusGist {
	g := statusGist{
		boot: st.BootID, version: st.Version,
		role: st.Role, epoch: st.Epoch, roleEpoch: st.RoleEpoch, writes: st.Writes,
		history: st.History, knowsOffset: st.Offset != nil, loading: st.Loading != nil,
		stalled:  stalled(st, silence),
		capacity: st.Window.CapacityBytes, rateKnown: st.Window.WriteBytesPerSecond != nil,
		replicas: len(st.Replicas),
	}
	if u := st.Upstream; u != nil {
		g.linkAddress, g.link, g.linkDown = u.Address, u.State, u.DownMillis != nil
		g.fullSyncs, g.partialSyncs = u.FullSyncs, u.PartialSyncs
	}
	for _, r := range st.Replicas {
		g.online += yes(r.State == instance.FeedOnline)
		g.acking += yes(r.AckedOffset != nil)
	}
	if st.Lease != nil {
		g.leaseMembers, g.leaseMillis = st.Lease.Members, st.Lease.DurationMillis
	}
	if st.SavedTail != nil {
		g.savedTail = st.SavedTail.File
	}
	return g
}
