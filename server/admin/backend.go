package admin

import (
	"context"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

// ErrShutDown says that the server has ended, or is about to, and takes no requests.
var ErrShutDown = errors.New("the server is shutting down")

// Backend is the server behind the API. Its methods may be called from any
// goroutine.
type Backend interface {
	// Status is the newest one that was published, with the time-dependent
	// fields that can be known without the reactor (ReactorStallMillis,
	// LastAckAgeMillis, Epoch) as of now. It never blocks. The caller owns it.
	Status() *instance.Status
	// Published is closed when a newer status than the present one is there.
	Published() <-chan struct{}
	// SeenEpoch is the highest epoch heard of.
	SeenEpoch() uint64
	// RecordEpoch makes the instance obey an epoch and returns when that is
	// durable. It does not wait for the reactor.
	RecordEpoch(epoch uint64) error
	// Apply gives a valid request of api/instance, by value, to the reactor,
	// and returns what it said: the status after it. When ctx ends first the
	// error wraps that of ctx, and the request may still be carried out. It is
	// ErrShutDown when the server has ended. Refusals are *instance.Error.
	Apply(ctx context.Context, request any) (*instance.Status, error)
}

// Counters are what the metrics tell beyond the status. All counts are since the
// start of the process.
type Counters struct {
	Commands            int64
	ConnectionsAccepted int64
	ConnectionsRefused  int64
	Connections         int64 // now, without replicas
	BytesIn, BytesOut   int64
	KeysExpired         int64
	KeyspaceHits        int64
	KeyspaceMisses      int64
	ResidentBytes       int64
	DatasetBytes        int64
	SyncsFull           int64 // served to replicas
	SyncsPartial        int64
	SyncsRefused        int64 // partial ones that were asked for and not possible
	Databases           []DatabaseCounters
	Started             time.Time
}

// DatabaseCounters are about one database that is not empty.
type DatabaseCounters struct {
	Index, Keys, Volatile int64
}
