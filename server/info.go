package server

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
)

// infoBuilder writes the text of INFO.
type infoBuilder struct{ b strings.Builder }

func (b *infoBuilder) section(name string) {
	if b.b.Len() > 0 {
		b.b.WriteString("\r\n")
	}
	fmt.Fprintf(&b.b, "# %s\r\n", name)
}

// field adds a line; value is printed with %v.
func (b *infoBuilder) field(name string, value any) { fmt.Fprintf(&b.b, "%s:%v\r\n", name, value) }

func (b *infoBuilder) fieldf(name, format string, args ...any) {
	fmt.Fprintf(&b.b, "%s:", name)
	fmt.Fprintf(&b.b, format, args...)
	b.b.WriteString("\r\n")
}

type infoSection struct {
	name     string
	standard bool // part of a plain INFO
	write    func(s *Server, b *infoBuilder)
}

// infoSections are in the order in which Redis prints them.
var infoSections = []infoSection{
	{"server", true, (*Server).infoServer},
	{"clients", true, (*Server).infoClients},
	{"memory", true, (*Server).infoMemory},
	{"persistence", true, (*Server).infoPersistence},
	{"stats", true, (*Server).infoStats},
	{"replication", true, (*Server).infoReplicationSection},
	{"lockstep", true, (*Server).infoLockstep},
	{"cpu", true, (*Server).infoCPU},
	{"modules", true, func(_ *Server, b *infoBuilder) { b.section("Modules") }},
	{"commandstats", false, (*Server).infoCommandstats},
	{"errorstats", true, (*Server).infoErrorstats},
	{"latencystats", false, (*Server).infoLatencystats},
	{"cluster", true, func(_ *Server, b *infoBuilder) { b.section("Cluster"); b.field("cluster_enabled", 0) }},
	{"keyspace", true, (*Server).infoKeyspace},
	{"debug", false, (*Server).infoDebug},
}

func (s *Server) cmdInfo(call *command.Call) {
	wanted := map[string]bool{}
	all := false
	for _, arg := range call.Args[1:] {
		switch name := strings.ToLower(string(arg)); name {
		case "all", "everything":
			all = true
		case "default":
			for _, sec := range infoSections {
				wanted[sec.name] = wanted[sec.name] || sec.standard
			}
		default:
			wanted[name] = true
		}
	}
	plain := len(call.Args) == 1
	call.Out.Verbatim("txt", s.info(func(sec *infoSection) bool {
		return all && sec.name != "debug" || wanted[sec.name] || plain && sec.standard
	}))
}

// info is the text of the sections that want selects.
func (s *Server) info(want func(*infoSection) bool) string {
	var b infoBuilder
	for i := range infoSections {
		if want(&infoSections[i]) {
			infoSections[i].write(s, &b)
		}
	}
	return b.b.String()
}

func (s *Server) infoServer(b *infoBuilder) {
	b.section("Server")
	up := int64(s.clock.elapsed() / time.Second)
	var uts syscall.Utsname
	system := runtime.GOOS
	if syscall.Uname(&uts) == nil {
		system = cString(uts.Sysname[:]) + " " + cString(uts.Release[:]) + " " + cString(uts.Machine[:])
	}
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	b.field("redis_version", compatVersion)
	b.field("redis_git_sha1", "00000000")
	b.field("redis_git_dirty", 0)
	b.field("redis_build_id", "0000000000000000")
	b.field("redis_mode", "standalone")
	b.field("lockstep_version", Version())
	b.field("os", system)
	b.field("arch_bits", 64)
	b.field("monotonic_clock", "POSIX clock_gettime")
	b.field("multiplexing_api", "epoll")
	b.field("atomicvar_api", "go-builtin")
	b.field("go_version", runtime.Version())
	b.field("process_id", os.Getpid())
	b.field("process_supervised", "no")
	b.field("run_id", s.runID)
	b.field("tcp_port", cmp.Or(s.port, s.tls.port))
	b.field("server_time_usec", time.Now().UnixMicro())
	b.field("uptime_in_seconds", up)
	b.field("uptime_in_days", up/86400)
	b.field("hz", s.config.Hz)
	b.field("configured_hz", s.config.Hz)
	b.field("lru_clock", uint32(s.clock.unix)&0xffffff)
	b.field("executable", exe)
	b.field("config_file", s.config.File())
	b.field("io_threads_active", 0)
	b.field("availability_zone", s.config.AvailabilityZone)
	s.infoListeners(b)
	if st := s.stopping; st != nil {
		b.field("shutdown_in_milliseconds", max(0, st.deadline-s.clock.elapsed()).Milliseconds())
	}
}

