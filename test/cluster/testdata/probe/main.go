// Command probe runs in a Pod and tells what it can reach: a line for each URL in
// its arguments, "URL STATUS" or "URL ERROR". Then it serves HTTP on port 8080.
// A URL may hold $VARIABLES; https is asked with the service account's token and
// verified with its ca.crt, unless the URL begins with "anonymous:".
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	for _, arg := range os.Args[1:] {
		fmt.Println(arg, ask(os.ExpandEnv(arg)))
	}
	err := http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func ask(url string) string {
	url, anonymous := strings.CutPrefix(url, "anonymous:")
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	if token, err := os.ReadFile(account + "token"); err == nil && !anonymous {
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	authorities := x509.NewCertPool()
	if ca, err := os.ReadFile(account + "ca.crt"); err == nil {
		authorities.AppendCertsFromPEM(ca)
	}
	client := http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
	}
	response, err := client.Do(request)
	// A Service refuses for the moment until its endpoints have got about.
	for i := 0; i < 100 && errors.Is(err, syscall.ECONNREFUSED); i++ {
		time.Sleep(100 * time.Millisecond)
		response, err = client.Do(request)
	}
	if err != nil {
		return err.Error()
	}
	response.Body.Close()
	return fmt.Sprint(response.StatusCode)
}
