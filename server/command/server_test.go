package command_test

import (
	"testing"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

// TestRandomCommandsOnAServerBehaveAsOnRedis is the same with a server around the
// commands: over the wire, with transactions and scripts, and the stream that a
// replica gets.
func TestRandomCommandsOnAServerBehaveAsOnRedis(t *testing.T) {
	command.OnServers(t, command.Differential{Steps: 3000, Seeds: []uint64{1, 2}}, func(t *testing.T) (string, func()) {
		server := servertest.StartProcess(t, "--enable-debug-command", "yes", "--repl-diskless-sync", "no", "--repl-ping-replica-period", "3600", "--repl-timeout", "3600")
		return server.Addr, func() { server.Stop(t) }
	})
}
