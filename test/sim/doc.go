// Package sim runs the operator's decisions and the servers' role machines, both as
// they are, in a single-threaded world of its own: clocks, network, disks, the API
// server and clients are simulated, and everything that happens follows from a
// seed. After every event the guarantees are checked as invariants. A seed that
// breaks one prints what had happened, as a transcript.
//
// What is real: controllers.Decide with what it stores (Elected, Committed,
// Completed), and role.Machine with its ledger. What is simulated is the code that
// carries messages between them; it may lose, delay and repeat them, stop processes
// for a while, end them, and cut the network.
package sim
