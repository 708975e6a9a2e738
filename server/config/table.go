package config

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const maxInt32 = math.MaxInt32

// directives is the table, in the order in which a new file is written.
var directives = slices.Concat(networkDirectives(), tlsDirectives(), aclDirectives(), generalDirectives(), memoryDirectives(), collectionDirectives(), clientDirectives(),
	snapshotDirectives(), replicationDirectives(), ownDirectives(), inertDirectives(), unsupportedDirectives())

// byName finds a directive by any of its names.
var byName = func() map[string]*directive {
	m := map[string]*directive{}
	for i := range directives {
		d := &directives[i]
		for _, name := range []string{d.name, d.alias} {
			if name == "" {
				continue
			}
			if m[name] != nil {
				panic("directive twice in the table: " + name)
			}
			m[name] = d
		}
	}
	return m
}()

func networkDirectives() []directive {
	return []directive{
		words("bind", func(c *Config) *[]string { return &c.Bind }, 0, func(w []string) error {
			if len(w) > 16 {
				return errors.New("Too many bind addresses specified.") //nolint:staticcheck // Redis' text
			}
			return nil
		}),
		text("bind-source-addr", "", func(c *Config) *string { return &c.BindSourceAddr }, 0),
		integer("port", "", func(c *Config) *int { return &c.Port }, 0, 65535, 0),
		text("unixsocket", "", func(c *Config) *string { return &c.UnixSocket }, immutable),
		text("unixsocketgroup", "", func(c *Config) *string { return &c.UnixSocketGroup }, immutable),
		octal("unixsocketperm", func(c *Config) *int { return &c.UnixSocketPerm }, immutable),
		boolean("protected-mode", "", func(c *Config) *bool { return &c.ProtectedMode }, 0),
		integer("tcp-backlog", "", func(c *Config) *int { return &c.TCPBacklog }, 0, maxInt32, immutable),
		integer("timeout", "", func(c *Config) *int { return &c.Timeout }, 0, maxInt32, 0),
		integer("tcp-keepalive", "", func(c *Config) *int { return &c.TCPKeepalive }, 0, maxInt32, 0),
		integer("maxclients", "", func(c *Config) *int { return &c.MaxClients }, 1, math.MaxUint32, 0),
		integer("socket-mark-id", "", func(c *Config) *int64 { return &c.SocketMarkID }, 0, math.MaxUint32, immutable),
		memory("proto-max-bulk-len", "", func(c *Config) *int64 { return &c.ProtoMaxBulkLen }, 1<<20, 512<<20, 0),
		memory("client-query-buffer-limit", "", func(c *Config) *int64 { return &c.ClientQueryBuffer }, 1<<20, math.MaxInt64, 0),
		outputLimitDirective(),
		text("requirepass", "", func(c *Config) *string { return &c.Requirepass }, secret),
		enum("enable-debug-command", "", func(c *Config) *string { return &c.EnableDebugCommand }, immutable, "no", "yes", "local"),
		enum("enable-module-command", "", func(c *Config) *string { return &c.EnableModuleCommand }, immutable, "no", "yes", "local"),
		enum("enable-protected-configs", "", func(c *Config) *string { return &c.EnableProtectedConfs }, immutable, "no", "yes", "local"),
	}
}

