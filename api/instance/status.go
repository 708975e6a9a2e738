package instance

// Role is what the operator has assigned to an instance.
type Role string

const (
	// RoleUnassigned is every server's role after a start: no writes, no
	// replicas fed, until the operator assigns another one.
	RoleUnassigned Role = "unassigned"
	RolePrimary    Role = "primary"
	RoleReplica    Role = "replica"
)

// LinkState is how far a replica's link to its primary has come.
type LinkState string

const (
	LinkNone       LinkState = "none"       // no primary to follow
	LinkConnecting LinkState = "connecting" // dialling, or waiting to try again
	LinkHandshake  LinkState = "handshake"  // PING, AUTH, REPLCONF, PSYNC under way
	LinkSyncing    LinkState = "syncing"    // a full re-synchronisation is being received or loaded
	LinkConnected  LinkState = "connected"  // the command stream is flowing
)

// FeedState is how far a primary has come with one replica.
type FeedState string

const (
	FeedWaitingSnapshot FeedState = "waiting-snapshot" // full re-synchronisation asked for, snapshot not begun
	FeedSendingSnapshot FeedState = "sending-snapshot"
	FeedOnline          FeedState = "online"
)

// SyncKind says how a link was (re-)established.
type SyncKind string

const (
	SyncPartial SyncKind = "partial"
	SyncFull    SyncKind = "full"
)

// WriteVerdict names why an instance takes writes or does not. It is computed
// for the moment at which the status was made.
type WriteVerdict string

const (
	WritesAllowed      WriteVerdict = "Allowed"
	WritesUnassigned   WriteVerdict = "Unassigned"   // no role since the start
	WritesReplica      WriteVerdict = "Replica"      // role is replica
	WritesFenced       WriteVerdict = "Fenced"       // a newer epoch than the role's is known
	WritesLeaseExpired WriteVerdict = "LeaseExpired" // primary that has heard neither from a majority nor from the operator
	WritesPaused       WriteVerdict = "Paused"       // a handover or CLIENT PAUSE holds writes back
	WritesLoading      WriteVerdict = "Loading"
)

// Status is everything an instance tells of itself. GET status returns one;
// GET watch streams one as a JSON line at every change and at least every
// WatchInterval.
type Status struct {
	// Seq grows by one with every status of one boot. A lease renewal names
	// the Seq that it answers.
	Seq uint64 `json:"seq"`

	InstanceID string `json:"instanceID"` // 40 hex digits; drawn once, kept in the data directory
	BootID     string `json:"bootID"`     // 40 hex digits; drawn at every start of the process
	Name       string `json:"name"`       // the instance's name in its cluster, e.g. "demo-2"
	Cluster    string `json:"cluster"`    // NAMESPACE/NAME
	Version    string `json:"version"`    // of the server

	Role Role `json:"role"`
	// Epoch is the highest epoch this instance has ever stored, and therefore
	// the lowest that it still obeys.
	Epoch uint64 `json:"epoch"`
	// RoleEpoch is the epoch in which the role was assigned; below Epoch, the
	// instance is fenced.
	RoleEpoch uint64       `json:"roleEpoch"`
	Writes    WriteVerdict `json:"writes"`

	History History `json:"history"`
	// Offset is the replication offset: bytes of stream that a primary has
	// produced, or that a replica has applied. nil while it is not known
	// (loading, in the middle of a full re-synchronisation).
	Offset *int64 `json:"offset"`
	Window Window `json:"window"`

	// Upstream is the link to the primary; nil unless the role is replica.
	Upstream *Upstream `json:"upstream,omitempty"`
	// LastAckAgeMillis is how long ago this instance last acknowledged
	// anything new to any primary, also when it does not follow one any more;
	// nil when it has not since it started. Repeating an acknowledgement does
	// not count: the lease counts from when the bytes were sent. It bounds from
	// outside what is left of an old primary's lease.
	LastAckAgeMillis *int64 `json:"lastAckAgeMillis,omitempty"`

	Replicas []Replica `json:"replicas,omitempty"`
	Lease    *Lease    `json:"lease,omitempty"` // nil unless the role is primary

	Loading *Progress `json:"loading,omitempty"` // of the data set at the start
	// ReactorStallMillis is for how long the reactor has not turned; below
	// 100 it is 0. A long stall is "busy", not "dead".
	ReactorStallMillis int64 `json:"reactorStallMillis"`

	Keys *int64 `json:"keys,omitempty"` // in all databases; an estimate while loading
	// SavedTail names the file in the data directory that holds what this
	// instance had written and its new primary did not, since the last time
	// it joined; empty when there was nothing to save.
	SavedTail *SavedTail `json:"savedTail,omitempty"`
}