// infoListeners tells where clients come in, a line for each kind.
func (s *Server) infoListeners(b *infoBuilder) {
	n := 0
	add := func(name string, bind []string, port int) {
		line := "name=" + name
		for _, address := range bind {
			line += ",bind=" + address
		}
		if port != 0 {
			line += fmt.Sprintf(",port=%d", port)
		}
		b.field(fmt.Sprintf("listener%d", n), line)
		n++
	}
	if s.port != 0 {
		add("tcp", s.config.Bind, s.port)
	}
	if s.config.UnixSocket != "" {
		add("unix", []string{s.config.UnixSocket}, 0)
	}
	if s.tls.port != 0 {
		add("tls", s.config.Bind, s.tls.port)
	}
}

// cString reads a C string out of a kernel structure.
func cString[T ~int8 | ~uint8](raw []T) string {
	var b []byte
	for _, ch := range raw {
		if ch == 0 {
			break
		}
		b = append(b, byte(ch))
	}
	return string(b)
}

func (s *Server) infoClients(b *infoBuilder) {
	b.section("Clients")
	clients, listeners, replicas, maxIn, maxOut := 0, 0, 0, 0, 0
	for _, c := range s.conns {
		if c.has(flagReplica) {
			replicas++
			continue
		}
		clients++
		if c.listens() {
			listeners++
		}
		maxIn, maxOut = max(maxIn, cap(c.in)), max(maxOut, cap(c.out.Buf))
	}
	b.field("connected_clients", clients)
	b.field("cluster_connections", 0)
	b.field("maxclients", s.config.MaxClients)
	b.field("client_recent_max_input_buffer", maxIn)
	b.field("client_recent_max_output_buffer", maxOut)
	b.field("blocked_clients", s.stats.blocked+len(s.paused))
	b.field("tracking_clients", s.tracking.clients)
	b.field("pubsub_clients", listeners)
	b.field("watching_clients", len(s.watch.byConn))
	b.field("clients_in_timeout_table", s.waits.timed)
	b.field("total_watched_keys", len(s.watch.byKey))
	b.field("total_blocking_keys", len(s.waits.queues))
	b.field("total_blocking_keys_on_nokey", s.waits.keysAwaitedGone())
	why, what, left := s.pausedInfo()
	b.field("paused_reason", why)
	b.field("paused_actions", what)
	b.field("paused_timeout_milliseconds", left.Milliseconds())
}

func (s *Server) infoPersistence(b *infoBuilder) {
	b.section("Persistence")
	p := &s.saving
	b.field("loading", flag(s.loading))
	b.field("async_loading", 0)
	b.field("current_cow_peak", 0)
	b.field("current_cow_size", 0)
	b.field("current_cow_size_age", 0)
	b.fieldf("current_fork_perc", "%.2f", 0.0)
	processed, total := s.snapshotProgress()
	b.field("current_save_keys_processed", processed)
	b.field("current_save_keys_total", total)
	b.field("rdb_changes_since_last_save", s.env.Stats.Dirty)
	b.field("rdb_bgsave_in_progress", flag(p.running || s.snapshotRunning()))
	b.field("rdb_last_save_time", p.lastSave)
	b.field("rdb_last_bgsave_status", okErr(!p.failed))
	b.field("rdb_last_bgsave_time_sec", secondsOrNone(p.lastMillis))
	running := int64(-1)
	if p.running {
		running = int64((s.clock.elapsed() - p.begun) / time.Second)
	}
	b.field("rdb_current_bgsave_time_sec", running)
	b.field("rdb_saves", p.saves)
	b.field("rdb_last_cow_size", 0)
	b.field("rdb_last_load_keys_expired", s.repl.loads.expired)
	b.field("rdb_last_load_keys_loaded", s.repl.loads.keys)
	b.field("aof_enabled", 0)
	b.field("aof_rewrite_in_progress", 0)
	b.field("aof_rewrite_scheduled", 0)
	b.field("aof_last_rewrite_time_sec", -1)
	b.field("aof_current_rewrite_time_sec", -1)
	b.field("aof_last_bgrewrite_status", "ok")
	b.field("aof_rewrites", 0)
	b.field("aof_rewrites_consecutive_failures", 0)
	b.field("aof_last_write_status", "ok")
	b.field("aof_last_cow_size", 0)
	b.field("module_fork_in_progress", 0)
	b.field("module_fork_last_cow_size", 0)
	s.infoLoading(b)
}

