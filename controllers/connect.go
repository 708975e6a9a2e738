package controllers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/controllers/desired"
	"github.com/lockstep-db/lockstep/controllers/pki"
)

// Instance is what the operator asks of one server. *instance.Client is one; what
// its errors mean is said there.
type Instance interface {
	Status(context.Context) (*instance.Status, error)
	Watch(ctx context.Context, silence time.Duration, each func(*instance.Status) error) error
	Fence(context.Context, instance.FenceRequest) (*instance.Status, error)
	Promote(context.Context, instance.PromoteRequest) (*instance.Status, error)
	Follow(context.Context, instance.FollowRequest) (*instance.Status, error)
	Lease(context.Context, instance.LeaseRequest) (*instance.Status, error)
	Handover(context.Context, instance.HandoverRequest) (*instance.Status, error)
	Resize(context.Context, instance.WindowRequest) (*instance.Status, error)
	// Dial makes a new connection to the instance API's port and closes it.
	Dial(context.Context) error
	Close()
}

// Connector makes connections to instances. It is an interface so that tests can
// put servers of their own in the place of pods.
type Connector interface {
	// Instance is the one of the cluster at the IP address. It dials nothing.
	Instance(ctx context.Context, cluster types.NamespacedName, ip string) (Instance, error)
	// DialClientPort makes a new connection to the port of the instance's
	// clients and closes it.
	DialClientPort(ctx context.Context, ip string) error
	// Forget drops what is kept of a cluster, because it is gone or its
	// certificates have changed.
	Forget(cluster types.NamespacedName)
}

// certificatesFor is how long certificates that were read are used before they
// are read again. They are renewed when a month of their life is left.
const certificatesFor = 10 * time.Minute

// PodConnector connects to pods with the certificates that are kept in secrets. It
// is safe for concurrent use.
type PodConnector struct {
	reader client.Reader // fixed; reads secrets by name, not through a cache

	mu      sync.Mutex // guards what follows
	configs map[types.NamespacedName]clientConfig
}

type clientConfig struct {
	tls    *tls.Config
	readAt time.Time
}

// NewPodConnector reads the certificates with reader.
func NewPodConnector(reader client.Reader) *PodConnector {
	return &PodConnector{reader: reader, configs: map[types.NamespacedName]clientConfig{}}
}

// Instance connects to the instance API.
func (p *PodConnector) Instance(ctx context.Context, cluster types.NamespacedName, ip string) (Instance, error) {
	config, err := p.config(ctx, cluster)
	if err != nil {
		return nil, err
	}
	at := instance.Endpoint{Host: ip, Port: desired.InstancePort}
	return instance.NewClient(at.Address(), config), nil
}

// DialClientPort dials the port of the clients.
func (p *PodConnector) DialClientPort(ctx context.Context, ip string) error {
	at := instance.Endpoint{Host: ip, Port: desired.ClientPort}
	c := instance.NewClient(at.Address(), &tls.Config{MinVersion: tls.VersionTLS13})
	defer c.Close()
	return c.Dial(ctx)
}

func (p *PodConnector) config(ctx context.Context, cluster types.NamespacedName) (*tls.Config, error) {
	p.mu.Lock()
	known, ok := p.configs[cluster]
	p.mu.Unlock()
	if ok && time.Since(known.readAt) < certificatesFor {
		return known.tls, nil
	}
	secret := &corev1.Secret{}
	name := types.NamespacedName{Namespace: cluster.Namespace, Name: desired.OperatorSecretName(cluster.Name)}
	if err := p.reader.Get(ctx, name, secret); err != nil {
		return nil, fmt.Errorf("get secret %s: %w", name, err)
	}
	// The operator's secret also holds what is trusted, under the key that the
	// instances' secret has it.
	pem := pki.Secrets{Operator: secret.Data, Server: secret.Data}.Material().ForOperator()
	config, err := instance.ClientTLS(pem, pki.ServerName(pki.Cluster{Namespace: cluster.Namespace, Name: cluster.Name}))
	if err != nil {
		return nil, fmt.Errorf("use secret %s: %w", name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.configs[cluster] = clientConfig{config, time.Now()}
	return config, nil
}

// Forget drops the certificates that were read.
func (p *PodConnector) Forget(cluster types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.configs, cluster)
}

// statusOf is the status that a refusal carries; nil when it carries none.
func statusOf(err error) *instance.Status {
	var refusal *instance.Error
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return nil
}
