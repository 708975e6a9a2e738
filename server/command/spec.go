package command

// Flags say how a command may be used. Package server reads them before it lets
// a command run; COMMAND INFO shows them.
type Flags uint32

// The flags, in the order in which COMMAND INFO lists them.
const (
	Write           Flags = 1 << iota // may change data
	ReadOnly                          // reads data, never changes it
	DenyOOM                           // may need more memory: refused above maxmemory
	Admin                             // for operators, not for applications
	PubSub                            // about channels
	NoScript                          // not from scripts
	Blocking                          // may wait
	Loading                           // allowed while the data set is loaded
	Stale                             // allowed on a replica whose link is down
	SkipMonitor                       // not shown to MONITOR
	SkipSlowlog                       // not in the slow log
	Asking                            // cluster redirections
	Fast                              // takes constant or logarithmic time
	NoAuth                            // allowed before AUTH
	MayReplicate                      // has effects although it writes no data (PUBLISH)
	NoMandatoryKeys                   // may be called without the keys that its key specs describe
	NoAsyncLoading                    // not while a replica loads beside its old data
	NoMulti                           // not inside MULTI
	MovableKeys                       // the legacy key range does not tell all keys; set by the table
	AllowBusy                         // allowed while a script runs for too long
)

var flagNames = [...]string{
	"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking",
	"loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast",
	"no_auth", "may_replicate", "no_mandatory_keys", "no_async_loading",
	"no_multi", "movablekeys", "allow_busy",
}

// Categories are ACL categories.
type Categories uint32

// The categories, in the order in which COMMAND INFO lists them.
const (
	CatKeyspace Categories = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var categoryNames = [...]string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string",
	"bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow",
	"blocking", "dangerous", "connection", "transaction", "scripting",
}

// CategoryNames are the names of all categories, without the "@".
func CategoryNames() []string { return categoryNames[:] }

// CategoryByName finds a category by its name without the "@".
func CategoryByName(name string) (Categories, bool) {
	for i, n := range categoryNames {
		if equalFold([]byte(name), n) {
			return 1 << i, true
		}
	}
	return 0, false
}

// implied returns the categories that follow from the flags.
func (f Flags) implied(c Categories) Categories {
	for _, rule := range [...]struct {
		flag Flags
		cats Categories
	}{
		{Write, CatWrite},
		{Admin, CatAdmin | CatDangerous},
		{PubSub, CatPubSub},
		{Fast, CatFast},
		{Blocking, CatBlocking},
	} {
		if f&rule.flag != 0 {
			c |= rule.cats
		}
	}
	// A read-only script is @scripting, not @read: what it reads is decided by
	// the commands it calls.
	if f&ReadOnly != 0 && c&CatScripting == 0 {
		c |= CatRead
	}
	if c&CatFast == 0 {
		c |= CatSlow
	}
	return c
}

// Spec describes one command or subcommand. The fields are fixed once the table
// holds it.
type Spec struct {
	Name       string // lower case, as clients write it; a subcommand's without its parent's
	Arity      int    // number of arguments with the name; -n means n or more
	Flags      Flags
	Categories Categories // beyond those that the flags imply; complete once in a table

	// Where keys are. KeySpecs is the full description; a command with one
	// ordinary range may give the legacy triple instead (a step of 0 counts as
	// 1), and the table derives one from the other. LastKey may be negative: -1
	// is the last argument. Keys is for commands whose keys no description
	// finds.
	KeySpecs                   []KeySpec
	FirstKey, LastKey, KeyStep int
	Keys                       func(args [][]byte) []KeyRef

	Run func(*Call)
	// Subcommands make the command a container: its own Run serves only calls
	// without a subcommand, and may be nil.
	Subcommands []*Spec

	Doc

	id     int
	parent *Spec
	full   string
	subs   index
}

// Doc is what COMMAND DOCS tells of a command.
type Doc struct {
	Group      string // e.g. "string", "generic", "server"
	Since      string // version of Redis
	Summary    string
	Complexity string
	SysCmd     bool   // of use within the system, not to its users
	Deprecated string // version since which ReplacedBy is preferred
	ReplacedBy string
	History    []Change
	Tips       []string // what a proxy should know, e.g. "nondeterministic_output"
	Args       []Arg
}

// Change is an entry of a command's history.
type Change struct{ Since, What string }

// ID is a number of the command within its table: dense, from 0, subcommands
// included. It serves as an index for what others count per command.
func (s *Spec) ID() int { return s.id }

// FullName is the name, for a subcommand with its parent's: "config|get".
func (s *Spec) FullName() string { return s.full }

// Parent is the container of a subcommand, otherwise nil.
func (s *Spec) Parent() *Spec { return s.parent }

// Has says whether all of the flags are set.
func (s *Spec) Has(f Flags) bool { return s.Flags&f == f }

// ArityOK says whether a command may have so many arguments, its name and its
// subcommand's name included.
func (s *Spec) ArityOK(n int) bool {
	if s.Arity < 0 {
		return n >= -s.Arity
	}
	return n == s.Arity
}
