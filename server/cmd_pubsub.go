package server

import (
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
)

// pubsubSpecs are the commands about channels.
func (s *Server) pubsubSpecs() []*command.Spec {
	open := command.PubSub | command.Loading | command.Stale
	listen, send := open|command.NoScript, open|command.Fast|command.MayReplicate
	shards := func(last int) []command.KeySpec {
		return []command.KeySpec{command.KeyAt(1, last, 1, command.KeyNotKey)}
	}
	sub := func(name string, arity int, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: open, Run: run}
	}
	return []*command.Spec{
		{Name: "subscribe", Arity: -2, Flags: listen, Run: s.subscribe(topicChannel, "subscribe")},
		{Name: "unsubscribe", Arity: -1, Flags: listen, Run: s.unsubscribe(topicChannel, "unsubscribe")},
		{Name: "psubscribe", Arity: -2, Flags: listen, Run: s.subscribe(topicPattern, "psubscribe")},
		{Name: "punsubscribe", Arity: -1, Flags: listen, Run: s.unsubscribe(topicPattern, "punsubscribe")},
		{Name: "ssubscribe", Arity: -2, Flags: listen, KeySpecs: shards(-1), Run: s.subscribe(topicShard, "ssubscribe")},
		{Name: "sunsubscribe", Arity: -1, Flags: listen, KeySpecs: shards(-1), Run: s.unsubscribe(topicShard, "sunsubscribe")},
		{Name: "publish", Arity: 3, Flags: send, Run: s.cmdPublish(topicChannel)},
		{Name: "spublish", Arity: 3, Flags: send, KeySpecs: shards(0), Run: s.cmdPublish(topicShard)},
		{Name: "pubsub", Arity: -2, Subcommands: []*command.Spec{
			sub("channels", -2, s.listTopics(topicChannel)),
			sub("numpat", 2, func(c *command.Call) { c.Out.Int(int64(len(s.pubsub.patterns))) }),
			sub("numsub", -2, s.countListeners(topicChannel)),
			sub("shardchannels", -2, s.listTopics(topicShard)),
			sub("shardnumsub", -2, s.countListeners(topicShard)),
			helpSpec("pubsub", command.Loading|command.Stale,
				"CHANNELS [<pattern>]", "    Return the currently active channels matching a <pattern> (default: '*').",
				"NUMPAT", "    Return number of subscriptions to patterns.",
				"NUMSUB [<channel> ...]", "    Return the number of subscribers for the specified channels, excluding",
				"    pattern subscriptions(default: no channels).",
				"SHARDCHANNELS [<pattern>]", "    Return the currently active shard level channels matching a <pattern> (default: '*').",
				"SHARDNUMSUB [<shardchannel> ...]", "    Return the number of subscribers for the specified shard level channel(s)"),
		}},
	}
}

// inSubscriberMode says whether a connection may use a command: with RESP2 messages
// would be taken for replies, so a listener may only do what fits in between.
func inSubscriberMode(spec *command.Spec) bool {
	if spec.Has(command.PubSub | command.NoScript) {
		return true // the subscribing ones
	}
	switch spec.FullName() {
	case "ping", "quit", "reset":
		return true
	}
	return false
}

func errSubscriberMode(spec *command.Spec) command.ReplyError {
	return command.ReplyError("ERR Can't execute '" + spec.FullName() +
		"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

// confirmed is the number that a confirmation tells: subscriptions to shards are
// counted apart.
func (c *conn) confirmed(kind topicKind) int64 {
	if kind == topicShard {
		return int64(c.subscribed(topicShard))
	}
	return int64(c.subscribed(topicChannel) + c.subscribed(topicPattern))
}

// pushesReply says that the reply of the command is a push, which CLIENT REPLY does
// not concern. A replica gets nothing but its stream.
func (c *conn) pushesReply() {
	if !c.has(flagReplica) {
		c.flags |= flagPushReply
	}
}

func (s *Server) subscribe(kind topicKind, word string) func(*command.Call) {
	return func(call *command.Call) {
		c := session(call)
		if kind == topicShard && c.has(flagMulti) {
			call.Fail("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client") // SUBSCRIBE is, in Redis
			return
		}
		c.pushesReply()
		for _, name := range call.Args[1:] {
			s.pubsub.add(c, kind, name)
			call.Out.Push(3)
			call.Out.BulkString(word)
			call.Out.Bulk(name)
			call.Out.Int(c.confirmed(kind))
		}
	}
}

func (s *Server) unsubscribe(kind topicKind, word string) func(*command.Call) {
	return func(call *command.Call) {
		c := session(call)
		c.pushesReply()
		leave := func(name []byte) {
			s.pubsub.drop(c, kind, name)
			call.Out.Push(3)
			call.Out.BulkString(word)
			call.Out.Bulk(name)
			call.Out.Int(c.confirmed(kind))
		}
		for _, name := range call.Args[1:] {
			leave(name)
		}
		if len(call.Args) > 1 {
			return
		}
		names := c.names(kind)
		for _, name := range names {
			leave([]byte(name))
		}
		if len(names) == 0 {
			call.Out.Push(3)
			call.Out.BulkString(word)
			call.Out.Null()
			call.Out.Int(c.confirmed(kind))
		}
	}
}

func (s *Server) cmdPublish(kind topicKind) func(*command.Call) {
	return func(call *command.Call) {
		n := s.publishMessage(kind, call.Args[1], call.Args[2])
		if s.mayExpire() {
			// Replicas have listeners, too. Who may not lead adds nothing to the
			// stream, also when a script calls.
			call.ForceEffect()
			s.hasWritten(s.current)
		}
		call.Out.Int(int64(n))
	}
}

func (s *Server) listTopics(kind topicKind) func(*command.Call) {
	return func(call *command.Call) {
		if len(call.Args) > 3 {
			call.Fail(errSubSyntax("pubsub", call.Args[1]))
			return
		}
		var names []string
		for name := range s.pubsub.topics[kind] {
			if len(call.Args) == 2 || command.Match(call.Args[2], []byte(name)) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		call.Out.Array(len(names))
		for _, name := range names {
			call.Out.BulkString(name)
		}
	}
}

func (s *Server) countListeners(kind topicKind) func(*command.Call) {
	return func(call *command.Call) {
		call.Out.Array(2 * (len(call.Args) - 2))
		for _, name := range call.Args[2:] {
			n := 0
			if t := s.pubsub.topics[kind][string(name)]; t != nil {
				n = len(t.members)
			}
			call.Out.Bulk(name)
			call.Out.Int(int64(n))
		}
	}
}
