package server

import (
	"bytes"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
)

// Client-side caching. A client that tracks is told when what it may have cached
// becomes invalid: in the default mode about keys that it has read, once each; in
// broadcast mode about all keys with a prefix. Nobody else pays for it: without
// such clients the commands do not tell of what they touch (hookEnv).
//
// The server remembers who has read a key under the key's name alone, whatever the
// database: a client that works on several may be told too much.

// tracker is what a connection that tracks has asked for.
type tracker struct {
	redirect              int64 // who is told instead, by client ID; 0: itself
	broken                bool  // who was to be told is gone
	broadcast             bool
	optIn, optOut, noLoop bool
	caching               bool     // CLIENT CACHING, for the next command or transaction
	prefixes              []string // of broadcast mode, sorted
}

// tracking knows who may have cached what.
type tracking struct {
	clients  int
	keys     map[string][]int64 // client IDs, in order
	items    int                // IDs in keys
	prefixes map[string]*prefixWatch
	changed  bool // a prefixWatch has keys
}

// prefixWatch is a prefix in broadcast mode.
type prefixWatch struct {
	members []*conn
	keys    map[string]*conn // that changed in this batch, and who did it first; nil: the server itself
}

// remembers says whether what c reads is to be noted.
func (t *tracker) remembers() bool {
	return !t.broadcast && !(t.optIn && !t.caching) && !(t.optOut && t.caching)
}

// track notes what the command that has just run for the current connection has
// read. For commands within a script it is called for each of them.
func (s *Server) track(spec *command.Spec, args [][]byte) {
	c := s.current
	if c == nil || c.tracking == nil || !c.tracking.remembers() {
		return
	}
	if !spec.Has(command.ReadOnly) || spec.Categories&(command.CatScripting|command.CatPubSub) != 0 {
		return
	}
	for _, ref := range spec.KeyRefs(args) {
		s.tracking.remember(args[ref.Index], c.id)
	}
	s.boundTracking()
}

func (t *tracking) remember(key []byte, id int64) {
	ids := t.keys[string(key)]
	at, known := slices.BinarySearch(ids, id)
	if known {
		return
	}
	if t.keys == nil {
		t.keys = map[string][]int64{}
	}
	t.keys[string(key)] = slices.Insert(ids, at, id)
	t.items++
}

// trackingEvictions is how many keys leave the table at a time: some milliseconds'
// work. There are so many too many only when the limit was lowered.
const trackingEvictions = 5000

// boundTracking keeps the table below tracking-table-max-keys: whoever has cached
// a key that has no place any more is told that it is invalid. Those who read look
// after it, and cron when the limit was lowered.
func (s *Server) boundTracking() {
	most := s.config.TrackingTableMaxKeys
	if most == 0 {
		return
	}
	evicted := 0
	for key := range s.tracking.keys {
		if int64(len(s.tracking.keys)) <= most || evicted == trackingEvictions {
			return
		}
		s.invalidateReaders([]byte(key))
		evicted++
	}
}

// invalidate is told of every key that changes while somebody tracks.
func (s *Server) invalidate(key []byte) {
	t := &s.tracking
	for prefix, w := range t.prefixes {
		if !strings.HasPrefix(string(key), prefix) {
			continue
		}
		if _, noted := w.keys[string(key)]; !noted {
			w.keys[string(key)] = s.current
			t.changed = true
		}
	}
	s.invalidateReaders(key)
}

// invalidateReaders tells those who have read a key, and forgets them.
func (s *Server) invalidateReaders(key []byte) {
	t := &s.tracking
	ids, known := t.keys[string(key)]
	if !known {
		return
	}
	delete(t.keys, string(key))
	t.items -= len(ids)
	var list []byte
	for _, id := range ids {
		c := s.conns[id]
		// It may have stopped tracking, or begun to do it in another way.
		if c == nil || c.tracking == nil || c.tracking.broadcast || c.tracking.noLoop && c == s.current {
			continue
		}
		if c == s.current {
			s.held.invalid = append(s.held.invalid, bytes.Clone(key))
			continue
		}
		if list == nil {
			list = keyList(key)
		}
		s.sendInvalid(c, list)
	}
}

// keyList encodes keys as an array, which is the same in both protocols.
func keyList(keys ...[]byte) []byte {
	w := resp.Writer{}
	w.Array(len(keys))
	for _, key := range keys {
		w.Bulk(key)
	}
	return w.Buf
}

// noKeys stands for all keys, in the protocol of the one who tracks.
func noKeys(c *conn) []byte {
	w := resp.Writer{Proto: c.out.Proto}
	w.Null()
	return w.Buf
}

