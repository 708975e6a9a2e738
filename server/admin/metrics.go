package admin

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockstep-db/lockstep/api/instance"
)

// collector makes the metrics from one status and one set of counters at the
// moment at which they are asked for, so that they are consistent with each other.
// What is not known is left out rather than told as 0.
type collector struct {
	backend  Backend
	counters func() Counters // nil when there are none
}

func newCollector(backend Backend, counters func() Counters) *collector {
	return &collector{backend, counters}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lockstep_"+name, help, labels, nil)
}

var (
	descInfo       = desc("instance_info", "Always 1; says which instance this is and which version it runs.", "name", "cluster", "instance_id", "version")
	descRole       = desc("role", "1 for the role that the instance has: unassigned, primary or replica.", "role")
	descWrites     = desc("writes_allowed", "1 when the instance takes writes; the label says why it does not when it is 0.", "verdict")
	descEpoch      = desc("epoch", "Highest epoch that the instance has stored.")
	descRoleEpoch  = desc("role_epoch", "Epoch in which the role was assigned; below lockstep_epoch the instance is fenced.")
	descOffset     = desc("replication_offset_bytes", "Bytes of the replication stream that the primary has produced or the replica has applied.")
	descWindow     = desc("window_bytes", "Bytes of the stream that are kept for partial re-synchronisations.")
	descCapacity   = desc("window_capacity_bytes", "Size of the window.")
	descRate       = desc("stream_bytes_per_second", "Growth of the stream over about ten seconds.")
	descLease      = desc("lease_remaining_seconds", "For how long the primary may take writes unless it hears from a majority or from the operator.")
	descLink       = desc("link_up", "1 when the replica's link to its primary carries the stream.")
	descLinkIO     = desc("link_last_io_seconds", "Time since the replica last heard from its primary.")
	descLinkSyncs  = desc("link_syncs_total", "Synchronisations of this replica with its primary, by kind: full or partial.", "kind")
	descLag        = desc("replica_lag_bytes", "Bytes of the stream that a replica has not acknowledged, as the primary sees it.", "replica")
	descReplicas   = desc("replicas", "Replicas that are attached, by state.", "state")
	descStall      = desc("reactor_stall_seconds", "For how long the reactor has not turned.")
	descLoading    = desc("loading", "1 while the data set is being loaded.")
	descCommands   = desc("commands_total", "Commands executed.")
	descConns      = desc("connections", "Client connections that are open.")
	descAccepted   = desc("connections_accepted_total", "Client connections accepted.")
	descRefused    = desc("connections_refused_total", "Client connections refused because there were too many.")
	descBytes      = desc("client_bytes_total", "Bytes exchanged with clients, by direction: in or out.", "direction")
	descExpired    = desc("expired_keys_total", "Keys that were removed because their time had come.")
	descLookups    = desc("keyspace_lookups_total", "Look-ups of keys by reading commands, by result: hit or miss.", "result")
	descResident   = desc("memory_resident_bytes", "Memory of the process that is in RAM.")
	descDataset    = desc("memory_dataset_bytes", "Memory that keys and values take.")
	descKeys       = desc("keys", "Keys by database.", "db")
	descVolatile   = desc("volatile_keys", "Keys that have a time to live, by database.", "db")
	descServed     = desc("syncs_served_total", "Synchronisations served to replicas, by kind: full, partial, or refused when a partial one was asked for in vain.", "kind")
	descStart      = desc("start_time_seconds", "When the process started, in seconds since 1970.")
	allDescriptors = []*prometheus.Desc{
		descInfo, descRole, descWrites, descEpoch, descRoleEpoch, descOffset, descWindow, descCapacity, descRate,
		descLease, descLink, descLinkIO, descLinkSyncs, descLag, descReplicas, descStall, descLoading, descCommands,
		descConns, descAccepted, descRefused, descBytes, descExpired, descLookups, descResident, descDataset,
		descKeys, descVolatile, descServed, descStart,
	}
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range allDescriptors {
		out <- d
	}
}

