package server

import (
	"unsafe"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/store"
)

const (
	errExecAbort      command.ReplyError = "EXECABORT Transaction discarded because of previous errors."
	errExecNoMulti    command.ReplyError = "ERR EXEC without MULTI"
	errDiscardNoMulti command.ReplyError = "ERR DISCARD without MULTI"
	errWatchInMulti   command.ReplyError = "ERR WATCH inside MULTI is not allowed"
)

// queuedOverhead is what a queued command costs beside its arguments, in bytes.
const queuedOverhead = int(unsafe.Sizeof(queued{}))

// queuedFlags of a command make EXEC pass, or wait at, the same gates.
const queuedFlags = command.Write | command.ReadOnly | command.DenyOOM | command.PubSub | command.MayReplicate

// queuedExemptions are flags that EXEC itself has, and loses by any command that has
// them not.
const queuedExemptions = command.Loading | command.Stale

// transaction is what a connection has queued since MULTI.
type transaction struct {
	queue []queued
	flags command.Flags // those that matter to EXEC, of all queued commands together
	lacks command.Flags // of exemptions: those that some queued command has not
	bytes int
}

type queued struct {
	spec *command.Spec
	args [][]byte
	sent int // bytes of the request
}

func (s *Server) transactionSpecs() []*command.Spec {
	open := command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy
	specs := []*command.Spec{
		{Name: "multi", Arity: 1, Flags: open, Categories: command.CatTransaction, Run: s.cmdMulti},
		{Name: "exec", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.SkipSlowlog,
			Categories: command.CatTransaction, Run: s.cmdExec},
		{Name: "discard", Arity: 1, Flags: open, Categories: command.CatTransaction, Run: s.cmdDiscard},
		{Name: "watch", Arity: -2, Flags: open, Categories: command.CatTransaction, Run: s.cmdWatch,
			KeySpecs: []command.KeySpec{{Flags: command.KeyRO, Begin: command.KeyBegin{Index: 1}, Find: command.KeyFind{Last: -1, Step: 1}}}},
		{Name: "unwatch", Arity: 1, Flags: open, Categories: command.CatTransaction, Run: s.cmdUnwatch},
	}
	s.execCommand = specs[1]
	return specs
}

// queues says whether a command is put off until EXEC.
func queues(spec *command.Spec) bool {
	switch spec.Name {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return spec.Parent() != nil
	}
	return true
}

// endsMulti says whether a command ends a transaction, which is possible also when
// there is no memory to queue anything.
func endsMulti(spec *command.Spec) bool {
	return !queues(spec) && spec.Name != "multi" && spec.Name != "watch"
}

func (s *Server) enqueue(c *conn, spec *command.Spec, args [][]byte) {
	kept, size := keepArgs(args)
	c.tx.queue = append(c.tx.queue, queued{spec, kept, s.requestSize})
	flags := s.gateFlags(spec, args)
	c.tx.flags |= flags & queuedFlags
	c.tx.lacks |= ^flags & queuedExemptions
	c.tx.bytes += size + queuedOverhead + len(args)*int(unsafe.Sizeof(args[0]))
	before := len(c.out.Buf)
	c.out.Simple("QUEUED")
	s.settleReply(c, before)
}

// keepArgs copies arguments, which alias the read buffer, and returns how many
// bytes they are.
func keepArgs(args [][]byte) (kept [][]byte, size int) {
	for _, a := range args {
		size += len(a)
	}
	data := make([]byte, 0, size) // one allocation for all bytes
	kept = make([][]byte, len(args))
	for i, a := range args {
		data = append(data, a...)
		kept[i] = data[len(data)-len(a) : len(data) : len(data)]
	}
	return kept, size
}

func (s *Server) cmdMulti(call *command.Call) {
	c := call.Session.(*conn)
	if c.has(flagMulti) {
		call.Fail(errNestedMulti)
		return
	}
	c.flags |= flagMulti
	c.tx = &transaction{}
	call.Out.OK()
}

