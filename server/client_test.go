package server_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// fieldsOf takes a line of CLIENT LIST apart.
func fieldsOf(line string) (names []string, values map[string]string) {
	values = map[string]string{}
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		names = append(names, name)
		values[name] = value
	}
	return names, values
}

func TestALineOfTheListOfClientsHasTheFieldsOfRedis(t *testing.T) {
	ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
	list := func(c *servertest.Client) ([]string, map[string]string) {
		c.Must("OK", "CLIENT", "SETNAME", "me")
		c.Must("OK", "SELECT", "3")
		c.Must("OK", "WATCH", "k")
		return fieldsOf(c.Text("CLIENT", "LIST"))
	}
	names, values := list(ours)
	wantNames, wantValues := list(real)
	// Redis 7.2, 7.4 and Valkey 8 have some more.
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.Contains([]string{"capa", "watch", "lib-name", "lib-ver", "tot-net-in", "tot-net-out", "tot-cmds"}, n)
	})
	if !slices.Equal(names, wantNames) {
		t.Errorf("fields %v\nRedis  %v", names, wantNames)
	}
	for _, name := range []string{"name", "flags", "db", "sub", "psub", "ssub", "multi", "qbuf", "argv-mem", "multi-mem",
		"obl", "oll", "omem", "events", "cmd", "user", "redir", "resp"} {
		if values[name] != wantValues[name] {
			t.Errorf("%s=%s, Redis has %s", name, values[name], wantValues[name])
		}
	}
	for name, want := range map[string]string{"watch": "1", "tot-cmds": "4"} {
		if values[name] != want {
			t.Errorf("%s=%s, want %s", name, values[name], want)
		}
	}
}

func TestFlagsOfClientsAreThoseOfRedis(t *testing.T) {
	perform(t, `
		watcher> MONITOR
		alice> MULTI
		bob> CLIENT NO-EVICT ON
		carol> HELLO 3
		carol> CLIENT TRACKING ON BCAST
		dave> CLIENT TRACKING ON REDIRECT {carol}
		erin> WATCH k
		frank> SUBSCRIBE x
		frank> SET k v
		gina> CLIENT LIST ID {alice} {bob} {carol} {dave} {erin} {frank}
		gina> CLIENT KILL ID {frank}
		gina> CLIENT KILL ID {carol} SKIPME yes TYPE normal
		gina> CLIENT KILL TYPE pubsub
		gina> CLIENT KILL TYPE normal ID {gina}
		gina> CLIENT KILL TYPE normal ID {gina} SKIPME no`)
}

func TestClientsAreListedInTheOrderInWhichTheyAreAskedFor(t *testing.T) {
	for name, i := range map[string]*servertest.Instance{"ours": servertest.Start(t), "Redis": servertest.StartRedis(t)} {
		first, second := i.Client(t), i.Client(t)
		a, b := first.Text("CLIENT", "ID"), second.Text("CLIENT", "ID")
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(first.Text("CLIENT", "LIST", "ID", b, "999999", a, b)), "\n") {
			_, values := fieldsOf(line)
			got = append(got, values["id"])
		}
		if want := []string{b, a, b}; !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", name, got, want)
		}
	}
}

func TestTheLinkToThePrimaryIsAClient(t *testing.T) {
	primary := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	replica := startReplicaOf(t, primary)
	c := replica.Client(t)
	primary.Client(t).Must("OK", "SET", "k", "v")
	servertest.Until(t, "the write has come down the link", func() error {
		if v := c.Do("GET", "k"); v != "v" {
			return fmt.Errorf("GET: %v", v)
		}
		return nil
	})
	_, values := fieldsOf(c.Text("CLIENT", "LIST", "TYPE", "master"))
	for name, want := range map[string]string{"flags": "M", "addr": primary.Addr, "user": "(superuser)", "cmd": "set", "db": "0"} {
		if values[name] != want {
			t.Errorf("%s=%s, want %s", name, values[name], want)
		}
	}
	c.Must("1", "CLIENT", "KILL", "TYPE", "master")
	c.Must("0", "CLIENT", "KILL", "TYPE", "master")
	primary.Client(t).Must("OK", "SET", "k", "w")
	servertest.Until(t, "the link is made anew", func() error {
		if v := c.Do("GET", "k"); v != "w" {
			return fmt.Errorf("GET: %v", v)
		}
		return nil
	})
}

// hog makes a client occupy memory by a request that is not complete.
func hog(t *testing.T, c *servertest.Client, bytes int) {
	t.Helper()
	c.Write([]byte("*2\r\n$4\r\nECHO\r\n$" + strconv.Itoa(10*bytes) + "\r\n" + strings.Repeat("x", bytes)))
}

