package instance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Failure names how an instance could not be talked to. What it proves differs:
// see KernelClosed and the single values.
type Failure string

const (
	// FailureRefused: a new connection was refused. Nobody listens there; the
	// address's machine, or what now has the address, is alive.
	FailureRefused Failure = "Refused"
	// FailureReset: an established connection was reset.
	FailureReset Failure = "Reset"
	// FailureClosed: an established connection was closed without the good-bye
	// that a living process says. Its kernel has done that, because the process
	// ended.
	FailureClosed Failure = "Closed"
	// FailureEnded: the process itself has ended the connection. It may live
	// on.
	FailureEnded Failure = "Ended"
	// FailureTimeout: no answer within the deadline. It proves nothing.
	FailureTimeout Failure = "Timeout"
	// FailureSilence: a watch stream that should have said something has not.
	// It proves nothing.
	FailureSilence Failure = "Silence"
	// FailureUnreachable: no way to the address, or the name is not known.
	FailureUnreachable Failure = "Unreachable"
	// FailureTLS: one side does not accept the other's certificate.
	FailureTLS Failure = "TLS"
	// FailureProtocol: what answers is not an instance, or not of this version.
	FailureProtocol Failure = "Protocol"
	// FailureCancelled: the caller has given up.
	FailureCancelled Failure = "Cancelled"
)

// TransportError says that an instance could not be asked, or that its answer did
// not come. Whether it has acted is then not known.
type TransportError struct {
	Address string
	Failure Failure
	Err     error
}

func (e *TransportError) Error() string {
	return fmt.Sprintf("instance %s: %s: %v", e.Address, e.Failure, e.Err)
}

func (e *TransportError) Unwrap() error { return e.Err }

// KernelClosed reports whether err says that the other side's kernel has closed
// an established connection, by FIN or RST. That happens when the process ends,
// and never because the network is cut.
func KernelClosed(err error) bool {
	f := FailureOf(err)
	return f == FailureReset || f == FailureClosed
}

// FailureOf tells how the instance could not be talked to; empty when err is nil
// or something else, such as an *Error.
func FailureOf(err error) Failure {
	var t *TransportError
	if errors.As(err, &t) {
		return t.Failure
	}
	return ""
}

// CodeOf tells why the instance refused; empty when err is nil or something else.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// classify names the failure behind an error of net, crypto/tls or net/http.
// ctx is that of the request: an error that comes after its end is its doing.
func classify(ctx context.Context, err error) Failure {
	var netErr net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, errSilence):
		return FailureSilence
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return FailureTimeout
	case ctx.Err() != nil:
		return FailureCancelled
	case errors.Is(err, syscall.ECONNREFUSED):
		return FailureRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return FailureReset
	case errors.Is(err, errGoodBye):
		return FailureEnded
	case errors.As(err, &dns), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return FailureUnreachable
	case isTLS(err):
		return FailureTLS
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, syscall.ETIMEDOUT):
		return FailureTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return FailureClosed
	}
	return FailureProtocol
}

func isTLS(err error) bool {
	var verification *tls.CertificateVerificationError
	var alert *net.OpError // crypto/tls reports the other side's alerts as operation "remote error"
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &record) ||
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error") ||
		errors.As(err, &authority) || errors.As(err, &host)
}
