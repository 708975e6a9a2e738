package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// aclScript is replayed on this server and on the real one.
const aclScript = `
	ACL
	ACL nosuch
	ACL HELP
	ACL WHOAMI
	ACL USERS
	ACL CAT
	ACL CAT nosuch
	ACL CAT a b
	ACL CAT connection
	ACL GENPASS 0
	ACL GENPASS -1
	ACL GENPASS 4097
	ACL GENPASS x
	ACL GENPASS 1 2
	ACL LOAD
	ACL SAVE
	ACL LOAD x
	ACL LOG
	ACL LOG x
	ACL LOG -1
	ACL LOG 1 2
	ACL LOG RESET
	ACL GETUSER nosuch
	ACL GETUSER default
	ACL LIST
	ACL SETUSER
	ACL SETUSER alice
	ACL GETUSER alice
	ACL SETUSER alice on >one >two ~a* %R~r* %W~w* &c* +config|get
	ACL GETUSER alice
	ACL LIST
	ACL SETUSER alice on nosuch
	ACL SETUSER alice +nosuch
	ACL SETUSER alice +@nosuch
	ACL SETUSER alice +config|nosuch
	ACL SETUSER alice -select|0
	ACL SETUSER alice +config|get|x
	ACL SETUSER alice +get|
	ACL SETUSER alice %X~a
	ACL SETUSER alice %~a
	ACL SETUSER alice %RR~a
	ACL SETUSER alice %
	ACL SETUSER alice +
	ACL SETUSER alice +@
	ACL SETUSER alice (
	ACL SETUSER alice "(+get"
	ACL SETUSER alice (foo)
	ACL SETUSER alice ~* ~a
	ACL SETUSER alice &* &a
	ACL SETUSER alice <nosuch
	ACL SETUSER alice #abc
	ACL SETUSER alice !abc
	ACL SETUSER alice "~a b"
	ACL SETUSER alice "&a b"
	ACL SETUSER "a b" on
	ACL GETUSER alice
	ACL SETUSER bob on nopass ( +get ~x ) "(+set %W~y -@all)" allchannels
	ACL GETUSER bob
	ACL SETUSER bob clearselectors resetchannels
	ACL GETUSER bob
	ACL SETUSER bob reset
	ACL USERS
	ACL DELUSER
	ACL DELUSER default bob
	ACL DELUSER nosuch bob bob
	ACL USERS
	ACL DRYRUN nosuch get k
	ACL DRYRUN alice nosuch
	ACL DRYRUN alice get
	ACL DRYRUN alice config
	AUTH alice wrong
	AUTH nosuch x
	AUTH x
	ACL WHOAMI
	HELLO 2 AUTH alice wrong
	AUTH alice two
	CONFIG GET hz x y
	RESET
	ACL WHOAMI`

// asIn7 makes what later versions say on top of it, or in other words, comparable.
func asIn7(reply string) string {
	reply = strings.ReplaceAll(reply, " sanitize-payload", "")
	reply = strings.ReplaceAll(reply, "*2\r\n$3\r\noff\r\n$16\r\nsanitize-payload\r\n", "*1\r\n$3\r\noff\r\n")
	reply = strings.ReplaceAll(reply, "*2\r\n$2\r\non\r\n$16\r\nsanitize-payload\r\n", "*1\r\n$2\r\non\r\n")
	reply = strings.ReplaceAll(reply, "*3\r\n$2\r\non\r\n$6\r\nnopass\r\n$16\r\nsanitize-payload\r\n", "*2\r\n$2\r\non\r\n$6\r\nnopass\r\n")
	return regexp.MustCompile(`\$\d+\r\nuser `).ReplaceAllString(reply, "user ") // the lines' lengths
}

func TestACLRepliesAreThoseOfRedis(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
		ours.Do("HELLO", proto)
		real.Do("HELLO", proto)
		for _, line := range strings.Split(strings.TrimSpace(aclScript), "\n") {
			words := splitWords(t, line)
			got, want := ours.Raw(words...), real.Raw(words...)
			if len(words) == 3 && words[1] == "CAT" {
				got, want = inOrder(got), inOrder(want)
			}
			if proto == "3" {
				got = strings.ReplaceAll(got, "~2\r\n$3\r\noff\r\n$16\r\nsanitize-payload\r\n", "~1\r\n$3\r\noff\r\n")
				got = strings.ReplaceAll(got, "~2\r\n$2\r\non\r\n$16\r\nsanitize-payload\r\n", "~1\r\n$2\r\non\r\n")
				got = strings.ReplaceAll(got, "~3\r\n$2\r\non\r\n$6\r\nnopass\r\n$16\r\nsanitize-payload\r\n", "~2\r\n$2\r\non\r\n$6\r\nnopass\r\n")
			}
			if asIn7(got) != asIn7(want) {
				t.Errorf("RESP%s %s\n  ours  %q\n  Redis %q", proto, strings.TrimSpace(line), asIn7(got), asIn7(want))
			}
		}
	}
}

