package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Options of a Writer. The zero value of a field means its default.
type Options struct {
	// Prefix of the keys; distinct Writers need distinct ones. Default "chaos".
	Prefix string
	// Pace is the time between two writes while all goes well. Default 1 ms.
	Pace time.Duration
	// Timeout of a dial, and of one write. A write that times out counts as
	// not acknowledged, whatever the server did with it. Default 300 ms: an
	// application that wants to notice a dead server soon has one like it.
	Timeout time.Duration
}

func (o *Options) setDefaults() {
	if o.Prefix == "" {
		o.Prefix = "chaos"
	}
	if o.Pace == 0 {
		o.Pace = time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = 300 * time.Millisecond
	}
}

// retryPause is the wait after a failed attempt. It bounds the resolution of a
// measured gap, and keeps a refused dial from becoming a busy loop.
const retryPause = 5 * time.Millisecond

// Writer writes PREFIX:0, PREFIX:1, … one after the other on one connection,
// which it replaces when it breaks. A number is used once: a write that failed
// is not repeated, so each key was sent at most once.
type Writer struct {
	addr   string        // fixed
	opts   Options       // fixed
	client *redis.Client // of the goroutine that writes
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex // guards what follows
	history History
	serving string // run ID of the process behind the present connection
}

// Start begins to write to addr (host:port) until Stop or until ctx ends.
func Start(ctx context.Context, addr string, opts Options) *Writer {
	opts.setDefaults()
	ctx, cancel := context.WithCancel(ctx)
	w := &Writer{addr: addr, opts: opts, cancel: cancel, done: make(chan struct{})}
	w.history = History{Prefix: opts.Prefix, Errors: map[string]int{}}
	w.client = w.newClient()
	go w.run(ctx)
	return w
}

func (w *Writer) newClient() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:            w.addr,
		PoolSize:        1,
		MaxRetries:      -1, // a retry inside the library would hide what a client sees
		DialTimeout:     w.opts.Timeout,
		DialerRetries:   1,
		ReadTimeout:     w.opts.Timeout,
		WriteTimeout:    w.opts.Timeout,
		PoolTimeout:     w.opts.Timeout,
		MinIdleConns:    0,
		DisableIdentity: true,
		OnConnect:       w.learnRunID,
	})
}

// learnRunID asks each new connection which process is behind it, because the
// address alone (a service) does not tell.
func (w *Writer) learnRunID(ctx context.Context, cn *redis.Conn) error {
	info, err := cn.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("learn run ID: %w", err)
	}
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok {
			w.mu.Lock()
			w.serving = id
			w.mu.Unlock()
			return nil
		}
	}
	return errors.New("learn run ID: INFO server has no run_id")
}

func (w *Writer) run(ctx context.Context) {
	defer close(w.done)
	pace := time.NewTicker(w.opts.Pace)
	defer pace.Stop()
	for seq := int64(0); ; seq++ {
		wait := pace.C
		if err := w.write(ctx, seq); err != nil {
			// Anew: after as many failed dials as it may have connections, the
			// library answers from memory for a second before it dials again.
			_ = w.client.Close()
			w.client = w.newClient()
			wait = time.After(retryPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-wait:
		}
	}
}

func (w *Writer) write(ctx context.Context, seq int64) error {
	sent := time.Now()
	err := w.client.Set(ctx, key(w.opts.Prefix, seq), seq, 0).Err()
	acked := time.Now()

	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Attempts++
	if err == nil {
		w.history.Acked = append(w.history.Acked, Write{Seq: seq, Sent: sent, Acked: acked, By: w.serving})
		return nil
	}
	if ctx.Err() == nil {
		w.history.Errors[errorClass(err)]++
	}
	return err
}

// Acknowledged returns how many writes were acknowledged so far.
func (w *Writer) Acknowledged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.history.Acked)
}

// Stop ends the writing and returns what happened. It waits for the write
// under way.
func (w *Writer) Stop() History {
	w.cancel()
	<-w.done
	// The client is ours alone and has no write under way: an error of closing
	// it says nothing about the server.
	_ = w.client.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.history
}

func key(prefix string, seq int64) string { return fmt.Sprintf("%s:%d", prefix, seq) }

// errorClass keeps the tally short: the code word of a server's error, or the
// kind of a connection's.
func errorClass(err error) string {
	var reply redis.Error
	if errors.As(err, &reply) {
		word, _, _ := strings.Cut(reply.Error(), " ")
		return word
	}
	text := err.Error()
	for _, kind := range []string{"connection refused", "connection reset", "i/o timeout", "EOF", "broken pipe", "no route to host"} {
		if strings.Contains(text, kind) {
			return kind
		}
	}
	return text
}
