package rdb

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/intset"
	"github.com/lockstep-db/lockstep/server/store/listpack"
)

func TestChecksumIsThatOfRedis(t *testing.T) {
	if got := Checksum(0, []byte("123456789")); got != 0xE9C6D914C4B8D9CA {
		t.Errorf("checksum %#x", got)
	}
	if Checksum(Checksum(0, []byte("1234")), []byte("56789")) != Checksum(0, []byte("123456789")) {
		t.Error("a checksum in two steps is another one")
	}
}

// values are the spellings at the borders of the encodings.
var values = []string{
	"", "0", "-0", "+1", "01", "1", "-1", "127", "128", "-128", "-129", "32767", "32768", "-32769",
	"2147483647", "2147483648", "-2147483648", "-2147483649", "00000000001", " 1", "1 ", "1.0", "\x00", "-",
	strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("y", 16383), strings.Repeat("y", 16384),
	strings.Repeat("0123456789", 20_000),
}

// fileWriter makes a file with an Encoder whose buffer is small.
type fileWriter struct {
	Encoder
	file []byte
	most int // bytes in the buffer
}

func newFileWriter(compress bool) *fileWriter {
	w := &fileWriter{Encoder: Encoder{Compress: compress, Full: 100}}
	w.HandOver = func() {
		w.most = max(w.most, len(w.Buf))
		w.file = append(w.file, w.Buf...)
		w.Buf = w.Buf[:0]
	}
	w.file = AppendAux(AppendHeader(nil), "redis-ver", "7.0.15")
	return w
}

func (w *fileWriter) selectDB(db, keys, volatile int) {
	w.HandOver()
	w.file = AppendSelectDB(w.file, db, keys, volatile)
}

func (w *fileWriter) end() []byte {
	w.HandOver()
	return AppendEOF(w.file, Checksum(0, w.file))
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compression %v", compress), func(t *testing.T) {
			want, each := dataset()
			w := newFileWriter(compress)
			writeDataset(w, each)
			got, err := readStrings(bytes.NewReader(w.end()))
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("read %d entries, wrote %d: %v", len(got), len(want), err)
			}
			if w.most > 2*w.Full {
				t.Errorf("the buffer has held %d bytes", w.most)
			}
		})
	}
}

// TestEveryShapeIsReadAgain writes what an encoder can write.
func TestEveryShapeIsReadAgain(t *testing.T) {
	texts := func(ss ...string) func(*Encoder) {
		return func(e *Encoder) {
			e.Count(uint64(len(ss)))
			for _, s := range ss {
				e.String([]byte(s))
			}
		}
	}
	pack := func(ss ...string) []byte {
		lp := listpack.New()
		for _, s := range ss {
			lp = listpack.Append(lp, []byte(s))
		}
		return lp
	}
	set, _ := intset.Add(intset.New(), 70000)
	set, _ = intset.Add(set, -5)
	long := strings.Repeat("compressible ", 50)
	tests := []struct {
		name  string
		shape Shape
		write func(*Encoder)
		want  string
	}{
		{"a string", ShapeString, func(e *Encoder) { e.String([]byte(long)) }, long},
		{"a number", ShapeString, func(e *Encoder) { e.Int(-70000) }, "-70000"},
		{"a large number", ShapeString, func(e *Encoder) { e.Int(1 << 40) }, "1099511627776"},
		{"a set", ShapeSet, texts("a", "12", long), "set[a 12 " + long + "]"},
		{"an intset", ShapeIntset, func(e *Encoder) { e.String(set) }, "set[-5 70000]"},
		{"a sorted set", ShapeSortedSet, func(e *Encoder) {
			e.Count(2)
			e.String([]byte("m"))
			e.Score(1.5)
			e.String([]byte("n"))
			e.Score(math.Inf(1))
		}, "zset[m@1.5 n@+Inf]"},
		{"a packed sorted set", ShapeSortedSetPacked, func(e *Encoder) { e.String(pack("m", "-1", "n", "2.5")) }, "zset[m@-1 n@2.5]"},
		{"a hash", ShapeHash, func(e *Encoder) {
			e.Count(1)
			e.String([]byte("f"))
			e.String([]byte("v"))
		}, "hash[f:v]"},
		{"a packed hash", ShapeHashListpack, func(e *Encoder) { e.String(pack("f", "1", "g", long)) }, "hash[f:1 g:" + long + "]"},
		{"a list", ShapeList, func(e *Encoder) {
			e.Count(3)
			e.Node(pack("a", "1"), true)
			e.Node([]byte(long), false)
			e.Node(pack("z"), true)
		}, "list[a 1 " + long + " z]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, compress := range []bool{false, true} {
				w := newFileWriter(compress)
				w.Entry(tt.shape, []byte("key"), 5000, Access{7, 8})
				tt.write(&w.Encoder)
				want := "aux redis-ver=7.0.15;0 key=" + tt.want + " until 5000 idle 7 freq 8;end"
				if got, err := describe(bytes.NewReader(w.end())); err != nil || got != want {
					t.Errorf("compression %v: %.200q, %v, want %.200q", compress, got, err, want)
				}
			}
			var e Encoder
			e.Type(tt.shape)
			tt.write(&e)
			v, err := ParseDump(AppendFooter(e.Buf, 0))
			if err != nil || spell(&v) != tt.want {
				t.Errorf("as a payload: %.200q, %v", spell(&v), err)
			}
		})
	}
}