// forgetAll is told when all keys of a database, or of all, vanish at once.
func (s *Server) forgetAll() {
	if s.tracking.clients == 0 {
		return
	}
	for _, c := range s.byID() {
		switch {
		case c.tracking == nil:
		case c == s.current:
			s.held.invalid = append(s.held.invalid, nil)
		default:
			s.sendInvalid(c, noKeys(c))
		}
	}
	s.tracking.keys, s.tracking.items = nil, 0
}

// releaseInvalid tells c what it has made invalid itself, behind the reply.
func (s *Server) releaseInvalid(c *conn, keys [][]byte) {
	if c.tracking == nil {
		return // that was its last command as one who tracks
	}
	for _, key := range keys {
		if key == nil {
			s.sendInvalid(c, noKeys(c))
		} else {
			s.sendInvalid(c, keyList(key))
		}
	}
}

const invalidateChannel = "__redis__:invalidate"

// sendInvalid tells c, or whom it has named instead, that the encoded keys are
// invalid. A RESP2 connection can only be told when it listens to channels.
func (s *Server) sendInvalid(c *conn, keys []byte) {
	to := c
	w := resp.Writer{Proto: 3}
	if id := c.tracking.redirect; id != 0 {
		if to = s.conns[id]; to == nil {
			c.tracking.broken = true
			if c.out.RESP3() {
				w.Push(2)
				w.BulkString("tracking-redir-broken")
				w.Int(id)
				s.push(c, w.Buf)
			}
			return
		}
	}
	switch {
	case to.out.RESP3():
		w.Push(2)
		w.BulkString("invalidate")
	case c.tracking.redirect != 0 && to.listens():
		w.Push(3)
		w.BulkString("message")
		w.BulkString(invalidateChannel)
	default:
		return
	}
	w.Raw(keys)
	s.push(to, w.Buf)
}

// broadcastInvalid tells, at the end of a batch, what has changed in it to those
// who want to know of all keys with a prefix.
func (s *Server) broadcastInvalid() {
	t := &s.tracking
	t.changed = false
	prefixes := make([]string, 0, len(t.prefixes))
	for prefix := range t.prefixes {
		prefixes = append(prefixes, prefix)
	}
	slices.Sort(prefixes)
	for _, prefix := range prefixes {
		w := t.prefixes[prefix]
		if len(w.keys) == 0 {
			continue
		}
		everything := keyList(w.changes(nil)...)
		for _, c := range w.members {
			if !c.tracking.noLoop {
				s.sendInvalid(c, everything)
			} else if others := w.changes(c); len(others) > 0 {
				s.sendInvalid(c, keyList(others...))
			}
		}
		clear(w.keys)
	}
}

// changes are the keys that have changed, in order, without those that one
// connection has changed.
func (w *prefixWatch) changes(without *conn) [][]byte {
	var keys [][]byte
	for key, by := range w.keys {
		if without == nil || by != without {
			keys = append(keys, []byte(key))
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys
}

// startTracking makes c track as it has asked; o is valid.
func (s *Server) startTracking(c *conn, o *tracker) {
	t := &s.tracking
	if o.broadcast && len(o.prefixes) == 0 {
		o.prefixes = []string{""} // beside those that there may be already
	}
	if old := c.tracking; old == nil {
		t.clients++
	} else {
		o.caching = old.caching
		if o.broadcast {
			o.prefixes = append(o.prefixes, old.prefixes...)
		}
	}
	slices.Sort(o.prefixes)
	o.prefixes = slices.Compact(o.prefixes)
	c.tracking = o
	for _, prefix := range o.prefixes {
		w := t.prefixes[prefix]
		if w == nil {
			w = &prefixWatch{keys: map[string]*conn{}}
			if t.prefixes == nil {
				t.prefixes = map[string]*prefixWatch{}
			}
			t.prefixes[prefix] = w
		}
		if !slices.Contains(w.members, c) {
			w.members = append(w.members, c)
			c.interested(1, prefix)
		}
	}
	s.hookEnv()
}

// stopTracking is CLIENT TRACKING OFF. What c has read is forgotten when it
// changes, or with the last one who tracks.
func (s *Server) stopTracking(c *conn) {
	o := c.tracking
	if o == nil {
		return
	}
	t := &s.tracking
	for _, prefix := range o.prefixes {
		w := t.prefixes[prefix]
		if i := slices.Index(w.members, c); i >= 0 {
			w.members = slices.Delete(w.members, i, i+1)
			c.interested(-1, prefix)
		}
		if len(w.members) == 0 {
			delete(t.prefixes, prefix)
		}
	}
	c.tracking = nil
	if t.clients--; t.clients == 0 {
		*t = tracking{}
	}
	s.hookEnv()
}
