package server

import (
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/replication"
)

// Refusals of the replication commands, as Redis spells them where it has them.
const (
	errSyncPending  command.ReplyError = "ERR SYNC and PSYNC are invalid with pending output"
	errSyncFilter   command.ReplyError = "ERR Filtered replica requires EOF capability"
	errPort         command.ReplyError = "ERR Invalid master port"
	errFromReplica  command.ReplyError = "ERR Command is not valid when client is a replica."
	errFailingOver  command.ReplyError = "ERR REPLICAOF not allowed while failing over."
	errManagedRole  command.ReplyError = "ERR This server belongs to a cluster whose operator assigns the roles. To move the primary role, ask the operator for a switchover."
	errNoRoleToFeed command.ReplyError = "NOMASTERLINK Can't SYNC while this instance is not the primary of its cluster"
)

func (s *Server) replicationSpecs() []*command.Spec {
	sync := command.Admin | command.NoScript | command.NoAsyncLoading | command.NoMulti
	role := command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading
	wait := command.Blocking
	return []*command.Spec{
		{Name: "psync", Arity: -3, Flags: sync, Run: s.cmdPSync},
		{Name: "sync", Arity: 1, Flags: sync, Run: s.cmdSync},
		{Name: "replconf", Arity: -1, Flags: command.Admin | command.NoScript | command.Loading | command.Stale | command.AllowBusy, Run: s.cmdReplConf},
		{Name: "replicaof", Arity: 3, Flags: role, Run: s.cmdReplicaOf},
		{Name: "slaveof", Arity: 3, Flags: role, Run: s.cmdReplicaOf},
		{Name: "role", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast, Categories: command.CatAdmin | command.CatDangerous, Run: s.cmdRole},
		{Name: "failover", Arity: -1, Flags: command.Admin | command.NoScript | command.Stale, Run: s.cmdFailover},
		{Name: "wait", Arity: 3, Flags: wait, Categories: command.CatConnection, Run: s.cmdWait},
		{Name: "waitaof", Arity: 4, Flags: wait, Categories: command.CatConnection, Run: s.cmdWaitAOF},
	}
}

// cmdSync is the synchronisation of before PSYNC: a snapshot and then the stream,
// without a history.
func (s *Server) cmdSync(call *command.Call) {
	c := session(call)
	if c.replica != nil && c.replica.attached {
		return
	}
	if refusal := s.syncGate(c); refusal != "" {
		call.Fail(refusal)
		return
	}
	if a, _ := replication.AnswerPSYNC(s.standing(), replication.Ask{ID: "?", Next: -1}); a.Error() != "" {
		call.Fail(command.ReplyError(a.Error()))
		return
	}
	f := feedOf(c)
	f.legacy, f.progress.NeverAcks = true, true
	s.log.Noticef("Replica %s asks for synchronization (SYNC)", f)
	s.waitForSnapshot(f)
}

func (s *Server) cmdPSync(call *command.Call) {
	c := session(call)
	if c.replica != nil && c.replica.attached {
		return
	}
	ask, ok := parseAsk(call.Args)
	if !ok {
		call.Fail(errNotInteger)
		return
	}
	if refusal := s.syncGate(c); refusal != "" {
		call.Fail(refusal)
		return
	}
	if ask.Failover && s.config.Managed {
		call.Fail(errManagedRole)
		return
	}
	answer, why := replication.AnswerPSYNC(s.standing(), ask)
	if answer == replication.AnswerPromoteThenDecide {
		s.log.Warningf("Failover request from the primary: taking over")
		s.promoteHistory()
		s.config.ReplicaOf = nil
		ask.Failover = false
		answer, why = replication.AnswerPSYNC(s.standing(), ask)
	}
	f := feedOf(c)
	switch answer {
	case replication.AnswerContinue:
		s.continueFeed(f, ask, why)
	case replication.AnswerFull:
		s.log.Noticef("Replica %s asks for synchronization with history %s from byte %d: %s", f, ask.ID, ask.Next, why)
		if why != replication.FullAsked {
			s.repl.stats.syncPartialErr++
		}
		s.waitForSnapshot(f)
	default:
		call.Fail(command.ReplyError(answer.Error()))
	}
}

func parseAsk(args [][]byte) (replication.Ask, bool) {
	next, ok := parseInt(args[2])
	a := replication.Ask{ID: string(args[1]), Next: next}
	a.Failover = len(args) > 3 && foldIs(args[3], "failover")
	return a, ok
}

