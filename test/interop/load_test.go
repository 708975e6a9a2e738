package interop

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// templates are commands that change data, by group. A word in braces is drawn anew
// each time; see draw. STOREDIST is not among them: every server computes distances
// for itself, and theirs may differ from ours in the last bit, as the sines do of
// which they are made.
var templates = map[string][]string{
	"strings": {
		"SET {string} {value}", "SET {string} {n} EX {seconds}", "SET {string} {value} KEEPTTL", "SET {string} {value} NX GET",
		"SET {short} {value} PX {ms}", "SETEX {string} {seconds} {n}", "PSETEX {short} {ms} {value}", "GETEX {string} EX {seconds}",
		"GETEX {string} PERSIST", "GETSET {string} {value}", "GETDEL {string}", "APPEND {string} {value}", "SETRANGE {string} {index} {value}",
		"INCR {number}", "DECRBY {number} {n}", "INCRBYFLOAT {number} {float}", "MSET {string} {value} {string} {n}", "MSETNX {string} {n} {number} {n}",
		"SETBIT {bits} {n} 1", "BITOP XOR {bits} {bits} {bits}", "BITFIELD {bits} INCRBY u8 {index} {n} SET i16 #3 -5",
	},
	"hashes": {
		"HSET {hash} {member} {value}", "HSET {hash} {member} {n} {member} {n} {member} {value}", "HSETNX {hash} {member} {n}",
		"HDEL {hash} {member} {member}", "HINCRBY {hash} count {n}", "HINCRBYFLOAT {hash} sum {float}",
	},
	"sets": {
		"SADD {set} {member} {member} {member}", "SADD {set} {n} {n}", "SREM {set} {member} {n}", "SPOP {set}", "SPOP {set} 2",
		"SMOVE {set} {set} {member}", "SINTERSTORE {any} {set} {set}", "SUNIONSTORE {set} {set} {set}", "SDIFFSTORE {any} {set} {set}",
	},
	"sorted sets": {
		"ZADD {zset} {float} {member} {n} {member}", "ZADD {zset} GT CH {n} {member}", "ZADD {zset} INCR {float} {member}", "ZADD {zset} -inf {member}",
		"ZINCRBY {zset} {float} {member}", "ZREM {zset} {member}", "ZPOPMIN {zset}", "ZPOPMAX {zset} 2", "BZPOPMIN {zset} 0.01", "ZMPOP 2 {zset} {zset} MIN COUNT 2",
		"ZREMRANGEBYRANK {zset} 0 1", "ZREMRANGEBYSCORE {zset} 1 20", "ZRANGESTORE {any} {zset} 0 10", "ZUNIONSTORE {zset} 2 {zset} {set} WEIGHTS 2 3",
		"ZINTERSTORE {any} 2 {zset} {zset} AGGREGATE MAX", "ZDIFFSTORE {any} 2 {zset} {zset}",
		"GEOADD {geo} {float} {float} {member}", "GEOSEARCHSTORE {any} {geo} FROMLONLAT 10 10 BYRADIUS 2000 km",
	},
	"lists": {
		"LPUSH {list} {value} {n}", "RPUSH {list} {member} {n} {value}", "RPUSHX {list} {n}", "LPOP {list}", "RPOP {list} 3", "LMOVE {list} {list} LEFT RIGHT",
		"BLMOVE {list} {list} RIGHT LEFT 0.01", "BLPOP {list} {list} 0.01", "BLMPOP 0.01 2 {list} {list} LEFT COUNT 3", "LSET {list} 0 {n}", "LINSERT {list} BEFORE {n} {value}",
		"LREM {list} 1 {n}", "LTRIM {list} 0 3000", "SORT {list} ALPHA STORE {any}",
	},
	"streams": {
		"XADD {stream} * job {n} text {value}", "XADD {stream} * job {n}", "XADD {stream} MAXLEN ~ 1000 * {member} {value}", "XTRIM {stream} MAXLEN ~ 800", "XTRIM {stream} MAXLEN 900",
		"XGROUP CREATE {stream} {group} 0 MKSTREAM", "XGROUP CREATECONSUMER {stream} {group} {consumer}", "XGROUP SETID {stream} {group} 0",
		"XGROUP DELCONSUMER {stream} {group} {consumer}", "XGROUP DESTROY {stream} {group}",
		"XREADGROUP GROUP {group} {consumer} COUNT 5 STREAMS {stream} >", "XREADGROUP GROUP {group} {consumer} COUNT 5 NOACK STREAMS {stream} >",
		"XREADGROUP GROUP {group} {consumer} BLOCK 10 STREAMS {stream} {stream} > >", "XAUTOCLAIM {stream} {group} {consumer} 0 0 COUNT 3",
		"EVAL {acknowledge} 1 {stream} {group}", "EVAL {delete} 1 {stream}", "XADD {stream} NOMKSTREAM * again {n}",
	},
	"sketches": {
		"PFADD {hll} {member} {member}", "PFADD {hll} {n} {n} {n}", "PFCOUNT {hll}", "PFMERGE {hll} {hll} {hll}",
	},
	"scripts": {
		"EVAL {move} 2 {list} {list}", "EVAL {count} 1 {hash} {index}", "EVAL {restore} 2 {any} {any}", "EVAL {random} 2 {set} {zset}",
		"EVAL {encode} 1 {string} {value} {n}", "EVAL {fail} 1 {string}", "EVAL {expire} 1 {any}", "EVAL {databases} 1 {string}", "EVAL {acknowledge} 1 {stream} {group}",
		"FCALL grow 1 {hash} {n}", "FCALL shuffle 2 {list} {set} {index}", "FUNCTION LOAD REPLACE {library}", "FUNCTION LOAD REPLACE {other}", "FUNCTION DELETE other",
		"SCRIPT LOAD {move}", "EVAL_RO {read} 1 {any}",
	},
	"keys": {
		"DEL {any} {any}", "UNLINK {any}", "RENAME {any} {any}", "RENAMENX {any} {any}", "COPY {any} {any} REPLACE", "COPY {hash} {any} DB 2 REPLACE", "MOVE {any} 1", "SWAPDB 1 2",
		"EXPIRE {any} {seconds}", "PEXPIRE {any} 5000000 GT", "EXPIREAT {any} 1", "PERSIST {any}", "PUBLISH news {value}", "SPUBLISH news {value}", "TOUCH {any}",
	},
}