func generalDirectives() []directive {
	return []directive{
		boolean("daemonize", "", func(c *Config) *bool { return &c.Daemonize }, immutable),
		enum("supervised", "", func(c *Config) *string { return &c.Supervised }, immutable, "upstart", "systemd", "auto", "no"),
		text("pidfile", "", func(c *Config) *string { return &c.PidFile }, immutable),
		hzDirective(),
		boolean("dynamic-hz", "", func(c *Config) *bool { return &c.DynamicHz }, 0),
		integer("databases", "", func(c *Config) *int { return &c.Databases }, 1, 16384, immutable),
		enum("loglevel", "", func(c *Config) *string { return &c.LogLevel }, 0, "debug", "verbose", "notice", "warning", "nothing"),
		text("logfile", "", func(c *Config) *string { return &c.LogFile }, immutable),
		enum("log-format", "", func(c *Config) *string { return &c.LogFormat }, immutable, "text", "json"),
		integer("busy-reply-threshold", "lua-time-limit", func(c *Config) *int64 { return &c.BusyReplyThreshold }, 0, math.MaxInt64, 0),
		text("availability-zone", "", func(c *Config) *string { return &c.AvailabilityZone }, 0),
		boolean("hide-user-data-from-log", "", func(c *Config) *bool { return &c.HideUserData }, 0),
		boolean("always-show-logo", "", func(c *Config) *bool { return &c.AlwaysShowLogo }, immutable),
		boolean("crash-log-enabled", "", func(c *Config) *bool { return &c.CrashLogEnabled }, 0),
		boolean("crash-memcheck-enabled", "", func(c *Config) *bool { return &c.CrashMemcheckEnabled }, 0),
		integer("shutdown-timeout", "", func(c *Config) *int { return &c.ShutdownTimeout }, 0, maxInt32, 0),
		shutdownWords("shutdown-on-sigterm", func(c *Config) *[]string { return &c.ShutdownOnSigterm }),
		shutdownWords("shutdown-on-sigint", func(c *Config) *[]string { return &c.ShutdownOnSigint }),
		integer("slowlog-log-slower-than", "commandlog-execution-slower-than", func(c *Config) *int64 { return &c.SlowlogLogSlowerThan }, -1, math.MaxInt64, 0),
		integer("slowlog-max-len", "commandlog-slow-execution-max-len", func(c *Config) *int64 { return &c.SlowlogMaxLen }, 0, math.MaxInt64, 0),
		integer("commandlog-request-larger-than", "", func(c *Config) *int64 { return &c.CommandlogRequestLargerThan }, -1, math.MaxInt64, 0),
		integer("commandlog-large-request-max-len", "", func(c *Config) *int64 { return &c.CommandlogLargeRequestMaxLen }, 0, math.MaxInt64, 0),
		integer("commandlog-reply-larger-than", "", func(c *Config) *int64 { return &c.CommandlogReplyLargerThan }, -1, math.MaxInt64, 0),
		integer("commandlog-large-reply-max-len", "", func(c *Config) *int64 { return &c.CommandlogLargeReplyMaxLen }, 0, math.MaxInt64, 0),
		integer("latency-monitor-threshold", "", func(c *Config) *int64 { return &c.LatencyMonitorThreshold }, 0, math.MaxInt64, 0),
		boolean("latency-tracking", "", func(c *Config) *bool { return &c.LatencyTracking }, 0),
		percentilesDirective(),
	}
}

func memoryDirectives() []directive {
	return []directive{
		memory("maxmemory", "", func(c *Config) *int64 { return &c.Maxmemory }, 0, math.MaxInt64, 0),
		enum("maxmemory-policy", "", func(c *Config) *string { return &c.MaxmemoryPolicy }, 0, "volatile-lru", "volatile-lfu",
			"volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"),
		integer("maxmemory-samples", "", func(c *Config) *int { return &c.MaxmemorySamples }, 1, maxInt32, 0),
		integer("maxmemory-eviction-tenacity", "", func(c *Config) *int { return &c.MaxmemoryTenacity }, 0, 100, 0),
		integer("lfu-log-factor", "", func(c *Config) *int { return &c.LFULogFactor }, 0, maxInt32, 0),
		integer("lfu-decay-time", "", func(c *Config) *int { return &c.LFUDecayTime }, 0, maxInt32, 0),
		integer("active-expire-effort", "", func(c *Config) *int { return &c.ActiveExpireEffort }, 1, 10, 0),
		boolean("activerehashing", "", func(c *Config) *bool { return &c.ActiveRehashing }, 0),
		boolean("import-mode", "", func(c *Config) *bool { return &c.ImportMode }, 0),
		boolean("lazyfree-lazy-eviction", "", func(c *Config) *bool { return &c.LazyfreeLazyEviction }, 0),
		boolean("lazyfree-lazy-expire", "", func(c *Config) *bool { return &c.LazyfreeLazyExpire }, 0),
		boolean("lazyfree-lazy-server-del", "", func(c *Config) *bool { return &c.LazyfreeServerDel }, 0),
		boolean("lazyfree-lazy-user-del", "", func(c *Config) *bool { return &c.LazyfreeUserDel }, 0),
		boolean("lazyfree-lazy-user-flush", "", func(c *Config) *bool { return &c.LazyfreeUserFlush }, 0),
	}
}

