package server

import "github.com/lockstep-db/lockstep/server/command"

// What COMMAND DOCS and COMMAND INFO tell of the commands of this package, apart
// from the specs, which are what the server itself goes by.

// What a proxy in front of several servers should do with a command: ask one or
// all of them, and how to combine the answers.
var (
	tipNondeterministic = []string{"nondeterministic_output"}
	tipAllNodesOK       = []string{"request_policy:all_nodes", "response_policy:all_succeeded"}
	tipAllShardsOK      = []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	tipAllNodes         = []string{"nondeterministic_output", "request_policy:all_nodes"}
	tipAllNodesSpecial  = append(tipAllNodes[:2:2], "response_policy:special")
	tipAllNodesSum      = append(tipAllNodes[:2:2], "response_policy:agg_sum")
	tipAllShardsSpecial = []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}
)

const (
	costConstant = "O(1)"
	costClients  = "O(N) with the number of connections"
	costKeys     = "O(N) with the number of keys in all databases"
	costVaries   = "Depends on the subcommand"
)

func text(name string) command.Arg    { return command.NewArg(name, command.ArgString) }
func integer(name string) command.Arg { return command.NewArg(name, command.ArgInteger) }

// manyAfter repeats an argument with its token.
func manyAfter(token string, a command.Arg) command.Arg {
	a = a.After(token).Many()
	a.MultipleToken = true
	return a
}

// choice is one of several words.
func choice(name string, words ...string) command.Arg {
	tokens := make([]command.Arg, len(words))
	for i, w := range words {
		tokens[i] = command.Token(w)
	}
	return command.OneOf(name, tokens...)
}

// docs by full name.
func docs() map[string]command.Doc {
	all := map[string]command.Doc{}
	add := func(group string, entries map[string]command.Doc) {
		for name, d := range entries {
			d.Group = group
			if d.Complexity == "" {
				d.Complexity = costConstant
			}
			all[name] = d
		}
	}
	add("connection", connectionDocs())
	add("connection", clientDocs())
	add("transactions", transactionDocs())
	add("server", serverDocs())
	add("server", aclDocs())
	add("server", diagnosticDocs())
	add("scripting", scriptingDocs())
	add("pubsub", pubsubDocs())
	add("cluster", clusterDocs())
	add("generic", migrateDocs())
	replication := replicationDocs()
	add("server", replication)
	for _, name := range []string{"wait", "waitaof"} {
		d := replication[name]
		d.Group, d.Complexity = "generic", costConstant
		all[name] = d
	}
	add("server", absentDocs())
	return all
}

func connectionDocs() map[string]command.Doc {
	return map[string]command.Doc{
		"auth": {Since: "1.0.0", Summary: "Proves with a password that the client may use the server",
			History: []command.Change{{Since: "6.0.0", What: "Takes a user name as well"}},
			Args:    []command.Arg{text("username").Opt().From("6.0.0"), text("password")}},
		"hello": {Since: "6.0.0", Summary: "Chooses the version of the protocol and introduces both sides to each other",
			History: []command.Change{{Since: "6.2.0", What: "Without arguments it only introduces the server"}},
			Args: []command.Arg{command.Block("arguments", integer("protover"),
				command.Block("username_password", text("username"), text("password")).After("AUTH").Opt(),
				text("clientname").After("SETNAME").Opt()).Opt()}},
		"ping":   {Since: "1.0.0", Summary: "Shows that the server answers", Tips: tipAllShardsOK, Args: []command.Arg{text("message").Opt()}},
		"echo":   {Since: "1.0.0", Summary: "Sends the argument back", Args: []command.Arg{text("message")}},
		"quit":   {Since: "1.0.0", Summary: "Ends the connection once everything is answered"},
		"reset":  {Since: "6.2.0", Summary: "Makes the connection as if it were new"},
		"select": {Since: "1.0.0", Summary: "Chooses the database that the connection works on", Args: []command.Arg{integer("index")}},
	}
}

