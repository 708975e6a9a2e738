package command

import (
	"math/rand/v2"
	"strconv"
)

// limitsOf are the limits of packed collections in a run. One run in three has the
// defaults; in the others they are so small that most collections cross them.
//
// Redis 7.2 expects the whole command to add new elements, and may unpack a
// collection that 7.0 still packs: so no limit is below what one command draws.
func limitsOf(seed uint64) map[string]int {
	if seed%3 == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, 11))
	return map[string]int{
		"hash-max-listpack-entries": 5 + random.IntN(60),
		"hash-max-listpack-value":   1 + random.IntN(64),
		"zset-max-listpack-entries": 12 + random.IntN(60),
		"zset-max-listpack-value":   10 + random.IntN(54),
		"list-max-listpack-size":    []int{-5, -2, -1, 1, 4, 30}[random.IntN(6)],
		"stream-node-max-entries":   []int{0, 1, 3, 10, 100}[random.IntN(5)],
		"stream-node-max-bytes":     []int{0, 100, 500, 4096}[random.IntN(4)],
	}
}

func (s *subject) limit(directive string, value int) {
	limits := &s.env.Keyspace.Limits
	*map[string]*int{
		"hash-max-listpack-entries": &limits.HashEntries,
		"hash-max-listpack-value":   &limits.HashValue,
		"zset-max-listpack-entries": &limits.SortedSetEntries,
		"zset-max-listpack-value":   &limits.SortedSetValue,
		"list-max-listpack-size":    &limits.ListSize,
		"stream-node-max-entries":   &limits.StreamNodeEntries,
		"stream-node-max-bytes":     &limits.StreamNodeBytes,
	}[directive] = value
}

func (r *redisServer) limit(directive string, value int) {
	r.t.Helper()
	r.must("CONFIG SET " + directive + " " + strconv.Itoa(value))
}
