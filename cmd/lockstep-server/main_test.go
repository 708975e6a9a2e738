package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsPrintedWithoutServing(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(conf, []byte("port 1\nnosuch thing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		args   []string
		stdin  string
		status int
		stdout string
		stderr string
	}{
		{name: "the version", args: []string{"--version"}, stdout: "Lockstep server v="},
		{name: "help", args: []string{"--help"}, stdout: "Usage: lockstep-server"},
		{name: "a directive that does not exist", args: []string{conf}, status: 1, stderr: "at line 2\n>>> 'nosuch thing'\nBad directive"},
		{name: "a wrong argument", args: []string{"--hz", "x"}, status: 1, stderr: "of the command line, at line 1\n>>> 'hz \"x\"'\nargument couldn't be parsed"},
		{name: "a wrong line on standard input", args: []string{"-"}, stdin: "hz x\n", status: 1, stderr: "read from standard input, at line 1"},
		{name: "a file that is not there", args: []string{"/nonexistent.conf"}, status: 1, stderr: "can't open config file '/nonexistent.conf': no such file or directory"},
		{name: "a port as other programs take it", args: []string{"-p", "7777"}, status: 1, stderr: `"-p" is neither an option nor a file that is there: did you mean --port?`},
		{name: "a directive with one dash", args: []string{"-maxclient", "5"}, status: 1, stderr: "did you mean --maxclients?"},
		{name: "a letter that is no option", args: []string{"-x"}, status: 1, stderr: "directives are given as --name value, for example --port 6379"},
		{name: "a path of a file whose name begins with a dash", args: []string{"./-x"}, status: 1, stderr: "can't open config file"},
		{name: "a word without a directive", args: []string{"--port", "1", "--", "x"}, status: 1, stderr: "wrong number of arguments"},
		{name: "a data directory that is not there", args: []string{"--dir", "/nonexistent"}, status: 1, stderr: "directory of the directive dir: chdir /nonexistent: no such file or directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(row.args, strings.NewReader(row.stdin), &stdout, &stderr)
			if status != row.status {
				t.Errorf("exit status %d, want %d", status, row.status)
			}
			if !strings.Contains(stdout.String(), row.stdout) {
				t.Errorf("stdout %q lacks %q", stdout.String(), row.stdout)
			}
			if !strings.Contains(stderr.String(), row.stderr) {
				t.Errorf("stderr %q lacks %q", stderr.String(), row.stderr)
			}
		})
	}
}
