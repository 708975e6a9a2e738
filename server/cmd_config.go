package server

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/store"
)

func (s *Server) configSpec() *command.Spec {
	flags := command.Admin | command.NoScript | command.Loading | command.Stale
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	return &command.Spec{Name: "config", Arity: -2,
		Subcommands: []*command.Spec{
			sub("get", -3, s.cmdConfigGet),
			sub("set", -4, s.cmdConfigSet),
			sub("resetstat", 2, s.cmdConfigResetstat),
			sub("rewrite", 2, s.cmdConfigRewrite),
			helpSpec("config", command.Loading|command.Stale,
				"GET <pattern>", "    Return parameters matching the glob-like <pattern> and their values.",
				"SET <directive> <value>", "    Set the configuration <directive> to <value>.",
				"RESETSTAT", "    Reset statistics reported by the INFO command.",
				"REWRITE", "    Rewrite the configuration file."),
		}}
}

func globMatch(pattern, name string) bool {
	return command.MatchFold([]byte(pattern), []byte(name))
}

func (s *Server) cmdConfigGet(call *command.Call) {
	patterns := make([]string, 0, len(call.Args)-2)
	for _, a := range call.Args[2:] {
		patterns = append(patterns, string(a))
	}
	pairs := s.config.Get(globMatch, patterns)
	call.Out.Map(len(pairs))
	for _, p := range pairs {
		call.Out.BulkString(p.Name)
		call.Out.BulkString(p.Value)
	}
}

