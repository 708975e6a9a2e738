package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// streamPayload is a stream of one entry with one group, as DUMP spells it.
func streamPayload(group func(enc *rdb.Encoder)) []byte {
	ks := store.New(store.Options{Databases: 1, Seed: 1})
	defer ks.Close()
	s := ks.DB(0).CreateStream([]byte("k"), 0)
	s.Append(store.StreamID{Ms: 1, Seq: 1}, [][]byte{[]byte("f"), []byte("v")})
	var enc rdb.Encoder
	enc.Type(rdb.ShapeStream)
	enc.Count(1)
	master, node, _ := s.NextNode(store.StreamID{})
	enc.StreamNode(rdb.StreamID(master), node)
	enc.StreamState(rdb.StreamCounters{Length: 1, Last: rdb.StreamID{Ms: 1, Seq: 1}, First: rdb.StreamID{Ms: 1, Seq: 1}, Added: 1})
	group(&enc)
	return rdb.AppendFooter(enc.Buf, 0)
}

func TestGroupsThatDoNotHoldTogetherAreRefused(t *testing.T) {
	one, two := rdb.StreamID{Ms: 1, Seq: 1}, rdb.StreamID{Ms: 2, Seq: 1}
	group := func(enc *rdb.Encoder, pending, owned []rdb.StreamID, consumers ...string) {
		enc.StreamGroup([]byte("g"), one, 1)
		enc.Count(uint64(len(pending)))
		for _, id := range pending {
			enc.StreamPending(id, 1000, 1)
		}
		enc.Count(uint64(len(consumers)))
		for _, name := range consumers {
			enc.StreamConsumer([]byte(name), 1000)
			enc.Count(uint64(len(owned)))
			for _, id := range owned {
				enc.StreamPendingID(id)
			}
		}
	}
	for _, test := range []struct {
		name  string
		group func(enc *rdb.Encoder)
		want  error
	}{
		{"nothing is wrong", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, []rdb.StreamID{one, two}, []rdb.StreamID{two, one}, "c")
		}, nil},
		{"two groups of the same name", func(enc *rdb.Encoder) {
			enc.Count(2)
			group(enc, nil, nil)
			group(enc, nil, nil)
		}, ErrDuplicate},
		{"two consumers of the same name", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, nil, nil, "c", "c")
		}, ErrDuplicate},
		{"an entry that is pending twice", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, []rdb.StreamID{one, one}, []rdb.StreamID{one}, "c")
		}, ErrDuplicate},
		{"an entry that is pending at a consumer only", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, []rdb.StreamID{one}, []rdb.StreamID{one, two}, "c")
		}, ErrOwner},
		{"an entry that is pending at two consumers", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, []rdb.StreamID{one}, []rdb.StreamID{one}, "c", "d")
		}, ErrOwner},
		{"an entry that is pending at nobody", func(enc *rdb.Encoder) {
			enc.Count(1)
			group(enc, []rdb.StreamID{one, two}, []rdb.StreamID{one}, "c")
		}, ErrOwner},
	} {
		t.Run(test.name, func(t *testing.T) {
			ks := store.New(store.Options{Databases: 1, Seed: 1})
			defer ks.Close()
			v, err := rdb.ParseDump(streamPayload(test.group))
			if err != nil {
				t.Fatal(err)
			}
			if err = Load(ks.DB(0), []byte("key"), &v, 0); !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("loading gives %v, want %v", err, test.want)
			}
			if _, there := ks.DB(0).Find([]byte("key")); there != (err == nil) {
				t.Errorf("after %v the key is there: %v", err, there)
			}
		})
	}
}

// largeStream has many entries, and many that are pending.
func largeStream(db *store.DB) *store.Stream {
	s := db.CreateStream([]byte("key"), 0)
	for i := range 30000 {
		s.Append(store.StreamID{Ms: uint64(i + 1)}, [][]byte{[]byte("field"), fmt.Appendf(nil, "value %d", i)})
	}
	g := s.AddGroup([]byte("group"), s.LastID, 30000)
	consumers := []*store.StreamConsumer{g.AddConsumer([]byte("a"), 1), g.AddConsumer([]byte("b"), 2)}
	for i := range 20000 {
		g.Deliver(store.StreamID{Ms: uint64(i + 1)}, consumers[i%2], int64(i), int64(i%7))
	}
	g.Deliver(store.MaxStreamID, consumers[0], 1, 1)
	s.AddGroup([]byte("idle"), store.StreamID{}, store.UnknownRead)
	return s
}

