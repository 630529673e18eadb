// Command scorecard holds the scorecard's tests of this operator, as bundle/tests/scorecard names them. Each runs as a
// Pod, with the bundle in a folder, and prints its result. The image also holds memhog, the workload of two of them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
)

// within is less than what `make scorecard` lets the scorecard wait for a test.
const within = 4 * time.Minute

// tests are by the names that the configuration calls them by.
var tests = map[string]func(context.Context) error{
	"bundle-has-no-wildcard":        bundleHasNoWildcard,
	"appmonitor-gets-ready":         appMonitorGetsReady,
	"invalid-appmonitor-is-refused": invalidAppMonitorIsRefused,
	"memhog-is-rescued":             memhogIsRescued,
	"operator-survives-restart":     operatorSurvivesRestart,
}

func main() {
	result := v1alpha3.TestResult{Name: strings.Join(os.Args[1:], " "), State: v1alpha3.PassState}
	if err := run(os.Args[1:]); err != nil {
		result.State = v1alpha3.FailState
		result.Errors = []string{err.Error()}
	}
	text, err := json.MarshalIndent(v1alpha3.TestStatus{Results: []v1alpha3.TestResult{result}}, "", "  ")
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Println(string(text))
}

func run(args []string) error {
	if len(args) != 1 || tests[args[0]] == nil {
		names := make([]string, 0, len(tests))
		for name := range tests {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("%q is none of the tests %q", args, names)
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return tests[args[0]](ctx)
}
