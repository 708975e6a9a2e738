package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// logLevel is Redis' scale.
type logLevel int32

const (
	logDebug logLevel = iota
	logVerbose
	logNotice
	logWarning
	logNothing
)

var logLevels = map[string]logLevel{
	"debug": logDebug, "verbose": logVerbose, "notice": logNotice, "warning": logWarning, "nothing": logNothing,
}

// logger writes the server's log: as Redis does, "pid:role date level message",
// since tools read it, or as a JSON object per line. Any goroutine may use it.
type logger struct {
	level atomic.Int32
	role  atomic.Int32 // the letter in front of the date: M, S, C, X

	mu    sync.Mutex
	out   io.Writer
	file  string // opened for every line, so that it can be rotated away; "": out
	json  *slog.Logger
	clock func() time.Time
	pid   int
}

func newLogger(out io.Writer, file, format, level string) (*logger, error) {
	l := &logger{out: out, file: file, clock: time.Now, pid: os.Getpid()}
	l.setLevel(level)
	l.role.Store('M')
	if file != "" {
		// A log that can not be written must be known at the start.
		if err := l.append(nil); err != nil {
			return nil, fmt.Errorf("open log file: %w", err)
		}
	}
	if format == "json" {
		l.json = slog.New(slog.NewJSONHandler(writerFunc(l.write), &slog.HandlerOptions{
			Level: slog.LevelDebug, ReplaceAttr: jsonNames,
		}))
	}
	return l, nil
}

// jsonNames gives the fields the names that log collectors look for.
func jsonNames(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			a.Value = slog.StringValue(map[slog.Level]string{
				slog.LevelDebug: "debug", slogVerbose: "verbose", slog.LevelInfo: "notice", slog.LevelWarn: "warning",
			}[level])
		}
	case slog.TimeKey:
		a.Key = "ts"
	}
	return a
}

const slogVerbose = slog.LevelDebug + 1

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (l *logger) setLevel(level string) { l.level.Store(int32(logLevels[level])) }

// setRole sets the letter that says what the process is: M a primary, S a
// replica.
func (l *logger) setRole(letter byte) { l.role.Store(int32(letter)) }

func (l *logger) Debugf(format string, args ...any)   { l.logf(logDebug, format, args...) }
func (l *logger) Verbosef(format string, args ...any) { l.logf(logVerbose, format, args...) }
func (l *logger) Noticef(format string, args ...any)  { l.logf(logNotice, format, args...) }
func (l *logger) Warningf(format string, args ...any) { l.logf(logWarning, format, args...) }

func (l *logger) logf(level logLevel, format string, args ...any) {
	if level < logLevel(l.level.Load()) {
		return
	}
	text := fmt.Sprintf(format, args...)
	if l.json != nil {
		slogLevel := [...]slog.Level{slog.LevelDebug, slogVerbose, slog.LevelInfo, slog.LevelWarn}[level]
		l.json.Log(context.Background(), slogLevel, text, "pid", l.pid, "role", roleName(byte(l.role.Load())))
		return
	}
	line := fmt.Appendf(nil, "%d:%c %s %c %s\n", l.pid, l.role.Load(),
		l.clock().Format("02 Jan 2006 15:04:05.000"), ".-*#"[level], text)
	_, _ = l.write(line) // a log that can not be written has nobody to tell
}

func roleName(letter byte) string {
	switch letter {
	case 'S':
		return "replica"
	case 'C':
		return "snapshot"
	}
	return "primary"
}

func (l *logger) write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != "" {
		return len(line), l.append(line)
	}
	return l.out.Write(line)
}

func (l *logger) append(line []byte) error {
	f, err := os.OpenFile(l.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
