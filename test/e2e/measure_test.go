package e2e

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/test/chaos"
)

// measurements collects what the runs saw, for the summary at the end.
var measurements struct {
	sync.Mutex
	order []string
	gaps  map[string]chaos.Distribution
	lost  map[string]int
	acked map[string]int
}

func record(fault string, gap time.Duration, acked, lost int) {
	m := &measurements
	m.Lock()
	defer m.Unlock()
	if m.gaps == nil {
		m.gaps, m.lost, m.acked = map[string]chaos.Distribution{}, map[string]int{}, map[string]int{}
	}
	if _, seen := m.gaps[fault]; !seen {
		m.order = append(m.order, fault)
	}
	m.gaps[fault] = append(m.gaps[fault], gap)
	m.lost[fault] += lost
	m.acked[fault] += acked
}

func printMeasurements() {
	m := &measurements
	m.Lock()
	defer m.Unlock()
	if len(m.order) == 0 {
		return
	}
	fmt.Fprintln(os.Stdout, "\nTime without an acknowledged write, as the client saw it through the -rw service:")
	for _, fault := range m.order {
		fmt.Fprintf(os.Stdout, "  %-34s %s; %d of %d acknowledged writes lost\n", fault, m.gaps[fault], m.lost[fault], m.acked[fault])
	}
}
