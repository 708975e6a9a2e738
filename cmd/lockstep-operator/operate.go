package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers"
)

// again is how long to wait before everything is started anew.
const again = time.Second

// operate runs until the context ends. A replica that has lost the lock, as when the
// API server was away, must give everything up and start anew. It does so in this
// process: a container that ends again and again is started ever more slowly, and
// clusters would be without an operator for minutes after such an outage.
func operate(ctx context.Context, f flags, stderr io.Writer) error {
	logger, err := newLogger(f, stderr)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the Kubernetes API server: %w", err)
	}
	// The usual limit of 20 requests a second would make failovers of several
	// clusters wait for each other. The API server has its own fairness.
	config.QPS, config.Burst = 200, 400
	config.UserAgent = "lockstep-operator/" + instance.Version

	counters := controllers.NewMetrics(metrics.Registry)
	for {
		logger.Info("start", "version", instance.Version, "instanceImage", f.instanceImage, "namespaces", f.namespaces)
		err := manage(log.IntoContext(ctx, logger), config, f, counters)
		if ctx.Err() != nil {
			return nil
		}
		logger.Error(err, "stopped, starting again", "in", again.String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// manage runs one manager, from its making to the loss of the lock.
func manage(ctx context.Context, config *rest.Config, f flags, counters *controllers.Metrics) error {
	leadership := controllers.NewLeadership(0, time.Now)
	if f.leaderElect {
		leadership = controllers.NewLeadership(lockDuration, time.Now)
	}
	mgr, err := newManager(config, f, leadership)
	if err != nil {
		return err
	}
	reconciler := controllers.NewReconciler(controllers.Options{
		Client:     mgr.GetClient(),
		Live:       mgr.GetAPIReader(),
		Connect:    controllers.NewPodConnector(mgr.GetAPIReader()),
		Leadership: leadership,
		Events:     mgr.GetEventRecorder("lockstep-operator"),
		Metrics:    counters,
		Image:      f.instanceImage,
		Now:        time.Now,
		Workers:    f.workers,
	})
	if err := reconciler.AddTo(mgr); err != nil {
		return err
	}
	err = mgr.Start(ctx)
	reconciler.Wait()
	return err
}

func newLogger(f flags, out io.Writer) (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level %q: want debug, info, warn or error", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	if f.logFormat == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(out, options)), nil
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(out, options)), nil
}

func newManager(config *rest.Config, f flags, leadership *controllers.Leadership) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	ownObjects, err := ownObjectsOnly()
	if err != nil {
		return nil, err
	}
	shutdown, sameNames := 5*time.Second, true
	options := ctrl.Options{
		// The controllers of the manager before this one had the same names.
		Controller:                    controllerconfig.Controller{SkipNameValidation: &sameNames},
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: f.metricsAddress},
		HealthProbeBindAddress:        f.healthAddress,
		GracefulShutdownTimeout:       &shutdown,
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Cache:                         cache.Options{ByObject: ownObjects, DefaultNamespaces: namespaceConfig(f.namespaces)},
		LeaderElection:                f.leaderElect,
		LeaderElectionReleaseOnCancel: true,
	}
	if f.leaderElect {
		lock, err := newLock(config, f)
		if err != nil {
			return nil, err
		}
		duration, deadline, retry := lockDuration, lockRenewDeadline, lockRetryPeriod
		options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = &duration, &deadline, &retry
		options.LeaderElectionResourceLockInterface = leadership.Lock(lock)
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, fmt.Errorf("set the manager up: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add health check: %w", err)
	}
	ready := func(r *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(r.Context()) {
			return fmt.Errorf("the caches are not filled yet")
		}
		return nil
	}
	if err := mgr.AddReadyzCheck("caches", ready); err != nil {
		return nil, fmt.Errorf("add readiness check: %w", err)
	}
	return mgr, nil
}

func newLock(config *rest.Config, f flags) (resourcelock.Interface, error) {
	host := f.identity
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("find a name for the lock: %w", err)
		}
	}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, f.lockNamespace, lockName,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}, config, lockRenewDeadline)
	if err != nil {
		return nil, fmt.Errorf("make the leader's lock: %w", err)
	}
	return lock, nil
}

// ownObjectsOnly keeps what belongs to nobody's cluster out of the caches.
func ownObjectsOnly() (map[client.Object]cache.ByObject, error) {
	ours, err := labels.NewRequirement(v1alpha1.LabelCluster, selection.Exists, nil)
	if err != nil {
		return nil, fmt.Errorf("select own objects: %w", err)
	}
	only := cache.ByObject{Label: labels.NewSelector().Add(*ours)}
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:                   only,
		&corev1.PersistentVolumeClaim{}: only,
		&corev1.ConfigMap{}:             only,
		&corev1.Service{}:               only,
		&corev1.ServiceAccount{}:        only,
	}, nil
}

func namespaceConfig(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	config := map[string]cache.Config{}
	for _, namespace := range namespaces {
		config[namespace] = cache.Config{}
	}
	return config
}
