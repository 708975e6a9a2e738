package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// file puts a header before and an end with a right checksum behind parts.
func file(parts ...string) []byte {
	b := []byte("REDIS0011" + strings.Join(parts, ""))
	return AppendEOF(b, Checksum(0, b))
}

// describe reads everything and says in words what it was.
func describe(r io.Reader) (string, error) {
	var b strings.Builder
	reader := NewReader(r)
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		switch rec.Kind {
		case KindAux:
			fmt.Fprintf(&b, "aux %s=%s;", rec.Key, rec.Value.Data)
		case KindSelectDB:
			fmt.Fprintf(&b, "db %d;", rec.DB)
		case KindResizeDB:
			fmt.Fprintf(&b, "resize %d %d;", rec.Keys, rec.Volatile)
		case KindEntry:
			fmt.Fprintf(&b, "%d %s=%s", rec.DB, rec.Key, spell(&rec.Value))
			if rec.ExpireAt != 0 {
				fmt.Fprintf(&b, " until %d", rec.ExpireAt)
			}
			if rec.IdleSeconds >= 0 {
				fmt.Fprintf(&b, " idle %d", rec.IdleSeconds)
			}
			if rec.Frequency >= 0 {
				fmt.Fprintf(&b, " freq %d", rec.Frequency)
			}
			b.WriteString(";")
		case KindMore:
			fmt.Fprintf(&b, "+%s", spell(&rec.Value))
		case KindFunction:
			fmt.Fprintf(&b, "function %s;", rec.Value.Data)
		case KindEnd:
			b.WriteString("end")
		}
	}
}

// spell writes a value down as its elements.
func spell(v *Value) string {
	var words []string
	switch v.Type {
	case TypeString:
		return string(v.Data)
	case TypeHash:
		for field, value := range v.Pairs() {
			words = append(words, fmt.Sprintf("%s:%s", field, value))
		}
	case TypeSortedSet:
		for member, score := range v.Scored() {
			words = append(words, fmt.Sprintf("%s@%g", member, score))
		}
	case TypeStream:
		for item := range v.Stream() {
			words = append(words, spellItem(item))
		}
	default:
		for p := range v.Elements() {
			words = append(words, string(p))
		}
	}
	return fmt.Sprintf("%v%v", v.Type, words)
}