func secondsOrNone(ms int64) int64 {
	if ms < 0 {
		return -1
	}
	return ms / 1000
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

func okErr(ok bool) string {
	if ok {
		return "ok"
	}
	return "err"
}

func (s *Server) infoStats(b *infoBuilder) {
	b.section("Stats")
	st, env := &s.stats, &s.env.Stats
	b.field("total_connections_received", st.connections)
	b.field("total_commands_processed", st.commands)
	b.field("instantaneous_ops_per_sec", int64(st.rates[0].perSecond()))
	b.field("total_net_input_bytes", st.netInput)
	b.field("total_net_output_bytes", st.netOutput)
	b.fieldf("instantaneous_input_kbps", "%.2f", st.rates[1].perSecond()/1024)
	b.fieldf("instantaneous_output_kbps", "%.2f", st.rates[2].perSecond()/1024)
	b.fieldf("instantaneous_input_repl_kbps", "%.2f", st.rates[3].perSecond()/1024)
	b.fieldf("instantaneous_output_repl_kbps", "%.2f", st.rates[4].perSecond()/1024)
	b.field("rejected_connections", st.rejected)
	s.infoReplicationStats(b)
	b.field("expired_keys", env.Expired)
	b.fieldf("expired_stale_perc", "%.2f", s.expiring.stalePercent*100)
	b.field("expired_time_cap_reached_count", s.expiring.timeCapReached)
	b.field("expire_cycle_cpu_milliseconds", int64(s.expiring.spent/time.Millisecond))
	b.field("evicted_keys", s.eviction.evicted)
	b.field("evicted_clients", st.evictedClients)
	b.field("evicted_scripts", s.scripts.evicted)
	s.infoEviction(b)
	b.field("keyspace_hits", env.Hits)
	b.field("keyspace_misses", env.Misses)
	b.field("pubsub_channels", len(s.pubsub.topics[topicChannel]))
	b.field("pubsub_patterns", len(s.pubsub.patterns))
	b.field("pubsubshard_channels", len(s.pubsub.topics[topicShard]))
	b.field("latest_fork_usec", 0)
	b.field("total_forks", 0)
	b.field("migrate_cached_sockets", 0)
	b.field("slave_expires_tracked_keys", len(s.ownExpiring))
	for _, absent := range []string{ // of features that are not here; monitoring expects the names
		"active_defrag_running", "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
		"total_active_defrag_time", "current_active_defrag_time",
		"io_threaded_reads_processed", "io_threaded_writes_processed", "reply_buffer_shrinks", "reply_buffer_expands",
	} {
		b.field(absent, 0)
	}
	b.field("tracking_total_keys", len(s.tracking.keys))
	b.field("tracking_total_items", s.tracking.items)
	b.field("tracking_total_prefixes", len(s.tracking.prefixes))
	b.field("unexpected_error_replies", st.unexpectedErrors)
	b.field("total_error_replies", st.errorReplies)
	b.field("dump_payload_sanitizations", 0)
	b.field("total_reads_processed", st.reads)
	b.field("total_writes_processed", st.writes)
	b.field("acl_access_denied_auth", st.denied[acl.DeniedAuth])
	b.field("acl_access_denied_cmd", st.denied[acl.DeniedCommand])
	b.field("acl_access_denied_key", st.denied[acl.DeniedKey])
	b.field("acl_access_denied_channel", st.denied[acl.DeniedChannel])
	b.field("client_query_buffer_limit_disconnections", st.queryLimitHits)
	b.field("client_output_buffer_limit_disconnections", st.outputLimits)
	b.field("eventloop_cycles", st.turns)
	b.field("eventloop_duration_sum", int64(st.turnTime/time.Microsecond))
	b.field("eventloop_duration_cmd_sum", int64(st.commandTime()/time.Microsecond))
	turns := st.rates[5].perSecond()
	b.field("instantaneous_eventloop_cycles_per_sec", int64(turns))
	b.field("instantaneous_eventloop_duration_usec", int64(st.rates[6].perSecond()/max(turns, 1)))
}

// infoDebug is shown to those who ask for it by its name.
func (s *Server) infoDebug(b *infoBuilder) {
	b.section("Debug")
	b.field("eventloop_duration_aof_sum", 0)
	b.field("eventloop_duration_cron_sum", int64(s.stats.cronTime/time.Microsecond))
	b.field("eventloop_duration_max", int64(s.stats.longestTurn/time.Microsecond))
	b.field("eventloop_cmd_per_cycle_max", s.stats.mostCommands)
}

func (s *Server) infoReplicationSection(b *infoBuilder) {
	b.section("Replication")
	s.infoReplication(b)
}

func (s *Server) infoCPU(b *infoBuilder) {
	b.section("CPU")
	for _, who := range []struct {
		name string
		who  int
	}{{"", syscall.RUSAGE_SELF}, {"_children", syscall.RUSAGE_CHILDREN}, {"_main_thread", syscall.RUSAGE_THREAD}} {
		var use syscall.Rusage
		if err := syscall.Getrusage(who.who, &use); err != nil {
			continue
		}
		b.fieldf("used_cpu_sys"+who.name, "%d.%06d", use.Stime.Sec, use.Stime.Usec)
		b.fieldf("used_cpu_user"+who.name, "%d.%06d", use.Utime.Sec, use.Utime.Usec)
	}
}

// eachCommandStat visits the commands that were called or rejected, by name.
func (s *Server) eachCommandStat(visit func(name string, st *commandStat)) {
	for _, spec := range s.commands.Sorted() {
		if st := &s.stats.perCommand[spec.ID()]; st.calls > 0 || st.rejected > 0 {
			visit(spec.FullName(), st)
		}
	}
}

func (s *Server) infoCommandstats(b *infoBuilder) {
	b.section("Commandstats")
	s.eachCommandStat(func(name string, st *commandStat) {
		us := float64(st.time) / float64(time.Microsecond)
		b.fieldf("cmdstat_"+name, "calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			st.calls, int64(us), us/float64(max(1, st.calls)), st.rejected, st.failed)
	})
}

func (s *Server) infoErrorstats(b *infoBuilder) {
	b.section("Errorstats")
	codes := make([]string, 0, len(s.stats.errors))
	for code := range s.stats.errors {
		codes = append(codes, code)
	}
	sort.Strings(codes)
	for _, code := range codes {
		b.fieldf("errorstat_"+code, "count=%d", s.stats.errors[code])
	}
}

func (s *Server) infoLatencystats(b *infoBuilder) {
	b.section("Latencystats")
	if !s.config.LatencyTracking {
		return
	}
	s.eachCommandStat(func(name string, st *commandStat) {
		if st.hist == nil || st.hist.count == 0 {
			return
		}
		parts := make([]string, 0, 3)
		for _, p := range s.config.LatencyPercentiles {
			parts = append(parts, fmt.Sprintf("p%s=%.3f", trimFloat(p), float64(st.hist.percentile(p))/1e3))
		}
		b.field("latency_percentiles_usec_"+name, strings.Join(parts, ","))
	})
}

func trimFloat(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%g", f), ".0") }

func (s *Server) infoKeyspace(b *infoBuilder) {
	b.section("Keyspace")
	for i := range s.keyspace.Databases() {
		if db := s.keyspace.DB(i); db.Len() > 0 {
			b.fieldf(fmt.Sprintf("db%d", i), "keys=%d,expires=%d,avg_ttl=%d", db.Len(), db.VolatileLen(), s.expiring.averageOf(i))
		}
	}
}
