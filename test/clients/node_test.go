package clients

import (
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// The programs assert by themselves; what they do is said at their top.

func TestAJobQueueOfBullMQ(t *testing.T) {
	onBoth(t, func(t *testing.T, s *servertest.Instance) { runNode(t, "queue.mjs", s) })
}

func TestASessionStoreWithIoredis(t *testing.T) {
	onBoth(t, func(t *testing.T, s *servertest.Instance) { runNode(t, "sessions.mjs", s) })
}

func TestFanOutWithNodeRedis(t *testing.T) {
	onBoth(t, func(t *testing.T, s *servertest.Instance) { runNode(t, "fanout.mjs", s) })
}

func TestValkeyGlide(t *testing.T) {
	onBoth(t, func(t *testing.T, s *servertest.Instance) { runNode(t, "glide.mjs", s) })
}
