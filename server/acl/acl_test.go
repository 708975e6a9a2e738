package acl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
)

func newUsers() *acl.Users { return acl.New(newTable(), false) }

// newTable has the commands about keys, and some of those that package server adds.
func newTable() *command.Table {
	t := command.NewTable()
	run := func(*command.Call) {}
	t.Add(&command.Spec{Name: "publish", Arity: 3, Flags: command.PubSub | command.Fast, Run: run},
		&command.Spec{Name: "psubscribe", Arity: -2, Flags: command.PubSub, Run: run},
		&command.Spec{Name: "select", Arity: 2, Flags: command.Fast, Categories: command.CatConnection, Run: run},
		&command.Spec{Name: "auth", Arity: -2, Flags: command.NoAuth, Categories: command.CatConnection, Run: run},
		&command.Spec{Name: "config", Arity: -2, Subcommands: []*command.Spec{
			{Name: "get", Arity: -3, Flags: command.Admin, Run: run}, {Name: "set", Arity: -4, Flags: command.Admin, Run: run}}})
	return t
}

func TestUsersAreSpelledAsInRedis(t *testing.T) {
	for rules, want := range map[string]string{
		"":                              "off sanitize-payload resetchannels -@all",
		"on nopass allkeys allcommands": "on nopass sanitize-payload ~* resetchannels +@all",
		"on +@all ~* &*":                "on sanitize-payload ~* &* +@all",
		">secret on":                    "on sanitize-payload #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b resetchannels -@all",
		">secret <secret nopass":        "off nopass sanitize-payload resetchannels -@all",
		">secret nopass resetpass":      "off sanitize-payload resetchannels -@all",
		"skip-sanitize-payload":         "off skip-sanitize-payload resetchannels -@all",
		"~a ~b ~a %R~b %W~c %RW~d":      "off sanitize-payload ~a ~b %W~c ~d resetchannels -@all",
		"%R~a %W~a":                     "off sanitize-payload ~a resetchannels -@all",
		"~a allkeys resetkeys ~b":       "off sanitize-payload ~b resetchannels -@all",
		"&a &b &a":                      "off sanitize-payload resetchannels &a &b -@all",
		"+GET +set -get +get":           "off sanitize-payload resetchannels -@all +set +get",
		"+@All -@Write +set":            "off sanitize-payload resetchannels +@all -@write +set",
		"+config|get -config":           "off sanitize-payload resetchannels -@all -config",
		"+config -config|set":           "off sanitize-payload resetchannels -@all +config -config|set",
		"+get nocommands":               "off sanitize-payload resetchannels -@all",
		"+SELECT|0 +select|1 +select|0": "off sanitize-payload resetchannels -@all +select|1 +select|0",
		"+select|0 +select":             "off sanitize-payload resetchannels -@all +select",
		"(+get ~a) ( %R~b +set )":       "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (%R~b resetchannels -@all +set)",
		"(+get) clearselectors":         "off sanitize-payload resetchannels -@all",
		"on >x ~a &b +get (+set) reset": "off sanitize-payload resetchannels -@all",
	} {
		users := newUsers()
		if err := users.Set("u", strings.Fields(rules)...); err != nil {
			t.Errorf("%s: %v", rules, err)
			continue
		}
		if got := users.Find("u").Describe(); got != want {
			t.Errorf("%s\n got  %s\n want %s", rules, got, want)
		}
	}
}

func TestWrongRulesChangeNothing(t *testing.T) {
	for rules, want := range map[string]string{
		"on nosuch":                      "'nosuch': Syntax error",
		"on +nosuch":                     "'+nosuch': Unknown command or category name in ACL",
		"on ~* ~a":                       "'~a': Adding a pattern after the * pattern (or the 'allkeys' flag)",
		"on &* &a":                       "'&a': Adding a pattern after the * pattern (or the 'allchannels' flag)",
		"on !" + strings.Repeat("g", 64): "The password hash must be exactly 64 characters",
		"on <secret":                     "The password you are trying to remove",
		"on (+get":                       "Unmatched parenthesis in acl selector starting at '(+get'.",
		"on (nosuch)":                    "'(nosuch)': Syntax error",
		`on (~"a\"b")`:                   "Syntax error",
	} {
		users := newUsers()
		if err := users.Set("u", "~before"); err != nil {
			t.Fatal(err)
		}
		err := users.Set("u", strings.Fields(rules)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", rules, err, want)
		}
		if got := users.Find("u").Describe(); got != "off sanitize-payload ~before resetchannels -@all" {
			t.Errorf("after %s: %s", rules, got)
		}
	}
}

