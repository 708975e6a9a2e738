package server

import (
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/store"
)

// Clients that wait for keys (command.Call.Block).
//
// A command that makes a key ready says so by Env.Ready, which notes the key if
// somebody waits for it. When the command has ended, or the transaction or the
// script that it is part of, serveReady runs the commands of those who wait anew,
// in the order in which they have begun to wait. What these make ready in turn
// comes after it. So nobody ever sees a transaction half done, and a client that
// is served late has not been overtaken.

// keyWaits knows who waits for which key.
type keyWaits struct {
	queues map[watchedKey]*waitQueue // of keys that somebody waits for; never empty ones
	ready  []*waitQueue              // keys that have changed and were not looked at since
	gone   int                       // waits that end also when a key vanishes
	timed  int                       // waits with a deadline
	busy   bool                      // serveReady is at it
}

// waitQueue is those who wait for one key, in the order in which they came.
type waitQueue struct {
	key         watchedKey
	first, last *waitPlace
	count       int
	gone        int  // of them, those who want to know when the key vanishes
	ready       bool // is in keyWaits.ready
}

// waitPlace is a wait's place in the queue of one of its keys.
type waitPlace struct {
	wait       *keyWait
	queue      *waitQueue
	prev, next *waitPlace
}

// keyWait is a blocked command.
type keyWait struct {
	c      *conn
	spec   *command.Spec
	args   [][]byte // copies
	wait   command.Wait
	places []waitPlace   // one for each key
	spent  time.Duration // executing it so far
	sent   int           // bytes of the request

	// What most waits need is allocated with them.
	blocking blocking
	place    [1]waitPlace
}

// longestWait, in milliseconds, is as much as fits a Duration: some 140 years.
const longestWait = int64(1<<62) / int64(time.Millisecond)

// awaitKeys parks c with the command that has just called Block.
func (s *Server) awaitKeys(c *conn, call *command.Call, spec *command.Spec, took time.Duration) {
	if call.Again {
		c.blocked.keys.spent += took // and keeps its places and its deadline
		return
	}
	w := &keyWait{c: c, spec: spec, wait: *call.Waiting, spent: took, sent: s.requestSize}
	args := call.Args
	if w.wait.Args != nil {
		args = w.wait.Args
	}
	w.args, _ = keepArgs(args)
	s.waits.join(w, c.db)
	w.wait.Keys, w.wait.Args = nil, nil // they alias what was just executed
	var t *timer
	if at := w.wait.Deadline; at != 0 {
		s.waits.timed++
		wait := time.Duration(min(at-s.clock.unixMs, longestWait)) * time.Millisecond
		t = s.after(wait, func() { s.unblock(c, unblockTimeout) })
	}
	w.blocking = blocking{kind: "keys", timer: t, keys: w, unblock: func(why unblockReason) { s.keyWaitEnded(w, why) }}
	s.block(c, &w.blocking)
	s.hookEnv()
}

func (k *keyWaits) join(w *keyWait, db int) {
	if k.queues == nil {
		k.queues = map[watchedKey]*waitQueue{}
	}
	w.places = w.place[:0]
	if n := len(w.wait.Keys); n > 1 {
		w.places = make([]waitPlace, 0, n) // never grows: queues point into it
	}
	for _, key := range w.wait.Keys {
		id := watchedKey{db, string(key)}
		q := k.queues[id]
		if q == nil {
			q = &waitQueue{key: id}
			k.queues[id] = q
		}
		if q.last != nil && q.last.wait == w {
			continue // the key was named twice
		}
		w.places = append(w.places, waitPlace{wait: w, queue: q, prev: q.last})
		p := &w.places[len(w.places)-1]
		if q.last != nil {
			q.last.next = p
		} else {
			q.first = p
		}
		q.last = p
		q.count++
		if w.wait.Gone {
			q.gone++
		}
	}
	if w.wait.Gone {
		k.gone++
	}
}

func (k *keyWaits) leave(w *keyWait) {
	for i := range w.places {
		p := &w.places[i]
		q := p.queue
		if p.prev != nil {
			p.prev.next = p.next
		} else {
			q.first = p.next
		}
		if p.next != nil {
			p.next.prev = p.prev
		} else {
			q.last = p.prev
		}
		q.count--
		if w.wait.Gone {
			q.gone--
		}
		if q.count == 0 {
			delete(k.queues, q.key)
		}
	}
	if w.wait.Gone {
		k.gone--
	}
	if w.wait.Deadline != 0 {
		k.timed--
	}
}

// signal notes that a key has changed in a way that may end waits for it.
func (k *keyWaits) signal(db int, key []byte) {
	if q := k.queues[watchedKey{db, string(key)}]; q != nil {
		k.note(q)
	}
}

func (k *keyWaits) note(q *waitQueue) {
	if !q.ready {
		q.ready = true
		k.ready = append(k.ready, q)
	}
}

// changed is told of every change of a key, which may be that it is gone.
func (k *keyWaits) changed(db int, key []byte) {
	if k.gone == 0 {
		return
	}
	if q := k.queues[watchedKey{db, string(key)}]; q != nil && q.gone > 0 {
		k.note(q)
	}
}

