package interop

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// pairs are the directions: who feeds whom.
var pairs = []struct{ primary, replica string }{
	{lockstep, real},
	{real, lockstep},
	{lockstep, lockstep},
}

func eachPair(t *testing.T, test func(t *testing.T, primary, replica string)) {
	for _, p := range pairs {
		t.Run(p.primary+" feeds "+p.replica, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			test(t, p.primary, p.replica)
		})
	}
}

// A replica takes its first snapshot while the primary is being written to.
func TestFullSyncWhileWriting(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			eachPair(t, func(t *testing.T, p, r string) {
				primary := start(t, p, "--repl-diskless-sync", diskless)
				replica := start(t, r)
				fill(t, primary, 50000, 40)
				w := write(t, primary)
				before := primary.counters()
				replica.follow(primary.port)
				n := w.count()
				primary.until("writes after the sync", func() (bool, string) { return w.count() > n+2000, fmt.Sprint(w.count()) })
				w.halt()
				replica.caughtUp(primary)
				primary.assertSyncs(before, 1, 0)
				assertSame(t, primary, replica)
			})
		})
	}
}

// The link is cut while writes go on; the replica continues from what it has.
func TestCutLinkIsPartial(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "64mb")
		replica := start(t, r)
		link := newProxy(t, primary)
		replica.follow(link.port())
		w := write(t, primary)
		before := primary.counters()
		for range 3 {
			link.cut()
			replica.untilField("master_link_status", "down")
			n := w.count()
			primary.until("writes while the link is cut", func() (bool, string) { return w.count() > n+1000, fmt.Sprint(w.count()) })
			link.heal()
			replica.untilField("master_link_status", "up")
		}
		w.halt()
		replica.caughtUp(primary)
		primary.assertSyncs(before, 0, 3)
		assertSame(t, primary, replica)
	})
}

// The replica stays away for longer than the backlog reaches.
func TestOverrunBacklogIsFull(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "16kb")
		replica := start(t, r)
		link := newProxy(t, primary)
		replica.follow(link.port())
		w := write(t, primary)
		before := primary.counters()
		link.cut()
		replica.untilField("master_link_status", "down")
		end := primary.number("master_repl_offset")
		// Redis trims in blocks: well beyond the window and one of its blocks.
		primary.until("a window that has moved on", func() (bool, string) {
			first := primary.number("repl_backlog_first_byte_offset")
			return first > end+64<<10, fmt.Sprint(first, " of ", end)
		})
		link.heal()
		replica.untilField("master_link_status", "up")
		w.halt()
		replica.caughtUp(primary)
		primary.assertSyncs(before, 1, 0)
		if errs := primary.number("sync_partial_err"); errs == 0 {
			t.Fatal("the primary did not count a refused partial synchronization")
		}
		assertSame(t, primary, replica)
	})
}

// Three levels share one stream. The top is cut off and comes back; then the middle
// is promoted, and the bottom stays with it without a full synchronization.
func TestChain(t *testing.T) {
	for _, kinds := range [][3]string{
		{real, lockstep, real},
		{lockstep, real, lockstep},
		{lockstep, lockstep, lockstep},
	} {
		t.Run(strings.Join(kinds[:], " feeds "), func(t *testing.T) {
			top := start(t, kinds[0], "--repl-backlog-size", "64mb")
			middle := start(t, kinds[1], "--repl-backlog-size", "64mb")
			bottom := start(t, kinds[2])
			link := newProxy(t, top)
			fill(t, top, 5000, 20)
			middle.follow(link.port())
			bottom.follow(middle.port)
			w := write(t, top)
			for range 2 {
				link.cut()
				middle.untilField("master_link_status", "down")
				link.heal()
				middle.untilField("master_link_status", "up")
			}
			w.halt()
			middle.caughtUp(top)
			bottom.caughtUp(middle)
			assertSame(t, top, bottom)
			if a, b := top.info("master_replid"), bottom.info("master_replid"); a != b {
				t.Fatalf("the bottom's history is %s, the top's %s", b, a)
			}

			before := middle.counters()
			old := middle.info("master_replid")
			middle.do("REPLICAOF", "NO", "ONE")
			if second := middle.info("master_replid2"); second != old {
				t.Fatalf("the second history is %s, want the one of before the promotion, %s", second, old)
			}
			bottom.until("the new history", func() (bool, string) {
				id := bottom.info("master_replid")
				return id == middle.info("master_replid") && bottom.info("master_link_status") == "up", id
			})
			w = write(t, middle)
			n := w.count()
			middle.until("writes after the promotion", func() (bool, string) { return w.count() > n+500, fmt.Sprint(w.count()) })
			w.halt()
			bottom.caughtUp(middle)
			middle.assertSyncs(before, 0, 1)
			assertSame(t, middle, bottom)
		})
	}
}

