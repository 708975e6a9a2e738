// Package replication decides what the replication protocol of Redis asks of
// both of its sides: who may continue with what it has, what a replica says and
// hears before the stream starts, how far a replica has come, when a snapshot
// starts and for whom, and when to try again.
//
// Everything here is deterministic: sockets, clocks, randomness and data are
// arguments. The package never sees a key or a value. Its state belongs to whoever
// holds it, which is the reactor; nothing has a lock.
//
// One vocabulary holds throughout. Bytes of the stream are numbered from 1. Having
// applied N bytes, a replica asks for byte N+1, its Next. FULLRESYNC tells the count
// so far (N), PSYNC asks for the next byte (N+1).
package replication
