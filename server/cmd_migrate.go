package server

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/resp"
)

// MIGRATE moves keys to another server. A goroutine talks to it (migrate_link.go).
// Until it has, the client waits, and so do all writes, so that what is removed here
// is what is there; reads go on.

const (
	errMigrateKey     command.ReplyError = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
	errMigrateAlone   command.ReplyError = "ERR MIGRATE can not be part of a transaction or a script: everybody would wait for the other server"
	errMigrateConnect command.ReplyError = "IOERR error or timeout connecting to the client"
	errMigrateWrite   command.ReplyError = "IOERR error or timeout writing to target instance"
	errMigrateRead    command.ReplyError = "IOERR error or timeout reading to target instance"
	errMigrateKept    command.ReplyError = "ERR the keys were copied, and are kept here: writes are not possible any more"
)

func (s *Server) migrateSpec() *command.Spec {
	const moved = command.KeyRW | command.KeyAccess | command.KeyDelete
	return &command.Spec{Name: "migrate", Arity: -6, Flags: command.Write, Categories: command.CatKeyspace | command.CatDangerous,
		Run: s.cmdMigrate, Keys: migrateKeys,
		KeySpecs: []command.KeySpec{
			command.KeyAt(3, 0, 1, moved),
			{Flags: moved | command.KeyIncomplete, Begin: command.KeyBegin{Keyword: "KEYS", From: -2}, Find: command.KeyFind{Last: -1, Step: 1}},
		}}
}

func migrateDocs() map[string]command.Doc {
	empty := command.Token("").Named("empty_string")
	return map[string]command.Doc{
		"migrate": {Since: "2.6.0", Complexity: "O(N) for N bytes of values",
			Summary: "Moves keys to another server",
			Tips:    tipNondeterministic,
			History: []command.Change{
				{Since: "3.0.0", What: "Options `COPY` and `REPLACE`."}, {Since: "3.0.6", What: "Option `KEYS`."},
				{Since: "4.0.7", What: "Option `AUTH`."}, {Since: "6.0.0", What: "Option `AUTH2`."},
			},
			Args: []command.Arg{
				text("host"), integer("port"), command.OneOf("key_or_empty_string", command.Key(), empty),
				integer("destination-db"), integer("timeout"),
				command.Token("COPY").From("3.0.0").Opt(), command.Token("REPLACE").From("3.0.0").Opt(),
				command.OneOf("authentication", text("password").After("AUTH").From("4.0.7").Opt(),
					command.Block("username_password", text("username"), text("password")).After("AUTH2").From("6.0.0").Opt()).Opt(),
				command.Key().In(1).After("KEYS").From("3.0.6").Opt().Many(),
			}},
	}
}

// migrateKeys finds the one key, or those behind KEYS.
func migrateKeys(args [][]byte) []command.KeyRef {
	first, end := 3, 4
	for i := 6; i < len(args); i++ {
		switch {
		case foldIs(args[i], "auth"):
			i++
		case foldIs(args[i], "auth2"):
			i += 2
		case foldIs(args[i], "keys") && len(args[3]) == 0:
			first, end, i = i+1, len(args), len(args)
		}
	}
	refs := make([]command.KeyRef, 0, end-first)
	for i := first; i < end; i++ {
		refs = append(refs, command.KeyRef{Index: i, Flags: command.KeyRW | command.KeyAccess | command.KeyDelete})
	}
	return refs
}

type migrateOptions struct {
	copy, replace bool
	auth          [][]byte // arguments of AUTH
	keys          [][]byte
	db            int64
	timeout       time.Duration
}

func parseMigrate(call *command.Call) (o migrateOptions, ok bool) {
	args := call.Args
	o.keys = args[3:4]
	for i := 6; i < len(args); i++ {
		more := len(args) - 1 - i
		switch arg := args[i]; {
		case foldIs(arg, "copy"):
			o.copy = true
		case foldIs(arg, "replace"):
			o.replace = true
		case foldIs(arg, "auth") && more >= 1:
			o.auth = args[i+1 : i+2]
			i++
		case foldIs(arg, "auth2") && more >= 2:
			o.auth = args[i+1 : i+3]
			i += 2
		case foldIs(arg, "keys") && len(args[3]) > 0:
			call.Fail(errMigrateKey)
			return o, false
		case foldIs(arg, "keys"):
			o.keys, i = args[i+1:], len(args)
		default:
			call.Fail(command.ErrSyntax)
			return o, false
		}
	}
	ms, ok := parseInt(args[5])
	if ok {
		o.db, ok = parseInt(args[4])
	}
	if !ok {
		call.Fail(errNotInteger)
		return o, false
	}
	if ms <= 0 {
		ms = 1000
	}
	o.timeout = time.Duration(min(ms, int64(24*time.Hour/time.Millisecond))) * time.Millisecond
	return o, true
}

