package log

import "fmt"

// Cursor is one reader's place in the log. The bytes from Next on stay in the log
// until the cursor has passed them or is closed.
type Cursor struct {
	log  *Log
	next int64  // number of the byte that Chunk starts with
	at   *block // the block that holds next, or one before it
}

// Cursor starts a reader at byte number next. The error wraps ErrOutsideWindow.
func (l *Log) Cursor(next int64) (*Cursor, error) {
	if !l.Has(next) {
		return nil, fmt.Errorf("read from byte %d of a log that holds %d to %d: %w", next, l.first, l.end, ErrOutsideWindow)
	}
	c := &Cursor{log: l, next: next, at: l.find(next)}
	l.cursors = append(l.cursors, c)
	return c, nil
}

// Next is the number of the byte that comes next.
func (c *Cursor) Next() int64 { return c.next }

// Valid reports whether the cursor still belongs to a log: Close and Log.Reset
// end it.
func (c *Cursor) Valid() bool { return c.log != nil }

// Pending is the number of bytes between the cursor and the end of the log.
func (c *Cursor) Pending() int64 {
	if c.log == nil {
		return 0
	}
	return c.log.end - c.next + 1
}

// Chunk returns the bytes at the cursor that lie together in memory; empty when
// nothing is pending. They are valid until the cursor moves.
func (c *Cursor) Chunk() []byte {
	if c.log == nil {
		return nil
	}
	for c.next > c.at.end() && c.at.next != nil {
		c.at = c.at.next
	}
	return c.at.data[c.next-c.at.start:]
}

// Advance moves the cursor past n bytes, at most Pending.
func (c *Cursor) Advance(n int64) {
	if c.log == nil {
		return
	}
	c.next += min(n, c.Pending())
	for c.next > c.at.end() && c.at.next != nil {
		c.at = c.at.next
	}
	c.log.trim()
}

// Close lets go of the cursor's bytes. Closing twice is harmless.
func (c *Cursor) Close() {
	l := c.log
	if l == nil {
		return
	}
	c.log, c.at = nil, nil
	for i, o := range l.cursors {
		if o == c {
			l.cursors = append(l.cursors[:i], l.cursors[i+1:]...)
			break
		}
	}
	l.trim()
}
