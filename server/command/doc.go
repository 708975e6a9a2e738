// Package command holds the command table and the commands that work on data.
//
// The table is the one place that knows a command: its name, arity, flags, key
// positions, ACL categories, documentation and function. COMMAND, arity errors,
// the refusal of writes, key extraction and propagation all read it. Package
// server adds the commands that concern connections and the process to the same
// table.
//
// A command runs on a Call, which the reactor owns, as it owns the keyspace the
// Call points to: nothing here is safe for use from two goroutines. A command
// sees one instant (Call.Now), writes one reply, and leaves behind its effects:
// deterministic commands that make a replica equal. Execute hands them over in
// order.
//
// The package knows neither sockets nor clocks nor replication, and it does not
// know whether it runs on a primary: whoever calls says how to treat keys whose
// time is over (ExpiryMode) and what becomes of the effects.
//
// table.go and spec.go are the table, call.go and effects.go what a command
// works with, keyspec.go finds keys in arguments, and every other file is a
// group of commands: its specs first, then a function for each, in the shape
// arity, options into a local struct, run.
package command