func collectionDirectives() []directive {
	return []directive{
		integer("hash-max-listpack-entries", "hash-max-ziplist-entries", func(c *Config) *int { return &c.HashMaxListpackEntries }, 0, math.MaxInt, 0),
		memory("hash-max-listpack-value", "hash-max-ziplist-value", func(c *Config) *int { return &c.HashMaxListpackValue }, 0, math.MaxInt, 0),
		integer("list-max-listpack-size", "list-max-ziplist-size", func(c *Config) *int { return &c.ListMaxListpackSize }, math.MinInt32, maxInt32, 0),
		integer("list-compress-depth", "", func(c *Config) *int { return &c.ListCompressDepth }, 0, maxInt32, 0),
		integer("set-max-intset-entries", "", func(c *Config) *int { return &c.SetMaxIntsetEntries }, 0, math.MaxInt, 0),
		integer("set-max-listpack-entries", "", func(c *Config) *int { return &c.SetMaxListpackEntries }, 0, math.MaxInt, 0),
		integer("set-max-listpack-value", "", func(c *Config) *int { return &c.SetMaxListpackValue }, 0, math.MaxInt, 0),
		integer("zset-max-listpack-entries", "zset-max-ziplist-entries", func(c *Config) *int { return &c.ZSetMaxListpackEntries }, 0, math.MaxInt, 0),
		memory("zset-max-listpack-value", "zset-max-ziplist-value", func(c *Config) *int { return &c.ZSetMaxListpackValue }, 0, math.MaxInt, 0),
		memory("stream-node-max-bytes", "", func(c *Config) *int { return &c.StreamNodeMaxBytes }, 0, math.MaxInt, 0),
		integer("stream-node-max-entries", "", func(c *Config) *int { return &c.StreamNodeMaxEntries }, 0, math.MaxInt, 0),
		memory("hll-sparse-max-bytes", "", func(c *Config) *int { return &c.HLLSparseMaxBytes }, 0, math.MaxInt, 0),
	}
}

func snapshotDirectives() []directive {
	return []directive{
		text("dir", "", func(c *Config) *string { return &c.Dir }, protected),
		fileNameDirective(),
		saveDirective(),
		boolean("rdbcompression", "", func(c *Config) *bool { return &c.RDBCompression }, 0),
		boolean("rdbchecksum", "", func(c *Config) *bool { return &c.RDBChecksum }, immutable),
		boolean("rdb-del-sync-files", "", func(c *Config) *bool { return &c.RDBDelSyncFiles }, 0),
		boolean("rdb-save-incremental-fsync", "", func(c *Config) *bool { return &c.RDBSaveIncrementalFsync }, 0),
		integer("rdb-key-save-delay", "", func(c *Config) *int { return &c.RDBKeySaveDelay }, math.MinInt32, maxInt32, startOnly),
		integer("key-load-delay", "", func(c *Config) *int { return &c.KeyLoadDelay }, math.MinInt32, maxInt32, startOnly),
		memory("loading-process-events-interval-bytes", "", func(c *Config) *int64 { return &c.LoadingProcessEvents }, 1024, maxInt32, startOnly),
		boolean("stop-writes-on-bgsave-error", "", func(c *Config) *bool { return &c.StopWritesOnBgsaveError }, 0),
	}
}

