// Command lockstep-server is the data plane: a Redis-compatible server that
// replicates. It takes a redis.conf-style file and "--directive value"
// arguments, as redis-server does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/lockstep-db/lockstep/server"
	"github.com/lockstep-db/lockstep/server/config"
)

const usage = `Usage: lockstep-server [/path/to/redis.conf | -] [--directive value ...]
       lockstep-server --version
       lockstep-server --help

Examples:
       lockstep-server                              (the default configuration)
       lockstep-server /etc/lockstep.conf
       lockstep-server --port 7777
       lockstep-server --port 7777 --replicaof 127.0.0.1 6379
       lockstep-server /etc/lockstep.conf --loglevel verbose
       echo 'maxclients 500' | lockstep-server -

Directives have Redis' names; CONFIG GET * lists them.
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with everything that it touches as arguments; it returns the exit
// status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 1 {
		switch args[0] {
		case "-v", "--version":
			fmt.Fprintf(stdout, "Lockstep server v=%s\n", server.Version())
			return 0
		case "-h", "--help":
			fmt.Fprint(stdout, usage)
			return 0
		}
	}
	cfg, err := config.Load(args, stdin)
	if err != nil {
		reportConfig(stderr, err)
		return 1
	}
	if err := serve(cfg, stdout); err != nil {
		fmt.Fprintf(stderr, "lockstep-server: %v\n", err)
		return 1
	}
	return 0
}

// reportConfig says what is wrong with the configuration, where, and what to do.
func reportConfig(w io.Writer, err error) {
	var line *config.LineError
	if errors.As(err, &line) {
		fmt.Fprintf(w, "\n*** FATAL CONFIG FILE ERROR (Lockstep %s) ***\n%v\n", server.Version(), err)
		return
	}
	fmt.Fprintf(w, "Fatal error, %v\n", err)
}

func serve(cfg *config.Config, stdout io.Writer) error {
	if err := os.Chdir(cfg.Dir); err != nil {
		return fmt.Errorf("use directory of the directive dir: %w", err)
	}
	// A relative path was meant from where we came; it is told and used as an
	// absolute one from now on.
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("use directory of the directive dir: %w", err)
	}
	cfg.Dir = dir
	srv, err := server.New(server.Options{Config: cfg, Output: stdout})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	go func() {
		for sig := range signals { // ends with the process
			name := "SIGTERM"
			if sig == syscall.SIGINT {
				name = "SIGINT"
			}
			srv.Signal(name)
		}
	}()
	return srv.Run(context.Background())
}
