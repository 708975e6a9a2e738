package server

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/store"
)

// The subcommands of DEBUG that look inside.

// debugKey finds the key of a subcommand, or answers that there is none.
func debugKey(call *command.Call) (store.Entry, bool) {
	e, ok := call.DB.Find(call.Args[2])
	if !ok {
		call.Fail(command.ErrNoSuchKey)
	}
	return e, ok
}

// dumpFrame is what DUMP adds to a value: its type, a version and a checksum.
const dumpFrame = 1 + 2 + 8

func (s *Server) debugObject(call *command.Call) {
	e, ok := debugKey(call)
	if !ok {
		return
	}
	line := fmt.Sprintf("Value at:0x0 refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
		e.Encoding(), len(dataset.Dump(&s.env.Dumps, e))-dumpFrame, e.Access(), command.IdleSeconds(e, call.Now))
	if e.Encoding() == store.EncodingQuicklist {
		l := e.List()
		line += fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:0 ql_uncompressed_size:%d",
			l.NodeCount(), float64(l.Len())/float64(l.NodeCount()), s.config.ListMaxListpackSize, e.Size())
	}
	call.Out.Simple(line)
}

// debugListpack and debugQuicklist show the structure in the log, which is where
// Redis shows it when it is not a daemon.
func (s *Server) debugListpack(call *command.Call) {
	e, ok := debugKey(call)
	if !ok {
		return
	}
	if e.Encoding() != store.EncodingListpack {
		call.Fail("ERR Not a listpack encoded object.")
		return
	}
	s.log.Noticef("DEBUG LISTPACK: %d bytes: %x", len(e.Packed()), e.Packed())
	call.Out.Simple("Listpack structure printed on stdout")
}

func (s *Server) debugQuicklist(call *command.Call) {
	e, ok := debugKey(call)
	if !ok {
		return
	}
	if e.Encoding() != store.EncodingQuicklist {
		call.Fail("ERR Not a quicklist encoded object.")
		return
	}
	n := 0
	e.List().Nodes(func(plain bool, data []byte) bool {
		s.log.Noticef("DEBUG QUICKLIST: node %d, plain %t, %d bytes", n, plain, len(data))
		n++
		return true
	})
	call.Out.Simple("Quicklist structure printed on stdout")
}

func (s *Server) debugHTStats(call *command.Call) {
	n, ok := parseInt(call.Args[2])
	if !ok {
		call.Fail(errNotInteger)
		return
	}
	if n < 0 || n >= int64(s.keyspace.Databases()) {
		call.Fail("ERR Out of range database")
		return
	}
	db := s.keyspace.MemoryStats().Databases[n]
	call.Out.Verbatim("txt", "[Dictionary HT]\n"+tableStats(db.Keys, db.Table)+"[Expires HT]\n"+tableStats(db.Volatile, db.Index))
}

func tableStats(elements, bytes int) string {
	if elements == 0 {
		return "Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n"
	}
	return fmt.Sprintf("Hash table 0 stats (main hash table):\n number of elements: %d\n bytes: %d\n bytes per element: %.2f\n",
		elements, bytes, float64(bytes)/float64(elements))
}

func (s *Server) debugHTStatsKey(call *command.Call) {
	e, ok := debugKey(call)
	if !ok {
		return
	}
	n := 0
	switch {
	case e.Encoding() != store.EncodingHashtable:
		call.Fail("ERR The value stored at the specified key is not represented using an hash table")
		return
	case e.Type() == store.TypeHash:
		n = e.Hash().Len()
	default:
		n = e.Set().Len()
	}
	call.Out.Verbatim("txt", tableStats(n, e.Size()))
}

func (s *Server) debugSDSLen(call *command.Call) {
	e, ok := debugKey(call)
	if !ok {
		return
	}
	if _, number := e.Int(); number || e.Type() != store.TypeString {
		call.Fail("ERR Not an sds encoded string.")
		return
	}
	// Key and value are in one block, without room behind either.
	call.Out.Simple(fmt.Sprintf("key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d",
		len(call.Args[2]), e.Size(), e.StringLen(), 0))
}

func debugStringMatch(call *command.Call) {
	n := 0
	if command.Match(call.Args[2], call.Args[3]) {
		n = 1
	}
	call.Out.Int(int64(n))
}

// debugClientEviction shows how many clients there are of each power of two of
// memory.
func (s *Server) debugClientEviction(call *command.Call) {
	if s.weights.limit == 0 {
		call.Fail("ERR maxmemory-clients is disabled.")
		return
	}
	var counts [65]int
	for _, c := range s.evictable() {
		counts[weightClass(c)]++
	}
	var b strings.Builder
	for class, n := range counts {
		if n > 0 {
			fmt.Fprintf(&b, "up to %d bytes: %d clients\n", uint64(1)<<class, n)
		}
	}
	fmt.Fprintf(&b, "total: %d of %d bytes\n", s.weights.total, s.weights.limit)
	call.Out.Verbatim("txt", b.String())
}

func (s *Server) debugPauseCron(call *command.Call) {
	s.cronPaused = string(call.Args[2]) != "0"
	call.Out.OK()
}

// debugReplicate puts a command into the stream that was not executed here.
func (s *Server) debugReplicate(call *command.Call) {
	if s.mayExpire() {
		call.Also(call.Args[2:]...)
	}
	call.Out.OK()
}

// debugCrash ends the process as a crash does: nothing is saved, nobody is told.
func (s *Server) debugCrash(call *command.Call) {
	if s.embedded {
		call.Fail("ERR this server shares its process with others, and does not end it")
		return
	}
	s.log.Warningf("DEBUG %s from %s: crashing", strings.ToUpper(string(call.Args[1])), session(call).peer)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // can not fail for oneself
}

// debugAbsent are subcommands of Redis about what this server does not have, and
// what that is.
var debugAbsent = map[string]string{
	"aof-flush-sleep": "there is no append-only file", "loadaof": "there is no append-only file",
	"config-rewrite-force-all": "CONFIG REWRITE writes what differs from the defaults",
	"crash-and-recover":        "whoever runs the process restarts it", "restart": "whoever runs the process restarts it",
	"leak":    "memory is collected",
	"mallctl": "the allocator is another one", "mallctl-str": "the allocator is another one", "structsize": "the structures are others",
	"drop-cluster-packet-filter": "there is no cluster mode", "clusterlink": "there is no cluster mode",
	"set-skip-checksum-validation": "checksums are always checked",
	"set-disable-deny-scripts":     "what scripts may call is fixed",
	"stringmatch-test":             "fuzzing is done by the tests",
	"replybuffer":                  "reply buffers are managed in another way", "client-enforce-reply-list": "reply buffers are managed in another way",
	"dict-resizing": "tables grow in another way",
}
