// Package interop holds the tests that let this project's server and the real
// redis-server replicate from each other, in both directions, as processes with
// real sockets.
//
// Each test asserts how the synchronization went (the counters sync_full and
// sync_partial_ok) and then the data: every key, value and expiry time of both
// sides, key by key. The load of load_test.go has commands of every group. The tests need redis-server and redis-cli in PATH and are
// skipped where they are not installed.
package interop
