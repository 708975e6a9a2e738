// Package resp reads requests and writes replies of the Redis serialization
// protocol, versions 2 and 3.
//
// The Parser is incremental and copies nothing: it is handed everything of a
// connection that has not been consumed, and returns slices of it. It remembers
// how far it came in an unfinished request, so that a request that arrives in
// many pieces is looked at once. The Writer appends to a byte slice and hides
// which version of the protocol the client speaks.
//
// Neither knows of sockets, commands or clocks. Their state belongs to whoever
// holds them; nothing here is safe for use from two goroutines.
package resp
