package resp

import (
	"math"
	"testing"
)

func TestReplies(t *testing.T) {
	for _, row := range []struct {
		name         string
		write        func(*Writer)
		resp2, resp3 string
	}{
		{"a status", func(w *Writer) { w.Simple("PONG") }, "+PONG\r\n", "+PONG\r\n"},
		{"an error keeps to one line", func(w *Writer) { w.Error("ERR a\r\nb") }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"small and large integers", func(w *Writer) { w.Int(-1); w.Int(7); w.Int(42); w.Int(math.MaxInt64) },
			":-1\r\n:7\r\n:42\r\n:9223372036854775807\r\n", ":-1\r\n:7\r\n:42\r\n:9223372036854775807\r\n"},
		{"a bulk string", func(w *Writer) { w.Bulk([]byte("a\r\n")) }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
		{"nothing", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"no array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"a map", func(w *Writer) { w.Map(1); w.Int(1); w.Int(2) }, "*2\r\n:1\r\n:2\r\n", "%1\r\n:1\r\n:2\r\n"},
		{"a set", func(w *Writer) { w.Set(1); w.Int(1) }, "*1\r\n:1\r\n", "~1\r\n:1\r\n"},
		{"a push message", func(w *Writer) { w.Push(1); w.Int(1) }, "*1\r\n:1\r\n", ">1\r\n:1\r\n"},
		{"truth", func(w *Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", "#t\r\n#f\r\n"},
		{"doubles", func(w *Writer) { w.Double(1.5); w.Double(3); w.Double(math.Inf(-1)) },
			"$3\r\n1.5\r\n$1\r\n3\r\n$4\r\n-inf\r\n", ",1.5\r\n,3\r\n,-inf\r\n"},
		{"verbatim text", func(w *Writer) { w.Verbatim("txt", "hi") }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
		{"a big number", func(w *Writer) { w.BigNumber("123") }, "$3\r\n123\r\n", "(123\r\n"},
		{"attributes vanish in version 2", func(w *Writer) {
			if w.Attribute(1) {
				w.Int(1)
				w.Int(2)
			}
			w.OK()
		}, "+OK\r\n", "|1\r\n:1\r\n:2\r\n+OK\r\n"},
		{"a header that is known afterwards", func(w *Writer) {
			w.OK()
			mark := w.Mark()
			for range 12 {
				w.Int(1)
			}
			w.InsertArray(mark, 12)
		}, "+OK\r\n*12\r\n" + ones, "+OK\r\n*12\r\n" + ones},
		{"a map's header that is known afterwards", func(w *Writer) {
			mark := w.Mark()
			w.Int(1)
			w.Int(1)
			w.InsertMap(mark, 1)
		}, "*2\r\n:1\r\n:1\r\n", "%1\r\n:1\r\n:1\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for proto, want := range map[int]string{2: row.resp2, 3: row.resp3} {
				w := &Writer{Proto: proto}
				row.write(w)
				if got := string(w.Buf); got != want {
					t.Errorf("version %d: got %q, want %q", proto, got, want)
				}
			}
		})
	}
}

const ones = ":1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"

func TestDoublesAreSpelledAsInRedis72(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "1": 1, "-17": -17, "0.1": 0.1, "-0.25": -0.25, "3.5": 3.5, "inf": math.Inf(1), "nan": math.NaN(),
		"100000000": 1e8, "4611686018427387904": 1 << 62, "9223372036854776000": 1 << 63, "5e+18": 5e18, "1e+20": 1e20,
		"12345678901234567000": 1.2345678901234567e19, "1.7976931348623157e+308": math.MaxFloat64, "5e-324": 5e-324,
		"0.000001": 1e-6, "1e-7": 1e-7, "0.000012": 1.2e-5, "0.0012345678": 1.2345678e-3, "1.2345678e-4": 1.2345678e-4, "1.2345678e-5": 1.2345678e-5,
		"123.4567891": 123.4567891, "1234.12345678": 1234.12345678, "1.234512345678e+4": 12345.12345678, "-1.5e+300": -1.5e300,
	} {
		if got := string(AppendDouble(nil, v)); got != want {
			t.Errorf("%v is spelled %s, want %s", v, got, want)
		}
	}
	for want, v := range map[string]float64{"0": math.Copysign(0, -1), "1": 1, "13.36138933897018433": 13.361389338970184, "-0.5": -0.5} {
		w := &Writer{Proto: 3}
		if w.HumanDouble(v); string(w.Buf) != ","+want+"\r\n" {
			t.Errorf("%v is spelled %q, want %s", v, w.Buf, want)
		}
	}
}
