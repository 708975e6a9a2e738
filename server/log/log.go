package log

import (
	"errors"
	"fmt"
)

// ErrOutsideWindow says that a byte is not kept: it was dropped long ago, or has
// not been written yet.
var ErrOutsideWindow = errors.New("offset is outside the window")

// MinCapacity is the smallest window, in bytes, as for repl-backlog-size.
const MinCapacity = 16 << 10

// A sixteenth of the window per block keeps what is held beyond the window below
// an eighth of it; the upper limit bounds the pause for clearing a new block.
const (
	minBlock = 4 << 10
	maxBlock = 1 << 20
)

// block is a run of consecutive stream bytes. Only the last one grows.
type block struct {
	start int64 // number of data[0]
	data  []byte
	next  *block
}

func (b *block) end() int64 { return b.start + int64(len(b.data)) - 1 }

// Log is the window of the newest stream bytes.
//
// Invariants: head.start <= first <= end+1; the blocks are contiguous; no cursor
// stands before first.
type Log struct {
	capacity int64
	first    int64 // number of the oldest byte that counts as kept
	end      int64 // number of the newest byte; the replication offset
	head     *block
	tail     *block
	spare    *block // one dropped block, so that a full window allocates nothing
	cursors  []*Cursor
	held     int64 // bytes of memory in blocks, the spare included
}

// New makes an empty log that ends at offset 0. A capacity below MinCapacity is
// raised to it.
func New(capacity int64) *Log {
	l := &Log{capacity: max(capacity, MinCapacity)}
	l.Reset(0)
	return l
}

// Reset drops every byte and continues after end: the next byte appended is
// number end+1. Cursors become invalid and are closed.
func (l *Log) Reset(end int64) {
	for _, c := range l.cursors {
		c.log, c.at = nil, nil
	}
	l.cursors = nil
	l.end, l.first = end, end+1
	l.head = l.newBlock(end + 1)
	l.tail = l.head
	l.spare = nil
	l.held = int64(cap(l.head.data))
}

// End is the number of the newest byte, which is the replication offset.
func (l *Log) End() int64 { return l.end }

// First is the number of the oldest byte kept; End+1 when nothing is kept.
func (l *Log) First() int64 { return l.first }

// Len is the number of bytes kept, those that only a cursor keeps included.
func (l *Log) Len() int64 { return l.end - l.first + 1 }

// Capacity is the size of the unpinned window in bytes.
func (l *Log) Capacity() int64 { return l.capacity }

// MemoryBytes is what the blocks occupy.
func (l *Log) MemoryBytes() int64 { return l.held }

// Has reports whether a reader may start at byte number next. End+1 is fine: it
// means "nothing missed", as when 100 bytes were written and byte 101 is asked.
func (l *Log) Has(next int64) bool { return next >= l.first && next <= l.end+1 }

// Append adds p to the stream. p is copied.
func (l *Log) Append(p []byte) {
	for len(p) > 0 {
		room := cap(l.tail.data) - len(l.tail.data)
		if room == 0 {
			l.grow()
			continue
		}
		n := min(room, len(p))
		l.tail.data = append(l.tail.data, p[:n]...)
		l.end += int64(n)
		p = p[n:]
		// Trimming per block and not once at the end bounds the memory while a
		// value larger than the whole window passes through.
		l.trim()
	}
}

// Resize changes the capacity and keeps the newest bytes. Growing does not bring
// back bytes that were already dropped.
func (l *Log) Resize(capacity int64) {
	l.capacity = max(capacity, MinCapacity)
	l.spare = nil
	l.recount()
	l.trim()
}

// Copy returns the bytes numbered from to through, both included.
func (l *Log) Copy(from, through int64) ([]byte, error) {
	if from < l.first || through > l.end || from > through+1 {
		return nil, fmt.Errorf("copy bytes %d to %d of a log that holds %d to %d: %w", from, through, l.first, l.end, ErrOutsideWindow)
	}
	out := make([]byte, 0, through-from+1)
	for b := l.find(from); b != nil && b.start <= through; b = b.next {
		lo := max(from, b.start) - b.start
		hi := min(through, b.end()) - b.start + 1
		if hi > lo {
			out = append(out, b.data[lo:hi]...)
		}
	}
	return out, nil
}

func (l *Log) blockSize() int { return int(min(max(l.capacity/16, minBlock), maxBlock)) }

func (l *Log) newBlock(start int64) *block {
	return &block{start: start, data: make([]byte, 0, l.blockSize())}
}

func (l *Log) grow() {
	b := l.spare
	if b != nil {
		l.spare = nil
		b.start, b.data, b.next = l.end+1, b.data[:0], nil
	} else {
		b = l.newBlock(l.end + 1)
		l.held += int64(cap(b.data))
	}
	l.tail.next = b
	l.tail = b
}

// trim moves first forward to where the capacity and the cursors allow, and lets
// go of the blocks before it.
func (l *Log) trim() {
	first := l.end - l.capacity + 1
	if first <= l.first {
		return
	}
	for _, c := range l.cursors {
		first = min(first, c.next)
	}
	if first <= l.first {
		return
	}
	l.first = first
	for l.head != l.tail && l.head.end() < first {
		gone := l.head
		l.head = gone.next
		gone.next = nil
		// A cursor that has read this block to its end may still point to it.
		for _, c := range l.cursors {
			if c.at == gone {
				c.at = l.head
			}
		}
		if l.spare == nil && cap(gone.data) == l.blockSize() {
			l.spare = gone
			continue
		}
		l.held -= int64(cap(gone.data))
	}
}

func (l *Log) recount() {
	l.held = 0
	for b := l.head; b != nil; b = b.next {
		l.held += int64(cap(b.data))
	}
}

// find returns the block that holds byte number n, or the last one for End+1.
func (l *Log) find(n int64) *block {
	b := l.head
	for b.next != nil && n > b.end() {
		b = b.next
	}
	return b
}
