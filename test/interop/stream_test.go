package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	streams = 5
	groups  = 2
)

func streamName(s int) string { return fmt.Sprintf("stream:%d", s) }
func groupName(g int) string  { return fmt.Sprintf("group:%d", g) }

// workers are clients at work, until they are told to stop.
type workers struct {
	stop chan struct{}
	done sync.WaitGroup
	mu   sync.Mutex
	jobs int // done so far
}

type job func(ctx context.Context, c *redis.Client, r *rand.Rand) error

// work has clients live on streams: producers, consumers that acknowledge some of what
// they get, one that takes over what is left, and one that deletes and trims.
func work(t *testing.T, n *node) *workers {
	t.Helper()
	for s := range streams {
		for g := range groups {
			n.do("XGROUP", "CREATE", streamName(s), groupName(g), "0", "MKSTREAM")
		}
	}
	return employ(n, produce, produce, consume, consume, wait, takeOver, remove)
}

// employ has each of the jobs done again and again by a client of its own.
func employ(n *node, jobs ...job) *workers {
	w := &workers{stop: make(chan struct{})}
	for i, does := range jobs {
		w.done.Add(1)
		go w.run(n, uint64(i), does)
	}
	n.t.Cleanup(w.halt)
	return w
}

// halt ends the work; everything sent has been answered.
func (w *workers) halt() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.done.Wait()
}

func (w *workers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobs
}

// goOnWhileFollowed lets the work go on, for so many jobs to begin with, while a
// replica begins to follow, is cut off, and comes back.
func (w *workers) goOnWhileFollowed(primary, replica *node, link *proxy, first int) {
	more := func(jobs int) {
		n := w.count()
		primary.until("work to be done", func() (bool, string) { return primary.t.Failed() || w.count() > n+jobs, fmt.Sprint(w.count()) })
	}
	more(first)
	replica.follow(link.port())
	more(1000)
	link.cut()
	replica.untilField("master_link_status", "down")
	more(500)
	link.heal()
	replica.untilField("master_link_status", "up")
	more(1000)
}

func (w *workers) run(n *node, seed uint64, does job) {
	defer w.done.Done()
	c := dial(n, 0)
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 9))
	for {
		select {
		case <-w.stop:
			return
		default:
		}
		if err := does(context.Background(), c, r); err != nil && !errors.Is(err, redis.Nil) {
			n.t.Errorf("a worker: %v", err)
			return
		}
		w.mu.Lock()
		w.jobs++
		w.mu.Unlock()
	}
}

func produce(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	pipe := c.Pipeline()
	for range 1 + r.IntN(10) {
		values := []any{"job", r.IntN(1 << 30), "text", strings.Repeat("x", r.IntN(100))}
		if r.IntN(5) == 0 {
			values = append(values, fmt.Sprint("field", r.IntN(3)), r.IntN(100))
		}
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: streamName(r.IntN(streams)), Values: values})
	}
	_, err := pipe.Exec(ctx)
	return err
}

func consume(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	return read(ctx, c, r, -1)
}

// wait is consume for somebody who waits a while if there is nothing.
func wait(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	return read(ctx, c, r, 20*time.Millisecond)
}

func read(ctx context.Context, c *redis.Client, r *rand.Rand, block time.Duration) error {
	stream, group := streamName(r.IntN(streams)), groupName(r.IntN(groups))
	got, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: fmt.Sprint("consumer:", r.IntN(4)), Streams: []string{stream, ">"},
		Count: int64(1 + r.IntN(5)), Block: block, NoAck: r.IntN(10) == 0,
	}).Result()
	if err != nil {
		return err
	}
	for _, message := range got[0].Messages {
		if r.IntN(3) > 0 {
			if err := c.XAck(ctx, stream, group, message.ID).Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func takeOver(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	args := &redis.XAutoClaimArgs{Stream: streamName(r.IntN(streams)), Group: groupName(r.IntN(groups)),
		Consumer: fmt.Sprint("consumer:", r.IntN(4)), Start: "0-0", Count: 3}
	got, _, err := c.XAutoClaim(ctx, args).Result()
	if err != nil || len(got) == 0 {
		return err
	}
	if r.IntN(2) == 0 {
		return c.XClaim(ctx, &redis.XClaimArgs{Stream: args.Stream, Group: args.Group, Consumer: "rescuer", Messages: []string{got[0].ID}}).Err()
	}
	return c.XAck(ctx, args.Stream, args.Group, got[0].ID).Err()
}

func remove(ctx context.Context, c *redis.Client, r *rand.Rand) error {
	stream := streamName(r.IntN(streams))
	if r.IntN(20) == 0 {
		return c.XTrimMaxLenApprox(ctx, stream, 300, 0).Err()
	}
	got, err := c.XRangeN(ctx, stream, "-", "+", int64(1+r.IntN(20))).Result()
	if err != nil || len(got) == 0 {
		return err
	}
	return c.XDel(ctx, stream, got[len(got)-1].ID).Err()
}

// assertSameStreams compares entries and what is pending. Consumers that never got
// anything, and how many entries a group has read, do not travel.
func assertSameStreams(t *testing.T, a, b *node) {
	t.Helper()
	pending := 0
	for s := range streams {
		asks := [][]any{{"XLEN", streamName(s)}, {"XRANGE", streamName(s), "-", "+"}}
		for g := range groups {
			asks = append(asks, []any{"XPENDING", streamName(s), groupName(g)})
		}
		for _, ask := range asks {
			if x, y := fmt.Sprint(a.do(ask...)), fmt.Sprint(b.do(ask...)); x != y {
				t.Fatalf("%v is\n%.2000s on %s, but\n%.2000s on %s", ask, x, a.kind, y, b.kind)
			}
		}
		for g := range groups {
			x, y := deliveries(t, a, streamName(s), groupName(g)), deliveries(t, b, streamName(s), groupName(g))
			if x != y {
				t.Fatalf("pending at %s of %s is\n%.2000s on %s, but\n%.2000s on %s", groupName(g), streamName(s), x, a.kind, y, b.kind)
			}
			pending += strings.Count(x, "\n")
		}
	}
	if pending == 0 {
		t.Fatal("nothing is pending: nothing was tested")
	}
}

// deliveries spells what is pending, without the time since, and how far the group
// has come.
func deliveries(t *testing.T, n *node, stream, group string) string {
	t.Helper()
	ctx := context.Background()
	all, err := n.client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: stream, Group: group, Start: "-", End: "+", Count: 1 << 20}).Result()
	if err != nil {
		t.Fatal(err)
	}
	infos, err := n.client.XInfoGroups(ctx, stream).Result()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "%s at %s, %d times\n", p.ID, p.Consumer, p.RetryCount)
	}
	for _, info := range infos {
		if info.Name == group {
			fmt.Fprintf(&b, "up to %s", info.LastDeliveredID)
		}
	}
	return b.String()
}

// Groups of consumers work on a primary while a replica takes its first snapshot,
// is cut off, and comes back.
func TestStreamsUnderWorkAreReplicated(t *testing.T) {
	eachPair(t, func(t *testing.T, p, r string) {
		primary := start(t, p, "--repl-backlog-size", "64mb", "--stream-node-max-entries", "20")
		replica := start(t, r)
		link := newProxy(t, primary)
		w := work(t, primary)
		w.goOnWhileFollowed(primary, replica, link, 1000)
		w.halt()
		replica.caughtUp(primary)
		assertSameStreams(t, primary, replica)
	})
}
