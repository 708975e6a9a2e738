package server_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// stage is a server with several connections that have names. A line of a scene is
// a request of one of them: "alice> SUBSCRIBE news". What each connection is sent
// after a line is compared between servers, whether it is a reply or a push.
//
// In a line, {alice} stands for alice's client ID, and alice may be anybody who has
// spoken before; "\n" in quotes and the like are not understood.
type stage struct {
	t      *testing.T
	addr   string
	admin  *servertest.Client
	actors map[string]*actor
	names  []string // in the order of entrance
}

type actor struct {
	conn *net.TCPConn
	id   string
}

func newStage(t *testing.T, i *servertest.Instance) *stage {
	s := &stage{t: t, addr: i.Addr, admin: i.Client(t), actors: map[string]*actor{}}
	id, err := strconv.Atoi(s.admin.Text("CLIENT", "ID"))
	if err != nil {
		t.Fatal(err)
	}
	// The same actors get the same IDs everywhere.
	for ; id < firstActor-1; id++ {
		c := i.Client(t)
		c.Do("PING")
		c.Close()
	}
	return s
}

// firstActor is the client ID of who enters a stage first.
const firstActor = 40

// enter returns an actor, who connects when first named.
func (s *stage) enter(name string) *actor {
	if a := s.actors[name]; a != nil {
		return a
	}
	conn, err := net.DialTimeout("tcp", s.addr, servertest.Deadline)
	if err != nil {
		s.t.Fatalf("connect %s: %v", name, err)
	}
	s.t.Cleanup(func() { conn.Close() })
	a := &actor{conn: conn.(*net.TCPConn)}
	s.actors[name] = a
	s.names = append(s.names, name)
	a.send(s.t, "CLIENT", "ID")
	servertest.Until(s.t, name+" has been let in", func() error {
		if a.id += strings.Trim(a.received(s.t), ":\r\n"); a.id == "" {
			return errors.New("no reply yet")
		}
		return nil
	})
	return a
}

func (a *actor) send(t *testing.T, words ...string) {
	if err := a.conn.SetDeadline(time.Now().Add(servertest.Deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.conn.Write(servertest.Request(words...)); err != nil {
		t.Fatalf("send %q: %v", words, err)
	}
}

// settle returns when the server has executed what it was sent before and has
// written what came of it: the first request may be answered in the same turn of its
// loop, the second one only in a later one.
func (s *stage) settle() {
	s.admin.Do("EXEC") // an error, but one that no slow log notes
	s.admin.Do("EXEC")
}

// received takes what is there, without waiting.
func (a *actor) received(t *testing.T) string {
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 64<<10)
	for {
		n, errno := 0, error(nil)
		if err := raw.Read(func(fd uintptr) bool { n, errno = syscall.Read(int(fd), buf); return true }); err != nil {
			return string(all) + "<closed>"
		}
		switch {
		case errno == syscall.EAGAIN:
			return string(all)
		case errno != nil || n == 0:
			return string(all) + "<closed>"
		}
		all = append(all, buf[:n]...)
	}
}

// play performs a line and returns what everybody received, by name.
func (s *stage) play(line string) map[string]string {
	name, request, ok := strings.Cut(strings.TrimSpace(line), "> ")
	if !ok {
		s.t.Fatalf("line without a speaker: %s", line)
	}
	a := s.enter(name)
	words := splitWords(s.t, request)
	for i, w := range words {
		for _, n := range s.names {
			w = strings.ReplaceAll(w, "{"+n+"}", s.actors[n].id)
		}
		words[i] = w
	}
	early := ""
	switch words[0] {
	case "AWAIT": // its reply takes a time that the server measures
		a.send(s.t, words[1:]...)
		servertest.Until(s.t, name+" gets a reply", func() error {
			if early += a.received(s.t); early == "" {
				return errors.New("none yet")
			}
			return nil
		})
	case "WAIT-MS":
		d, err := time.ParseDuration(words[1] + "ms")
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d) // for time to pass on the server, not for it to do something
	case "HANGUP":
		a.conn.Close()
		delete(s.actors, name)
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == name })
	default:
		a.send(s.t, words...)
	}
	s.settle()
	seen := map[string]string{}
	for _, n := range s.names {
		got := s.actors[n].received(s.t)
		if n == name {
			got = early + got
		}
		seen[n] = maskPassing(got)
	}
	return seen
}

// passing is what differs from one run to the next: addresses and times in MONITOR's
// lines, and what CLIENT LIST tells of memory, descriptors and later versions.
var passing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?m)^\$\d+\r\n(id=)`), "$$N\r\n$1"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\+\d{10}\.\d{6} `), "+TIME "},
	{regexp.MustCompile(` (fd|qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|tot-mem|age|idle)=\d+`), ""},
	{regexp.MustCompile(`\+TIME \[0 ADDRESS\] "EXEC"\r\n`), ""}, // the stage's own
	{regexp.MustCompile(`:\d{10}\r\n:\d+\r\n`), ":TIME\r\n:TOOK\r\n"},
	{regexp.MustCompile(`\$\d+\r\nADDRESS`), "ADDRESS"},
	{regexp.MustCompile(` (capa|watch|lib-name|lib-ver|tot-net-in|tot-net-out|tot-cmds)=[^ \n]*`), ""},
}

func maskPassing(text string) string {
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.instead)
	}
	return text
}

// perform plays a scene on our server and on a real one and compares what each of
// the connections is sent. Lines that begin with # are for the reader.
func perform(t *testing.T, scene string, directives ...string) {
	t.Helper()
	ours := newStage(t, servertest.Start(t, directives...))
	real := newStage(t, servertest.StartRedis(t, directives...))
	for _, line := range strings.Split(strings.TrimSpace(scene), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		got, want := ours.play(line), real.play(line)
		for _, name := range real.names {
			if servertest.WithoutVersion(got[name]) != servertest.WithoutVersion(want[name]) {
				t.Errorf("%s\n  %s receives\n  ours  %q\n  Redis %q", line, name, got[name], want[name])
			}
		}
		if t.Failed() && len(got) != len(want) {
			t.Fatalf("the scene can not go on: %d connections, Redis has %d", len(got), len(want))
		}
	}
}

// startReplicaOf runs a replica and returns when its link is up.
func startReplicaOf(t *testing.T, primary *servertest.Instance, directives ...string) *servertest.Instance {
	t.Helper()
	replica := servertest.Start(t, append(directives, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.Port))...)
	c := replica.Client(t)
	servertest.Until(t, "the link is up", func() error {
		if status := c.Info("replication")["master_link_status"]; status != "up" {
			return fmt.Errorf("master_link_status is %s", status)
		}
		return nil
	})
	return replica
}
