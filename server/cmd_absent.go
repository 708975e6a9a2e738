package server

import "github.com/lockstep-db/lockstep/server/command"

// Commands of Redis about what this server does not have. They are known by name,
// so that nobody takes a refusal for a mistake in spelling.

const (
	errNoAOF     command.ReplyError = "ERR this server has no append-only file; use BGSAVE, and replication for durability"
	errNoModules command.ReplyError = "ERR this server can not load modules"
)

func (s *Server) absentSpecs() []*command.Spec {
	refuse := func(why command.ReplyError) func(*command.Call) {
		return func(call *command.Call) { call.Fail(why) }
	}
	load := command.Admin | command.NoScript | command.NoAsyncLoading
	return []*command.Spec{
		{Name: "bgrewriteaof", Arity: 1, Flags: load, Run: refuse(errNoAOF)},
		{Name: "module", Arity: -2, Subcommands: []*command.Spec{
			{Name: "list", Arity: 2, Flags: command.Admin | command.NoScript, Run: func(c *command.Call) { c.Out.Array(0) }},
			{Name: "load", Arity: -3, Flags: load, Run: refuse(errNoModules)},
			{Name: "loadex", Arity: -3, Flags: load, Run: refuse(errNoModules)},
			{Name: "unload", Arity: 3, Flags: load, Run: refuse(errNoModules)},
			helpSpec("module", command.Loading|command.Stale,
				"LIST", "    Return a list of loaded modules.",
				"LOAD, LOADEX, UNLOAD", "    Not supported."),
		}},
	}
}

func absentDocs() map[string]command.Doc {
	path := text("path")
	return map[string]command.Doc{
		"bgrewriteaof": {Since: "1.0.0", Summary: "Belongs to the append-only file, which this server does not have"},
		"module":       {Since: "4.0.0", Summary: "Commands about modules, which this server can not load", Complexity: costVaries},
		"module|list":  {Since: "4.0.0", Summary: "Returns the loaded modules: none", Tips: []string{"nondeterministic_output_order"}},
		"module|load": {Since: "4.0.0", Summary: "Is not supported",
			Args: []command.Arg{path, text("arg").Opt().Many()}},
		"module|loadex": {Since: "7.0.0", Summary: "Is not supported",
			Args: []command.Arg{path, manyAfter("CONFIG", command.Block("configs", text("name"), text("value"))).Opt(),
				command.Block("args", text("arg")).After("ARGS").Opt().Many()}},
		"module|unload": {Since: "4.0.0", Summary: "Is not supported", Args: []command.Arg{text("name")}},
		"module|help":   {Since: "5.0.0", Summary: "Lists the subcommands"},
	}
}