// memoryOf is tot-mem of a client; 0 when it is gone.
func memoryOf(t *testing.T, admin *servertest.Client, id string) int {
	t.Helper()
	_, values := fieldsOf(admin.Text("CLIENT", "LIST", "ID", id))
	if values["tot-mem"] == "" {
		return 0
	}
	n, err := strconv.Atoi(values["tot-mem"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestClientsAreEvictedByWeight(t *testing.T) {
	i := servertest.Start(t)
	admin, small, large, spared := i.Client(t), i.Client(t), i.Client(t), i.Client(t)
	spared.Must("OK", "CLIENT", "NO-EVICT", "ON")
	ids := []string{small.Text("CLIENT", "ID"), large.Text("CLIENT", "ID"), spared.Text("CLIENT", "ID")}
	hog(t, small, 100<<10)
	hog(t, large, 1<<20)
	hog(t, spared, 4<<20)
	weights := make([]int, 3)
	servertest.Until(t, "all is received", func() error {
		for n, id := range ids {
			weights[n] = memoryOf(t, admin, id)
		}
		if weights[0] < 100<<10 || weights[1] < 1<<20 || weights[2] < 4<<20 {
			return fmt.Errorf("they occupy %v", weights)
		}
		return nil
	})
	limit := weights[0] + weights[2] + 100<<10
	admin.Must("OK", "CONFIG", "SET", "maxmemory-clients", strconv.Itoa(limit))
	large.AwaitClose()
	if n := admin.Info("stats")["evicted_clients"]; n != "1" {
		t.Errorf("evicted_clients is %s, want 1", n)
	}
	admin.Must("OK", "CONFIG", "SET", "maxmemory", strconv.Itoa(20*(weights[2]+50<<10)))
	admin.Must("OK", "CONFIG", "SET", "maxmemory-clients", "5%")
	admin.Must("[maxmemory-clients 5%]", "CONFIG", "GET", "maxmemory-clients")
	small.AwaitClose()
	if memoryOf(t, admin, ids[2]) == 0 {
		t.Error("a client was evicted that is not to be")
	}
}

func TestAReplyThatOnlyOneClientCouldHoldEvictsIt(t *testing.T) {
	i := servertest.Start(t, "--maxmemory-clients", "3mb")
	admin, reader := i.Client(t), i.Client(t)
	admin.Must("OK", "SET", "k", strings.Repeat("x", 1<<20))
	for range 8 {
		reader.Send("GET", "k")
	}
	servertest.Until(t, "somebody is evicted", func() error {
		if n := admin.Info("stats")["evicted_clients"]; n != "1" {
			return fmt.Errorf("evicted_clients is %s", n)
		}
		return nil
	})
}

func TestRefusalsOfClientCommandsAreThoseOfRedis(t *testing.T) {
	c := servertest.Start(t).Client(t)
	id := c.Text("CLIENT", "ID")
	for _, row := range []struct{ say, want string }{
		{"KILL MAXAGE x", "ERR maxage is not an integer or out of range"},
		{"KILL MAXAGE 0", "ERR maxage should be greater than 0"},
		{"KILL ID 0", "ERR client-id should be greater than 0"},
		{"LIST ID -1", ""},
		{"LIST ID x", "ERR Invalid client ID"},
		{"PAUSE x", "ERR timeout is not an integer or out of range"},
		{"PAUSE 9223372036854775807", "ERR timeout is out of range"},
		{"PAUSE 1 SOME", "ERR CLIENT PAUSE mode must be WRITE or ALL"},
		{"PAUSE 1 WRITE x", "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."},
		{"UNBLOCK " + id + " ERROR x", "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."},
		{"PAUSE 9000000000000000000 WRITE", "OK"},
		{"UNPAUSE", "OK"},
	} {
		c.Must(row.want, append([]string{"CLIENT"}, strings.Fields(row.say)...)...)
	}
}

// TestALargeArgumentOccupiesWhatItIsLong: the last read of one doubled the buffer, and
// what CLIENT LIST calls qbuf had the request's beginning in it.
func TestALargeArgumentOccupiesWhatItIsLong(t *testing.T) {
	i := servertest.Start(t)
	admin := i.Client(t)
	for _, size := range []int{1 << 20, 3_000_001} {
		c := i.Client(t)
		id := c.Text("CLIENT", "ID")
		c.Write([]byte("*3\r\n$4\r\nECHO\r\n$" + strconv.Itoa(size) + "\r\n" + strings.Repeat("x", size)))
		var values map[string]string
		servertest.Until(t, "all is received", func() error {
			_, values = fieldsOf(admin.Text("CLIENT", "LIST", "ID", id))
			if values["qbuf"] != strconv.Itoa(size) {
				return fmt.Errorf("qbuf=%s, want %d", values["qbuf"], size)
			}
			return nil
		})
		if n := memoryOf(t, admin, id); n > size+8<<10 {
			t.Errorf("%d bytes occupy %d", size, n)
		}
		if values["argv-mem"] != "4" {
			t.Errorf("argv-mem=%s, want the four bytes of ECHO", values["argv-mem"])
		}
	}
}

func TestWhoSendsMoreThanClientsMayOccupyIsEvictedBeforeItIsExecuted(t *testing.T) {
	i := servertest.Start(t, "--maxmemory-clients", "3mb")
	c := i.Client(t)
	c.Must("OK", "MSET", "k", "v", "l", strings.Repeat("x", 1<<20))
	c.Write(servertest.Request("MSET", "k", "w", "l", strings.Repeat("x", 4<<20)))
	c.AwaitClose()
	i.Client(t).Must("v", "GET", "k")
}

func TestWaitingRepliesAreToldToTheByte(t *testing.T) {
	i := servertest.Start(t)
	admin, listener := i.Client(t), i.Client(t)
	id := listener.Text("CLIENT", "ID")
	listener.Send("SUBSCRIBE", "c")
	listener.Receive()
	last := 0
	servertest.Until(t, "its messages wait", func() error {
		for range 20 {
			admin.Do("PUBLISH", "c", strings.Repeat("x", 10_000))
			_, values := fieldsOf(admin.Text("CLIENT", "LIST", "ID", id))
			omem, _ := strconv.Atoi(values["omem"])
			if last > 0 && omem > 0 && omem-last > 11_000 {
				t.Fatalf("omem went from %d to %d for 10,000 bytes", last, omem)
			}
			if want := (omem + 16383) / 16384; values["oll"] != strconv.Itoa(want) || omem > 0 && values["obl"] != "0" {
				t.Fatalf("obl=%s oll=%s omem=%d", values["obl"], values["oll"], omem)
			}
			last = omem
		}
		if last < 200_000 {
			return fmt.Errorf("omem=%d", last)
		}
		return nil
	})
}
