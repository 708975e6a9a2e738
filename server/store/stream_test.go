package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func (s *Stream) blocks() int {
	bytes := 0
	for at := (orderedAt{}); !s.nodes.ended(at); at = s.nodes.next(at) {
		bytes += s.ks.arena.capacity(s.nodes.val(at).h)
	}
	return bytes
}

// entryText is an entry as the tests below spell it.
func entryText(id StreamID, pairs [][]byte) string {
	return fmt.Sprintf("%d-%d %q", id.Ms, id.Seq, pairs)
}

// streamTexts spells what an iterator gives.
func streamTexts(it StreamIterator) (all []string) {
	for it.Next() {
		var pairs [][]byte
		for range it.Fields() {
			name, value := it.Field()
			pairs = append(pairs, slices.Clone(name), slices.Clone(value))
		}
		all = append(all, entryText(it.ID(), pairs))
	}
	return all
}

// after is the ID behind one that is not the greatest.
func after(id StreamID) StreamID {
	next, _ := id.Next()
	return next
}

// spellStream is all that there is to know of a stream.
func spellStream(s *Stream) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", s.StreamState)
	for _, text := range streamTexts(s.Range(StreamID{}, MaxStreamID, false)) {
		fmt.Fprintln(&b, text)
	}
	for _, g := range s.Groups() {
		fmt.Fprintf(&b, "group %q %v %d\n", g.Name(), g.LastID, g.Read)
		for id, d, ok := g.NextPending(StreamID{}); ok; id, d, ok = g.NextPending(after(id)) {
			fmt.Fprintf(&b, " %v %d %d at %q\n", id, d.Time, d.Count, g.Owner(d).Name())
		}
		for _, c := range g.Consumers() {
			fmt.Fprintf(&b, " consumer %q %d %d:", c.Name(), c.Seen, c.Active)
			for id, ok := c.NextPending(StreamID{}); ok; id, ok = c.NextPending(after(id)) {
				fmt.Fprintf(&b, " %v", id)
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}

// streamModel is what the entries of a stream must be indistinguishable from.
type streamModel struct {
	t     *testing.T
	rng   *rand.Rand
	s     *Stream
	ids   []StreamID
	texts []string // parallel to ids
	last  StreamID
}

func newStreamModel(t *testing.T, seed uint64, entries, bytes int) *streamModel {
	k := New(Options{Databases: 1, Seed: 5})
	t.Cleanup(k.Close)
	k.Limits.StreamNodeEntries, k.Limits.StreamNodeBytes = entries, bytes
	return &streamModel{t: t, rng: rand.New(rand.NewPCG(seed, 3)), s: k.DB(0).CreateStream([]byte("stream"), 0)}
}

func (m *streamModel) add() {
	m.last = StreamID{m.last.Ms + uint64(m.rng.IntN(3)), m.last.Seq + 1 + uint64(m.rng.IntN(1000))}
	if m.rng.IntN(50) == 0 {
		m.last.Ms += 1 << 40
	}
	if m.rng.IntN(4) == 0 {
		m.last = StreamID{m.last.Ms + 1, 0} // a delta that is negative
	}
	fields := 1 + m.rng.IntN(3)
	var pairs [][]byte
	for i := range fields {
		name := fmt.Appendf(nil, "field%d", i)
		if m.rng.IntN(5) == 0 {
			name = fmt.Appendf(nil, "%d", m.rng.IntN(1<<20))
		}
		value := fmt.Appendf(nil, "%d", m.rng.Int64()>>m.rng.IntN(64))
		switch m.rng.IntN(20) {
		case 0:
			value = make([]byte, m.rng.IntN(6000))
		case 1:
			value = nil
		}
		pairs = append(pairs, name, value)
	}
	m.s.Append(m.last, pairs)
	m.ids = append(m.ids, m.last)
	m.texts = append(m.texts, entryText(m.last, pairs))
}

// drop forgets the entry at an index, or as many as n from the first on.
func (m *streamModel) drop(i, n int) {
	m.ids, m.texts = slices.Delete(m.ids, i, i+n), slices.Delete(m.texts, i, i+n)
}

func (m *streamModel) delete() {
	id := StreamID{1, 1}
	i := -1
	if len(m.ids) > 0 && m.rng.IntN(5) > 0 {
		i = m.rng.IntN(len(m.ids))
		id = m.ids[i]
	}
	if m.s.Delete(id) != (i >= 0) {
		m.t.Fatalf("deleting %v, which is at %d, says otherwise", id, i)
	}
	if i >= 0 {
		m.drop(i, 1)
	}
}

func (m *streamModel) trim() {
	keep := max(0, len(m.ids)-m.rng.IntN(30))
	trim := StreamTrim{MaxLength: int64(keep)}
	if m.rng.IntN(2) == 0 {
		trim = StreamTrim{MaxLength: -1, MinID: MaxStreamID}
		if keep > 0 {
			trim.MinID = m.ids[len(m.ids)-keep]
		}
	}
	trim.WholeNodes = m.rng.IntN(2) == 0
	if m.rng.IntN(3) == 0 && trim.WholeNodes {
		trim.Limit = int64(m.rng.IntN(20))
	}
	removed := int(m.s.Trim(trim))
	most := len(m.ids) - keep
	if trim.Limit > 0 {
		most = min(most, int(trim.Limit))
	}
	if removed > most || !trim.WholeNodes && removed != most {
		m.t.Fatalf("%+v removed %d entries of %d", trim, removed, len(m.ids))
	}
	m.drop(0, removed)
}

func (m *streamModel) check() {
	m.t.Helper()
	s := m.s
	want := StreamState{Length: int64(len(m.ids)), LastID: m.last, Added: s.Added, MaxDeletedID: s.MaxDeletedID}
	top := StreamID{}
	if n := len(m.ids); n > 0 {
		want.FirstID, top = m.ids[0], m.ids[n-1]
	}
	if s.StreamState != want || s.TopID() != top {
		m.t.Fatalf("the stream says %+v, top %v; want %+v, %v", s.StreamState, s.TopID(), want, top)
	}
	from, to := 0, len(m.ids)
	low, high := StreamID{}, MaxStreamID
	if to > 0 && m.rng.IntN(3) > 0 {
		from = m.rng.IntN(to)
		to = from + 1 + m.rng.IntN(to-from)
		low, high = m.ids[from], m.ids[to-1]
	}
	expect := slices.Clone(m.texts[from:to])
	if got := streamTexts(s.Range(low, high, false)); !slices.Equal(got, expect) {
		m.t.Fatalf("from %v to %v there are %q, want %q", low, high, got, expect)
	}
	slices.Reverse(expect)
	if got := streamTexts(s.Range(low, high, true)); !slices.Equal(got, expect) {
		m.t.Fatalf("back from %v to %v there are %q, want %q", high, low, got, expect)
	}
	if s.nodeBytes != s.blocks() {
		m.t.Fatalf("nodes take %d bytes, counted are %d", s.blocks(), s.nodeBytes)
	}
}

func TestAStreamHoldsWhatWasAddedAndNotRemovedInOrder(t *testing.T) {
	for i, limits := range [][2]int{{100, 4096}, {3, 4096}, {0, 200}, {0, 0}, {200, 1 << 20}} {
		t.Run(fmt.Sprintf("nodes of %d entries and %d bytes", limits[0], limits[1]), func(t *testing.T) {
			m := newStreamModel(t, uint64(i), limits[0], limits[1])
			for step := range 1500 {
				switch n := m.rng.IntN(20); {
				case n < 13:
					m.add()
				case n < 19:
					m.delete()
				default:
					m.trim()
				}
				if step%10 == 0 {
					m.check()
				}
			}
			m.check()
			for len(m.ids) > 0 {
				m.delete()
			}
			m.check()
		})
	}
}

func TestTheBlockOfAFullNodeIsAsLargeAsTheNode(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	s := k.DB(0).CreateStream([]byte("stream"), 0)
	pairs := [][]byte{[]byte("field"), []byte("some value")}
	for i := range 1050 {
		s.Append(StreamID{uint64(i + 1), 0}, pairs)
	}
	for at := (orderedAt{}); at != s.nodes.last(); at = s.nodes.next(at) {
		if n := s.nodes.val(at); int(n.room) != blockSize(int(n.size)) {
			t.Fatalf("a node of %d bytes has a block of %d", n.size, n.room)
		}
	}
	if s.Nodes() != 11 {
		t.Errorf("%d nodes of 100 entries each for 1050 entries", s.Nodes())
	}
}

func TestPendingEntriesBelongToTheConsumerThatGotThemLast(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	rng := rand.New(rand.NewPCG(4, 4))
	g := k.DB(0).CreateStream([]byte("stream"), 0).AddGroup([]byte("group"), StreamID{}, 0)
	owners := map[StreamID]string{}
	name := func() []byte { return fmt.Appendf(nil, "consumer%d", rng.IntN(5)) }
	for step := range 30000 {
		id := StreamID{uint64(rng.IntN(3000)), uint64(rng.IntN(2))}
		switch n := rng.IntN(100); {
		case n < 55 && step < 20000:
			to := name()
			c := g.Consumer(to)
			if c == nil {
				c = g.AddConsumer(to, int64(step))
			}
			g.Deliver(id, c, int64(step), 1)
			owners[id] = string(to)
		case n < 99:
			_, pending := owners[id]
			if g.Acknowledge(id) != pending {
				t.Fatalf("acknowledging %v says otherwise than %v", id, pending)
			}
			delete(owners, id)
		case rng.IntN(10) == 0:
			if c := g.Consumer(name()); c != nil {
				for id, owner := range owners {
					if owner == c.Name() {
						delete(owners, id)
					}
				}
				g.RemoveConsumer(c)
			}
		}
		if step%1000 == 0 {
			checkGroup(t, g, owners)
		}
	}
	checkGroup(t, g, owners)
	clone := g.clone()
	g.hold(-g.Pending())
	checkGroup(t, clone, owners)
}

func checkGroup(t *testing.T, g *StreamGroup, owners map[StreamID]string) {
	t.Helper()
	var ids []StreamID
	for id, d, ok := g.NextPending(StreamID{}); ok; id, d, ok = g.NextPending(after(id)) {
		ids = append(ids, id)
		if owners[id] != g.Owner(d).Name() {
			t.Fatalf("%v is pending at %s, want %q", id, g.Owner(d).Name(), owners[id])
		}
	}
	if len(ids) != len(owners) || len(ids) != g.Pending() {
		t.Fatalf("%d entries are pending, counted are %d, want %d", len(ids), g.Pending(), len(owners))
	}
	if !slices.IsSortedFunc(ids, compareIDs) {
		t.Fatal("pending entries are not in order")
	}
	checkOrdered(t, &g.pending)
	mine := 0
	for _, c := range g.Consumers() {
		checkOrdered(t, &c.pending)
		mine += c.Pending()
		for id, ok := c.NextPending(StreamID{}); ok; id, ok = c.NextPending(after(id)) {
			if owners[id] != c.Name() {
				t.Fatalf("%s has %v, which %q should have", c.Name(), id, owners[id])
			}
		}
	}
	if mine != len(owners) || g.arena.objects.outside != len(owners)*pendingBytes {
		t.Fatalf("consumers have %d entries, the group has %d, which take %d bytes", mine, len(owners), g.arena.objects.outside)
	}
}

func compareIDs(a, b StreamID) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}

func checkOrdered[V any](t *testing.T, o *ordered[V]) {
	t.Helper()
	count := 0
	for i, b := range o.blocks {
		if len(b.ids) == 0 || len(b.ids) > orderedMax || len(b.ids) != len(b.vals) {
			t.Fatalf("a block of %d IDs and %d values", len(b.ids), len(b.vals))
		}
		if i > 0 && len(b.ids)+len(o.blocks[i-1].ids) <= orderedMax/8 {
			t.Fatalf("neighbours have %d and %d values", len(o.blocks[i-1].ids), len(b.ids))
		}
		count += len(b.ids)
	}
	if count != o.count {
		t.Fatalf("%d values, counted are %d", count, o.count)
	}
}

func TestFewPendingEntriesDoNotKeepTheRoomOfMany(t *testing.T) {
	var o ordered[StreamDelivery]
	for i := range 100000 {
		o.insert(StreamID{uint64(i), 0}, StreamDelivery{})
	}
	for i := range 100000 {
		if at, ok := o.find(StreamID{uint64(i), 0}); ok && i%1000 != 0 {
			o.remove(at)
		}
	}
	if o.count != 100 || len(o.blocks) > 10 {
		t.Errorf("%d values in %d blocks", o.count, len(o.blocks))
	}
}

// busyStream fills a stream in a way that every part of it has something.
func busyStream(db *DB, key []byte, entries int) *Stream {
	s := db.CreateStream(key, 0)
	for i := range entries {
		s.Append(StreamID{uint64(i + 1), 0}, [][]byte{[]byte("field"), fmt.Appendf(nil, "value %d of %s", i, key)})
	}
	g := s.AddGroup([]byte("group"), StreamID{}, 0)
	c, other := g.AddConsumer([]byte("one"), 7), g.AddConsumer([]byte("other"), 8)
	for i := range 4 {
		g.Deliver(StreamID{uint64(i + 1), 0}, c, 7, 1)
	}
	g.Deliver(StreamID{2, 0}, other, 9, 2)
	return s
}

func TestACutEmitsEveryStreamAsItWas(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(db *DB, key []byte, s *Stream)
	}{
		{"while entries are added", func(_ *DB, _ []byte, s *Stream) {
			for i := range 5 {
				s.Append(StreamID{1000 + uint64(i), 0}, [][]byte{[]byte("new"), []byte("entry")})
			}
		}},
		{"while entries are deleted", func(_ *DB, _ []byte, s *Stream) { s.Delete(StreamID{3, 0}) }},
		{"while entries are trimmed", func(_ *DB, _ []byte, s *Stream) { s.Trim(StreamTrim{MaxLength: 2}) }},
		{"while entries are acknowledged", func(_ *DB, _ []byte, s *Stream) { s.Group([]byte("group")).Acknowledge(StreamID{1, 0}) }},
		{"while groups come and go", func(_ *DB, _ []byte, s *Stream) {
			s.RemoveGroup([]byte("group"))
			s.AddGroup([]byte("another"), StreamID{}, 0)
		}},
		{"while streams are deleted and made anew", func(db *DB, key []byte, _ *Stream) {
			db.Delete(key)
			busyStream(db, key, 3)
		}},
		{"while streams are copied over each other", func(db *DB, key []byte, _ *Stream) { db.Copy([]byte("stream 1"), db, key) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := New(Options{Databases: 1, Seed: 5})
			defer k.Close()
			k.Limits.StreamNodeEntries = 6
			db := k.DB(0)
			const streams = 200
			want := map[string]string{}
			key := func(i int) []byte { return fmt.Appendf(nil, "stream %d", i) }
			for i := range streams {
				want[string(key(i))] = spellStream(busyStream(db, key(i), 5+i%10))
			}
			cut, err := k.Cut(func(_ int, e Entry) {
				if got := spellStream(e.Stream()); got != want[string(e.Key())] {
					t.Fatalf("%s is emitted as\n%s\nit was\n%s", e.Key(), got, want[string(e.Key())])
				}
				delete(want, string(e.Key()))
			})
			if err != nil {
				t.Fatal(err)
			}
			cut.Step(streams / 3)
			for i := range streams {
				e, _ := db.Find(key(i))
				c.do(db, key(i), db.EditStream(e))
			}
			for !cut.Step(20) {
			}
			if len(want) > 0 {
				t.Fatalf("%d streams were not emitted", len(want))
			}
			for k.Step(1000) {
			}
			checkAccounts(t, k)
		})
	}
}

