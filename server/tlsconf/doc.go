// Package tlsconf makes TLS configurations from the tls- directives: it reads the
// certificates and keys, understands OpenSSL's names of protocols and ciphers as far
// as the standard library has them, refuses by name what it has not, and notices when
// the files have changed.
//
// Nothing here is kept between calls. Reading files may block, so the server calls
// Load where that does no harm; what Load returns is never changed afterwards and may
// be used from any goroutine.
package tlsconf
