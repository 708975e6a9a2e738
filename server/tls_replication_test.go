package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// startOurs and startReal have the same shape, so that a test can take either. Both
// are processes: two reactors and a client in one would wait for each other.
func startOurs(t *testing.T, directives ...string) *servertest.Instance {
	return servertest.StartProcess(t, directives...)
}

func startReal(t *testing.T, directives ...string) *servertest.Instance {
	return servertest.StartRedis(t, directives...)
}

// TestReplicationOverTLS has a replica join a primary that is being written to, lose
// the link, and come back, all of it encrypted.
func TestReplicationOverTLS(t *testing.T) {
	type start func(*testing.T, ...string) *servertest.Instance
	for _, test := range []struct {
		name             string
		primary, replica start
		diskless         string
	}{
		{"ours from ours, straight", startOurs, startOurs, "yes"},
		{"ours from ours, by disk", startOurs, startOurs, "no"},
		{"redis-server from ours, by disk", startOurs, startReal, "no"},
		{"ours from redis-server, straight", startReal, startOurs, "yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ca := newAuthority(t, "primary", "replica")
			port := strconv.Itoa(servertest.FreePort(t))
			common := []string{"--enable-debug-command", "yes", "--repl-diskless-sync", test.diskless, "--repl-diskless-sync-delay", "0"}
			p := test.primary(t, append(ca.Directives("primary", port), common...)...)
			w := p.Client(t)
			w.Must("OK", "SET", "large", strings.Repeat("0123456789", 400_000))
			w.Must("OK", "DEBUG", "POPULATE", "50000", "key", "40")
			r := test.replica(t, append(append(ca.Directives("replica", strconv.Itoa(servertest.FreePort(t))), common...),
				"--replicaof", "127.0.0.1 "+port)...)
			for i := range 2000 {
				w.Must("OK", "SET", fmt.Sprint("while", i), "v")
			}
			holdTheSame(t, p, r)
			info := w.Info("stats")
			if info["sync_full"] != "1" {
				t.Errorf("the first synchronisation: %s full, %s partial", info["sync_full"], info["sync_partial_ok"])
			}
			if kind := fmt.Sprint(w.Do("CLIENT", "KILL", "TYPE", "replica")); kind != "1" {
				t.Fatalf("%s replicas were hung up on", kind)
			}
			w.Must("OK", "SET", "meanwhile", strings.Repeat("z", 200_000))
			holdTheSame(t, p, r)
			if n := w.Info("stats")["sync_partial_ok"]; n != "1" {
				t.Errorf("%s partial synchronisations", n)
			}
		})
	}
}

// holdTheSame waits until the replica has what the primary has.
func holdTheSame(t *testing.T, primary, replica *servertest.Instance) {
	t.Helper()
	a, b := primary.Client(t), replica.Client(t)
	servertest.Until(t, "the replica has what the primary has", func() error {
		link := b.Info("replication")
		if link["master_link_status"] != "up" {
			return fmt.Errorf("the link is %s\n%s", link["master_link_status"], replica.Log())
		}
		want, got := a.Text("DEBUG", "DIGEST"), b.Text("DEBUG", "DIGEST")
		if want != got {
			return fmt.Errorf("digest %s instead of %s", got, want)
		}
		return nil
	})
}

func TestAPrimaryWithAForeignCertificateIsNotFollowed(t *testing.T) {
	ca, other := newAuthority(t, "primary", "replica"), newAuthority(t, "primary")
	port := strconv.Itoa(servertest.FreePort(t))
	servertest.Start(t, append(other.Directives("primary", port), "--tls-auth-clients", "no")...)
	r := servertest.Start(t, append(ca.Directives("replica", strconv.Itoa(servertest.FreePort(t))), "--replicaof", "127.0.0.1 "+port)...)
	servertest.Until(t, "the replica says why", func() error {
		if !strings.Contains(r.Log(), "verify the primary's certificate") {
			return fmt.Errorf("log: %s", r.Log())
		}
		return nil
	})
	if status := r.Client(t).Info("replication")["master_link_status"]; status != "down" {
		t.Errorf("the link is %s", status)
	}
}
