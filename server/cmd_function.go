package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/script"
)

func (s *Server) functionSpec() *command.Spec {
	sub := func(name string, arity int, flags command.Flags, fn func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags | command.NoScript, Categories: command.CatScripting, Run: fn}
	}
	help := helpSpec("function", command.Loading|command.Stale, functionHelp...)
	help.Categories = command.CatScripting
	return &command.Spec{Name: "function", Arity: -2, Subcommands: []*command.Spec{
		sub("delete", 3, command.Write, s.cmdFunctionDelete),
		sub("dump", 2, 0, s.cmdFunctionDump),
		sub("flush", -2, command.Write, s.cmdFunctionFlush),
		sub("kill", 2, command.AllowBusy, func(c *command.Call) { s.killScript(c, false) }),
		sub("list", -2, 0, s.cmdFunctionList),
		sub("load", -3, command.Write|command.DenyOOM, s.cmdFunctionLoad),
		sub("restore", -3, command.Write|command.DenyOOM, s.cmdFunctionRestore),
		sub("stats", 2, command.AllowBusy, s.cmdFunctionStats),
		help,
	}}
}

var functionHelp = []string{
	"LOAD [REPLACE] <FUNCTION CODE>",
	"    Create a new library with the given library name and code.",
	"DELETE <LIBRARY NAME>",
	"    Delete the given library.",
	"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
	"    Return general information on all the libraries:",
	"    * Library name",
	"    * The engine used to run the Library",
	"    * Library description",
	"    * Functions list",
	"    * Library code (if WITHCODE is given)",
	"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
	"STATS",
	"    Return information about the current function running:",
	"    * Function name",
	"    * Command used to run the function",
	"    * Duration in MS that the function is running",
	"    If no function is running, return nil",
	"    In addition, returns a list of available engines.",
	"KILL",
	"    Kill the current running function.",
	"FLUSH [ASYNC|SYNC]",
	"    Delete all the libraries.",
	"    When called without the optional mode argument, the behavior is determined by the",
	"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
	"    * ASYNC: Asynchronously flush the libraries.",
	"    * SYNC: Synchronously flush the libraries.",
	"DUMP",
	"    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
	"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
	"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
	"    control how to handle existing libraries (default APPEND):",
	"    * FLUSH: delete all existing libraries.",
	"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
	"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
	"      libraries with the new libraries (notice that even on this option there is a chance of failure",
	"      in case of functions name collision with another library).",
}