// bodies are of scripts, by the word that stands for them.
var bodies = map[string]string{
	"{move}":    `local v = redis.call('LPOP', KEYS[1]) if v then redis.call('RPUSH', KEYS[2], v) end return v`,
	"{count}":   `for i = 1, tonumber(ARGV[1]) % 30 do redis.call('HINCRBY', KEYS[1], 'f' .. i, i) end return redis.call('HLEN', KEYS[1])`,
	"{restore}": `local p = redis.call('DUMP', KEYS[1]) if p then redis.call('RESTORE', KEYS[2], 0, p, 'REPLACE') end return 1`,
	"{random}": `for i = 1, 5 do redis.call('SADD', KEYS[1], math.random(1000)) end redis.call('SPOP', KEYS[1])
		redis.call('ZADD', KEYS[2], math.random(), redis.call('SRANDMEMBER', KEYS[1]) or 'none') return redis.call('TIME')`,
	"{encode}": `redis.call('SET', KEYS[1], cjson.encode({v = ARGV[1], n = tonumber(ARGV[2])}) .. cmsgpack.pack(ARGV) .. struct.pack('>I4', ARGV[2])) return 1`,
	"{fail}":   `redis.call('SET', KEYS[1], 'half done') redis.pcall('LPUSH', KEYS[1], 'x') return redis.error_reply('ERR gave up')`,
	"{expire}": `return redis.call('EXPIRE', KEYS[1], 4000 + math.random(1000))`,
	"{read}":   `return redis.call('TYPE', KEYS[1])`,
	"{library}": "#!lua name=work\nredis.register_function('grow', function(k, a) return redis.call('HSET', k[1], 'grown' .. a[1], a[1], 'by', %[1]d) end)\n" +
		"redis.register_function('shuffle', function(k, a) redis.call('RPUSH', k[1], unpack(redis.call('SRANDMEMBER', k[2], 3))) return redis.call('LTRIM', k[1], 0, 3000) end)",
	"{other}":     "#!lua name=other\nredis.register_function{function_name='idle', callback=function() return %[1]d end, flags={'no-writes'}}",
	"{databases}": `redis.call('SELECT', 3) redis.call('INCR', KEYS[1] .. ':counter') redis.call('SELECT', 0) return redis.call('INCR', 'number:1')`,
	"{acknowledge}": `for i, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 4)) do
		if i % 2 == 0 then redis.call('XACK', KEYS[1], ARGV[1], p[1]) else redis.call('XCLAIM', KEYS[1], ARGV[1], 'rescuer', 0, p[1], 'RETRYCOUNT', i) end end return 1`,
	"{delete}": `for i, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 5)) do if i % 2 == 0 then redis.call('XDEL', KEYS[1], e[1]) end end return 1`,
}