func (s *Server) cmdDiscard(call *command.Call) {
	c := call.Session.(*conn)
	if !c.has(flagMulti) {
		call.Fail(errDiscardNoMulti)
		return
	}
	s.endTransaction(c)
	call.Out.OK()
}

// endTransaction forgets the queue and the watched keys.
func (s *Server) endTransaction(c *conn) {
	c.tx = nil
	c.flags &^= flagMulti | flagDirtyExec | flagDirtyCAS
	s.unwatchAll(c)
}

func (s *Server) cmdExec(call *command.Call) {
	c := call.Session.(*conn)
	switch {
	case !c.has(flagMulti):
		call.Fail(errExecNoMulti)
		return
	case c.has(flagDirtyExec):
		s.endTransaction(c)
		call.Fail(errExecAbort)
		return
	case c.has(flagDirtyCAS) || s.watch.anyExpired(s, c):
		s.endTransaction(c)
		call.Out.NullArray()
		return
	}
	queue := c.tx.queue
	// What the transaction itself touches is nobody's surprise.
	s.unwatchAll(c)
	call.Out.Array(len(queue))
	// Commands look at flagMulti: nothing may block inside a transaction.
	s.effects.Begin()
	inner := &s.callTx
	start := s.clock.elapsed()
	s.cmdClock, s.execStarted = start, start
	for _, q := range queue {
		if refusal := s.aclCheckExec(c, q); refusal != "" {
			before := len(c.out.Buf)
			c.out.Error(string(refusal))
			s.stats.countError(c.out.Buf[before:], false)
			// As in Redis, EXEC has failed when the last command is denied.
			call.Failed, call.Counted = true, true
			continue
		}
		inner.Args, inner.DBIndex = q.args, c.db
		s.requestSize = q.sent
		s.run(c, inner, q.spec)
		call.Failed, call.Counted = false, false
	}
	s.cmdClock = start // EXEC's own time includes all of it
	s.effects.End()
	s.endTransaction(c)
}

func (s *Server) cmdWatch(call *command.Call) {
	c := call.Session.(*conn)
	if c.has(flagMulti) {
		call.Fail(errWatchInMulti)
		return
	}
	if !c.has(flagDirtyCAS) { // the transaction is lost already
		for _, key := range call.Args[1:] {
			s.watch.add(s, c, c.db, key)
		}
	}
	call.Out.OK()
}

func (s *Server) cmdUnwatch(call *command.Call) {
	c := call.Session.(*conn)
	s.unwatchAll(c)
	c.flags &^= flagDirtyCAS
	call.Out.OK()
}

// watchTable knows who watches which key. It is consulted by commands only
// while it is not empty.
type watchTable struct {
	byKey  map[watchedKey]map[*conn]struct{}
	byConn map[*conn]map[watchedKey]bool // the value: was expired already when it was watched
}

type watchedKey struct {
	db  int
	key string
}

func (w *watchTable) add(s *Server, c *conn, db int, key []byte) {
	if w.byKey == nil {
		w.byKey = map[watchedKey]map[*conn]struct{}{}
		w.byConn = map[*conn]map[watchedKey]bool{}
	}
	k := watchedKey{db, string(key)}
	if _, known := w.byConn[c][k]; known {
		return
	}
	if w.byKey[k] == nil {
		w.byKey[k] = map[*conn]struct{}{}
	}
	w.byKey[k][c] = struct{}{}
	if w.byConn[c] == nil {
		w.byConn[c] = map[watchedKey]bool{}
	}
	c.interested(1, k.key)
	w.byConn[c][k] = expired(s.keyspace.DB(db), key, s.clock.unixMs)
	s.hookEnv()
}

func expired(db *store.DB, key []byte, now int64) bool {
	e, ok := db.Find(key)
	if !ok {
		return false
	}
	at, volatile := e.ExpireAt()
	return volatile && at <= now
}