func (s *Server) cmdFunctionLoad(call *command.Call) {
	args := call.Args[2:]
	replace := false
	for ; len(args) > 1; args = args[1:] {
		if !foldIs(args[0], "replace") {
			call.Fail(command.ReplyError("ERR Unknown option given: " + string(args[0])))
			return
		}
		replace = true
	}
	lib, err := s.functions.prepare(string(args[0]), replace)
	if err == nil {
		err = s.functions.admit([]*script.Library{lib}, replace)
	}
	if err != nil {
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	call.Changed(1)
	call.Out.BulkString(lib.Name)
}

func (s *Server) cmdFunctionDelete(call *command.Call) {
	if !s.functions.remove(string(call.Args[2])) {
		call.Fail("ERR Library not found")
		return
	}
	call.Changed(1)
	call.Out.OK()
}

func (s *Server) cmdFunctionFlush(call *command.Call) {
	switch {
	case len(call.Args) > 3:
		call.Fail(errSubSyntax("FUNCTION", call.Args[1]))
		return
	case !flushMode(call.Args):
		call.Fail("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
		return
	}
	s.functions.flush()
	call.Changed(1)
	call.Out.OK()
}

func (s *Server) cmdFunctionList(call *command.Call) {
	var pattern []byte
	withCode := false
	for args := call.Args[2:]; len(args) > 0; args = args[1:] {
		switch {
		case !withCode && foldIs(args[0], "withcode"):
			withCode = true
		case pattern == nil && foldIs(args[0], "libraryname"):
			if len(args) < 2 {
				call.Fail("ERR library name argument was not given")
				return
			}
			args = args[1:]
			pattern = args[0]
		default:
			call.Fail(command.ReplyError("ERR Unknown argument " + string(args[0])))
			return
		}
	}
	out := call.Out
	mark, n := out.Mark(), 0
	for _, name := range slices.Sorted(maps.Keys(s.functions.libraries)) {
		if pattern != nil && !command.MatchFold(pattern, []byte(name)) {
			continue
		}
		n++
		listLibrary(call, s.functions.libraries[name], withCode)
	}
	out.InsertArray(mark, n)
}

func listLibrary(call *command.Call, lib *script.Library, withCode bool) {
	out := call.Out
	fields := 3
	if withCode {
		fields++
	}
	out.Map(fields)
	out.BulkString("library_name")
	out.BulkString(lib.Name)
	out.BulkString("engine")
	out.BulkString("LUA")
	out.BulkString("functions")
	out.Array(len(lib.Functions))
	for _, name := range slices.Sorted(maps.Keys(lib.Functions)) {
		f := lib.Functions[name]
		out.Map(3)
		out.BulkString("name")
		out.BulkString(name)
		out.BulkString("description")
		if f.Described {
			out.BulkString(f.Description)
		} else {
			out.Null()
		}
		out.BulkString("flags")
		mark, n := out.Mark(), 0
		for i, flag := range script.FlagNames {
			if f.Flags&(1<<i) != 0 {
				out.Simple(flag)
				n++
			}
		}
		out.InsertSet(mark, n)
	}
	if withCode {
		out.BulkString("library_code")
		out.BulkString(lib.Source)
	}
}

func (s *Server) cmdFunctionStats(call *command.Call) {
	out, run := call.Out, s.scripts.run
	if run != nil && run.eval {
		call.Fail(errBusyEval)
		return
	}
	out.Map(2)
	out.BulkString("running_script")
	if run == nil {
		out.Null()
	} else {
		out.Map(3)
		out.BulkString("name")
		out.BulkString(run.name)
		out.BulkString("command")
		out.Array(len(run.command))
		for _, arg := range run.command {
			out.Bulk(arg)
		}
		out.BulkString("duration_ms")
		out.Int((s.clock.elapsed() - run.started).Milliseconds())
	}
	out.BulkString("engines")
	out.Map(1)
	out.BulkString("LUA")
	out.Map(2)
	out.BulkString("libraries_count")
	out.Int(int64(len(s.functions.libraries)))
	out.BulkString("functions_count")
	out.Int(int64(s.functions.count()))
}

func (s *Server) cmdFunctionDump(call *command.Call) {
	var payload []byte
	for _, source := range s.functions.sources() {
		payload = rdb.AppendFunction(payload, source)
	}
	call.Out.Bulk(rdb.AppendFooter(payload, 0))
}

func (s *Server) cmdFunctionRestore(call *command.Call) {
	replace, flush := false, false
	if len(call.Args) > 4 {
		call.Fail(errSubSyntax("FUNCTION", call.Args[1]))
		return
	}
	if len(call.Args) == 4 {
		switch policy := call.Args[3]; {
		case foldIs(policy, "append"):
		case foldIs(policy, "replace"):
			replace = true
		case foldIs(policy, "flush"):
			flush = true
		default:
			call.Fail("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
			return
		}
	}
	libs, err := s.restoredLibraries(call.Args[2])
	if err == nil {
		if flush {
			err = s.functions.replaceAll(libs)
		} else if len(libs) > 0 {
			err = s.functions.admit(libs, replace)
		}
	}
	if err != nil {
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	call.Changed(1)
	call.Out.OK()
}

// Errors of FUNCTION RESTORE, with Redis' texts.
var (
	errFunctionPayload = errors.New("DUMP payload version or checksum are wrong") //nolint:staticcheck // see above
	errNotFunction     = errors.New("given type is not a function")               //nolint:staticcheck // see above
	errFunctionBroken  = errors.New("failed loading the given functions payload") //nolint:staticcheck // see above
)

// footerLen is the version and the checksum at the end of a payload.
const footerLen = 10

// restoredLibraries compiles what FUNCTION DUMP has spelled.
func (s *Server) restoredLibraries(payload []byte) ([]*script.Library, error) {
	end := len(payload) - footerLen
	if end < 0 || binary.LittleEndian.Uint16(payload[end:]) > rdb.WriteVersion ||
		binary.LittleEndian.Uint64(payload[end+2:]) != rdb.Checksum(0, payload[:end+2]) {
		return nil, errFunctionPayload
	}
	// With a beginning and an end around them, the records are a file.
	const endOfFile = 255
	file := append(rdb.AppendHeader(nil), payload[:end]...)
	file = append(file, endOfFile, 0, 0, 0, 0, 0, 0, 0, 0)
	r := rdb.NewReader(bytes.NewReader(file))
	var libs []*script.Library
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) || err == nil && rec.Kind == rdb.KindEnd:
			return libs, nil
		case err != nil:
			return nil, errFunctionBroken
		case rec.Kind != rdb.KindFunction:
			return nil, errNotFunction
		}
		lib, err := s.functions.compile(string(rec.Value.Data))
		if err != nil {
			return nil, err
		}
		libs = append(libs, lib)
	}
}
