package log

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// model is the log as one would write it without caring for speed: all bytes
// ever appended, and the rule for the window.
type model struct {
	all      []byte // all[i] is byte number i+1
	base     int64  // offset of the last Reset
	first    int64
	capacity int64
	cursors  map[*Cursor]int64
}

func (m *model) end() int64 { return m.base + int64(len(m.all)) }

func (m *model) trim() {
	first := m.end() - m.capacity + 1
	for _, next := range m.cursors {
		first = min(first, next)
	}
	m.first = max(m.first, first)
}

func (m *model) bytes(from int64) []byte { return m.all[from-m.base-1:] }

// play runs a script of operations against the log and the model and compares
// them after each step.
func play(t *testing.T, script []byte) {
	l := New(MinCapacity)
	m := &model{first: 1, capacity: MinCapacity, cursors: map[*Cursor]int64{}}
	fill := byte(0)
	var open []*Cursor
	for i := 0; i+2 < len(script); i += 3 {
		op, arg := script[i], int64(script[i+1])<<8|int64(script[i+2])
		switch op % 8 {
		case 0, 1, 2:
			p := make([]byte, arg)
			for j := range p {
				p[j] = fill
				fill++
			}
			l.Append(p)
			m.all = append(m.all, p...)
		case 3:
			at := m.first + arg%(m.end()-m.first+2)
			c, err := l.Cursor(at)
			if err != nil {
				t.Fatalf("cursor at %d of %d..%d: %v", at, m.first, m.end(), err)
			}
			open = append(open, c)
			m.cursors[c] = at
		case 4, 5:
			if len(open) == 0 {
				continue
			}
			c := open[int(arg)%len(open)]
			got := c.Chunk()
			if c.Pending() > 0 && len(got) == 0 {
				t.Fatalf("no chunk at %d although %d bytes are pending", c.Next(), c.Pending())
			}
			if want := m.bytes(m.cursors[c]); !bytes.HasPrefix(want, got) {
				t.Fatalf("chunk at %d differs from the stream", c.Next())
			}
			n := min(arg, c.Pending())
			c.Advance(arg)
			m.cursors[c] += n
		case 6:
			if len(open) == 0 {
				continue
			}
			k := int(arg) % len(open)
			open[k].Close()
			delete(m.cursors, open[k])
			open = append(open[:k], open[k+1:]...)
		case 7:
			if arg%5 == 0 {
				l.Reset(arg)
				*m = model{base: arg, first: arg + 1, capacity: m.capacity, cursors: map[*Cursor]int64{}}
				open = nil
				continue
			}
			l.Resize(MinCapacity + arg)
			m.capacity = MinCapacity + arg
		}
		m.trim()
		if l.First() != m.first || l.End() != m.end() || l.Len() != m.end()-m.first+1 {
			t.Fatalf("step %d: log holds %d..%d, want %d..%d", i/3, l.First(), l.End(), m.first, m.end())
		}
		got, err := l.Copy(m.first, m.end())
		if err != nil || !bytes.Equal(got, m.bytes(m.first)) {
			t.Fatalf("step %d: the window's bytes differ from the stream (%v)", i/3, err)
		}
		if limit := l.Len() + 3*int64(maxBlock); l.MemoryBytes() > limit {
			t.Fatalf("step %d: %d bytes held for a window of %d", i/3, l.MemoryBytes(), l.Len())
		}
	}
}

func TestLogBehavesAsTheNaiveModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 3*300)
		for i := range script {
			script[i] = byte(r.Uint32())
			if i%3 == 1 { // mostly small operations
				script[i] >>= r.UintN(8)
			}
		}
		play(t, script)
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte{0, 1, 0, 3, 0, 0, 0, 100, 0, 4, 1, 0, 7, 9, 9, 6, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 600 {
			script = script[:600]
		}
		play(t, script)
	})
}

func TestWindowBounds(t *testing.T) {
	// 20,000 bytes through a window of 16,384: bytes 3,617 to 20,000 are kept.
	l := New(MinCapacity)
	l.Append(make([]byte, 20000))
	for _, tc := range []struct {
		name string
		next int64
		want bool
	}{
		{"the oldest byte kept can be asked for", 3617, true},
		{"the byte before the oldest is gone", 3616, false},
		{"one past the end means nothing was missed", 20001, true},
		{"two past the end is a reader that is ahead of us", 20002, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := l.Cursor(tc.next)
			if got := err == nil; got != tc.want || got != l.Has(tc.next) {
				t.Fatalf("cursor at %d: %v", tc.next, err)
			}
			if err != nil {
				if !errors.Is(err, ErrOutsideWindow) {
					t.Fatalf("error %v does not wrap ErrOutsideWindow", err)
				}
				return
			}
			c.Close()
		})
	}
}

func TestPinnedSurplusIsUsableUntilItsCursorMoves(t *testing.T) {
	l := New(MinCapacity)
	slow, err := l.Cursor(1)
	if err != nil {
		t.Fatal(err)
	}
	l.Append(make([]byte, 100000))
	if l.First() != 1 {
		t.Fatalf("a slow reader at byte 1, yet the window starts at %d", l.First())
	}
	second, err := l.Cursor(5)
	if err != nil {
		t.Fatalf("the surplus is not usable: %v", err)
	}
	slow.Close()
	if l.First() != 5 {
		t.Fatalf("window starts at %d, want 5: the second reader needs it", l.First())
	}
	second.Advance(second.Pending())
	if want := int64(100000 - MinCapacity + 1); l.First() != want {
		t.Fatalf("window starts at %d, want %d", l.First(), want)
	}
}

func BenchmarkAppend(b *testing.B) {
	l := New(1 << 20)
	c, err := l.Cursor(1)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 64)
	b.ReportAllocs()
	b.SetBytes(64)
	for b.Loop() {
		l.Append(p)
		c.Advance(int64(len(c.Chunk())))
	}
}
