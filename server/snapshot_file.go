package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/lockstep-db/lockstep/server/rdb"
)

// errAbandoned is the result of a file that nobody wants any more.
var errAbandoned = errors.New("abandoned")

// fileWriter writes a file beside the reactor, which hands it buffers and never
// waits. The bytes go to a temporary file; it takes the final name only after all
// of it is on the disk, so whoever opens that name finds a complete file, the old
// one or the new one.
type fileWriter struct {
	path string // the final name
	temp string
	post func(func()) bool

	queued atomic.Int64 // bytes handed over and not yet written

	mu     sync.Mutex
	wake   *sync.Cond
	queue  [][]byte
	ended  bool
	gone   bool   // abandoned: remove the file
	drain  func() // posted once when little is queued; nil: nobody waits
	result func(error)
	waited chan error // instead of result: somebody waits

	// Owned by the goroutine.
	file    *os.File
	sum     uint64
	trailer bool // end with RDB's end mark and checksum
	rename  bool // give it the final name; otherwise it stays under temp
	written int64
	info    os.FileInfo // of the complete file; to be read after its result is known
	err     error
}

// fileQueue is how many bytes may wait for the disk before the producer pauses,
// and fileDrained at how many it may go on.
const (
	fileQueue   = 8 << 20
	fileDrained = 2 << 20
)

// startFile begins a file. The goroutine ends after finish or abandon.
func (s *Server) startFile(path string, snapshot, rename bool) (*fileWriter, error) {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf("temp-%s-%d.rdb", randomID()[:8], os.Getpid()))
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create snapshot file: %w", err)
	}
	w := newFileWriter(path, f)
	w.post, w.trailer, w.rename = s.post, snapshot, rename
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		w.run()
	}()
	return w, nil
}

func newFileWriter(path string, file *os.File) *fileWriter {
	w := &fileWriter{path: path, temp: file.Name(), file: file}
	w.wake = sync.NewCond(&w.mu)
	return w
}

// write hands a buffer over; it belongs to the writer from now on.
func (w *fileWriter) write(p []byte) {
	if len(p) == 0 {
		return
	}
	w.queued.Add(int64(len(p)))
	w.mu.Lock()
	w.queue = append(w.queue, p)
	w.mu.Unlock()
	w.wake.Signal()
}

// full reports whether the producer should pause; then resume is posted when it
// may go on.
func (w *fileWriter) full(resume func()) bool {
	if w.queued.Load() < fileQueue {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued.Load() < fileQueue {
		return false
	}
	w.drain = resume
	return true
}

// finish ends the file. result is posted when it is on the disk under its final
// name, or with what went wrong; then the old file is still there.
func (w *fileWriter) finish(result func(error)) {
	w.mu.Lock()
	w.ended, w.result = true, result
	w.mu.Unlock()
	w.wake.Signal()
}

// finishNow is finish for a caller that waits.
func (w *fileWriter) finishNow() error {
	waited := make(chan error, 1)
	w.mu.Lock()
	w.ended, w.waited = true, waited
	w.mu.Unlock()
	w.wake.Signal()
	return <-waited
}

// abandon removes what was written. It may be called at any time: when it returns,
// the file has its final name already, or never takes it.
func (w *fileWriter) abandon() {
	w.mu.Lock()
	w.ended, w.gone, w.queue, w.drain = true, true, nil, nil
	w.mu.Unlock()
	w.wake.Signal()
}

func (w *fileWriter) run() {
	for {
		w.mu.Lock()
		for len(w.queue) == 0 && !w.ended {
			w.wake.Wait()
		}
		batch, ended, gone, result, waited := w.queue, w.ended, w.gone, w.result, w.waited
		w.queue = nil
		w.mu.Unlock()
		for _, p := range batch {
			w.put(p)
		}
		if gone {
			w.err = errAbandoned
		}
		if ended && (gone || len(batch) == 0) {
			err := w.close()
			switch {
			case waited != nil:
				waited <- err
			case result != nil:
				w.post(func() { result(err) })
			}
			return
		}
	}
}

func (w *fileWriter) put(p []byte) {
	if w.err == nil {
		if _, err := w.file.Write(p); err != nil {
			w.err = fmt.Errorf("write snapshot file: %w", err)
		}
		if w.trailer {
			w.sum = rdb.Checksum(w.sum, p)
		}
		w.written += int64(len(p))
	}
	if w.queued.Add(-int64(len(p))) < fileDrained {
		w.mu.Lock()
		drain := w.drain
		w.drain = nil
		w.mu.Unlock()
		if drain != nil {
			w.post(drain)
		}
	}
}

// close makes the file permanent, or removes it.
func (w *fileWriter) close() error {
	if w.err == nil && w.trailer {
		end := rdb.AppendEOF(nil, w.sum)
		if _, err := w.file.Write(end); err != nil {
			w.err = fmt.Errorf("write snapshot file: %w", err)
		}
		w.written += int64(len(end))
	}
	if w.err == nil {
		if err := w.file.Sync(); err != nil {
			w.err = fmt.Errorf("sync snapshot file: %w", err)
		}
	}
	if w.err == nil {
		if w.info, w.err = w.file.Stat(); w.err != nil {
			w.err = fmt.Errorf("look at snapshot file: %w", w.err)
		}
	}
	if err := w.file.Close(); err != nil && w.err == nil {
		w.err = fmt.Errorf("close snapshot file: %w", err)
	}
	if w.err == nil && w.rename {
		w.err = w.adopt()
	}
	if w.err != nil {
		_ = os.Remove(w.temp) // what is left of it is of no use; the error says why
	}
	return w.err
}

// adopt gives the file its final name, unless it was abandoned while the disk was
// busy with it: by then another, newer file may have that name.
func (w *fileWriter) adopt() error {
	if err := w.takeName(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(w.path))
}

func (w *fileWriter) takeName() error {
	w.mu.Lock() // abandon waits for this, on the reactor; so the directory is synced later
	defer w.mu.Unlock()
	if w.gone {
		return errAbandoned
	}
	if err := os.Rename(w.temp, w.path); err != nil {
		return fmt.Errorf("rename snapshot file: %w", err)
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
