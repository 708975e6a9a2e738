package pki

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

var demo = Cluster{Namespace: "default", Name: "demo"}

// firstDay is when the clusters of these tests are created: now, because the
// handshakes are made with the machine's own clock.
func firstDay() time.Time { return time.Now().Truncate(time.Second) }

func renew(t *testing.T, m Material, now time.Time) (Material, []Change) {
	t.Helper()
	renewed, changes, err := Renew(demo, m, now)
	if err != nil {
		t.Fatalf("renew: %v", err)
	}
	return renewed, changes
}

func wantChanges(t *testing.T, got []Change, want ...Change) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
}

func TestANewClusterGetsAllItNeedsAtOnce(t *testing.T) {
	now := firstDay()
	m, changes := renew(t, Material{}, now)
	wantChanges(t, changes, AuthorityCreated, ServerRenewed, OperatorRenewed)
	again, changes := renew(t, m, now)
	wantChanges(t, changes)
	if !reflect.DeepEqual(m, again) {
		t.Error("a second look changed the material without saying so")
	}
	if err := handshake(t, m.ForOperator(), m.ForServer(), ServerName(demo)); err != nil {
		t.Errorf("the operator and an instance do not accept each other: %v", err)
	}
}

func TestMaterialSurvivesItsSecrets(t *testing.T) {
	now := firstDay()
	m, _ := renew(t, Material{}, now)
	if got := m.Secrets().Material(); !reflect.DeepEqual(m, got) {
		t.Errorf("stored and read again, the material differs")
	}
	m, changes := renew(t, m, now.Add(AuthorityLifetime*3/4))
	if len(m.Next.Cert) == 0 {
		t.Fatalf("no next authority after three quarters of the first one's life; changes %v", changes)
	}
	if got := m.Secrets().Material(); !reflect.DeepEqual(m, got) {
		t.Errorf("stored and read again during a change of authority, the material differs")
	}
}

func TestTheAuthoritysKeyIsInNoOtherSecret(t *testing.T) {
	m, _ := renew(t, Material{}, firstDay())
	secrets := m.Secrets()
	for name, data := range map[string]map[string][]byte{"server": secrets.Server, "operator": secrets.Operator} {
		for key, value := range data {
			if bytes.Contains(value, bytes.TrimSpace(m.Authority.Key)) {
				t.Errorf("the %s secret holds the authority's key under %s", name, key)
			}
		}
	}
}

func TestWhoAcceptsWhom(t *testing.T) {
	now := firstDay()
	m, _ := renew(t, Material{}, now)
	// Of the same name, in another Kubernetes.
	stranger, _ := renew(t, Material{}, now)
	tests := []struct {
		name       string
		client     instance.PEM
		server     instance.PEM
		serverName string
		want       string // part of the error; empty: accepted
	}{
		{"an instance can not command another with its own certificate", m.ForServer(), m.ForServer(), ServerName(demo), "bad certificate"},
		{"an instance does not obey another cluster's operator", withTrust(stranger.ForOperator(), m.Trust), m.ForServer(), ServerName(demo), "unknown certificate authority"},
		{"the operator does not talk to another cluster's instance", m.ForOperator(), stranger.ForServer(), ServerName(demo), "unknown authority"},
		{"the operator does not take its own certificate for an instance's", m.ForOperator(), m.ForOperator(), ServerName(demo), "not valid for"},
		{"the operator does not take one cluster's instance for another's", m.ForOperator(), m.ForServer(), ServerName(Cluster{"default", "other"}), "not instances.other.default"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := handshake(t, test.client, test.server, test.serverName)
			if err == nil {
				t.Fatal("they accept each other")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("refused with %q, want something with %q", err, test.want)
			}
		})
	}
}

func withTrust(p instance.PEM, trust []byte) instance.PEM {
	p.CA = trust
	return p
}

func TestLeavesAreRenewedWhenAThirdOfTheirLifeIsLeft(t *testing.T) {
	now := firstDay()
	m, _ := renew(t, Material{}, now)
	_, changes := renew(t, m, now.Add(LeafLifetime*6/10))
	wantChanges(t, changes)
	renewed, changes := renew(t, m, now.Add(LeafLifetime*7/10))
	wantChanges(t, changes, ServerRenewed, OperatorRenewed)
	if !bytes.Equal(m.Authority.Cert, renewed.Authority.Cert) {
		t.Error("the authority was changed with the leaves")
	}
	if in := RenewIn(demo, m, now); in < LeafLifetime/2 || in > LeafLifetime*7/10 {
		t.Errorf("the next look is due in %v, want about two thirds of %v", in, LeafLifetime)
	}
	if in := RenewIn(demo, m, now.Add(LeafLifetime)); in != 0 {
		t.Errorf("what has run out is due in %v, want now", in)
	}
}

// During a change of authority, instances and operator see new secrets at
// different times. Whatever versions the two sides hold, they accept each other.
func TestAChangeOfAuthorityIsNoticedByNobody(t *testing.T) {
	created := firstDay().Add(-AuthorityLifetime * 3 / 4)
	m, _ := renew(t, Material{}, created)
	old, _ := renew(t, m, firstDay().Add(-SpreadTime*2)) // leaves renewed, authority due: announced
	if len(old.Next.Cert) == 0 {
		t.Fatal("the next authority was not announced")
	}
	unannounced := old
	unannounced.Next = Pair{}
	unannounced.Trust = m.Trust

	early, changes := renew(t, old, firstDay().Add(-SpreadTime*3/2))
	wantChanges(t, changes)
	changed, changes := renew(t, early, firstDay())
	wantChanges(t, changes, AuthorityChanged, ServerRenewed, OperatorRenewed)
	if !bytes.Equal(changed.Authority.Cert, old.Next.Cert) {
		t.Error("the authority that signs is not the announced one")
	}

	// An instance may be one version behind the operator, or the other way round.
	versions := []struct {
		name string
		Material
	}{{"before", unannounced}, {"announced", old}, {"changed", changed}}
	for i := range len(versions) - 1 {
		for _, pair := range [][2]int{{i, i + 1}, {i + 1, i}, {i, i}, {i + 1, i + 1}} {
			operator, server := versions[pair[0]], versions[pair[1]]
			if err := handshake(t, operator.ForOperator(), server.ForServer(), ServerName(demo)); err != nil {
				t.Errorf("operator %s, instance %s: %v", operator.name, server.name, err)
			}
		}
	}
}

