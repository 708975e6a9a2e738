package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/servertest"
)

// Data of every type travels between the real redis-server and this one, in files
// and in payloads, and both call it the same by its digest.

// dataOfAllTypes is commands that make values of every type in every encoding.
func dataOfAllTypes() [][]string {
	random := rand.New(rand.NewPCG(7, 7))
	text := func() string {
		switch random.IntN(6) {
		case 0:
			return strconv.Itoa(random.IntN(300) - 150)
		case 1:
			return strconv.FormatInt(int64(random.Uint64())>>random.IntN(60), 10)
		case 2:
			return strings.Repeat("compressible ", 1+random.IntN(8))
		case 3:
			return fmt.Sprintf("\x00\xff%d\r\n", random.Uint32())
		}
		return fmt.Sprintf("text:%d", random.IntN(1e6))
	}
	var all [][]string
	for _, n := range []int{1, 5, 100, 2000} {
		list, set, ints := []string{"RPUSH", fmt.Sprintf("list:%d", n)}, []string{"SADD", fmt.Sprintf("set:%d", n)}, []string{"SADD", fmt.Sprintf("ints:%d", n)}
		hash, sorted := []string{"HSET", fmt.Sprintf("hash:%d", n)}, []string{"ZADD", fmt.Sprintf("zset:%d", n)}
		for i := range n {
			list = append(list, text())
			set = append(set, text())
			ints = append(ints, strconv.Itoa(random.IntN(1<<(1+random.IntN(40)))))
			hash = append(hash, fmt.Sprintf("%s/%d", text(), i), text())
			score := []string{strconv.Itoa(random.IntN(100)), "3.5", "-inf", "+inf", "1e300", "0.1", "12345678901234567"}[random.IntN(7)]
			sorted = append(sorted, score, fmt.Sprintf("%s/%d", text(), i))
		}
		all = append(all, list, set, ints, hash, sorted)
	}
	large := strings.Repeat("large", 40_000)
	all = append(all,
		[]string{"RPUSH", "list:large", "a", large, "b", large + "2", "c"},
		[]string{"HSET", "hash:large", "field", large, large, "value"},
		[]string{"SADD", "set:large", large, "small"},
		[]string{"ZADD", "zset:large", "1", large, "2", "small"},
		[]string{"SET", "string:large", large},
		[]string{"SET", "string", "text"}, []string{"SET", "int", "-70000"}, []string{"SET", "int64", "1234567890123"},
		[]string{"PFADD", "hll", "a", "b", "c"},
		[]string{"XADD", "stream", "1-1", "f", "v"}, []string{"XADD", "stream", "2-1", "f", large}, []string{"XGROUP", "CREATE", "stream", "g", "0"},
		[]string{"XREADGROUP", "GROUP", "g", "consumer", "COUNT", "1", "STREAMS", "stream", ">"},
		[]string{"EXPIRE", "hash:5", "100000"}, []string{"EXPIRE", "list:2000", "100000"}, []string{"EXPIRE", "zset:100", "100000"},
		[]string{"SELECT", "9"}, []string{"HSET", "elsewhere", "f", "v"}, []string{"SELECT", "0"},
	)
	return all
}

func fillWithAllTypes(c *servertest.Client) {
	commands := dataOfAllTypes()
	for _, args := range commands {
		c.Send(args...)
	}
	for range commands {
		c.Receive()
	}
}

func startRedisFor(t *testing.T, dir string, directives ...string) *servertest.Client {
	t.Helper()
	i := servertest.StartRedis(t, append([]string{"--dir", dir, "--enable-debug-command", "yes"}, directives...)...)
	return i.Client(t)
}

func startOursFor(t *testing.T, dir string, directives ...string) *servertest.Client {
	t.Helper()
	i := servertest.Start(t, append([]string{"--dir", dir, "--enable-debug-command", "yes"}, directives...)...)
	return i.Client(t)
}

// sameData fails the test unless both servers have the same data; it names the keys
// that differ.
func sameData(t *testing.T, ours, redis *servertest.Client) {
	t.Helper()
	if ours.Text("DEBUG", "DIGEST") == redis.Text("DEBUG", "DIGEST") {
		return
	}
	t.Errorf("digests differ: %d keys here, %d in Redis", ours.Do("DBSIZE"), redis.Do("DBSIZE"))
	keys, _ := redis.Do("KEYS", "*").([]any)
	for _, key := range keys {
		our, their := fmt.Sprint(ours.Do("DEBUG", "DIGEST-VALUE", key.(string))), fmt.Sprint(redis.Do("DEBUG", "DIGEST-VALUE", key.(string)))
		if our != their {
			t.Errorf("%s (%v) is %s here and %s in Redis", key, redis.Do("OBJECT", "ENCODING", key.(string)), our, their)
		}
	}
}

