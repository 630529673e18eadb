// Package document writes what was measured into the documentation.
package document

import (
	"fmt"
	"strings"
)

// ReplacePart puts other content into the part of a Markdown text that stands between <!-- NAME --> and <!-- end of NAME -->. It
// is an error when the text has no such part.
func ReplacePart(text, name, content string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	head, rest, found := strings.Cut(text, begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("no lines %q and %q, in this order", strings.TrimSpace(begin), end)
	}
	return head + begin + "\n" + content + "\n" + end + tail, nil
}
