// Package servertest starts servers for tests, and talks to them.
//
// Start runs this project's server inside the test process, StartProcess runs it
// as a process of its own (so that it can be killed or stopped), StartRedis runs
// the real redis-server. All listen on a loopback port that was free, keep their
// files in a directory of the test, and are gone when the test has ended. Only
// processes that were started here are ever signalled, by their process ID.
//
// Client speaks the protocol without hiding anything: replies can be compared
// byte by byte. Until polls for a condition.
package servertest
