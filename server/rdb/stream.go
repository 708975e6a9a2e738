package rdb

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// StreamItem is a piece of a stream. They come in the order of their kinds, except
// that groups are nested: what is pending at a group follows it, then come its
// consumers, each followed by what is pending at it.
type StreamItem struct {
	Kind       StreamItemKind
	Bytes      []byte // a name, or a node; valid until the next item
	ID         StreamID
	Time       int64 // Unix milliseconds
	Active     int64 // Unix milliseconds
	Deliveries int64
	Read       int64
	State      StreamCounters
}

// StreamItemKind says what a StreamItem is.
type StreamItemKind byte

// The kinds, with what each has.
const (
	StreamNode     StreamItemKind = iota + 1 // ID, Bytes: a node, checked, and what its IDs are relative to
	StreamState                              // State
	StreamGroup                              // Bytes; ID: the last one delivered; Read: how many entries, -1 if unknown
	StreamPending                            // ID, Time: of the last delivery, Deliveries
	StreamConsumer                           // Bytes; Time: when it was seen; Active: when it got something, -1 for never
	StreamOwned                              // ID: is pending at the consumer
)

// StreamID is the ID of an entry: a time in Unix milliseconds and a number.
type StreamID struct{ Ms, Seq uint64 }

// StreamCounters are what a stream remembers beside its entries.
type StreamCounters struct {
	Length int64
	Last   StreamID
	// Complete says that the rest is known, which Redis before 7.0 did not write.
	Complete          bool
	First, MaxDeleted StreamID
	Added             int64
}

// streamPhase is where the reading of a stream is: what comes next.
type streamPhase uint8

const (
	atNode streamPhase = iota
	atState
	atGroup
	atPending
	atConsumer
	atOwned
)

// streamUnread is what is left of a stream under way.
type streamUnread struct {
	phase streamPhase
	// How many of each kind there are, those of the inner kinds within the
	// current one of the outer.
	nodes, groups, pending, consumers, owned int64
}

// stream reads a stream, or the first part of it.
func (r *Reader) stream(wireType byte) (Value, error) {
	nodes, err := r.count("a number of nodes")
	if err != nil {
		return Value{}, err
	}
	r.unread = unread{wireType: wireType, count: nodes, left: 1, stream: streamUnread{nodes: nodes}}
	return r.part()
}

// streamPart reads on in the stream under way until it ends or the part is full.
func (r *Reader) streamPart() (Value, error) {
	u := &r.unread
	v := Value{Type: TypeStream, Form: FormStream, Count: u.count}
	r.value = recycled(r.value)
	for u.left > 0 && len(r.value) < r.partBytes {
		if err := r.streamStep(); err != nil {
			u.left = 0
			return v, err
		}
	}
	v.Data, v.More = r.value, u.left > 0
	return v, nil
}

// named appends the beginning of an item: its kind, and the name that comes next.
func (r *Reader) named(kind StreamItemKind, what string) (err error) {
	if r.blob, err = r.str(recycled(r.blob), what); err == nil {
		r.value = appendElement(append(r.value, byte(kind)), r.blob)
	}
	return err
}

// streamStep reads the next item, or finds that there are no more of its kind.
func (r *Reader) streamStep() (err error) {
	u := &r.unread.stream
	next := func(left *int64, read func() error, after streamPhase) error {
		if *left == 0 {
			u.phase = after
			return nil
		}
		*left--
		return read()
	}
	switch u.phase {
	case atNode:
		return next(&u.nodes, r.streamNode, atState)
	case atState:
		u.phase = atGroup
		return r.streamState()
	case atGroup:
		if u.groups == 0 {
			r.unread.left = 0
			return nil
		}
		return next(&u.groups, r.streamGroup, atGroup)
	case atPending:
		if u.pending == 0 {
			u.consumers, err = r.count("a number of consumers")
		}
		if err != nil {
			return err
		}
		return next(&u.pending, r.streamPending, atConsumer)
	case atConsumer:
		return next(&u.consumers, r.streamConsumer, atGroup)
	default:
		return next(&u.owned, r.streamOwned, atConsumer)
	}
}

