package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
)

const (
	// reactorPatience is how long a request waits for the reactor. It is below
	// the deadlines of an operator that is in the middle of a failover, and
	// far above what a healthy reactor needs.
	reactorPatience = 400 * time.Millisecond

	// watchHeartbeat is below instance.WatchInterval by what a loaded machine
	// needs to get a line out.
	watchHeartbeat = instance.WatchInterval - 100*time.Millisecond

	// watchPause is the shortest time between two lines of a stream, so that a
	// server with many changes does not spend itself on telling them.
	watchPause = 5 * time.Millisecond

	// watchPatience is how long one line may take to be taken off our hands.
	watchPatience = 5 * time.Second
)

// API serves the instance API.
type API struct {
	backend Backend
	log     *slog.Logger
	http    *http.Server
	ending  context.Context // done when Serve is to return: ends the watch streams
	end     context.CancelFunc
}

// NewAPI makes an API that is not yet served. The config is one that
// instance.ServerTLS makes.
func NewAPI(backend Backend, config *tls.Config, log *slog.Logger) *API {
	a := &API{backend: backend, log: log}
	a.ending, a.end = context.WithCancel(context.Background())
	a.http = newHTTPServer(a.handler(), log)
	a.http.TLSConfig = config
	return a
}

// newHTTPServer sets the limits that keep a stuck or hostile caller from holding
// on to anything for long.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than clients keep theirs, so that they close first
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Serve answers on l until ctx ends, then lets requests finish for a moment. It
// returns nil when it ended because of ctx.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	defer a.end()
	return serve(ctx, a.http, tls.NewListener(l, a.http.TLSConfig), a.end)
}

// serve runs s until ctx ends. before is called when it does.
func serve(ctx context.Context, s *http.Server, l net.Listener, before func()) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	before()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if s.Shutdown(grace) != nil {
		_ = s.Close() // what is still open then is cut off
	}
	<-failed
	return nil
}

func (a *API) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(instance.PathStatus, only(http.MethodGet, a.status))
	mux.HandleFunc(instance.PathWatch, only(http.MethodGet, a.watch))
	mux.HandleFunc(instance.PathFence, only(http.MethodPost, accept(a, fence)))
	mux.HandleFunc(instance.PathPromote, only(http.MethodPost, accept(a, promote)))
	mux.HandleFunc(instance.PathFollow, only(http.MethodPost, accept(a, follow)))
	mux.HandleFunc(instance.PathLease, only(http.MethodPost, accept(a, lease)))
	mux.HandleFunc(instance.PathHandover, only(http.MethodPost, accept(a, handover)))
	mux.HandleFunc(instance.PathResize, only(http.MethodPost, accept(a, resize)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusNotFound, &instance.Error{Code: instance.CodeInvalidRequest, Message: fmt.Sprintf("no such path: %.100q", r.URL.Path)})
	})
	return mux
}

func only(method string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			answer(w, http.StatusMethodNotAllowed, &instance.Error{Code: instance.CodeInvalidRequest, Message: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, method, r.Method)})
			return
		}
		h(w, r)
	}
}

func (a *API) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.backend.Status())
}

// watch writes the newest status at every change. A watcher that is slow misses
// those that were overtaken: nothing is queued for it.
func (a *API) watch(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	// The read deadline of the request must not end a stream that only writes.
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		a.log.Error("instance API: cannot stream", "error", err)
		return
	}
	silence := time.NewTimer(watchHeartbeat)
	defer silence.Stop()
	for {
		// The channel is fetched before the status: a change in between is
		// then seen as one that is still to come, and told twice at worst.
		published := a.backend.Published()
		if err := a.writeLine(out, w, a.backend.Status()); err != nil {
			return // the watcher is gone
		}
		if !a.pause(r.Context(), watchPause) {
			return
		}
		silence.Reset(watchHeartbeat)
		select {
		case <-published:
		case <-silence.C:
		case <-r.Context().Done():
			return
		case <-a.ending.Done():
			return
		}
	}
}

func (a *API) writeLine(out *http.ResponseController, w io.Writer, status *instance.Status) error {
	line, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	if err := out.SetWriteDeadline(time.Now().Add(watchPatience)); err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	return out.Flush()
}

// pause reports false when there is nothing to wait for any more.
func (a *API) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-a.ending.Done():
	}
	return false
}

// kind is what is peculiar to one sort of request.
type kind[R any] struct {
	epoch    func(R) uint64
	patience func(R) time.Duration // nil: reactorPatience
}

