package store

import (
	"errors"
	"fmt"
	"testing"
)

// story is a keyspace with its model, for tests that say in words what happens
// while a cut is under way.
type story struct {
	t *testing.T
	k *Keyspace
	m *model
}

func newStory(t *testing.T, keys int) *story {
	s := &story{t: t, k: New(Options{Databases: 3, Seed: 11}), m: newModel(3)}
	t.Cleanup(s.k.Close)
	for i := range keys {
		s.set(0, string(key(i)), "old")
	}
	return s
}

func (s *story) set(db int, key, val string) {
	s.k.DB(db).SetString([]byte(key), []byte(val), 0)
	s.m.set(db, key, val, 0)
}

func TestACutEmitsEveryEntryAsItWas(t *testing.T) {
	const keys = 500
	all := func(do func(db *DB, i int)) func(*Keyspace) {
		return func(k *Keyspace) {
			for i := range keys {
				do(k.DB(0), i)
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(k *Keyspace)
	}{
		{"while nothing happens", func(*Keyspace) {}},
		{"while every key is overwritten in place", all(func(db *DB, i int) { db.SetString(key(i), []byte("new"), 0) })},
		{"while every key is overwritten with a longer value", all(func(db *DB, i int) { db.SetString(key(i), make([]byte, 500), 0) })},
		{"while every key is overwritten many times", all(func(db *DB, i int) {
			for n := range 5 {
				db.SetInt(key(i), int64(n), 0)
			}
		})},
		{"while every key is appended to", all(func(db *DB, i int) { _, _ = db.Append(key(i), []byte("new")) })},
		{"while every key gets an expiry time", all(func(db *DB, i int) { db.SetExpire(key(i), 99) })},
		{"while every key is deleted", all(func(db *DB, i int) { db.Delete(key(i)) })},
		{"while every key is deleted and added again", all(func(db *DB, i int) {
			db.Delete(key(i))
			db.SetString(key(i), []byte("new"), 0)
		})},
		{"while every key is renamed to a new name", all(func(db *DB, i int) { db.Rename(key(i), key(i+keys)) })},
		{"while every key is renamed to its neighbour", all(func(db *DB, i int) { db.Rename(key(i), key((i+1)%keys)) })},
		{"while every key is moved to another database", all(func(db *DB, i int) { db.Move(key(i), db.ks.DB(1), key(i)) })},
		{"while every key is moved to another database and back", all(func(db *DB, i int) {
			db.Move(key(i), db.ks.DB(1), key(i))
			db.ks.DB(1).Move(key(i), db, key(i))
		})},
		{"while every key is copied over its neighbour", all(func(db *DB, i int) { db.Copy(key(i), db, key((i+1)%keys)) })},
		{"while so many keys are added that the table grows tenfold", func(k *Keyspace) {
			for i := range keys * 10 {
				k.DB(0).SetString(fmt.Appendf(nil, "more:%d", i), nil, 0)
			}
		}},
		{"while nearly all keys are deleted and the table shrinks", func(k *Keyspace) {
			for i := range keys - 5 {
				k.DB(0).Delete(key(i))
			}
		}},
		{"while all is flushed", func(k *Keyspace) { k.FlushAll() }},
		{"while one database is flushed and filled again", func(k *Keyspace) {
			k.DB(0).Clear()
			for i := range keys {
				k.DB(0).SetString(key(i), []byte("new"), 0)
			}
		}},
		{"while a database is flushed, filled, and flushed again", func(k *Keyspace) {
			for range 3 {
				k.DB(0).Clear()
				k.DB(0).SetString(key(1), []byte("new"), 0)
			}
		}},
		{"while databases are swapped and then written to", func(k *Keyspace) {
			k.Swap(0, 1)
			for i := range keys {
				k.DB(1).SetString(key(i), []byte("new"), 0)
				k.DB(0).SetString(key(i), []byte("new"), 0)
			}
		}},
		{"while databases are swapped and the full one is flushed", func(k *Keyspace) {
			k.Swap(0, 2)
			k.DB(2).Clear()
		}},
		{"while memory is compacted after a flush", func(k *Keyspace) {
			for i := range keys {
				if i%8 != 0 {
					k.DB(0).Delete(key(i))
				}
			}
			k.DB(0).Clear()
			for k.Step(100) {
			}
		}},
		{"while memory is compacted", func(k *Keyspace) {
			for i := range keys {
				if i%8 != 0 {
					k.DB(0).Delete(key(i))
				}
			}
			for k.Step(100) {
			}
		}},
	} {
		for _, before := range []int{0, 100, 400} {
			t.Run(fmt.Sprintf("%s, after %d entries", c.name, before), func(t *testing.T) {
				s := newStory(t, keys)
				s.set(1, "other", "old")
				cut := beginCut(t, s.k, s.m)
				if before > 0 && cut.step(before) {
					t.Fatal("the cut is complete too early")
				}
				c.do(s.k)
				for !cut.step(50) {
				}
				checkNoMarks(t, s.k)
				checkAccounts(t, s.k)
			})
		}
	}
}

func TestASecondCutIsRefusedUntilTheFirstIsDoneOrAborted(t *testing.T) {
	s := newStory(t, 10)
	first := beginCut(t, s.k, s.m)
	if _, err := s.k.Cut(func(int, Entry) {}); !errors.Is(err, ErrCutActive) {
		t.Fatalf("a second cut gives %v", err)
	}
	first.cut.Abort()
	second := beginCut(t, s.k, s.m)
	first.cut.Abort()
	if !first.cut.Step(1) {
		t.Error("an aborted cut has more to do")
	}
	if _, err := s.k.Cut(func(int, Entry) {}); !errors.Is(err, ErrCutActive) {
		t.Fatalf("aborting a cut twice ends another: %v", err)
	}
	for !second.step(3) {
	}
}

func TestTheMarksOfAbortedCutsNeverHideAnEntryFromALaterOne(t *testing.T) {
	t.Run("when nothing happens in between", func(t *testing.T) {
		s := newStory(t, 40)
		first := beginCut(t, s.k, s.m)
		s.set(0, string(key(7)), "marked by the first cut")
		first.cut.Abort()
		// So many that the number of the first one comes round again.
		for range maxMark - 1 {
			beginCut(t, s.k, s.m).cut.Abort()
		}
		last := beginCut(t, s.k, s.m)
		for !last.step(3) {
		}
		checkNoMarks(t, s.k)
	})
	t.Run("when each of them gets somewhere", func(t *testing.T) {
		s := newStory(t, 40)
		for round := range 3 * maxMark {
			cut := beginCut(t, s.k, s.m)
			for i := range 3 {
				s.set(0, string(key((round*7+i)%40)), fmt.Sprint(round))
			}
			if round%5 == 0 {
				cut.step(4)
			}
			cut.cut.Abort()
		}
		last := beginCut(t, s.k, s.m)
		for !last.step(3) {
		}
		checkNoMarks(t, s.k)
	})
}

func TestACutThatIsAbortedEmitsNoMore(t *testing.T) {
	s := newStory(t, 100)
	emitted := 0
	cut, err := s.k.Cut(func(int, Entry) { emitted++ })
	if err != nil {
		t.Fatal(err)
	}
	cut.Step(10)
	s.k.DB(0).Clear()
	cut.Abort()
	before := emitted
	s.set(0, "key:1", "new")
	if !cut.Step(100) || emitted != before {
		t.Errorf("%d entries emitted after the end", emitted-before)
	}
	s.k.FlushAll()
	checkReleased(t, s.k)
}

func TestACutOfNothingIsCompleteAtOnce(t *testing.T) {
	s := newStory(t, 0)
	cut := beginCut(t, s.k, s.m)
	s.set(0, "new", "new")
	if !cut.step(0) {
		t.Error("there is more to do")
	}
}

func TestAStepOfACutLooksAtNoMoreEntriesThanAsked(t *testing.T) {
	s := newStory(t, 10000)
	emitted := 0
	cut, err := s.k.Cut(func(int, Entry) { emitted++ })
	if err != nil {
		t.Fatal(err)
	}
	for last := 0; !cut.Step(50); last = emitted {
		// One chain of buckets more than asked, at most.
		if emitted-last > 50+3*bucketSlots {
			t.Fatalf("a step of 50 entries emitted %d", emitted-last)
		}
	}
	if emitted != 10000 {
		t.Errorf("%d entries emitted", emitted)
	}
}