// streamFile is a snapshot with the value at the key.
func streamFile(t *testing.T, db *store.DB) string {
	t.Helper()
	e, ok := db.Find([]byte("key"))
	if !ok {
		t.Fatal("the stream is not there")
	}
	enc := rdb.Encoder{Buf: rdb.AppendHeader(nil)}
	Encode(&enc, e, rdb.NoAccess)
	return string(rdb.AppendEOF(enc.Buf, rdb.Checksum(0, enc.Buf)))
}

// Redis 5 wrote neither what was ever added to a stream nor what groups had read.
func TestWhatGroupsOfRedis5HaveReadIsToldFromTheEdgesOfTheStream(t *testing.T) {
	now := streamPayload(func(enc *rdb.Encoder) {
		enc.Count(2)
		enc.StreamGroup([]byte("done"), rdb.StreamID{Ms: 1, Seq: 1}, 1)
		enc.Count(0)
		enc.Count(0)
		enc.StreamGroup([]byte("new"), rdb.StreamID{}, 0)
		enc.Count(0)
		enc.Count(0)
	})
	then := bytes.Clone(now)
	then[0] = 15                                                                         // RDB_TYPE_STREAM_LISTPACKS
	then = bytes.Replace(then, []byte{1, 1, 1, 1, 1, 0, 0, 1, 2}, []byte{1, 1, 1, 2}, 1) // length, last; first, deleted, added; groups
	then = bytes.Replace(then, []byte("done\x01\x01\x01"), []byte("done\x01\x01"), 1)
	then = bytes.Replace(then, []byte("new\x00\x00\x00"), []byte("new\x00\x00"), 1)
	then = rdb.AppendFooter(then[:len(then)-10], 0)
	if len(then) != len(now)-7 {
		t.Fatalf("%x is not %x without what came with Redis 7", then, now)
	}
	for name, payload := range map[string][]byte{"as it is": now, "as it was": then} {
		ks := store.New(store.Options{Databases: 1, Seed: 1})
		defer ks.Close()
		v, err := rdb.ParseDump(payload)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := Load(ks.DB(0), []byte("key"), &v, 0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, _ := ks.DB(0).Find([]byte("key"))
		s := e.Stream()
		if done, fresh := s.Group([]byte("done")).Read, s.Group([]byte("new")).Read; done != 1 || fresh != 0 || s.Added != 1 {
			t.Errorf("%s: the groups have read %d and %d of %d, want 1 and 0 of 1", name, done, fresh, s.Added)
		}
	}
}

func TestAStreamInManyPartsIsTheStreamThatWasWritten(t *testing.T) {
	ks := store.New(store.Options{Databases: 2, Seed: 1})
	defer ks.Close()
	largeStream(ks.DB(0))
	data := streamFile(t, ks.DB(0))
	l := partLoader{t: t, db: ks.DB(1)}
	l.load([]byte(data))
	if l.parts < 4 {
		t.Errorf("%d bytes came in %d parts", len(data), l.parts)
	}
	if streamFile(t, ks.DB(1)) != data {
		t.Error("what was loaded is not what was written")
	}
}

func TestALargeStreamIsSpelledInPartsAsItWas(t *testing.T) {
	for _, changedAfter := range []int{1, 50, 400, 1000, 1 << 20} {
		t.Run(fmt.Sprintf("changed after %d parts", changedAfter), func(t *testing.T) {
			ks := store.New(store.Options{Databases: 1, Seed: 1})
			defer ks.Close()
			largeStream(ks.DB(0))
			want := streamFile(t, ks.DB(0))
			enc := rdb.Encoder{Buf: rdb.AppendHeader(nil)}
			cut, err := ks.Cut(func(int, store.Entry) { t.Error("the stream is emitted in one go") })
			if err != nil {
				t.Fatal(err)
			}
			parts := 0
			cut.Parts = func(_ int, e store.Entry) func(n int) bool {
				if !Large(e) {
					t.Fatal("the stream does not count as large")
				}
				more := Begin(&enc, e, rdb.NoAccess)
				return func(n int) bool {
					parts++
					return more(n)
				}
			}
			for steps := 0; !cut.Step(70); steps++ {
				if steps == changedAfter {
					e, _ := ks.DB(0).Find([]byte("key"))
					s := ks.DB(0).EditStream(e)
					s.Trim(store.StreamTrim{MaxLength: 100})
					s.RemoveGroup([]byte("group"))
				}
			}
			if got := string(rdb.AppendEOF(enc.Buf, rdb.Checksum(0, enc.Buf))); got != want {
				t.Errorf("%d bytes in %d parts are not the %d bytes of the stream", len(got), parts, len(want))
			}
			if parts < min(changedAfter, 500) {
				t.Errorf("it came in %d parts", parts)
			}
		})
	}
}

// partLoader loads a file with one value.
type partLoader struct {
	Loader
	t     *testing.T
	db    *store.DB
	parts int
}

func (l *partLoader) load(data []byte) {
	l.t.Helper()
	r := rdb.NewReader(bytes.NewReader(data))
	for {
		rec, err := r.Next()
		switch {
		case err == nil && rec.Kind == rdb.KindEntry:
			err = l.Load(l.db, rec.Key, &rec.Value, 0)
			l.parts++
		case err == nil && rec.Kind == rdb.KindMore:
			err = l.More(&rec.Value)
			l.parts++
		case err == nil && rec.Kind == rdb.KindEnd:
			return
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// A payload whose checksum was made to fit may say anything. It is refused, or it
// is a stream that can be used.
func TestADamagedStreamDoesNoHarm(t *testing.T) {
	payload := streamPayload(func(enc *rdb.Encoder) {
		enc.Count(1)
		enc.StreamGroup([]byte("g"), rdb.StreamID{Ms: 1, Seq: 1}, 1)
		enc.Count(1)
		enc.StreamPending(rdb.StreamID{Ms: 1, Seq: 1}, 1000, 1)
		enc.Count(1)
		enc.StreamConsumer([]byte("c"), 1000)
		enc.Count(1)
		enc.StreamPendingID(rdb.StreamID{Ms: 1, Seq: 1})
	})
	loaded := 0
	for i := range len(payload) - 10 {
		for _, value := range []byte{0, 1, 2, 3, 4, 127, 128, 129, 192, 240, 244, 255} {
			was := payload[i]
			payload[i] = value
			payload = rdb.AppendFooter(payload[:len(payload)-10], 0)
			if v, err := rdb.ParseDump(payload); err == nil && v.Type == rdb.TypeStream {
				ks := store.New(store.Options{Databases: 1, Seed: 1})
				if Load(ks.DB(0), []byte("key"), &v, 0) == nil {
					loaded++
					use(ks.DB(0))
				}
				ks.Close()
			}
			payload[i] = was
		}
	}
	if loaded < 50 {
		t.Errorf("only %d of the changed payloads were loaded", loaded)
	}
}

// use does everything with a stream that depends on what its nodes say.
func use(db *store.DB) {
	e, _ := db.Find([]byte("key"))
	s := db.EditStream(e)
	for _, reverse := range []bool{false, true} {
		for it := s.Range(store.StreamID{}, store.MaxStreamID, reverse); it.Next(); {
			for range it.Fields() {
				it.Field()
			}
		}
	}
	s.FloorID()
	if last := s.LastID; last != store.MaxStreamID {
		next, _ := last.Next()
		s.Append(next, [][]byte{[]byte("f"), []byte("v")})
	}
	s.Trim(store.StreamTrim{MaxLength: -1, MinID: store.StreamID{Ms: 1, Seq: 2}})
	s.Delete(s.TopID())
	s.Trim(store.StreamTrim{})
	for _, g := range s.Groups() {
		s.Lag(g)
		g.Acknowledge(store.StreamID{Ms: 1, Seq: 1})
	}
}
