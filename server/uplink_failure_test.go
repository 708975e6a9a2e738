package server

import (
	"context"
	"net"
	"testing"
	"time"
)

func TestTheSameFailureIsToldEveryHalfMinute(t *testing.T) {
	var f failures
	for _, row := range []struct {
		at   time.Duration
		text string
		want string // "": nothing is told
	}{
		{0, "refused", "refused"},
		{1 * time.Second, "refused", ""},
		{2 * time.Second, "no route", "no route"},
		{3 * time.Second, "no route", ""},
		{4 * time.Second, "no route", ""},
		{32 * time.Second, "no route", "no route (again 3x in 30s)"},
		{33 * time.Second, "no route", ""},
		{34 * time.Second, "refused", "refused"},
		{90 * time.Second, "refused", "refused (again 1x in 56s)"},
	} {
		line, due := f.tell(row.text, row.at)
		if due != (row.want != "") || line != row.want {
			t.Errorf("%q at %v: told %q, want %q", row.text, row.at, line, row.want)
		}
	}
}

func TestAFailedDialDoesNotNameTheAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = dialRaw(context.Background(), address, "")
	if err == nil || err.Error() != "connection refused" {
		t.Errorf("dialing a port where nobody listens: %v", err)
	}
}
