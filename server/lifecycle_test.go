package server_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// awaitExit waits until the server has ended and returns its log.
func awaitExit(t *testing.T, i *servertest.Instance) string {
	t.Helper()
	servertest.Until(t, "the server has ended", func() error {
		select {
		case <-i.Ended():
			return nil
		default:
			return errors.New("still running\n" + i.Log())
		}
	})
	return i.Log()
}

func TestStopping(t *testing.T) {
	for _, row := range []struct {
		name       string
		directives []string
		stop       func(t *testing.T, i *servertest.Instance)
		saved      bool
	}{
		{name: "SIGTERM saves when there are save rules", directives: []string{"--save", "900", "1"},
			stop: func(t *testing.T, i *servertest.Instance) { i.Signal(t, syscall.SIGTERM) }, saved: true},
		{name: "SIGTERM without save rules does not", directives: nil,
			stop: func(t *testing.T, i *servertest.Instance) { i.Signal(t, syscall.SIGTERM) }},
		{name: "shutdown-on-sigterm decides", directives: []string{"--shutdown-on-sigterm", "save"},
			stop: func(t *testing.T, i *servertest.Instance) { i.Signal(t, syscall.SIGTERM) }, saved: true},
		{name: "SHUTDOWN NOSAVE does not save", directives: []string{"--save", "900", "1"},
			stop: func(t *testing.T, i *servertest.Instance) { i.Client(t).Send("SHUTDOWN", "NOSAVE") }},
		{name: "SHUTDOWN SAVE saves without rules", directives: nil,
			stop: func(t *testing.T, i *servertest.Instance) { i.Client(t).Send("SHUTDOWN", "SAVE") }, saved: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			i := servertest.StartProcess(t, append([]string{"--dir", dir}, row.directives...)...)
			i.Client(t).Must("OK", "SET", "k", "v")
			row.stop(t, i)
			text := awaitExit(t, i)
			if !strings.Contains(text, "ready to exit, bye bye") {
				t.Errorf("no good-bye in the log:\n%s", text)
			}
			_, err := os.Stat(filepath.Join(dir, "dump.rdb"))
			if saved := err == nil; saved != row.saved {
				t.Errorf("snapshot written: %v, want %v (%v)", saved, row.saved, err)
			}
			if !row.saved {
				return
			}
			again := servertest.StartProcess(t, "--dir", dir)
			again.Client(t).Must("v", "GET", "k")
		})
	}
}

// TestNothingIsAcknowledgedAfterTheFinalSnapshot: requests behind SHUTDOWN in the
// same pipeline were executed and acknowledged, and lost.
func TestNothingIsAcknowledgedAfterTheFinalSnapshot(t *testing.T) {
	dir := t.TempDir()
	i := servertest.StartProcess(t, "--dir", dir, "--save", "900", "1")
	c := i.Client(t)
	c.Write(slices.Concat(servertest.Request("SET", "before", "1"), servertest.Request("SHUTDOWN"), servertest.Request("SET", "after", "1")))
	var acknowledged []any
	for {
		reply, err := c.Read()
		if err != nil {
			break // it has closed the connection, as it should
		}
		acknowledged = append(acknowledged, reply)
	}
	awaitExit(t, i)
	if len(acknowledged) != 1 {
		t.Errorf("replies %q, want one OK for the write before SHUTDOWN", acknowledged)
	}
	again := servertest.StartProcess(t, "--dir", dir).Client(t)
	again.Must("1", "GET", "before")
	again.Must("<nil>", "GET", "after")
}

func TestAStopThatCanNotSaveDoesNotHappen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	i := servertest.StartProcess(t, "--dir", dir, "--save", "900", "1")
	c := i.Client(t)
	c.Must("OK", "SET", "k", "v")
	if err := os.Remove(dir); err != nil { // the data directory vanishes under it
		t.Fatal(err)
	}
	c.Must("ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN")
	c.Must("v", "GET", "k")
	c.Send("SHUTDOWN", "SAVE", "FORCE")
	awaitExit(t, i)
}

func TestStartUpLinesAreThoseThatToolsWaitFor(t *testing.T) {
	i := servertest.StartProcess(t)
	for _, want := range []string{
		fmt.Sprintf("%d:M ", i.PID()), fmt.Sprintf("pid=%d", i.PID()), " * Server initialized\n", " * Ready to accept connections\n",
	} {
		if !strings.Contains(i.Log(), want) {
			t.Errorf("%q is not in the log:\n%s", want, i.Log())
		}
	}
}

