package sim

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

var errConflict = errors.New("the object has been modified")

// apiServer keeps the cluster's resource and the lock of the leader.
type apiServer struct {
	world   *world
	cluster *v1alpha1.LockstepCluster
	version int

	holder  string
	renewed time.Duration
}

const (
	apiName      = "api"
	lockDuration = 3 * time.Second
)

func newAPIServer(w *world, instances int32) *apiServer {
	c := &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo", Generation: 1}}
	c.Spec.Instances = instances
	v1alpha1.SetDefaults(c)
	return &apiServer{world: w, cluster: c}
}

// update is a compare-and-swap of the status.
func (a *apiServer) update(next *v1alpha1.LockstepCluster, version int) (*v1alpha1.LockstepCluster, int, error) {
	if version != a.version {
		return nil, 0, errConflict
	}
	if next.Status.Epoch < a.cluster.Status.Epoch {
		a.world.fail("G2: the stored epoch went from %d to %d", a.cluster.Status.Epoch, next.Status.Epoch)
	}
	if f := next.Status.Failover; f != nil && f.Phase == v1alpha1.FailoverPromoting {
		a.world.clients.committed[uint64(f.Epoch)] = f.Candidate
	}
	a.cluster = next.DeepCopy()
	a.version++
	return next, a.version, nil
}

// lead takes or renews the lock.
func (a *apiServer) lead(name string) bool {
	if a.holder != name && a.holder != "" && a.world.now-a.renewed < lockDuration {
		return false
	}
	a.holder, a.renewed = name, a.world.now
	return true
}
