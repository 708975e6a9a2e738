// Command bench compares lockstep-server with the installed redis-server in one
// run, on one machine, with the same load from redis-benchmark.
//
// What is compared is the servers' own CPU time per command (user and system,
// from /proc) and resident memory per key, as ratios to redis-server: on a
// machine that is shared with the load generator, wall-clock throughput says
// more about the neighbours than about the server. Each measurement is taken in
// alternating rounds, and the median ratio of the rounds is reported.
//
// The exit code is 1 when a ratio is above its target.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

func main() {
	log.SetFlags(0)
	var (
		ours     = flag.String("server", "bin/lockstep-server", "path of the lockstep-server to measure")
		theirs   = flag.String("redis", "redis-server", "redis-server to compare with")
		commands = flag.Int("n", 60_000, "commands for each measurement without pipelining; more with it")
		rounds   = flag.Int("rounds", 5, "alternating rounds for each measurement")
		keys     = flag.Int("keys", 2_000_000, "keys for the memory measurement")
		only     = flag.String("only", "", "measure only this: cpu, memory or latency")
		command  = flag.String("command", "", "measure the CPU time of only this command")
		markdown = flag.String("markdown", "", "write the table to this file as well")
	)
	flag.Parse()

	report, err := run(config{ours: *ours, theirs: *theirs, commands: *commands, rounds: *rounds, keys: *keys, only: *only, command: *command})
	if err != nil {
		log.Fatalf("bench: %v", err)
	}
	fmt.Print(report.text())
	if *markdown != "" {
		if err := os.WriteFile(*markdown, []byte(report.markdown()), 0o644); err != nil {
			log.Fatalf("bench: write table: %v", err)
		}
	}
	if report.failed() {
		os.Exit(1)
	}
}

type config struct {
	ours, theirs           string
	commands, rounds, keys int
	only, command          string // restrict what is measured; "" does not
}

func (c config) wants(l load) bool { return c.command == "" || strings.EqualFold(c.command, l.args[0]) }

// row is one line of the table.
type row struct {
	name         string
	unit         string
	redis, ours  float64
	ratio        float64
	target       float64 // 0: reported only
	ratioOmitted bool    // for lines that speak of ours alone
}

type report struct {
	machine string
	rows    []row
	notes   []string
}

func (r *report) failed() bool {
	for _, row := range r.rows {
		if row.target > 0 && row.ratio > row.target {
			return true
		}
	}
	return false
}

func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.machine)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tredis-server\tlockstep-server\tratio\ttarget\t")
	for _, row := range r.rows {
		fmt.Fprintln(w, strings.Join(row.cells(), "\t")+"\t")
	}
	if err := w.Flush(); err != nil {
		log.Fatalf("bench: %v", err) // a strings.Builder does not fail
	}
	for _, n := range r.notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nRegenerate with `make bench`. %s\n\n| what | redis-server | lockstep-server | ratio | target |\n|---|---|---|---|---|\n", r.machine)
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row.cells(), " | "))
	}
	b.WriteString("\n")
	for _, n := range r.notes {
		fmt.Fprintf(&b, "%s\n", n)
	}
	return b.String()
}

func (r row) cells() []string {
	if r.ratioOmitted {
		return []string{r.name, "", fmt.Sprintf("%.2f %s", r.ours, r.unit), "", ""}
	}
	target := ""
	if r.target > 0 {
		target = fmt.Sprintf("≤ %.2f", r.target)
		if r.ratio > r.target {
			target += " MISSED"
		}
	}
	return []string{r.name, fmt.Sprintf("%.2f %s", r.redis, r.unit), fmt.Sprintf("%.2f %s", r.ours, r.unit), fmt.Sprintf("%.2f", r.ratio), target}
}

func machine(theirs string) string {
	cpu := "unknown CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
				break
			}
		}
	}
	return fmt.Sprintf("%d cores, %s, %s, compared with %s.", runtime.NumCPU(), cpu, runtime.Version(), theirs)
}
