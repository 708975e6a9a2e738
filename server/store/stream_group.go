package store

import (
	"cmp"
	"slices"
	"sort"
)

// StreamGroup is a group of consumers that share the entries of a stream. It and
// its consumers may be changed under the same conditions as their stream.
type StreamGroup struct {
	// LastID is the ID of the last entry that was delivered.
	LastID StreamID
	// Read is how many entries of the stream's Added ones are up to LastID, or
	// UnknownRead.
	Read int64

	arena     *arena // for its account of what is pending
	name      string
	pending   ordered[StreamDelivery]
	consumers []*StreamConsumer // by name
	numbers   []*StreamConsumer // by number; nil: the number is free
}

// UnknownRead is the value of StreamGroup.Read when it can not be told.
const UnknownRead = -1

// StreamDelivery is an entry that a consumer has got and not acknowledged.
type StreamDelivery struct {
	Time     int64 // of the last delivery, in Unix milliseconds
	Count    int64 // of deliveries
	consumer uint32
}

// StreamConsumer is a member of a group.
type StreamConsumer struct {
	Seen   int64 // when it last tried to get something, in Unix milliseconds
	Active int64 // when it last got something; -1: never

	name    string
	number  uint32 // within the group: deliveries refer to their consumer without a pointer
	pending ordered[struct{}]
}

// Name is the name of the group.
func (g *StreamGroup) Name() string { return g.name }

// Name is the name of the consumer.
func (c *StreamConsumer) Name() string { return c.name }

// Groups are the groups of the stream by name. The slice is the stream's own.
func (s *Stream) Groups() []*StreamGroup { return s.groups }

// Group finds a group; nil if there is none of that name.
func (s *Stream) Group(name []byte) *StreamGroup {
	if i, ok := s.groupAt(name); ok {
		return s.groups[i]
	}
	return nil
}

func (s *Stream) groupAt(name []byte) (i int, found bool) {
	i = sort.Search(len(s.groups), func(i int) bool { return s.groups[i].name >= string(name) })
	return i, i < len(s.groups) && s.groups[i].name == string(name)
}

// AddGroup adds a group that goes on after an ID; nil if there is one of that
// name already.
func (s *Stream) AddGroup(name []byte, last StreamID, read int64) *StreamGroup {
	i, found := s.groupAt(name)
	if found {
		return nil
	}
	g := &StreamGroup{LastID: last, Read: read, arena: s.ks.arena, name: string(name)}
	s.groups = slices.Insert(s.groups, i, g)
	return g
}

// RemoveGroup removes a group, and tells whether it was there.
func (s *Stream) RemoveGroup(name []byte) bool {
	i, found := s.groupAt(name)
	if found {
		s.groups[i].hold(-s.groups[i].pending.count)
		s.groups = slices.Delete(s.groups, i, i+1)
	}
	return found
}

// pendingBytes is what a pending entry takes: 16 bytes for its ID in the group and
// in the consumer each, and the StreamDelivery.
const pendingBytes = 56

// hold takes account of so many pending entries more.
func (g *StreamGroup) hold(entries int) { g.arena.objects.outside += entries * pendingBytes }

// Consumers are the consumers of the group by name. The slice is the group's own.
func (g *StreamGroup) Consumers() []*StreamConsumer { return g.consumers }

// Consumer finds a consumer; nil if there is none of that name.
func (g *StreamGroup) Consumer(name []byte) *StreamConsumer {
	if i, ok := g.consumerAt(name); ok {
		return g.consumers[i]
	}
	return nil
}

func (g *StreamGroup) consumerAt(name []byte) (i int, found bool) {
	i = sort.Search(len(g.consumers), func(i int) bool { return g.consumers[i].name >= string(name) })
	return i, i < len(g.consumers) && g.consumers[i].name == string(name)
}

// AddConsumer adds a consumer that was seen at a time, in Unix milliseconds, and
// has got nothing yet; nil if there is one of that name already.
func (g *StreamGroup) AddConsumer(name []byte, seen int64) *StreamConsumer {
	i, found := g.consumerAt(name)
	if found {
		return nil
	}
	c := &StreamConsumer{Seen: seen, Active: -1, name: string(name)}
	number := slices.Index(g.numbers, nil)
	if number < 0 {
		number = len(g.numbers)
		g.numbers = append(g.numbers, nil)
	}
	g.numbers[number] = c
	c.number = uint32(number)
	g.consumers = slices.Insert(g.consumers, i, c)
	return c
}

