// Package lua is a Lua 5.1 virtual machine made for running other people's
// scripts inside a server.
//
// It is the language as PUC-Rio's 5.1 has it, in what a script can see: error
// texts with the names of variables, numbers spelled by %.14g, the order in which
// pairs walks through a table, the border that # finds. Scripts that were written
// for a server with the C implementation depend on these unknowingly, and what
// they write to the data must not differ.
//
// It is not that implementation in what a script can not see. What is different
// on purpose: a table can be made read-only; whoever runs a script may stop it
// (State.Interrupt is called as instructions are executed) and bound what it
// occupies (State.Limit); recursion of any kind ends in a Lua error and not in the
// end of the process; chunks of bytecode can neither be made nor loaded.
//
// A State and all values made by it belong to one goroutine at a time. Errors of
// scripts travel as panics with an *Error inside the package and the functions
// that it calls, and never leave State.Run.
//
//	value.go, table.go     values
//	lexer.go, parser.go    from text to a tree (tree.go), with names resolved
//	compile*.go, code.go   from the tree to instructions for registers
//	state.go, call.go      threads, frames, calls, errors
//	execute.go, meta.go    the instruction loop and what it falls back to
//	number.go              numbers as text
//	lib_*.go, pattern.go   the standard library, without files and processes
//
// The package knows nothing of the server and imports only the standard library.
package lua
