package usage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

func TestCauseNamesWhatFailedWithoutWhatDiffersAtEachTry(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{
			Op: "dial", Net: "tcp", Err: err,
			Source: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40123},
		}
	}
	tests := []struct {
		reason string
		err    error
		want   string
	}{
		{reason: "nothing failed", err: nil, want: ""},
		{reason: "an answer with another status", err: StatusError{Code: 503}, want: "answered 503 Service Unavailable"},
		{reason: "nobody listens", err: dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), want: "connection refused"},
		{reason: "there is no way to it", err: dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), want: "no route to host"},
		{
			reason: "its name is not known",
			err:    dial(&net.DNSError{Err: "no such host", Name: "node-7", Server: "192.0.2.53:53", IsNotFound: true}),
			want:   `no such host "node-7"`,
		},
		{
			reason: "names cannot be looked up at present, which says nothing about the host",
			err:    dial(&net.DNSError{Err: "server misbehaving", Name: "node-7", Server: "192.0.2.53:53", IsTemporary: true}),
			want:   `the name "node-7" cannot be looked up`,
		},
		{
			reason: "looking up its name takes too long",
			err:    dial(&net.DNSError{Err: "i/o timeout", Name: "node-7", IsTimeout: true}),
			want:   "no answer in time",
		},
		{
			reason: "Prometheus refuses the query",
			err:    &promv1.Error{Type: promv1.ErrBadData, Msg: "parse error", Detail: "and much more"},
			want:   "parse error",
		},
		{reason: "the time for it is over", err: context.DeadlineExceeded, want: "no answer in time"},
		{reason: "the time for reading is over", err: dial(os.ErrDeadlineExceeded), want: "no answer in time"},
		{reason: "something else", err: errors.New("address 192.0.2.1:40123 says boo"), want: "the answer cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			err := tt.err
			if err != nil {
				err = fmt.Errorf("kubelet of node %q: %w", "node-7", err)
			}
			if got := Cause(err); got != tt.want {
				t.Errorf("%s: want %q, got %q", tt.reason, tt.want, got)
			}
		})
	}
}
