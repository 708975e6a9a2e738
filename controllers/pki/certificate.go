package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

var errNotPEM = errors.New("no certificate found in the PEM data")

const (
	blockCertificate = "CERTIFICATE"
	blockKey         = "PRIVATE KEY"

	// clockTolerance: a certificate is valid from a little before it was made,
	// since the clocks of nodes differ.
	clockTolerance = time.Hour
)

// Pair is a certificate and its key, in PEM.
type Pair struct{ Cert, Key []byte }

// parsed is a Pair that has been found to be one.
type parsed struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// parse checks that the key belongs to the certificate.
func (p Pair) parse() (parsed, error) {
	both, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return parsed{}, fmt.Errorf("parse certificate and key: %w", err)
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return parsed{}, fmt.Errorf("parse key: it is a %T, want an ECDSA key", both.PrivateKey)
	}
	return parsed{cert: both.Leaf, key: key}, nil
}

// certificates reads all certificates from PEM data.
func certificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != blockCertificate {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errNotPEM
	}
	return all, nil
}

// newAuthority makes a certificate that signs others, and itself.
func newAuthority(cluster Cluster, now time.Time) (Pair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Lockstep authority of " + cluster.Namespace + "/" + cluster.Name},
		NotBefore:             now.Add(-clockTolerance),
		NotAfter:              now.Add(AuthorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return issue(template, nil)
}

// newServer makes the instances' certificate. It can not be used to call an
// instance: one that fell into wrong hands can not command the others.
func newServer(cluster Cluster, authority parsed, now time.Time) (Pair, error) {
	template := leaf(now)
	template.Subject = pkix.Name{CommonName: "instances"}
	template.DNSNames = []string{ServerName(cluster)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return issue(template, &authority)
}

// newOperator makes the certificate that the operator shows to the instances.
func newOperator(authority parsed, now time.Time) (Pair, error) {
	template := leaf(now)
	template.Subject = pkix.Name{CommonName: "operator"}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return issue(template, &authority)
}

func leaf(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		NotBefore:             now.Add(-clockTolerance),
		NotAfter:              now.Add(LeafLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// issue draws a key and signs its certificate; a nil signer means that it signs
// itself.
func issue(template *x509.Certificate, signer *parsed) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("draw key: %w", err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, fmt.Errorf("draw serial number: %w", err)
	}
	by := parsed{cert: template, key: key}
	if signer != nil {
		by = *signer
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign certificate of %s: %w", template.Subject.CommonName, err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode key: %w", err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: cert}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: encoded}),
	}, nil
}

// trust puts authorities into one PEM text, without those that have run out and
// without repeating any.
func trust(now time.Time, all ...*x509.Certificate) []byte {
	var text bytes.Buffer
	seen := map[string]bool{}
	for _, cert := range all {
		if cert == nil || seen[string(cert.Raw)] || !now.Before(cert.NotAfter) {
			continue
		}
		seen[string(cert.Raw)] = true
		// Encode fails only when the writer does, and a buffer does not.
		_ = pem.Encode(&text, &pem.Block{Type: blockCertificate, Bytes: cert.Raw})
	}
	return text.Bytes()
}