func (r *Reader) streamNode() (err error) {
	at := r.src.pos()
	if r.blob, err = r.str(recycled(r.blob), "the ID of a node"); err != nil {
		return err
	}
	if len(r.blob) != 16 {
		return &FormatError{Pos: at, What: fmt.Sprintf("the ID of a node has %d bytes", len(r.blob))}
	}
	r.value = append(append(r.value, byte(StreamNode)), r.blob...)
	at = r.src.pos()
	if r.blob, err = r.str(recycled(r.blob), "a node of a stream"); err != nil {
		return err
	}
	if err = checkStreamNode(r.blob); err != nil {
		return &FormatError{Pos: at, What: "a node of a stream", Err: err}
	}
	r.value = appendElement(r.value, r.blob)
	return nil
}

// numbers appends so many numbers to the value, which are spelled as lengths are.
func (r *Reader) numbers(n int, what string) error {
	for range n {
		v, err := r.number(what)
		if err != nil {
			return err
		}
		r.value = binary.BigEndian.AppendUint64(r.value, v)
	}
	return nil
}

// number reads a length of which all 64 bits count.
func (r *Reader) number(what string) (uint64, error) {
	at := r.src.pos()
	n, special, err := r.length(what)
	if err == nil && special {
		err = &FormatError{Pos: at, What: what + " is not a number"}
	}
	return n, err
}

func (r *Reader) streamState() (err error) {
	r.value = append(r.value, byte(StreamState))
	at := r.src.pos()
	length, err := r.count("the length of a stream")
	if err != nil {
		return err
	}
	if length > 0 && r.unread.count == 0 {
		return &FormatError{Pos: at, What: fmt.Sprintf("a stream of %d entries without a node", length)}
	}
	r.value = binary.BigEndian.AppendUint64(r.value, uint64(length))
	rest := 2 // the last ID
	if r.unread.wireType != wireStream1 {
		rest = 7 // also the first ID, the greatest deleted ID, and what was added
	}
	if err = r.numbers(rest, "the state of a stream"); err != nil {
		return err
	}
	r.value = append(r.value, make([]byte, 8*(7-rest))...)
	r.value = append(r.value, byte(rest))
	r.unread.stream.groups, err = r.count("a number of groups")
	return err
}

func (r *Reader) streamGroup() (err error) {
	u := &r.unread.stream
	if err = r.named(StreamGroup, "the name of a group"); err != nil {
		return err
	}
	if err = r.numbers(2, "the last ID of a group"); err != nil {
		return err
	}
	read := uint64(math.MaxUint64) // -1
	if r.unread.wireType != wireStream1 {
		if read, err = r.number("what a group has read"); err != nil {
			return err
		}
	}
	r.value = binary.BigEndian.AppendUint64(r.value, read)
	u.phase = atPending
	u.pending, err = r.count("a number of pending entries")
	return err
}

func (r *Reader) streamPending() error {
	r.value = append(r.value, byte(StreamPending))
	if err := r.fixed(16, "the ID of a pending entry"); err != nil {
		return err
	}
	if err := r.streamTime("the time of a delivery"); err != nil {
		return err
	}
	return r.numbers(1, "a number of deliveries")
}

// fixed appends so many bytes as they come.
func (r *Reader) fixed(n int, what string) error {
	p, err := r.src.take(n, what)
	if err == nil {
		r.value = append(r.value, p...)
	}
	return err
}

func (r *Reader) streamTime(what string) error {
	p, err := r.src.take(8, what)
	if err == nil {
		r.value = binary.BigEndian.AppendUint64(r.value, binary.LittleEndian.Uint64(p))
	}
	return err
}

func (r *Reader) streamConsumer() (err error) {
	u := &r.unread.stream
	if err = r.named(StreamConsumer, "the name of a consumer"); err != nil {
		return err
	}
	if err = r.streamTime("when a consumer was seen"); err != nil {
		return err
	}
	if r.unread.wireType == wireStream3 {
		if err = r.streamTime("when a consumer was active"); err != nil {
			return err
		}
	} else {
		// That it was seen is the best that is known.
		r.value = append(r.value, r.value[len(r.value)-8:]...)
	}
	u.phase = atOwned
	u.owned, err = r.count("a number of pending entries")
	return err
}

