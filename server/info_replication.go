package server

import (
	"strconv"
)

// infoReplication writes the section in the words that clients, sentinels and
// operators look for.
func (s *Server) infoReplication(b *infoBuilder) {
	r := &s.repl
	role := "master"
	if r.uplink != nil || s.leaderless() {
		role = "slave"
	}
	b.field("role", role)
	if r.uplink != nil {
		r.uplink.info(b)
	} else if s.leaderless() {
		b.field("master_host", "")
		b.field("master_port", 0)
		b.field("master_link_status", "down")
	}
	b.field("connected_slaves", len(r.feeds))
	if s.config.MinReplicasToWrite > 0 && s.config.MinReplicasMaxLag > 0 {
		b.field("min_slaves_good_slaves", s.goodReplicas())
	}
	for i, f := range r.feeds {
		host, port := f.address()
		lag := int64(0)
		if f.online() {
			lag = seconds(f.progress.Lag(s.clock.mono))
		}
		b.fieldf("slave"+strconv.Itoa(i), "ip=%s,port=%d,state=%s,offset=%d,lag=%d", host, port, f.progress.Phase.Wire(), f.progress.Confirmed, lag)
	}
	b.field("master_failover_state", r.failover.state)
	b.field("master_replid", r.history.ID)
	b.field("master_replid2", r.history.Second)
	b.field("master_repl_offset", r.offset())
	b.field("second_repl_offset", r.history.SecondNext)
	b.field("repl_backlog_active", flag(r.log != nil))
	b.field("repl_backlog_size", s.config.ReplBacklogSize)
	first, length := int64(0), int64(0)
	if r.log != nil {
		first, length = r.log.First(), r.log.Len()
	}
	b.field("repl_backlog_first_byte_offset", first)
	b.field("repl_backlog_histlen", length)
}

func (u *uplink) info(b *infoBuilder) {
	s := u.server
	now := s.clock.mono
	b.field("master_host", u.to.host)
	b.field("master_port", u.to.port)
	status, lastIO := "down", int64(-1)
	if u.connected() {
		status, lastIO = "up", seconds(now-u.heardAt)
	}
	b.field("master_link_status", status)
	b.field("master_last_io_seconds_ago", lastIO)
	b.field("master_sync_in_progress", flag(u.phase == linkTransfer))
	read := s.repl.offset()
	if u.stream != nil {
		read = u.stream.Received
	}
	b.field("slave_read_repl_offset", read)
	b.field("slave_repl_offset", s.repl.offset())
	if t := u.sync.transfer; u.phase == linkTransfer && t != nil {
		total := max(0, t.Total)
		perc := 0.0
		if total > 0 {
			perc = float64(t.Received) / float64(total) * 100
		}
		b.field("master_sync_total_bytes", total)
		b.field("master_sync_read_bytes", t.Received)
		b.field("master_sync_left_bytes", max(0, total-t.Received))
		b.fieldf("master_sync_perc", "%.2f", perc)
		b.field("master_sync_last_io_seconds_ago", seconds(now-u.heardAt))
	}
	if !u.connected() {
		down := int64(-1)
		if u.everUp {
			down = seconds(now - u.lostAt)
		}
		b.field("master_link_down_since_seconds", down)
	}
	b.field("slave_priority", s.config.ReplicaPriority)
	b.field("slave_read_only", flag(s.config.ReplicaReadOnly))
	b.field("replica_announced", flag(s.config.ReplicaAnnounced))
}

// infoReplicationStats are the counters of replication in the section Stats.
func (s *Server) infoReplicationStats(b *infoBuilder) {
	st := &s.repl.stats
	b.field("total_net_repl_input_bytes", st.input)
	b.field("total_net_repl_output_bytes", st.output)
	b.field("sync_full", st.syncFull)
	b.field("sync_partial_ok", st.syncPartialOK)
	b.field("sync_partial_err", st.syncPartialErr)
}

// logMemory is what the replication log occupies, in bytes.
func (s *Server) logMemory() int64 {
	if s.repl.log == nil {
		return 0
	}
	return s.repl.log.MemoryBytes()
}

// resetReplicationStats is CONFIG RESETSTAT.
func (s *Server) resetReplicationStats() {
	st := &s.repl.stats
	*st = replStats{upFull: st.upFull, upPartial: st.upPartial}
}
