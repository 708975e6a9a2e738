package pki

import "github.com/lockstep-db/lockstep/api/instance"

// Keys of the secrets' data. The first two are those of Kubernetes' TLS secrets.
const (
	keyCert     = "tls.crt"
	keyKey      = "tls.key"
	keyTrust    = "ca.crt"
	keyNextCert = "next.crt"
	keyNextKey  = "next.key"
)

// Secrets is how a Material is stored: the data of three secrets. Only Server
// may be mounted into a pod.
type Secrets struct{ Authority, Server, Operator map[string][]byte }

// Secrets splits the material over the three.
func (m Material) Secrets() Secrets {
	authority := map[string][]byte{keyCert: m.Authority.Cert, keyKey: m.Authority.Key, keyTrust: m.Trust}
	if len(m.Next.Cert) > 0 {
		authority[keyNextCert], authority[keyNextKey] = m.Next.Cert, m.Next.Key
	}
	return Secrets{
		Authority: authority,
		Server:    map[string][]byte{keyCert: m.Server.Cert, keyKey: m.Server.Key, keyTrust: m.Trust},
		Operator:  map[string][]byte{keyCert: m.Operator.Cert, keyKey: m.Operator.Key, keyTrust: m.Trust},
	}
}

// Material is the inverse of Material.Secrets. A secret that does not exist is
// nil; when it is the authority's, what is trusted is taken from the instances'.
func (s Secrets) Material() Material {
	m := Material{
		Authority: Pair{Cert: s.Authority[keyCert], Key: s.Authority[keyKey]},
		Next:      Pair{Cert: s.Authority[keyNextCert], Key: s.Authority[keyNextKey]},
		Server:    Pair{Cert: s.Server[keyCert], Key: s.Server[keyKey]},
		Operator:  Pair{Cert: s.Operator[keyCert], Key: s.Operator[keyKey]},
		Trust:     s.Authority[keyTrust],
	}
	if len(m.Trust) == 0 {
		m.Trust = s.Server[keyTrust]
	}
	return m
}

// ForOperator is what the operator calls instances with.
func (m Material) ForOperator() instance.PEM {
	return instance.PEM{Cert: m.Operator.Cert, Key: m.Operator.Key, CA: m.Trust}
}

// ForServer is what an instance is given.
func (m Material) ForServer() instance.PEM {
	return instance.PEM{Cert: m.Server.Cert, Key: m.Server.Key, CA: m.Trust}
}
