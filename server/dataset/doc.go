// Package dataset carries values between the keyspace (package store) and the
// snapshot format (package rdb): whole entries of a snapshot, the single values of
// DUMP and RESTORE, and the digests by which two servers compare their data.
//
// What is packed on both sides is copied as it is. Everything else goes through the
// ordinary reads and writes of the keyspace, so that a value is held here as if its
// elements had been added one by one, under this server's limits.
//
// It belongs to the goroutine that owns the keyspace, and knows neither commands nor
// files.
package dataset
