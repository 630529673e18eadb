package usage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// StatusError is an answer with a status other than 200.
type StatusError struct {
	Code int
}

func (e StatusError) Error() string {
	return fmt.Sprintf("answered %d %s", e.Code, http.StatusText(e.Code))
}

// Cause puts a read's error into words that stay the same while the cause does: full errors hold port numbers and
// addresses that differ at every try, and a condition that repeats them would be written at every tick.
func Cause(err error) string {
	var (
		status StatusError
		cert   *tls.CertificateVerificationError
		errno  syscall.Errno
		dns    *net.DNSError
		prom   *promv1.Error
		neterr net.Error
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &status):
		return status.Error() + advice(status.Code)
	case errors.As(err, &cert):
		return "its certificate is not trusted (" + distrust(cert.Err) + ")"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("no such host %q", dns.Name)
	case errors.As(err, &prom):
		return prom.Msg
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &neterr) && neterr.Timeout():
		return "no answer in time"
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q cannot be looked up", dns.Name)
	default:
		return "the answer cannot be read"
	}
}

// distrust says why a certificate is not trusted. The errors' own words hold the time of day, and addresses, which make
// one broken certificate authority as many causes as there are nodes.
func distrust(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "signed by an unknown authority"
	case errors.As(err, &hostname):
		return "not made out to the address it was reached at"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid"
	default:
		return "invalid"
	}
}

// advice names what most often lies behind a status, for whoever reads the condition.
func advice(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return " (does the kubelet accept service account tokens?)"
	case http.StatusForbidden:
		return " (the operator's service account needs get on nodes/metrics)"
	default:
		return ""
	}
}