func clientDocs() map[string]command.Doc {
	kind := choice("type", "NORMAL", "MASTER", "REPLICA", "PUBSUB").After("TYPE").Opt()
	kinds := choice("type", "NORMAL", "MASTER", "PRIMARY", "SLAVE", "REPLICA", "PUBSUB").After("TYPE").Opt()
	ids := integer("client-id").After("ID").Opt().Many()
	user, maxAge := text("username").After("USER").Opt(), integer("maxage").After("MAXAGE").Opt()
	addr, local := text("ip:port").After("ADDR").Opt(), text("ip:port").After("LADDR").Opt()
	skip := choice("yes/no", "YES", "NO").After("SKIPME").Opt()
	return map[string]command.Doc{
		"client":               {Since: "2.4.0", Summary: "Commands about connections", Complexity: costVaries},
		"client|caching":       {Since: "6.0.0", Summary: "Says whether keys that the next command reads are tracked", Args: []command.Arg{choice("mode", "YES", "NO")}},
		"client|getname":       {Since: "2.6.9", Summary: "Returns the connection's name"},
		"client|getredir":      {Since: "6.0.0", Summary: "Returns who is told of keys that become invalid"},
		"client|id":            {Since: "5.0.0", Summary: "Returns the number of the connection, which no other one ever has"},
		"client|import-source": {Since: "8.1.0", Summary: "Says whether the connection sees expired keys while data is imported", Args: []command.Arg{choice("enabled", "ON", "OFF")}},
		"client|info":          {Since: "6.2.0", Summary: "Describes the connection in one line", Tips: tipNondeterministic},
		"client|kill": {Since: "2.4.0", Summary: "Closes connections that match all of the conditions", Complexity: costClients,
			History: []command.Change{{Since: "2.8.12", What: "Takes conditions instead of an address"}, {Since: "6.2.0", What: "Knows LADDR"},
				{Since: "8.0.0", What: "Knows MAXAGE, and PRIMARY as a type"}, {Since: "8.1.0", What: "Takes several IDs"}},
			Args: []command.Arg{command.OneOf("filter", text("ip:port"), command.OneOf("new-format",
				ids, kinds, user, addr, local, skip, maxAge).Many())}},
		"client|list": {Since: "2.4.0", Summary: "Describes connections, one per line", Complexity: costClients, Tips: tipNondeterministic,
			History: []command.Change{{Since: "8.1.0", What: "Takes several conditions; knows USER, ADDR, LADDR, SKIPME and MAXAGE"}},
			Args:    []command.Arg{kind, ids.From("6.2.0"), user.From("8.1.0"), addr.From("8.1.0"), local.From("8.1.0"), skip.From("8.1.0"), maxAge.From("8.1.0")}},
		"client|no-evict": {Since: "7.0.0", Summary: "Says whether the connection may be closed to save memory", Args: []command.Arg{choice("enabled", "ON", "OFF")}},
		"client|no-touch": {Since: "7.2.0", Summary: "Says whether what the connection reads counts as used", Args: []command.Arg{choice("enabled", "ON", "OFF")}},
		"client|pause": {Since: "2.9.50", Summary: "Lets commands of clients wait for some milliseconds",
			Args: []command.Arg{integer("timeout"), choice("mode", "WRITE", "ALL").Opt().From("6.2.0")}},
		"client|reply": {Since: "3.2.0", Summary: "Says whether commands of the connection are answered", Args: []command.Arg{choice("on_off_skip", "ON", "OFF", "SKIP")}},
		"client|setinfo": {Since: "7.2.0", Summary: "Tells which library the client uses",
			Args: []command.Arg{command.OneOf("attr", text("libname").After("LIB-NAME"), text("libver").After("LIB-VER"))}},
		"client|setname": {Since: "2.6.9", Summary: "Gives the connection a name", Args: []command.Arg{text("connection-name")}},
		"client|tracking": {Since: "6.0.0", Summary: "Has the server tell when keys that the client may have cached become invalid", Complexity: "O(1), some ways O(N) with the number of prefixes",
			Args: []command.Arg{choice("status", "ON", "OFF"), integer("client-id").After("REDIRECT").Opt(), manyAfter("PREFIX", text("prefix")).Opt(),
				command.Token("BCAST").Opt(), command.Token("OPTIN").Opt(), command.Token("OPTOUT").Opt(), command.Token("NOLOOP").Opt()}},
		"client|trackinginfo": {Since: "6.2.0", Summary: "Tells in what way the client tracks keys"},
		"client|capa":         {Since: "8.0.0", Summary: "Says what the client understands", Complexity: "O(N) with the number of capabilities", Args: []command.Arg{text("capability").Many()}},
		"client|unblock": {Since: "5.0.0", Summary: "Ends the wait of another connection",
			Args: []command.Arg{integer("client-id"), choice("timeout_error", "TIMEOUT", "ERROR").Opt()}},
		"client|unpause": {Since: "6.2.0", Summary: "Lets waiting commands go on", Complexity: "O(N) with the number of waiting connections"},
		"client|help":    {Since: "5.0.0", Summary: "Lists the subcommands"},
	}
}