func TestTheLogCanBeJSON(t *testing.T) {
	i := servertest.StartProcess(t, "--log-format", "json")
	for _, line := range strings.Split(strings.TrimSpace(i.Log()), "\n") {
		if !strings.HasPrefix(line, `{"ts":"`) || !strings.Contains(line, `"level":"`) || !strings.HasSuffix(line, "}") {
			t.Errorf("not a JSON line: %s", line)
		}
	}
}

// TestTheBinaryRefusesAWrongConfiguration runs the command itself.
func TestTheBinaryRefusesAWrongConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	bin := filepath.Join(t.TempDir(), "lockstep-server")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/lockstep-server").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	conf := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(conf, []byte("port 0\nmaxclientz 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, conf).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit status 1", err)
	}
	for _, want := range []string{"*** FATAL CONFIG FILE ERROR", conf, "at line 2", ">>> 'maxclientz 5'", `did you mean "maxclients"?`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in the report:\n%s", want, out)
		}
	}
}

func TestSaveRulesTakeASnapshot(t *testing.T) {
	i := servertest.Start(t, "--save", "1", "2")
	c := i.Client(t)
	before := c.Text("LASTSAVE")
	c.Must("OK", "SET", "a", "1")
	c.Must("OK", "SET", "b", "1")
	servertest.Until(t, "a snapshot was taken", func() error {
		info := c.Info("persistence")
		if info["rdb_saves"] != "1" || info["rdb_changes_since_last_save"] != "0" {
			return fmt.Errorf("rdb_saves %s, changes %s, LASTSAVE was %s and is %s", info["rdb_saves"], info["rdb_changes_since_last_save"], before, c.Text("LASTSAVE"))
		}
		return nil
	})
	if _, err := os.Stat(filepath.Join(i.Dir, "dump.rdb")); err != nil {
		t.Error(err)
	}
}

// TestAFlushIsOnDiskSoon: after FLUSHALL and a crash, a restart brought everything
// back until a save rule came due.
func TestAFlushIsOnDiskSoon(t *testing.T) {
	for _, row := range []struct {
		name, save string
		want       string // keys after the restart
	}{
		{"with save rules what was thrown away stays away", "3600 1", "0"},
		{"without save rules the file is the user's business", "", "2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			i := servertest.Start(t, "--dir", dir, "--save", row.save)
			c := i.Client(t)
			c.Must("OK", "MSET", "a", "1", "b", "2")
			c.Must("OK", "SAVE")
			c.Must("OK", "FLUSHALL")
			if row.save != "" {
				servertest.Until(t, "the flush is saved", func() error {
					if n := c.Info("persistence")["rdb_changes_since_last_save"]; n != "0" {
						return fmt.Errorf("%s changes are not saved", n)
					}
					return nil
				})
			}
			c.Send("SHUTDOWN", "NOSAVE", "NOW")
			c.AwaitClose()
			i = servertest.Start(t, "--dir", dir, "--save", "")
			if got := i.Client(t).Text("DBSIZE"); got != row.want {
				t.Errorf("%s keys after the restart; want %s", got, row.want)
			}
		})
	}
}

func TestKeysThatRunOutGoWithoutBeingAskedFor(t *testing.T) {
	i := servertest.Start(t)
	c := i.Client(t)
	for k := range 2000 {
		c.Send("SET", fmt.Sprint("k", k), "v", "PX", "10")
		c.Receive()
	}
	c.Must("OK", "SET", "stays", "v")
	servertest.Until(t, "only one key is left", func() error {
		if n := c.Do("DBSIZE"); n != int64(1) {
			return fmt.Errorf("DBSIZE is %v", n)
		}
		return nil
	})
	if n := c.Info("stats")["expired_keys"]; n != "2000" {
		t.Errorf("expired_keys is %s", n)
	}
}

