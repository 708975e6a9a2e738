package server

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/command"
)

// eventNotes decides which events of keys are published, and where.
type eventNotes struct {
	classes          command.EventClass
	byKey, byEvent   bool // on __keyspace@0__:key, on __keyevent@0__:event
	payload, channel []byte
}

var eventClasses = map[rune]command.EventClass{
	'g': command.EventGeneric, '$': command.EventString, 'l': command.EventList, 's': command.EventSet,
	'h': command.EventHash, 'z': command.EventSortedSet, 'x': command.EventExpired, 'e': command.EventEvicted,
	't': command.EventStream, 'd': command.EventModule, 'n': command.EventNew, 'm': command.EventMiss,
}

// applyNotify makes notify-keyspace-events effective.
func (s *Server) applyNotify() {
	n := eventNotes{}
	for _, letter := range s.config.NotifyKeyspaceEvents {
		switch letter {
		case 'K':
			n.byKey = true
		case 'E':
			n.byEvent = true
		default:
			n.classes |= eventClasses[letter]
		}
	}
	s.notes = n
	s.env.Notify, s.keyspace.Added = nil, nil
	if n.classes == 0 || !n.byKey && !n.byEvent {
		return // nobody asks, and commands do not tell
	}
	s.env.Notify = s.notify
	if n.classes&command.EventNew != 0 {
		s.keyspace.Added = func(db int, key []byte) {
			if !s.loading {
				s.notify(command.EventNew, "new", db, key)
			}
		}
	}
}

// notify publishes what has happened to a key.
func (s *Server) notify(class command.EventClass, event string, db int, key []byte) {
	n := &s.notes
	if class&n.classes == 0 || !s.pubsub.listened() {
		return
	}
	n.payload = append(n.payload[:0], event...)
	if n.byKey {
		s.publishMessage(topicChannel, n.name("__keyspace@", db, key), n.payload)
	}
	if n.byEvent {
		channel := n.name("__keyevent@", db, n.payload)
		s.publishMessage(topicChannel, channel, key)
	}
}

// name makes the name of a channel, valid until the next one is made.
func (n *eventNotes) name(prefix string, db int, what []byte) []byte {
	n.channel = strconv.AppendInt(append(n.channel[:0], prefix...), int64(db), 10)
	n.channel = append(append(n.channel, "__:"...), what...)
	return n.channel
}
