package server

import (
	"bytes"
	"math/bits"
	"time"

	"github.com/lockstep-db/lockstep/server/acl"
)

// stats are the counters of INFO since the start or CONFIG RESETSTAT.
type stats struct {
	connections    int64
	rejected       int64
	commands       int64
	netInput       int64
	netOutput      int64
	protocolErrors int64
	reads          int64
	writes         int64
	turns          int64         // of the loop
	turnTime       time.Duration // that these took, without waiting, as far as one in turnsPerLook tells
	longestTurn    time.Duration
	cronTime       time.Duration // that periodic work took
	mostCommands   int64         // of one turn
	errorReplies   int64
	// unexpectedErrors were replied to a primary or a replica: the data differs.
	unexpectedErrors int64
	blocked          int // connections waiting now
	queryLimitHits   int64
	outputLimits     int64
	denied           [acl.DeniedChannel + 1]int64 // by reason
	evictedClients   int64
	releasedBefore   int // objects that the keyspace had released before these counters began

	timed      bool          // latency-tracking: histograms are kept
	perCommand []commandStat // by Spec.ID
	errors     map[string]int64

	rates [7]rate // per second: commands, input and output bytes, those of replication, turns, their microseconds
}

type commandStat struct {
	calls    int64
	time     time.Duration
	rejected int64
	failed   int64
	hist     *histogram // nil before the first call
}

func (st *stats) init(commands int) {
	st.perCommand = make([]commandStat, commands)
	st.errors = map[string]int64{}
}

func (st *stats) reset() {
	blocked, rates := st.blocked, st.rates
	*st = stats{blocked: blocked, timed: st.timed, perCommand: make([]commandStat, len(st.perCommand)), errors: map[string]int64{}}
	for i := range rates {
		st.rates[i].samples = rates[i].samples
	}
}

func (st *stats) ran(id int, took time.Duration, failed bool) {
	st.commands++
	cs := &st.perCommand[id]
	cs.calls++
	cs.time += took
	if failed {
		cs.failed++
	}
	if !st.timed {
		return
	}
	if cs.hist == nil {
		cs.hist = &histogram{}
	}
	cs.hist.add(took)
}

// turnsPerLook is how many turns of the loop there are for one whose time is taken:
// looking at the clock is a good part of the shortest ones.
const turnsPerLook = 8

// turned counts a turn of the loop that executed so many commands.
func (st *stats) turned(commands int64) {
	st.turns++
	st.mostCommands = max(st.mostCommands, commands)
}

// took counts the time of a turn for all those whose time is not taken.
func (st *stats) took(d time.Duration) {
	st.turnTime += d * turnsPerLook
	st.longestTurn = max(st.longestTurn, d)
}

// commandTime is what all commands took together.
func (st *stats) commandTime() time.Duration {
	sum := time.Duration(0)
	for i := range st.perCommand {
		sum += st.perCommand[i].time
	}
	return sum
}

func (st *stats) rejectedCalls(id int) { st.perCommand[id].rejected++ }

// maxErrorCodes bounds errorstats: a script could invent codes for ever. Those that
// it invents beyond are counted together.
const (
	maxErrorCodes = 128
	otherErrors   = "ERRORSTATS_OVERFLOW"
)

// longestCode is where a code ends at the latest, with the byte before it.
const longestCode = 32

// countError takes the code from an error reply. One that consists of a single word,
// or begins with a long one, has none, and counts as ERR, as in Redis. scripted says
// that the error may be one that a script has made up.
func (st *stats) countError(reply []byte, scripted bool) {
	st.errorReplies++
	if len(reply) < 2 || reply[0] != '-' {
		return
	}
	code := []byte("ERR")
	if end := bytes.IndexByte(reply[:min(len(reply), longestCode)], ' '); end >= 0 {
		code = reply[1:end]
	}
	if _, known := st.errors[string(code)]; !known && scripted && len(st.errors) >= maxErrorCodes {
		code = []byte(otherErrors)
	}
	st.errors[string(code)]++
}

// histogram counts durations in buckets whose width is a quarter of their
// power of two: percentiles are exact to a quarter.
type histogram struct {
	count  int64
	bucket [160]uint32
}

func (h *histogram) add(d time.Duration) {
	h.count++
	h.bucket[bucketOf(d)]++
}

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 4 {
		return int(n)
	}
	log := bits.Len64(n) - 1 // 2 or more
	return min((log-1)*4+int(n>>(log-2)&3), len(histogram{}.bucket)-1)
}

// upper is the largest duration in a bucket.
func upper(bucket int) time.Duration {
	if bucket < 4 {
		return time.Duration(bucket)
	}
	log := bucket/4 + 1
	return time.Duration(uint64(4+bucket%4+1)<<(log-2) - 1)
}

// percentile is the duration that p percent of the samples do not exceed.
func (h *histogram) percentile(p float64) time.Duration {
	want := int64(p / 100 * float64(h.count))
	seen := int64(0)
	for i, n := range h.bucket {
		seen += int64(n)
		if n > 0 && seen >= max(want, 1) {
			return upper(i)
		}
	}
	return 0
}

// rate is an average over the last samples, taken ten times a second.
type rate struct {
	last    int64
	at      time.Duration
	samples [16]float64
	next    int
}

func (r *rate) sample(total int64, now time.Duration) {
	if span := now - r.at; span > 0 && r.at > 0 {
		r.samples[r.next] = float64(max(0, total-r.last)) / span.Seconds()
		r.next = (r.next + 1) % len(r.samples)
	}
	r.last, r.at = total, now
}

func (r *rate) perSecond() float64 {
	sum := 0.0
	for _, v := range r.samples {
		sum += v
	}
	return sum / float64(len(r.samples))
}
