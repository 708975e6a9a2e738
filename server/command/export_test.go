package command

import "testing"

// OnServers compares a server of ours that runs at an address with the real one.
// start returns how to stop it, too.
func OnServers(t *testing.T, d Differential, start func(*testing.T) (addr string, stop func())) {
	d.Whole = true
	d.Start = func(t *testing.T) (side, side) {
		redis := startRedis(t)
		addr, stop := start(t)
		return onServer(t, addr, stop), redis
	}
	RunDifferential(t, d)
}