func (s *Server) standing() replication.Standing {
	r := &s.repl
	return replication.Standing{History: r.history, Window: r.window(), IsReplica: r.uplink != nil,
		LinkUp: r.uplink != nil && r.uplink.connected(), FailingOver: r.failover.state != replication.NoFailover}
}

// syncGate says why nobody can be synchronized on this connection.
func (s *Server) syncGate(c *conn) command.ReplyError {
	if feeds := s.repl.managed.hooks.feeds; feeds != nil && !feeds() && !s.isReplica() {
		return errNoRoleToFeed
	}
	if c.waiting() > 0 {
		return errSyncPending
	}
	if f := c.replica; f != nil && f.noData && !f.eof {
		return errSyncFilter
	}
	return ""
}

// continueFeed lets a replica go on from what it has. No SELECT is forced: it
// remembers where it was.
func (s *Server) continueFeed(f *feed, ask replication.Ask, why replication.Continuation) {
	r := &s.repl
	cursor, err := r.log.Cursor(ask.Next)
	if err != nil {
		// The window was asked a moment ago; should it disagree, everything is right.
		s.waitForSnapshot(f)
		return
	}
	r.stats.syncPartialOK++
	f.cursor = cursor
	s.attach(f)
	f.head = replication.AppendContinue(f.head, r.history, f.psync2)
	f.framed = true
	s.putOnline(f)
	s.log.Noticef("Partial resynchronization request from %s accepted (%s). Sending %d bytes of backlog starting from offset %d.",
		f, why, cursor.Pending(), ask.Next)
	s.writeFeed(f)
}

// cmdReplConf takes what a replica tells of itself, and acknowledgements.
func (s *Server) cmdReplConf(call *command.Call) {
	args := call.Args
	if len(args) == 4 && foldIs(args[1], "lockstep-hello") {
		s.takeHello(call)
		return
	}
	if len(args)%2 == 0 {
		call.Fail(errSyntax)
		return
	}
	if len(args) > 1 {
		switch {
		case foldIs(args[1], "ack"):
			s.takeAck(session(call), args)
			return
		case foldIs(args[1], "getack"):
			if u := s.repl.uplink; u != nil && session(call) == u.c {
				u.ack()
			}
			return
		}
	}
	for i := 1; i+1 < len(args); i += 2 {
		if refusal := feedOf(session(call)).option(string(args[i]), args[i+1]); refusal != "" {
			call.Fail(refusal)
			return
		}
	}
	call.Out.OK()
}

// option takes one pair of REPLCONF. What a capability means that is not known
// here does not matter: it is only used when both sides have it.
func (f *feed) option(name string, value []byte) command.ReplyError {
	n, isInt := parseInt(value)
	switch strings.ToLower(name) {
	case "listening-port":
		if !isInt {
			return errNotInteger
		}
		f.port = int(n)
	case "ip-address":
		f.ip = string(value)
	case "capa":
		f.eof = f.eof || foldIs(value, "eof")
		f.psync2 = f.psync2 || foldIs(value, "psync2")
	case "rdb-only":
		if !isInt {
			return errNotInteger
		}
		f.rdbOnly = n == 1
	case "rdb-filter-only":
		return f.filter(string(value))
	case "version":
		// Told by newer replicas; nothing depends on it.
	default:
		return command.ReplyError("ERR Unrecognized REPLCONF option: " + name)
	}
	return ""
}

// filter takes the kinds of data that are wanted; all there is are keys, so that
// wanting anything in particular means wanting none of them.
func (f *feed) filter(kinds string) command.ReplyError {
	f.noData = false
	for _, k := range strings.Fields(kinds) {
		if !strings.EqualFold(k, "functions") {
			return command.ReplyError("ERR Unsupported rdb-filter-only option: " + k)
		}
		f.noData = true
	}
	return ""
}

// takeHello passes another instance's introduction on to the role, and tells it of
// our stream if the two may work together.
func (s *Server) takeHello(call *command.Call) {
	fn := s.repl.managed.hooks.hello
	epoch, err := strconv.ParseUint(string(call.Args[2]), 10, 64)
	if fn == nil || err != nil {
		call.Fail("ERR Unrecognized REPLCONF option: lockstep-hello")
		return
	}
	id := string(call.Args[3])
	switch answer, ours := fn(epoch, id); answer {
	case helloNewer:
		call.Fail(command.ReplyError("FENCED epoch " + strconv.FormatUint(epoch, 10) + " is newer"))
	case helloStale:
		call.Fail(command.ReplyError("STALEEPOCH " + strconv.FormatUint(ours, 10)))
	default:
		feedOf(session(call)).hello = &replication.Hello{Epoch: epoch, InstanceID: id}
		call.Out.Simple("OK " + replication.SpellLineage(s.repl.history, s.repl.offset()))
	}
}