// anyExpired says whether a key that c watches has run out since.
func (w *watchTable) anyExpired(s *Server, c *conn) bool {
	for k, before := range w.byConn[c] {
		if !before && expired(s.keyspace.DB(k.db), []byte(k.key), s.clock.unixMs) {
			return true
		}
	}
	return false
}

func (s *Server) unwatchAll(c *conn) {
	w := &s.watch
	keys, any := w.byConn[c]
	if !any {
		return
	}
	for k := range keys {
		c.interested(-1, k.key)
		delete(w.byKey[k], c)
		if len(w.byKey[k]) == 0 {
			delete(w.byKey, k)
		}
	}
	delete(w.byConn, c)
	s.hookEnv()
}

// hookEnv has commands tell of what somebody wants to know, and of nothing else:
// it is called when those who watch keys, wait for them or cache them come and go.
func (s *Server) hookEnv() {
	watched, waited := len(s.watch.byConn) > 0, len(s.waits.queues) > 0
	e, h := &s.env, &s.hooks
	e.Touched, e.Emptied, e.Swapped, e.Ready, e.Flushed = nil, nil, nil, nil, nil
	if watched || s.waits.gone > 0 || s.tracking.clients > 0 || !s.config.ReplicaReadOnly {
		e.Touched = h.Touched
	}
	if watched || waited {
		e.Emptied, e.Swapped = h.Emptied, h.Swapped
	}
	if s.tracking.clients > 0 {
		e.Flushed = s.forgetAll
	}
	if waited {
		e.Ready = h.Ready
	}
}

func (s *Server) touched(db int, key []byte) {
	s.noteOwn(db, key)
	s.waits.changed(db, key)
	if s.tracking.clients > 0 {
		s.invalidate(key)
	}
	if len(s.watch.byKey) > 0 {
		_, exists := s.keyspace.DB(db).Find(key)
		s.watch.change(watchedKey{db, string(key)}, change{before: true, after: exists})
	}
}

// change is what has happened to a watched key. When nothing is known of what was
// there before, it counts as a value.
type change struct {
	before, after bool // is a value there, its time over or not?
	expired       bool // the time of the one that is there now is over
}

// change makes the transactions of those who watch a key fail. A key whose time was
// over when it was watched did not exist for them, so it is no change that it goes,
// nor that another such key comes.
func (w *watchTable) change(k watchedKey, what change) {
	if !what.before && !what.after {
		return
	}
	for c := range w.byKey[k] {
		switch wasExpired := w.byConn[c][k]; {
		case wasExpired && !what.after:
			w.byConn[c][k] = false
		case wasExpired && what.expired:
		case !what.before && what.expired:
			w.byConn[c][k] = true
		default:
			c.flags |= flagDirtyCAS
		}
	}
}

// emptied is called before a database loses all its keys: those that exist are
// touched, those that do not stay as they are.
func (s *Server) emptied(db int) {
	if s.waits.gone > 0 {
		s.waits.signalAll(db)
	}
	for k := range s.watch.byKey {
		if k.db == db {
			_, exists := s.keyspace.DB(db).Find([]byte(k.key))
			s.watch.change(k, change{before: exists})
		}
	}
}

// swapped is called after two databases have traded places: a watched key that
// exists in either is another one now.
func (s *Server) swapped(a, b int) {
	s.waits.signalAll(a)
	s.waits.signalAll(b)
	for k := range s.watch.byKey {
		if k.db != a && k.db != b {
			continue
		}
		now, then := s.keyspace.DB(k.db), s.keyspace.DB(a+b-k.db)
		_, before := then.Find([]byte(k.key))
		_, after := now.Find([]byte(k.key))
		s.watch.change(k, change{before, after, expired(now, []byte(k.key), s.clock.unixMs)})
	}
}
