package instance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// PEM holds a certificate with its key, and the authorities whose certificates
// the other side may show.
type PEM struct{ Cert, Key, CA []byte }

// Files are the names of the files that hold a PEM.
type Files struct{ Cert, Key, CA string }

// Read reads the three files.
func (f Files) Read() (PEM, error) {
	var p PEM
	for _, one := range []struct {
		to   *[]byte
		name string
	}{{&p.Cert, f.Cert}, {&p.Key, f.Key}, {&p.CA, f.CA}} {
		content, err := os.ReadFile(one.name)
		if err != nil {
			return PEM{}, fmt.Errorf("read certificate file: %w", err)
		}
		*one.to = content
	}
	return p, nil
}

func (p PEM) equal(q PEM) bool {
	return bytes.Equal(p.Cert, q.Cert) && bytes.Equal(p.Key, q.Key) && bytes.Equal(p.CA, q.CA)
}

func (p PEM) parse() (tls.Certificate, *x509.CertPool, error) {
	cert, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("parse certificate and key: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.CA) {
		return tls.Certificate{}, nil, errors.New("parse authorities: no certificate found in the PEM data")
	}
	return cert, pool, nil
}

// ClientTLS is for calling an instance. serverName is the name that the
// instance's certificate must bear; the address that is dialled is of no matter,
// since the IP addresses of pods are not in certificates.
func ClientTLS(p PEM, serverName string) (*tls.Config, error) {
	cert, pool, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		RootCAs:      pool,
		ServerName:   serverName,
	}, nil
}

// reloadInterval is how often at most the files are looked at, and only when
// somebody connects.
const reloadInterval = time.Second

// ServerTLS is for being called: whoever calls must show a certificate of one of
// the authorities, made for clients. The files are read again when they have
// changed. When that fails, what was read before stays in use and report is
// called with the reason; report may be nil.
func ServerTLS(files Files, report func(error)) (*tls.Config, error) {
	r := &reloader{files: files, report: report}
	if err := r.reload(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.current(), nil },
	}, nil
}

type reloader struct {
	files  Files       // fixed
	report func(error) // fixed
	mu     sync.Mutex  // guards what follows
	looked time.Time   // when the files were read last
	seen   PEM         // what was in them, also when it was of no use
	config *tls.Config // of the last ones that were good
}

func (r *reloader) current() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) >= reloadInterval {
		if err := r.reload(); err != nil && r.report != nil {
			r.report(err)
		}
	}
	return r.config
}

// reload makes a new config when the files have changed.
func (r *reloader) reload() error {
	r.looked = time.Now()
	p, err := r.files.Read()
	if err != nil {
		return err
	}
	if p.equal(r.seen) {
		return nil
	}
	r.seen = p
	cert, pool, err := p.parse()
	if err != nil {
		return fmt.Errorf("use %s, %s and %s: %w", r.files.Cert, r.files.Key, r.files.CA, err)
	}
	r.config = &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		NextProtos:   []string{"http/1.1"},
		// A resumed session would keep an authority alive that has been
		// taken away.
		SessionTicketsDisabled: true,
	}
	return nil
}
