package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// value is what CONFIG GET would say.
func value(c *Config, name string) string { return byName[name].get(c) }

func TestSources(t *testing.T) {
	for _, row := range []struct {
		name  string
		file  string
		args  []string
		stdin string
		want  map[string]string
	}{
		{name: "nothing is the default", want: map[string]string{"port": "6379", "save": "3600 1 300 100 60 10000", "bind": "* -::*"}},
		{name: "a file", file: "port 1234\n# comment\n\n  timeout 5\n", want: map[string]string{"port": "1234", "timeout": "5"}},
		{name: "names know no case", file: "PORT 1234\n", want: map[string]string{"port": "1234"}},
		{name: "values may be quoted", file: "requirepass \"a b\\x41\"\n", want: map[string]string{"requirepass": "a bA"}},
		{name: "old names mean the new ones", file: "slave-read-only no\nslaveof h 1\n", want: map[string]string{"replica-read-only": "no", "replicaof": "h 1"}},
		{name: "sizes have units", file: "maxmemory 2gb\nrepl-backlog-size 1k\n", want: map[string]string{"maxmemory": "2147483648", "repl-backlog-size": "1000"}},
		{name: "save lines add up and replace the defaults", file: "save 10 1\nsave 20 2 30 3\n", want: map[string]string{"save": "10 1 20 2 30 3"}},
		{name: "an empty save clears", file: "save 10 1\nsave \"\"\n", want: map[string]string{"save": ""}},
		{name: "output limits of one class leave the others", file: "client-output-buffer-limit replica 1mb 1kb 5\n",
			want: map[string]string{"client-output-buffer-limit": "normal 0 0 0 slave 1048576 1024 5 pubsub 33554432 8388608 60"}},
		{name: "arguments come after the file", file: "port 1\nsave 10 1\n", args: []string{"--port", "2", "--save", ""}, want: map[string]string{"port": "2", "save": ""}},
		{name: "arguments take several words", args: []string{"--bind", "127.0.0.1", "::1", "--replicaof", "h", "1"}, want: map[string]string{"bind": "127.0.0.1 ::1", "replicaof": "h 1"}},
		{name: "a directive and its value may be one argument", args: []string{"--maxmemory '700mb'", "--loglevel verbose", "--bind", "127.0.0.1"},
			want: map[string]string{"maxmemory": "734003200", "loglevel": "verbose", "bind": "127.0.0.1"}},
		{name: "a value may begin with dashes", args: []string{"--proc-title-template", "--my-title", "--requirepass", "--a \"b\\", "--loglevel", "verbose"},
			want: map[string]string{"proc-title-template": "--my-title", "requirepass": "--a \"b\\", "loglevel": "verbose"}},
		{name: "a bare --save saves never", args: []string{"--save", "--loglevel", "verbose"}, want: map[string]string{"save": "", "loglevel": "verbose"}},
		{name: "a bare --save at the end, too", args: []string{"--loglevel", "verbose", "--save"}, want: map[string]string{"save": "", "loglevel": "verbose"}},
		{name: "save rules of arguments add up with those of the file", file: "save 900 1\n", args: []string{"--save", "100", "100"},
			want: map[string]string{"save": "900 1 100 100"}},
		{name: "words without a name are a line", file: "hz 20\n", args: []string{"loglevel", "verbose", "--timeout", "1"},
			want: map[string]string{"loglevel": "verbose", "timeout": "1", "hz": "20"}},
		{name: "standard input may come last", file: "hz 20\nport 1\n", args: []string{"--timeout", "1", "-"}, stdin: "hz 30\ntimeout 9\n",
			want: map[string]string{"hz": "30", "timeout": "1", "port": "1"}},
		{name: "words about shutdown have one order", args: []string{"--shutdown-on-sigint", "NOSAVE", "force", "now", "--shutdown-on-sigterm", "nosave force"},
			want: map[string]string{"shutdown-on-sigint": "nosave now force", "shutdown-on-sigterm": "nosave force"}},
		{name: "a word for a list may hold several", args: []string{"--replicaof", "h 1"}, want: map[string]string{"replicaof": "h 1"}},
		{name: "standard input", args: []string{"-", "--hz", "20"}, stdin: "port 7\n", want: map[string]string{"port": "7", "hz": "20"}},
		{name: "features at their off value", file: "appendonly no\ncluster-enabled no\ntls-port 0\nmaxmemory-policy noeviction\nio-threads 1\n", want: map[string]string{"appendonly": "no"}},
		{name: "directives of what is not here yet are kept", file: "hash-max-ziplist-entries 99\n", want: map[string]string{"hash-max-listpack-entries": "99"}},
		{name: "names of Valkey 8", file: "primaryauth secret\nhide-user-data-from-log no\nserver-cpulist 1\nrdb-version-check strict\n",
			want: map[string]string{"masterauth": "secret", "hide-user-data-from-log": "no", "server_cpulist": "1"}},
		{name: "limits of packed collections are as large as any number", file: "hash-max-ziplist-value 1gb\nzset-max-ziplist-value 1kb\nset-max-intset-entries 9223372036854775807\n",
			want: map[string]string{"hash-max-listpack-value": "1073741824", "zset-max-listpack-value": "1024", "set-max-intset-entries": "9223372036854775807"}},
		{name: "hz is clamped", file: "hz 1000\n", want: map[string]string{"hz": "500"}},
		{name: "health and metrics are off unless managed", want: map[string]string{"lockstep-http-port": "0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := row.args
			if row.file != "" {
				args = append([]string{write(t, "redis.conf", row.file)}, args...)
			}
			c, err := Load(args, strings.NewReader(row.stdin))
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range row.want {
				if got := value(c, name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestIncludedFilesAreReadInPlace(t *testing.T) {
	inner := write(t, "inner.conf", "timeout 1\nhz 20\n")
	outer := write(t, "outer.conf", "hz 30\ninclude "+inner+"\ntimeout 2\n")
	c, err := Load([]string{outer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hz != 20 || c.Timeout != 2 {
		t.Errorf("hz %d, timeout %d; want 20, 2", c.Hz, c.Timeout)
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string // in the message
	}{
		{"an unknown directive", "port 1\nfoo bar\n", []string{"at line 2", "'foo bar'", "Bad directive or wrong number of arguments", "remove the line"}},
		{"a misspelled directive", "maxclient 5\n", []string{"at line 1", `did you mean "maxclients"?`}},
		{"not a number", "hz abc\n", []string{"at line 1", "'hz abc'", "argument couldn't be parsed into an integer"}},
		{"out of range", "port 70000\n", []string{"argument must be between 0 and 65535 inclusive"}},
		{"not yes or no", "protected-mode maybe\n", []string{"argument must be 'yes' or 'no'"}},
		{"not one of the choices", "loglevel loud\n", []string{"debug, verbose, notice, warning"}},
		{"not a size", "maxmemory 1zb\n", []string{"argument must be a memory value"}},
		{"too many words", "hz 1 2\n", []string{"wrong number of arguments"}},
		{"no value", "hz\n", []string{"wrong number of arguments"}},
		{"open quotes", "requirepass \"abc\n", []string{"Unbalanced quotes in configuration line"}},
		{"bad save rules", "save 900 x\n", []string{"Invalid save parameters"}},
		{"a feature that is not here", "appendonly yes\n", []string{"appendonly is not supported", "set it to no"}},
		{"a module", "loadmodule /x.so\n", []string{"loadmodule is not supported"}},
		{"a path for the snapshot", "dbfilename /tmp/x\n", []string{"just a filename"}},
		{"a missing include", "include /nonexistent.conf\n", []string{"at line 1", "can't open config file '/nonexistent.conf'"}},
		{"a cluster without a namespace", "lockstep-cluster demo\n", []string{"NAMESPACE/NAME"}},
		{"managed without certificates", "lockstep-managed yes\nlockstep-cluster a/b\nlockstep-instance-name c\n", []string{"lockstep-managed yes needs lockstep-api-cert-file"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Load([]string{write(t, "redis.conf", row.text)}, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the message:\n%v", want, err)
				}
			}
		})
	}
}

func TestArgumentsThatAreWrongAreShownAsRedisDoes(t *testing.T) {
	for _, row := range []struct {
		args       []string
		text, want string
	}{
		{[]string{"--port"}, "'port'", "wrong number of arguments"},
		{[]string{"--port", "6380", "--loglevel"}, "'loglevel'", "wrong number of arguments"},
		{[]string{"--port", "6379", "6380"}, `'port "6379" "6380"'`, "wrong number of arguments"},
		{[]string{"--port", "--loglevel", "verbose"}, `'port "--loglevel" "verbose"'`, "wrong number of arguments"},
		{[]string{"--port", "--bla", "--loglevel", "verbose"}, `'port "--bla"'`, "argument couldn't be parsed into an integer"},
		{[]string{"--logfile", "--file", "--loglevel", "--bla"}, `'loglevel "--bla"'`, "argument(s) must be one of the following"},
		{[]string{"--shutdown-on-sigint"}, "'shutdown-on-sigint'", "argument(s) must be one of the following"},
		{[]string{"--replicaof", "--127.0.0.1", "abc"}, `'replicaof "--127.0.0.1" "abc"'`, "Invalid master port"},
		{[]string{"--replicaof", "--127.0.0.1", "--abc"}, `'replicaof "--127.0.0.1"'`, "wrong number of arguments"},
		{[]string{"--maxmemory '1"}, "'maxmemory '1'", "Unbalanced quotes"},
	} {
		_, err := Load(row.args, nil)
		if err == nil || !strings.Contains(err.Error(), row.text) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v\nwant %s and %s", row.args, err, row.text, row.want)
		}
	}
}

func TestPasswordsAreNotRepeatedInErrors(t *testing.T) {
	_, err := Load([]string{write(t, "redis.conf", "requirepass s3cret and more\n")}, nil)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIncludesItselfIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(path, []byte("include "+path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load([]string{path}, nil); !errors.Is(err, errNesting) {
		t.Errorf("got %v", err)
	}
}

func TestSettingSeveralIsAllOrNothing(t *testing.T) {
	c := Default()
	if _, _, err := c.Set([]Pair{{"hz", "20"}, {"timeout", "x"}}, true); err == nil {
		t.Fatal("accepted")
	}
	if c.Hz != 10 {
		t.Errorf("hz became %d although another value was refused", c.Hz)
	}
	next, changed, err := c.Set([]Pair{{"HZ", "20"}, {"timeout", "0"}, {"slave-priority", "1"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(changed); got != "[hz replica-priority]" || next.Hz != 20 || c.Hz != 10 {
		t.Errorf("changed %s, new hz %d, old hz %d", got, next.Hz, c.Hz)
	}
}

func TestRefusalsOfValuesAreThoseOfRedis(t *testing.T) {
	for _, row := range []struct{ name, value, want string }{
		{"latency-tracking-info-percentiles", "50 a", "Invalid latency-tracking-info-percentiles parameters"},
		{"latency-tracking-info-percentiles", "50 101", "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
		{"shutdown-on-sigterm", "", "argument(s) must be one of the following: default, save, nosave, now, force"},
		{"shutdown-on-sigterm", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"},
		{"oom-score-adj-values", "1", "wrong number of arguments"},
		{"oom-score-adj-values", "1 2 2001", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
		{"proc-title-template", "x {no-such}", "template format is invalid or contains unknown variables"},
		{"proc-title-template", "x {title", "template format is invalid or contains unknown variables"},
		{"appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"},
		{"sanitize-dump-payload", "x", "argument(s) must be one of the following: no, yes, clients"},
		{"syslog-facility", "local1", "can't set immutable config"},
	} {
		want := fmt.Sprintf("CONFIG SET failed (possibly related to argument '%s') - %s", row.name, row.want)
		if _, _, err := Default().Set([]Pair{{row.name, row.value}}, true); err == nil || err.Error() != want {
			t.Errorf("%s %s: %v\nwant %s", row.name, row.value, err, want)
		}
	}
	for name, value := range map[string]string{"oom-score-adj-values": "-2000 0 2000", "proc-title-template": "--my {title}:{port}"} {
		if _, _, err := Default().Set([]Pair{{name, value}}, true); err != nil {
			t.Errorf("%s %s: %v", name, value, err)
		}
	}
}

func TestDirectivesForTestsAreShownUnderTheirOwnNamesOnly(t *testing.T) {
	glob := func(pattern, name string) bool { return pattern == "*" }
	for _, name := range []string{"rdb-key-save-delay", "key-load-delay", "use-exit-on-panic"} {
		if got := Default().Get(glob, []string{name}); len(got) != 1 || got[0].Name != name {
			t.Errorf("%s: %v", name, got)
		}
		for _, p := range Default().Get(glob, []string{"*"}) {
			if p.Name == name {
				t.Errorf("* shows %s", name)
			}
		}
	}
}

func TestRewriteKeepsWhatAPersonWrote(t *testing.T) {
	path := write(t, "redis.conf", strings.TrimPrefix(`
# my server
port 1234

# how long clients may idle
timeout   5   
save 10 1
save 20 2
slave-priority 7
requirepass "old one"
`, "\n"))
	c, err := Load([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := c.Set([]Pair{{"timeout", "6"}, {"save", "30 3"}, {"requirepass", `with "quotes" #`}, {"hz", "20"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Rewrite(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
# my server
port 1234

# how long clients may idle
timeout 6
save 30 3
slave-priority 7
requirepass "with \"quotes\" #"
# Generated by CONFIG REWRITE
hz 20
`, "\n")
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := Load([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range byName {
		if d.get(again) != d.get(next) {
			t.Errorf("%s reads back as %q, was %q", name, d.get(again), d.get(next))
		}
	}
	if err := again.Rewrite(); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(path); err != nil || string(second) != want {
		t.Errorf("a second rewrite changed the file (%v):\n%s", err, second)
	}
}

func TestRewriteWithoutAFileIsRefused(t *testing.T) {
	if err := Default().Rewrite(); !errors.Is(err, ErrNoFile) {
		t.Errorf("got %v", err)
	}
}

func TestEveryDefaultIsAValueOfItsDirective(t *testing.T) {
	c := Default()
	for _, d := range directives {
		words := []string{d.get(c)}
		if d.has(list) {
			words = strings.Fields(words[0])
		}
		if err := d.set(c.clone(), words); err != nil && d.get(c) != "" {
			t.Errorf("%s %s: %v", d.name, d.get(c), err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("port 1\nsave 1 1\n")
	f.Add("bind \"a b\" 'c'\n")
	f.Add("user a on >x (+get ~a)\nuser \"b \\n\" \"\" ~\\\"\n")
	f.Add("client-output-buffer-limit normal 1 2 3 replica 1k 2 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "include") {
			t.Skip("would read other files")
		}
		c, err := Load([]string{"-"}, strings.NewReader(text))
		if err != nil {
			return
		}
		// What was accepted can be written down and read again.
		again, err := Load([]string{"-"}, strings.NewReader(c.rewritten("")))
		if err != nil {
			t.Fatalf("its own file is refused: %v\n%s", err, c.rewritten(""))
		}
		for name, d := range byName {
			if d.get(again) != d.get(c) {
				t.Errorf("%s was %q and reads back as %q", name, d.get(c), d.get(again))
			}
		}
	})
}

func TestTheDocumentationNamesWhatIsOursAndWhatIsRefused(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range append(ownDirectives(), unsupportedDirectives()...) {
		if !strings.Contains(string(page), "`"+d.name+"`") {
			t.Errorf("docs/configuration.md does not mention %s", d.name)
		}
	}
}
func TestAFileWhoseNameBeginsWithADashIsRead(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("-p", []byte("port 7777\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"-p"}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 7777 {
		t.Errorf("port %d, want that of the file", c.Port)
	}
}
