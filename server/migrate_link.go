package server

import (
	"bufio"
	"context"
	"net"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
)

// migrateRequest is what a MIGRATE sends.
type migrateRequest struct {
	preamble []byte // commands in front: AUTH and SELECT
	first    int    // how many these are
	restores []byte // a RESTORE for every key
	keys     int
}

// migrateResult is what became of it.
type migrateResult struct {
	restored []int              // which RESTOREs have succeeded, by their numbers
	reply    command.ReplyError // "" when all is well
}

// migrate sends a request and reads the replies. Each step may take as long as
// timeout. It is not tried again: what has been sent may have been done.
func migrate(ctx context.Context, target string, timeout time.Duration, r migrateRequest) (result migrateResult) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		result.reply = errMigrateConnect
		return result
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends what is waited for
	defer stop()
	link := migrateLink{conn: conn, replies: bufio.NewReader(conn), timeout: timeout}
	// Without the right user or database, nothing is restored at all.
	if _, result.reply = link.exchange(r.preamble, r.first); result.reply == "" {
		result.restored, result.reply = link.exchange(r.restores, r.keys)
	}
	return result
}

// migrateLink is the connection to the other server.
type migrateLink struct {
	conn    net.Conn
	replies *bufio.Reader
	timeout time.Duration
}

// exchange sends n commands and reads their replies: which ones have succeeded, and
// what went wrong first.
func (l *migrateLink) exchange(request []byte, n int) (good []int, wrong command.ReplyError) {
	const piece = 64 << 10
	for len(request) > 0 {
		some := min(len(request), piece)
		l.startTimeout()
		if _, err := l.conn.Write(request[:some]); err != nil {
			return nil, errMigrateWrite
		}
		request = request[some:]
	}
	for i := range n {
		l.startTimeout()
		said, err := l.replies.ReadSlice('\n') // no more than fits the buffer: replies are short
		switch line := strings.TrimRight(string(said), "\r\n"); {
		case err != nil:
			if wrong == "" {
				wrong = errMigrateRead
			}
			return good, wrong
		case !strings.HasPrefix(line, "-"):
			good = append(good, i)
		case wrong == "":
			wrong = targetError(line)
		}
	}
	return good, wrong
}

// startTimeout bounds the next step. It fails only on a closed link, which the step
// itself tells.
func (l *migrateLink) startTimeout() { _ = l.conn.SetDeadline(time.Now().Add(l.timeout)) }
