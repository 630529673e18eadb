package cluster

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Between two starts of a program that ended, and two looks at what it waits for.
const (
	restartDelay = time.Second
	pollDelay    = 50 * time.Millisecond
)

// status is what the supervisor tells about one program, in a file of its own.
type status struct {
	PID    int    `json:"pid,omitempty"` // in the node's process namespace; 0: does not run
	Starts int    `json:"starts"`
	Exit   string `json:"exit,omitempty"` // how it ended the last time
}

// supervise starts the node's programs, each as soon as what it waits for
// answers, and starts again those that end, as an init system would. It returns
// never; the first process ends it.
func supervise(dir string) error {
	spec, err := readSpec(dir)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, p := range spec.Programs {
		all.Go(func() { keepRunning(spec, p) })
	}
	all.Wait()
	return nil
}

func keepRunning(spec nodeSpec, p program) {
	await(p.After)
	for starts := 1; ; starts++ {
		err := runOnce(spec, p, starts)
		exit := "exit status 0"
		if err != nil {
			exit = err.Error()
		}
		writeStatus(spec, p, status{Starts: starts, Exit: exit})
		time.Sleep(restartDelay)
		awaitRelease(spec.holdFile(p.Name))
	}
}

// awaitRelease returns when the file is gone by which Stop keeps a program down.
func awaitRelease(hold string) {
	for {
		if _, err := os.Stat(hold); err != nil {
			return
		}
		time.Sleep(pollDelay)
	}
}

// runOnce starts a program and returns when it has ended.
func runOnce(spec nodeSpec, p program, starts int) error {
	log, err := os.OpenFile(spec.logFile(p.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"PATH=" + spec.Path, "HOME=" + spec.Dir}
	cmd.Dir = "/"
	if err := cmd.Start(); err != nil {
		return err
	}
	writeStatus(spec, p, status{PID: cmd.Process.Pid, Starts: starts})
	return cmd.Wait()
}

// await returns when an address accepts connections (tcp:127.0.0.1:2379,
// unix:/run/x.sock), or when a URL answers with success.
func await(address string) {
	network, where, _ := strings.Cut(address, ":")
	for {
		switch {
		case address == "":
			return
		case network == "https":
			if answers(address) {
				return
			}
		default:
			if c, err := net.Dial(network, where); err == nil {
				c.Close()
				return
			}
		}
		time.Sleep(pollDelay)
	}
}

// local asks only this node's own API server, and only whether it is ready.
var local = &http.Client{
	Timeout:   time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

func answers(url string) bool {
	response, err := local.Get(url)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// writeStatus replaces the file at once, so that no reader sees half of it.
func writeStatus(spec nodeSpec, p program, s status) {
	file := spec.statusFile(p.Name)
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file+".new", b, 0o644)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "status of %s: %v\n", p.Name, err)
	}
}