// sink makes sending one value one line.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) count(d *prometheus.Desc, v int64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	status := c.backend.Status()
	collectRole(out, status)
	collectReplication(out, status)
	if c.counters != nil {
		collectCounters(out, c.counters())
	}
}

func collectRole(out sink, s *instance.Status) {
	out.gauge(descInfo, 1, s.Name, s.Cluster, s.InstanceID, s.Version)
	for _, role := range []instance.Role{instance.RoleUnassigned, instance.RolePrimary, instance.RoleReplica} {
		out.gauge(descRole, boolean(s.Role == role), string(role))
	}
	out.gauge(descWrites, boolean(s.Writes == instance.WritesAllowed), string(s.Writes))
	out.gauge(descEpoch, float64(s.Epoch))
	out.gauge(descRoleEpoch, float64(s.RoleEpoch))
	out.gauge(descStall, seconds(s.ReactorStallMillis))
	out.gauge(descLoading, boolean(s.Loading != nil))
	if s.Lease != nil {
		out.gauge(descLease, seconds(s.Lease.RemainingMillis))
	}
}

func collectReplication(out sink, s *instance.Status) {
	out.gauge(descWindow, float64(s.Window.Bytes))
	out.gauge(descCapacity, float64(s.Window.CapacityBytes))
	if s.Window.WriteBytesPerSecond != nil {
		out.gauge(descRate, *s.Window.WriteBytesPerSecond)
	}
	if s.Offset != nil {
		out.gauge(descOffset, float64(*s.Offset))
	}
	if up := s.Upstream; up != nil {
		out.gauge(descLink, boolean(up.State == instance.LinkConnected))
		out.count(descLinkSyncs, up.FullSyncs, string(instance.SyncFull))
		out.count(descLinkSyncs, up.PartialSyncs, string(instance.SyncPartial))
		if up.LastIOMillis != nil {
			out.gauge(descLinkIO, seconds(*up.LastIOMillis))
		}
	}
	collectReplicas(out, s)
}

func collectReplicas(out sink, s *instance.Status) {
	states := map[instance.FeedState]int{instance.FeedWaitingSnapshot: 0, instance.FeedSendingSnapshot: 0, instance.FeedOnline: 0}
	told := map[string]bool{} // one name twice would spoil the whole answer
	for _, r := range s.Replicas {
		states[r.State]++
		if s.Offset != nil && r.AckedOffset != nil && !told[r.Address] {
			told[r.Address] = true
			out.gauge(descLag, float64(*s.Offset-*r.AckedOffset), r.Address)
		}
	}
	for state, n := range states {
		out.gauge(descReplicas, float64(n), string(state))
	}
}

func collectCounters(out sink, c Counters) {
	out.count(descCommands, c.Commands)
	out.gauge(descConns, float64(c.Connections))
	out.count(descAccepted, c.ConnectionsAccepted)
	out.count(descRefused, c.ConnectionsRefused)
	out.count(descBytes, c.BytesIn, "in")
	out.count(descBytes, c.BytesOut, "out")
	out.count(descExpired, c.KeysExpired)
	out.count(descLookups, c.KeyspaceHits, "hit")
	out.count(descLookups, c.KeyspaceMisses, "miss")
	out.gauge(descResident, float64(c.ResidentBytes))
	out.gauge(descDataset, float64(c.DatasetBytes))
	out.count(descServed, c.SyncsFull, "full")
	out.count(descServed, c.SyncsPartial, "partial")
	out.count(descServed, c.SyncsRefused, "refused")
	if !c.Started.IsZero() {
		out.gauge(descStart, float64(c.Started.UnixMilli())/1000)
	}
	for _, db := range c.Databases {
		name := "db" + strconv.FormatInt(db.Index, 10)
		out.gauge(descKeys, float64(db.Keys), name)
		out.gauge(descVolatile, float64(db.Volatile), name)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(millis int64) float64 { return float64(millis) / 1000 }