// A replica is promoted, and its primary, which has written nothing since, becomes
// its replica: both keep what they have.
func TestSwitchoverIsPartial(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		old := start(t, p)
		next := start(t, r)
		fill(t, old, 2000, 20)
		next.follow(old.port)
		w := write(t, old)
		old.until("writes", func() (bool, string) { return w.count() > 500, fmt.Sprint(w.count()) })
		w.halt()
		next.caughtUp(old)
		next.do("REPLICAOF", "NO", "ONE")
		before := next.counters()
		old.follow(next.port)
		next.assertSyncs(before, 0, 1)
		w = write(t, next)
		next.until("writes", func() (bool, string) { return w.count() > 500, fmt.Sprint(w.count()) })
		w.halt()
		old.caughtUp(next)
		assertSame(t, next, old)
	})
}

// A primary that went on writing after its replica was promoted has to give up what
// it wrote alone.
func TestDivergedPrimaryIsFull(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		old := start(t, p)
		next := start(t, r)
		next.follow(old.port)
		old.do("SET", "shared", "1")
		next.caughtUp(old)
		next.do("REPLICAOF", "NO", "ONE")
		old.do("SET", "alone", "1")
		next.do("SET", "new", "1")
		before := next.counters()
		old.follow(next.port)
		old.caughtUp(next)
		next.assertSyncs(before, 1, 0)
		assertSame(t, next, old)
	})
}

// FAILOVER hands over without losing a write, and without a full synchronization.
func TestFailoverCommand(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		old := start(t, p)
		next := start(t, r)
		next.follow(old.port)
		fill(t, old, 1000, 20)
		before := next.counters()
		old.until("an online replica", func() (bool, string) {
			v := old.info("slave0")
			return strings.Contains(v, "state=online"), v
		})
		old.do("FAILOVER", "TO", "127.0.0.1", next.port, "TIMEOUT", patience.Milliseconds())
		next.untilField("role", "master")
		old.untilField("role", "slave")
		old.untilField("master_link_status", "up")
		old.untilField("master_failover_state", "no-failover")
		next.do("SET", "after", "1")
		old.caughtUp(next)
		next.assertSyncs(before, 0, 1)
		assertSame(t, next, old)
	})
}

// A replica is shut down and started again with its snapshot, while the primary is
// being written to: it asks for the rest only.
func TestRestartedReplicaIsPartial(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "64mb")
		replica := start(t, r)
		fill(t, primary, 2000, 20)
		replica.follow(primary.port)
		w := write(t, primary)
		primary.until("writes", func() (bool, string) { return w.count() > 1000, fmt.Sprint(w.count()) })
		before := primary.counters()
		replica.shutdown()
		replica.launch("--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port))
		replica.untilField("master_link_status", "up")
		w.halt()
		replica.caughtUp(primary)
		primary.assertSyncs(before, 0, 1)
		assertSame(t, primary, replica)
	})
}

// The stream selects a database once, so a restarted replica has to know where it was.
func TestRestartedReplicaRemembersTheDatabase(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p)
		replica := start(t, r)
		replica.follow(primary.port)
		c := primary.client.Conn()
		defer c.Close()
		ctx := context.Background()
		c.Select(ctx, 3)
		c.Set(ctx, "before", "1", 0)
		replica.caughtUp(primary)
		replica.shutdown()
		c.Set(ctx, "after", "1", 0)
		replica.launch("--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port))
		replica.untilField("master_link_status", "up")
		replica.caughtUp(primary)
		assertSame(t, primary, replica)
	})
}

// A primary is shut down and started again with its snapshot: its replica goes on
// under the new name of the same history.
func TestRestartedPrimaryIsPartial(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p)
		replica := start(t, r)
		fill(t, primary, 2000, 20)
		replica.follow(primary.port)
		replica.caughtUp(primary)
		old := primary.info("master_replid")
		primary.shutdown()
		primary.launch()
		replica.until("the new history", func() (bool, string) {
			id := replica.info("master_replid")
			return id != old && id == primary.info("master_replid") && replica.info("master_link_status") == "up", id
		})
		primary.do("SET", "after", "1")
		replica.caughtUp(primary)
		primary.assertSyncs(counters{}, 0, 1)
		assertSame(t, primary, replica)
	})
}

