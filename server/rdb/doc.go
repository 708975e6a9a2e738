// Package rdb reads and writes the snapshot format of Redis: whole files (or
// the same bytes coming over a socket) and the single-value payloads of DUMP and
// RESTORE.
//
// A Reader or a Writer belongs to the goroutine that uses it. The append
// functions have no state at all, so that the reactor can encode entries into a
// buffer of its own and leave the writing to somebody else.
//
// The package knows bytes, not keyspaces, clocks or replication: whether an
// expired key is kept, a second copy of a key is fatal or a database index is too
// large is for the caller to say. It never panics on foreign bytes, and it never
// allocates more than a small multiple of the bytes that have really arrived,
// whatever a length field claims.
//
// What is written is version 10 with types that Redis 7.0 knows, which Redis 7.0
// and later and every Valkey load. Strings are not compressed.
package rdb
