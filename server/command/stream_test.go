package command

import (
	"fmt"
	"testing"
)

func TestHotPathsOfStreamsDoNotAllocate(t *testing.T) {
	s := newSubject(t)
	s.env.Effects = discard{}
	now := scriptTime
	s.now = func() int64 { now++; return now }
	s.do(words(t, "XGROUP CREATE stream group 0 MKSTREAM")...)
	for _, line := range []string{
		"XADD stream * field some-value", "XADD stream MAXLEN ~ 1000 * field some-value other 17",
		"XADD stream 9999999999999-* other-field some-value", "XLEN stream", "XRANGE stream - + COUNT 3",
		"XREVRANGE stream + - COUNT 3", "XREAD COUNT 3 STREAMS stream 0", "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
		"XREADGROUP GROUP group consumer COUNT 1 NOACK STREAMS stream >", "XACK stream group 1-1", "XDEL stream 1-1",
	} {
		args := words(t, line)
		s.do(args...)
		for range 300 {
			s.do(args...) // buffers have grown
		}
		if n := testing.AllocsPerRun(500, func() { s.do(args...) }); n != 0 {
			t.Errorf("%s allocates %v times", line, n)
		}
	}
}

func BenchmarkXAdd(b *testing.B) {
	for _, size := range []int{32, 1024} {
		b.Run(fmt.Sprintf("%d bytes", size), func(b *testing.B) {
			s := newSubject(b)
			s.env.Effects = discard{}
			now := scriptTime
			s.now = func() int64 { return now }
			args := words(b, fmt.Sprintf("XADD stream MAXLEN ~ 100000 * field %0*d", size, 1))
			b.ReportAllocs()
			for i := range b.N {
				now += int64(i & 1)
				s.do(args...)
			}
		})
	}
}