func TestLargeValuesComeInParts(t *testing.T) {
	const n = 100_000
	var e Encoder
	e.Buf = AppendHeader(nil)
	e.Entry(ShapeSet, []byte("big"), 0, NoAccess)
	e.Count(n)
	for i := range n {
		e.String(fmt.Appendf(nil, "member:%d", i))
	}
	e.Entry(ShapeString, []byte("next"), 0, NoAccess)
	e.String([]byte("one"))
	r := NewReader(bytes.NewReader(AppendEOF(e.Buf, Checksum(0, e.Buf))))
	seen, parts := 0, 0
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		if rec.Value.Type != TypeSet {
			continue
		}
		parts++
		if string(rec.Key) != "big" || len(rec.Value.Data) > partBytes+100 || rec.Value.Count != n || (rec.Kind == KindMore) != (parts > 1) {
			t.Fatalf("part %d: kind %d, key %q, %d bytes, count %d", parts, rec.Kind, rec.Key, len(rec.Value.Data), rec.Value.Count)
		}
		for p := range rec.Value.Elements() {
			if string(p) != fmt.Sprintf("member:%d", seen) {
				t.Fatalf("element %d is %q", seen, p)
			}
			seen++
		}
		if rec.Value.More != (seen < n) {
			t.Fatalf("after %d elements, more is %v", seen, rec.Value.More)
		}
	}
	if seen != n || parts < 5 || r.err != io.EOF {
		t.Errorf("%d elements in %d parts, %v", seen, parts, r.err)
	}
}

func dumpString(value []byte) []byte {
	var e Encoder
	e.Type(ShapeString)
	e.String(value)
	return AppendFooter(e.Buf, 0)
}

func TestDumpIsParsedAgain(t *testing.T) {
	for _, v := range values {
		payload := dumpString([]byte(v))
		got, err := ParseDump(payload)
		if err != nil || got.Type != TypeString || string(got.Data) != v {
			t.Errorf("%.20q came back as %.20q, %v", v, got.Data, err)
		}
	}
}

