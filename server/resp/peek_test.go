package resp

import (
	"strings"
	"testing"
)

func TestPeekKey(t *testing.T) {
	get := "*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n"
	many := "*17\r\n" + strings.Repeat("$1\r\na\r\n", 17)
	for _, row := range []struct {
		name, buf, key string
		size           int
	}{
		{"a request with a key", get, "key:1", len(get)},
		{"others behind it", get + "*1\r\n", "key:1", len(get)},
		{"an empty key", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "", 19},
		{"no key", "*1\r\n$4\r\nPING\r\n", "", 14},
		{"no arguments", "*0\r\n", "", 4},
		{"too many arguments", many, "", 0},
		{"an inline request", "GET key:1\r\n", "", 0},
		{"a negative count", "*-1\r\n", "", 0},
		{"a length of many digits", "*2\r\n$3\r\nGET\r\n$12345678\r\n", "", 0},
		{"nothing", "", "", 0},
	} {
		if key, size := PeekKey([]byte(row.buf)); string(key) != row.key || size != row.size {
			t.Errorf("%s: %q, %d; want %q, %d", row.name, key, size, row.key, row.size)
		}
	}
	for n := range get {
		if key, size := PeekKey([]byte(get[:n])); key != nil || size != 0 {
			t.Errorf("the first %d bytes: %q, %d", n, key, size)
		}
	}
}

// FuzzPeekKey checks that what PeekKey sees is what the parser then finds.
func FuzzPeekKey(f *testing.F) {
	for _, seed := range []string{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "*1\r\n$4\r\nPING\r\nx", "*0\r\n", "*2\r\n$1\r\na\r\n$0\r\n\r\n", "*1\r\n$01\r\na\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		key, size := PeekKey(stream)
		args, n, err := (&Parser{}).Next(stream)
		if size == 0 || err != nil {
			return // nothing is promised
		}
		if n != size || len(args) > 1 && string(args[1]) != string(key) || len(args) < 2 && key != nil {
			t.Errorf("PeekKey: %q, %d; Next: %q, %d", key, size, args, n)
		}
	})
}
