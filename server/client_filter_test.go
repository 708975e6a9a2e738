package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestTheListOfClientsTellsWhatTheyUnderstand(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for _, want := range []string{"", "r"} {
		if _, values := fieldsOf(c.Text("CLIENT", "INFO")); values["capa"] != want {
			t.Errorf("capa=%s, want %q", values["capa"], want)
		}
		c.Must("OK", "CLIENT", "CAPA", "redirect")
	}
}

// listed are the names of the connections that CLIENT LIST shows.
func listed(c *servertest.Client, filter ...string) []string {
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(c.Text(append([]string{"CLIENT", "LIST"}, filter...)...)), "\n") {
		if _, values := fieldsOf(line); values["id"] != "" {
			names = append(names, values["name"])
		}
	}
	return names
}

func TestTheListOfClientsTakesSeveralConditions(t *testing.T) {
	i := servertest.Start(t)
	clients := map[string]*servertest.Client{}
	ids := map[string]string{}
	for _, name := range []string{"alice", "bob", "carol"} {
		c := i.Client(t)
		c.Must("OK", "CLIENT", "SETNAME", name)
		clients[name], ids[name] = c, c.Text("CLIENT", "ID")
	}
	alice := clients["alice"]
	alice.Must("OK", "ACL", "SETUSER", "worker", "on", "nopass", "+@all")
	clients["bob"].Must("OK", "AUTH", "worker", "x")
	clients["carol"].Do("SUBSCRIBE", "news")
	_, bob := fieldsOf(alice.Text("CLIENT", "LIST", "ID", ids["bob"]))
	for _, row := range []struct {
		filter []string
		want   string
	}{
		{nil, "alice bob carol"},
		{[]string{"SKIPME", "YES"}, "bob carol"},
		{[]string{"SKIPME", "no"}, "alice bob carol"},
		{[]string{"USER", "worker"}, "bob"},
		{[]string{"USER", "default", "TYPE", "normal"}, "alice"},
		{[]string{"TYPE", "pubsub", "USER", "worker"}, ""},
		{[]string{"TYPE", "primary"}, ""},
		{[]string{"ADDR", bob["addr"]}, "bob"},
		{[]string{"LADDR", bob["laddr"]}, "alice bob carol"},
		{[]string{"LADDR", bob["laddr"], "ADDR", bob["addr"], "ID", ids["alice"], ids["bob"]}, "bob"},
		{[]string{"ID", ids["carol"], ids["alice"], ids["bob"], "SKIPME", "yes"}, "carol bob"},
		{[]string{"TYPE", "normal", "ID", ids["carol"], "ID", ids["bob"]}, "bob"},
		{[]string{"MAXAGE", "100000"}, ""},
	} {
		if got := strings.Join(listed(alice, row.filter...), " "); got != row.want {
			t.Errorf("CLIENT LIST %v shows %q, want %q", row.filter, got, row.want)
		}
	}
	for filter, want := range map[string]string{
		"USER nobody": "ERR No such user 'nobody'", "SKIPME maybe": "ERR syntax error", "MAXAGE x": "ERR maxage is not an integer or out of range",
		"MAXAGE 0": "ERR maxage should be greater than 0", "TYPE nope": "ERR Unknown client type 'nope'", "ID 0": "", "ID x": "ERR Invalid client ID", "ID 1 x": "ERR syntax error", "ADDR 1.2.3.4:5 LADDR": "ERR syntax error",
		// These came with Valkey 9.
		"NAME alice": "ERR syntax error", "IDLE 1": "ERR syntax error", "FLAGS N": "ERR syntax error",
	} {
		alice.Must(want, append([]string{"CLIENT", "LIST"}, strings.Fields(filter)...)...)
	}
}

func TestSeveralClientsAreKilledByTheirIDs(t *testing.T) {
	i := servertest.Start(t)
	admin, a, b, c := i.Client(t), i.Client(t), i.Client(t), i.Client(t)
	ids := []string{admin.Text("CLIENT", "ID"), a.Text("CLIENT", "ID"), b.Text("CLIENT", "ID"), c.Text("CLIENT", "ID")}
	admin.Must("0", "CLIENT", "KILL", "TYPE", "pubsub", "ID", ids[1], ids[2])
	admin.Must("2", "CLIENT", "KILL", "ID", ids[0], ids[1], ids[1], ids[2], "TYPE", "normal", "SKIPME", "yes")
	a.AwaitClose()
	b.AwaitClose()
	c.Must("PONG", "PING")
	for filter, want := range map[string]string{
		"ID 1 0": "ERR client-id should be greater than 0", "ID x": "ERR client-id should be greater than 0",
		"ID 1 x": "ERR syntax error", "TYPE normal ID": "ERR syntax error",
	} {
		admin.Must(want, append([]string{"CLIENT", "KILL"}, strings.Fields(filter)...)...)
	}
	if left := strings.Fields(admin.Text("CLIENT", "LIST")); !slices.Contains(left, "id="+ids[3]) || slices.Contains(left, "id="+ids[1]) {
		t.Errorf("left: %v", left)
	}
}

func TestASaveCanBeCancelledWhileItRunsAndWhileItIsDue(t *testing.T) {
	const none = "ERR Background saving is currently not in progress or scheduled"
	c := servertest.Start(t, "--save", "").Client(t)
	c.Must(none, "BGSAVE", "CANCEL")
	c.Must("ERR syntax error", "BGSAVE", "CANCEL", "x")
	c.Must("OK", "SET", "k", "v")
	c.Write([]byte("BGSAVE\r\nBGSAVE cancel\r\n")) // at once: the save can not be done in between
	if started, cancelled := c.Receive(), c.Receive(); started != "Background saving started" || cancelled != "Background saving cancelled" {
		t.Errorf("BGSAVE: %v, BGSAVE CANCEL: %v", started, cancelled)
	}
	servertest.Until(t, "the save has ended", func() error {
		if now := c.Info("persistence")["rdb_bgsave_in_progress"]; now != "0" {
			return fmt.Errorf("rdb_bgsave_in_progress:%s", now)
		}
		return nil
	})
	if status := c.Info("persistence")["rdb_last_bgsave_status"]; status != "ok" {
		t.Errorf("rdb_last_bgsave_status:%s; a cancelled save must not stop writes", status)
	}
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "BGSAVE")
	c.Must("QUEUED", "BGSAVE", "CANCEL")
	c.Must("[Background saving scheduled Scheduled background saving cancelled]", "EXEC")
	c.Must(none, "BGSAVE", "CANCEL")
}