func replicationDirectives() []directive {
	return []directive{
		replicaOfDirective(),
		text("masterauth", "primaryauth", func(c *Config) *string { return &c.MasterAuth }, secret),
		text("masteruser", "primaryuser", func(c *Config) *string { return &c.MasterUser }, secret),
		boolean("replica-serve-stale-data", "slave-serve-stale-data", func(c *Config) *bool { return &c.ReplicaServeStaleData }, 0),
		boolean("replica-read-only", "slave-read-only", func(c *Config) *bool { return &c.ReplicaReadOnly }, 0),
		boolean("replica-ignore-maxmemory", "slave-ignore-maxmemory", func(c *Config) *bool { return &c.ReplicaIgnoreMaxmemory }, 0),
		boolean("replica-lazy-flush", "slave-lazy-flush", func(c *Config) *bool { return &c.ReplicaLazyFlush }, 0),
		integer("replica-priority", "slave-priority", func(c *Config) *int { return &c.ReplicaPriority }, 0, maxInt32, 0),
		boolean("replica-announced", "", func(c *Config) *bool { return &c.ReplicaAnnounced }, 0),
		text("replica-announce-ip", "slave-announce-ip", func(c *Config) *string { return &c.ReplicaAnnounceIP }, 0),
		integer("replica-announce-port", "slave-announce-port", func(c *Config) *int { return &c.ReplicaAnnouncePort }, 0, 65535, 0),
		boolean("repl-diskless-sync", "", func(c *Config) *bool { return &c.ReplDisklessSync }, 0),
		integer("repl-diskless-sync-delay", "", func(c *Config) *int { return &c.ReplDisklessSyncDelay }, 0, maxInt32, 0),
		integer("repl-diskless-sync-max-replicas", "", func(c *Config) *int { return &c.ReplDisklessMaxReplica }, 0, maxInt32, 0),
		enum("repl-diskless-load", "", func(c *Config) *string { return &c.ReplDisklessLoad }, 0, "disabled", "on-empty-db", "swapdb", "flush-before-load"),
		integer("repl-ping-replica-period", "repl-ping-slave-period", func(c *Config) *int { return &c.ReplPingReplicaPeriod }, 1, maxInt32, 0),
		integer("repl-timeout", "", func(c *Config) *int { return &c.ReplTimeout }, 1, maxInt32, 0),
		boolean("repl-disable-tcp-nodelay", "", func(c *Config) *bool { return &c.ReplDisableTCPNodelay }, 0),
		memory("repl-backlog-size", "", func(c *Config) *int64 { return &c.ReplBacklogSize }, 1, math.MaxInt64, 0),
		integer("repl-backlog-ttl", "", func(c *Config) *int64 { return &c.ReplBacklogTTL }, 0, math.MaxInt64, 0),
		integer("min-replicas-to-write", "min-slaves-to-write", func(c *Config) *int { return &c.MinReplicasToWrite }, 0, maxInt32, 0),
		integer("min-replicas-max-lag", "min-slaves-max-lag", func(c *Config) *int { return &c.MinReplicasMaxLag }, 0, maxInt32, 0),
	}
}

// ownDirectives are those that only this server has.
func ownDirectives() []directive {
	return []directive{
		boolean("lockstep-managed", "", func(c *Config) *bool { return &c.Managed }, immutable),
		clusterDirective(),
		text("lockstep-instance-name", "", func(c *Config) *string { return &c.InstanceName }, immutable),
		integer("lockstep-api-port", "", func(c *Config) *int { return &c.APIPort }, 1, 65535, immutable),
		words("lockstep-api-bind", func(c *Config) *[]string { return &c.APIBind }, immutable, nil),
		text("lockstep-api-cert-file", "", func(c *Config) *string { return &c.APICertFile }, immutable),
		text("lockstep-api-key-file", "", func(c *Config) *string { return &c.APIKeyFile }, immutable),
		text("lockstep-api-ca-file", "", func(c *Config) *string { return &c.APICAFile }, immutable),
		httpPortDirective(),
	}
}

// httpPortDefault stands for "8080 when managed, off otherwise".
const httpPortDefault = -1

func httpPortDirective() directive {
	return directive{name: "lockstep-http-port", flags: immutable,
		get: func(c *Config) string { return strconv.Itoa(c.EffectiveHTTPPort()) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			v, err := parseInt(w, 0, 65535)
			if err == nil {
				c.HTTPPort = int(v)
			}
			return err
		}}
}

// EffectiveHTTPPort is the port of health and metrics; 0 is off.
func (c *Config) EffectiveHTTPPort() int {
	switch {
	case c.HTTPPort != httpPortDefault:
		return c.HTTPPort
	case c.Managed:
		return 8080
	}
	return 0
}

func clusterDirective() directive {
	d := text("lockstep-cluster", "", func(c *Config) *string { return &c.Cluster }, immutable)
	plain := d.set
	d.set = func(c *Config, words []string) error {
		if len(words) == 1 && words[0] != "" {
			namespace, name, ok := strings.Cut(words[0], "/")
			if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
				return errors.New("argument must be NAMESPACE/NAME")
			}
		}
		return plain(c, words)
	}
	return d
}

