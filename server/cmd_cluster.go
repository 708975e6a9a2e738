package server

import "github.com/lockstep-db/lockstep/server/command"

const errClusterOff command.ReplyError = "ERR This instance has cluster support disabled"

func refuseCluster(call *command.Call) { call.Fail(errClusterOff) }

// clusterSpecs answer as a server without cluster mode does: clients that look for
// a cluster understand by the refusal that there is none.
func (s *Server) clusterSpecs() []*command.Spec {
	fast := command.Fast | command.Loading | command.Stale
	conn := command.CatConnection
	return []*command.Spec{
		{Name: "readonly", Arity: 1, Flags: fast, Categories: conn, Run: cmdReadonly},
		{Name: "readwrite", Arity: 1, Flags: fast, Categories: conn, Run: cmdReadwrite},
		{Name: "asking", Arity: 1, Flags: command.Fast, Categories: conn, Run: refuseCluster},
		{Name: "cluster", Arity: -2, Subcommands: clusterSubcommands()},
	}
}

func clusterSubcommands() []*command.Spec {
	const read = command.Stale
	const look = command.Stale | command.Admin
	const change = look | command.NoAsyncLoading
	var specs []*command.Spec
	for _, sub := range []struct {
		name  string
		arity int
		flags command.Flags
	}{
		{"addslots", -3, change}, {"addslotsrange", -4, change}, {"bumpepoch", 2, change},
		{"count-failure-reports", 3, look}, {"countkeysinslot", 3, read},
		{"delslots", -3, change}, {"delslotsrange", -4, change}, {"failover", -2, change}, {"flushslots", 2, change},
		{"forget", 3, change}, {"getkeysinslot", 4, read}, {"help", 2, command.Loading | command.Stale},
		{"info", 2, read}, {"keyslot", 3, read}, {"links", 2, read}, {"meet", -4, change},
		{"myid", 2, read}, {"myshardid", 2, read}, {"nodes", 2, read}, {"replicas", 3, look}, {"replicate", 3, change},
		{"reset", -2, look | command.NoScript}, {"saveconfig", 2, change}, {"set-config-epoch", 3, change},
		{"setslot", -4, change}, {"shards", 2, read}, {"slaves", 3, look}, {"slot-stats", -4, command.Stale | command.Loading}, {"slots", 2, read},
	} {
		specs = append(specs, &command.Spec{Name: sub.name, Arity: sub.arity, Flags: sub.flags, Run: refuseCluster})
	}
	return specs
}

func clusterDocs() map[string]command.Doc {
	const absent = "Belongs to cluster mode, which this server does not have"
	docs := map[string]command.Doc{
		"readonly":  {Since: "3.0.0", Summary: "Lets a replica answer the reads of a client that it would redirect"},
		"readwrite": {Since: "3.0.0", Summary: "Ends READONLY"},
		"asking":    {Since: "3.0.0", Summary: absent},
		"cluster":   {Since: "3.0.0", Summary: absent, Complexity: costVaries},
	}
	for _, sub := range clusterSubcommands() {
		docs["cluster|"+sub.Name] = command.Doc{Since: "3.0.0", Summary: absent}
	}
	for name, since := range map[string]string{"addslotsrange": "7.0.0", "delslotsrange": "7.0.0", "help": "5.0.0",
		"links": "7.0.0", "myshardid": "7.2.0", "replicas": "5.0.0", "shards": "7.0.0", "slot-stats": "8.0.0"} {
		docs["cluster|"+name] = command.Doc{Since: since, Summary: absent}
	}
	edit := func(name string, change func(*command.Doc)) {
		d := docs["cluster|"+name]
		change(&d)
		docs["cluster|"+name] = d
	}
	for _, name := range []string{"bumpepoch", "count-failure-reports", "getkeysinslot", "info", "links", "nodes", "replicas", "shards", "slaves", "slots"} {
		edit(name, func(d *command.Doc) { d.Tips = tipNondeterministic })
	}
	edit("slot-stats", func(d *command.Doc) { d.Tips = []string{"nondeterministic_output", "request_policy:all_shards"} })
	for name, args := range clusterArgs() {
		edit(name, func(d *command.Doc) { d.Args = args })
	}
	edit("slaves", func(d *command.Doc) { d.Deprecated, d.ReplacedBy = "5.0.0", "`CLUSTER REPLICAS`" })
	edit("slots", func(d *command.Doc) { d.Deprecated, d.ReplacedBy = "7.0.0", "`CLUSTER SHARDS`" })
	return docs
}

// clusterArgs is for tools that complete what one types.
func clusterArgs() map[string][]command.Arg {
	slots := []command.Arg{integer("slot").Many()}
	ranges := []command.Arg{command.Block("range", integer("start-slot"), integer("end-slot")).Many()}
	node := []command.Arg{text("node-id")}
	return map[string][]command.Arg{
		"addslots": slots, "delslots": slots, "addslotsrange": ranges, "delslotsrange": ranges,
		"count-failure-reports": node, "forget": node, "replicas": node, "replicate": node, "slaves": node,
		"countkeysinslot": {integer("slot")}, "getkeysinslot": {integer("slot"), integer("count")},
		"keyslot": {text("key")}, "set-config-epoch": {integer("config-epoch")},
		"failover": {choice("options", "FORCE", "TAKEOVER").Opt()}, "reset": {choice("reset-type", "HARD", "SOFT").Opt()},
		"meet": {text("ip"), integer("port"), integer("cluster-bus-port").Opt().From("4.0.0")},
		"slot-stats": {command.OneOf("filter", command.Block("slotsrange", integer("start-slot"), integer("end-slot")).After("SLOTSRANGE"),
			command.Block("orderby", text("metric"), integer("limit").After("LIMIT").Opt(), choice("order", "ASC", "DESC").Opt()).After("ORDERBY"))},
		"setslot": {integer("slot"), command.OneOf("subcommand", text("importing").After("IMPORTING"), text("migrating").After("MIGRATING"),
			text("node").After("NODE"), command.Token("STABLE"))},
	}
}
