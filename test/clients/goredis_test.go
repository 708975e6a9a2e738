package clients

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// A lock is a key that only its owner may remove, which takes a script.
var unlock = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

func TestADistributedLockHasOneHolder(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		var holders, most, turns atomic.Int64
		var clients sync.WaitGroup
		for n := range 8 {
			clients.Go(func() {
				token := "owner-" + strconv.Itoa(n)
				for done := 0; done < 20 && ctx.Err() == nil; {
					taken, err := c.SetNX(ctx, "lock", token, 10*time.Second).Result()
					if err != nil {
						t.Errorf("take the lock: %v", err)
						return
					}
					if !taken {
						continue
					}
					if now := holders.Add(1); now > most.Load() {
						most.Store(now)
					}
					turns.Add(1)
					holders.Add(-1)
					if freed, err := unlock.Run(ctx, c, []string{"lock"}, token).Int(); err != nil || freed != 1 {
						t.Errorf("free the lock: %d, %v", freed, err)
						return
					}
					done++
				}
			})
		}
		clients.Wait()
		if most.Load() != 1 || turns.Load() != 160 {
			t.Errorf("%d holders at once, %d turns", most.Load(), turns.Load())
		}
		must[string](t, "take the lock")(c.Set(ctx, "lock", "someone", time.Minute).Result())
		if freed := must[int](t, "free another's lock")(unlock.Run(ctx, c, []string{"lock"}, "thief").Int()); freed != 0 {
			t.Error("a lock was freed by one who does not hold it")
		}
	})
}

// slidingWindow allows ARGV[3] requests in ARGV[2] milliseconds.
var slidingWindow = redis.NewScript(`
	local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
	if redis.call('ZCARD', KEYS[1]) >= limit then
		local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
		return {0, tostring(oldest[2] + window - now)}
	end
	redis.call('ZADD', KEYS[1], now, ARGV[4])
	redis.call('PEXPIRE', KEYS[1], window)
	return {1, tostring(limit - redis.call('ZCARD', KEYS[1]))}`)

func TestARateLimiterLetsThroughWhatItMay(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		const begin, window, allowed = 1_700_000_000_000, 1000, 10
		through := 0
		for i := range 300 { // 10 ms apart: three windows
			reply := must[[]any](t, "ask")(slidingWindow.Run(ctx, c, []string{"rate:user"}, begin+10*i, window, allowed, "r"+strconv.Itoa(i)).Slice())
			if reply[0] == int64(1) {
				through++
			} else if wait, _ := strconv.Atoi(reply[1].(string)); wait <= 0 || wait > window {
				t.Fatalf("request %d is to wait %v ms", i, reply[1])
			}
		}
		if through != 3*allowed {
			t.Errorf("%d requests passed, want %d", through, 3*allowed)
		}
	})
}

// TestAGroupSurvivesTheCrashOfAConsumer: a consumer takes messages and dies; what it
// has not acknowledged is claimed by another one, and nothing is lost or done twice.
func TestAGroupSurvivesTheCrashOfAConsumer(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		must[string](t, "create group")(c.XGroupCreateMkStream(ctx, "orders", "billing", "0").Result())
		const orders = 200
		for i := range orders {
			must[string](t, "add")(c.XAdd(ctx, &redis.XAddArgs{Stream: "orders", MaxLen: 10000, Approx: true, Values: map[string]any{"n": i}}).Result())
		}
		done := map[string]int{}
		taken := must[[]redis.XStream](t, "read")(c.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "billing", Consumer: "dies", Streams: []string{"orders", ">"}, Count: 60}).Result())
		for _, m := range taken[0].Messages[:20] { // the other forty are lost with it
			done[m.Values["n"].(string)]++
			must[int64](t, "acknowledge")(c.XAck(ctx, "orders", "billing", m.ID).Result())
		}
		pending := must[*redis.XPending](t, "pending")(c.XPending(ctx, "orders", "billing").Result())
		if pending.Count != 40 || pending.Consumers["dies"] != 40 {
			t.Fatalf("pending: %+v", pending)
		}
		for {
			read, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "billing", Consumer: "lives", Streams: []string{"orders", ">"}, Count: 50, Block: -1}).Result()
			if errors.Is(err, redis.Nil) {
				break
			}
			work(t, ctx, c, must[[]redis.XStream](t, "read")(read, err)[0].Messages, done)
		}
		for start := "0-0"; ; {
			claimed, next, err := c.XAutoClaim(ctx, &redis.XAutoClaimArgs{Stream: "orders", Group: "billing", Consumer: "lives", Start: start, Count: 15}).Result()
			work(t, ctx, c, must[[]redis.XMessage](t, "claim")(claimed, err), done)
			if start = next; next == "0-0" {
				break
			}
		}
		if len(done) != orders {
			t.Errorf("%d of %d orders are done", len(done), orders)
		}
		for n, times := range done {
			if times != 1 {
				t.Errorf("order %s was done %d times", n, times)
			}
		}
		groups := must[[]redis.XInfoGroup](t, "info")(c.XInfoGroups(ctx, "orders").Result())
		if g := groups[0]; g.Pending != 0 || g.Lag != 0 || g.EntriesRead != orders || g.Consumers != 2 {
			t.Errorf("the group: %+v", g)
		}
	})
}

func work(t *testing.T, ctx context.Context, c *redis.Client, messages []redis.XMessage, done map[string]int) {
	t.Helper()
	for _, m := range messages {
		done[m.Values["n"].(string)]++
		must[int64](t, "acknowledge")(c.XAck(ctx, "orders", "billing", m.ID).Result())
	}
}