const (
	names = 10 // keys of each kind
	large = 2  // of them, the first that nothing deletes
)

var kinds = []string{"string", "number", "bits", "hash", "set", "zset", "geo", "list", "stream", "hll"}

// draw returns what stands for a word.
func draw(r *rand.Rand, word string) any {
	if !strings.HasPrefix(word, "{") {
		return word
	}
	if body, ok := bodies[word]; ok {
		if strings.Contains(body, "%[1]d") {
			return fmt.Sprintf(body, r.IntN(1000))
		}
		return body
	}
	switch kind := strings.Trim(word, "{}"); kind {
	case "any": // of any kind, but none of the large ones
		return kinds[r.IntN(len(kinds))] + ":" + strconv.Itoa(large+r.IntN(names-large))
	case "value":
		return strings.Repeat("v", r.IntN(20)*r.IntN(20)) + strconv.Itoa(r.IntN(1000))
	case "member":
		return "member" + strconv.Itoa(r.IntN(300))
	case "n":
		return r.IntN(2000)
	case "index":
		return r.IntN(60)
	case "float":
		return strconv.FormatFloat(r.Float64()*80, 'g', 12, 64)
	case "seconds":
		return 3600 + r.IntN(1000)
	case "ms":
		return 1 + r.IntN(50)
	case "group", "consumer":
		return kind + ":" + strconv.Itoa(r.IntN(3))
	default:
		return kind + ":" + strconv.Itoa(r.IntN(names))
	}
}

// load is clients at work with the templates of some groups.
type load struct {
	*workers
	groups []string

	mu       sync.Mutex
	accepted map[string]int // how often a template was not answered with an error
	refusal  map[string]error
}

// startLoad lets one client work with each of the groups; a group may be named more
// than once.
func startLoad(t *testing.T, n *node, groups ...string) *load {
	t.Helper()
	n.do("FUNCTION", "LOAD", "REPLACE", draw(rand.New(rand.NewPCG(1, 1)), "{library}"))
	l := &load{groups: groups, accepted: map[string]int{}, refusal: map[string]error{}}
	var jobs []job
	for _, g := range groups {
		jobs = append(jobs, func(ctx context.Context, c *redis.Client, r *rand.Rand) error { return l.work(ctx, c, r, templates[g]) })
	}
	l.workers = employ(n, jobs...)
	return l
}

