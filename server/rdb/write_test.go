package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
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

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	want := map[string]string{}
	var out bytes.Buffer
	w := NewWriter(&out)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.Header(Aux{"redis-ver", "7.0.15"}, Aux{"repl-offset", "123456789012"}))
	for _, db := range []int{0, 3, 15} {
		check(w.SelectDB(db, len(values), len(values)/2))
		for i, v := range values {
			expire := int64(i%2) * 4_000_000_000_000
			check(w.StringEntry([]byte(v), []byte(v), expire))
			want[fmt.Sprintf("%d/%s", db, v)] = fmt.Sprintf("%s@%d", v, expire)
		}
	}
	// A piece from somebody else's buffer, larger than the writer's own.
	big := strings.Repeat("z", 3*bufferSize)
	check(w.Raw(AppendStringEntry(nil, []byte("big"), []byte(big), 0)))
	check(w.Raw(AppendStringEntry(nil, []byte("last"), []byte("one"), 0)))
	want["15/big"], want["15/last"] = big+"@0", "one@0"
	check(w.Close())

	if int64(out.Len()) != w.Written() {
		t.Errorf("written %d, told %d", out.Len(), w.Written())
	}
	h := &collect{entries: map[string]string{}}
	check(Read(&out, h))
	if !maps.Equal(h.entries, want) {
		t.Errorf("read %d entries, wrote %d", len(h.entries), len(want))
	}
}

type fullDisk struct{ room int }

var errNoSpace = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		n := d.room
		d.room = 0
		return n, errNoSpace
	}
	d.room -= len(p)
	return len(p), nil
}

func TestWriterTellsThatTheDiskIsFullUntilTheEnd(t *testing.T) {
	w := NewWriter(&fullDisk{room: 100_000})
	var failed error
	for i := range 10 {
		if err := w.StringEntry(fmt.Appendf(nil, "key:%d", i), bytes.Repeat([]byte("v"), 50_000), 0); err != nil {
			failed = err
		}
	}
	if !errors.Is(failed, errNoSpace) {
		t.Errorf("writing: %v", failed)
	}
	if err := w.Close(); !errors.Is(err, errNoSpace) {
		t.Errorf("closing: %v", err)
	}
}

func TestDumpIsParsedAgain(t *testing.T) {
	for _, v := range values {
		payload := AppendDumpString([]byte("before"), []byte(v))[len("before"):]
		got, err := ParseDump(payload)
		if err != nil || got.Type != TypeString || string(got.String) != v {
			t.Errorf("%.20q came back as %.20q, %v", v, got.String, err)
		}
	}
}

func TestParseDumpRefuses(t *testing.T) {
	good := AppendDumpString(nil, []byte("some value"))
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
		{"a flipped bit", flipped, "version or checksum are wrong"},
		{"a newer version", sealed("\x00\x01a", MaxVersion+1), "version or checksum are wrong"},
		{"a list", sealed("\x01\x01\x01a", 9), "a list is not supported"},
		{"a type that does not exist", sealed("\x63\x01a", 9), "99 is not the type of any value"},
		{"more than a value", sealed("\x00\x01aXX", 9), "2 bytes are left over"},
		{"less than a value", sealed("\x00\x05a", 9), "the data ends in the middle of a string value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDump(tt.payload)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, %v; want an error that says %q", got.String, err, tt.want)
			}
		})
	}
}

func FuzzParseDump(f *testing.F) {
	for _, v := range values[:26] {
		f.Add(AppendDumpString(nil, []byte(v)))
	}
	f.Add([]byte("\x00\xc3\x05\x0a\x00x\xe0\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		value, err := ParseDump(payload)
		if !bytes.Equal(before, payload) {
			t.Fatal("the payload was changed")
		}
		if err != nil {
			return
		}
		again, err := ParseDump(AppendDumpString(nil, value.String))
		if err != nil || !bytes.Equal(again.String, value.String) {
			t.Fatalf("%q came back as %q, %v", value.String, again.String, err)
		}
	})
}

func BenchmarkAppendStringEntry(b *testing.B) {
	key, value := []byte("key:0000000000001"), bytes.Repeat([]byte("v"), 32)
	buf := make([]byte, 0, 1<<16)
	for b.Loop() {
		if buf = AppendStringEntry(buf, key, value, 1<<40); len(buf) > 1<<15 {
			buf = buf[:0]
		}
	}
}

func BenchmarkReader(b *testing.B) {
	var out bytes.Buffer
	w := NewWriter(&out)
	rng := rand.New(rand.NewPCG(1, 2))
	const entries = 10_000
	_ = w.Header() // a bytes.Buffer takes everything
	for i := range entries {
		_ = w.StringEntry(fmt.Appendf(nil, "key:%012d", i), fmt.Appendf(nil, "%032x", rng.Uint64()), 0)
	}
	_ = w.Close()
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		r := NewReader(bytes.NewReader(out.Bytes()))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