func TestAnAuthorityThatHasRunOutIsForgotten(t *testing.T) {
	created := firstDay()
	m, _ := renew(t, Material{}, created)
	m, _ = renew(t, m, created.Add(AuthorityLifetime*3/4))
	m, _ = renew(t, m, created.Add(AuthorityLifetime*3/4+2*SpreadTime))
	if all := trusted(m.Trust); len(all) != 2 {
		t.Fatalf("%d authorities are trusted after the change, want both", len(all))
	}
	m, changes := renew(t, m, created.Add(AuthorityLifetime+time.Hour))
	if all := trusted(m.Trust); len(all) != 1 {
		t.Errorf("%d authorities are trusted after the first has run out (changes %v), want 1", len(all), changes)
	}
}

func TestAnOperatorThatWasAwayForYearsRecovers(t *testing.T) {
	created := firstDay()
	m, _ := renew(t, Material{}, created)
	late := created.Add(AuthorityLifetime * 2)
	for range 3 {
		m, _ = renew(t, m, late)
		late = late.Add(time.Minute)
	}
	if _, changes := renew(t, m, late); len(changes) > 0 {
		t.Errorf("it does not settle: %v", changes)
	}
	authority, err := m.Authority.parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := unusable(m.Server, authority, x509.ExtKeyUsageServerAuth, ServerName(demo), late); err != nil {
		t.Errorf("the instances' certificate can not be used: %v", err)
	}
}

func TestWhatIsDamaged(t *testing.T) {
	now := firstDay()
	good, _ := renew(t, Material{}, now)
	other, _ := renew(t, Material{}, now)
	tests := []struct {
		name   string
		damage func(*Material)
		want   []Change
		err    error
	}{
		{"an instance certificate that is no PEM is made anew", func(m *Material) { m.Server.Cert = []byte("x") }, []Change{ServerRenewed}, nil},
		{"an instance certificate with another's key is made anew", func(m *Material) { m.Server.Key = other.Server.Key }, []Change{ServerRenewed}, nil},
		{"a certificate of another authority is made anew", func(m *Material) { m.Operator = other.Operator }, []Change{OperatorRenewed}, nil},
		{"the operator's certificate is no good for instances", func(m *Material) { m.Server = m.Operator }, []Change{ServerRenewed}, nil},
		{"a lost list of authorities is written again", func(m *Material) { m.Trust = nil }, []Change{TrustChanged}, nil},
		{"a deleted authority is replaced and leaves are signed again", func(m *Material) { m.Authority = Pair{} }, []Change{AuthorityCreated, ServerRenewed, OperatorRenewed}, nil},
		{"a damaged authority is not replaced behind the user's back", func(m *Material) { m.Authority.Key = []byte("x") }, nil, ErrAuthority},
		{"half an authority is a damaged one", func(m *Material) { m.Authority.Cert = nil }, nil, ErrAuthority},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			damaged := good
			test.damage(&damaged)
			_, changes, err := Renew(demo, damaged, now)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			wantChanges(t, changes, test.want...)
		})
	}
}

func TestWhenTheAuthorityIsDeletedRunningInstancesAreStillAccepted(t *testing.T) {
	now := firstDay()
	before, _ := renew(t, Material{}, now)
	secrets := before.Secrets()
	secrets.Authority = nil
	after, changes := renew(t, secrets.Material(), now)
	wantChanges(t, changes, AuthorityCreated, ServerRenewed, OperatorRenewed)
	clientConfig, err := instance.ClientTLS(after.ForOperator(), ServerName(demo))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := before.Server.parse()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.cert.Verify(x509.VerifyOptions{Roots: clientConfig.RootCAs, DNSName: ServerName(demo)}); err != nil {
		t.Errorf("the operator does not accept the certificate that instances still show: %v", err)
	}
}

// handshake lets the two talk over a connection within the process, and returns
// what the client or the server says against it.
func handshake(t *testing.T, client, server instance.PEM, serverName string) error {
	t.Helper()
	dir := t.TempDir()
	files := instance.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), CA: filepath.Join(dir, "ca.crt")}
	for name, content := range map[string][]byte{files.Cert: server.Cert, files.Key: server.Key, files.CA: server.CA} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serverConfig, err := instance.ServerTLS(files, nil)
	if err != nil {
		t.Fatalf("configure the server: %v", err)
	}
	clientConfig, err := instance.ClientTLS(client, serverName)
	if err != nil {
		t.Fatalf("configure the client: %v", err)
	}
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		conn := tls.Server(far, serverConfig)
		err := conn.HandshakeContext(ctx)
		if err == nil {
			_, err = conn.Write([]byte{'!'})
		}
		served <- err
	}()
	conn := tls.Client(near, clientConfig)
	clientErr := conn.HandshakeContext(ctx)
	if clientErr == nil {
		// In TLS 1.3 the client learns only by reading whether the server has
		// accepted its certificate.
		_, clientErr = conn.Read(make([]byte, 1))
	}
	_ = near.Close()
	serverErr := <-served
	if clientErr != nil {
		return clientErr
	}
	return serverErr
}
