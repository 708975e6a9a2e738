// Package rdb reads and writes the snapshot format of Redis: whole files (or
// the same bytes coming over a socket) and the single-value payloads of DUMP and
// RESTORE.
//
// A Reader or an Encoder belongs to the goroutine that uses it. An Encoder hands
// over buffers, so that the reactor can encode entries and leave the writing to
// somebody else.
//
// The package knows bytes, not keyspaces, clocks or replication: whether an
// expired key is kept, a second copy of a key is fatal or a database index is too
// large is for the caller to say. It never panics on foreign bytes, and it never
// allocates more than a small multiple of the bytes that have really arrived,
// whatever a length field claims.
//
// Everything that Redis 2.6 to 7.2 and Valkey 7.2 to 8 write is read; data of modules
// is refused by the module's name. The many spellings of a value come down to a few
// forms (value.go), and old packed ones are converted (old_forms.go). A large value
// comes in parts.
//
// What is written is version 10 with types that Redis 7.0 knows, which Redis 7.0
// and later and every Valkey load (encode.go).
package rdb
