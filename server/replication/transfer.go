package replication

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// MarkLen is the length of the random mark that ends a snapshot of unknown size.
const MarkLen = 40

// Transfer takes a snapshot's bytes from a link and finds their end, either by
// their number or by a mark. No line end follows a snapshot: the stream may begin
// in the same read.
type Transfer struct {
	Total    int64 // bytes of the snapshot; -1 when only the mark tells the end
	Received int64 // bytes of the snapshot handed out so far
	mark     []byte
	held     []byte // bytes that may be the beginning of the mark
	done     bool
}

func parseTransferHeader(line string) (*Transfer, error) {
	if mark, ok := strings.CutPrefix(line, "$EOF:"); ok {
		if len(mark) != MarkLen {
			return nil, fmt.Errorf("%w: a snapshot's end mark of %d bytes, not %d", ErrHandshake, len(mark), MarkLen)
		}
		return &Transfer{Total: -1, mark: []byte(mark)}, nil
	}
	size, ok := strings.CutPrefix(line, "$")
	n, err := strconv.ParseInt(size, 10, 64)
	if !ok || err != nil || n < 0 {
		return nil, fmt.Errorf("%w: %q where a snapshot should begin", ErrHandshake, line)
	}
	return &Transfer{Total: n, done: n == 0}, nil
}

// Done reports whether the whole snapshot has been taken.
func (t *Transfer) Done() bool { return t.done }

// Consume takes n bytes from buf and returns those that belong to the snapshot.
// The payload may alias buf, or a buffer that is valid until the next call. When
// it is Done, buf[n:] belongs to the stream.
func (t *Transfer) Consume(buf []byte) (payload []byte, n int) {
	if t.done {
		return nil, 0
	}
	if t.mark == nil {
		n = int(min(int64(len(buf)), t.Total-t.Received))
		t.Received += int64(n)
		t.done = t.Received == t.Total
		return buf[:n], n
	}
	return t.untilMark(buf)
}

// untilMark holds back the last MarkLen bytes, since the mark may straddle reads:
// of 100 bytes 60 are certainly payload, the other 40 may be the mark or a part of
// the payload before it.
func (t *Transfer) untilMark(buf []byte) (payload []byte, n int) {
	before := len(t.held)
	all := append(t.held, buf...)
	// The mark can not begin before the bytes that were held back: a mark that was
	// complete then would have ended the transfer.
	if at := bytes.Index(all, t.mark); at >= 0 {
		t.done = true
		n = at + MarkLen - before
		payload = all[:at]
		t.held = nil
	} else {
		keep := min(len(all), MarkLen-1)
		payload = all[:len(all)-keep]
		t.held = append(make([]byte, 0, 4096), all[len(all)-keep:]...)
		n = len(buf)
	}
	t.Received += int64(len(payload))
	return payload, n
}

// AppendSizedHeader begins a snapshot whose size is known.
func AppendSizedHeader(dst []byte, size int64) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, size, 10)
	return append(dst, '\r', '\n')
}

// AppendMarkedHeader begins a snapshot that ends with mark, MarkLen bytes.
func AppendMarkedHeader(dst []byte, mark string) []byte {
	dst = append(dst, "$EOF:"...)
	dst = append(dst, mark...)
	return append(dst, '\r', '\n')
}

// AppendFullResync is the deferred answer to a PSYNC that needs a snapshot. offset
// is the count of stream bytes that the snapshot holds, not that plus one.
func AppendFullResync(dst []byte, h History, offset int64) []byte {
	dst = append(dst, "+FULLRESYNC "...)
	dst = append(dst, h.ID...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, offset, 10)
	return append(dst, '\r', '\n')
}

// AppendContinue answers a PSYNC that may continue. The ID is always the present
// one, also when the replica came with the second; replicas that did not offer
// psync2 do not expect one.
func AppendContinue(dst []byte, h History, psync2 bool) []byte {
	dst = append(dst, "+CONTINUE"...)
	if psync2 {
		dst = append(dst, ' ')
		dst = append(dst, h.ID...)
	}
	return append(dst, '\r', '\n')
}
