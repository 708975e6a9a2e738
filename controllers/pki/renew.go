package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrAuthority: what is stored as the cluster's authority is not one. It is not
// replaced without being asked, because the instances that run would not accept
// the operator until the new one has reached them.
var ErrAuthority = errors.New("the stored certificate authority can not be used")

const (
	// AuthorityLifetime is long because changing an authority concerns everyone.
	AuthorityLifetime = 10 * 365 * 24 * time.Hour
	// LeafLifetime is short because changing a leaf concerns nobody: both sides
	// read new files as they appear.
	LeafLifetime = 90 * 24 * time.Hour
	// SpreadTime is for how long a new authority is trusted before it signs
	// anything. A kubelet brings a changed secret to a pod within a minute or
	// two; the rest is for a node that was away.
	SpreadTime = 24 * time.Hour
)

// Cluster is whom certificates are made for.
type Cluster struct{ Namespace, Name string }

// ServerName is the name in the instances' certificate. It is one for all of
// them and holds no address, since pods change theirs; it names the cluster, so
// that the operator can not be led to another cluster's instance.
func ServerName(c Cluster) string {
	return "instances." + c.Name + "." + c.Namespace + ".lockstep.dev"
}

// Material is everything that is stored for a cluster. The zero value is a
// cluster that has nothing yet.
type Material struct {
	Authority Pair // signs; its key stays with the operator
	// Next will sign after SpreadTime. It is empty except during a change of
	// authority.
	Next   Pair
	Server Pair // shown by the instances
	// Operator is shown by the operator to the instances.
	Operator Pair
	// Trust are the authorities that both sides accept, in PEM.
	Trust []byte
}

// Change names something that Renew did.
type Change string

const (
	AuthorityCreated   Change = "AuthorityCreated"   // there was none
	AuthorityAnnounced Change = "AuthorityAnnounced" // the next one is trusted from now on
	AuthorityChanged   Change = "AuthorityChanged"   // the next one signs from now on
	TrustChanged       Change = "TrustChanged"       // authorities that have run out were dropped, or a lost one was added again
	ServerRenewed      Change = "ServerRenewed"
	OperatorRenewed    Change = "OperatorRenewed"
)

// Renew returns what should be stored, and what is new about it: nothing, most
// of the time. Certificates are renewed when a third of their life is left. A
// leaf that can not be used is made anew without ado. For an authority that can
// not be used the answer is ErrAuthority, and nothing is changed.
func Renew(c Cluster, m Material, now time.Time) (Material, []Change, error) {
	var changes []Change
	authority, m, changed, err := renewAuthority(c, m, now)
	if err != nil {
		return m, nil, err
	}
	changes = append(changes, changed...)

	if why := unusable(m.Server, authority, x509.ExtKeyUsageServerAuth, ServerName(c), now); why != nil {
		if m.Server, err = newServer(c, authority, now); err != nil {
			return m, nil, fmt.Errorf("renew the instances' certificate: %w", err)
		}
		changes = append(changes, ServerRenewed)
	}
	if why := unusable(m.Operator, authority, x509.ExtKeyUsageClientAuth, "", now); why != nil {
		if m.Operator, err = newOperator(authority, now); err != nil {
			return m, nil, fmt.Errorf("renew the operator's certificate: %w", err)
		}
		changes = append(changes, OperatorRenewed)
	}
	return m, changes, nil
}

// RenewIn is for how long Renew has nothing to do: 0 when something is due.
func RenewIn(c Cluster, m Material, now time.Time) time.Duration {
	if _, changes, err := Renew(c, m, now); err != nil || len(changes) > 0 {
		return 0
	}
	// Everything can be parsed: Renew would have said so otherwise.
	due := now.Add(LeafLifetime)
	for _, pair := range []Pair{m.Server, m.Operator, m.Authority} {
		if p, err := pair.parse(); err == nil && renewAt(p.cert).Before(due) {
			due = renewAt(p.cert)
		}
	}
	if next, err := m.Next.parse(); err == nil && signsFrom(next.cert).Before(due) {
		due = signsFrom(next.cert)
	}
	return max(due.Sub(now), 0)
}

func renewAuthority(c Cluster, m Material, now time.Time) (parsed, Material, []Change, error) {
	if len(m.Authority.Cert) == 0 && len(m.Authority.Key) == 0 {
		return createAuthority(c, m, now)
	}
	authority, err := m.Authority.parse()
	if err != nil {
		return parsed{}, m, nil, fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	var changes []Change
	next, nextErr := m.Next.parse()
	switch {
	case nextErr == nil && (!now.Before(signsFrom(next.cert)) || !now.Before(authority.cert.NotAfter)):
		// The old one stays trusted as long as it is valid: leaves that it has
		// signed are still shown somewhere.
		previous := authority.cert
		authority, m.Authority, m.Next = next, m.Next, Pair{}
		next, nextErr = parsed{}, errNotPEM
		m.Trust = trust(now, append(trusted(m.Trust), authority.cert, previous)...)
		changes = append(changes, AuthorityChanged)
	case nextErr != nil && !now.Before(renewAt(authority.cert)):
		if m.Next, err = newAuthority(c, now); err != nil {
			return parsed{}, m, nil, fmt.Errorf("make the next authority: %w", err)
		}
		if next, nextErr = m.Next.parse(); nextErr != nil {
			return parsed{}, m, nil, fmt.Errorf("make the next authority: %w", nextErr)
		}
		changes = append(changes, AuthorityAnnounced)
	}
	all := append(trusted(m.Trust), authority.cert)
	if nextErr == nil {
		all = append(all, next.cert)
	}
	wanted := trust(now, all...)
	if !slices.Equal(wanted, m.Trust) {
		m.Trust = wanted
		changes = append(changes, TrustChanged)
	}
	return authority, m, changes, nil
}

// createAuthority is for a cluster that has none, or whose secret was deleted.
// In the second case the authorities that the instances trust stay trusted, so
// that their own certificate is accepted until the new one has reached them.
func createAuthority(c Cluster, m Material, now time.Time) (parsed, Material, []Change, error) {
	pair, err := newAuthority(c, now)
	if err != nil {
		return parsed{}, m, nil, fmt.Errorf("make the authority: %w", err)
	}
	authority, err := pair.parse()
	if err != nil {
		return parsed{}, m, nil, fmt.Errorf("make the authority: %w", err)
	}
	m.Authority, m.Next = pair, Pair{}
	m.Trust = trust(now, append(trusted(m.Trust), authority.cert)...)
	return authority, m, []Change{AuthorityCreated}, nil
}

// trusted are the authorities in stored PEM data. What can not be read is left
// out and written anew from the authority itself.
func trusted(data []byte) []*x509.Certificate {
	all, err := certificates(data)
	if err != nil {
		return nil
	}
	return all
}

// unusable says why a leaf has to be made anew; nil when it need not be.
func unusable(pair Pair, authority parsed, usage x509.ExtKeyUsage, serverName string, now time.Time) error {
	p, err := pair.parse()
	if err != nil {
		return err
	}
	if !now.Before(renewAt(p.cert)) {
		return fmt.Errorf("it runs out at %s", p.cert.NotAfter)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	_, err = p.cert.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now,
		DNSName:     serverName,
		KeyUsages:   []x509.ExtKeyUsage{usage},
	})
	return err
}

// renewAt is when a third of a certificate's life is left. Of 90 days, the last
// 30 are for an operator that does not run.
func renewAt(cert *x509.Certificate) time.Time {
	return cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 3)
}

// signsFrom is when an announced authority takes over.
func signsFrom(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(clockTolerance + SpreadTime)
}
