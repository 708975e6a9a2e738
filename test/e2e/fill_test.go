package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/redis/go-redis/v9"
)

func quantity(text string) *resource.Quantity {
	q := resource.MustParse(text)
	return &q
}

func replicationNumber(t *testing.T, addr, field string) int64 {
	t.Helper()
	text := replicationField(addr, field)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("INFO replication of %s: %s is %q: %v", addr, field, text, err)
	}
	return n
}

// fillUntil overwrites a handful of keys with large values until done, and
// gives up after so many bytes.
func fillUntil(t *testing.T, addr string, done func() bool, limit int64) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	defer func() { _ = rdb.Close() }()
	const valueBytes, batch = 64 << 10, 16
	value := strings.Repeat("x", valueBytes)
	for written := int64(0); written < limit; written += valueBytes * batch {
		pipe := rdb.Pipeline()
		for i := range batch {
			pipe.Set(t.Context(), fmt.Sprintf("fill:%d", i), value, 0)
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatalf("fill %s: %v", addr, err)
		}
		if done() {
			return
		}
	}
	t.Fatalf("wrote %d bytes to %s and the condition did not come true", limit, addr)
}
