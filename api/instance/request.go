package instance

import "time"

// DefaultPort is the port of the instance API.
const DefaultPort = 7379

// Paths of the instance API. All take and return JSON.
const (
	PathStatus   = "/v1/status"   // GET  -> Status
	PathWatch    = "/v1/watch"    // GET  -> a stream of Status, one JSON object per line
	PathFence    = "/v1/fence"    // POST FenceRequest    -> Status
	PathPromote  = "/v1/promote"  // POST PromoteRequest  -> Status
	PathFollow   = "/v1/follow"   // POST FollowRequest   -> Status
	PathLease    = "/v1/lease"    // POST LeaseRequest    -> Status
	PathHandover = "/v1/handover" // POST HandoverRequest -> Status
	PathResize   = "/v1/window"   // POST WindowRequest   -> Status
)

// WatchInterval is the longest silence of a healthy watch stream.
const WatchInterval = 500 * time.Millisecond

// FenceRequest: store the epoch, stop writes, drop the link to the old primary
// and acknowledge nothing to it any more. The answer is the status after that.
type FenceRequest struct {
	Epoch uint64 `json:"epoch"`
}

// PromoteRequest: become the primary of the epoch. The server draws a new
// replication ID and keeps the old one as its second ID. Repeating a promotion
// of the same epoch is harmless and changes nothing.
type PromoteRequest struct {
	Epoch uint64 `json:"epoch"`
	// Members is the number of instances of the cluster, this one included
	// (1 or more). A majority of them keeps the lease alive.
	Members int `json:"members"`
	// LeaseMillis is how long the primary may take writes after it was last
	// heard (100 to 60,000).
	LeaseMillis int64 `json:"leaseMillis"`
	// BootID is the process that was chosen, for the data that it held. When
	// another one has taken its place, perhaps with less data, the request is
	// refused (CodeConflict). Empty: whichever process this reaches.
	BootID string `json:"bootID,omitempty"`
	// StatusSeq names a status of that process, such as the answer to fencing
	// it, from whose making a first lease counts, as in LeaseRequest. Without
	// it a promotion grants no time: in a cluster of more than one, writes
	// begin with the first renewal or with the acknowledgements of a majority.
	StatusSeq uint64 `json:"statusSeq,omitempty"`
}

// FollowRequest: become a replica of Primary.
type FollowRequest struct {
	Epoch   uint64   `json:"epoch"`
	Primary Endpoint `json:"primary"`
	// Source, when set, is another replica from which to take a full
	// re-synchronisation should one be needed; the stream is then followed
	// from Primary.
	Source *Endpoint `json:"source,omitempty"`
	// LeaseMillis sets how often to acknowledge: at least every quarter of it.
	LeaseMillis int64 `json:"leaseMillis"`
	// ResyncFull makes the replica drop what it knows of its history and take
	// a full re-synchronisation.
	ResyncFull bool `json:"resyncFull,omitempty"`
}

// Endpoint is where an instance serves its clients and replicas.
type Endpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"` // 1 to 65535
}

// LeaseRequest: the operator's renewal, and the way to change the lease's
// arithmetic without a promotion.
//
// The renewal counts from the moment at which the server *made* the status
// numbered StatusSeq, not from its arrival: a renewal that was delayed, or sent
// by an operator that slept between reading and answering, grants nothing
// beyond what that operator could know.
type LeaseRequest struct {
	Epoch       uint64 `json:"epoch"`
	BootID      string `json:"bootID"`    // whose StatusSeq is meant
	StatusSeq   uint64 `json:"statusSeq"` // 0: change Members and LeaseMillis only, grant nothing
	Members     int    `json:"members"`
	LeaseMillis int64  `json:"leaseMillis"`
}

// HandoverRequest: pause writes, wait until Target has everything, then yield
// (the server ends up fenced, with the data complete at the target). When the
// target has not caught up within TimeoutMillis, writes go on as before and the
// answer is CodeHandoverTimeout.
type HandoverRequest struct {
	Epoch            uint64 `json:"epoch"` // the primary's own, current epoch
	TargetInstanceID string `json:"targetInstanceID"`
	TimeoutMillis    int64  `json:"timeoutMillis"` // 1 to 500
}

// WindowRequest: change the size of the in-memory part of the window. The
// newest bytes are kept.
type WindowRequest struct {
	Epoch         uint64 `json:"epoch"`
	CapacityBytes int64  `json:"capacityBytes"` // 16 KiB or more
}

// Code names why a request was refused, so that nobody matches text.
type Code string

const (
	CodeInvalidRequest  Code = "InvalidRequest"  // 400: malformed, or a value out of range; Message says which
	CodeStaleEpoch      Code = "StaleEpoch"      // 409: the epoch is lower than the stored one; Status tells it
	CodeConflict        Code = "Conflict"        // 409: contradicts what this epoch already decided, e.g. promote after follow
	CodeNotPrimary      Code = "NotPrimary"      // 409: only a primary can do this
	CodeUnknownTarget   Code = "UnknownTarget"   // 409: the handover's target is not an online replica
	CodeHandoverTimeout Code = "HandoverTimeout" // 504: the target did not catch up in time; nothing has changed
	CodeNotReady        Code = "NotReady"        // 503: still loading
	CodeBusy            Code = "Busy"            // 503: the reactor did not answer in time; fencing has been recorded all the same
	CodeShuttingDown    Code = "ShuttingDown"    // 503: the server ends; fencing has been recorded all the same
	CodeStorage         Code = "Storage"         // 500: the epoch could not be stored, so do not count on it; writes have stopped all the same
)

// Error is the body of every answer that is not 2xx.
type Error struct {
	Code    Code    `json:"code"`
	Message string  `json:"message"`
	Status  *Status `json:"status,omitempty"`
}

// Error makes it usable as a Go error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
