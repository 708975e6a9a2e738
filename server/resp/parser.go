package resp

import (
	"bytes"
	"fmt"
	"math"
)

// Limits bound what one request may ask for before it is refused.
type Limits struct {
	MaxBulk      int // bytes of one argument (proto-max-bulk-len)
	MaxMultibulk int // arguments of one request
	MaxInline    int // bytes of an inline request, and of any header line
}

// DefaultLimits are those of Redis 7.
func DefaultLimits() Limits {
	return Limits{MaxBulk: 512 << 20, MaxMultibulk: math.MaxInt32, MaxInline: 64 << 10}
}

// Who has not given a password yet gets no more room than AUTH and HELLO need,
// so that strangers can not make the server allocate.
const (
	maxUnauthenticatedArgs = 10
	maxUnauthenticatedBulk = 16384
)

// ProtocolError is a request that can not be understood. After it the stream
// has no known position any more, so the connection has to be closed. The text
// is the one that Redis sends after "ERR Protocol error: ".
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// Errors without a variable part.
const (
	ErrTooBigInline     ProtocolError = "too big inline request"
	ErrUnbalancedQuotes ProtocolError = "unbalanced quotes in request"
	ErrTooBigMultibulk  ProtocolError = "too big mbulk count string"
	ErrTooBigBulkHeader ProtocolError = "too big bulk count string"
	ErrMultibulkLength  ProtocolError = "invalid multibulk length"
	ErrBulkLength       ProtocolError = "invalid bulk length"
	ErrUnauthMultibulk  ProtocolError = "unauthenticated multibulk length"
	ErrUnauthBulk       ProtocolError = "unauthenticated bulk length"
)

// Parser takes a stream of requests apart. The zero value is ready for use and
// has the DefaultLimits.
type Parser struct {
	Limits Limits
	// Unauthenticated narrows the limits as long as the client has not given
	// the password that the server asks for.
	Unauthenticated bool

	// What is known of the unfinished request that begins at buf[0].
	missing int    // arguments not read yet; 0: the request's header is not read yet
	bulk    int    // length of the argument under way, -1: its header is not read yet
	pos     int    // everything before it has been taken apart
	spans   []span // arguments read so far, relative to buf[0]

	args [][]byte // what Next returns, reused
}

type span struct{ off, n int }

// retainArgs is how many argument slots a parser keeps between requests; a
// single request with a million arguments must not cost memory for ever.
const retainArgs = 1024

// Next takes the first request out of buf, which holds everything that was
// received and not consumed, starting at a request's first byte.
//
// It returns the request's arguments and the number of bytes it took. The
// arguments alias buf and are valid until the next call. With n = 0 the request
// is not complete: call again with the same bytes and more of them (the buffer
// may have moved). With n > 0 and no arguments there was an empty request, to be
// skipped without a reply. An error is a ProtocolError.
func (p *Parser) Next(buf []byte) (args [][]byte, n int, err error) {
	if p.missing == 0 {
		if len(buf) == 0 {
			return nil, 0, nil
		}
		if p.Limits.MaxInline == 0 {
			p.Limits = DefaultLimits()
		}
		if buf[0] != '*' {
			return p.inline(buf)
		}
		count, next, err := p.header(buf, 0, ErrTooBigMultibulk, ErrMultibulkLength, int64(p.Limits.MaxMultibulk))
		if err != nil || next == 0 {
			return nil, 0, err
		}
		if p.Unauthenticated && count > maxUnauthenticatedArgs {
			return nil, 0, ErrUnauthMultibulk
		}
		if count <= 0 {
			return nil, next, nil
		}
		p.missing, p.bulk, p.pos = int(count), -1, next
		p.spans = p.spans[:0]
	}
	if done, err := p.bulks(buf); !done {
		return nil, 0, err
	}
	n = p.pos
	p.pos = 0
	return p.finish(buf), n, nil
}

// bulks reads arguments until none is missing.
func (p *Parser) bulks(buf []byte) (done bool, err error) {
	for p.missing > 0 {
		if p.bulk < 0 {
			if p.pos >= len(buf) {
				return false, nil
			}
			// Redis looks for the line's end before it looks at the '$'.
			if buf[p.pos] != '$' {
				return false, p.notABulk(buf)
			}
			length, next, err := p.header(buf, p.pos, ErrTooBigBulkHeader, ErrBulkLength, int64(p.Limits.MaxBulk))
			if err != nil || next == 0 {
				return false, err
			}
			if length < 0 {
				return false, ErrBulkLength
			}
			if p.Unauthenticated && length > maxUnauthenticatedBulk {
				return false, ErrUnauthBulk
			}
			p.bulk, p.pos = int(length), next
		}
		if len(buf)-p.pos < p.bulk+2 {
			return false, nil
		}
		p.spans = append(p.spans, span{p.pos, p.bulk})
		p.pos += p.bulk + 2
		p.bulk = -1
		p.missing--
	}
	return true, nil
}