var (
	fence    = kind[instance.FenceRequest]{epoch: func(r instance.FenceRequest) uint64 { return r.Epoch }}
	promote  = kind[instance.PromoteRequest]{epoch: func(r instance.PromoteRequest) uint64 { return r.Epoch }}
	follow   = kind[instance.FollowRequest]{epoch: func(r instance.FollowRequest) uint64 { return r.Epoch }}
	lease    = kind[instance.LeaseRequest]{epoch: func(r instance.LeaseRequest) uint64 { return r.Epoch }}
	resize   = kind[instance.WindowRequest]{epoch: func(r instance.WindowRequest) uint64 { return r.Epoch }}
	handover = kind[instance.HandoverRequest]{
		epoch: func(r instance.HandoverRequest) uint64 { return r.Epoch },
		patience: func(r instance.HandoverRequest) time.Duration {
			return reactorPatience + time.Duration(r.TimeoutMillis)*time.Millisecond
		},
	}
)

// accept handles one sort of request: understand it, obey its epoch, give it to
// the reactor.
func accept[R interface{ Validate() error }](a *API, k kind[R]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request, err := decode[R](http.MaxBytesReader(w, r.Body, instance.MaxRequestBytes))
		if err != nil {
			answer(w, http.StatusBadRequest, &instance.Error{Code: instance.CodeInvalidRequest, Message: err.Error()})
			return
		}
		if refusal := a.obey(k.epoch(request)); refusal != nil {
			a.refuse(w, r, refusal)
			return
		}
		patience := reactorPatience
		if k.patience != nil {
			patience = k.patience(request)
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		status, err := a.backend.Apply(ctx, request)
		if err != nil {
			a.refuse(w, r, asRefusal(err))
			return
		}
		answer(w, http.StatusOK, status)
	}
}

// obey records the epoch, on this goroutine: the disk may be slow, and the
// reactor may be busy for longer than the sender can wait.
func (a *API) obey(epoch uint64) *instance.Error {
	if seen := a.backend.SeenEpoch(); epoch < seen {
		return &instance.Error{Code: instance.CodeStaleEpoch, Message: fmt.Sprintf("epoch %d is over: this instance obeys epoch %d", epoch, seen)}
	}
	if err := a.backend.RecordEpoch(epoch); err != nil {
		return &instance.Error{Code: instance.CodeStorage, Message: err.Error()}
	}
	return nil
}

func asRefusal(err error) *instance.Error {
	var refusal *instance.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	why := fmt.Sprintf("the server is busy: %v", err) // the reactor did not come to it in time
	code := instance.CodeBusy
	if errors.Is(err, ErrShutDown) {
		why, code = err.Error(), instance.CodeShuttingDown
	}
	return &instance.Error{Code: code, Message: why + "; the epoch has been recorded, and nothing of a lower one is written or acknowledged any more"}
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, refusal *instance.Error) {
	if refusal.Status == nil {
		refusal.Status = a.backend.Status()
	}
	a.log.Warn("instance API: request refused", "path", r.URL.Path, "from", r.RemoteAddr, "code", refusal.Code, "reason", refusal.Message)
	answer(w, httpStatus(refusal.Code), refusal)
}

func httpStatus(code instance.Code) int {
	switch code {
	case instance.CodeInvalidRequest:
		return http.StatusBadRequest
	case instance.CodeHandoverTimeout:
		return http.StatusGatewayTimeout
	case instance.CodeNotReady, instance.CodeBusy, instance.CodeShuttingDown:
		return http.StatusServiceUnavailable
	case instance.CodeStorage:
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

// decode takes exactly one JSON object with known fields whose values are in
// range.
func decode[R interface{ Validate() error }](body io.Reader) (R, error) {
	var request R
	content, err := io.ReadAll(body)
	if err != nil {
		return request, fmt.Errorf("read request: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		return request, fmt.Errorf("request at byte %d: %s", d.InputOffset(), describe(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return request, fmt.Errorf("request at byte %d: something follows the object", d.InputOffset())
	}
	return request, request.Validate()
}

// describe says what was wrong without the words of the decoder.
func describe(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return fmt.Sprintf("%s can not be a %s", kind.Field, kind.Value)
	case errors.Is(err, io.EOF):
		return "the body is empty; want a JSON object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the body ends in the middle of the JSON object"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func answer(w http.ResponseWriter, status int, body any) {
	content, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(content, '\n')) // the caller is gone: there is nobody to tell
}
