package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// Refusals, as Redis spells them.
const (
	errLoading     command.ReplyError = "LOADING Redis is loading the dataset in memory"
	errMasterDown  command.ReplyError = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	errNoReplicas  command.ReplyError = "NOREPLICAS Not enough good replicas to write."
	errNestedMulti command.ReplyError = "ERR MULTI calls can not be nested"
	errNotInMulti  command.ReplyError = "ERR Command not allowed inside a transaction"
	errMisconf     command.ReplyError = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
		"Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). " +
		"Please check the Redis logs for details about the RDB error."
	// A monitor counts as a replica: what it reads would get lost among what it sees.
	errReplicaSpeaks command.ReplyError = "ERR Replica can't interact with the keyspace"
	errDebugOff      command.ReplyError = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)

// request takes one request through the gates to its command. It returns false
// when the connection has to wait and the same request must be presented again.
func (s *Server) request(c *conn, args [][]byte) bool {
	if s.stopped {
		return false // the final snapshot is written: nothing may be acknowledged that is not in it
	}
	spec, err := s.commands.Lookup(args)
	if err != nil {
		if spec == nil && looksLikeHTTP(args[0]) {
			s.log.Warningf("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to this server. "+
				"This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise it. Connection from %s aborted.", c.peer)
			s.closeConn(c)
			return true
		}
		s.reject(c, spec, asReply(err))
		return true
	}
	c.lastCmd = spec
	if c.has(flagRedirect) && s.redirects(c, spec, args) == redirectLater {
		s.holdForPrimary(c)
		return false
	}
	if refusal := s.gate(c, spec, args); refusal != "" {
		s.reject(c, spec, refusal)
		if s.refusedForGood(refusal) {
			s.closeAfterReply(c)
		}
		return true
	}
	if s.writesHeld() && s.mustPause(c, spec, args) {
		s.holdBack(c)
		return false
	}
	if c.has(flagMulti) && queues(spec) {
		s.enqueue(c, spec, args)
		return true
	}
	call := &s.call1
	call.Args, call.DBIndex = args, c.db
	c.commands++
	s.run(c, call, spec)
	s.serveReady()
	return true
}

// looksLikeHTTP says whether a web browser was made to talk to us; what follows
// could have been chosen by a stranger's page.
func looksLikeHTTP(word []byte) bool { return foldIs(word, "post") || foldIs(word, "host:") }

func asReply(err error) command.ReplyError {
	var re command.ReplyError
	if errors.As(err, &re) {
		return re
	}
	return command.ReplyError("ERR " + err.Error())
}

// gate says why a command may not run now; "" when it may. The order is that of
// Redis, because clients see which reason comes first.
func (s *Server) gate(c *conn, spec *command.Spec, args [][]byte) command.ReplyError {
	if spec == s.debugCommand && !s.debugAllowed(c) {
		return errDebugOff
	}
	if c.flags&(flagPrimary|flagMulti) == flagMulti && spec.Flags&command.NoMulti != 0 {
		return errNotInMulti
	}
	if c.flags&(flagPrimary|flagAuthenticated|flagRestricted) != flagAuthenticated {
		if refusal := s.admission(c, spec, args); refusal != "" {
			return refusal
		}
	}
	if c.has(flagPrimary) {
		return ""
	}
	if c.has(flagRedirect) && s.redirects(c, spec, args) == redirectNow {
		return s.redirectReply()
	}
	flags := s.gateFlags(spec, args)
	if c.tx != nil && spec == s.execCommand {
		flags = flags&^c.tx.lacks | c.tx.flags
	}
	// What a script that is still running works on stays: nothing is evicted under it.
	if s.config.Maxmemory > 0 && s.scripts.run == nil && s.outOfMemory() && (flags&command.DenyOOM != 0 || c.has(flagMulti) && !endsMulti(spec)) {
		return command.ErrOutOfMemory
	}
	if flags&command.Write != 0 {
		if refusal := s.writeGate(false); refusal != "" {
			return refusal
		}
	} else if flags&(command.PubSub|command.MayReplicate) == command.PubSub|command.MayReplicate {
		if refusal := s.publishGate(); refusal != "" {
			return refusal
		}
	}
	if c.listens() && !c.out.RESP3() && !inSubscriberMode(spec) {
		return errSubscriberMode(spec)
	}
	if s.repl.stale && flags&command.Stale == 0 && !s.config.ReplicaServeStaleData {
		return errMasterDown
	}
	if s.loading && flags&command.Loading == 0 {
		return errLoading
	}
	if s.scripts.run != nil {
		if refusal := s.busyRefusal(spec); refusal != "" {
			return refusal
		}
	}
	if refusal := s.managedReadRefusal(); refusal != "" && flags&command.ReadOnly != 0 {
		return refusal
	}
	if c.has(flagMonitor) && flags&(command.Write|command.ReadOnly|command.MayReplicate) != 0 {
		return errReplicaSpeaks
	}
	return ""
}

