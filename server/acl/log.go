package acl

// groupMillis is up to when a denial counts as the same as an earlier one, in
// milliseconds since that.
const groupMillis = 60_000

// groupScan is how many entries a new one is compared with.
const groupScan = 10

// Entry is one line of ACL LOG. Times are Unix milliseconds.
type Entry struct {
	ID       int64
	Count    int64
	Reason   Reason
	Context  string // toplevel, multi, lua, module
	Object   string // what was denied: a command, a key, a channel, the command of a failed login
	UserName string
	Client   string // the connection's line of CLIENT LIST, at the last time
	Created  int64
	Updated  int64
}

// Log keeps what was denied lately.
type Log struct {
	entries []*Entry // newest first
	nextID  int64
}

// Add takes a denial at the time now, as one more of an entry that is alike and not
// old, or as an entry of its own. At most limit entries are kept.
func (l *Log) Add(now int64, e Entry, limit int) {
	for i, old := range l.entries[:min(len(l.entries), groupScan)] {
		if old.Reason == e.Reason && old.Context == e.Context && now-old.Updated <= groupMillis &&
			old.Object == e.Object && old.UserName == e.UserName {
			old.Client, old.Updated = e.Client, now
			old.Count++
			copy(l.entries[1:], l.entries[:i])
			l.entries[0] = old
			return
		}
	}
	e.ID, e.Count, e.Created, e.Updated = l.nextID, 1, now, now
	l.nextID++
	l.entries = append([]*Entry{&e}, l.entries...)
	l.Trim(limit)
}

// Trim forgets the oldest entries beyond limit.
func (l *Log) Trim(limit int) {
	if len(l.entries) > max(0, limit) {
		l.entries = l.entries[:max(0, limit):max(0, limit)]
	}
}

// Reset forgets all entries.
func (l *Log) Reset() { l.entries = nil }

// Newest are the newest n entries, fewer when there are not so many.
func (l *Log) Newest(n int) []*Entry { return l.entries[:max(0, min(n, len(l.entries)))] }
