package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Metrics are what the operator counts. All carry the cluster's namespace and name.
type Metrics struct {
	failovers *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	lost      *prometheus.CounterVec
	unbounded *prometheus.CounterVec
	copies    *prometheus.CounterVec
	epoch     *prometheus.GaugeVec
	ready     *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	labels := []string{"namespace", "cluster"}
	m := &Metrics{
		failovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockstep_operator_failovers_total",
			Help: "Completed changes of primary, planned ones included, by reason.",
		}, append([]string{"reason"}, labels...)),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lockstep_operator_failover_duration_seconds",
			Help:    "Time from the suspicion, or from the beginning of a planned change, until the new primary takes writes and is routed to.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 30, 60},
		}, labels),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockstep_operator_failover_lost_bytes_total",
			Help: "Upper bounds of the bytes of the replication stream that were lost by changes of primary.",
		}, labels),
		unbounded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockstep_operator_failover_unknown_loss_total",
			Help: "Changes of primary for which no upper bound of the loss is known.",
		}, labels),
		copies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockstep_operator_full_resyncs_total",
			Help: "Orders to follow a primary for which the replica needs a full copy.",
		}, labels),
		epoch: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lockstep_operator_cluster_epoch",
			Help: "The cluster's epoch.",
		}, labels),
		ready: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lockstep_operator_cluster_ready_instances",
			Help: "Instances that serve their role.",
		}, labels),
	}
	registry.MustRegister(m.failovers, m.duration, m.lost, m.unbounded, m.copies, m.epoch, m.ready)
	return m
}

func (m *Metrics) failover(c types.NamespacedName, r *v1alpha1.FailoverReport) {
	m.failovers.WithLabelValues(string(r.Reason), c.Namespace, c.Name).Inc()
	m.duration.WithLabelValues(c.Namespace, c.Name).Observe(r.CompletedAt.Sub(r.StartedAt.Time).Seconds())
	switch {
	case r.BytesLost != nil:
		m.lost.WithLabelValues(c.Namespace, c.Name).Add(float64(*r.BytesLost))
	case r.From != "":
		m.unbounded.WithLabelValues(c.Namespace, c.Name).Inc()
	}
}

func (m *Metrics) fullCopy(c types.NamespacedName) {
	m.copies.WithLabelValues(c.Namespace, c.Name).Inc()
}

func (m *Metrics) cluster(c types.NamespacedName, epoch int64, ready int32) {
	m.epoch.WithLabelValues(c.Namespace, c.Name).Set(float64(epoch))
	m.ready.WithLabelValues(c.Namespace, c.Name).Set(float64(ready))
}

// forget drops a cluster that is gone.
func (m *Metrics) forget(c types.NamespacedName) {
	of := prometheus.Labels{"namespace": c.Namespace, "cluster": c.Name}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.failovers, m.duration, m.lost, m.unbounded, m.copies, m.epoch, m.ready} {
		vec.DeletePartialMatch(of)
	}
}