func (s *Server) cmdConfigSet(call *command.Call) {
	if len(call.Args)%2 != 0 {
		call.Fail(errSyntax)
		return
	}
	var pairs []config.Pair
	for i := 2; i < len(call.Args); i += 2 {
		pairs = append(pairs, config.Pair{Name: string(call.Args[i]), Value: string(call.Args[i+1])})
	}
	if err := s.setConfig(pairs, session(call).isLocal()); err != nil {
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	call.Out.OK()
}

// setConfig puts all of the values into force or none of them.
func (s *Server) setConfig(pairs []config.Pair, local bool) error {
	old := s.config
	next, changed, err := old.Set(pairs, local)
	if err != nil {
		return err
	}
	s.config = next
	for i, name := range changed {
		if err := s.apply(name, old); err != nil {
			s.config = old
			for _, undo := range slices.Backward(changed[:i]) {
				if undoErr := s.apply(undo, next); undoErr != nil {
					s.log.Warningf("Restoring %s after a failed CONFIG SET: %v", undo, undoErr)
				}
			}
			return &config.SetError{Name: name, Err: err}
		}
	}
	return nil
}

// apply makes a changed directive effective where reading s.config is not
// enough. old is the configuration before.
func (s *Server) apply(name string, old *config.Config) error {
	cfg := s.config
	switch name {
	case "bind":
		return s.rebind(old, listenTCP, listenTLS)
	case "port":
		return s.rebind(old, listenTCP)
	case "tls-port":
		if err := s.applyTLS(); err != nil {
			return err
		}
		return s.rebind(old, listenTLS)
	case "tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file", "tls-client-key-file-pass",
		"tls-ca-cert-file", "tls-ca-cert-dir", "tls-auth-clients", "tls-protocols", "tls-ciphers", "tls-ciphersuites",
		"tls-session-caching", "tls-replication":
		return s.applyTLS()
	case "hash-max-listpack-entries", "hash-max-listpack-value", "list-max-listpack-size", "list-compress-depth",
		"set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
		"zset-max-listpack-entries", "zset-max-listpack-value",
		"stream-node-max-bytes", "stream-node-max-entries", "hll-sparse-max-bytes":
		s.applyCollectionLimits()
	case "maxmemory-clients":
		s.applyClientLimit()
	case "maxmemory", "maxmemory-policy", "lfu-log-factor", "lfu-decay-time", "maxmemory-samples", "maxmemory-eviction-tenacity":
		s.applyEviction()
		s.applyClientLimit() // it may be a share of maxmemory
		s.evictLater()       // though no command may come for long
	case "lazyfree-lazy-expire", "lazyfree-lazy-server-del":
		s.applyRemovals()
	case "replica-read-only":
		s.hookEnv()
	case "notify-keyspace-events":
		s.applyNotify()
	case "dir":
		return s.changeDir(cfg.Dir)
	case "rdbcompression":
		s.env.Dumps.Compress = cfg.RDBCompression
	case "loglevel":
		s.log.setLevel(cfg.LogLevel)
	case "maxclients":
		return s.growClients(old.MaxClients)
	case "proto-max-bulk-len":
		s.applyLimits()
		s.env.MaxBulk = cfg.ProtoMaxBulkLen
		for _, c := range s.conns {
			c.parser.Limits = s.limits
		}
	case "requirepass":
		// Connections that are authenticated stay so, as in Redis.
		if err := s.setDefaultPassword(cfg.Requirepass); err != nil {
			return err
		}
		s.usersChanged()
	case "acl-pubsub-default":
		s.users.OpenChannels(cfg.ACLPubSubDefault == "allchannels")
	case "tracking-table-max-keys":
		s.boundTracking()
	case "latency-tracking":
		s.stats.timed = cfg.LatencyTracking
	case "slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold", "commandlog-request-larger-than",
		"commandlog-large-request-max-len", "commandlog-reply-larger-than", "commandlog-large-reply-max-len":
		s.applyCommandLogs()
	}
	return s.applyReplication(name, old)
}

// rebind listens on the new addresses of some kinds of clients instead of the old
// ones. What is on both lists needs the old one closed first; should the new ones not
// do, the old ones are taken again.
func (s *Server) rebind(old *config.Config, kinds ...listenerKind) error {
	s.closeListeners(kinds...)
	err := s.listenKinds(s.config, kinds)
	if err == nil {
		return nil
	}
	s.log.Warningf("Listening on other addresses: %v", err)
	s.closeListeners(kinds...)
	if err := s.listenKinds(old, kinds); err != nil {
		s.log.Warningf("Listening on the old addresses again: %v", err)
	}
	if s.config.Port != old.Port || s.config.TLSPort != old.TLSPort {
		return errors.New("Unable to listen on this port. Check server logs.") //nolint:staticcheck // Redis' text
	}
	return errors.New("Failed to bind to specified addresses.") //nolint:staticcheck // Redis' text
}

func (s *Server) listenKinds(cfg *config.Config, kinds []listenerKind) error {
	for _, kind := range kinds {
		if kind == listenTCP && cfg.Port == 0 {
			s.port = 0
			continue
		}
		if kind == listenTLS && cfg.TLSPort == 0 {
			s.tls.port = 0
			continue
		}
		if err := s.listenPort(kind, cfg); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) changeDir(dir string) error {
	if s.embedded {
		if info, err := os.Stat(dir); err != nil {
			return err
		} else if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if err := os.Chdir(dir); err != nil {
		return errors.Unwrap(err)
	}
	return nil
}

// growClients raises the limit of open files for more clients.
func (s *Server) growClients(old int) error {
	if s.embedded || s.config.MaxClients <= old {
		return nil
	}
	want := s.config.MaxClients
	if s.raiseFileLimit(); s.config.MaxClients < want {
		return fmt.Errorf("The operating system is not able to handle the specified number of clients, try with %d", s.config.MaxClients) //nolint:staticcheck // Redis' text
	}
	return nil
}

func (s *Server) cmdConfigResetstat(call *command.Call) {
	s.stats.reset()
	s.stats.releasedBefore = s.keyspace.MemoryStats().Released
	s.saving.saves = 0
	s.eviction.evicted, s.eviction.exceeded, s.eviction.since = 0, 0, 0
	s.scripts.evicted = 0
	env := &s.env.Stats
	env.Hits, env.Misses, env.Expired = 0, 0, 0
	s.expiring.timeCapReached, s.expiring.spent, s.expiring.stalePercent = 0, 0, 0
	s.resetReplicationStats()
	call.Out.OK()
}

func (s *Server) cmdConfigRewrite(call *command.Call) {
	s.usersForFile()
	if err := s.config.Rewrite(); err != nil {
		if !errors.Is(err, config.ErrNoFile) {
			s.log.Warningf("CONFIG REWRITE failed: %v", err)
			err = fmt.Errorf("Rewriting config file: %w", err) //nolint:staticcheck // Redis' text
		}
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	s.log.Noticef("CONFIG REWRITE executed with success.")
	call.Out.OK()
}

// applyRemovals says how replicas are told that keys are gone.
func (s *Server) applyRemovals() {
	s.env.LazyExpire, s.env.LazyServerDel = s.config.LazyfreeLazyExpire, s.config.LazyfreeServerDel
}

// applyCollectionLimits tells the keyspace up to where collections stay packed.
func (s *Server) applyCollectionLimits() {
	c := s.config
	s.keyspace.Limits = store.Limits{
		HashEntries: c.HashMaxListpackEntries, HashValue: c.HashMaxListpackValue,
		ListSize: c.ListMaxListpackSize, ListCompressDepth: c.ListCompressDepth,
		SetIntsetEntries: c.SetMaxIntsetEntries, SetEntries: c.SetMaxListpackEntries, SetValue: c.SetMaxListpackValue,
		SortedSetEntries: c.ZSetMaxListpackEntries, SortedSetValue: c.ZSetMaxListpackValue,
		StreamNodeBytes: c.StreamNodeMaxBytes, StreamNodeEntries: c.StreamNodeMaxEntries,
		HLLSparseBytes: c.HLLSparseMaxBytes,
	}
}
