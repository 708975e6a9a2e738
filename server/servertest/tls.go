package servertest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates into a directory.
type Authority struct {
	Dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// NewAuthority makes an authority with its certificate in ca.pem.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "authority", a.File("ca.pem"), "")
	return a
}

// File is the path of a file in the authority's directory.
func (a *Authority) File(name string) string { return filepath.Join(a.Dir, name) }

// Issue writes NAME.pem and NAME.key, in place of older ones.
func (a *Authority) Issue(t testing.TB, name string) {
	t.Helper()
	a.issue(t, name, a.File(name+".pem"), a.File(name+".key"))
}

func (a *Authority) issue(t testing.TB, name, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make key: %v", err)
	}
	a.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatalf("make certificate: %v", err)
	}
	replace(t, certFile, "CERTIFICATE", der)
	if keyFile != "" {
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatalf("write key: %v", err)
		}
		replace(t, keyFile, "PRIVATE KEY", raw)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("read certificate: %v", err)
	}
	return cert, key
}

// replace gives a file new contents in one step.
func replace(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

// Directives make a server listen on a TLS port, and speak TLS to its primary, with
// the certificate issued as name.
func (a *Authority) Directives(name, port string) []string {
	return []string{"--tls-port", port, "--tls-replication", "yes", "--tls-ca-cert-file", a.File("ca.pem"),
		"--tls-cert-file", a.File(name + ".pem"), "--tls-key-file", a.File(name + ".key")}
}

// Config is a client's, which shows the certificate issued as name; none if it is
// empty.
func (a *Authority) Config(t testing.TB, name string) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	c := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.File(name+".pem"), a.File(name+".key"))
		if err != nil {
			t.Fatalf("load certificate: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// DialTLS connects to a server at host:port over TLS.
func DialTLS(t testing.TB, addr string, config *tls.Config) *Client {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: Deadline}, "tcp", addr, config)
	if err != nil {
		t.Fatalf("connect to %s over TLS: %v", addr, err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Client{t: t, conn: conn, raw: &bytes.Buffer{}, r: bufio.NewReaderSize(conn, 64<<10)}
}
