package server

import (
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
)

// topicKind is what a subscription is about.
type topicKind uint8

const (
	topicChannel topicKind = iota
	topicPattern           // all channels whose names match
	topicShard             // a channel of a shard; without shards, a name space of its own
	topicKinds
)

// pubsub knows who listens to what. A message is encoded once, however many
// connections it goes to, and is gone when nobody listens.
type pubsub struct {
	topics   [topicKinds]map[string]*topic
	patterns []*topic // those of topicPattern: every message is held against each
	listener int64    // number of subscriptions ever made: their order
	message  []byte   // the one being delivered; reused
}

// topic is a channel or a pattern that somebody listens to.
type topic struct {
	name    string
	kind    topicKind
	at      int // in pubsub.patterns
	members []*subscription
}

// subscription is one connection's interest in one topic.
type subscription struct {
	c     *conn
	topic *topic
	at    int // in topic.members
	order int64
}

// subscriptions are what a connection listens to.
type subscriptions [topicKinds]map[string]*subscription

// subscribed is the number of subscriptions of a kind.
func (c *conn) subscribed(kind topicKind) int {
	if c.subs == nil {
		return 0
	}
	return len(c.subs[kind])
}

// listens says whether the connection is in subscriber mode.
func (c *conn) listens() bool { return c.subs != nil }

// add makes c listen to a topic and tells whether it did not yet.
func (p *pubsub) add(c *conn, kind topicKind, name []byte) bool {
	if c.subs == nil {
		c.subs = &subscriptions{}
	}
	mine := c.subs[kind]
	if mine[string(name)] != nil {
		return false
	}
	t := p.topics[kind][string(name)]
	if t == nil {
		t = &topic{name: string(name), kind: kind}
		if p.topics[kind] == nil {
			p.topics[kind] = map[string]*topic{}
		}
		p.topics[kind][t.name] = t
		if kind == topicPattern {
			t.at = len(p.patterns)
			p.patterns = append(p.patterns, t)
		}
	}
	if mine == nil {
		mine = map[string]*subscription{}
		c.subs[kind] = mine
	}
	p.listener++
	sub := &subscription{c: c, topic: t, at: len(t.members), order: p.listener}
	t.members = append(t.members, sub)
	mine[t.name] = sub
	c.interested(1, t.name)
	return true
}

// drop ends c's interest in a topic and tells whether it had any.
func (p *pubsub) drop(c *conn, kind topicKind, name []byte) bool {
	if c.subs == nil {
		return false
	}
	sub := c.subs[kind][string(name)]
	if sub == nil {
		return false
	}
	p.end(sub)
	delete(c.subs[kind], sub.topic.name)
	for _, left := range c.subs {
		if len(left) > 0 {
			return true
		}
	}
	c.subs = nil
	return true
}

// end takes a subscription out of its topic; a topic ends with its last one.
func (p *pubsub) end(sub *subscription) {
	t := sub.topic
	sub.c.interested(-1, t.name)
	last := len(t.members) - 1
	t.members[sub.at] = t.members[last]
	t.members[sub.at].at = sub.at
	t.members[last] = nil
	t.members = t.members[:last]
	if last > 0 {
		return
	}
	delete(p.topics[t.kind], t.name)
	if t.kind == topicPattern {
		end := len(p.patterns) - 1
		p.patterns[t.at] = p.patterns[end]
		p.patterns[t.at].at = t.at
		p.patterns[end] = nil
		p.patterns = p.patterns[:end]
	}
}

// leave ends all that c listens to, without a word.
func (p *pubsub) leave(c *conn) {
	if c.subs == nil {
		return
	}
	for _, mine := range c.subs {
		for _, sub := range mine {
			p.end(sub)
		}
	}
	c.subs = nil
}

// names are c's topics of a kind in the order in which it has subscribed.
func (c *conn) names(kind topicKind) []string {
	if c.subs == nil {
		return nil
	}
	subs := make([]*subscription, 0, len(c.subs[kind]))
	for _, sub := range c.subs[kind] {
		subs = append(subs, sub)
	}
	slices.SortFunc(subs, func(a, b *subscription) int { return int(a.order - b.order) })
	names := make([]string, len(subs))
	for i, sub := range subs {
		names[i] = sub.topic.name
	}
	return names
}

// publishMessage sends a message to everybody who listens to a channel, and returns how
// many copies that were.
func (s *Server) publishMessage(kind topicKind, channel, payload []byte) int {
	p := &s.pubsub
	n := 0
	if t := p.topics[kind][string(channel)]; t != nil {
		name := "message"
		if kind == topicShard {
			name = "smessage"
		}
		p.begin(name, 3)
		p.bulk(channel)
		p.bulk(payload)
		n += s.fanOut(t)
	}
	if kind != topicChannel {
		return n
	}
	for _, t := range p.patterns {
		if !command.Match([]byte(t.name), channel) {
			continue
		}
		p.begin("pmessage", 4)
		p.bulk([]byte(t.name))
		p.bulk(channel)
		p.bulk(payload)
		n += s.fanOut(t)
	}
	p.message = retain(p.message)
	return n
}

// listened says whether any message could find a listener.
func (p *pubsub) listened() bool { return len(p.topics[topicChannel])+len(p.patterns) > 0 }

// begin starts encoding a message of n parts.
func (p *pubsub) begin(name string, n int) {
	w := resp.Writer{Buf: p.message[:0], Proto: 3}
	w.Push(n)
	w.BulkString(name)
	p.message = w.Buf
}

func (p *pubsub) bulk(b []byte) {
	w := resp.Writer{Buf: p.message, Proto: 3}
	w.Bulk(b)
	p.message = w.Buf
}

// fanOut sends the encoded message to all of a topic.
func (s *Server) fanOut(t *topic) int {
	for _, sub := range t.members {
		s.push(sub.c, s.pubsub.message)
	}
	return len(t.members)
}