func TestWhatIsAllowed(t *testing.T) {
	for _, test := range []struct {
		rules, request string
		want           acl.Reason
		arg            int
	}{
		{"+@all ~* &*", "set k v", acl.Allowed, 0},
		{"-@all ~* &*", "get k", acl.DeniedCommand, 0},
		{"-@all", "auth secret", acl.Allowed, 0},
		{"+get ~a*", "get abc", acl.Allowed, 0},
		{"+get ~a*", "get b", acl.DeniedKey, 1},
		{"+get %W~*", "get b", acl.DeniedKey, 1},
		{"+set %W~*", "set b v", acl.Allowed, 0},
		{"+set %W~*", "set b v get", acl.DeniedKey, 1},
		{"+set %R~* %W~b", "set b v get", acl.DeniedKey, 1},
		{"+mget ~a ~b", "mget a b c", acl.DeniedKey, 3},
		{"+copy %R~a %W~b", "copy a b", acl.Allowed, 0},
		{"+copy %R~a %W~b", "copy b a", acl.DeniedKey, 1},
		{"+exists", "exists a", acl.DeniedKey, 1},
		{"+publish &a*", "publish ab m", acl.Allowed, 0},
		{"+publish &a*", "publish b m", acl.DeniedChannel, 1},
		{"+psubscribe &a*", "psubscribe a* ab*", acl.DeniedChannel, 2},
		{"+psubscribe &a*", "psubscribe a*", acl.Allowed, 0},
		{"+select|0", "select 0", acl.Allowed, 0},
		{"+select|0", "select 1", acl.DeniedCommand, 0},
		{"+config|get", "config set a b", acl.DeniedCommand, 0},
		{"+config|get", "config get a", acl.Allowed, 0},
		{"+@write -@string ~*", "del a", acl.Allowed, 0},
		{"+@write -@string ~*", "set a b", acl.DeniedCommand, 0},
		{"+get ~a (+set ~b)", "set b v", acl.Allowed, 0},
		{"+get ~a (+set ~b)", "get b", acl.DeniedKey, 1},
		{"+get ~a (+mget ~b ~c)", "mget b c d", acl.DeniedKey, 3},
		{"+mget ~b ~c ~d (+mget ~b)", "mget b c e", acl.DeniedKey, 3},
		{"(+get ~a) (+publish &b)", "publish c m", acl.DeniedChannel, 1},
	} {
		table := newTable()
		users := acl.New(table, false)
		if err := users.Set("u", strings.Fields(test.rules)...); err != nil {
			t.Fatal(err)
		}
		args := words(test.request)
		spec, err := table.Lookup(args)
		if err != nil {
			t.Fatalf("%s: %v", test.request, err)
		}
		if got := users.Check(users.Find("u"), spec, args); got.Reason != test.want || got.Arg != test.arg {
			t.Errorf("%s: %s is denied as %q at %d, want %q at %d", test.rules, test.request, got.Reason, got.Arg, test.want, test.arg)
		}
	}
}

