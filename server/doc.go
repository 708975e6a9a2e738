// Package server is the replication server: it serves clients, feeds replicas
// and follows a primary.
//
// # Who owns what
//
// One goroutine, the reactor, locked to its thread, owns everything: the
// keyspace, the replication log, the connections, the configuration, the timers,
// the statistics. It waits in epoll, reads what has arrived, executes, appends the
// effects to the log, and writes the replies of the whole batch before it waits
// again. No data has a lock. A method without a comment that says otherwise runs
// on the reactor.
//
// Everybody else (the instance API, the snapshot's file writer, signals) talks
// to the reactor by post, which runs a function on it. The reactor never waits
// for anybody: what may block runs in a goroutine that belongs to Run and posts
// its result.
//
//	reactor.go   the loop: epoll, posted functions, watched descriptors
//	timer.go     timers and the reactor's clock
//	listen.go    listening sockets and accepting
//	tls*.go      encrypted connections: handshakes beside the reactor, records on it
//	conn.go      one client: reading, parsing, writing, closing
//	dispatch.go  from a request to a command: the gates, in order
//	users.go     who a connection acts as, and what that user may do
//	multi.go     MULTI, EXEC, DISCARD, WATCH
//	blocking.go  commands that wait for keys
//	effects.go   from a command to the log
//	push.go      what clients are sent unasked
//	pubsub.go    channels and who listens; notify.go: events of keys
//	tracking.go  client-side caching
//	redirect.go  from a replica to the primary, for clients that understand it
//	client_*.go  a line of CLIENT LIST; client eviction
//	scripting*.go, functions.go   running scripts, and what others may do meanwhile
//	cron.go      what is done periodically: expiry, limits, save rules
//	cmd_*.go     the commands that are about the server, not about keys
//	info_*.go    the sections of INFO
//	feed_*.go    a primary's side of replication: one feed per replica
//	uplink_*.go  a replica's side: the link to the primary
//	snapshot_*.go   writing and loading snapshots
//	managed_*.go    the role under an operator: assignment, lease, fencing
//
// The package must not know about Kubernetes. Commands about keys are in
// server/command; they see the keyspace and a reply writer, and nothing of this
// package.
package server
