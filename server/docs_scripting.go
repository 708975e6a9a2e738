package server

import "github.com/lockstep-db/lockstep/server/command"

func scriptingDocs() map[string]command.Doc {
	const cost = "That of the script or function"
	keys := []command.Arg{integer("numkeys"), command.Key().Opt().Many(), text("arg").Opt().Many()}
	with := func(first string) []command.Arg { return append([]command.Arg{text(first)}, keys...) }
	flush := []command.Arg{command.OneOf("flush-type", command.Token("ASYNC"), command.Token("SYNC")).Opt()}
	restore := command.OneOf("policy", command.Token("FLUSH"), command.Token("APPEND"), command.Token("REPLACE")).Opt()
	return map[string]command.Doc{
		"eval":       {Since: "2.6.0", Summary: "Runs a script", Complexity: cost, Args: with("script")},
		"evalsha":    {Since: "2.6.0", Summary: "Runs a script that the server knows, by its fingerprint", Complexity: cost, Args: with("sha1")},
		"eval_ro":    {Since: "7.0.0", Summary: "Runs a script that must not write", Complexity: cost, Args: with("script")},
		"evalsha_ro": {Since: "7.0.0", Summary: "Runs a script that the server knows and that must not write", Complexity: cost, Args: with("sha1")},
		"fcall":      {Since: "7.0.0", Summary: "Calls a function of a library", Complexity: cost, Args: with("function")},
		"fcall_ro":   {Since: "7.0.0", Summary: "Calls a function of a library that must not write", Complexity: cost, Args: with("function")},

		"script":        {Since: "2.6.0", Summary: "Commands about scripts", Complexity: costVaries},
		"script|debug":  {Since: "3.2.0", Summary: "Would choose how scripts are debugged; they can not be", Args: []command.Arg{choice("mode", "YES", "SYNC", "NO")}},
		"script|exists": {Since: "2.6.0", Summary: "Says which scripts the server knows", Complexity: "O(N) with the number of fingerprints", Tips: []string{"request_policy:all_shards", "response_policy:agg_logical_and"}, Args: []command.Arg{text("sha1").Many()}},
		"script|flush": {Since: "2.6.0", Summary: "Forgets all scripts", Complexity: "O(N) with the number of scripts", Tips: tipAllNodesOK,
			History: []command.Change{{Since: "6.2.0", What: "Knows ASYNC and SYNC"}}, Args: flush},
		"script|kill": {Since: "2.6.0", Summary: "Ends the script that runs", Tips: tipOneShard},
		"script|load": {Since: "2.6.0", Summary: "Makes a script known to the server and returns its fingerprint", Complexity: "O(N) with the length of the script", Tips: tipAllNodesOK, Args: []command.Arg{text("script")}},
		"script|show": {Since: "8.0.0", Summary: "Returns a script that the server knows", Args: []command.Arg{text("sha1")}},
		"script|help": {Since: "5.0.0", Summary: "Lists the subcommands"},

		"function":        {Since: "7.0.0", Summary: "Commands about libraries of functions", Complexity: costVaries},
		"function|delete": {Since: "7.0.0", Summary: "Removes a library", Tips: tipAllShardsOK, Args: []command.Arg{text("library-name")}},
		"function|dump":   {Since: "7.0.0", Summary: "Returns all libraries in a form that FUNCTION RESTORE takes", Complexity: "O(N) with the number of functions"},
		"function|flush":  {Since: "7.0.0", Summary: "Removes all libraries", Complexity: "O(N) with the number of functions", Tips: tipAllShardsOK, Args: flush},
		"function|kill":   {Since: "7.0.0", Summary: "Ends the function that runs", Tips: tipOneShard},
		"function|list": {Since: "7.0.0", Summary: "Returns what is known of libraries and their functions", Complexity: "O(N) with the number of functions", Tips: []string{"nondeterministic_output_order"},
			Args: []command.Arg{text("library-name-pattern").After("LIBRARYNAME").Opt(), command.Token("WITHCODE").Opt()}},
		"function|load": {Since: "7.0.0", Summary: "Brings in a library", Complexity: "That of the library's code", Tips: tipAllShardsOK,
			Args: []command.Arg{command.Token("REPLACE").Opt(), text("function-code")}},
		"function|restore": {Since: "7.0.0", Summary: "Brings in what FUNCTION DUMP returned", Complexity: "O(N) with the number of functions", Tips: tipAllShardsOK,
			Args: []command.Arg{text("serialized-value"), restore}},
		"function|stats": {Since: "7.0.0", Summary: "Tells which function runs, and how many there are", Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
		"function|help":  {Since: "7.0.0", Summary: "Lists the subcommands"},
	}
}

var tipOneShard = []string{"request_policy:all_shards", "response_policy:one_succeeded"}
