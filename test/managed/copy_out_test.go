package managed

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestASnapshotIsTakenOutOfACluster as the documentation tells: with redis-cli --rdb,
// from a primary as well as from a replica.
func TestASnapshotIsTakenOutOfACluster(t *testing.T) {
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip("redis-cli is not installed")
	}
	c := newCluster(t, longLease)
	primary, replica := c.start("demo-1"), c.start("demo-2")
	primary.promote(1, 2)
	replica.follow(1, primary)
	replica.connected()
	primary.Client(t).Must("OK", "SET", "key", "value")
	replica.caughtUp(primary)
	for name, m := range map[string]*member{"the primary": primary, "a replica": replica} {
		dir := t.TempDir()
		out, err := exec.Command("redis-cli", "-p", strconv.Itoa(m.Port), "--rdb", filepath.Join(dir, "dump.rdb")).CombinedOutput()
		if err != nil {
			t.Fatalf("from %s: %v\n%s", name, err, out)
		}
		servertest.Start(t, "--dir", dir).Client(t).Must("value", "GET", "key")
	}
}