func TestACopyOfAStreamSharesNothingWithIt(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	db := k.DB(0)
	was := spellStream(busyStream(db, []byte("a"), 250))
	db.Copy([]byte("a"), db, []byte("b"))
	e, _ := db.Find([]byte("a"))
	s := db.EditStream(e)
	s.Trim(StreamTrim{MaxLength: 10})
	s.Append(StreamID{1000, 0}, [][]byte{[]byte("x"), []byte("y")})
	g := s.Group([]byte("group"))
	g.Acknowledge(StreamID{2, 0})
	g.Consumer([]byte("one")).Seen = 99
	if e, _ = db.Find([]byte("b")); spellStream(e.Stream()) != was {
		t.Errorf("the copy has become\n%s\nit was\n%s", spellStream(e.Stream()), was)
	}
	checkAccounts(t, k)
}

func TestTheMemoryOfStreamsIsGivenBackInSlices(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 5})
	defer k.Close()
	for i := range 20 {
		busyStream(k.DB(0), fmt.Appendf(nil, "stream %d", i), 2000)
	}
	k.DB(0).Delete([]byte("stream 3"))
	if !k.Step(5) {
		t.Error("a stream of 20 nodes is released in a slice of 5")
	}
	k.FlushAll()
	checkReleased(t, k)
}

