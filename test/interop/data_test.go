package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

const databases = 4 // that the tests write to, of 16

// writer changes data all the time, with everything that travels in the stream:
// values with and without a time, transactions, several databases, renamed and
// deleted keys.
type writer struct {
	t      *testing.T
	stop   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	writes int
}

func write(t *testing.T, n *node) *writer {
	t.Helper()
	w := &writer{t: t, stop: make(chan struct{})}
	w.done.Add(1)
	go w.run(n)
	t.Cleanup(w.halt)
	return w
}

// halt stops writing; everything written has been answered.
func (w *writer) halt() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.done.Wait()
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

func (w *writer) run(n *node) {
	defer w.done.Done()
	c := dial(n, 0)
	defer c.Close()
	r := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	for {
		select {
		case <-w.stop:
			return
		default:
		}
		pipe := c.Pipeline()
		pipe.Do(ctx, "SELECT", r.IntN(databases))
		for range 20 {
			change(ctx, pipe, r)
		}
		if r.IntN(4) == 0 {
			pipe.Do(ctx, "MULTI")
			for range 1 + r.IntN(3) {
				change(ctx, pipe, r)
			}
			pipe.Do(ctx, "EXEC")
		}
		cmds, err := pipe.Exec(ctx)
		if err != nil && len(cmds) == 0 {
			return // the server is gone; the test knows
		}
		w.mu.Lock()
		w.writes += len(cmds)
		w.mu.Unlock()
	}
}

func change(ctx context.Context, p redis.Pipeliner, r *rand.Rand) {
	key := "key:" + strconv.Itoa(r.IntN(2000))
	other := "key:" + strconv.Itoa(r.IntN(2000))
	switch r.IntN(14) {
	case 0, 1, 2:
		p.Do(ctx, "SET", key, strings.Repeat("x", r.IntN(200)))
	case 3:
		p.Do(ctx, "SET", key, r.IntN(1<<30), "EX", 3600+r.IntN(1000))
	case 4:
		p.Do(ctx, "SET", "n:"+key, 1)
	case 5:
		p.Do(ctx, "INCRBY", "n:"+key, r.IntN(100))
	case 6:
		p.Do(ctx, "APPEND", key, "tail")
	case 7:
		p.Do(ctx, "DEL", key, other)
	case 8:
		p.Do(ctx, "EXPIRE", key, 5000+r.IntN(1000))
	case 9:
		p.Do(ctx, "PERSIST", key)
	case 10:
		p.Do(ctx, "SETRANGE", key, r.IntN(50), "range")
	case 11:
		p.Do(ctx, "RENAME", key, other) // an error when there is no such key
	case 12:
		p.Do(ctx, "COPY", key, other, "REPLACE")
	case 13:
		p.Do(ctx, "MSET", key, "a", other, strings.Repeat("b", 30))
	}
}

// fill writes n keys at once.
func fill(t *testing.T, n *node, keys, size int) {
	t.Helper()
	ctx := context.Background()
	for at := 0; at < keys; {
		pipe := n.client.Pipeline()
		for range min(1000, keys-at) {
			pipe.Do(ctx, "SET", fmt.Sprintf("fill:%d", at), fmt.Sprintf("%0*d", size, at))
			at++
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// entry is a key's value and expiry time.
type entry struct {
	value    string
	expireAt string
}

func snapshotOf(t *testing.T, n *node, db int) map[string]entry {
	t.Helper()
	ctx := context.Background()
	c := dial(n, db)
	defer c.Close()
	all := map[string]entry{}
	cursor := uint64(0)
	for {
		keys, next, err := c.Scan(ctx, cursor, "*", 500).Result()
		if err != nil {
			t.Fatalf("SCAN on %s: %v", n.kind, err)
		}
		pipe := c.Pipeline()
		for _, k := range keys {
			pipe.Do(ctx, "GET", k)
			pipe.Do(ctx, "PEXPIRETIME", k)
		}
		cmds, err := pipe.Exec(ctx)
		if err != nil && len(keys) > 0 {
			t.Fatalf("read keys of %s: %v", n.kind, err)
		}
		for i, k := range keys {
			value, err := cmds[2*i].(*redis.Cmd).Text()
			if err != nil {
				t.Fatalf("GET %s on %s: %v", k, n.kind, err)
			}
			all[k] = entry{value, fmt.Sprint(cmds[2*i+1].(*redis.Cmd).Val())}
		}
		if cursor = next; cursor == 0 {
			return all
		}
	}
}

// assertSame compares two servers key by key.
func assertSame(t *testing.T, a, b *node) {
	t.Helper()
	total := 0
	for db := range databases {
		x, y := snapshotOf(t, a, db), snapshotOf(t, b, db)
		total += len(x)
		for k, v := range x {
			if w, ok := y[k]; !ok {
				t.Fatalf("db %d: %q is on %s, but not on %s", db, k, a.kind, b.kind)
			} else if v != w {
				t.Fatalf("db %d: %q is %q until %s on %s, but %q until %s on %s", db, k, v.value, v.expireAt, a.kind, w.value, w.expireAt, b.kind)
			}
		}
		for k := range y {
			if _, ok := x[k]; !ok {
				t.Fatalf("db %d: %q is on %s, but not on %s", db, k, b.kind, a.kind)
			}
		}
	}
	if total == 0 {
		t.Fatal("both are empty: nothing was tested")
	}
}