// inOrder sorts the lines of a reply; commands that came with later versions are left
// out with its length.
func inOrder(reply string) string {
	var words []string
	for _, w := range strings.Split(reply, "\r\n") {
		if !strings.HasPrefix(w, "*") && !strings.HasPrefix(w, "$") && w != "client|setinfo" && w != "client|no-touch" && w != "client|capa" && w != "client|import-source" && w != "waitaof" {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// requestsToTry are what the rules are held against: every way in which keys, channels
// and first arguments are found.
var requestsToTry = []string{
	"GET a", "SET a v", "SET a v GET", "MGET a b c", "MSET a 1 b 2", "DEL a b", "EXISTS c", "RENAME a b", "COPY b a", "TYPE x",
	"INCR a", "APPEND b v", "GETDEL a", "GETEX a PERSIST", "EXPIRE b 1", "TTL c", "BITOP AND a b c", "SETRANGE c 1 x", "STRLEN x", "OBJECT ENCODING a",
	"MEMORY USAGE b", "DUMP a", "TOUCH a x", "UNLINK b", "SORT a", "SORT b STORE c", "SORT_RO a", "WATCH a", "LCS a b",
	"PUBLISH a m", "SUBSCRIBE a b", "PSUBSCRIBE a*", "PSUBSCRIBE *", "SPUBLISH b m", "UNSUBSCRIBE c",
	"PING", "ECHO x", "SELECT 0", "SELECT 1", "CONFIG GET a", "CONFIG SET a b", "CONFIG REWRITE", "CLIENT LIST", "CLIENT ID", "ACL WHOAMI", "ACL LIST",
	"INFO", "DBSIZE", "FLUSHALL", "KEYS a*", "SCAN 0", "MULTI", "EXEC", "AUTH x", "HELLO", "COMMAND COUNT", "SLOWLOG GET", "DEBUG SLEEP 0", "SHUTDOWN", "REPLICAOF no one",
	"PFADD a x", "PFMERGE a b c", "PFCOUNT b", "LPUSH a v", "LMPOP 2 a b LEFT", "BLPOP a b 0", "SADD a v", "SUNIONSTORE a b c", "SINTERCARD 2 a b",
	"HSET a f v", "HGETALL b", "ZADD a 1 v", "ZUNIONSTORE a 2 b c", "ZRANGESTORE a b 0 1", "GEOSEARCHSTORE a b FROMMEMBER m BYRADIUS 1 m", "GEORADIUS a 1 1 1 m STORE b",
	"XADD a * f v", "XREAD STREAMS a b 0 0", "EVAL x 1 a", "EVAL x 0", "FCALL f 2 a b", "MIGRATE h 1 a 0 1",
}

// namesToTry are commands, subcommands and first arguments in rules.
var namesToTry = strings.Fields("get set mget del config config|get config|set client client|list publish subscribe psubscribe sort select rename copy object memory|usage acl|whoami select|0 debug bitop eval xadd lpush zunionstore")

// randomRules makes up to n rules, some of them wrong.
func randomRules(rng *rand.Rand, names []string, n int) []string {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	name := func() string { return pick(names...) }
	category := func() string {
		return pick("all", "read", "write", "keyspace", "string", "admin", "dangerous", "fast", "slow", "connection", "pubsub", "transaction", "bitmap", "blocking", "scripting", "list", "nosuch")
	}
	pattern := func() string { return pick("a", "b", "c", "a*", "[ab]", "?", "x*") }
	rules := make([]string, rng.IntN(n)+1)
	for i := range rules {
		switch rng.IntN(10) {
		case 0, 1:
			rules[i] = pick("+", "-") + name()
		case 2, 3:
			rules[i] = pick("+", "+", "-") + "@" + category()
		case 4, 5:
			rules[i] = pick("~", "~", "%R~", "%W~", "%RW~") + pattern()
		case 6:
			rules[i] = "&" + pick("a", "b*", "a*", "*")
		case 7:
			rules[i] = pick("allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands")
		case 8:
			rules[i] = pick("on", "off", "nopass", "resetpass", "reset", "clearselectors", "sanitize-payload")
		default:
			rules[i] = "(" + pick("+", "-") + pick("@read", "@write", "@all", "get", "set", "publish", "copy") + " " + pick("~", "%R~", "%W~") + pattern() + pick("", " &a*", " +mget") + ")"
		}
	}
	return rules
}

func TestRandomRulesAllowWhatTheyAllowInRedis(t *testing.T) {
	ours, real := servertest.Start(t).Client(t), servertest.StartRedis(t).Client(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	exists := func(name string) bool {
		name, _, _ = strings.Cut(name, "|")
		return ours.Do("COMMAND", "INFO", name).([]any)[0] != nil
	}
	var known [][]string
	for _, request := range requestsToTry {
		if words := strings.Fields(request); exists(words[0]) {
			known = append(known, words)
		}
	}
	names := []string{"nosuch"}
	for _, name := range namesToTry {
		if exists(name) {
			names = append(names, name)
		}
	}
	rounds := 150
	if testing.Short() {
		rounds = 50 // of other rules every time
	}
	for n := range rounds {
		user := fmt.Sprint("u", n%20)
		for range 3 {
			set := append([]string{"ACL", "SETUSER", user}, randomRules(rng, names, 6)...)
			if got, want := ours.Raw(set...), real.Raw(set...); got != want {
				t.Fatalf("%q\n  ours  %q\n  Redis %q", set, got, want)
			}
		}
		for range 30 {
			try := append([]string{"ACL", "DRYRUN", user}, known[rng.IntN(len(known))]...)
			if got, want := verdict(ours.Raw(try...)), verdict(real.Raw(try...)); got != want {
				t.Errorf("%q\n  ours  %q\n  Redis %q\n  rules %v\n  Redis %v", try, got, want, ours.Do("ACL", "LIST"), real.Do("ACL", "LIST"))
			}
		}
	}
}

// verdict is what a reply of ACL DRYRUN says, without the words around it.
func verdict(reply string) string {
	reply = regexp.MustCompile(`^\$\d+\r\n(This user|User \S+) has`).ReplaceAllString(reply, "user has")
	return reply
}

func TestWhatAUserMayNotDoIsRefusedAndLogged(t *testing.T) {
	i := servertest.Start(t)
	admin, c := i.Client(t), i.Client(t)
	admin.Must("OK", "ACL", "SETUSER", "alice", "on", ">pw", "+get", "+mget", "+multi", "+exec", "+publish", "+subscribe", "+hello", "~a*", "&c")
	c.Must("OK", "AUTH", "alice", "pw")
	c.Must("NOPERM User alice has no permissions to run the 'set' command", "SET", "a", "1")
	c.Must("NOPERM User alice has no permissions to run the 'config|get' command", "CONFIG", "GET", "port")
	c.Must("NOPERM No permissions to access a key", "GET", "b")
	c.Must("NOPERM No permissions to access a key", "GET", "b")
	c.Must("NOPERM No permissions to access a channel", "PUBLISH", "d", "m")
	c.Must("OK", "MULTI")
	c.Must("QUEUED", "GET", "a")
	c.Must("NOPERM No permissions to access a key", "MGET", "a", "z")
	c.Must("EXECABORT Transaction discarded because of previous errors.", "EXEC")
	c.Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "bob", "pw")

	var got []string
	for _, e := range admin.Do("ACL", "LOG", "100").([]any) {
		f := e.([]any)
		got = append(got, fmt.Sprintf("%v %v %v %v %v %v", f[15], f[1], f[3], f[5], f[7], f[9]))
		if !strings.Contains(fmt.Sprint(f[13]), "user=alice") || fmt.Sprint(f[17]) > fmt.Sprint(f[19]) {
			t.Errorf("entry %v", f)
		}
	}
	want := []string{"5 1 auth toplevel AUTH bob", "4 1 key multi z alice", "3 1 channel toplevel d alice", "2 2 key toplevel b alice",
		"1 1 command toplevel config|get alice", "0 1 command toplevel set alice"}
	if !slices.Equal(got, want) {
		t.Errorf("ACL LOG: %q", got)
	}
	for name, n := range map[string]string{"auth": "1", "cmd": "2", "key": "3", "channel": "1"} {
		if is := admin.Info("stats")["acl_access_denied_"+name]; is != n {
			t.Errorf("acl_access_denied_%s is %s, want %s", name, is, n)
		}
	}
	admin.Must("OK", "CONFIG", "SET", "acllog-max-len", "2")
	if n := len(admin.Do("ACL", "LOG").([]any)); n != len(want) {
		t.Errorf("%d entries: a smaller acllog-max-len has taken what was there", n)
	}
	c.Must("NOPERM No permissions to access a key", "GET", "new")
	if n := len(admin.Do("ACL", "LOG").([]any)); n != 2 {
		t.Errorf("%d entries above acllog-max-len 2", n)
	}
	if line := admin.Text("CLIENT", "LIST"); !strings.Contains(line, " user=alice ") || !strings.Contains(line, " user=default ") {
		t.Errorf("CLIENT LIST: %s", line)
	}
	admin.Must("1", "CLIENT", "KILL", "USER", "alice")
	if rest := c.AwaitClose(); rest != "" {
		t.Errorf("a client that was killed reads %q", rest)
	}
}

func TestRulesThatChangeConcernWhatIsQueuedAlready(t *testing.T) {
	i := servertest.Start(t)
	admin, c := i.Client(t), i.Client(t)
	admin.Must("OK", "ACL", "SETUSER", "alice", "on", "nopass", "+@all", "~*", "&*")
	c.Must("OK", "AUTH", "alice", "x")
	c.Must("OK", "MULTI")
	for _, key := range []string{"a", "b"} {
		c.Must("QUEUED", "SET", key, "1")
	}
	c.Must("QUEUED", "INCR", "a")
	admin.Must("OK", "ACL", "SETUSER", "alice", "-incr", "resetkeys", "~a")
	const changed = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: "
	got := c.Do("EXEC").([]any)
	want := []string{"OK", changed + "no permission to touch the specified keys", changed + "no permission to execute the command or subcommand"}
	for n := range want {
		if fmt.Sprint(got[n]) != want[n] {
			t.Errorf("reply %d: %v", n, got[n])
		}
	}
	c.Must("OK", "SET", "a", "2") // the failed EXEC has left nothing behind
	if got := admin.Info("commandstats")["cmdstat_exec"]; !strings.HasSuffix(got, ",rejected_calls=0,failed_calls=1") {
		t.Errorf("EXEC of which the last command is denied: %s", got)
	}
}

func TestWhoLosesARightIsHungUpOn(t *testing.T) {
	i := servertest.Start(t)
	admin := i.Client(t)
	login := func(name string, then ...string) *servertest.Client {
		t.Helper()
		admin.Must("OK", "ACL", "SETUSER", name, "on", "nopass", "+@all", "~*", "&a*", "&p*")
		c := i.Client(t)
		c.Must("OK", "AUTH", name, "x")
		c.Do(then...)
		return c
	}
	listener, matcher := login("one", "SUBSCRIBE", "ab"), login("two", "PSUBSCRIBE", "p*")
	stays, deleted, itself := login("three", "SUBSCRIBE", "ab"), login("four", "PING"), login("five", "PING")
	admin.Must("OK", "ACL", "SETUSER", "three", "&b*") // more than before
	admin.Must("OK", "ACL", "SETUSER", "one", "resetchannels", "&b*")
	admin.Must("OK", "ACL", "SETUSER", "two", "resetchannels", "&p?*")
	admin.Must("1", "ACL", "DELUSER", "four")
	for name, c := range map[string]*servertest.Client{"listener": listener, "matcher": matcher, "deleted": deleted} {
		if rest := c.AwaitClose(); rest != "" {
			t.Errorf("the %s reads %q", name, rest)
		}
	}
	stays.Write([]byte("PING\r\n"))
	if got := fmt.Sprint(stays.Receive()); got != "[pong ]" {
		t.Errorf("who may still listen reads %s", got)
	}
	itself.Must("1", "ACL", "DELUSER", "five")
	if rest := itself.AwaitClose(); rest != "" {
		t.Errorf("who has deleted itself reads %q after the reply", rest)
	}
}

func TestTheDefaultUserDecidesAboutStrangers(t *testing.T) {
	i := servertest.Start(t)
	admin, early := i.Client(t), i.Client(t)
	early.Must("PONG", "PING")
	admin.Must("OK", "ACL", "SETUSER", "default", ">pw")
	early.Must("PONG", "PING") // who is in stays in
	late := i.Client(t)
	late.Must("NOAUTH Authentication required.", "PING")
	late.Must("OK", "AUTH", "pw")
	admin.Must("OK", "CONFIG", "SET", "requirepass", "other")
	late.Must("PONG", "PING")
	i.Client(t).Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "pw")
	admin.Must("OK", "ACL", "SETUSER", "admin", "on", "nopass", "+@all", "~*")
	admin.Must("OK", "ACL", "SETUSER", "default", "off")
	last := i.Client(t)
	last.Must("WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "other")
	last.Must("OK", "AUTH", "admin", "x")
	last.Must("admin", "ACL", "WHOAMI")
	last.Must("OK", "ACL", "SETUSER", "default", "on", "nopass", "-@all", "+ping")
	stranger := i.Client(t)
	stranger.Must("PONG", "PING")
	stranger.Must("NOPERM User default has no permissions to run the 'get' command", "GET", "k")
}

func TestUsersLiveInAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.acl")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user default on nopass ~* &* +@all\nuser alice on >pw +@all ~* &*\nuser bob on >pw +@all ~*\n")
	i := servertest.Start(t, "--dir", dir, "--aclfile", "users.acl")
	admin, alice, bob := i.Client(t), i.Client(t), i.Client(t)
	alice.Must("OK", "AUTH", "alice", "pw")
	bob.Must("OK", "AUTH", "bob", "pw")
	write("user alice on >pw +get ~*\nuser bob +nosuch\n")
	admin.Must("ERR users.acl:2: Error in applying operation '+nosuch': Unknown command or category name in ACL. "+
		"WARNING: ACL errors detected, no change to the previously active ACL rules was performed", "ACL", "LOAD")
	bob.Must("OK", "SET", "k", "v")
	write("user alice on >pw +get ~*\n")
	admin.Must("OK", "ACL", "LOAD")
	if rest := bob.AwaitClose(); rest != "" {
		t.Errorf("a user that is gone reads %q", rest)
	}
	alice.Must("v", "GET", "k")
	alice.Must("NOPERM User alice has no permissions to run the 'set' command", "SET", "k", "w")
	admin.Must("OK", "ACL", "SETUSER", "carol", "on", ">x", "(+get ~a)")
	admin.Must("OK", "ACL", "SAVE")
	content, err := os.ReadFile(path)
	if err != nil || strings.Count(string(content), "\n") != 3 || !strings.Contains(string(content), "user carol on sanitize-payload #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 resetchannels -@all (~a resetchannels -@all +get)\n") {
		t.Errorf("the file is %q, %v", content, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	admin.Must("ERR Error loading ACLs, opening file 'users.acl': No such file or directory", "ACL", "LOAD")
}

func TestUsersLiveInTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.conf")
	if err := os.WriteFile(path, []byte("# ours\nuser alice on >pw ~a +get (+set ~b)\nhz 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := servertest.Start(t, path)
	c := first.Client(t)
	c.Must("OK", "ACL", "SETUSER", "bob", "on", "nopass", `~"quoted"`, "+@read")
	c.Must("OK", "ACL", "SETUSER", "default", "-debug")
	c.Must("OK", "CONFIG", "REWRITE")
	want := fmt.Sprint(c.Do("ACL", "LIST"))
	first.Stop(t)
	again := servertest.Start(t, path).Client(t)
	if got := fmt.Sprint(again.Do("ACL", "LIST")); got != want {
		t.Errorf("after a restart %s\nbefore it       %s", got, want)
	}
	content, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(content), "# ours\nuser alice on ") || !strings.Contains(string(content), "\nhz 20\n") {
		t.Errorf("the file is %q, %v", content, err)
	}
}

func TestWrongUsersStopTheStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.acl")
	if err := os.WriteFile(path, []byte("user alice +nosuch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, directives := range map[string][]string{
		"Error in user declaration 'alice': Unknown command":         {"--user", "alice", "on", "+nosuch"},
		"Duplicate user found":                                       {"--user", "alice", "--user", "alice"},
		"users.acl:1: Error in applying operation '+nosuch'":         {"--aclfile", path},
		"opening file '/nosuch': No such file or directory":          {"--aclfile", "/nosuch"},
		"please define either an ACL file or declare users directly": {"--aclfile", path, "--user", "alice"},
	} {
		if err := servertest.TryStart(t, directives...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", directives, err, want)
		}
	}
}

func TestScriptsMayDoWhatTheirUserMay(t *testing.T) {
	i := servertest.Start(t)
	admin, c := i.Client(t), i.Client(t)
	admin.Must("OK", "ACL", "SETUSER", "alice", "on", "nopass", "+eval", "+fcall", "+get", "+incr", "~a*")
	admin.Must("lib", "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('SET', keys[1], '1') end)")
	c.Must("OK", "AUTH", "alice", "x")
	for _, test := range []struct {
		want    string
		request []string
	}{
		{"1", []string{"EVAL", "return redis.call('INCR', KEYS[1])", "1", "a"}},
		{"NOPERM No permissions to access a key", []string{"EVAL", "return 1", "1", "b"}},
		{"NOPERM ACL failure in script: No permissions to access a key script: ", []string{"EVAL", "return redis.call('GET', 'b')", "0"}},
		{"NOPERM ACL failure in script: User alice has no permissions to run the 'set' command script: ", []string{"EVAL", "return redis.call('SET', KEYS[1], '1')", "1", "a"}},
		{"NOPERM ACL failure in script: User alice has no permissions to run the 'set' command", []string{"EVAL", "return redis.pcall('SET', KEYS[1], '1')", "1", "a"}},
		{"NOPERM ACL failure in script: User alice has no permissions to run the 'set' command script: f", []string{"FCALL", "f", "1", "a"}},
		{"[1 <nil> <nil>]", []string{"EVAL", "return {redis.acl_check_cmd('GET', 'a'), redis.acl_check_cmd('GET', 'b'), redis.acl_check_cmd('SET', 'a', '1')}", "0"}},
	} {
		if got := fmt.Sprint(c.Do(test.request...)); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q: %s, want %s", test.request, got, test.want)
		}
	}
	var denied []string
	for _, e := range admin.Do("ACL", "LOG", "100").([]any) {
		f := e.([]any)
		denied = append(denied, fmt.Sprintf("%v %v %v %v", f[1], f[3], f[5], f[7]))
	}
	if want := []string{"3 command lua set", "1 key lua b", "1 key toplevel b"}; !slices.Equal(denied, want) {
		t.Errorf("ACL LOG: %q", denied)
	}
}

func TestSortMakesUpNamesOnlyForWhoReadsEverything(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{"ours": servertest.Start, "redis-server": servertest.StartRedis} {
		c := start(t).Client(t)
		c.Do("RPUSH", "a", "1", "2")
		c.Must("OK", "ACL", "SETUSER", "some", "on", "nopass", "+sort", "~a")
		c.Must("OK", "ACL", "SETUSER", "all", "on", "nopass", "+sort", "%R~*", "~a")
		c.Must("OK", "AUTH", "all", "x")
		c.Must("[<nil> <nil>]", "SORT", "a", "BY", "w*", "GET", "x*")
		c.Must("OK", "AUTH", "some", "x")
		for request, want := range map[string]string{
			"SORT a": "[1 2]", "SORT a BY nosort": "[1 2]",
			"SORT a BY w*":  "ERR BY option of SORT denied due to insufficient ACL permissions.",
			"SORT a GET x*": "ERR GET option of SORT denied due to insufficient ACL permissions.",
		} {
			if got := fmt.Sprint(c.Do(strings.Fields(request)...)); got != want {
				t.Errorf("%s: %s: %s", name, request, got)
			}
		}
	}
}

func TestAReplicaAuthenticatesAsAUser(t *testing.T) {
	p := servertest.Start(t, "--repl-diskless-sync-delay", "0")
	admin := p.Client(t)
	admin.Must("OK", "ACL", "SETUSER", "repl", "on", ">pw", "+psync", "+replconf", "+ping")
	admin.Must("OK", "ACL", "SETUSER", "default", "resetpass", "-@all", "+auth")
	at := fmt.Sprintf("127.0.0.1 %d", p.Port)
	r := servertest.Start(t, "--masteruser", "repl", "--masterauth", "pw", "--replicaof", at)
	servertest.Until(t, "the link is up", func() error {
		if s := r.Client(t).Info("replication")["master_link_status"]; s != "up" {
			return fmt.Errorf("it is %s", s)
		}
		return nil
	})
}
