package tlsconf_test

import (
	"crypto/tls"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
	"github.com/lockstep-db/lockstep/server/tlsconf"
)

func settings(ca *servertest.Authority) tlsconf.Settings {
	return tlsconf.Settings{CertFile: ca.File("server.pem"), KeyFile: ca.File("server.key"), CAFile: ca.File("ca.pem"),
		AuthClients: "yes", SessionCaching: true, Replication: true}
}

func newAuthority(t *testing.T) *servertest.Authority {
	ca := servertest.NewAuthority(t)
	ca.Issue(t, "server")
	ca.Issue(t, "other")
	return ca
}

func TestWhatCanNotBeUsedIsRefusedByName(t *testing.T) {
	ca := newAuthority(t)
	for want, change := range map[string]func(*tlsconf.Settings){
		"tls-cert-file is not set":                 func(s *tlsconf.Settings) { s.CertFile = "" },
		"tls-key-file is not set":                  func(s *tlsconf.Settings) { s.KeyFile = "" },
		"tls-ca-cert-file or tls-ca-cert-dir must": func(s *tlsconf.Settings) { s.CAFile = "" },
		"no such file":                             func(s *tlsconf.Settings) { s.CertFile = ca.File("missing") },
		"does not match":                           func(s *tlsconf.Settings) { s.KeyFile = ca.File("other.key") },
		"there is no certificate in":               func(s *tlsconf.Settings) { s.CAFile = ca.File("server.key") },
		"there is no private key":                  func(s *tlsconf.Settings) { s.KeyFile = ca.File("server.pem") },
		`tls-protocols: "SSLv3" is none of`:        func(s *tlsconf.Settings) { s.Protocols = "TLSv1.2 SSLv3" },
		"leaves out a version":                     func(s *tlsconf.Settings) { s.Protocols = "TLSv1.1 TLSv1.3" },
		`tls-ciphers: "DHE-RSA-AES128-SHA" is not`: func(s *tlsconf.Settings) { s.Ciphers = "DEFAULT:DHE-RSA-AES128-SHA" },
		"tls-ciphersuites: a choice":               func(s *tlsconf.Settings) { s.Ciphersuites = "TLS_AES_128_GCM_SHA256" },
		"read tls-ca-cert-dir":                     func(s *tlsconf.Settings) { s.CADir = ca.File("missing") },
	} {
		s := settings(ca)
		change(&s)
		if _, err := tlsconf.Load(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestDirectivesBecomeAConfiguration(t *testing.T) {
	ca := newAuthority(t)
	s := settings(ca)
	s.Protocols, s.Ciphers, s.SessionCaching = "tlsv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256:!aNULL", false
	s.Ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
	s.CAFile, s.CADir = "", ca.Dir
	set, err := tlsconf.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	c := set.Server
	if c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 || len(c.CipherSuites) != 1 || !c.SessionTicketsDisabled ||
		c.ClientAuth != tls.RequireAndVerifyClientCert || set.Client == nil {
		t.Errorf("server %+v, client %v", c, set.Client)
	}
	s.Ciphers, s.AuthClients, s.Replication = "DEFAULT:!MEDIUM", "no", false
	if set, err = tlsconf.Load(s); err != nil || set.Server.CipherSuites != nil || set.Server.ClientAuth != tls.NoClientCert || set.Client != nil {
		t.Errorf("%v, %+v", err, set)
	}
}

func TestTheStampTellsOfChanges(t *testing.T) {
	ca := newAuthority(t)
	s := settings(ca)
	before := s.Stamp()
	if s.Stamp() != before {
		t.Error("it changes by itself")
	}
	ca.Issue(t, "server")
	after := s.Stamp()
	if after == before {
		t.Error("a new certificate was not noticed")
	}
	if err := os.Remove(s.KeyFile); err != nil {
		t.Fatal(err)
	}
	if s.Stamp() == after {
		t.Error("a missing key was not noticed")
	}
}

func TestEncryptedKeysAreOpenedByTheirPassword(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	ca := newAuthority(t)
	for _, how := range [][]string{
		{"pkcs8", "-topk8", "-v2", "aes256"}, {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"},
		{"pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1"}, {"ec", "-aes128"},
	} {
		s := settings(ca)
		args := append(how, "-in", s.KeyFile, "-passout", "pass:secret", "-out", ca.File("locked.key"))
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", how, err, out)
		}
		s.KeyFile, s.KeyPass = ca.File("locked.key"), "secret"
		if _, err := tlsconf.Load(s); err != nil {
			t.Errorf("%v: %v", how, err)
		}
		for _, wrong := range []string{"", "wrong"} {
			s.KeyPass = wrong
			if _, err := tlsconf.Load(s); err == nil {
				t.Errorf("%v: the password %q opens it", how, wrong)
			}
		}
	}
}
