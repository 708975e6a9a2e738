// Package instance is the contract between the operator and the servers: what
// a server tells of itself, and the few things that the operator may ask of it.
//
// It is JSON over HTTPS with mutual TLS on port 7379 (DefaultPort). The package
// uses the standard library only, because both the data plane and the control
// plane link it, and neither may import the other.
//
// Three rules hold for every type in here:
//
//   - Unknown is a value. What a server does not know is a nil pointer or an
//     empty enum, never zero. An instance whose offset is nil can not be
//     elected.
//   - Durations in messages are milliseconds and are measured on the sender's
//     monotonic clock ("how long ago"); wall clock times never cross the wire,
//     so clock skew between machines can not change a decision.
//   - Every request carries an epoch. A server refuses one that is lower than
//     the highest it has ever stored (CodeStaleEpoch), and stores a higher one
//     durably before it acts on it.
package instance
