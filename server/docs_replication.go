package server

import "github.com/lockstep-db/lockstep/server/command"

func replicationDocs() map[string]command.Doc {
	wait := []command.Arg{integer("numreplicas"), integer("timeout")}
	primary := []command.Arg{command.OneOf("args",
		command.Block("host-port", text("host"), integer("port")),
		command.Block("no-one", command.Token("NO"), command.Token("ONE")))}
	return map[string]command.Doc{
		"psync":    {Since: "2.8.0", Summary: "Asks, as a replica, to continue a stream", Complexity: costVaries, Args: []command.Arg{text("replicationid"), integer("offset")}},
		"sync":     {Since: "1.0.0", Summary: "Asks, as a replica of old, for a snapshot and the stream after it", Complexity: costVaries},
		"replconf": {Since: "3.0.0", Summary: "Tells the primary about the replica, and how far it is", SysCmd: true},
		"replicaof": {Since: "5.0.0", Summary: "Makes the server a replica of another one, or a primary",
			Args: primary},
		"slaveof": {Since: "1.0.0", Summary: "Is REPLICAOF under its old name", Deprecated: "5.0.0", ReplacedBy: "`REPLICAOF`",
			Args: primary},
		"role": {Since: "2.8.12", Summary: "Tells whether the server is a primary or a replica, and how replication is doing"},
		"failover": {Since: "6.2.0", Summary: "Makes a replica the primary, once it has everything",
			Args: []command.Arg{command.Block("target", text("host"), integer("port"), command.Token("FORCE").Opt()).After("TO").Opt(),
				command.Token("ABORT").Opt(), integer("milliseconds").After("TIMEOUT").Opt()}},
		"wait": {Since: "3.0.0", Summary: "Waits until so many replicas have what the connection has written", Args: wait},
		"waitaof": {Since: "7.2.0", Summary: "Waits for append-only files, which this server does not have",
			Args: append([]command.Arg{integer("numlocal")}, wait...)},
	}
}