func transactionDocs() map[string]command.Doc {
	return map[string]command.Doc{
		"multi":   {Since: "1.2.0", Summary: "Begins a transaction: what follows is queued until EXEC"},
		"exec":    {Since: "1.2.0", Summary: "Executes what was queued, with nothing of others in between", Complexity: "That of the queued commands"},
		"discard": {Since: "2.0.0", Summary: "Drops what was queued", Complexity: "O(N) with the number of queued commands"},
		"watch": {Since: "2.2.0", Summary: "Makes the next EXEC do nothing if one of the keys changes before", Complexity: "O(1) for each key",
			Args: []command.Arg{command.Key().Many()}},
		"unwatch": {Since: "2.2.0", Summary: "Forgets the watched keys"},
	}
}

func serverDocs() map[string]command.Doc {
	return map[string]command.Doc{
		"time": {Since: "2.6.0", Summary: "Returns the server's clock in seconds and microseconds", Tips: tipNondeterministic},
		"info": {Since: "1.0.0", Summary: "Tells how the server is doing, by sections", Tips: tipAllShardsSpecial,
			History: []command.Change{{Since: "7.0.0", What: "Takes several sections"}}, Args: []command.Arg{text("section").Opt().Many()}},
		"lolwut":  {Since: "5.0.0", Summary: "Draws a picture, and tells the version", Args: []command.Arg{integer("version").After("VERSION").Opt()}},
		"monitor": {Since: "1.0.0", Summary: "Shows what all clients ask for from now on"},
		"shutdown": {Since: "1.0.0", Summary: "Stops the server, after replicas have caught up and a snapshot is written where wanted", Complexity: "O(N) with the number of keys when a snapshot is written",
			History: []command.Change{{Since: "7.0.0", What: "Waits for replicas; knows NOW, FORCE and ABORT"}},
			Args: []command.Arg{choice("nosave_save", "NOSAVE", "SAVE").Opt(), command.Token("NOW").Opt().From("7.0.0"),
				command.Token("FORCE").Opt().From("7.0.0"), command.Token("ABORT").Opt().From("7.0.0")}},
		"save": {Since: "1.0.0", Summary: "Writes a snapshot while everybody waits", Complexity: costKeys},
		"bgsave": {Since: "1.0.0", Summary: "Writes a snapshot beside everything else",
			History: []command.Change{{Since: "3.2.2", What: "Knows SCHEDULE"}, {Since: "8.1.0", What: "Knows CANCEL"}},
			Args:    []command.Arg{command.OneOf("operation", command.Token("SCHEDULE").From("3.2.2"), command.Token("CANCEL").From("8.1.0")).Opt()}},
		"lastsave":         {Since: "1.0.0", Summary: "Returns the time of the last good snapshot", Tips: tipNondeterministic},
		"config":           {Since: "2.0.0", Summary: "Commands about the configuration", Complexity: costVaries},
		"config|get":       {Since: "2.0.0", Summary: "Returns directives and their values", Complexity: "O(N) with the number of directives asked for", Args: []command.Arg{command.Block("parameter", text("parameter")).Many()}},
		"config|set":       {Since: "2.0.0", Summary: "Changes directives, all or none", Complexity: "O(N) with the number of directives", Tips: tipAllNodesOK, Args: []command.Arg{command.Block("parameter_value", text("parameter"), text("value")).Many()}},
		"config|resetstat": {Since: "2.0.0", Summary: "Sets the counters of INFO back to zero"},
		"config|rewrite":   {Since: "2.8.0", Summary: "Brings the configuration file up to date"},
		"config|help":      {Since: "5.0.0", Summary: "Lists the subcommands"},
		"debug":            {Since: "1.0.0", SysCmd: true, Summary: "Commands for tests; see enable-debug-command", Complexity: costVaries},
	}
}

