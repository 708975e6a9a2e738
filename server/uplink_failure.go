package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// failurePause is how often the same failure to synchronize is told. Attempts follow
// each other within a second, and a primary may be away for a day.
const failurePause = 30 * time.Second

// failures keeps the log readable while a primary can not be reached: a failure is told
// at once when it differs from the one before, and otherwise every failurePause. The
// zero value has told nothing.
type failures struct {
	last   string        // the failure that was told last; "": none
	toldAt time.Duration // on the caller's clock
	silent int           // how often it has come again since
}

// tell takes a failure and returns what to log, if anything.
func (f *failures) tell(text string, now time.Duration) (line string, due bool) {
	if text != f.last {
		*f = failures{last: text, toldAt: now}
		return text, true
	}
	f.silent++
	if now-f.toldAt < failurePause {
		return "", false
	}
	line = fmt.Sprintf("%s (again %dx in %v)", text, f.silent, (now - f.toldAt).Round(time.Second))
	f.toldAt, f.silent = now, 0
	return line, true
}

// dialError takes the address out of an error of the net package: whoever tells of a
// link names it already.
func dialError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}