func TestFilesOfRedisWithEveryTypeAreLoaded(t *testing.T) {
	for _, compression := range []string{"yes", "no"} {
		t.Run("compression "+compression, func(t *testing.T) {
			dir := t.TempDir()
			redis := startRedisFor(t, dir, "--rdbcompression", compression)
			fillWithAllTypes(redis)
			redis.Must("OK", "SAVE")
			ours := startOursFor(t, dir)
			sameData(t, ours, redis)
			for _, key := range []string{"ints:5", "ints:2000", "hash:1", "hash:5", "hash:2000", "zset:5", "zset:2000", "list:2000", "set:2000", "int64"} {
				ours.Must(redis.Text("OBJECT", "ENCODING", key), "OBJECT", "ENCODING", key)
			}
		})
	}
}

// TestRedisLoadsFilesWithEveryType fills this server by payloads of the real one,
// compares the payloads that it gives back, and has the real one load its file.
func TestRedisLoadsFilesWithEveryType(t *testing.T) {
	source := startRedisFor(t, t.TempDir())
	fillWithAllTypes(source)
	for _, compression := range []string{"yes", "no"} {
		t.Run("compression "+compression, func(t *testing.T) {
			dir := t.TempDir()
			ours := startOursFor(t, dir, "--rdbcompression", compression)
			back := startRedisFor(t, t.TempDir())
			for _, db := range []string{"0", "9"} {
				for _, c := range []*servertest.Client{source, ours, back} {
					c.Must("OK", "SELECT", db)
				}
				for _, key := range source.Do("KEYS", "*").([]any) {
					ttl := strconv.FormatInt(max(source.Do("PEXPIRETIME", key.(string)).(int64), 0), 10)
					ours.Must("OK", "RESTORE", key.(string), ttl, source.Text("DUMP", key.(string)), "ABSTTL")
					back.Must("OK", "RESTORE", key.(string), ttl, ours.Text("DUMP", key.(string)), "ABSTTL")
				}
			}
			sameData(t, ours, source)
			sameData(t, ours, back)
			ours.Must("OK", "SAVE")
			path := filepath.Join(dir, "dump.rdb")
			if checker, err := exec.LookPath("redis-check-rdb"); err == nil {
				if out, err := exec.Command(checker, path).CombinedOutput(); err != nil || !strings.Contains(string(out), "looks OK") {
					t.Errorf("redis-check-rdb: %v\n%s", err, out)
				}
			}
			sameData(t, ours, startRedisFor(t, dir))
			ours.Must("OK", "DEBUG", "RELOAD")
			sameData(t, ours, source)
		})
	}
}

// TestFilesOfOldServersAreLoaded has values in the encodings of Redis 2.6 to 6.2,
// which no server at hand writes any more; the real one loads them, too.
func TestFilesOfOldServersAreLoaded(t *testing.T) {
	dir := t.TempDir()
	file := []byte("REDIS0006\xfe\x00")
	entry := func(wireType byte, key string, body ...string) {
		file = append(append(file, wireType, byte(len(key))), key...)
		file = append(file, strings.Join(body, "")...)
	}
	str := func(s string) string {
		if len(s) < 64 {
			return string([]byte{byte(len(s))}) + s
		}
		return string([]byte{0x40 | byte(len(s)>>8), byte(len(s))}) + s
	}
	long := strings.Repeat("x", 300)
	entry(1, "list", "\x03", str("a"), "\xc0\x05", str(long))
	entry(2, "set", "\x02", str("a"), "\xc1\xe8\x03")
	entry(3, "zset text", "\x04", str("a"), "\x033.5", str("b"), "\xff", str("c"), "\xfe", str("d"), "\x0512345")
	entry(4, "hash", "\x02", str("f"), str("v"), str("g"), "\xc2\xff\xff\xff\x7f")
	entry(5, "zset binary", "\x01", str("m"), "\x00\x00\x00\x00\x00\x00\xf8\x3f")
	entry(9, "zipmap", str("\x02\x03foo\x03\x00bar\x01f\x02\x03hi...\xff"))
	entry(9, "zipmap long", str("\x01\x03foo\xfe\x2c\x01\x00\x00\x00"+long+"\xff"))
	entry(11, "intset", str("\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x05\x00"))
	numbers := []string{"0", "12", "13", "-1", "100", "-128", "1000", "-30000", "70000", "-8388608", "8388607", "100000000", "10000000000", "text", "", long}
	entry(10, "list ziplist", str(ziplist(numbers...)))
	entry(12, "zset ziplist", str(ziplist("low", "-5", "mid", "2.25", "high", "10000000000")))
	entry(13, "hash ziplist", str(ziplist("f", "1", "g", "text", "17", long)))
	entry(14, "quicklist", "\x02", str(ziplist("a", "1")), str(ziplist(long, "z")))
	file = rdb.AppendEOF(file, rdb.Checksum(0, file))
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	ours, redis := startOursFor(t, dir), startRedisFor(t, dir)
	if n := redis.Do("DBSIZE"); n != int64(12) {
		t.Fatalf("Redis has %v keys", n)
	}
	sameData(t, ours, redis)
}

