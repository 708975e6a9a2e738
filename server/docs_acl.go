package server

import "github.com/lockstep-db/lockstep/server/command"

func aclDocs() map[string]command.Doc {
	const costUsers = "O(N) with the number of users"
	return map[string]command.Doc{
		"acl": {Since: "6.0.0", Summary: "Commands about users and what they may do", Complexity: costVaries},
		"acl|cat": {Since: "6.0.0", Summary: "Returns the categories of commands, or the commands of one", Args: []command.Arg{text("category").Opt()},
			Complexity: "O(N) with the number of commands"},
		"acl|deluser": {Since: "6.0.0", Summary: "Removes users and hangs up on those who are logged in as them", Args: []command.Arg{text("username").Many()}},
		"acl|dryrun":  {Since: "7.0.0", Summary: "Says whether a user may run a command, without running it", Args: []command.Arg{text("username"), text("command"), text("arg").Opt().Many()}},
		"acl|genpass": {Since: "6.0.0", Summary: "Makes up a password that nobody can guess", Args: []command.Arg{integer("bits").Opt()}},
		"acl|getuser": {Since: "6.0.0", Summary: "Returns the rules of a user", Args: []command.Arg{text("username")},
			Complexity: "O(N) with the number of the user's rules",
			History: []command.Change{{Since: "6.2.0", What: "Knows channels"},
				{Since: "7.0.0", What: "Knows selectors, and spells keys and channels as rules"}}},
		"acl|list": {Since: "6.0.0", Summary: "Returns all users as the lines of a file", Complexity: costUsers},
		"acl|load": {Since: "6.0.0", Summary: "Reads the users from the ACL file, all or none", Complexity: costUsers},
		"acl|log": {Since: "6.0.0", Summary: "Returns, or forgets, what was denied lately", Complexity: "O(N) with the number of entries",
			History: []command.Change{{Since: "7.2.0", What: "Entries have a number and the times of their first and last denial"}},
			Args:    []command.Arg{command.OneOf("operation", integer("count"), command.Token("RESET")).Opt()}},
		"acl|save": {Since: "6.0.0", Summary: "Writes the users to the ACL file", Complexity: costUsers},
		"acl|setuser": {Since: "6.0.0", Summary: "Makes a user or changes its rules", Args: []command.Arg{text("username"), text("rule").Opt().Many()},
			Complexity: "O(N) with the number of rules",
			History: []command.Change{{Since: "6.2.0", What: "Knows channels"},
				{Since: "7.0.0", What: "Knows selectors and permissions to read or to write"}}},
		"acl|users":  {Since: "6.0.0", Summary: "Returns the names of all users", Complexity: costUsers},
		"acl|whoami": {Since: "6.0.0", Summary: "Returns the name of the connection's user"},
		"acl|help":   {Since: "6.0.0", Summary: "Lists the subcommands"},
	}
}