func TestTheLagOfAGroup(t *testing.T) {
	id := func(ms uint64) StreamID { return StreamID{ms, 0} }
	for _, c := range []struct {
		name string
		do   func(s *Stream, g *StreamGroup)
		want string
	}{
		{"is everything at the beginning", func(*Stream, *StreamGroup) {}, "10"},
		{"counts down with what is read", func(s *Stream, g *StreamGroup) { s.Delivered(g, id(1)); s.Delivered(g, id(2)) }, "8"},
		{"is nothing at the end", func(s *Stream, g *StreamGroup) { g.LastID, g.Read = id(10), UnknownRead }, "0"},
		{"is not known in the middle", func(s *Stream, g *StreamGroup) { g.LastID, g.Read = id(5), UnknownRead }, "unknown"},
		{"is not known when something ahead was deleted", func(s *Stream, g *StreamGroup) { s.Delivered(g, id(1)); s.Delete(id(5)) }, "unknown"},
		{"is known again behind what was deleted", func(s *Stream, g *StreamGroup) {
			s.Delete(id(5))
			for ms := range uint64(10) {
				if ms != 4 {
					s.Delivered(g, id(ms+1))
				}
			}
		}, "0"},
		{"is what is left when all that was read is trimmed", func(s *Stream, g *StreamGroup) {
			s.Delivered(g, id(1))
			s.Trim(StreamTrim{MaxLength: 4})
		}, "4"},
		{"is nothing when all that was there is trimmed", func(s *Stream, g *StreamGroup) {
			s.Delivered(g, id(1))
			s.Trim(StreamTrim{MaxLength: 0})
		}, "0"},
		{"is known again when all up to what was deleted ahead is gone", func(s *Stream, g *StreamGroup) {
			s.Delivered(g, id(1))
			s.Delete(id(2))
			s.Delete(id(1))
		}, "8"},
		{"goes on after what was trimmed unread", func(s *Stream, g *StreamGroup) {
			s.Trim(StreamTrim{MaxLength: 4})
			s.Delivered(g, id(7))
		}, "3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := New(Options{Databases: 1, Seed: 5})
			defer k.Close()
			s := k.DB(0).CreateStream([]byte("stream"), 0)
			for ms := range uint64(10) {
				s.Append(id(ms+1), [][]byte{[]byte("f"), []byte("v")})
			}
			g := s.AddGroup([]byte("group"), StreamID{}, 0)
			c.do(s, g)
			got := "unknown"
			if lag, ok := s.Lag(g); ok {
				got = fmt.Sprint(lag)
			}
			if got != c.want {
				t.Errorf("the lag is %s, want %s", got, c.want)
			}
		})
	}
}
