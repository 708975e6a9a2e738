// Package log keeps the newest bytes of the replication stream in memory.
//
// The log is a chain of blocks. Bytes are numbered from 1, as PSYNC numbers
// them: after N bytes were appended the log ends at N, and byte N+1 is the next.
// Readers are cursors; a cursor pins the bytes from its position on, so one copy
// of the stream serves the window for partial re-synchronisation and the pending
// output of every replica.
//
// While nothing is pinned the window is exactly as many bytes as the capacity.
// Bytes that a cursor still needs stay beyond that, and count as part of the
// window, until the cursor has passed them or is closed.
//
// A Log has one owner, the reactor: it has no lock. It knows nothing about
// commands, replicas or sockets.
package log