// hzDirective clamps, as Redis does: a file with hz 0 works there.
func hzDirective() directive {
	d := integer("hz", "", func(c *Config) *int { return &c.Hz }, 0, maxInt32, 0)
	plain := d.set
	d.set = func(c *Config, words []string) error {
		if err := plain(c, words); err != nil {
			return err
		}
		c.Hz = min(max(c.Hz, 1), 500)
		return nil
	}
	return d
}

func fileNameDirective() directive {
	d := text("dbfilename", "", func(c *Config) *string { return &c.DBFilename }, protected)
	plain := d.set
	d.set = func(c *Config, words []string) error {
		if len(words) == 1 && (words[0] == "" || filepath.Base(words[0]) != words[0]) {
			return errors.New("dbfilename can't be a path, just a filename")
		}
		return plain(c, words)
	}
	return d
}

// shutdownWords is a set of words, which are shown in one order whatever they came in.
func shutdownWords(name string, field func(*Config) *[]string) directive {
	known := []string{"default", "save", "nosave", "now", "force"}
	d := words(name, field, 0, nil)
	d.set = func(c *Config, given []string) error {
		given = strings.Fields(strings.ToLower(strings.Join(given, " ")))
		chosen := slices.DeleteFunc(slices.Clone(known), func(w string) bool { return !slices.Contains(given, w) })
		if len(given) == 0 || slices.ContainsFunc(given, func(w string) bool { return !slices.Contains(known, w) }) {
			return fmt.Errorf("argument(s) must be one of the following: %s", strings.Join(known, ", "))
		}
		if slices.Contains(given, "save") && slices.Contains(given, "nosave") {
			return errors.New("shutdown options SAVE and NOSAVE can't be used simultaneously")
		}
		if len(chosen) > 1 && chosen[0] == "default" {
			chosen = chosen[1:] // it stands for none of the others
		}
		*field(c) = chosen
		return nil
	}
	return d
}

func percentilesDirective() directive {
	return directive{name: "latency-tracking-info-percentiles", flags: list,
		get: func(c *Config) string {
			parts := make([]string, len(c.LatencyPercentiles))
			for i, p := range c.LatencyPercentiles {
				parts[i] = strconv.FormatFloat(p, 'g', -1, 64)
			}
			return strings.Join(parts, " ")
		},
		set: func(c *Config, words []string) error {
			var all []float64
			for _, w := range splitWords(words) {
				p, err := strconv.ParseFloat(w, 64)
				if err != nil {
					return errors.New("Invalid latency-tracking-info-percentiles parameters") //nolint:staticcheck // Redis' text
				}
				if !(p >= 0 && p <= 100) {
					return errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
				}
				all = append(all, p)
			}
			c.LatencyPercentiles = all
			return nil
		}}
}

var errSave = errors.New("Invalid save parameters") //nolint:staticcheck // Redis' text

// saveDirective: in a file each line adds a rule, and an empty one clears them.
func saveDirective() directive {
	return directive{name: "save", flags: list | repeated,
		get: func(c *Config) string {
			var parts []string
			for _, r := range c.Save {
				parts = append(parts, fmt.Sprintf("%d %d", r.Seconds, r.Changes))
			}
			return strings.Join(parts, " ")
		},
		set: func(c *Config, words []string) error {
			words = splitWords(words)
			if len(words)%2 != 0 {
				return errSave
			}
			var rules []SaveRule
			for i := 0; i < len(words); i += 2 {
				seconds, err1 := strconv.ParseInt(words[i], 10, 64)
				changes, err2 := strconv.ParseInt(words[i+1], 10, 64)
				if err1 != nil || err2 != nil || seconds < 1 || changes < 0 {
					return errSave
				}
				rules = append(rules, SaveRule{seconds, changes})
			}
			c.Save = rules
			return nil
		}}
}

var classNames = [classes]string{"normal", "slave", "pubsub"}

