package instance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

var (
	errSilence = errors.New("the stream has gone silent")
	errGoodBye = errors.New("the instance has ended the connection")
)

// Client talks to one instance. It is safe for concurrent use. Every call ends
// when its context does; a context without a deadline waits for ever for an
// instance that does not answer.
//
// Errors are *Error when the instance has refused (see CodeOf), and
// *TransportError when it could not be asked (see FailureOf).
type Client struct {
	address string // fixed, host:port
	dialer  net.Dialer
	http    *http.Client
}

// NewClient talks to the instance at address (host:port). The config is one that
// ClientTLS makes.
func NewClient(address string, config *tls.Config) *Client {
	c := &Client{address: address}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"} // a connection for each watch, so that its end is the watch's end
	c.http = &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return c.dialTLS(ctx, network, addr, config)
		},
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}}
	return c
}

// Address is the host:port that the client dials.
func (c *Client) Address() string { return c.address }

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Dial makes a new TCP connection and closes it. It tells whether anybody listens
// there, without waiting for an answer from the process.
func (c *Client) Dial(ctx context.Context) error {
	conn, err := c.dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return c.failed(ctx, err)
	}
	_ = conn.Close() // nothing was sent that could be lost
	return nil
}

// Status asks for one status.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return c.call(ctx, http.MethodGet, PathStatus, nil)
}

// Fence sends a FenceRequest.
func (c *Client) Fence(ctx context.Context, r FenceRequest) (*Status, error) {
	return c.post(ctx, PathFence, r)
}

// Promote sends a PromoteRequest.
func (c *Client) Promote(ctx context.Context, r PromoteRequest) (*Status, error) {
	return c.post(ctx, PathPromote, r)
}

// Follow sends a FollowRequest.
func (c *Client) Follow(ctx context.Context, r FollowRequest) (*Status, error) {
	return c.post(ctx, PathFollow, r)
}

// Lease sends a LeaseRequest.
func (c *Client) Lease(ctx context.Context, r LeaseRequest) (*Status, error) {
	return c.post(ctx, PathLease, r)
}

// Handover sends a HandoverRequest.
func (c *Client) Handover(ctx context.Context, r HandoverRequest) (*Status, error) {
	return c.post(ctx, PathHandover, r)
}

// Resize sends a WindowRequest.
func (c *Client) Resize(ctx context.Context, r WindowRequest) (*Status, error) {
	return c.post(ctx, PathResize, r)
}

// Watch calls each with every status that the instance sends, until the context
// ends, each returns an error (which Watch returns unchanged), the stream breaks,
// or nothing was heard for longer than silence; sensible values are above
// WatchInterval. It never returns nil.
//
// FailureOf tells apart how it ended: Closed and Reset by the other side's kernel,
// Ended by its process, Silence by nobody.
func (c *Client) Watch(ctx context.Context, silence time.Duration, each func(*Status) error) error {
	streamCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	heard := time.AfterFunc(silence, func() { stop(errSilence) })
	defer heard.Stop()

	body, err := c.open(streamCtx, http.MethodGet, PathWatch, nil)
	if err == nil {
		defer func() { _ = body.Close() }() // read only
		lines := bufio.NewScanner(body)
		lines.Buffer(make([]byte, 0, 16<<10), maxStatusLineBytes)
		for lines.Scan() {
			heard.Reset(silence)
			status, err := decodeStatus(lines.Bytes())
			if err != nil {
				return &TransportError{c.address, FailureProtocol, err}
			}
			if err := each(status); err != nil {
				return err
			}
		}
		if err = lines.Err(); err == nil {
			err = errGoodBye
		}
	}
	if ctx.Err() == nil && errors.Is(context.Cause(streamCtx), errSilence) {
		err = fmt.Errorf("%w for %v", errSilence, silence)
	}
	return c.failed(ctx, err)
}

func (c *Client) post(ctx context.Context, path string, request any) (*Status, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return c.call(ctx, http.MethodPost, path, body)
}

func (c *Client) call(ctx context.Context, method, path string, request []byte) (*Status, error) {
	body, err := c.open(ctx, method, path, request)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	defer func() { _ = body.Close() }() // read only
	answer, err := io.ReadAll(io.LimitReader(body, maxStatusLineBytes))
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	status, err := decodeStatus(answer)
	if err != nil {
		return nil, &TransportError{c.address, FailureProtocol, err}
	}
	return status, nil
}

// open sends a request and returns the body of a good answer. A refusal is
// returned as *Error.
func (c *Client) open(ctx context.Context, method, path string, request []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+c.address+path, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	if request != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer func() { _ = answer.Body.Close() }() // read only
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxStatusLineBytes))
	if err != nil {
		return nil, err
	}
	refusal := &Error{}
	if err := json.Unmarshal(text, refusal); err != nil || refusal.Code == "" {
		return nil, fmt.Errorf("%s %s: %s: %.200q", method, path, answer.Status, text)
	}
	return nil, refusal
}

// failed makes a *TransportError of everything that is not an *Error.
func (c *Client) failed(ctx context.Context, err error) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &TransportError{c.address, classify(ctx, err), err}
}

func decodeStatus(text []byte) (*Status, error) {
	// Fields that are not known are left out, not refused: during an update the
	// other side may be the newer one.
	status := &Status{}
	if err := json.Unmarshal(text, status); err != nil {
		return nil, fmt.Errorf("decode status: %w", err)
	}
	return status, nil
}

func (c *Client) dialTLS(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
	raw, err := c.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	socket := &socketConn{Conn: raw}
	conn := tls.Client(socket, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		return nil, err
	}
	return endingConn{conn, socket}, nil
}

// socketConn sees the end of the connection as the kernel tells it.
type socketConn struct {
	net.Conn
	ended atomic.Bool // the other side has sent FIN
}

func (c *socketConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		c.ended.Store(true)
	}
	return n, err
}

// endingConn tells how a connection ended. A process that ends it says so in TLS,
// and only then closes the socket. When the socket is at its end and that was not
// said, the kernel has closed it. crypto/tls makes both io.EOF.
type endingConn struct {
	net.Conn
	socket *socketConn
}

func (c endingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) && !c.socket.ended.Load() {
		return n, errGoodBye
	}
	return n, err
}
