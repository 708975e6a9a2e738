package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parse feeds a stream in pieces of the given size, in a new buffer each time as
// a connection whose buffer moves does, and returns the requests.
func parse(p *Parser, stream []byte, piece int) (requests []string, err error) {
	var buf []byte
	for from := 0; from < len(stream); from += piece {
		buf = append(bytes.Clone(buf), stream[from:min(len(stream), from+piece)]...)
		for {
			args, n, err := p.Next(buf)
			if err != nil {
				return requests, err
			}
			if n == 0 {
				break
			}
			if len(args) > 0 {
				requests = append(requests, fmt.Sprintf("%q", args))
			}
			buf = buf[n:]
		}
	}
	return requests, nil
}

func TestRequests(t *testing.T) {
	for _, row := range []struct {
		name, stream string
		want         []string
		err          error
	}{
		{name: "an array of bulk strings", stream: "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", want: []string{`["GET" "a"]`}},
		{name: "two requests in a row", stream: "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", want: []string{`["PING"]`, `["QUIT"]`}},
		{name: "an empty argument", stream: "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", want: []string{`["ECHO" ""]`}},
		{name: "line ends within an argument", stream: "*1\r\n$4\r\n\r\n\r\n\r\n", want: []string{`["\r\n\r\n"]`}},
		{name: "an inline request", stream: "SET  a\t'b c'\r\n", want: []string{`["SET" "a" "b c"]`}},
		{name: "an inline request with a bare newline", stream: "PING\n", want: []string{`["PING"]`}},
		{name: "empty requests are skipped", stream: "\r\n\n*0\r\n*-1\r\nPING\r\n", want: []string{`["PING"]`}},
		{name: "half a request", stream: "*2\r\n$3\r\nGET\r\n$1\r\n"},
		{name: "a good request before a bad one is still seen", stream: "PING\r\n*x\r\n", want: []string{`["PING"]`}, err: ErrMultibulkLength},
		{name: "a negative bulk length", stream: "*1\r\n$-1\r\n", err: ErrBulkLength},
		{name: "a bulk above the limit", stream: "*1\r\n$1001\r\n", err: ErrBulkLength},
		{name: "too many arguments", stream: "*101\r\n", err: ErrMultibulkLength},
		{name: "no dollar", stream: "*1\r\n:1\r\n", err: ProtocolError("expected '$', got ':'")},
		{name: "open quotes", stream: "GET \"a\r\n", err: ErrUnbalancedQuotes},
		{name: "a long line without end", stream: strings.Repeat("x", 201), err: ErrTooBigInline},
		{name: "a long count without end", stream: "*" + strings.Repeat("1", 201), err: ErrTooBigMultibulk},
		{name: "a long bulk header without end", stream: "*1\r\n$" + strings.Repeat("1", 201), err: ErrTooBigBulkHeader},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, len(row.stream)} {
				p := &Parser{Limits: Limits{MaxBulk: 1000, MaxMultibulk: 100, MaxInline: 200}}
				got, err := parse(p, []byte(row.stream), piece)
				if fmt.Sprint(got) != fmt.Sprint(row.want) || !errors.Is(err, row.err) {
					t.Errorf("in pieces of %d: got %v, %v; want %v, %v", piece, got, err, row.want, row.err)
				}
			}
		})
	}
}

func TestNeedTellsTheSizeOfALargeArgument(t *testing.T) {
	p := &Parser{}
	head := "*2\r\n$4\r\nECHO\r\n$1000\r\n"
	if _, n, err := p.Next([]byte(head + "xx")); n != 0 || err != nil {
		t.Fatalf("Next: %d, %v", n, err)
	}
	if got, want := p.Need(), len(head)+1000+2; got != want {
		t.Errorf("Need() = %d, want %d", got, want)
	}
}

func TestArgumentsDoNotGrowIntoTheNextOne(t *testing.T) {
	p := &Parser{}
	buf := []byte("*2\r\n$1\r\na\r\n$1\r\nb\r\n")
	args, _, err := p.Next(buf)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(args[0], "overwritten"...)
	if string(args[1]) != "b" {
		t.Errorf("appending to the first argument changed the second to %q", args[1])
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	p := &Parser{}
	buf := AppendCommand(nil, []byte("SET"), []byte("key"), []byte("value"))
	if n := testing.AllocsPerRun(100, func() { _, _, _ = p.Next(buf) }); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}

func TestParseInt(t *testing.T) {
	for _, row := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"7", 7, true}, {"-1", -1, true}, {"9223372036854775807", 1<<63 - 1, true},
		{"-9223372036854775808", -1 << 63, true}, {"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false},
		{"18446744073709551616", 0, false}, {"", 0, false}, {"-", 0, false}, {"-0", 0, false}, {"01", 0, false},
		{"+1", 0, false}, {" 1", 0, false}, {"1 ", 0, false}, {"1x", 0, false}, {"123456789012345678901", 0, false},
	} {
		if got, ok := ParseInt([]byte(row.in)); got != row.want || ok != row.ok {
			t.Errorf("ParseInt(%q) = %d, %v; want %d, %v", row.in, got, ok, row.want, row.ok)
		}
	}
}

func TestSplitArgs(t *testing.T) {
	for _, row := range []struct {
		line, want string
		err        error
	}{
		{line: "", want: `[]`},
		{line: "  ", want: `[]`},
		{line: `a b`, want: `["a" "b"]`},
		{line: `"" ''`, want: `["" ""]`},
		{line: `"a b" 'c d'`, want: `["a b" "c d"]`},
		{line: `"\x41\n\t\"\\"`, want: `["A\n\t\"\\"]`},
		{line: `'\n\''`, want: `["\\n'"]`},
		{line: `a"b c"`, want: `["ab c"]`},
		{line: `"a"b`, err: ErrUnbalancedQuotes},
		{line: `"a`, err: ErrUnbalancedQuotes},
		{line: `'a`, err: ErrUnbalancedQuotes},
		{line: `"\x4"`, want: `["x4"]`},
		{line: "a\x00b", want: `["a"]`},
	} {
		got, err := SplitArgs([]byte(row.line))
		if err == nil && fmt.Sprintf("%q", got) != row.want || !errors.Is(err, row.err) {
			t.Errorf("SplitArgs(%q) = %q, %v; want %s, %v", row.line, got, err, row.want, row.err)
		}
	}
}

// FuzzParser checks that the pieces in which a stream arrives make no difference.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "PING\r\n", "*1\r\n$-1\r\n", "SET 'a' \"b\\x00\"\r\n", "*3\r\n$1\r\n", "*0\r\n*-1\r\n\r\nA\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		if piece < 1 || piece > len(stream) {
			piece = 1
		}
		limits := Limits{MaxBulk: 1 << 16, MaxMultibulk: 1 << 10, MaxInline: 1 << 20}
		whole, wholeErr := parse(&Parser{Limits: limits}, stream, max(1, len(stream)))
		parts, partsErr := parse(&Parser{Limits: limits}, stream, piece)
		if fmt.Sprint(whole) != fmt.Sprint(parts) || fmt.Sprint(wholeErr) != fmt.Sprint(partsErr) {
			t.Errorf("at once: %v, %v\nin pieces of %d: %v, %v", whole, wholeErr, piece, parts, partsErr)
		}
	})
}
