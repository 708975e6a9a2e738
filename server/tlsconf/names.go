package tlsconf

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// protocols by OpenSSL's names, oldest first: a choice must be a range of them.
var protocols = []struct {
	name    string
	version uint16
}{
	{"TLSv1", tls.VersionTLS10}, {"TLSv1.1", tls.VersionTLS11}, {"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

// versions sets the range that tls-protocols asks for: TLS 1.2 and 1.3 when it is
// empty.
func (s Settings) versions(c *tls.Config) error {
	c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	words := strings.FieldsFunc(s.Protocols, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) == 0 {
		return nil
	}
	var chosen []int
	for _, w := range words {
		at := -1
		for i, p := range protocols {
			if strings.EqualFold(p.name, w) {
				at = i
			}
		}
		if at < 0 {
			return fmt.Errorf("tls-protocols: %q is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", w)
		}
		chosen = append(chosen, at)
	}
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	first, last := chosen[0], chosen[len(chosen)-1]
	if last-first != len(chosen)-1 {
		return fmt.Errorf("tls-protocols: %q leaves out a version between two others, which is not supported; add it or remove one", s.Protocols)
	}
	c.MinVersion, c.MaxVersion = protocols[first].version, protocols[last].version
	return nil
}

// suites are the ciphers up to TLS 1.2 that exist here, by OpenSSL's names.
var suites = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// libraryChoice are OpenSSL's words that leave the choice to the library.
var libraryChoice = []string{"DEFAULT", "HIGH"}

// excludedAnyway are what an expression may exclude, because the library's choice has
// none of it.
var excludedAnyway = []string{"MEDIUM", "LOW", "EXP", "EXPORT", "aNULL", "eNULL", "NULL", "MD5", "RC4", "RC2", "DES", "3DES", "IDEA", "SEED",
	"CAMELLIA", "ARIA", "PSK", "SRP", "DSS", "DH", "ADH", "AECDH", "KRB5", "GOST"}

// ciphers sets what tls-ciphers and tls-ciphersuites ask for.
func (s Settings) ciphers(c *tls.Config) error {
	chosen, byLibrary := []uint16(nil), false
	for _, w := range strings.FieldsFunc(s.Ciphers, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		id, known := suites[w]
		switch {
		case known:
			chosen = append(chosen, id)
		case slices.Contains(libraryChoice, w):
			byLibrary = true
		case w[0] == '!' && slices.Contains(excludedAnyway, w[1:]):
		default:
			return fmt.Errorf("tls-ciphers: %q is not supported; name ciphers such as ECDHE-RSA-AES128-GCM-SHA256, or leave it empty", w)
		}
	}
	if !byLibrary {
		c.CipherSuites = chosen // in the library's order; nil is its choice
	}
	return s.suites13()
}

// suites13 refuses a choice among the ciphers of TLS 1.3: all of them are always on.
func (s Settings) suites13() error {
	all := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	words := strings.FieldsFunc(s.Ciphersuites, func(r rune) bool { return r == ':' || r == ',' || r == ' ' })
	slices.Sort(words)
	if len(words) == 0 || slices.Equal(slices.Compact(words), all) {
		return nil
	}
	return fmt.Errorf("tls-ciphersuites: a choice among the ciphers of TLS 1.3 is not supported; leave it empty or set it to %s", strings.Join(all, ":"))
}
