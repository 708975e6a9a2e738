package server_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/server/servertest"
)

// TestUnrulyClients lets many clients do, at random and at the same time, what
// moves connections between states: transactions cut short, pauses, kills,
// half-sent requests, hang-ups with replies on the way. Afterwards nobody may be
// left, and a transfer between two keys must have kept their sum.
func TestUnrulyClients(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	i := servertest.Start(t)
	admin := i.Client(t)
	admin.Must("OK", "MSET", "a", "1000", "b", "1000")
	rounds := 150
	if testing.Short() {
		rounds = 40
	}
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			for range rounds {
				unruly(i.Addr, r)
			}
		})
	}
	wg.Wait()
	admin.Must("OK", "CLIENT", "UNPAUSE")
	servertest.Until(t, "only the admin is connected", func() error {
		info := admin.Info("clients")
		if info["connected_clients"] != "1" || info["blocked_clients"] != "0" || info["tracking_clients"] != "0" || info["pubsub_clients"] != "0" {
			return fmt.Errorf("connected %s, blocked %s", info["connected_clients"], info["blocked_clients"])
		}
		return nil
	})
	a, errA := strconv.Atoi(admin.Text("GET", "a"))
	b, errB := strconv.Atoi(admin.Text("GET", "b"))
	if errA != nil || errB != nil || a+b != 2000 {
		t.Errorf("a is %d and b is %d: together %d, want 2000", a, b, a+b)
	}
}

// unruly is one connection with a few random doings.
func unruly(addr string, r *rand.Rand) {
	c, err := net.DialTimeout("tcp", addr, servertest.Deadline)
	if err != nil {
		return // killed by another one while connecting
	}
	defer c.Close()
	cut := false
	send := func(requests ...[]string) {
		var b []byte
		for _, words := range requests {
			b = append(b, servertest.Request(words...)...)
		}
		if r.IntN(6) == 0 {
			b, cut = b[:r.IntN(len(b)+1)], true
		}
		_, _ = c.Write(b) // whoever was killed can not write
	}
	// After half a request nothing more is said: what comes next could complete it to
	// something else, a transaction that gives without taking among it.
	for n := 1 + r.IntN(4); n > 0 && !cut; n-- {
		switch r.IntN(10) {
		case 0, 1:
			send([]string{"MULTI"}, []string{"DECRBY", "a", "7"}, []string{"INCRBY", "b", "7"}, []string{"EXEC"})
		case 2:
			send([]string{"WATCH", "a", "b"}, []string{"MULTI"}, []string{"DECRBY", "b", "3"}, []string{"INCRBY", "a", "3"}, []string{"EXEC"})
		case 3:
			send([]string{"CLIENT", "PAUSE", "3", "WRITE"}, []string{"GET", "a"})
		case 4:
			send([]string{"CLIENT", "KILL", "ID", fmt.Sprint(2 + r.IntN(2500))}, []string{"CLIENT", "LIST"})
		case 5:
			send([]string{"MONITOR"}, []string{"RESET"}, []string{"MONITOR"})
		case 6:
			send([]string{"SET", fmt.Sprint("k", r.IntN(50)), "v", "PX", "5"}, []string{"DBSIZE"}, []string{"QUIT"}, []string{"GET", "a"})
		case 8:
			send([]string{"HELLO", "3"}, []string{"CLIENT", "TRACKING", "ON", "BCAST"}, []string{"GET", "a"}, []string{"SET", "t", "1"}, []string{"RESET"})
		case 9:
			send([]string{"SUBSCRIBE", "news"}, []string{"PSUBSCRIBE", "n*"}, []string{"PING"}, []string{"UNSUBSCRIBE"}, []string{"PUNSUBSCRIBE"},
				[]string{"PUBLISH", "news", "x"}, []string{"HELLO", "3"}, []string{"SUBSCRIBE", "news"}, []string{"CLIENT", "TRACKING", "ON"}, []string{"GET", "t"})
		case 7:
			send([]string{"CLIENT", "REPLY", "OFF"}, []string{"INCRBY", "a", "0"}, []string{"CLIENT", "UNPAUSE"})
		}
		if r.IntN(3) == 0 {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Read(make([]byte, 1+r.IntN(2000))) // looks at some of the replies
		}
	}
}
