package cgroup

import (
	"fmt"
	"os"
	"testing"
)

// TestMain gives the test's executable its other two roles: the first process of a virtual machine, in which it runs the
// tests on a kernel of its own, and a process in a control group, which does as it is told.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(memberVariable) != "":
		if err := member(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case inGuest():
		runGuest(m)
	default:
		os.Exit(m.Run())
	}
}
