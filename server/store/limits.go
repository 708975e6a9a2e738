package store

// Limits say up to where collections are packed, under Redis' names and with its
// defaults (hash-max-listpack-entries and so on). Entries are numbers of
// elements, values are bytes.
type Limits struct {
	HashEntries, HashValue             int
	ListSize                           int // elements when positive; -1 to -5: 4 KiB to 64 KiB a node
	ListCompressDepth                  int // kept for CONFIG GET: nodes are not compressed
	SetIntsetEntries                   int
	SetEntries, SetValue               int
	SortedSetEntries, SortedSetValue   int
	StreamNodeBytes, StreamNodeEntries int // 0: no limit
	HLLSparseBytes                     int
}

// DefaultLimits are those of Redis 7.2.
func DefaultLimits() Limits {
	return Limits{
		HashEntries: 512, HashValue: 64,
		ListSize:         -2,
		SetIntsetEntries: 512, SetEntries: 128, SetValue: 64,
		SortedSetEntries: 128, SortedSetValue: 64,
		StreamNodeBytes: 4096, StreamNodeEntries: 100,
		HLLSparseBytes: 3000,
	}
}

// Limits are those of the keyspace that the database belongs to.
func (db *DB) Limits() Limits { return db.ks.Limits }
