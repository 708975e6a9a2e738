package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var (
	errNoCert = errors.New("tls-cert-file is not set")
	errNoKey  = errors.New("tls-key-file is not set")
	errNoCA   = errors.New("tls-ca-cert-file or tls-ca-cert-dir must be set when tls-replication or tls-auth-clients is in use")
)

// Settings are the values of the tls- directives.
type Settings struct {
	CertFile, KeyFile, KeyPass                   string
	ClientCertFile, ClientKeyFile, ClientKeyPass string // empty: those of the server
	CAFile, CADir                                string
	AuthClients                                  string // yes, no, optional
	Protocols, Ciphers, Ciphersuites             string // in OpenSSL's words; empty: the library's choice
	SessionCaching                               bool
	Replication                                  bool // the link to a primary is encrypted
}

// Set is what Load has made.
type Set struct {
	Server *tls.Config
	Client *tls.Config // for the link to a primary; nil unless Settings.Replication
	Stamp  string      // of the files that it was made from; see Settings.Stamp
}

// Load reads the files. The error names the directive or the file at fault.
func Load(s Settings) (*Set, error) {
	// Taken before reading: a change during it is a change after it.
	set := &Set{Stamp: s.Stamp()}
	base := &tls.Config{DynamicRecordSizingDisabled: true}
	if err := s.versions(base); err != nil {
		return nil, err
	}
	if err := s.ciphers(base); err != nil {
		return nil, err
	}
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	if set.Server, err = s.server(base, roots); err != nil {
		return nil, err
	}
	if s.Replication {
		set.Client, err = s.client(base, roots)
	}
	return set, err
}

func (s Settings) server(base *tls.Config, roots *x509.CertPool) (*tls.Config, error) {
	switch {
	case s.CertFile == "":
		return nil, errNoCert
	case s.KeyFile == "":
		return nil, errNoKey
	}
	cert, err := loadPair(s.CertFile, s.KeyFile, s.KeyPass)
	if err != nil {
		return nil, err
	}
	c := base.Clone()
	c.Certificates = []tls.Certificate{cert}
	c.ClientCAs = roots
	c.SessionTicketsDisabled = !s.SessionCaching
	switch s.AuthClients {
	case "no":
		return c, nil
	case "optional":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if roots == nil {
		return nil, errNoCA
	}
	return c, nil
}

// client verifies that the primary's certificate comes from one of our authorities,
// not that it names the host: replicas are told addresses, which change.
func (s Settings) client(base *tls.Config, roots *x509.CertPool) (*tls.Config, error) {
	if roots == nil {
		return nil, errNoCA
	}
	certFile, keyFile, pass := s.CertFile, s.KeyFile, s.KeyPass
	if s.ClientCertFile != "" {
		certFile, keyFile, pass = s.ClientCertFile, s.ClientKeyFile, s.ClientKeyPass
	}
	cert, err := loadPair(certFile, keyFile, pass)
	if err != nil {
		return nil, err
	}
	c := base.Clone()
	c.Certificates = []tls.Certificate{cert}
	c.InsecureSkipVerify = true // VerifyConnection does it, without the name
	c.VerifyConnection = func(state tls.ConnectionState) error { return verify(state, roots) }
	return c, nil
}

func verify(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the primary has shown no certificate")
	}
	others := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		others.AddCert(c)
	}
	if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others}); err != nil {
		return fmt.Errorf("verify the primary's certificate: %w", err)
	}
	return nil
}

func loadPair(certFile, keyFile, pass string) (tls.Certificate, error) {
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key: %w", err)
	}
	if key, err = decryptKey(key, pass); err != nil {
		return tls.Certificate{}, fmt.Errorf("read key %s: %w", keyFile, err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("use certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

// roots are the authorities of tls-ca-cert-file and tls-ca-cert-dir, nil when neither
// is set.
func (s Settings) roots() (*x509.CertPool, error) {
	files, err := s.rootFiles()
	if err != nil || len(files) == 0 && s.CADir == "" {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		if !pool.AppendCertsFromPEM(content) && file == s.CAFile {
			return nil, fmt.Errorf("read authorities: there is no certificate in %s", file)
		}
	}
	return pool, nil
}

func (s Settings) rootFiles() ([]string, error) {
	var files []string
	if s.CAFile != "" {
		files = append(files, s.CAFile)
	}
	if s.CADir == "" {
		return files, nil
	}
	entries, err := os.ReadDir(s.CADir)
	if err != nil {
		return nil, fmt.Errorf("read tls-ca-cert-dir: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(s.CADir, e.Name())
		// A mounted secret is a directory of links, with hidden ones among them.
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	return files, nil
}

// Stamp tells the state of all the files: it differs when one of them was replaced or
// written. A file that can not be looked at is a state, too.
func (s Settings) Stamp() string {
	files, err := s.rootFiles()
	var b strings.Builder
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	for _, file := range append(files, s.CertFile, s.KeyFile, s.ClientCertFile, s.ClientKeyFile) {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			fmt.Fprintln(&b, err)
			continue
		}
		// The system's own structure has the inode, which a rename changes even when
		// size and time are the same.
		fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano(), inode(info))
	}
	return b.String()
}