// takeAck takes REPLCONF ACK offset [FACK offset] [LEASE received]. It never has a
// reply, whoever sends it.
func (s *Server) takeAck(c *conn, args [][]byte) {
	f := c.replica
	if f == nil || !f.attached {
		return
	}
	offset, ok := parseInt(args[2])
	if !ok {
		return
	}
	opened := f.progress.Ack(offset, s.clock.mono)
	for i := 3; i+1 < len(args); i += 2 {
		if received, ok := parseInt(args[i+1]); ok && foldIs(args[i], "lease") {
			s.takeLeaseAck(f, received)
		}
	}
	if opened && !f.blocked {
		s.writeFeed(f)
	}
	s.settleWaiters()
	if s.repl.failover.state != replication.NoFailover {
		s.failoverCron()
	}
}

func (s *Server) cmdReplicaOf(call *command.Call) {
	if s.config.Managed {
		call.Fail(errManagedRole)
		return
	}
	if s.repl.failover.state != replication.NoFailover {
		call.Fail(errFailingOver)
		return
	}
	c := session(call)
	host, port := string(call.Args[1]), call.Args[2]
	if foldIs(call.Args[1], "no") && foldIs(port, "one") {
		if s.isReplica() {
			s.warnOfPartialCopy()
			s.promoteHistory()
			s.config.ReplicaOf = nil
			s.log.Noticef("MASTER MODE enabled (user request from '%s')", s.clientLine(c))
		}
		call.Out.OK()
		return
	}
	if c.replica != nil && c.replica.attached {
		call.Fail(errFromReplica)
		return
	}
	n, ok := parseInt(port)
	if !ok || n < 0 || n > 65535 {
		call.Fail(errPort)
		return
	}
	t := target{host: host, port: int(n)}
	if u := s.repl.uplink; u != nil && u.to.same(t) {
		call.Out.Simple("OK Already connected to specified master")
		return
	}
	s.setReplicaOf(t)
	s.log.Noticef("REPLICAOF %s enabled (user request from '%s')", hostPort(t.host, t.port), s.clientLine(c))
	call.Out.OK()
}

// warnOfPartialCopy tells what a replica will hold that is made a primary before its
// first synchronization with the primary that it followed has come to an end.
func (s *Server) warnOfPartialCopy() {
	u := s.repl.uplink
	if u == nil || u.everUp {
		return
	}
	holds := "this server keeps the data that it held before"
	switch {
	case s.repl.load != nil:
		holds = "this server goes on loading the snapshot that it has received, and gets nothing that came after it"
	case s.repl.incomplete:
		holds = "this server has given up its own data for a snapshot that could not be loaded"
	}
	s.log.Warningf("The first synchronization with master %s has not finished: %s", u.to, holds)
}

// cmdRole answers in the words that clients and sentinels know.
func (s *Server) cmdRole(call *command.Call) {
	out := call.Out
	if u := s.repl.uplink; u != nil {
		out.Array(5)
		out.BulkString("slave")
		out.BulkString(u.to.host)
		out.Int(int64(u.to.port))
		out.BulkString(u.wireState())
		offset := int64(-1)
		if u.connected() {
			offset = s.repl.offset()
		}
		out.Int(offset)
		return
	}
	if s.leaderless() {
		out.Array(5)
		out.BulkString("slave")
		out.BulkString("")
		out.Int(0)
		out.BulkString("none")
		out.Int(-1)
		return
	}
	out.Array(3)
	out.BulkString("master")
	out.Int(s.repl.offset())
	var online []*feed
	for _, f := range s.repl.feeds {
		if f.online() {
			online = append(online, f)
		}
	}
	out.Array(len(online))
	for _, f := range online {
		host, port := f.address()
		out.Array(3)
		out.BulkString(host)
		out.BulkString(strconv.Itoa(port))
		out.BulkString(strconv.FormatInt(f.progress.Confirmed, 10))
	}
}

// seconds is a duration in INFO's unit.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