func TestReader(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing but an end", file(), "end"},
		{"notes, one of them a number", file("\xfa\x03abc\x02de", "\xfa\x03num\xc0\x40"), "aux abc=de;aux num=64;end"},
		{"two databases", file("\xfe\x00\xfb\x02\x01", "\x00\x01a\x01b", "\xfe\x0f", "\x00\x01c\x01d"), "db 0;resize 2 1;0 a=b;db 15;15 c=d;end"},
		{"an expiry in milliseconds belongs to the next key only",
			file("\xfc\x01\x02\x00\x00\x00\x00\x00\x00\x00\x01a\x01b", "\x00\x01c\x01d"), "0 a=b until 513;0 c=d;end"},
		{"an expiry in seconds", file("\xfd\x02\x00\x00\x00\x00\x01a\x01b"), "0 a=b until 2000;end"},
		{"an expiry before 1970 is long past, not none", file("\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01a\x01b"), "0 a=b until 1;end"},
		{"idle time and frequency", file("\xf8\x05\xf9\x07\x00\x01a\x01b", "\x00\x01c\x01d"), "0 a=b idle 5 freq 7;0 c=d;end"},
		{"a function library", file("\xf5\x04code"), "function code;end"},
		{"slot information is skipped", file("\xf4\x01\x02\x03\x00\x01a\x01b"), "0 a=b;end"},
		{"numbers of 8, 16 and 32 bits", file("\x00\x01a\xc0\xff", "\x00\x01b\xc1\x00\x80", "\x00\x01c\xc2\xff\xff\xff\x7f"), "0 a=-1;0 b=-32768;0 c=2147483647;end"},
		{"a key that is a number", file("\x00\xc0\x07\x01b"), "0 7=b;end"},
		{"a length of 14 bits", file("\x00\x01a\x40\x41" + strings.Repeat("x", 65)), "0 a=" + strings.Repeat("x", 65) + ";end"},
		{"a length of 32 bits", file("\x00\x01a\x80\x00\x00\x00\x01x"), "0 a=x;end"},
		{"a length of 64 bits", file("\x00\x01a\x81\x00\x00\x00\x00\x00\x00\x00\x01x"), "0 a=x;end"},
		// "x", then a copy of length 2+7+0 at distance 1.
		{"a compressed run", file("\x00\x01a\xc3\x05\x0a\x00x\xe0\x00\x00"), "0 a=" + strings.Repeat("x", 10) + ";end"},
		{"a sorted set out of order is put into order", file("\x11\x01z\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x02\x01\x81b\x02\x01\x01\xff"), "0 z=zset[a@2 b@1];end"},
		{"a list of nodes, an empty one among them", file("\x12\x01l\x03\x02\x07\x07\x00\x00\x00\x00\x00\xff\x01\x03abc\x02\x0a\x0a\x00\x00\x00\x01\x00\x81z\x02\xff"), "0 l=list[abc z];end"},
		{"a packed set of Redis 7.2", file("\x14\x01s\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff"), "0 s=set[a];end"},
		{"an empty value", file("\x00\x01a\x00"), "0 a=;end"},
		{"version 4 has no checksum", []byte("REDIS0004\x00\x01a\x01b\xff"), "0 a=b;end"},
		{"a checksum of 0 is none", []byte("REDIS0011\x00\x01a\x01b\xff\x00\x00\x00\x00\x00\x00\x00\x00"), "0 a=b;end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{
				"at once":      bytes.NewReader(tt.data),
				"byte by byte": iotest.OneByteReader(bytes.NewReader(tt.data)),
			} {
				got, err := describe(r)
				if err != nil || strings.TrimSuffix(got, "end")+"end" != tt.want {
					t.Errorf("read %s: %q, %v, want %q", way, got, err, tt.want)
				}
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	moduleID := string(binary.BigEndian.AppendUint64([]byte{len64}, moduleID("ReJSON-RL", 3)))
	tests := []struct {
		name string
		data []byte
		want string // what the error says
	}{
		{"an empty file", nil, "byte 0: the data ends in the middle of the header"},
		{"another kind of file", []byte("<html><body>"), `not an RDB file: it begins with "<html"`},
		{"a version that is not a number", []byte("REDIS00x1\xff"), `byte 5: the version "00x1" is not a number`},
		{"a newer version", []byte("REDIS0012\xff"), "REDIS version 12, and this server reads REDIS versions 1 to 11"},
		{"a file of Valkey 9", []byte("VALKEY080\xff"), "VALKEY version 80"},
		{"a file that was cut in a value", []byte("REDIS0011\x00\x01a\x05xyz"), "byte 16: the data ends in the middle of a string value"},
		{"a file without an end", []byte("REDIS0011\x00\x01a\x01x"), "byte 14: the data ends in the middle of an entry"},
		{"a file that was cut in the checksum", []byte("REDIS0011\xff\x01\x02"), "byte 12: the data ends in the middle of the checksum"},
		{"a wrong checksum", []byte("REDIS0011\xff\x01\x02\x03\x04\x05\x06\x07\x08"), "byte 10: checksum does not match"},
		{"a type that does not exist", file("\x08\x01a"), "byte 9: 8 is not the type of any value"},
		{"a value of a module", file("\x07\x01j" + moduleID), `byte 9: key "j" holds a value of module type ReJSON-RL`},
		{"a function library of a release candidate", file("\xf6"), `byte 9: a function library of a Redis 7.0 release candidate is not supported`},
		{"data of a module", file("\xf7" + moduleID), `byte 9: data of module type ReJSON-RL that belongs to no key is not supported`},
		{"a length that is none", file("\x00\x01a\x82"), "byte 12: 0x82 does not begin a length (of a string value)"},
		{"an unknown encoding", file("\x00\x01a\xc4"), "byte 12: a string value has the unknown encoding 4"},
		{"a value of a petabyte", file("\x00\x01a\x81\x00\x04\x00\x00\x00\x00\x00\x00"), "byte 12: a string value of 1125899906842624 bytes is longer than 536870912"},
		{"a few bytes that claim to be compressed from many", file("\x00\x01a\xc3\x02\x80\x10\x00\x00\x00ab"), "2 compressed bytes can not stand for 268435456"},
		{"damaged compressed bytes", file("\x00\x01a\xc3\x02\x05\x20\x09"), "byte 12: the compressed bytes of a string value are damaged"},
		{"a list that ends too early", file("\x01\x01l\x02\x01a")[:14], "the data ends in the middle of an element of a list"},
		{"a score that is no number", file("\x05\x01z\x01\x01m\x00\x00\x00\x00\x00\x00\xf8\x7f"), "byte 15: a score is not a number"},
		{"a score that is no text of one", file("\x03\x01z\x01\x01m\x03abc"), `byte 15: "abc" is not a score`},
		{"an intset out of order", file("\x0b\x01s\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x01\x00"), "byte 12: a packed set is damaged"},
		{"a listpack that is longer than it says", file("\x10\x01h\x08\x07\x00\x00\x00\x00\x00\xff\xff"), "byte 12: a packed hash is damaged"},
		{"a hash with half a pair", file("\x10\x01h\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff"), "byte 12: a packed hash is damaged: 1 elements do not make pairs"},
		{"a hash with a field twice", file("\x10\x01h\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81a\x02\x01\x01\xff"), `byte 12: a packed hash is damaged: "a" occurs twice`},
		{"a ziplist that is cut", file("\x0d\x01h\x05\x05\x00\x00\x00\x00"), "byte 12: a packed hash is damaged: it ends too early"},
		{"a zipmap without an end", file("\x09\x01h\x03\x01\x00\x00"), "byte 12: a packed hash is damaged: it does not end with its end mark"},
		{"an unknown kind of node", file("\x12\x01l\x01\x03\x01a"), "byte 13: 3 is not the kind of a node of a list"},
		{"an encoding where a number must be", file("\xfe\xc0\x01"), "byte 10: a database index is not a number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := describe(bytes.NewReader(tt.data))
			if err == nil {
				t.Fatalf("read %q without an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// moduleID spells a module's name of nine characters as the number in a file.
func moduleID(name string, version uint64) uint64 {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var id uint64
	for _, c := range name {
		id = id<<6 | uint64(strings.IndexRune(alphabet, c))
	}
	return id<<10 | version
}

func TestReaderErrorsAreTyped(t *testing.T) {
	var unsupported *UnsupportedTypeError
	module := string(binary.BigEndian.AppendUint64([]byte{len64}, moduleID("ReJSON-RL", 3)))
	if _, err := describe(bytes.NewReader(file("\x07\x01h" + module))); !errors.As(err, &unsupported) || string(unsupported.Key) != "h" || unsupported.What != "a value of module type ReJSON-RL" || unsupported.Pos != 9 {
		t.Errorf("a module's value: %#v", err)
	}
	if _, err := describe(strings.NewReader("REDIS00")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a truncated file: %v", err)
	}
	broken := errors.New("cable pulled")
	if _, err := describe(io.MultiReader(strings.NewReader("REDIS0011\x00"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	damaged := file("\x00\x01a\x01b")
	damaged[13] ^= 1
	if _, err := describe(bytes.NewReader(damaged)); !errors.Is(err, ErrChecksum) {
		t.Errorf("a flipped bit: %v", err)
	}
}

func TestReaderStaysAtItsError(t *testing.T) {
	r := NewReader(strings.NewReader("REDIS0011\x08"))
	_, first := r.Next()
	_, second := r.Next()
	if first == nil || first.Error() != second.Error() {
		t.Errorf("first %v, then %v", first, second)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file("\xfa\x03abc\x02de", "\xfe\x00\xfb\x02\x01", "\xfc\x01\x02\x00\x00\x00\x00\x00\x00\x00\x01a\x01b"))
	f.Add(file("\x00\x01a\xc3\x05\x0a\x00x\xe0\x00\x00", "\x00\xc0\x07\xc2\xff\xff\xff\x7f"))
	f.Add(file("\xf5\x04code", "\xf4\x01\x02\x03", "\x07\x01j\x81\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Add(streamFile(wireStream2))
	f.Add(streamFile(wireStream3))
	f.Add([]byte("REDIS0004\x00\x01a\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data))
		total := 0
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			total += len(rec.Key) + len(rec.Value.Data)
			_ = spell(&rec.Value) // every value that is given can be taken apart
			if rec.Pos < 0 || rec.Pos > int64(len(data)) || rec.DB < 0 {
				t.Fatalf("impossible record %+v", rec)
			}
		}
		if r.Consumed() > int64(len(data)) {
			t.Fatalf("consumed %d of %d bytes", r.Consumed(), len(data))
		}
		if total > 2*len(data)*lzfMaxRatio+64 {
			t.Fatalf("%d bytes came out of %d", total, len(data))
		}
	})
}