// RemoveConsumer removes a consumer of the group, and what was delivered to it.
func (g *StreamGroup) RemoveConsumer(c *StreamConsumer) {
	for at := (orderedAt{}); !c.pending.ended(at); at = c.pending.next(at) {
		if p, ok := g.pending.find(c.pending.id(at)); ok {
			g.pending.remove(p)
			g.hold(-1)
		}
	}
	g.numbers[c.number] = nil
	i, _ := slices.BinarySearchFunc(g.consumers, c.name, func(c *StreamConsumer, name string) int {
		return cmp.Compare(c.name, name)
	})
	g.consumers = slices.Delete(g.consumers, i, i+1)
}

// Pending is the number of entries that were delivered to the group and not
// acknowledged.
func (g *StreamGroup) Pending() int { return g.pending.count }

// Pending is the number of entries that were delivered to the consumer and not
// acknowledged.
func (c *StreamConsumer) Pending() int { return c.pending.count }

// Delivery finds a pending entry; nil if it is not pending. It is valid until
// the next change of the group.
func (g *StreamGroup) Delivery(id StreamID) *StreamDelivery {
	at, ok := g.pending.find(id)
	if !ok {
		return nil
	}
	return g.pending.val(at)
}

// Owner is the consumer to which an entry was delivered.
func (g *StreamGroup) Owner(d *StreamDelivery) *StreamConsumer { return g.numbers[d.consumer] }

// NextPending is the first pending entry with an ID of from or greater.
func (g *StreamGroup) NextPending(from StreamID) (id StreamID, d *StreamDelivery, ok bool) {
	at := g.pending.seek(from)
	if g.pending.ended(at) {
		return StreamID{}, nil, false
	}
	return g.pending.id(at), g.pending.val(at), true
}

// LastPending is the ID of the last pending entry. There must be one.
func (g *StreamGroup) LastPending() StreamID { return g.pending.id(g.pending.last()) }

// NextPending is the ID of the first entry pending at the consumer that is from
// or greater.
func (c *StreamConsumer) NextPending(from StreamID) (id StreamID, ok bool) {
	at := c.pending.seek(from)
	if c.pending.ended(at) {
		return StreamID{}, false
	}
	return c.pending.id(at), true
}

// Deliver makes an entry pending at a consumer of the group, be it new or
// pending at another one.
func (g *StreamGroup) Deliver(id StreamID, to *StreamConsumer, time, count int64) {
	d := StreamDelivery{Time: time, Count: count, consumer: to.number}
	at, ok := g.pending.find(id)
	if !ok {
		g.pending.insert(id, d)
		g.hold(1)
		to.pending.insert(id, struct{}{})
		return
	}
	was := g.pending.val(at)
	if was.consumer != to.number {
		g.Owner(was).forget(id)
		to.pending.insert(id, struct{}{})
	}
	*was = d
}

// Acknowledge removes a pending entry, and tells whether it was pending.
func (g *StreamGroup) Acknowledge(id StreamID) bool {
	at, ok := g.pending.find(id)
	if !ok {
		return false
	}
	g.Owner(g.pending.val(at)).forget(id)
	g.pending.remove(at)
	g.hold(-1)
	return true
}

func (c *StreamConsumer) forget(id StreamID) {
	if at, ok := c.pending.find(id); ok {
		c.pending.remove(at)
	}
}

func (g *StreamGroup) clone() *StreamGroup {
	c := &StreamGroup{LastID: g.LastID, Read: g.Read, arena: g.arena, name: g.name, pending: g.pending.clone()}
	c.hold(c.pending.count)
	c.numbers = make([]*StreamConsumer, len(g.numbers))
	for _, from := range g.consumers {
		to := *from
		to.pending = from.pending.clone()
		c.numbers[to.number] = &to
		c.consumers = append(c.consumers, &to)
	}
	return c
}
