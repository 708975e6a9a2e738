package rdb

import (
	"errors"
	"fmt"
	"io"
)

// bufferSize is a compromise: large enough that the cost of a read(2) and of
// setting up the checksum does not show, small enough to forget about.
const bufferSize = 64 << 10

// source hands out the bytes of r, counting them and adding them to the
// checksum. Invariant: 0 <= summed <= head <= tail <= len(buf); bytes before
// summed are in the checksum.
type source struct {
	r      io.Reader
	buf    []byte
	head   int // next byte to hand out
	tail   int // end of what has been read
	summed int
	sum    uint64
	base   int64 // position of buf[0] in the stream
}

// pos is the number of bytes handed out so far.
func (s *source) pos() int64 { return s.base + int64(s.head) }

// checksum is over all bytes handed out so far.
func (s *source) checksum() uint64 {
	s.sum = Checksum(s.sum, s.buf[s.summed:s.head])
	s.summed = s.head
	return s.sum
}

// take hands out the next n bytes, n at most bufferSize. They are valid until
// the next call.
func (s *source) take(n int, what string) ([]byte, error) {
	for s.tail-s.head < n {
		if err := s.fill(what); err != nil {
			return nil, err
		}
	}
	p := s.buf[s.head : s.head+n]
	s.head += n
	return p, nil
}

// takeSome hands out at least one and at most n bytes.
func (s *source) takeSome(n int, what string) ([]byte, error) {
	if s.tail == s.head {
		if err := s.fill(what); err != nil {
			return nil, err
		}
	}
	return s.take(min(n, s.tail-s.head), what)
}

// fill reads more behind what is there. It moves the rest to the front first.
func (s *source) fill(what string) error {
	s.checksum()
	copy(s.buf, s.buf[s.head:s.tail])
	s.base += int64(s.head)
	s.tail -= s.head
	s.head, s.summed = 0, 0
	for range 100 { // a reader that returns nothing again and again is broken
		n, err := s.r.Read(s.buf[s.tail:])
		s.tail += n
		switch {
		case n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return &FormatError{Pos: s.base + int64(s.tail), What: "the data ends in the middle of " + what, Err: io.ErrUnexpectedEOF}
		case err != nil:
			return fmt.Errorf("read rdb at byte %d: %w", s.base+int64(s.tail), err)
		}
	}
	return fmt.Errorf("read rdb at byte %d: %w", s.base+int64(s.tail), io.ErrNoProgress)
}
