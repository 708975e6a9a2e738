package dataset

import (
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// ErrOwner says that what is pending at a group and at its consumers is not the
// same.
var ErrOwner = errors.New("pending entries and consumers do not fit together")

// encodeStream copies the nodes and spells the rest.
func encodeStream(enc *rdb.Encoder, s *store.Stream) {
	enc.Count(uint64(s.Nodes()))
	s.EachNode(func(master store.StreamID, node []byte) bool {
		enc.StreamNode(rdb.StreamID(master), node)
		return true
	})
	enc.StreamState(rdb.StreamCounters{
		Length: s.Length, Last: rdb.StreamID(s.LastID), First: rdb.StreamID(s.FirstID),
		MaxDeleted: rdb.StreamID(s.MaxDeletedID), Added: s.Added,
	})
	enc.Count(uint64(len(s.Groups())))
	for _, g := range s.Groups() {
		encodeStreamGroup(enc, g)
	}
}

func encodeStreamGroup(enc *rdb.Encoder, g *store.StreamGroup) {
	enc.StreamGroup([]byte(g.Name()), rdb.StreamID(g.LastID), g.Read)
	enc.Count(uint64(g.Pending()))
	g.EachPending(func(id store.StreamID, d *store.StreamDelivery) bool {
		enc.StreamPending(rdb.StreamID(id), d.Time, d.Count)
		return true
	})
	enc.Count(uint64(len(g.Consumers())))
	for _, c := range g.Consumers() {
		enc.StreamConsumer([]byte(c.Name()), c.Seen)
		enc.Count(uint64(c.Pending()))
		c.EachPending(func(id store.StreamID) bool {
			enc.StreamPendingID(rdb.StreamID(id))
			return true
		})
	}
}

// A streamLoader puts a stream together.
type streamLoader struct {
	s     *store.Stream
	group *store.StreamGroup    // the last one, which the next items belong to
	owner *store.StreamConsumer // likewise
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
	case rdb.StreamGroup:
		l.group = l.s.AddGroup(item.Bytes, id, item.Read)
		return check(l.group != nil, ErrDuplicate)
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