// work sends some commands at once, now and then as a transaction. That some are
// refused is part of it: keys are of other types, groups are not there.
func (l *load) work(ctx context.Context, c *redis.Client, r *rand.Rand, from []string) error {
	pipe := c.Pipeline()
	if r.IntN(4) == 0 {
		pipe = c.TxPipeline()
	}
	var drawn []string
	for range 1 + r.IntN(20) {
		template := from[r.IntN(len(from))]
		var args []any
		for _, word := range strings.Fields(template) {
			args = append(args, draw(r, word))
		}
		pipe.Do(ctx, args...)
		drawn = append(drawn, template)
	}
	cmds, err := pipe.Exec(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	answered := 0
	for i, template := range drawn {
		err := cmds[i].Err()
		if _, ok := err.(redis.Error); ok || err == nil {
			answered++
		}
		if err == nil || err == redis.Nil || strings.Contains(err.Error(), "gave up") {
			l.accepted[template]++
		} else {
			l.refusal[template] = err
		}
	}
	if answered < len(drawn) {
		return err
	}
	return nil
}

// untilAllAccepted waits until every template was accepted once: one that never is tests
// nothing. Clients do not get on equally well where there is little to run on.
func (l *load) untilAllAccepted(n *node) {
	n.t.Helper()
	n.until("all templates to be accepted", func() (bool, string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, g := range l.groups {
			for _, template := range templates[g] {
				if l.accepted[template] == 0 {
					return false, fmt.Sprintf("%s is answered with %v", template, l.refusal[template])
				}
			}
		}
		return true, ""
	})
}

// fillTypes writes large collections of every type, and small ones of every encoding.
func fillTypes(t *testing.T, n *node) {
	t.Helper()
	ctx := context.Background()
	pipe := n.client.Pipeline()
	for i := range 3000 {
		long := strings.Repeat(strconv.Itoa(i), 1+i%40)
		pipe.Do(ctx, "HSET", "hash:0", "member"+strconv.Itoa(i), long)
		pipe.Do(ctx, "SADD", "set:0", long)
		pipe.Do(ctx, "SADD", "set:1", i*i*i) // an intset, of growing width
		pipe.Do(ctx, "ZADD", "zset:0", float64(i)/7, long)
		pipe.Do(ctx, "RPUSH", "list:0", i, long)
		pipe.Do(ctx, "XADD", "stream:0", "*", "job", i, "text", long)
		pipe.Do(ctx, "PFADD", "hll:0", long) // becomes dense
		pipe.Do(ctx, "GEOADD", "geo:0", float64(i%180)+0.5, float64(i%85), long)
		pipe.Do(ctx, "SETBIT", "bits:0", i*i%100000, 1)
	}
	pipe.Do(ctx, "SET", "string:0", strings.Repeat("large", 100000))
	pipe.Do(ctx, "HSET", "hash:1", "a", 1, "b", strings.Repeat("b", 63), "c", -70000)
	pipe.Do(ctx, "ZADD", "zset:1", 1, "a", "2.5", "b", "inf", "c")
	pipe.Do(ctx, "RPUSH", "list:1", "a", 1, strings.Repeat("large", 5000))
	pipe.Do(ctx, "PFADD", "hll:1", "a", "b")
	for g := range 3 {
		pipe.Do(ctx, "XGROUP", "CREATE", "stream:0", groupName(g), "0")
		pipe.Do(ctx, "XREADGROUP", "GROUP", groupName(g), "consumer:0", "COUNT", 700, "STREAMS", "stream:0", ">")
		pipe.Do(ctx, "XGROUP", "CREATE", "stream:1", groupName(g), "$", "MKSTREAM") // stays empty at first
	}
	pipe.Do(ctx, "EXPIRE", "hash:0", 5000)
	pipe.Do(ctx, "FUNCTION", "LOAD", "REPLACE", draw(rand.New(rand.NewPCG(2, 2)), "{other}"))
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatalf("fill %s: %v", n.kind, err)
	}
}

// settle waits until keys of a short life are gone: their end is in the stream.
func settle(n *node) {
	n.t.Helper()
	n.until("the end of keys with a short life", func() (bool, string) {
		left := int64(0)
		for i := range names {
			left += n.do("EXISTS", "short:"+strconv.Itoa(i)).(int64)
		}
		return left == 0, fmt.Sprint(left, " are left")
	})
}

// assertSameData compares two servers at one offset, whatever the types: the digests
// of all data, then of each key with its expiry time, groups of streams, and functions.
func assertSameData(t *testing.T, a, b *node) {
	t.Helper()
	total := 0
	for db := range databases {
		x, y := valuesOf(t, a, db), valuesOf(t, b, db)
		total += len(x)
		keys := maps.Clone(x)
		maps.Copy(keys, y)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if x[k] != y[k] {
				t.Errorf("db %d: %q is %q on %s, but %q on %s", db, k, x[k], a.kind, y[k], b.kind)
			}
		}
	}
	if x, y := a.do("DEBUG", "DIGEST"), b.do("DEBUG", "DIGEST"); x != y {
		t.Errorf("the digest of all data is %v on %s, but %v on %s", x, a.kind, y, b.kind)
	}
	if x, y := librariesOf(t, a), librariesOf(t, b); !slices.Equal(x, y) {
		t.Errorf("functions are %q on %s, but %q on %s", x, a.kind, y, b.kind)
	}
	if total < len(kinds) {
		t.Errorf("there are %d keys: nothing was tested", total)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// valuesOf describes every key of a database.
func valuesOf(t *testing.T, n *node, db int) map[string]string {
	t.Helper()
	ctx := context.Background()
	c := dial(n, db)
	defer c.Close()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatalf("KEYS on %s: %v", n.kind, err)
	}
	all := map[string]string{}
	for _, k := range keys {
		kind := c.Type(ctx, k).Val()
		digest, err := c.Do(ctx, "DEBUG", "DIGEST-VALUE", k).StringSlice()
		if err != nil {
			t.Fatalf("DEBUG DIGEST-VALUE %s on %s: %v", k, n.kind, err)
		}
		all[k] = fmt.Sprintf("%s %s until %v", kind, digest, c.Do(ctx, "PEXPIRETIME", k).Val())
		if kind == "stream" {
			all[k] += groupsOf(t, c, k)
		}
	}
	return all
}