// History identifies the stream of commands that made an instance's data.
type History struct {
	ReplicationID       string `json:"replicationID"`       // 40 hex digits
	SecondReplicationID string `json:"secondReplicationID"` // the history before the last promotion; empty when there is none
	// SecondValidThrough is the largest offset up to which the data also
	// belongs to SecondReplicationID, in bytes (Redis' second_repl_offset - 1);
	// -1 when there is no second ID.
	SecondValidThrough int64 `json:"secondValidThrough"`
}

// Window is the part of the stream from which this instance can serve a
// partial re-synchronisation.
type Window struct {
	// FirstOffset is the number of the oldest byte kept (bytes are numbered
	// from 1); 0 when nothing is kept.
	FirstOffset   int64 `json:"firstOffset"`
	Bytes         int64 `json:"bytes"`
	CapacityBytes int64 `json:"capacityBytes"`
	// WriteBytesPerSecond is the stream's growth, averaged over about ten
	// seconds; nil before it was measured.
	WriteBytesPerSecond *float64 `json:"writeBytesPerSecond,omitempty"`
}

// Upstream is a replica's view of its link.
type Upstream struct {
	Address      string    `json:"address"` // host:port of the primary it was told to follow
	State        LinkState `json:"state"`
	LastIOMillis *int64    `json:"lastIOMillis,omitempty"` // since the last byte from the primary; nil when never
	DownMillis   *int64    `json:"downMillis,omitempty"`   // since the link was lost; nil while it is up or never was
	LastSync     SyncKind  `json:"lastSync,omitempty"`     // how the present link began
	FullSyncs    int64     `json:"fullSyncs"`              // since the start of the process
	PartialSyncs int64     `json:"partialSyncs"`
	LastError    string    `json:"lastError,omitempty"`
	Transfer     *Progress `json:"transfer,omitempty"` // of a full re-synchronisation under way
}

// Replica is a primary's view of one of its replicas.
type Replica struct {
	InstanceID       string    `json:"instanceID,omitempty"` // empty when the replica is not one of ours
	Address          string    `json:"address"`              // as announced, host:port
	State            FeedState `json:"state"`
	SentOffset       int64     `json:"sentOffset"`
	AckedOffset      *int64    `json:"ackedOffset"`                // nil before the first acknowledgement
	LastAckAgeMillis *int64    `json:"lastAckAgeMillis,omitempty"` // nil before the first acknowledgement
}

// Lease is what a primary knows of its permission to take writes.
type Lease struct {
	DurationMillis  int64 `json:"durationMillis"`
	RemainingMillis int64 `json:"remainingMillis"` // 0 when it has run out
	// Members is the number of instances whose majority keeps the lease.
	Members int `json:"members"`
}

// Progress of a load or a transfer. Total is nil when the size is not known.
type Progress struct {
	DoneBytes  int64  `json:"doneBytes"`
	TotalBytes *int64 `json:"totalBytes,omitempty"`
}

// SavedTail describes a divergent tail that was set aside.
type SavedTail struct {
	File  string `json:"file"` // name within the data directory
	Bytes int64  `json:"bytes"`
}