// migration is a MIGRATE under way.
type migration struct {
	c       *conn
	blocked *blocking
	db      int
	spec    *command.Spec
	args    [][]byte // copies
	keys    [][]byte // copies: those that were there, and are sent
	copy    bool
}

func (s *Server) cmdMigrate(call *command.Call) {
	o, ok := parseMigrate(call)
	if !ok {
		return
	}
	if !call.MayWait {
		call.Fail(errMigrateAlone)
		return
	}
	c := session(call)
	m := &migration{c: c, db: call.DBIndex, spec: call.Spec, copy: o.copy}
	request := s.migrateRequest(call, m, o)
	if len(m.keys) == 0 {
		call.Out.Simple("NOKEY")
		return
	}
	m.args, _ = keepArgs(call.Args)
	s.blockConn(c, "migrate", nil, func(why unblockReason) {
		if why != unblockClosed {
			c.out.Error(unblockedByCommand)
		}
	})
	m.blocked = c.blocked
	s.migrating++
	ctx, target := s.repl.ctx, net.JoinHostPort(string(call.Args[1]), string(call.Args[2]))
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		result := migrate(ctx, target, o.timeout, request)
		s.post(func() { s.migrated(m, result) })
	}()
}

// migrateRequest spells what is sent to the other server, and notes the keys.
func (s *Server) migrateRequest(call *command.Call, m *migration, o migrateOptions) (r migrateRequest) {
	if o.auth != nil {
		r.first++
		r.preamble = resp.AppendCommand(r.preamble, slices.Concat([][]byte{[]byte("AUTH")}, o.auth)...)
	}
	r.first++
	r.preamble = resp.AppendCommand(r.preamble, []byte("SELECT"), fmt.Append(nil, o.db))
	for _, key := range o.keys {
		e, found := call.FindRead(key)
		if !found {
			continue
		}
		ttl := int64(0)
		if at, expires := e.ExpireAt(); expires {
			ttl = max(1, at-call.Now)
		}
		args := [][]byte{[]byte("RESTORE"), key, fmt.Append(nil, ttl), dataset.Dump(&call.Dumps, e)}
		if o.replace {
			args = append(args, []byte("REPLACE"))
		}
		r.restores = resp.AppendCommand(r.restores, args...)
		r.keys++
		m.keys = append(m.keys, append([]byte(nil), key...))
	}
	return r
}

// migrated ends a MIGRATE: what the other server has confirmed is removed here.
func (s *Server) migrated(m *migration, r migrateResult) {
	if s.migrating--; s.migrating == 0 && !s.pause.active {
		s.releaseHeld()
		defer s.waits.signalAll(-1)
	}
	c := m.c
	if c.blocked == nil || c.blocked != m.blocked {
		return // whoever does not wait any more keeps the keys
	}
	reply := r.reply
	if len(r.restored) > 0 && !m.copy && (s.pause.active || s.gate(c, m.spec, m.args) != "") {
		reply, r.restored = errMigrateKept, nil
	}
	before := len(c.out.Buf)
	call := &s.callWait
	call.Args, call.DBIndex = m.args, m.db
	s.prepare(c, call)
	previous := s.current
	s.current = c
	s.commands.Execute(call, &command.Spec{Name: "migrate", Flags: command.Write, Run: func(call *command.Call) {
		m.remove(call, r.restored)
		if reply != "" {
			call.Fail(reply)
		} else {
			call.Out.OK()
		}
	}})
	s.current = previous
	s.unblocked(c)
	s.hasWritten(c)
	s.settleReply(c, before)
	s.ran(c, m.spec)
}

// remove removes what has moved. To replicas it is a DEL.
func (m *migration) remove(call *command.Call, restored []int) {
	if m.copy {
		return
	}
	effect := [][]byte{[]byte("DEL")}
	for _, i := range restored {
		if call.RemoveMoved(m.keys[i]) {
			effect = append(effect, m.keys[i])
		}
	}
	call.Rewrite(effect...)
}

// targetError is what the client hears of an error of the other server.
func targetError(line string) command.ReplyError {
	return command.ReplyError("ERR Target instance replied with error: " + strings.TrimPrefix(line, "-"))
}
