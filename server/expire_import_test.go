package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// A tool that copies one server's data to another sends a key with a short time and,
// before it is over there, a command that builds upon the key.
func TestWhatIsImportedExpiresWhenTheSourceSaysSo(t *testing.T) {
	i := servertest.Start(t)
	tool, other := i.Client(t), i.Client(t)
	refused := fmt.Sprint(tool.Do("CLIENT", "IMPORT-SOURCE", "ON"))
	if refused != "ERR Server is not in import mode" {
		t.Errorf("without import-mode: %s", refused)
	}
	tool.Must("OK", "CONFIG", "SET", "import-mode", "yes")
	tool.Must("OK", "CLIENT", "IMPORT-SOURCE", "ON")
	if info := tool.Text("CLIENT", "INFO"); !strings.Contains(info, " flags=I ") {
		t.Errorf("CLIENT INFO: %s", info)
	}
	for _, line := range []string{"SET n 1 PXAT 1000", "SET gone v PXAT 1000", "SET past v"} {
		tool.Must("OK", strings.Fields(line)...)
	}
	tool.Must("1", "EXPIREAT", "past", "-1")
	other.Must("<nil>", "GET", "n")
	other.Must("-2", "TTL", "n")
	other.Must("[]", "KEYS", "*")
	other.Must("3", "DBSIZE")
	tool.Must("2", "INCR", "n")
	tool.Must("0", "TTL", "n")
	tool.Must("2", "GET", "n")
	tool.Must("[2]", "EVAL", "return {redis.call('GET', 'n')}", "0")
	tool.Must("1", "PERSIST", "n")
	other.Must("2", "GET", "n")
	other.Must("3", "DBSIZE")

	tool.Must("OK", "CONFIG", "SET", "import-mode", "no")
	servertest.Until(t, "the rest has expired", func() error {
		if n := other.Text("DBSIZE"); n != "1" {
			return fmt.Errorf("%s keys", n)
		}
		return nil
	})
	tool.Must("<nil>", "GET", "gone")
	tool.Must("OK", "CLIENT", "IMPORT-SOURCE", "OFF")
}

// A client that writes to a key whose time is over begins anew, and replicas must, too.
func TestReplicasHearWhatAnImportRemoves(t *testing.T) {
	primary := servertest.Start(t, "--import-mode", "yes")
	replica := startReplicaOf(t, primary, "--repl-diskless-sync-delay", "0").Client(t)
	c := primary.Client(t)
	c.Must("OK", "SET", "n", "5", "PXAT", "1000")
	c.Must("1", "INCR", "n")
	servertest.Until(t, "the replica has the new key", func() error {
		if got := fmt.Sprint(replica.Do("GET", "n"), replica.Do("TTL", "n")); got != "1-1" && got != "1 -1" {
			return fmt.Errorf("GET and TTL: %s", got)
		}
		return nil
	})
}
