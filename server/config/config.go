package config

// SaveRule asks for a snapshot after Seconds when at least Changes happened.
type SaveRule struct {
	Seconds int64
	Changes int64
}

// OutputLimit bounds what may wait to be sent to a client: at Hard bytes it is
// disconnected at once, above Soft bytes after SoftSeconds. 0 is no limit.
type OutputLimit struct {
	Hard, Soft  int64
	SoftSeconds int64
}

// Client classes of client-output-buffer-limit.
const (
	ClassNormal = iota
	ClassReplica
	ClassPubSub
	classes
)

// Address is where to find another server.
type Address struct {
	Host string
	Port int
}

// Config is the value of every directive. Sizes are bytes; the unit of a time
// is part of its comment. Load and Default fill it; only Set changes it later.
type Config struct {
	// Network.
	Bind                 []string
	BindSourceAddr       string
	Port                 int // 0: do not listen on TCP
	UnixSocket           string
	UnixSocketGroup      string
	UnixSocketPerm       int
	ProtectedMode        bool
	TCPBacklog           int
	Timeout              int // seconds a client may be idle; 0: for ever
	TCPKeepalive         int // seconds; 0: off
	MaxClients           int
	SocketMarkID         int64
	ProtoMaxBulkLen      int64
	ClientQueryBuffer    int64
	OutputLimits         [classes]OutputLimit
	Requirepass          string
	ACLFile              string // empty: users are in the configuration
	ACLPubSubDefault     string // allchannels, resetchannels
	ACLLogMaxLen         int
	Users                []User // as read; at a rewrite, those there are
	EnableDebugCommand   string // yes, no, local
	EnableModuleCommand  string
	EnableProtectedConfs string

	// TLS; see package tlsconf for what the values may be.
	TLSPort              int // 0: do not listen
	TLSCertFile          string
	TLSKeyFile           string
	TLSKeyFilePass       string
	TLSClientCertFile    string // empty: the server's, likewise the key
	TLSClientKeyFile     string
	TLSClientKeyFilePass string
	TLSCACertFile        string
	TLSCACertDir         string
	TLSAuthClients       string // yes, no, optional
	TLSReplication       bool
	TLSProtocols         string
	TLSCiphers           string
	TLSCiphersuites      string
	TLSSessionCaching    bool

	// General.
	Daemonize                    bool
	Supervised                   string
	PidFile                      string
	Hz                           int // 1 to 500
	DynamicHz                    bool
	Databases                    int
	LogLevel                     string // debug, verbose, notice, warning, nothing
	LogFile                      string // empty: standard output
	LogFormat                    string // text, json
	AvailabilityZone             string
	HideUserData                 bool // not what clients send, in the log
	AlwaysShowLogo               bool
	CrashLogEnabled              bool
	CrashMemcheckEnabled         bool
	ShutdownTimeout              int // seconds
	ShutdownOnSigterm            []string
	ShutdownOnSigint             []string
	BusyReplyThreshold           int64 // milliseconds; 0: scripts may take any time
	SlowlogLogSlowerThan         int64 // microseconds; negative: off
	SlowlogMaxLen                int64
	CommandlogRequestLargerThan  int64 // bytes; negative: off
	CommandlogLargeRequestMaxLen int64
	CommandlogReplyLargerThan    int64 // bytes; negative: off
	CommandlogLargeReplyMaxLen   int64
	LatencyMonitorThreshold      int64 // milliseconds; 0: off
	LatencyTracking              bool
	LatencyPercentiles           []float64

	// Memory and expiry.
	Maxmemory            int64
	MaxmemoryPolicy      string
	MaxmemorySamples     int
	MaxmemoryTenacity    int
	LFULogFactor         int
	LFUDecayTime         int // minutes
	ActiveExpireEffort   int // 1 to 10
	ActiveRehashing      bool
	LazyfreeLazyEviction bool
	LazyfreeLazyExpire   bool
	ImportMode           bool
	LazyfreeServerDel    bool
	LazyfreeUserDel      bool
	LazyfreeUserFlush    bool

	// Up to where collections are packed. Entries are numbers of elements, values
	// are bytes.
	HashMaxListpackEntries int
	HashMaxListpackValue   int
	ListMaxListpackSize    int // elements when positive; -1 to -5: 4 KiB to 64 KiB
	ListCompressDepth      int // shown, and without effect: nodes are not compressed
	SetMaxIntsetEntries    int
	SetMaxListpackEntries  int
	SetMaxListpackValue    int
	ZSetMaxListpackEntries int
	ZSetMaxListpackValue   int
	StreamNodeMaxBytes     int // 0: no limit
	StreamNodeMaxEntries   int // 0: no limit
	HLLSparseMaxBytes      int

	// What clients are told unasked, and what they may cost.
	NotifyKeyspaceEvents string // letters of classes, A spelled out
	TrackingTableMaxKeys int64  // 0: no limit
	MaxmemoryClients     int64  // bytes; negative: percent of Maxmemory; 0: no limit

	// Snapshots.
	Dir                     string
	DBFilename              string
	Save                    []SaveRule
	RDBCompression          bool
	RDBChecksum             bool
	RDBDelSyncFiles         bool
	RDBSaveIncrementalFsync bool
	RDBKeySaveDelay         int // microseconds, for tests
	KeyLoadDelay            int // microseconds, for tests
	StopWritesOnBgsaveError bool
	LoadingProcessEvents    int64 // bytes

	// Replication.
	ReplicaOf              *Address // nil: not a replica
	MasterAuth             string
	MasterUser             string
	ReplicaServeStaleData  bool
	ReplicaReadOnly        bool
	ReplicaIgnoreMaxmemory bool
	ReplicaLazyFlush       bool
	ReplicaPriority        int
	ReplicaAnnounced       bool
	ReplicaAnnounceIP      string
	ReplicaAnnouncePort    int
	ReplDisklessSync       bool
	ReplDisklessSyncDelay  int // seconds
	ReplDisklessMaxReplica int
	ReplDisklessLoad       string // disabled, on-empty-db, swapdb
	ReplPingReplicaPeriod  int    // seconds
	ReplTimeout            int    // seconds
	ReplDisableTCPNodelay  bool
	ReplBacklogSize        int64
	ReplBacklogTTL         int64 // seconds; 0: never freed
	MinReplicasToWrite     int
	MinReplicasMaxLag      int // seconds

	// Our own.
	Managed      bool   // lockstep-managed
	Cluster      string // lockstep-cluster, NAMESPACE/NAME
	InstanceName string // lockstep-instance-name
	APIPort      int    // lockstep-api-port
	APIBind      []string
	APICertFile  string
	APIKeyFile   string
	APICAFile    string
	HTTPPort     int // lockstep-http-port; -1: 8080 when managed, off otherwise

	file  string            // absolute path of the file it was read from, or empty
	inert map[string]string // values of directives that change nothing
}

// File is the absolute path of the configuration file, or "".
func (c *Config) File() string { return c.file }