// ziplist packs elements as Redis did before version 7.
func ziplist(elements ...string) string {
	p := make([]byte, 10)
	before, last := 0, 10
	for _, e := range elements {
		last = len(p)
		if before < 254 {
			p = append(p, byte(before))
		} else {
			p = append(p, 254, byte(before), byte(before>>8), byte(before>>16), byte(before>>24))
		}
		p = append(p, ziplistBody(e)...)
		before = len(p) - last
	}
	p = append(p, 255)
	for i := range 4 {
		p[i], p[4+i] = byte(len(p)>>(8*i)), byte(last>>(8*i))
	}
	p[8], p[9] = byte(len(elements)), byte(len(elements)>>8)
	return string(p)
}

func ziplistBody(e string) []byte {
	n, err := strconv.ParseInt(e, 10, 64)
	little := func(kind byte, width int) []byte {
		p := []byte{kind}
		for i := range width {
			p = append(p, byte(n>>(8*i)))
		}
		return p
	}
	switch {
	case err != nil && len(e) < 64:
		return append([]byte{byte(len(e))}, e...)
	case err != nil:
		return append([]byte{0x40 | byte(len(e)>>8), byte(len(e))}, e...)
	case n >= 0 && n <= 12:
		return []byte{0xf1 + byte(n)}
	case n == int64(int8(n)):
		return little(0xfe, 1)
	case n == int64(int16(n)):
		return little(0xc0, 2)
	case n >= -1<<23 && n < 1<<23:
		return little(0xf0, 3)
	case n == int64(int32(n)):
		return little(0xd0, 4)
	}
	return little(0xe0, 8)
}

// TestReloadOfABadFileKeepsTheData: the file is checked before the data gives way.
func TestReloadOfABadFileKeepsTheData(t *testing.T) {
	dir := t.TempDir()
	c := startOursFor(t, dir)
	c.Must("OK", "SET", "kept", "v")
	good := append(rdb.AppendSelectDB(rdb.AppendHeader(nil), 0, 1, 0), "\x04\x01h\x01\x01f\x01v"...)
	good = rdb.AppendEOF(good, rdb.Checksum(0, good))
	for name, file := range map[string][]byte{
		"cut in a value":       good[:len(good)-11],
		"a wrong checksum":     append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1),
		"a damaged collection": append(rdb.AppendHeader(nil), "\x10\x01h\x08\x08\x00\x00\x00\x01\x00\x01\xff"...),
	} {
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		if reply := fmt.Sprint(c.Do("DEBUG", "RELOAD", "NOSAVE")); !strings.Contains(reply, "Error trying to load the RDB dump") {
			t.Errorf("%s: %s", name, reply)
		}
		c.Must("v", "GET", "kept")
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Must("OK", "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")
	c.Must("v", "GET", "kept")
	c.Must("v", "HGET", "h", "f")
	c.Must("1", "HSET", "h", "g", "w")
	c.Must("OK", "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")
	c.Must("1", "HLEN", "h")
	c.Must("OK", "DEBUG", "RELOAD", "NOSAVE")
	c.Must("1", "DBSIZE")
}

// TestUseOfKeysIsSaved: what eviction goes by survives a restart.
func TestUseOfKeysIsSaved(t *testing.T) {
	for _, row := range []struct{ policy, ask, want string }{
		{"allkeys-lru", "IDLETIME", "1000"},
		{"allkeys-lfu", "FREQ", "200"},
	} {
		dir := t.TempDir()
		redis := startRedisFor(t, dir, "--maxmemory-policy", row.policy, "--lfu-decay-time", "0")
		redis.Must("OK", "SET", "k", "v")
		payload := redis.Text("DUMP", "k")
		redis.Must("OK", "RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "1000")
		if row.ask == "FREQ" {
			redis.Must("OK", "RESTORE", "k", "0", payload, "REPLACE", "FREQ", "200")
		}
		redis.Must("OK", "SAVE")
		ours := startOursFor(t, dir, "--maxmemory-policy", row.policy, "--lfu-decay-time", "0")
		for _, c := range []*servertest.Client{ours, startRedisAfterSave(t, ours, dir, row.policy)} {
			got, err := strconv.Atoi(c.Text("OBJECT", row.ask, "k"))
			if want, _ := strconv.Atoi(row.want); err != nil || got < want || got > want+30 {
				t.Errorf("%s is %d, want %s", row.ask, got, row.want)
			}
		}
	}
}

func startRedisAfterSave(t *testing.T, ours *servertest.Client, dir, policy string) *servertest.Client {
	t.Helper()
	ours.Must("OK", "SAVE")
	return startRedisFor(t, dir, "--maxmemory-policy", policy, "--lfu-decay-time", "0")
}

func TestFunctionLibrariesTravelInFiles(t *testing.T) {
	dir := t.TempDir()
	redis := startRedisFor(t, dir)
	code := "#!lua name=mylib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
	redis.Must("mylib", "FUNCTION", "LOAD", code)
	redis.Must("OK", "SAVE")
	ours := startOursFor(t, dir)
	ours.Must("14", "FCALL", "twice", "0", "7")
	ours.Must("OK", "SAVE")
	ours.Must("OK", "DEBUG", "RELOAD")
	ours.Must("14", "FCALL", "twice", "0", "7")
	startRedisFor(t, dir).Must("14", "FCALL", "twice", "0", "7")
}