// Two replicas that come together share one snapshot.
func TestTwoReplicasShareASnapshot(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			primary := start(t, lockstep, "--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "5", "--repl-diskless-sync-max-replicas", "2")
			a, b := start(t, real), start(t, lockstep)
			fill(t, primary, 20000, 100)
			w := write(t, primary)
			a.do("REPLICAOF", "127.0.0.1", primary.port)
			b.do("REPLICAOF", "127.0.0.1", primary.port)
			a.untilField("master_link_status", "up")
			b.untilField("master_link_status", "up")
			w.halt()
			a.caughtUp(primary)
			b.caughtUp(primary)
			assertSame(t, primary, a)
			assertSame(t, primary, b)
		})
	}
}

// redis-cli --rdb takes a snapshot that redis-server loads.
func TestRedisCLITakesASnapshot(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			primary := start(t, lockstep, "--repl-diskless-sync", diskless)
			fill(t, primary, 500, 50)
			fillTypes(t, primary)
			other := start(t, real)
			other.shutdown()
			path := filepath.Join(other.dir, "dump.rdb")
			out, err := exec.Command("redis-cli", "-p", strconv.Itoa(primary.port), "--rdb", path).CombinedOutput()
			if err != nil {
				t.Fatalf("redis-cli --rdb: %v: %s", err, out)
			}
			other.launch()
			assertSameData(t, primary, other)
		})
	}
}

// redis-cli --replica is a replica of the old kind: it prints the stream.
func TestRedisCLIPrintsTheStream(t *testing.T) {
	primary := start(t, lockstep)
	fill(t, primary, 10, 5)
	var out servertest.Output
	cmd := exec.Command("redis-cli", "-p", strconv.Itoa(primary.port), "--replica")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed" is what was asked for
	}()
	primary.untilField("connected_slaves", "1")
	primary.until("the stream in redis-cli", func() (bool, string) {
		primary.do("SET", "seen", "by redis-cli")
		return strings.Contains(out.String(), "by redis-cli"), out.String()
	})
}

// WAIT counts the replicas that have acknowledged the client's last write.
func TestWait(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p)
		replica := start(t, r)
		link := newProxy(t, primary)
		replica.follow(link.port())
		ctx := context.Background()
		c := primary.client.Conn()
		defer c.Close()
		c.Set(ctx, "k", "v", 0)
		primary.until("an online replica", func() (bool, string) {
			v := primary.info("slave0")
			return strings.Contains(v, "state=online"), v
		})
		if n, err := c.Wait(ctx, 1, 5*time.Second).Result(); n != 1 || err != nil {
			t.Fatalf("WAIT with a replica: %d, %v", n, err)
		}
		link.cut()
		primary.untilField("connected_slaves", "0")
		c.Set(ctx, "k", "w", 0)
		if n, err := c.Wait(ctx, 1, 100*time.Millisecond).Result(); n != 0 || err != nil {
			t.Fatalf("WAIT without a replica: %d, %v", n, err)
		}
	})
}

// min-replicas-to-write refuses writes as long as too few replicas are good.
func TestMinReplicasToWrite(t *testing.T) {
	primary := start(t, lockstep, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "5")
	err := primary.client.Set(context.Background(), "k", "v", 0).Err()
	if err == nil || !strings.HasPrefix(err.Error(), "NOREPLICAS") {
		t.Fatalf("a write without replicas: %v", err)
	}
	replica := start(t, real)
	replica.follow(primary.port)
	primary.until("a write with a replica", func() (bool, string) {
		err := primary.client.Set(context.Background(), "k", "v", 0).Err()
		return err == nil, fmt.Sprint(err)
	})
}

// A replica with a password on its primary.
func TestPassword(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p)
		fill(t, primary, 100, 10)
		replica := start(t, r, "--masterauth", "secret")
		primary.do("CONFIG", "SET", "requirepass", "secret")
		replica.follow(primary.port)
		primary.do("AUTH", "secret")
		primary.do("CONFIG", "SET", "requirepass", "")
		replica.caughtUp(primary)
		assertSame(t, primary, replica)
	})
}

// Values larger than the backlog and than any buffer travel in both ways.
func TestLargeValues(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "16kb")
		replica := start(t, r)
		large := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
		primary.do("SET", "before", large)
		replica.follow(primary.port)
		primary.do("SET", "after", large)
		primary.do("SET", "small", "1")
		replica.caughtUp(primary)
		assertSame(t, primary, replica)
	})
}

