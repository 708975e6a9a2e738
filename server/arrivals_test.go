package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// hold keeps the server from reading while send runs, so that all of what it sends is
// there when the server looks again, in the order in which it was sent: after two turns
// of its loop the kernel does not have who spoke before in its list any more.
func hold(by *servertest.Client, send func()) {
	by.Do("PING")
	by.Do("PING")
	by.Send("DEBUG", "SLEEP", "0.2")
	send()
}

func TestRequestsThatArriveTogetherAreAllServed(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--enable-debug-command", "yes")
	sleeper := i.Client(t)
	// More than one batch, in several databases, short and long, and some of them unfinished.
	clients := make([]*servertest.Client, 50)
	for n := range clients {
		clients[n] = i.Client(t)
		clients[n].Must("OK", "SELECT", fmt.Sprint(n%3))
	}
	// Enough keys for those to come to be fetched in advance.
	sleeper.Must("OK", "EVAL", "for i = 1, 20000 do redis.call('set', 'k' .. i, i) end return redis.status_reply('OK')", "0")
	value := func(n int) string { return strings.Repeat("v", n*n*10) }
	rest := map[int][]byte{}
	hold(sleeper, func() {
		for n, c := range clients {
			all := append(servertest.Request("SET", fmt.Sprint("key", n), value(n)), servertest.Request("APPEND", fmt.Sprint("key", n), "+")...)
			all = append(all, servertest.Request("GET", fmt.Sprint("key", n))...)
			if n%4 == 0 {
				all, rest[n] = all[:len(all)-n/4-1], all[len(all)-n/4-1:]
			}
			c.Write(all)
		}
	})
	if got := sleeper.Receive(); got != "OK" {
		t.Fatalf("DEBUG SLEEP: %v", got)
	}
	for n, c := range clients {
		c.Write(rest[n])
		for _, want := range []string{"OK", fmt.Sprint(len(value(n)) + 1), value(n) + "+"} {
			if got := fmt.Sprint(c.Receive()); got != want {
				t.Errorf("client %d got %.20q (%d bytes), want %.20q (%d)", n, got, len(got), want, len(want))
			}
		}
	}
}

func TestWhoseRequestArrivesTogetherWithABusyScriptIsToldSo(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--busy-reply-threshold", "10", "--enable-debug-command", "yes")
	sleeper, busy, killer := i.Client(t), i.Client(t), i.Client(t)
	others := make([]*servertest.Client, 20)
	for n := range others {
		others[n] = i.Client(t)
	}
	hold(sleeper, func() {
		busy.Send("EVAL", "while true do end", "0")
		for n, c := range others {
			c.Send("SET", fmt.Sprint(n), "x")
		}
	})
	for n, c := range others {
		if got := fmt.Sprint(c.Receive()); !strings.HasPrefix(got, "BUSY") {
			t.Errorf("client %d got %s", n, got)
		}
	}
	killer.Must("OK", "SCRIPT", "KILL")
	if got := fmt.Sprint(busy.Receive()); !strings.Contains(got, "Script killed by user") {
		t.Errorf("the script ended with %s", got)
	}
	for n, c := range others {
		c.Must("OK", "SET", fmt.Sprint(n), "x")
	}
	killer.Must(fmt.Sprint(len(others)), "DBSIZE")
}

func TestWhoIsKilledExecutesNothingOfWhatArrivedTogetherWithTheKill(t *testing.T) {
	t.Parallel()
	i := servertest.Start(t, "--enable-debug-command", "yes")
	sleeper, killer, victim := i.Client(t), i.Client(t), i.Client(t)
	id := fmt.Sprint(victim.Do("CLIENT", "ID"))
	hold(sleeper, func() {
		killer.Send("CLIENT", "KILL", "ID", id)
		victim.Send("SET", "a", "1")
	})
	if got := fmt.Sprint(killer.Receive()); got != "1" {
		t.Fatalf("CLIENT KILL: %s", got)
	}
	victim.AwaitClose()
	killer.Must("0", "EXISTS", "a")
}
