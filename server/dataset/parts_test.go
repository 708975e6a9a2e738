package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// TestALargeValueIsSpelledInPartsAsItWas walks a cut in small steps over large values
// while everything changes, the value under way among it: what comes out is the data
// of the moment of the cut.
func TestALargeValueIsSpelledInPartsAsItWas(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			ks, loaded := store.New(store.Options{Databases: 2, Seed: 1}), store.New(store.Options{Databases: 2, Seed: 2})
			defer ks.Close()
			defer loaded.Close()
			for i := range 60_000 {
				change(ks, random, i)
			}
			want := OfKeyspace(ks)
			w := &partsWriter{ks: ks}
			cut, err := ks.Cut(w.emit)
			if err != nil {
				t.Fatal(err)
			}
			cut.Parts = w.parts
			for i := 0; !cut.Step(50); i++ {
				disturb(ks, random, i, seed)
				if w.open && random.IntN(60) == 0 {
					addTo(w.db, w.key, 90_000+i)
				}
			}
			if err := load(loaded, w.file()); err != nil {
				t.Fatal(err)
			}
			if got := OfKeyspace(loaded); got != want {
				t.Errorf("the data in the file is %v, want %v", got, want)
			}
			if w.begun == 0 {
				t.Error("no value was spelled in parts")
			}
		})
	}
}

// disturb changes small values all the time, and now and then a large one.
func disturb(ks *store.Keyspace, random *rand.Rand, i int, seed uint64) {
	ks.DB(random.IntN(2)).SetString(fmt.Appendf(nil, "string%d", random.IntN(600)), fmt.Append(nil, i), 0)
	switch random.IntN(200) {
	case 0:
		ks.DB(0).Delete(fmt.Appendf(nil, "hash%d", random.IntN(2)))
	case 1:
		ks.DB(1).Rename([]byte("zset0"), []byte("zset1"))
	case 2:
		ks.DB(1).SetExpire([]byte("list1"), int64(i+1))
	case 3:
		if seed == 3 && i > 500 {
			ks.FlushAll()
		}
	case 4, 5, 6:
		change(ks, random, 60_000+random.IntN(30_000))
	}
	ks.Step(100)
}

// change adds to a large value of some type, or sets a small one.
func change(ks *store.Keyspace, random *rand.Rand, i int) {
	db := ks.DB(random.IntN(2))
	n := random.IntN(2)
	name := []string{"hash", "set", "zset", "list", "string"}[random.IntN(5)]
	if name == "string" {
		n = i % 500
	}
	addTo(db, fmt.Appendf(nil, "%s%d", name, n), i)
}

// addTo adds to the value at a key, whose name says of which type it is.
func addTo(db *store.DB, key []byte, i int) {
	p := fmt.Appendf(nil, "element:%d", i)
	switch string(key[:2]) {
	case "ha":
		w := db.EditHash(key)
		w.Set(p, p[8:])
	case "se":
		w := db.EditSet(key)
		w.Add(p)
	case "zs":
		w := db.EditSortedSet(key)
		w.Add(p, float64(i%100), 0)
	case "li":
		db.ListPush(key, i%2 == 0, bytes.Repeat(p, 20))
	default:
		db.SetString(key, p, 0)
	}
}

// partsWriter does with a cut what a server does.
type partsWriter struct {
	enc, aside rdb.Encoder
	begun      int

	open bool // a value is being spelled in parts: that of key in db
	ks   *store.Keyspace
	db   *store.DB
	key  []byte
}

func (w *partsWriter) emit(db int, e store.Entry) {
	enc := &w.enc
	if w.open {
		enc = &w.aside
	}
	enc.Buf = rdb.AppendSelectDB(enc.Buf, db, 0, 0)
	Encode(enc, e, rdb.NoAccess)
}

func (w *partsWriter) parts(db int, e store.Entry) func(n int) bool {
	if !Large(e) {
		return nil
	}
	w.begun++
	w.enc.Buf = rdb.AppendSelectDB(w.enc.Buf, db, 0, 0)
	more := Begin(&w.enc, e, rdb.NoAccess)
	w.open, w.db, w.key = true, w.ks.DB(db), bytes.Clone(e.Key())
	return func(n int) bool {
		if !more(n) {
			return false
		}
		w.open = false
		w.enc.Buf = append(w.enc.Buf, w.aside.Buf...)
		w.aside.Buf = nil
		return true
	}
}

func (w *partsWriter) file() []byte {
	file := append(rdb.AppendHeader(nil), w.enc.Buf...)
	return rdb.AppendEOF(file, rdb.Checksum(0, file))
}

func load(ks *store.Keyspace, file []byte) error {
	var l Loader
	for r := rdb.NewReader(bytes.NewReader(file)); ; {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case rec.Kind == rdb.KindEntry:
			if _, exists := ks.DB(rec.DB).Find(rec.Key); exists {
				return fmt.Errorf("%q is there twice", rec.Key)
			}
			err = l.Load(ks.DB(rec.DB), rec.Key, &rec.Value, rec.ExpireAt)
		case rec.Kind == rdb.KindMore:
			err = l.More(&rec.Value)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", rec.Key, err)
		}
	}
}
