package server

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/resp"
)

// effects turns what commands have changed into bytes of the replication log.
//
// Effects between Begin and End reach a replica as one: none of them is nothing,
// one is itself, two or more are enclosed in MULTI and EXEC. A SELECT is put in
// front of an effect whose database is not the one that the stream is in.
type effects struct {
	server *Server
	db     int // the stream's selected database; -1: unknown, select before the next effect
	depth  int
	count  int    // effects since the outermost Begin
	buf    []byte // their bytes
}

// forceSelect has the next effect preceded by a SELECT, which a replica that
// begins at this point of the stream needs.
func (e *effects) forceSelect() { e.db = -1 }

// Begin opens a group; groups nest.
func (e *effects) Begin() { e.depth++ }

// End closes a group and, when it is the outermost, appends it to the log.
func (e *effects) End() {
	e.depth--
	if e.depth > 0 || e.count == 0 {
		return
	}
	if e.count > 1 {
		e.server.appendToLog([]byte("*1\r\n$5\r\nMULTI\r\n"))
		e.server.appendToLog(e.buf)
		e.server.appendToLog([]byte("*1\r\n$4\r\nEXEC\r\n"))
	} else {
		e.server.appendToLog(e.buf)
	}
	e.count, e.buf = 0, retain(e.buf)
}

// Effect takes one effect on a database.
func (e *effects) Effect(db int, args [][]byte) {
	if !e.server.keepsLog() {
		return
	}
	e.count++
	if db != e.db {
		e.buf = appendSelect(e.buf, db)
		e.db = db
	}
	e.buf = resp.AppendCommand(e.buf, args...)
	if e.depth == 0 {
		e.server.appendToLog(e.buf)
		e.count, e.buf = 0, retain(e.buf)
	}
}

func appendSelect(dst []byte, db int) []byte {
	var scratch [20]byte
	return resp.AppendCommand(dst, []byte("SELECT"), strconv.AppendInt(scratch[:0], int64(db), 10))
}

// retain empties a buffer, and lets go of one that has become large.
func retain(b []byte) []byte {
	if cap(b) > 64<<10 {
		return nil
	}
	return b[:0]
}
