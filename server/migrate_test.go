package server_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// migrateTo begins the arguments of a MIGRATE.
func migrateTo(i *servertest.Instance, rest ...string) []string {
	return append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(i.Port)}, rest...)
}

func TestMigrateMovesKeysOfEveryTypeToRedisAndBack(t *testing.T) {
	debug := []string{"--enable-debug-command", "yes"}
	here, there := servertest.Start(t, debug...), servertest.StartRedis(t, debug...)
	ours, redis := here.Client(t), there.Client(t)
	fillWithAllTypes(ours)
	ours.Do("SELECT", "9")
	ours.Must("1", "DEL", "elsewhere")
	ours.Do("SELECT", "0")
	digest := ours.Text("DEBUG", "DIGEST")
	keys := []string{}
	for _, key := range ours.Do("KEYS", "*").([]any) {
		keys = append(keys, key.(string))
	}
	ours.Must("OK", append(migrateTo(there, "", "0", "5000", "COPY", "KEYS"), keys...)...)
	if copied := redis.Text("DEBUG", "DIGEST"); copied != digest || ours.Text("DEBUG", "DIGEST") != digest {
		t.Fatalf("copied as %s, want %s", copied, digest)
	}
	ours.Must("OK", append(migrateTo(there, "", "0", "5000", "REPLACE", "KEYS", "missing"), keys...)...)
	ours.Must("0", "DBSIZE")
	if moved := redis.Text("DEBUG", "DIGEST"); moved != digest {
		t.Fatalf("moved as %s, want %s", moved, digest)
	}
	redis.Must("OK", append(migrateTo(here, "", "0", "5000", "KEYS"), keys...)...)
	redis.Must("0", "DBSIZE")
	if back := ours.Text("DEBUG", "DIGEST"); back != digest {
		t.Fatalf("came back as %s, want %s", back, digest)
	}
}

func TestMigrateTells(t *testing.T) {
	here, there := servertest.Start(t), servertest.StartRedis(t, "--requirepass", "secret")
	ours, redis := here.Client(t), there.Client(t)
	redis.Must("OK", "AUTH", "secret")
	redis.Must("OK", "ACL", "SETUSER", "mover", "on", ">word", "allkeys", "allcommands")
	redis.Must("OK", "SET", "taken", "theirs")
	for _, key := range []string{"k", "taken", "l"} {
		ours.Must("OK", "SET", key, "ours")
	}
	closed := servertest.FreePort(t)
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing to move", migrateTo(there, "none", "0", "1000", "AUTH", "secret"), "NOKEY"},
		{"no password", migrateTo(there, "k", "0", "1000"), "Target instance replied with error: NOAUTH"},
		{"a wrong password", migrateTo(there, "k", "0", "1000", "AUTH", "wrong"), "Target instance replied with error: WRONGPASS"},
		{"no such database", migrateTo(there, "k", "99", "1000", "AUTH", "secret"), "Target instance replied with error: ERR DB index is out of range"},
		{"a key that is taken", migrateTo(there, "", "0", "1000", "AUTH", "secret", "KEYS", "taken", "l"), "Target instance replied with error: BUSYKEY"},
		{"nobody there", []string{"MIGRATE", "127.0.0.1", strconv.Itoa(closed), "k", "0", "1000"}, "IOERR error or timeout connecting to the client"},
		{"both ways to name keys", migrateTo(there, "k", "0", "1000", "KEYS", "l"), "the key argument must be set to the empty string"},
		{"an option that does not exist", migrateTo(there, "k", "0", "1000", "FAST"), "ERR syntax error"},
		{"a password that is missing", migrateTo(there, "k", "0", "1000", "AUTH"), "ERR syntax error"},
		{"a timeout that is no number", migrateTo(there, "k", "0", "soon"), "ERR value is not an integer or out of range"},
	} {
		if got := fmt.Sprint(ours.Do(row.args...)); !strings.Contains(got, row.want) {
			t.Errorf("%s: %s; want %s", row.name, got, row.want)
		}
	}
	// What was taken stays; what came after it has moved.
	ours.Must("2", "EXISTS", "k", "taken", "l")
	redis.Must("ours", "GET", "l")
	ours.Must("OK", migrateTo(there, "k", "0", "1000", "AUTH2", "mover", "word")...)
	redis.Must("ours", "GET", "k")
}

func TestMigrateInATransactionIsRefused(t *testing.T) {
	c := servertest.Start(t).Client(t)
	c.Must("OK", "SET", "k", "v")
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "MIGRATE", "127.0.0.1", "1", "k", "0", "1000")
	if got := fmt.Sprint(c.Do("EXEC")); !strings.Contains(got, "MIGRATE can not be part of a transaction") {
		t.Errorf("EXEC: %s", got)
	}
	c.Must("v", "GET", "k")
}

// TestWritesWaitWhileKeysMove: the other server does not answer for a while. Reads go
// on; a write waits, and is neither lost nor moved.
func TestWritesWaitWhileKeysMove(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	i := servertest.Start(t)
	mover, writer, reader := i.Client(t), i.Client(t), i.Client(t)
	mover.Must("OK", "SET", "k", "1")
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	mover.Send("MIGRATE", "127.0.0.1", port, "k", "0", "20000")
	link, err := listener.Accept() // the key is on its way
	if err != nil {
		t.Fatal(err)
	}
	writer.Send("INCR", "k")
	servertest.Until(t, "the write waits", func() error {
		if n := reader.Info("clients")["blocked_clients"]; n != "2" {
			return fmt.Errorf("%s clients are blocked", n)
		}
		return nil
	})
	reader.Must("1", "GET", "k")
	if _, err := link.Write([]byte("+OK\r\n-ERR not now\r\n")); err != nil { // to SELECT, and RESTORE
		t.Fatal(err)
	}
	if got := fmt.Sprint(mover.Receive()); got != "ERR Target instance replied with error: ERR not now" {
		t.Errorf("MIGRATE: %s", got)
	}
	if got := writer.Receive(); got != int64(2) {
		t.Errorf("INCR: %v", got)
	}
	_ = link.Close() // everything has been said
}

// TestReplicasLearnWhatHasMoved: to them it is a DEL.
func TestReplicasLearnWhatHasMoved(t *testing.T) {
	here, there := servertest.Start(t, "--repl-diskless-sync-delay", "0"), servertest.StartRedis(t)
	replica := servertest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(here.Port)).Client(t)
	c := here.Client(t)
	c.Must("OK", "MSET", "a", "1", "b", "2", "c", "3")
	servertest.Until(t, "the replica has the data", func() error {
		if n := replica.Do("DBSIZE"); n != int64(3) {
			return fmt.Errorf("%v keys", n)
		}
		return nil
	})
	c.Must("OK", migrateTo(there, "", "0", "5000", "KEYS", "a", "b")...)
	servertest.Until(t, "the replica has one key left", func() error {
		if keys := fmt.Sprint(replica.Do("KEYS", "*")); keys != "[c]" {
			return fmt.Errorf("keys %s", keys)
		}
		return nil
	})
}