func TestCheckingAnOrdinaryCommandAllocatesNothing(t *testing.T) {
	table := newTable()
	users := acl.New(table, false)
	if err := users.Set("u", "+@all", "~app:*", "%R~shared:*"); err != nil {
		t.Fatal(err)
	}
	u, args := users.Find("u"), words("mset app:1 a app:2 b")
	spec, err := table.Lookup(args)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if d := users.Check(u, spec, args); d.Reason != acl.Allowed {
			t.Fatal(d)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func words(line string) (args [][]byte) {
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	return args
}

func TestSortMayFollowKeysOnlyWithAllOfThem(t *testing.T) {
	table := newTable()
	args := words("sort_ro k")
	spec, err := table.Lookup(args)
	if err != nil {
		t.Fatal(err)
	}
	for rules, want := range map[string]bool{
		"+sort_ro ~k": false, "+sort_ro ~*": true, "+sort_ro %R~* %W~k": true, "+sort_ro ~k %W~*": false,
		"+sort_ro ~k (+get ~*)": false, "(+sort_ro ~*)": true,
	} {
		users := acl.New(table, false)
		if err := users.Set("u", strings.Fields(rules)...); err != nil {
			t.Fatal(err)
		}
		if got := users.ReadsEverything(users.Find("u"), spec, args); got != want {
			t.Errorf("%s: %v", rules, got)
		}
	}
}

func TestPasswords(t *testing.T) {
	users := newUsers()
	for _, step := range []struct {
		rules    string
		password string
		want     bool
	}{
		{">one >two", "one", false}, {"on", "one", true}, {"", "two", true}, {"", "three", false},
		{"<one", "one", false}, {"", "two", true}, {"nopass", "anything", true}, {">three", "two", false}, {"", "three", true},
		{"resetpass", "three", false}, {"", "", false},
	} {
		if err := users.Set("u", strings.Fields(step.rules)...); err != nil {
			t.Fatal(err)
		}
		if got := users.Find("u").Accepts([]byte(step.password)); got != step.want {
			t.Errorf("after %q the password %q: %v", step.rules, step.password, got)
		}
	}
}

func TestAFileIsTakenWholeOrNotAtAll(t *testing.T) {
	users := newUsers()
	loaded, err := users.Load("f", "\n  user a on nopass +get \r\nuser default off\nuser b (+set ~x) ( +get )\n")
	if err != nil {
		t.Fatal(err)
	}
	users.Replace(loaded)
	want := "user a on nopass sanitize-payload resetchannels -@all +get\nuser b off sanitize-payload resetchannels -@all " +
		"(~x resetchannels -@all +set) (resetchannels -@all +get)\nuser default off sanitize-payload resetchannels -@all\n"
	if got := users.Save(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if users.Default() != users.Find("default") || users.Default().Enabled() {
		t.Error("the default user is not that of the file")
	}
	_, err = users.Load("f", "usr a\nuser a\x00b\nuser a +nosuch +get\nuser a on\nuser b >x <y nosuch\nuser c (+get\n")
	const report = "f:1 should start with user keyword followed by the username. 'f:2: username 'a\x00b' contains invalid characters. " +
		"f:3: Error in applying operation '+nosuch': Unknown command or category name in ACL. WARNING: Duplicate user 'a' found on line 4. " +
		"f:5: The password you are trying to remove from the user does not exist. f:6: Unmatched parenthesis in selector definition." +
		"WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
	if err == nil || err.Error() != report {
		t.Errorf("got  %v\nwant %s", err, report)
	}
}

func TestTheLogGroupsWhatIsAlike(t *testing.T) {
	var l acl.Log
	key := acl.Entry{Reason: acl.DeniedKey, Context: "toplevel", Object: "k", UserName: "u"}
	other := key
	other.Object = "o"
	l.Add(1000, key, 10)
	l.Add(2000, other, 10)
	l.Add(60_000, key, 10)
	l.Add(120_001, key, 10) // more than a minute later
	all := l.Newest(10)
	if len(all) != 3 || all[0].ID != 2 || all[1].Count != 2 || all[1].Created != 1000 || all[1].Updated != 60_000 || all[2].Object != "o" {
		t.Errorf("%+v %+v %+v", all[0], all[1], all[2])
	}
	l.Trim(1)
	if n := l.Newest(5); len(n) != 1 || n[0].ID != 2 {
		t.Errorf("after Trim: %d entries", len(n))
	}
	l.Add(200_000, other, 0)
	if len(l.Newest(1)) != 0 {
		t.Error("an entry is kept although none may be")
	}
}

// FuzzRules: whatever words are accepted, the user can be spelled and made again from
// that, and is the same.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{"on >a ~b %R~c &d +get -@all +@read", "(+get ~a) (-@all %RW~b &c)", "+select|0 -select +config|get", "(~a) ~b)", "reset nopass allkeys"} {
		f.Add(seed)
	}
	users := newUsers()
	f.Fuzz(func(t *testing.T, rules string) {
		u, err := users.Stage("u", strings.Split(rules, " "))
		if err != nil {
			var rule *acl.RuleError
			var open *acl.ParenthesisError
			if !errors.As(err, &rule) && !errors.As(err, &open) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		loaded, err := users.Load("f", u.Line())
		if err != nil {
			t.Fatalf("%q is refused: %v", u.Line(), err)
		}
		if again := loaded.Find("u").Line(); again != u.Line() {
			t.Fatalf("%q becomes %q", u.Line(), again)
		}
	})
}

// FuzzFile: whatever file is accepted, what is saved of it is accepted and the same.
func FuzzFile(f *testing.F) {
	f.Add("user default on nopass ~* &* +@all\nuser a on >x (+get ~a)\n\n")
	f.Add("user  on\nuser \" off")
	f.Add("user a (+get\r\nusr b")
	users := newUsers()
	f.Fuzz(func(t *testing.T, content string) {
		loaded, err := users.Load("f", content)
		if err != nil {
			return
		}
		again, err := users.Load("f", loaded.Save())
		if err != nil {
			t.Fatalf("its own file is refused: %v\n%q", err, loaded.Save())
		}
		if again.Save() != loaded.Save() {
			t.Fatalf("%q becomes %q", loaded.Save(), again.Save())
		}
	})
}