func TestConfigRewriteOfARunningServer(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(conf, []byte("# mine\ntimeout 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i := servertest.Start(t, conf)
	c := i.Client(t)
	c.Must("OK", "CONFIG", "SET", "timeout", "7", "maxclients", "77")
	c.Must("OK", "CONFIG", "REWRITE")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# mine\ntimeout 7\n# Generated by CONFIG REWRITE\n") || !strings.Contains(string(text), "\nmaxclients 77\n") {
		t.Errorf("the file is now:\n%s", text)
	}
	i.Stop(t)
	servertest.Start(t, conf).Client(t).Must("[maxclients 77]", "CONFIG", "GET", "maxclients")
}

func TestListeningElsewhereWhileRunning(t *testing.T) {
	i := servertest.Start(t)
	c := i.Client(t)
	other := servertest.FreePort(t)
	c.Must("OK", "CONFIG", "SET", "port", fmt.Sprint(other))
	servertest.Dial(t, fmt.Sprintf("127.0.0.1:%d", other)).Must("PONG", "PING")
	c.Must("PONG", "PING")
	taken := servertest.Start(t)
	c.Must("ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
		"CONFIG", "SET", "port", fmt.Sprint(taken.Port))
	servertest.Dial(t, fmt.Sprintf("127.0.0.1:%d", other)).Must("PONG", "PING")
}

func TestABusyPortIsToldInTheLogFileToo(t *testing.T) {
	taken := servertest.Start(t)
	file := filepath.Join(t.TempDir(), "log")
	err := servertest.TryStart(t, "--port", fmt.Sprint(taken.Port), "--logfile", file)
	want := fmt.Sprintf("listen on 127.0.0.1 port %d: bind: address already in use; another process listens there: end it, or set the directive port to another port", taken.Port)
	if err == nil || err.Error() != want {
		t.Errorf("the start ends with %v\nwant %s", err, want)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "Not started: "+want) {
		t.Errorf("the log file says:\n%s", text)
	}
}

func TestDebugIsOffUnlessAskedFor(t *testing.T) {
	for _, row := range []struct{ setting, want string }{
		{"no", "ERR DEBUG command not allowed."}, {"yes", "OK"}, {"local", "OK"},
	} {
		c := servertest.Start(t, "--enable-debug-command", row.setting).Client(t)
		if got := fmt.Sprint(c.Do("DEBUG", "SLEEP", "0")); !strings.HasPrefix(got, row.want) {
			t.Errorf("enable-debug-command %s: %s", row.setting, got)
		}
	}
}

func TestDigestsAreThoseOfRedis(t *testing.T) {
	ours := servertest.Start(t, "--enable-debug-command", "yes").Client(t)
	real := servertest.StartRedis(t, "--enable-debug-command", "yes").Client(t)
	for _, c := range []*servertest.Client{ours, real} {
		c.Do("SET", "a", "1")
		c.Do("SET", "b", "text", "EX", "1000")
		c.Do("SELECT", "3")
		c.Do("SET", "long", strings.Repeat("x", 1000))
		c.Do("DEBUG", "POPULATE", "100", "p", "20")
		c.Do("DEBUG", "POPULATE", "10")
	}
	for _, words := range [][]string{{"DEBUG", "DIGEST"}, {"DEBUG", "DIGEST-VALUE", "long", "p:1", "key:3", "nokey"}, {"GET", "p:1"}, {"GET", "key:1"}} {
		if got, want := fmt.Sprint(ours.Do(words...)), fmt.Sprint(real.Do(words...)); got != want {
			t.Errorf("%v: got %s, want %s", words, got, want)
		}
	}
}

func TestReloadKeepsTheData(t *testing.T) {
	c := servertest.Start(t, "--enable-debug-command", "yes").Client(t)
	c.Must("OK", "DEBUG", "POPULATE", "1000")
	c.Must("OK", "SET", "volatile", "v", "EX", "1000")
	before := c.Text("DEBUG", "DIGEST")
	c.Must("OK", "DEBUG", "RELOAD")
	if after := c.Text("DEBUG", "DIGEST"); after != before {
		t.Errorf("digest was %s and is %s", before, after)
	}
}

// TestDirectivesOfRedis asks the real server for all of its directives: each has
// to be known here, and those that mean something to have the same default.
func TestDirectivesOfRedis(t *testing.T) {
	ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
	all, ok := real.Do("CONFIG", "GET", "*").([]any)
	if !ok {
		t.Fatal("CONFIG GET * is no array")
	}
	own := map[string]bool{"port": true, "dir": true, "pidfile": true, "logfile": true}
	for k := 0; k+1 < len(all); k += 2 {
		name, want := fmt.Sprint(all[k]), fmt.Sprint(all[k+1])
		got, ok := ours.Do("CONFIG", "GET", name).([]any)
		if !ok || len(got) != 2 {
			t.Errorf("%s is unknown", name)
			continue
		}
		if fmt.Sprint(got[1]) != want && !own[name] {
			t.Errorf("%s is %q here and %q in Redis", name, got[1], want)
		}
	}
}

func TestInfoHasTheFieldsOfRedis(t *testing.T) {
	ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
	for _, c := range []*servertest.Client{ours, real} {
		c.Do("SET", "a", "1")
		c.Do("NOSUCH")
	}
	missing := []string{}
	have := ours.Info("everything")
	for name := range real.Info("everything") {
		if _, ok := have[name]; !ok && !strings.HasPrefix(name, "cmdstat_") && !strings.HasPrefix(name, "latency_percentiles") {
			missing = append(missing, name)
		}
	}
	allowed := "gcc_version " // it was not compiled with one
	for _, name := range missing {
		if !strings.Contains(allowed, name+" ") {
			t.Errorf("INFO has no %s", name)
		}
	}
}

func TestInfoSections(t *testing.T) {
	c := servertest.Start(t).Client(t)
	for _, row := range []struct{ args, has, lacks string }{
		{"", "# Server|# Keyspace", "# Commandstats|# Latencystats"},
		{"all", "# Server|# Commandstats|# Latencystats", ""},
		{"everything", "# Server|# Commandstats", ""},
		{"default", "# Server", "# Commandstats"},
		{"clients memory", "# Clients|# Memory", "# Server"},
		{"COMMANDSTATS", "# Commandstats", "# Server"},
		{"lockstep", "# Lockstep|lockstep_version:|lockstep_managed:0", "lockstep_role"},
		{"nosuch", "", "#"},
	} {
		text := c.Text(append([]string{"INFO"}, strings.Fields(row.args)...)...)
		for _, want := range strings.Split(row.has, "|") {
			if !strings.Contains(text, want) {
				t.Errorf("INFO %s lacks %q", row.args, want)
			}
		}
		for _, other := range strings.Split(row.lacks, "|") {
			if other != "" && strings.Contains(text, other) {
				t.Errorf("INFO %s has %q", row.args, other)
			}
		}
	}
}

func TestInfoTellsOfTheTurnsOfTheLoop(t *testing.T) {
	c := servertest.Start(t, "--hz", "100", "--availability-zone", "here").Client(t)
	for range 10 {
		c.Must("PONG", "PING")
	}
	info := c.Info("stats", "debug", "server")
	for _, name := range []string{"eventloop_cycles", "eventloop_duration_sum", "eventloop_duration_cmd_sum", "eventloop_duration_max",
		"eventloop_cmd_per_cycle_max"} {
		if n, err := strconv.Atoi(info[name]); err != nil || n <= 0 {
			t.Errorf("%s:%s", name, info[name])
		}
	}
	if info["availability_zone"] != "here" {
		t.Errorf("availability_zone:%s", info["availability_zone"])
	}
	servertest.Until(t, "rates are known", func() error {
		info := c.Info("stats", "debug")
		for _, name := range []string{"instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec", "eventloop_duration_cron_sum"} {
			if n, err := strconv.Atoi(info[name]); err != nil || n <= 0 {
				return fmt.Errorf("%s:%s", name, info[name])
			}
		}
		return nil
	})
	if strings.Contains(c.Text("INFO", "everything"), "# Debug") {
		t.Error("INFO everything has the section that is shown by name only")
	}
	if greeting := fmt.Sprint(c.Do("HELLO", "2")); !strings.Contains(greeting, "availability_zone here") {
		t.Errorf("HELLO does not tell the zone: %s", greeting)
	}
}

// TestASecondShutdownWaitsAsTheFirst: it ended the server at once, without the replica
// that the first one waited for.
func TestASecondShutdownWaitsAsTheFirst(t *testing.T) {
	i := servertest.StartProcess(t, "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "100")
	w := dialReplica(t, i)
	w.online()
	admin, first, second := i.Client(t), i.Client(t), i.Client(t)
	admin.Must("OK", "SET", "k", "v") // which the replica never acknowledges
	first.Send("SHUTDOWN")
	second.Send("SHUTDOWN")
	servertest.Until(t, "both wait", func() error {
		info := admin.Info("everything")
		if left, err := strconv.Atoi(info["shutdown_in_milliseconds"]); err != nil || left <= 0 || info["blocked_clients"] != "2" {
			return fmt.Errorf("shutdown_in_milliseconds:%s, blocked_clients:%s", info["shutdown_in_milliseconds"], info["blocked_clients"])
		}
		return nil
	})
	admin.Must("OK", "SHUTDOWN", "ABORT")
	for _, c := range []*servertest.Client{first, second} {
		if reply := fmt.Sprint(c.Receive()); reply != "ERR Errors trying to SHUTDOWN. Check logs." {
			t.Errorf("the waiting SHUTDOWN was told %q", reply)
		}
	}
	if _, there := admin.Info("server")["shutdown_in_milliseconds"]; there {
		t.Error("the shutdown is still announced")
	}
	admin.Send("SHUTDOWN", "NOW")
	if text := awaitExit(t, i); !strings.Contains(text, "Lagging replica") || !strings.Contains(text, "0 of 1 replicas are in sync") {
		t.Errorf("the log does not tell who lagged:\n%s", text)
	}
}
