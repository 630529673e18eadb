// Command release writes a new version into every file that names one: the Makefile, the base of the bundle, the
// catalog's template and the changelog. `make release` calls it, and then generates what follows from them.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
)

var version = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func main() {
	if err := run(os.Args[1:], time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, now time.Time) error {
	if len(args) != 1 || !version.MatchString(args[0]) {
		return fmt.Errorf("%q: want one version, such as 0.2.0", args)
	}
	root, err := install.Root()
	if err != nil {
		return err
	}
	before, err := olm.Released(root)
	if err != nil {
		return err
	}
	return release(root, before.Version, args[0], now.UTC().Format(time.DateOnly))
}

// release edits all files or, when one of them is not as expected, none.
func release(root, before, next, date string) error {
	edited := map[string]string{}
	for file, edit := range map[string]func(string) (string, error){
		"Makefile": replace("VERSION = "+before, "VERSION = "+next),
		"config/manifests/bases/memhog-operator.clusterserviceversion.yaml": replaceLine("    createdAt:",
			fmt.Sprintf("    createdAt: %q", date+"T00:00:00Z")),
		"config/catalog/template.yaml": func(text string) (string, error) { return addRelease(text, before, next) },
		"docs/install.md":              replaceAll(before, next),
		"CHANGELOG.md":                 replace("## [Unreleased]\n", "## [Unreleased]\n\n## ["+next+"] - "+date+"\n"),
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		if edited[file], err = edit(string(text)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for file, text := range edited {
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// replaceAll is for prose, which may name the version as often as it likes.
func replaceAll(from, to string) func(string) (string, error) {
	return func(text string) (string, error) {
		if !strings.Contains(text, from) {
			return "", fmt.Errorf("%q is not there", from)
		}
		return strings.ReplaceAll(text, from, to), nil
	}
}

func replace(from, to string) func(string) (string, error) {
	return func(text string) (string, error) {
		if strings.Count(text, from) != 1 {
			return "", fmt.Errorf("%q is there %d times, want once", from, strings.Count(text, from))
		}
		return strings.Replace(text, from, to, 1), nil
	}
}

// replaceLine replaces the one line that begins so.
func replaceLine(begin, line string) func(string) (string, error) {
	return func(text string) (string, error) {
		lines, found := strings.Split(text, "\n"), 0
		for i := range lines {
			if strings.HasPrefix(lines[i], begin) {
				lines[i] = line
				found++
			}
		}
		if found != 1 {
			return "", fmt.Errorf("%d lines begin with %q, want one", found, begin)
		}
		return strings.Join(lines, "\n"), nil
	}
}

// addRelease adds a version to every channel, where it replaces the one before, and its bundle's image. A version that is
// there already, as before the first release, is left as it is.
func addRelease(template, before, next string) (string, error) {
	if strings.Contains(template, olm.CSVName(next)+"\n") {
		return template, nil
	}
	entry := fmt.Sprintf("  - name: %s\n    replaces: %s\n", olm.CSVName(next), olm.CSVName(before))
	sections := strings.SplitAfter(template, "\n- schema: ")
	channels := 0
	for i, section := range sections {
		if !strings.HasPrefix(section, "olm.channel\n") {
			continue
		}
		body, following := strings.CutSuffix(section, "- schema: ")
		sections[i] = body + entry
		if following {
			sections[i] += "- schema: "
		}
		channels++
	}
	if channels == 0 {
		return "", fmt.Errorf("no channel to add %s to", next)
	}
	text := strings.TrimRight(strings.Join(sections, ""), "\n") + "\n"
	return text + "- schema: olm.bundle\n  image: " + olm.BundleRef(next) + "\n", nil
}
