package dataset

import (
	"testing"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// FuzzRestore: whatever a payload holds, it is refused and leaves nothing behind, or
// becomes a value that can be walked, comes out as a payload of the same value, and
// can be removed.
func FuzzRestore(f *testing.F) {
	for _, body := range []string{
		"\x00\xc0\x07",
		"\x00\xc3\x09\x40\x64\x01ab\xe0\x58\x01\x01ab",
		"\x01\x02\x01a\xc0\x05",
		"\x02\x03\x01a\x01b\xc1\xe8\x03",
		"\x03\x02\x01a\x033.5\x01b\xff",
		"\x04\x01\x01f\x01v",
		"\x05\x01\x01m\x00\x00\x00\x00\x00\x00\xf8\x3f",
		"\x09\x0d\x02\x03foo\x03\x00bar\x01f\xff",
		"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x05\x00",
		"\x0d\x0f\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf2\x02\xf3\xff",
		"\x10\x0d\x0d\x00\x00\x00\x02\x00\x81f\x02\x05\x01\xff",
		"\x11\x0d\x0d\x00\x00\x00\x02\x00\x81m\x02\x05\x01\xff",
		"\x12\x02\x02\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff\x01\x05plain",
		"\x14\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff",
		"\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(body))
	}
	ks := store.New(store.Options{Databases: 1, Seed: 1})
	f.Cleanup(ks.Close)
	f.Fuzz(func(t *testing.T, body []byte) {
		db, key := ks.DB(0), []byte("key")
		defer func() {
			ks.FlushAll()
			ks.Step(1000)
		}()
		v, err := rdb.ParseDump(rdb.AppendFooter(append([]byte(nil), body...), 0))
		if err != nil {
			return
		}
		if err := Load(db, key, &v, 0); err != nil {
			if db.Len() != 0 {
				t.Fatalf("after %v there are %d keys", err, db.Len())
			}
			return
		}
		e, ok := db.Find(key)
		if !ok {
			t.Fatal("loaded, and not there")
		}
		before := OfValue(e)
		var enc rdb.Encoder
		again, err := rdb.ParseDump(Dump(&enc, e))
		if err == nil {
			db.Delete(key)
			err = Load(db, key, &again, 0)
		}
		if err != nil {
			t.Fatalf("our own payload is refused: %v", err)
		}
		if e, _ = db.Find(key); OfValue(e) != before {
			t.Fatal("our own payload is of another value")
		}
	})
}
