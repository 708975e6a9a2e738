package server_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestTheUnixSocketIsThatOfRedis(t *testing.T) {
	lines := map[string]string{}
	for name, start := range map[string]func(testing.TB, ...string) *servertest.Instance{"ours": servertest.Start, "redis-server": servertest.StartRedis} {
		path := filepath.Join(t.TempDir(), "socket")
		i := start(t, "--unixsocket", path, "--unixsocketperm", "750")
		info, err := os.Stat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o750 {
			t.Errorf("%s: the socket is %v, %v", name, info.Mode(), err)
		}
		c, watcher := servertest.Dial(t, path), servertest.Dial(t, path)
		watcher.Must("OK", "MONITOR")
		c.Must("OK", "CLIENT", "SETNAME", "me")
		for _, field := range strings.Fields(c.Text("CLIENT", "INFO")) {
			if key, _, _ := strings.Cut(field, "="); key == "addr" || key == "laddr" || key == "flags" {
				lines[name] += field + " "
			}
		}
		c.Must("PONG", "PING")
		line := ""
		for !strings.HasSuffix(line, `"PING"`) {
			line = fmt.Sprint(watcher.Receive())
		}
		lines[name] += line[strings.Index(line, "["):]
		lines[name] = strings.ReplaceAll(lines[name], path, "PATH")
		i.Client(t).Must("1", "CLIENT", "KILL", "ADDR", path+":0", "USER", "default", "TYPE", "normal", "ID", fmt.Sprint(c.Do("CLIENT", "ID")))
		i.Stop(t)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: after the end the socket is still there: %v", name, err)
		}
	}
	if lines["ours"] != lines["redis-server"] {
		t.Errorf("ours  %s\nRedis %s", lines["ours"], lines["redis-server"])
	}
}

func TestTheUnixSocketGoesOnWhenPortsChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	group, err := user.LookupGroupId(fmt.Sprint(os.Getgid()))
	if err != nil {
		t.Skip(err)
	}
	i := servertest.Start(t, "--unixsocket", path, "--unixsocketgroup", group.Name)
	c := servertest.Dial(t, path)
	c.Must("OK", "CONFIG", "SET", "port", fmt.Sprint(servertest.FreePort(t)))
	c.Must("OK", "CONFIG", "SET", "bind", "127.0.0.1 -::1")
	c.Must("OK", "CONFIG", "SET", "port", "0")
	servertest.Dial(t, path).Must("PONG", "PING")
	if info := c.Info("server"); info["listener0"] != "name=unix,bind="+path {
		t.Errorf("listeners: %s", info["listener0"])
	}
	i.Stop(t)
	left := servertest.Start(t, "--unixsocket", path) // in the place of one that was left behind
	left.Stop(t)
}

func TestAFileThatIsNoSocketIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := servertest.TryStart(t, "--unixsocket", path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("got %v", err)
	}
	if content, readErr := os.ReadFile(path); string(content) != "data" || readErr != nil {
		t.Errorf("the file has %q, %v", content, readErr)
	}
}