// signalAll notes all keys of the database, of all databases when it is negative:
// what they hold may be something else now.
func (k *keyWaits) signalAll(db int) {
	for id, q := range k.queues {
		if db < 0 || id.db == db {
			k.note(q)
		}
	}
}

// serveReady lets those try again who wait for keys that have changed, until
// nothing changes any more. A script that takes so long that others are answered
// meanwhile has to end first, as everything that is being executed.
func (s *Server) serveReady() {
	k := &s.waits
	if len(k.ready) == 0 || k.busy || s.current != nil || s.loading || s.stopped {
		return
	}
	k.busy = true
	for i := 0; i < len(k.ready); i++ {
		q := k.ready[i]
		k.ready[i] = nil
		q.ready = false
		s.serveQueue(q)
	}
	k.ready = k.ready[:0]
	k.busy = false
}

// serveQueue goes through a queue once. Nobody leaves it meanwhile but those who
// are served, and only when it is their turn.
func (s *Server) serveQueue(q *waitQueue) {
	var next *waitPlace
	for p := q.first; p != nil; p = next {
		next = p.next
		e, found := s.keyspace.DB(q.key.db).Find([]byte(q.key.key))
		if found && s.isOver(e) {
			found = false // the next command that wants it removes it
		}
		if !found && q.gone == 0 {
			return // taken by those before
		}
		if w := p.wait; w.wait.Gone || found && e.Type() == w.wait.Type {
			s.tryAgain(w)
		}
	}
}

// isOver says whether the time of an entry has passed.
func (s *Server) isOver(e store.Entry) bool {
	at, volatile := e.ExpireAt()
	return volatile && s.clock.unixMs > at
}

// tryAgain runs a blocked command anew. It passes the gates again, for the server
// may have changed its mind about what is allowed.
func (s *Server) tryAgain(w *keyWait) {
	c := w.c
	switch {
	case c.has(flagCloseNow | flagCloseAfterReply):
		return // what it took would be lost
	case s.writesHeld() && s.mustPause(c, w.spec, w.args):
		return // unpauseClients signals again
	}
	if refusal := s.gate(c, w.spec, w.args); refusal != "" {
		switch {
		case s.redirectSoon(c, w):
		case s.refusedForGood(refusal):
			s.unblock(c, unblockDemoted)
		default:
			s.served(w)
			s.reject(c, w.spec, refusal)
		}
		return
	}
	call := &s.callWait
	call.Args, call.DBIndex, call.Again = w.args, c.db, true
	s.requestSize = w.sent // the one that has ended the wait is done
	s.run(c, call, w.spec)
}

// served ends a wait whose command replies itself.
func (s *Server) served(w *keyWait) {
	s.waits.leave(w)
	s.unblocked(w.c)
	s.hookEnv()
}

// keyWaitEnded ends a wait from outside.
func (s *Server) keyWaitEnded(w *keyWait, why unblockReason) {
	s.waits.leave(w)
	s.hookEnv()
	if why == unblockClosed {
		return
	}
	c, call := w.c, &s.callWait
	before := len(c.out.Buf)
	call.Args, call.DBIndex, call.Spec, call.Failed = w.args, c.db, w.spec, false
	s.prepare(c, call)
	switch why {
	case unblockTimeout:
		w.wait.TimedOut(call)
	case unblockError:
		call.Fail(unblockedByCommand)
	case unblockDemoted:
		if c.has(flagRedirect) && s.repl.uplink != nil {
			call.Fail(s.redirectReply())
			break
		}
		call.Fail(unblockedByDemote)
		s.closeAfterReply(c) // it came for the primary, and finds it by connecting again
	}
	ending := s.requestSize // of a command that ends the wait, and is not done
	s.requestSize = w.sent
	s.account(c, call, w.spec, w.spent, before)
	s.requestSize = ending
	s.settleReply(c, before)
}

// dismissKeyWaits ends all waits for keys because of a change of role. Those who can
// be told soon where to go stay until then.
func (s *Server) dismissKeyWaits() {
	var all []*conn
	for _, q := range s.waits.queues {
		for p := q.first; p != nil; p = p.next {
			all = append(all, p.wait.c)
		}
	}
	stay := false
	for _, c := range all {
		switch {
		case c.blocked == nil || c.blocked.keys == nil: // it waited for two keys
		case s.redirectSoon(c, c.blocked.keys):
			stay = true
		default:
			s.unblock(c, unblockDemoted)
		}
	}
	if stay {
		s.after(handoverPatience, func() {
			if s.leaderless() {
				s.dismissKeyWaits()
			}
		})
	}
}

// redirectSoon reports whether this server has just handed over, so that c, which
// waits and understands redirects, can be told of the next primary in a moment.
func (s *Server) redirectSoon(c *conn, w *keyWait) bool {
	return c.has(flagRedirect) && s.repl.uplink == nil && s.redirects(c, w.spec, w.args) == redirectLater
}

// keysAwaitedGone is the number of keys whose vanishing ends a wait.
func (k *keyWaits) keysAwaitedGone() int {
	n := 0
	if k.gone > 0 {
		for _, q := range k.queues {
			if q.gone > 0 {
				n++
			}
		}
	}
	return n
}
