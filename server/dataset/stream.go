package dataset

import (
	"errors"
	"fmt"
	"math"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// ErrOwner says that what is pending at a group and at its consumers is not the
// same.
var ErrOwner = errors.New("pending entries and consumers do not fit together")

// encodeStream writes what follows rdb.ShapeStream.
func encodeStream(enc *rdb.Encoder, s *store.Stream) {
	for more := streamParts(enc, s); !more(math.MaxInt); {
	}
}

// streamElements is how many elements a stream counts for.
func streamElements(s *store.Stream) int {
	n := s.Nodes() * nodeElements
	for _, g := range s.Groups() {
		n += 2 * g.Pending()
	}
	return n
}

// A streamSpeller writes a stream, which does not change meanwhile, piece by piece.
type streamSpeller struct {
	enc *rdb.Encoder
	s   *store.Stream
	// step writes the next piece: a node, a pending entry, or what comes between
	// these. It is nil after the last one.
	step func(*streamSpeller) (cost int)
	next store.StreamID // of the node or pending entry to come, or greater
	last bool           // there is no greater ID

	group, consumer int // indexes of those under way
}

func streamParts(enc *rdb.Encoder, s *store.Stream) func(n int) bool {
	w := &streamSpeller{enc: enc, s: s, step: (*streamSpeller).node}
	enc.Count(uint64(s.Nodes()))
	return func(n int) bool {
		for n > 0 && w.step != nil {
			n -= w.step(w)
		}
		return w.step == nil
	}
}

// begin makes step the one to go on with, from the smallest ID on.
func (w *streamSpeller) begin(step func(*streamSpeller) int) {
	w.step, w.next, w.last = step, store.StreamID{}, false
}

// after goes on behind an ID.
func (w *streamSpeller) after(id store.StreamID) {
	var ok bool
	w.next, ok = id.Next()
	w.last = !ok
}

func (w *streamSpeller) node() int {
	master, node, ok := w.s.NextNode(w.next)
	if !ok || w.last {
		w.state()
		return 1
	}
	w.enc.StreamNode(rdb.StreamID(master), node)
	w.after(master)
	return nodeElements
}

func (w *streamSpeller) state() {
	s := w.s
	w.enc.StreamState(rdb.StreamCounters{
		Length: s.Length, Last: rdb.StreamID(s.LastID), First: rdb.StreamID(s.FirstID),
		MaxDeleted: rdb.StreamID(s.MaxDeletedID), Added: s.Added,
	})
	w.enc.Count(uint64(len(s.Groups())))
	w.beginGroup(0)
}

func (w *streamSpeller) beginGroup(i int) {
	if w.group = i; i == len(w.s.Groups()) {
		w.step = nil
		return
	}
	g := w.s.Groups()[i]
	w.enc.StreamGroup([]byte(g.Name()), rdb.StreamID(g.LastID), g.Read)
	w.enc.Count(uint64(g.Pending()))
	w.begin((*streamSpeller).pending)
}

func (w *streamSpeller) pending() int {
	g := w.s.Groups()[w.group]
	id, d, ok := g.NextPending(w.next)
	if !ok || w.last {
		w.enc.Count(uint64(len(g.Consumers())))
		w.beginConsumer(0)
		return 1
	}
	w.enc.StreamPending(rdb.StreamID(id), d.Time, d.Count)
	w.after(id)
	return 1
}

func (w *streamSpeller) beginConsumer(i int) {
	g := w.s.Groups()[w.group]
	if w.consumer = i; i == len(g.Consumers()) {
		w.beginGroup(w.group + 1)
		return
	}
	c := g.Consumers()[i]
	w.enc.StreamConsumer([]byte(c.Name()), c.Seen)
	w.enc.Count(uint64(c.Pending()))
	w.begin((*streamSpeller).owned)
}

func (w *streamSpeller) owned() int {
	id, ok := w.s.Groups()[w.group].Consumers()[w.consumer].NextPending(w.next)
	if !ok || w.last {
		w.beginConsumer(w.consumer + 1)
		return 1
	}
	w.enc.StreamPendingID(rdb.StreamID(id))
	w.after(id)
	return 1
}

// A streamLoader puts a stream together.
type streamLoader struct {
	s     *store.Stream
	group *store.StreamGroup    // the last one, which the next items belong to
	owner *store.StreamConsumer // likewise
	old   bool                  // Redis before 7.0 wrote it: groups do not tell what they have read
}

// loadStream makes the stream, or begins it with its first part.
func (l *Loader) loadStream(db *store.DB, key []byte, v *rdb.Value, expireAt int64) error {
	l.stream = streamLoader{s: db.CreateStream(key, expireAt)}
	return l.addStream(v)
}

// addStream adds the next part.
func (l *Loader) addStream(v *rdb.Value) error {
	s := l.stream.s
	for item := range v.Stream() {
		if err := l.stream.add(&item); err != nil {
			return err
		}
	}
	if v.More {
		return nil
	}
	l.stream = streamLoader{}
	for _, g := range s.Groups() {
		if !g.Loaded() {
			return fmt.Errorf("group %.40q: %w", g.Name(), ErrOwner)
		}
	}
	return nil
}

func (l *streamLoader) add(item *rdb.StreamItem) error {
	id := store.StreamID(item.ID)
	switch item.Kind {
	case rdb.StreamNode:
		return check(l.s.LoadNode(id, item.Bytes), ErrDuplicate)
	case rdb.StreamState:
		st := &item.State
		l.s.LoadState(store.StreamState{
			Length: st.Length, LastID: store.StreamID(st.Last), FirstID: store.StreamID(st.First),
			MaxDeletedID: store.StreamID(st.MaxDeleted), Added: st.Added,
		}, st.Complete)
		l.old = !st.Complete
	case rdb.StreamGroup:
		if l.group = l.s.AddGroup(item.Bytes, id, item.Read); l.group == nil {
			return ErrDuplicate
		}
		if l.old {
			l.s.GuessRead(l.group)
		}
	case rdb.StreamPending:
		return check(l.group.LoadPending(id, item.Time, item.Deliveries), ErrDuplicate)
	case rdb.StreamConsumer:
		if l.owner = l.group.AddConsumer(item.Bytes, item.Time); l.owner == nil {
			return ErrDuplicate
		}
		l.owner.Active = item.Active
	case rdb.StreamOwned:
		return check(l.group.LoadOwned(id, l.owner), ErrOwner)
	}
	return nil
}

func check(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}