func (p *Parser) notABulk(buf []byte) error {
	if bytes.IndexByte(buf[p.pos:], '\r') < 0 {
		if len(buf)-p.pos > p.Limits.MaxInline {
			return ErrTooBigBulkHeader
		}
		return nil
	}
	return ProtocolError(fmt.Sprintf("expected '$', got '%c'", rune(buf[p.pos])))
}

// finish turns the spans of a complete request into slices of buf.
func (p *Parser) finish(buf []byte) [][]byte {
	args := p.args[:0]
	for _, s := range p.spans {
		end := s.off + s.n
		args = append(args, buf[s.off:end:end])
	}
	if cap(args) > retainArgs {
		p.args, p.spans = nil, nil
	} else {
		p.args = args
	}
	return args
}

// header reads "<type><number>\r\n" at off. next is the offset behind it, or 0
// when the line is not complete.
func (p *Parser) header(buf []byte, off int, tooLong, invalid ProtocolError, limit int64) (v int64, next int, err error) {
	// The usual case, one to nine digits and all of it here, without a search.
	i := off + 1
	for i < len(buf) && i < off+10 {
		d := buf[i] - '0'
		if d > 9 {
			break
		}
		v = v*10 + int64(d)
		i++
	}
	if i > off+1 && i+1 < len(buf) && buf[i] == '\r' && (buf[off+1] != '0' || i == off+2) {
		if v > limit {
			return 0, 0, invalid
		}
		return v, i + 2, nil
	}

	cr := bytes.IndexByte(buf[off:], '\r')
	if cr < 0 {
		if len(buf)-off > p.Limits.MaxInline {
			return 0, 0, tooLong
		}
		return 0, 0, nil
	}
	if off+cr+2 > len(buf) {
		return 0, 0, nil
	}
	v, ok := ParseInt(buf[off+1 : off+cr])
	if !ok || v > limit {
		return 0, 0, invalid
	}
	return v, off + cr + 2, nil
}

// inline reads a request that is a line of words.
func (p *Parser) inline(buf []byte) (args [][]byte, n int, err error) {
	// pos remembers how far there was no line end the last time.
	nl := -1
	if p.pos <= len(buf) {
		nl = bytes.IndexByte(buf[p.pos:], '\n')
	}
	if nl < 0 {
		if len(buf) > p.Limits.MaxInline {
			return nil, 0, ErrTooBigInline
		}
		p.pos = len(buf)
		return nil, 0, nil
	}
	nl += p.pos
	p.pos = 0
	line := buf[:nl]
	if nl > 0 && line[nl-1] == '\r' {
		line = line[:nl-1]
	}
	args, err = SplitArgs(line)
	if err != nil {
		return nil, 0, err
	}
	return args, nl + 1, nil
}

// Need returns how long buf has to become, at least, before Next can get any
// further. A reader makes room for all of it at once instead of growing the
// buffer again and again under a large argument.
func (p *Parser) Need() int {
	if p.missing > 0 && p.bulk >= 0 {
		return p.pos + p.bulk + 2
	}
	return 0
}

// Taken returns how much of buf are arguments that are complete, while a large one
// behind them is awaited: the bytes of all, and of the arguments alone.
func (p *Parser) Taken() (bytes, arguments int) {
	if p.missing == 0 || p.bulk < largeBulk {
		return 0, 0
	}
	for _, s := range p.spans {
		arguments += s.n
	}
	return p.pos, arguments
}

// largeBulk is the length from which on Redis gives an argument a buffer of its own.
const largeBulk = 32 << 10

// Release lets go of the buffer that the last request's arguments alias.
func (p *Parser) Release() { clear(p.args[:cap(p.args)]) }

// ParseInt reads a decimal 64-bit integer the strict way: no blanks, no plus
// sign, no leading zeros.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	neg := b[0] == '-'
	digits := b
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	if digits[0] == '0' {
		return 0, len(digits) == 1 && !neg
	}
	var v uint64
	for _, ch := range digits {
		d := uint64(ch - '0')
		if d > 9 || v > (math.MaxUint64-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	if neg {
		if v > 1<<63 {
			return 0, false
		}
		return int64(-v), true // -v wraps to the two's complement, also for 1<<63
	}
	if v > math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}
