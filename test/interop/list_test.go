package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const queues = 4

func queueName(q int) string { return fmt.Sprintf("queue:%d", q) }

func anyQueue(r *rand.Rand) string { return queueName(r.IntN(queues)) }

// push adds jobs to a queue, now and then one that does not fit a node.
func push(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	var jobs []any
	for range 1 + r.IntN(20) {
		jobs = append(jobs, fmt.Sprint(r.IntN(1000)), fmt.Sprint("job:", r.IntN(1<<30)))
	}
	if r.IntN(40) == 0 {
		jobs = append(jobs, strings.Repeat("large", 2000+r.IntN(2000)))
	}
	if r.IntN(2) == 0 {
		return c.LPush(ctx, anyQueue(r), jobs...).Err()
	}
	return c.RPush(ctx, anyQueue(r), jobs...).Err()
}

// awaitOne takes a job to do and puts it where it is kept until it is done.
func awaitOne(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	job, err := c.BLMove(ctx, anyQueue(r), "doing", "RIGHT", "LEFT", 20*time.Millisecond).Result()
	if err != nil || r.IntN(4) == 0 {
		return err // is not done and stays
	}
	return c.LRem(ctx, "doing", int64(r.IntN(3)-1), job).Err()
}

// awaitAny takes several at once, or hands one on.
func awaitAny(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	switch r.IntN(4) {
	case 0:
		return c.Do(ctx, "BRPOPLPUSH", "doing", anyQueue(r), "0.02").Err()
	case 1:
		return c.BLPop(ctx, 20*time.Millisecond, anyQueue(r), anyQueue(r)).Err()
	case 2:
		return c.BRPop(ctx, 20*time.Millisecond, anyQueue(r), "doing").Err()
	}
	return c.BLMPop(ctx, 20*time.Millisecond, "left", int64(1+r.IntN(30)), anyQueue(r), anyQueue(r)).Err()
}

// tidy changes queues in the middle and keeps them short.
func tidy(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	queue := anyQueue(r)
	n, err := c.LLen(ctx, queue).Result()
	if err != nil || n == 0 {
		return err
	}
	at := r.Int64N(n)
	switch r.IntN(4) {
	case 0:
		return c.LTrim(ctx, queue, 0, 2000).Err()
	case 1:
		pivot, err := c.LIndex(ctx, queue, at).Result()
		if err != nil {
			return err
		}
		return c.LInsertAfter(ctx, queue, pivot, "inserted").Err()
	case 2:
		if err := c.LSet(ctx, queue, at, r.IntN(1000)).Err(); err != nil && !strings.Contains(err.Error(), "index out of range") &&
			!strings.Contains(err.Error(), "no such key") {
			return err
		}
		return nil
	}
	return c.LRem(ctx, queue, 0, fmt.Sprint(r.IntN(1000))).Err()
}

// Workers that wait for jobs live on a primary while a replica takes its first
// snapshot, is cut off, and comes back.
func TestQueuesUnderWorkAreReplicated(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "64mb", "--list-max-listpack-size", "-1")
		replica := start(t, r)
		link := newProxy(t, primary)
		w := employ(primary, push, push, awaitOne, awaitOne, awaitAny, awaitAny, tidy)
		w.goOnWhileFollowed(primary, replica, link, 1500)
		w.halt()
		primary.do("RPUSH", "doing", "the last one")
		replica.caughtUp(primary)
		for _, key := range []string{queueName(0), queueName(1), queueName(2), queueName(3), "doing"} {
			ask := []any{"LRANGE", key, 0, -1}
			if x, y := fmt.Sprint(primary.do(ask...)), fmt.Sprint(replica.do(ask...)); x != y {
				t.Errorf("%s is\n%.2000s on %s, but\n%.2000s on %s", key, x, primary.kind, y, replica.kind)
			}
		}
	})
}