func TestParseDumpRefuses(t *testing.T) {
	good := dumpString([]byte("some value"))
	sealed := func(body string, version uint16) []byte {
		p := append([]byte(body), byte(version), byte(version>>8))
		sum := Checksum(0, p)
		for range 8 {
			p = append(p, byte(sum))
			sum >>= 8
		}
		return p
	}
	flipped := bytes.Clone(good)
	flipped[3] ^= 4
	tests := []struct {
		name    string
		payload []byte
		want    string
	}{
		{"nothing", nil, "version or checksum are wrong"},
		{"a footer without a body", good[len(good)-footerSize:], "version or checksum are wrong"},
		{"no checksum", append(good[:len(good)-8:len(good)-8], make([]byte, 8)...), "version or checksum are wrong"},
		{"a flipped bit", flipped, "version or checksum are wrong"},
		{"a newer version", sealed("\x00\x01a", MaxVersion+1), "version or checksum are wrong"},
		{"a module's value", sealed("\x07\x81\x00\x00\x00\x00\x00\x00\x00\x00", 9), "a value of module type AAAAAAAAA is not supported"},
		{"an empty hash", sealed("\x04\x00", 9), "a hash without elements"},
		{"a type that does not exist", sealed("\x63\x01a", 9), "99 is not the type of any value"},
		{"more than a value", sealed("\x00\x01aXX", 9), "2 bytes are left over"},
		{"less than a value", sealed("\x00\x05a", 9), "the data ends in the middle of a string value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDump(tt.payload)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, %v; want an error that says %q", got.Data, err, tt.want)
			}
		})
	}
}

func FuzzParseDump(f *testing.F) {
	for _, v := range values[:26] {
		f.Add(dumpString([]byte(v)))
	}
	f.Add([]byte("\x00\xc3\x05\x0a\x00x\xe0\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > footerSize { // or nothing but the checksum would be looked at
			payload = AppendFooter(payload[:len(payload)-footerSize:len(payload)-footerSize], 0)
		}
		before := bytes.Clone(payload)
		value, err := ParseDump(payload)
		if !bytes.Equal(before, payload) {
			t.Fatal("the payload was changed")
		}
		if err != nil {
			return
		}
		_ = spell(&value)
		if value.Type != TypeString {
			return
		}
		again, err := ParseDump(dumpString(value.Data))
		if err != nil || !bytes.Equal(again.Data, value.Data) {
			t.Fatalf("%q came back as %q, %v", value.Data, again.Data, err)
		}
	})
}

// FuzzOldForms: what can be converted holds together.
func FuzzOldForms(f *testing.F) {
	f.Add([]byte("\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff"))
	f.Add([]byte("\x01\x03foo\x03\x01bar.\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, convert := range map[string]func(dst, p []byte) ([]byte, error){"ziplist": appendZiplist, "zipmap": appendZipmap} {
			lp, err := convert(nil, data)
			if err != nil {
				continue
			}
			if err := listpack.Valid(lp, true); err != nil {
				t.Errorf("a %s became a listpack that is not valid: %v", name, err)
			}
		}
	})
}

func FuzzCompression(f *testing.F) {
	f.Add([]byte("compressible compressible compressible"))
	f.Add(bytes.Repeat([]byte("ab"), 5000))
	var c compressor
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < compressFrom {
			return
		}
		packed, ok := c.append(nil, data, len(data)-4)
		if !ok {
			return
		}
		if back, ok := appendLZF(nil, packed, len(data)); !ok || !bytes.Equal(back, data) || len(packed) >= len(data)-4 {
			t.Fatalf("%d bytes became %d, and then %d", len(data), len(packed), len(back))
		}
	})
}

func BenchmarkEncodeString(b *testing.B) {
	key, value := []byte("key:0000000000001"), bytes.Repeat([]byte("v"), 32)
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprintf("compression %v", compress), func(b *testing.B) {
			e := Encoder{Compress: compress, Full: 1 << 15}
			e.HandOver = func() { e.Buf = e.Buf[:0] }
			for b.Loop() {
				e.Entry(ShapeString, key, 1<<40, NoAccess)
				e.String(value)
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	w := newFileWriter(false)
	rng := rand.New(rand.NewPCG(1, 2))
	const entries = 10_000
	for i := range entries {
		w.Entry(ShapeString, fmt.Appendf(nil, "key:%012d", i), 0, NoAccess)
		w.String(fmt.Appendf(nil, "%032x", rng.Uint64()))
	}
	data := w.end()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(data))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