func outputLimitDirective() directive {
	return directive{name: "client-output-buffer-limit", flags: list | repeated,
		get: func(c *Config) string {
			var parts []string
			for i, l := range c.OutputLimits {
				parts = append(parts, fmt.Sprintf("%s %d %d %d", classNames[i], l.Hard, l.Soft, l.SoftSeconds))
			}
			return strings.Join(parts, " ")
		},
		set: func(c *Config, words []string) error {
			words = splitWords(words)
			if len(words) == 0 || len(words)%4 != 0 {
				return errors.New("Wrong number of arguments in buffer limit configuration.") //nolint:staticcheck // Redis' text
			}
			limits := c.OutputLimits
			for ; len(words) > 0; words = words[4:] {
				class := slices.Index([]string{"normal", "slave", "pubsub"}, strings.Replace(strings.ToLower(words[0]), "replica", "slave", 1))
				if class < 0 {
					return errors.New("Invalid client class specified in buffer limit configuration.") //nolint:staticcheck // Redis' text
				}
				hard, err1 := ParseMemory(words[1])
				soft, err2 := ParseMemory(words[2])
				seconds, err3 := strconv.ParseInt(words[3], 10, 64)
				if err1 != nil || err2 != nil || err3 != nil || seconds < 0 {
					return errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.") //nolint:staticcheck // Redis' text
				}
				limits[class] = OutputLimit{hard, soft, seconds}
			}
			c.OutputLimits = limits
			return nil
		}}
}

func replicaOfDirective() directive {
	return directive{name: "replicaof", alias: "slaveof", flags: immutable | list,
		get: func(c *Config) string {
			if c.ReplicaOf == nil {
				return ""
			}
			return c.ReplicaOf.Host + " " + strconv.Itoa(c.ReplicaOf.Port)
		},
		set: func(c *Config, words []string) error {
			words = splitWords(words)
			if len(words) == 0 || len(words) == 2 && strings.EqualFold(words[0], "no") && strings.EqualFold(words[1], "one") {
				c.ReplicaOf = nil
				return nil
			}
			if len(words) != 2 {
				return errArgs
			}
			port, err := strconv.Atoi(words[1])
			if err != nil || port < 0 || port > 65535 {
				return errors.New("Invalid master port") //nolint:staticcheck // Redis' text
			}
			c.ReplicaOf = &Address{words[0], port}
			return nil
		}}
}

// inertDirectives are accepted and shown, and change nothing: they tune what
// this server does not have or does in another way.
func inertDirectives() []directive {
	var all []directive
	add := func(check func(string) error, pairs ...string) {
		for i := 0; i < len(pairs); i += 3 {
			all = append(all, inert(pairs[i], pairs[i+1], pairs[i+2], check))
		}
	}
	add(isBool,
		"activedefrag", "", "no", "aof-disable-auto-gc", "", "no", "aof-load-truncated", "", "yes",
		"aof-rewrite-incremental-fsync", "", "yes", "aof-timestamp-enabled", "", "no", "aof-use-rdb-preamble", "", "yes",
		"cluster-allow-pubsubshard-when-down", "", "yes", "cluster-allow-reads-when-down", "", "no",
		"cluster-allow-replica-migration", "", "yes", "cluster-require-full-coverage", "", "yes",
		"cluster-replica-no-failover", "cluster-slave-no-failover", "no",
		"disable-thp", "", "yes", "io-threads-do-reads", "", "no", "jemalloc-bg-thread", "", "yes",
		"no-appendfsync-on-rewrite", "", "no", "replica-ignore-disk-write-errors", "", "no", "set-proc-title", "", "yes",
		"tls-prefer-server-ciphers", "", "no")
	add(isBool, "cluster-slot-stats-enabled", "", "no", "extended-redis-compatibility", "", "no")
	add(isInt, "active-defrag-cycle-us", "", "500", "cluster-blacklist-ttl", "", "60", "cluster-manual-failover-timeout", "", "5000",
		"events-per-io-thread", "", "2", "max-new-connections-per-cycle", "", "10",
		"max-new-tls-connections-per-cycle", "", "1", "prefetch-batch-max-size", "", "16")
	add(isInt,
		"active-defrag-cycle-max", "", "25", "active-defrag-cycle-min", "", "1",
		"active-defrag-max-scan-fields", "", "1000", "active-defrag-threshold-lower", "", "10",
		"active-defrag-threshold-upper", "", "100", "auto-aof-rewrite-percentage", "", "100",
		"cluster-announce-bus-port", "", "0", "cluster-announce-port", "", "0", "cluster-announce-tls-port", "", "0",
		"cluster-migration-barrier", "", "1", "cluster-node-timeout", "", "15000", "cluster-port", "", "0",
		"cluster-replica-validity-factor", "cluster-slave-validity-factor", "10",
		"tls-session-cache-size", "", "20480", "tls-session-cache-timeout", "", "300")
	add(isMemory,
		"active-defrag-ignore-bytes", "", "104857600", "auto-aof-rewrite-min-size", "", "67108864",
		"cluster-link-sendbuf-limit", "", "0")
	add(isOneOf("everysec", "always", "no"), "appendfsync", "", "everysec")
	add(isOneOf("no", "yes", "clients"), "sanitize-dump-payload", "", "no")
	add(isOneOf("ignore", "panic", "panic-on-replicas"), "propagation-error-behavior", "", "ignore")
	add(isOneOf("no", "yes", "relative", "absolute"), "oom-score-adj", "", "no")
	add(nil,
		"aof_rewrite_cpulist", "aof-rewrite-cpulist", "", "bgsave_cpulist", "bgsave-cpulist", "",
		"bio_cpulist", "bio-cpulist", "", "server_cpulist", "server-cpulist", "",
		"appenddirname", "", "appendonlydir", "appendfilename", "", "appendonly.aof",
		"cluster-announce-hostname", "", "", "cluster-announce-ip", "", "", "cluster-config-file", "", "nodes.conf",
		"cluster-announce-human-nodename", "", "", "cluster-preferred-endpoint-type", "", "ip", "ignore-warnings", "", "",
		"locale-collate", "", "", "syslog-facility", "", "local0", "syslog-ident", "", "redis",
		"dual-channel-replication-enabled", "", "no")
	add(isOOMScores, "oom-score-adj-values", "", "0 200 800")
	add(isTitleTemplate, "proc-title-template", "", "{title} {listen-addr} {server-mode}")
	for i := range all {
		if all[i].name == "syslog-facility" || all[i].name == "syslog-ident" {
			all[i].flags |= immutable
		}
	}
	forTests := len(all)
	add(isBool, "close-on-replica-write", "close-on-slave-write", "yes", "use-exit-on-panic", "", "no")
	for i := range all[forTests:] {
		all[forTests+i].flags |= startOnly
	}
	return all
}

