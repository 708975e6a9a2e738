package command

import (
	"bytes"
	"testing"
)

func TestPushingAndPoppingAllocateNothing(t *testing.T) {
	for _, size := range []int{3, 32, 1024} {
		s := newSubject(t)
		s.env.Effects = nil
		value := bytes.Repeat([]byte("7"), size)
		for range 5000 {
			s.do([]byte("RPUSH"), []byte("list"), value)
		}
		for _, args := range [][][]byte{
			{[]byte("LPUSH"), []byte("list"), value}, {[]byte("RPUSH"), []byte("list"), value},
			{[]byte("LPOP"), []byte("list")}, {[]byte("RPOP"), []byte("list")}, {[]byte("LLEN"), []byte("list")},
			{[]byte("LINDEX"), []byte("list"), []byte("2000")}, {[]byte("LRANGE"), []byte("list"), []byte("100"), []byte("120")},
			{[]byte("LMOVE"), []byte("list"), []byte("list"), []byte("LEFT"), []byte("RIGHT")},
		} {
			if allocs := testing.AllocsPerRun(1000, func() { s.do(args...) }); allocs > 0 {
				t.Errorf("%s of %d bytes: %v allocations", args[0], size, allocs)
			}
		}
	}
}