func (r *Reader) streamOwned() error {
	r.value = append(r.value, byte(StreamOwned))
	return r.fixed(16, "the ID of a pending entry")
}

// Stream gives the items of a value of FormStream.
func (v *Value) Stream() iter.Seq[StreamItem] {
	return func(yield func(StreamItem) bool) {
		for c := (cursor{v.Data}); len(c.rest) > 0; {
			if !yield(c.item()) {
				return
			}
		}
	}
}

// A cursor takes items apart that the reader has put together.
type cursor struct{ rest []byte }

func (c *cursor) uint64() uint64 {
	n := binary.BigEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return n
}

func (c *cursor) int64() int64 { return int64(c.uint64()) }

func (c *cursor) id() StreamID {
	ms := c.uint64()
	return StreamID{ms, c.uint64()}
}

func (c *cursor) bytes() (p []byte) {
	p, c.rest = cutElement(c.rest)
	return p
}

func (c *cursor) item() StreamItem {
	item := StreamItem{Kind: StreamItemKind(c.rest[0])}
	c.rest = c.rest[1:]
	switch item.Kind {
	case StreamNode:
		item.ID = c.id()
		item.Bytes = c.bytes()
	case StreamState:
		s := &item.State
		s.Length, s.Last, s.First, s.MaxDeleted, s.Added = c.int64(), c.id(), c.id(), c.id(), c.int64()
		s.Complete = c.rest[0] > 2
		c.rest = c.rest[1:]
	case StreamGroup:
		item.Bytes, item.ID, item.Read = c.bytes(), c.id(), c.int64()
	case StreamPending:
		item.ID, item.Time, item.Deliveries = c.id(), c.int64(), c.int64()
	case StreamConsumer:
		item.Bytes, item.Time, item.Active = c.bytes(), c.int64(), c.int64()
	case StreamOwned:
		item.ID = c.id()
	}
	return item
}

// StreamNode writes a node of a stream. Their number comes before them, by Count.
func (e *Encoder) StreamNode(id StreamID, node []byte) {
	const size = 16
	e.Count(size)
	e.StreamPendingID(id)
	e.String(node)
}

// StreamState writes what follows the nodes. The number of groups comes next.
func (e *Encoder) StreamState(s StreamCounters) {
	e.Count(uint64(s.Length))
	e.streamID(s.Last)
	e.streamID(s.First)
	e.streamID(s.MaxDeleted)
	e.Count(uint64(s.Added))
}

// StreamGroup begins a group. What is pending comes next: the number, and each.
func (e *Encoder) StreamGroup(name []byte, last StreamID, read int64) {
	e.String(name)
	e.streamID(last)
	e.Count(uint64(read))
}

// StreamPending writes a pending entry. After these comes the number of consumers.
func (e *Encoder) StreamPending(id StreamID, time, deliveries int64) {
	e.StreamPendingID(id)
	e.Buf = binary.LittleEndian.AppendUint64(e.Buf, uint64(time))
	e.Count(uint64(deliveries))
	e.handOver()
}

// StreamConsumer begins a consumer. What is pending at it comes next: the number,
// and the ID of each.
func (e *Encoder) StreamConsumer(name []byte, seen int64) {
	e.String(name)
	e.Buf = binary.LittleEndian.AppendUint64(e.Buf, uint64(seen))
}

// StreamPendingID writes the ID of an entry pending at a consumer.
func (e *Encoder) StreamPendingID(id StreamID) {
	e.Buf = binary.BigEndian.AppendUint64(e.Buf, id.Ms)
	e.Buf = binary.BigEndian.AppendUint64(e.Buf, id.Seq)
	e.handOver()
}

func (e *Encoder) streamID(id StreamID) {
	e.Count(id.Ms)
	e.Count(id.Seq)
}