// isOOMScores: three numbers, for the primary, a replica and a process that saves.
func isOOMScores(value string) error {
	words := strings.Fields(value)
	if len(words) != 3 {
		return errArgs
	}
	for _, w := range words {
		if v, err := strconv.Atoi(w); err != nil || v < -2000 || v > 2000 {
			return errors.New("Invalid oom-score-adj-values, elements must be between -2000 and 2000.") //nolint:staticcheck // Redis' text
		}
	}
	return nil
}

// isTitleTemplate: what is in braces names something.
func isTitleTemplate(value string) error {
	for rest := value; ; {
		_, inside, open := strings.Cut(rest, "{")
		if !open {
			return nil
		}
		name, after, closed := strings.Cut(inside, "}")
		if !closed || !slices.Contains([]string{"title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"}, name) {
			return errors.New("template format is invalid or contains unknown variables")
		}
		rest = after
	}
}

// unsupportedDirectives ask for features that do not exist here. They are
// refused by name, except at the value that does not ask.
func unsupportedDirectives() []directive {
	deprecated := unsupported("lua-enable-deprecated-api", "no", "scripts have no getfenv, setfenv and newproxy")
	deprecated.flags = startOnly | immutable
	return []directive{
		deprecated,
		unsupported("appendonly", "no", "there is no append-only file; use save and replication for durability"),
		unsupported("cluster-enabled", "no", "keys are not sharded over servers"),
		unsupported("io-threads", "1", "one thread executes and serves"),
		unsupported("log-timestamp-format", "legacy", "log-format json has times in the form of ISO 8601"),
		unsupported("rdb-version-check", "strict", "a file of a newer version is refused"),
		unsupported("watchdog-period", "0", "health and metrics tell of a stalled reactor"),
		unsupported("loadmodule", "", "modules can not be loaded"),
		unsupported("rename-command", "", "commands can not be renamed"),
		unsupported("syslog-enabled", "no", "write the log to standard output or a logfile"),
		unsupported("tls-cluster", "no", "there is no cluster bus"),
		unsupported("tls-dh-params-file", "", "keys are exchanged over elliptic curves"),
	}
}
