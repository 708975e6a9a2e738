// Package role decides whether an instance of a cluster may take writes: it keeps
// the epoch, the role that the operator has assigned, and the lease.
//
// Three promises, kept whatever the order of events:
//
//   - An instance starts unassigned, and the epoch never decreases.
//   - Writes are allowed only to a primary whose role was assigned in the highest
//     epoch this instance has heard of, and only while its lease runs.
//   - An epoch is durable before anything is done because of it.
//
// A Machine is owned by the goroutine that executes commands. It reads no clock,
// disk or network: the time is an argument, and epochs are stored through the
// Ledger, which alone may be shared between goroutines, so that an instance can
// be fenced while its owner is busy.
//
// Times are time.Durations on one monotonic clock. A process that was stopped
// finds that out by itself: its lease has run out on that clock when it looks
// again.
package role
