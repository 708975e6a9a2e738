// Package tlslink runs TLS over a socket that must not block, without a goroutine per
// connection.
//
// The handshake is done in a goroutine of the caller's, with a deadline, on a copy of
// the descriptor that Go's poller waits for. From then on the connection belongs to
// whoever polls the descriptor, in the server the reactor: Read takes what the socket
// has and returns what it means, Write takes what fits, and nothing ever waits.
//
// It rests on a property of crypto/tls: an error of the connection below that calls
// itself temporary does not spoil the tls.Conn, which goes on from where it was when
// it is read again. Writing can not be interrupted in that way, so the connection
// below takes everything; Write bounds how much that is.
package tlslink