// gateFlags are the flags of a command that the gates go by.
func (s *Server) gateFlags(spec *command.Spec, args [][]byte) command.Flags {
	if spec.Categories&command.CatScripting != 0 && spec.Parent() == nil {
		return s.scriptFlags(spec, args)
	}
	return spec.Flags
}

// writeGate says why the server takes no writes from clients. Of two reasons a
// script is told the role, and any other request the disk, as in Redis.
func (s *Server) writeGate(script bool) command.ReplyError {
	if s.config.Managed {
		if refusal := s.managedRefusal(); refusal != "" {
			return refusal
		}
	}
	replica := !s.config.Managed && s.isReplica()
	readOnly := replica && s.config.ReplicaReadOnly
	diskFails := s.saving.failed && s.config.StopWritesOnBgsaveError && len(s.config.Save) > 0
	switch {
	case diskFails && !(script && readOnly):
		return errMisconf
	case readOnly:
		return command.ErrReadOnly
	case replica:
		return ""
	}
	if n := s.config.MinReplicasToWrite; n > 0 && s.config.MinReplicasMaxLag > 0 && s.goodReplicas() < n {
		return errNoReplicas
	}
	return ""
}

// publishGate says why messages can not be passed on to replicas, and so not be
// published at all: a server of a cluster that must not lead adds nothing to the
// stream. On an ordinary replica, as in Redis, its own listeners hear them.
func (s *Server) publishGate() command.ReplyError {
	if !s.config.Managed || s.isReplica() {
		return ""
	}
	if refusal := s.managedRefusal(); refusal != command.ErrReadOnly {
		return refusal
	}
	return ""
}

// run executes a command on a call whose arguments and database are set.
func (s *Server) run(c *conn, call *command.Call, spec *command.Spec) {
	s.prepare(c, call)
	before := len(c.out.Buf)
	previous := s.current
	s.current = c
	s.commands.Execute(call, spec)
	if s.tracking.clients > 0 {
		s.track(spec, call.Args)
	}
	s.current = previous
	if len(s.monitors) > 0 && !call.Again {
		s.feedMonitors(c, spec, call.Args)
	}
	s.finish(c, call, spec, before)
	if previous == nil {
		s.ran(c, spec)
		if s.cmdClock-s.clock.mono >= clockStep {
			s.clock.update()
		}
	}
}

// ran is called when a connection's request is done, with all that was part of it.
func (s *Server) ran(c *conn, spec *command.Spec) {
	if s.held.any() {
		s.releasePushes(c)
	}
	if c.tracking != nil {
		c.cachingUsed(spec)
	}
}

// prepare tells a call about the connection and the moment.
func (s *Server) prepare(c *conn, call *command.Call) {
	call.Out = &c.out
	call.DB = s.keyspace.DB(call.DBIndex)
	call.Now = s.clock.unixMs
	call.Session = c
	call.FromPrimary = c.has(flagPrimary)
	call.NoTouch = c.has(flagNoTouch)
	call.Expiry = s.expiryFor(c)
	call.Importing = s.importing()
	call.MayWait = (call == &s.call1 || call == &s.callWait) && c.flags&(flagPrimary|flagReplica) == 0
}

// importing says whether data is being copied from a server that decides what expires
// (import-mode), so that nothing is to be removed here.
func (s *Server) importing() bool { return s.config.ImportMode && !s.isReplica() }

func (s *Server) expiryFor(c *conn) command.ExpiryMode {
	switch {
	case c.has(flagPrimary), c.has(flagImporting) && s.importing():
		return command.ExpireIgnore
	case s.importing():
		return command.ExpireHide
	case s.repl.hideExpired || s.writesHeld() || !s.mayExpire():
		return command.ExpireHide
	}
	return command.ExpireDelete
}