func TestOptimisticTransactionsLoseNoUpdate(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		var clients sync.WaitGroup
		for range 6 {
			clients.Go(func() {
				for done := 0; done < 30 && ctx.Err() == nil; {
					err := c.Watch(ctx, func(tx *redis.Tx) error {
						balance, err := tx.HGet(ctx, "account", "balance").Int()
						if err != nil && !errors.Is(err, redis.Nil) {
							return err
						}
						_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
							p.HSet(ctx, "account", "balance", balance+1)
							p.RPush(ctx, "journal", balance+1)
							return nil
						})
						return err
					}, "account")
					switch {
					case err == nil:
						done++
					case !errors.Is(err, redis.TxFailedErr):
						t.Errorf("transaction: %v", err)
						return
					}
				}
			})
		}
		clients.Wait()
		journal := must[[]string](t, "read")(c.LRange(ctx, "journal", 0, -1).Result())
		for i, entry := range journal {
			if entry != strconv.Itoa(i+1) {
				t.Fatalf("entry %d of the journal is %s", i, entry)
			}
		}
		if len(journal) != 180 {
			t.Errorf("%d entries of 180", len(journal))
		}
	})
}

func TestWorkersShareAListFairly(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server, func(o *redis.Options) { o.PoolSize = 20 })
		var got [4]atomic.Int64
		var workers sync.WaitGroup
		for w := range got {
			workers.Go(func() {
				for {
					item, err := c.BLMove(ctx, "jobs", "doing:"+strconv.Itoa(w), "LEFT", "RIGHT", 20*time.Second).Result()
					if err != nil {
						t.Errorf("worker: %v", err)
						return
					}
					if item == "stop" {
						return
					}
					got[w].Add(1)
				}
			})
		}
		for i := range 400 {
			must[int64](t, "push")(c.RPush(ctx, "jobs", i).Result())
		}
		for range got {
			must[int64](t, "push")(c.RPush(ctx, "jobs", "stop").Result())
		}
		workers.Wait()
		sum := int64(0)
		for w := range got {
			sum += got[w].Load()
		}
		if sum != 400 {
			t.Errorf("%d of 400 jobs were done", sum)
		}
	})
}

func TestALeaderboardAndAMap(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 1000 {
				p.ZIncrBy(ctx, "board", float64(i%97)+0.5, fmt.Sprintf("player%03d", i%200))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		top := must[[]redis.Z](t, "top")(c.ZRevRangeWithScores(ctx, "board", 0, 9).Result())
		for i, z := range top {
			if rank := must[int64](t, "rank")(c.ZRevRank(ctx, "board", z.Member.(string)).Result()); rank != int64(i) {
				t.Errorf("%v has rank %d, want %d", z.Member, rank, i)
			}
		}
		members, cursor := 0, uint64(0)
		for {
			var page []string
			if page, cursor, err = c.ZScan(ctx, "board", cursor, "player1*", 50).Result(); err != nil {
				t.Fatal(err)
			}
			members += len(page) / 2
			if cursor == 0 {
				break
			}
		}
		if members != 100 {
			t.Errorf("a scan for player1* found %d members", members)
		}
		must[int64](t, "geo")(c.GeoAdd(ctx, "cities",
			&redis.GeoLocation{Name: "Berlin", Longitude: 13.4050, Latitude: 52.5200},
			&redis.GeoLocation{Name: "Hamburg", Longitude: 9.9937, Latitude: 53.5511},
			&redis.GeoLocation{Name: "Munich", Longitude: 11.5820, Latitude: 48.1351}).Result())
		near := must[[]redis.GeoLocation](t, "search")(c.GeoSearchLocation(ctx, "cities", &redis.GeoSearchLocationQuery{
			GeoSearchQuery: redis.GeoSearchQuery{Member: "Berlin", Radius: 300, RadiusUnit: "km", Sort: "ASC"}, WithDist: true}).Result())
		if len(near) != 2 || near[1].Name != "Hamburg" || near[1].Dist < 250 || near[1].Dist > 260 {
			t.Errorf("near Berlin: %+v", near)
		}
	})
}

func TestFunctionsAreCalledByName(t *testing.T) {
	onBoth(t, func(t *testing.T, server *servertest.Instance) {
		c, ctx := dial(t, server)
		const library = "#!lua name=counters\n" + `
			redis.register_function('bump', function(keys, args)
				return redis.call('HINCRBY', keys[1], args[1], args[2])
			end)
			redis.register_function{function_name='peek', callback=function(keys, args)
				return redis.call('HGET', keys[1], args[1])
			end, flags={'no-writes'}}`
		must[string](t, "load")(c.FunctionLoad(ctx, library).Result())
		if n := must[any](t, "call")(c.FCall(ctx, "bump", []string{"h"}, "f", 5).Result()); n != int64(5) {
			t.Errorf("bump: %v", n)
		}
		if v := must[any](t, "call")(c.FCallRo(ctx, "peek", []string{"h"}, "f").Result()); v != "5" {
			t.Errorf("peek: %v", v)
		}
		payload := must[string](t, "dump")(c.FunctionDump(ctx).Result())
		must[string](t, "flush")(c.FunctionFlush(ctx).Result())
		must[string](t, "restore")(c.FunctionRestore(ctx, payload).Result())
		if list := must[[]redis.Library](t, "list")(c.FunctionList(ctx, redis.FunctionListQuery{}).Result()); len(list) != 1 || len(list[0].Functions) != 2 {
			t.Errorf("libraries: %+v", list)
		}
	})
}