func diagnosticDocs() map[string]command.Doc {
	event := []command.Arg{text("event")}
	log := choice("type", "slow", "large-request", "large-reply")
	return map[string]command.Doc{
		"memory":              {Since: "4.0.0", Summary: "Commands about memory", Complexity: costVaries},
		"memory|usage":        {Since: "4.0.0", Summary: "Returns how many bytes a key and its value occupy", Args: []command.Arg{command.Key(), integer("count").After("SAMPLES").Opt()}},
		"memory|doctor":       {Since: "4.0.0", Summary: "Says in words what is unusual about the memory", Tips: tipAllShardsSpecial},
		"memory|malloc-stats": {Since: "4.0.0", Summary: "Shows where the keyspace's memory is", Tips: tipAllShardsSpecial},
		"memory|purge":        {Since: "4.0.0", Summary: "Gives free memory back to the system", Tips: tipAllShardsOK},
		"memory|stats":        {Since: "4.0.0", Summary: "Returns where the memory is, in numbers", Tips: tipAllShardsSpecial},
		"memory|help":         {Since: "4.0.0", Summary: "Lists the subcommands"},
		"slowlog":             {Since: "2.2.12", Summary: "Commands about the log of slow commands", Complexity: costVaries},
		"slowlog|get":         {Since: "2.2.12", Summary: "Returns the newest slow commands", Complexity: "O(N) with the number of entries", Tips: tipAllNodes, Args: []command.Arg{integer("count").Opt()}},
		"slowlog|len":         {Since: "2.2.12", Summary: "Returns how many slow commands are remembered", Tips: tipAllNodesSum},
		"slowlog|reset":       {Since: "2.2.12", Summary: "Forgets the slow commands", Tips: tipAllNodesOK},
		"slowlog|help":        {Since: "6.2.0", Summary: "Lists the subcommands"},
		"commandlog":          {Since: "8.1.0", Summary: "Commands about the logs of commands that took long, or whose request or reply was large", Complexity: costVaries},
		"commandlog|get":      {Since: "8.1.0", Summary: "Returns the newest entries of a log", Complexity: "O(N) with the number of entries", Tips: tipAllNodes, Args: []command.Arg{integer("count"), log}},
		"commandlog|len":      {Since: "8.1.0", Summary: "Returns how many commands a log remembers", Tips: tipAllNodesSum, Args: []command.Arg{log}},
		"commandlog|reset":    {Since: "8.1.0", Summary: "Forgets the entries of a log", Complexity: "O(N) with the number of entries", Tips: tipAllNodesOK, Args: []command.Arg{log}},
		"commandlog|help":     {Since: "8.1.0", Summary: "Lists the subcommands"},
		"latency":             {Since: "2.8.13", Summary: "Commands about what took long", Complexity: costVaries},
		"latency|doctor":      {Since: "2.8.13", Summary: "Says in words what took long", Tips: tipAllNodesSpecial},
		"latency|graph":       {Since: "2.8.13", Summary: "Draws the samples of an event", Tips: tipAllNodesSpecial, Args: event},
		"latency|history":     {Since: "2.8.13", Summary: "Returns the samples of an event", Tips: tipAllNodesSpecial, Args: event},
		"latency|latest":      {Since: "2.8.13", Summary: "Returns the last and the worst sample of each event", Tips: tipAllNodesSpecial},
		"latency|reset":       {Since: "2.8.13", Summary: "Forgets the samples of events", Tips: tipAllNodesOK, Args: []command.Arg{text("event").Opt().Many()}},
		"latency|histogram":   {Since: "7.0.0", Summary: "Returns how long commands took, as a distribution", Complexity: "O(N) with the number of commands", Tips: tipAllNodesSpecial, Args: []command.Arg{text("command").Opt().Many()}},
		"latency|help":        {Since: "2.8.13", Summary: "Lists the subcommands"},
	}
}

// describe gives specs their documentation. It panics when there is none: a
// command that nobody can look up is a mistake in the program.
func describe(specs []*command.Spec) []*command.Spec {
	all := docs()
	var give func(prefix string, specs []*command.Spec)
	give = func(prefix string, specs []*command.Spec) {
		for _, s := range specs {
			d, known := all[prefix+s.Name]
			if !known {
				panic("no documentation of the command " + prefix + s.Name)
			}
			s.Doc = d
			give(s.Name+"|", s.Subcommands)
		}
	}
	give("", specs)
	return specs
}