// finish accounts for a command that has run and decides about its reply.
func (s *Server) finish(c *conn, call *command.Call, spec *command.Spec, before int) {
	now := s.clock.elapsed()
	took := now - s.cmdClock
	s.cmdClock = now
	if call.Waiting != nil {
		s.awaitKeys(c, call, spec, took)
		return
	}
	if call.Again {
		w := c.blocked.keys
		took += w.spent
		s.served(w)
	}
	s.account(c, call, spec, took, before)
	if spec.Flags&command.Write != 0 {
		s.hasWritten(c)
	}
	if call != &s.call1 && call != &s.callWait {
		s.boundOutput(c)
		return // EXEC decides about the reply of the whole
	}
	s.settleReply(c, before)
}

// hasWritten has the lease checked again before c's replies leave, in a cluster.
func (s *Server) hasWritten(c *conn) {
	if s.config.Managed && c.flags&(flagWrote|flagPrimary) == 0 {
		c.flags |= flagWrote
		s.wrote = append(s.wrote, c)
	}
}

// account counts a command whose reply, which begins at before, is there. A command
// that had to wait is counted once, with the time that it took without the wait.
func (s *Server) account(c *conn, call *command.Call, spec *command.Spec, took time.Duration, before int) {
	s.stats.ran(spec.ID(), took, call.Failed)
	if call.Failed && !call.Counted {
		s.stats.countError(c.out.Buf[min(before, len(c.out.Buf)):], spec.Categories&command.CatScripting != 0)
	}
	// Both sizes together are as large as the larger one, or larger.
	if took >= s.notable || s.requestSize|(len(c.out.Buf)-before) >= s.sizeable {
		s.note(c, call, spec, took, before)
	}
}

// settleReply drops a reply that must not be sent, or has it written.
func (s *Server) settleReply(c *conn, before int) {
	if c.flags&(flagReplyOff|flagReplySkip|flagReplySkipNext|flagPrimary|flagReplica|flagPushReply) != 0 {
		if c.has(flagPushReply) {
			c.flags &^= flagPushReply
			s.pushed(c)
		} else if before < len(c.out.Buf) {
			c.out.Buf = c.out.Buf[:before]
			if c.has(flagReplica) {
				s.feedSpoke(c)
			}
		}
		c.flags &^= flagReplySkip
		if c.has(flagReplySkipNext) {
			c.flags = c.flags&^flagReplySkipNext | flagReplySkip
		}
		return
	}
	if len(c.out.Buf) > c.sent {
		s.wantWrite(c)
		if len(c.out.Buf)-c.sent > outputCheck {
			s.checkOutputLimit(c)
		}
	}
}

// boundOutput keeps the reply of a transaction under way below the client's limit. One
// that has passed it is going to be closed; the transaction goes on, without replies.
func (s *Server) boundOutput(c *conn) {
	if c.waiting() > outputCheck {
		s.checkOutputLimit(c)
	}
	if c.has(flagCloseNow) {
		c.out.Buf, c.sent = c.out.Buf[:0], 0
	}
}

// outputCheck is below every sensible output limit, so that short replies need
// no look at the limits.
const outputCheck = 64 << 10

// reject answers a request that does not run.
func (s *Server) reject(c *conn, spec *command.Spec, why command.ReplyError) {
	before := len(c.out.Buf)
	if spec != nil {
		s.stats.rejectedCalls(spec.ID())
		if spec == s.execCommand && isRedirect(why) {
			s.endTransaction(c) // and the reason stays as it is: the client shall ask elsewhere
		} else if spec == s.execCommand {
			why = command.ReplyError(fmt.Sprintf("EXECABORT Transaction discarded because of: %s", trimCode(why)))
			s.endTransaction(c)
		}
	}
	if c.has(flagMulti) {
		c.flags |= flagDirtyExec
	}
	c.out.Error(string(why))
	s.stats.countError(c.out.Buf[before:], false)
	s.settleReply(c, before)
	if c.tracking != nil {
		c.cachingUsed(spec)
	}
}

// trimCode removes "ERR " from the front of an error; other codes say
// something and stay.
func trimCode(e command.ReplyError) string {
	if len(e) > 4 && e[:4] == "ERR " {
		return string(e[4:])
	}
	return string(e)
}