func groupsOf(t *testing.T, c *redis.Client, stream string) string {
	t.Helper()
	ctx := context.Background()
	infos, err := c.XInfoGroups(ctx, stream).Result()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, info := range infos {
		fmt.Fprintf(&b, "\n%s up to %s:", info.Name, info.LastDeliveredID)
		pending, err := c.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: stream, Group: info.Name, Start: "-", End: "+", Count: 1 << 20}).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pending {
			fmt.Fprintf(&b, " %s at %s, %d times", p.ID, p.Consumer, p.RetryCount)
		}
	}
	return b.String()
}

func librariesOf(t *testing.T, n *node) []string {
	t.Helper()
	libraries, err := n.client.FunctionList(context.Background(), redis.FunctionListQuery{WithCode: true}).Result()
	if err != nil {
		t.Fatalf("FUNCTION LIST on %s: %v", n.kind, err)
	}
	var codes []string
	for _, l := range libraries {
		codes = append(codes, l.Code)
	}
	slices.Sort(codes)
	return codes
}

// Servers of both kinds in a row hold the same data, whatever is written at the top,
// however they come to it: by a first snapshot while writes go on, by the rest of the
// stream after a cut or a restart, by another snapshot when the rest is not there any
// more.
func TestEveryTypeTravelsThroughAChain(t *testing.T) {
	every := slices.Sorted(maps.Keys(templates))
	mixed := [][3]string{{real, lockstep, real}, {lockstep, real, lockstep}}
	for _, row := range []struct {
		name   string
		groups []string
		chains [][3]string
	}{
		{"all commands", every, append(mixed, [3]string{lockstep, lockstep, lockstep})},
		{"scripts", []string{"scripts", "scripts", "scripts", "keys"}, mixed},
		{"streams", []string{"streams", "streams", "streams", "streams"}, mixed},
	} {
		for _, kinds := range row.chains {
			t.Run(row.name+" from "+strings.Join(kinds[:], " by "), func(t *testing.T) {
				t.Parallel()
				top := start(t, kinds[0], "--repl-backlog-size", "64mb")
				middle := start(t, kinds[1], "--repl-backlog-size", "64mb")
				bottom := start(t, kinds[2])
				upper, lower := newProxy(t, top), newProxy(t, middle)
				fillTypes(t, top)
				l := startLoad(t, top, row.groups...)
				more := func() {
					t.Helper()
					n := l.count()
					top.until("work to be done", func() (bool, string) { return t.Failed() || l.count() > n+300, fmt.Sprint(l.count()) })
				}
				more()
				middle.follow(upper.port())
				bottom.follow(lower.port())
				more()
				for _, cut := range []struct {
					link         *proxy
					above, below *node
				}{{upper, top, middle}, {lower, middle, bottom}} {
					before := cut.above.counters()
					cut.link.cut()
					cut.below.untilField("master_link_status", "down")
					more()
					cut.link.heal()
					cut.below.untilField("master_link_status", "up")
					cut.above.assertSyncs(before, 0, 1)
				}
				before := middle.counters()
				bottom.shutdown()
				more()
				bottom.launch("--replicaof", "127.0.0.1 "+strconv.Itoa(lower.port()))
				bottom.untilField("master_link_status", "up")
				middle.assertSyncs(before, 0, 1)
				compare := func() {
					t.Helper()
					settle(top)
					middle.caughtUp(top)
					bottom.caughtUp(middle)
					assertSameData(t, top, middle)
					assertSameData(t, top, bottom)
				}
				l.untilAllAccepted(top)
				l.halt()
				compare()

				top.do("CONFIG", "SET", "repl-backlog-size", "16kb")
				before = top.counters()
				upper.cut()
				middle.untilField("master_link_status", "down")
				l = startLoad(t, top, row.groups...)
				more()
				upper.heal()
				middle.untilField("master_link_status", "up")
				l.halt()
				top.assertSyncs(before, 1, 0)
				bottom.untilField("master_link_status", "up")
				compare()
			})
		}
	}
}
