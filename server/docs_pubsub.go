package server

import "github.com/lockstep-db/lockstep/server/command"

func pubsubDocs() map[string]command.Doc {
	const costTopics = "O(N) with the number of topics named"
	pattern := command.NewArg("pattern", command.ArgPattern)
	return map[string]command.Doc{
		"subscribe":   {Since: "2.0.0", Summary: "Listens to channels", Complexity: costTopics, Args: []command.Arg{text("channel").Many()}},
		"unsubscribe": {Since: "2.0.0", Summary: "Listens to channels no longer; to none without names", Complexity: costTopics, Args: []command.Arg{text("channel").Opt().Many()}},
		"psubscribe": {Since: "2.0.0", Summary: "Listens to all channels whose names match a pattern", Complexity: costTopics,
			Args: []command.Arg{command.Block("pattern", pattern).Many()}},
		"punsubscribe": {Since: "2.0.0", Summary: "Listens no longer by patterns; by none without patterns", Complexity: costTopics, Args: []command.Arg{pattern.Opt().Many()}},
		"ssubscribe":   {Since: "7.0.0", Summary: "Listens to shard channels", Complexity: costTopics, Args: []command.Arg{text("shardchannel").Many()}},
		"sunsubscribe": {Since: "7.0.0", Summary: "Listens to shard channels no longer; to none without names", Complexity: costTopics, Args: []command.Arg{text("shardchannel").Opt().Many()}},
		"publish": {Since: "2.0.0", Summary: "Sends a message to all who listen to a channel", Args: []command.Arg{text("channel"), text("message")},
			Complexity: "O(N+M) with the numbers of listeners and of all patterns"},
		"spublish": {Since: "7.0.0", Summary: "Sends a message to all who listen to a shard channel", Args: []command.Arg{text("shardchannel"), text("message")},
			Complexity: "O(N) with the number of listeners"},
		"pubsub":               {Since: "2.8.0", Summary: "Commands about who listens", Complexity: costVaries},
		"pubsub|channels":      {Since: "2.8.0", Summary: "Returns the channels that somebody listens to", Complexity: "O(N) with the number of channels", Args: []command.Arg{pattern.Opt()}},
		"pubsub|numpat":        {Since: "2.8.0", Summary: "Returns the number of patterns by which somebody listens"},
		"pubsub|numsub":        {Since: "2.8.0", Summary: "Returns how many listen to channels", Complexity: costTopics, Args: []command.Arg{text("channel").Opt().Many()}},
		"pubsub|shardchannels": {Since: "7.0.0", Summary: "Returns the shard channels that somebody listens to", Complexity: "O(N) with the number of channels", Args: []command.Arg{pattern.Opt()}},
		"pubsub|shardnumsub":   {Since: "7.0.0", Summary: "Returns how many listen to shard channels", Complexity: costTopics, Args: []command.Arg{text("shardchannel").Opt().Many()}},
		"pubsub|help":          {Since: "6.2.0", Summary: "Lists the subcommands"},
	}
}