// An online replica that sends a command with a reply is dropped: the reply would be
// taken for a command.
func TestReplicaThatTalksIsDropped(t *testing.T) {
	primary := start(t, lockstep)
	primary.do("SET", "k", "v")
	c, err := net.Dial("tcp", primary.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("SYNC\r\n")); err != nil {
		t.Fatal(err)
	}
	primary.until("an online replica", func() (bool, string) {
		v := primary.info("slave0")
		return strings.Contains(v, "state=online"), v
	})
	if _, err := c.Write([]byte("GET k\r\n")); err != nil {
		t.Fatal(err)
	}
	primary.untilField("connected_slaves", "0")
	var all bytes.Buffer
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := all.ReadFrom(c); err != nil {
		t.Fatalf("the connection was not closed: %v", err)
	}
	if bytes.HasSuffix(all.Bytes(), []byte("$1\r\nv\r\n")) {
		t.Fatal("the reply was sent into the stream")
	}
}

// A transfer that is cut leaves the old data and history alone: the next attempt is
// partial if it can be.
func TestCutTransferKeepsTheOldData(t *testing.T) {
	primary := start(t, real)
	fill(t, primary, 200000, 100)
	primary.do("CONFIG", "SET", "rdb-key-save-delay", "100") // microseconds a key: a snapshot of 20 seconds
	replica := start(t, lockstep)
	replica.do("SET", "mine", "1")
	link := newProxy(t, primary)
	replica.do("REPLICAOF", "127.0.0.1", link.port())
	replica.until("a transfer under way", func() (bool, string) {
		v := replica.info("master_sync_read_bytes")
		n, err := strconv.Atoi(v)
		return err == nil && n > 100000, v
	})
	link.cut()
	replica.until("the end of the transfer", func() (bool, string) {
		v := replica.info("master_sync_in_progress")
		return v == "0", v
	})
	if got := replica.do("GET", "mine"); got != "1" {
		t.Fatalf("the old data is gone: %v", got)
	}
	if left, err := filepath.Glob(filepath.Join(replica.dir, "temp-*")); err != nil || len(left) > 0 {
		replica.until("no temporary files", func() (bool, string) {
			left, _ := filepath.Glob(filepath.Join(replica.dir, "temp-*"))
			return len(left) == 0, fmt.Sprint(left)
		})
	}
	primary.do("CONFIG", "SET", "rdb-key-save-delay", "0")
	if _, err := os.Stat(filepath.Join(replica.dir, "dump.rdb")); err == nil {
		t.Fatal("half a snapshot has become the data file")
	}
}

// Links are cut at arbitrary moments, in the middle of values, transactions and
// snapshots, for times that fit into the backlog or do not. Whatever kind of
// synchronization follows, all servers hold the same in the end.
func TestCutsAtArbitraryMoments(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "4mb")
		middle := start(t, r, "--repl-backlog-size", "4mb")
		bottom := start(t, p)
		upper, lower := newProxy(t, primary), newProxy(t, middle)
		fill(t, primary, 20000, 50)
		middle.do("REPLICAOF", "127.0.0.1", upper.port())
		bottom.do("REPLICAOF", "127.0.0.1", lower.port())
		w := write(t, primary)
		rnd := rand.New(rand.NewPCG(uint64(len(p)), uint64(len(r))))
		for range 16 {
			k := rnd.IntN(2)
			link, below := []*proxy{upper, lower}[k], []*node{middle, bottom}[k]
			n := w.count() + rnd.IntN(2000)
			primary.until("some writes", func() (bool, string) { return w.count() >= n, fmt.Sprint(w.count()) })
			link.cut()
			n = w.count() + rnd.IntN(1500)
			primary.until("some writes", func() (bool, string) { return w.count() >= n, fmt.Sprint(w.count()) })
			link.heal()
			if rnd.IntN(4) > 0 {
				below.untilField("master_link_status", "up")
			}
		}
		w.halt()
		middle.untilField("master_link_status", "up")
		bottom.untilField("master_link_status", "up")
		middle.caughtUp(primary)
		bottom.caughtUp(middle)
		assertSame(t, primary, middle)
		assertSame(t, primary, bottom)
		t.Logf("%s: %+v, %s: %+v", primary.kind, primary.counters(), middle.kind, middle.counters())
	})
}
