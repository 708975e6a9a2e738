// Package store is the keyspace: numbered databases of keys, each with a value
// and perhaps a time at which it expires.
//
// What it promises: data is invisible to the garbage collector and costs little
// more than its own bytes; no single call takes a time that grows with the
// number of keys, the ones that say so excepted; SCAN's guarantees hold while a table
// grows and shrinks; and a Cut emits the whole keyspace as it was at exactly
// one moment while writes go on, without a fork and without a copy.
//
// One goroutine owns a Keyspace and everything reached from it. There are no
// locks, no clock and no goroutines in here: times are arguments, and expiry
// is merely recorded (whether a key whose time has passed still counts is the
// caller's decision, because it differs between a primary and a replica).
//
// Whoever reads on may want this order: layout.go is what an entry looks like,
// arena.go, slab.go, runs.go, large.go and idle.go are where it lives, bucket.go,
// segment.go and table.go are how it is found, write.go and strings.go how it
// changes, cut.go how it is emitted, and keyspace.go and compact.go the work put
// off until Step. Collections are in packed.go, edit.go, object.go, members.go and
// dict.go, and in files named after their types.
//
// It must not know commands, connections, replication or files. It imports the
// standard library only.
package store
