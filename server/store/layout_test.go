package store

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

func TestOnlyTheCanonicalFormOfAnIntegerIsHeldAsOne(t *testing.T) {
	for _, c := range []struct {
		val string
		int bool
	}{
		{"0", true}, {"1", true}, {"-1", true}, {"10", true},
		{"9223372036854775807", true}, {"-9223372036854775808", true},
		{"9223372036854775808", false}, {"-9223372036854775809", false},
		{"18446744073709551616", false}, {"99999999999999999999", false}, {"100000000000000000000", false},
		{"", false}, {"-", false}, {"+1", false}, {"01", false}, {"-0", false}, {"-01", false}, {"00", false},
		{" 1", false}, {"1 ", false}, {"1.0", false}, {"1e3", false}, {"0x1", false}, {"12a", false}, {"\x00", false},
	} {
		n, ok := listpack.ParseInt([]byte(c.val))
		if ok != c.int || ok && strconv.FormatInt(n, 10) != c.val {
			t.Errorf("%q: %d, %v", c.val, n, ok)
		}
	}
}

func TestTheLengthOfAnIntegerIsThatOfItsDigits(t *testing.T) {
	for _, n := range []int64{0, 9, 10, 99, 100, -1, -9, -10, math.MaxInt64, math.MinInt64, 1e18, 1e18 - 1} {
		if got, want := intLen(n), len(strconv.FormatInt(n, 10)); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

func TestEncodingsHaveTheNamesThatClientsKnow(t *testing.T) {
	k := filled(t, 0)
	db := k.DB(0)
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"an integer", func() error { db.SetString(key(1), []byte("12"), 0); return nil }, "int"},
		{"44 bytes", func() error { db.SetString(key(1), []byte(strings.Repeat("x", 44)), 0); return nil }, "embstr"},
		{"45 bytes", func() error { db.SetString(key(1), []byte(strings.Repeat("x", 45)), 0); return nil }, "raw"},
		{"an integer of 20 digits", func() error { db.SetString(key(1), []byte("12345678901234567890"), 0); return nil }, "embstr"},
		{"appended to", func() error {
			db.SetString(key(1), []byte("12"), 0)
			_, err := db.Append(key(1), []byte("3"))
			return err
		}, "raw"},
		{"overwritten in part", func() error {
			db.SetString(key(1), []byte("abc"), 0)
			_, err := db.SetRange(key(1), 1, []byte("x"))
			return err
		}, "raw"},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if e, _ := db.Find(key(1)); e.Encoding().String() != c.want || e.Type().String() != "string" {
			t.Errorf("%s is %v, a %v; want %v", c.name, e.Encoding(), e.Type(), c.want)
		}
	}
}

func TestTypesHaveTheNamesThatClientsKnow(t *testing.T) {
	for typ, want := range map[Type]string{
		TypeString: "string", TypeList: "list", TypeSet: "set", TypeSortedSet: "zset",
		TypeHash: "hash", TypeStream: "stream", 0: "none", 99: "none",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d is %q, want %q", typ, got, want)
		}
	}
}

func TestAStringThatWouldGetTooLongIsRefusedAndStays(t *testing.T) {
	k := filled(t, 2)
	db := k.DB(0)
	if _, err := db.SetRange(key(0), MaxLen, []byte("x")); !errors.Is(err, ErrValueTooLong) {
		t.Errorf("SetRange beyond the limit: %v", err)
	}
	if _, err := db.GrowString(key(5), MaxLen+1); !errors.Is(err, ErrValueTooLong) {
		t.Errorf("GrowString beyond the limit: %v", err)
	}
	if _, ok := db.Find(key(5)); ok {
		t.Error("a refused GrowString has created its key")
	}
	if _, err := db.GrowString(key(1), MaxLen); err != nil {
		t.Fatalf("GrowString to the limit: %v", err)
	}
	if _, err := db.Append(key(1), []byte("x")); !errors.Is(err, ErrValueTooLong) {
		t.Errorf("Append beyond the limit: %v", err)
	}
	if e, _ := db.Find(key(1)); e.StringLen() != MaxLen {
		t.Errorf("the string has %d bytes", e.StringLen())
	}
	checkEntry(t, must(db.Find(key(0))), "key:0", modelValue{val: "key:0", enc: EncodingEmbstr})
}

func must(e Entry, ok bool) Entry {
	if !ok {
		panic("key not found")
	}
	return e
}

func TestAnEmptySetRangeChangesNothing(t *testing.T) {
	k := filled(t, 1)
	for _, c := range []struct {
		name string
		key  []byte
		want int
	}{
		{"of a key that exists", key(0), 5},
		{"of a key that is missing", key(9), 0},
	} {
		n, err := k.DB(0).SetRange(c.key, 100, nil)
		if err != nil || n != c.want {
			t.Errorf("%s: %d, %v; want %d", c.name, n, err, c.want)
		}
	}
	if k.DB(0).Len() != 1 {
		t.Error("a key was created")
	}
}
