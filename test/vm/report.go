package vm

import (
	"regexp"
	"strings"
)

// result is how one of the guest's tests ended.
type result struct {
	test    string
	outcome string // PASS, FAIL or SKIP
}

// report is what the guest says on its console.
type report struct {
	results []result
	// passed is true when the guest has said that all is well, which a guest that stops midway never does.
	passed bool
}

var (
	ended    = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+) `)
	farewell = "memhog guest: exit code 0"
)

// read takes the console's output apart. Lines of a serial console end with a carriage return, too.
func read(console string) report {
	var r report
	for line := range strings.Lines(console) {
		line = strings.TrimRight(line, "\r\n")
		if match := ended.FindStringSubmatch(line); match != nil {
			r.results = append(r.results, result{outcome: match[1], test: match[2]})
		}
		r.passed = r.passed || line == farewell
	}
	return r
}
