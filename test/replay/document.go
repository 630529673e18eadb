package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/kubedemo/memhog-operator/test/document"
	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// writeDocument writes the marked parts of a Markdown file anew. A part stands between <!-- NAME --> and <!-- end of NAME -->,
// and all parts must be there.
func writeDocument(path string, results []result) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := documented(string(before), results)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(after), 0o644)
}

func documented(text string, results []result) (string, error) {
	reach, err := reachTable()
	if err != nil {
		return "", err
	}
	filled, err := fillTable()
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, r := range results {
		rows = append(rows, r.cells())
	}
	for _, part := range [][2]string{
		{"traces", traceList()},
		{"table", markdownTable(columns, []int{0, 1, len(columns) - 1}, rows)},
		{"shortfalls", shortfallList(results)},
		{"reach", reach},
		{"fill", filled},
		{"charts", chartList()},
	} {
		if text, err = document.ReplacePart(text, part[0], part[1]); err != nil {
			return "", err
		}
	}
	return text, nil
}

func traceList() string {
	var rows [][]string
	for _, t := range trace.Builtin() {
		rows = append(rows, []string{"`" + t.Name + "`", t.Story})
	}
	return markdownTable([]string{"trace", "what the program does"}, []int{0, 1}, rows)
}

func chartList() string {
	var out []string
	for _, t := range trace.Builtin() {
		out = append(out, fmt.Sprintf("![%s: demand, limits and OOM kills over time](%s)\n", t.Name, chartFile(t)))
	}
	return strings.Join(out, "\n")
}

// shortfallList names where ours is not what it is to be: killed no more often than any baseline, with no more slack than
// the ancestor leaves.
func shortfallList(results []result) string {
	all := shortfalls(results)
	if len(all) == 0 {
		return "It is so everywhere.\n"
	}
	return "- " + strings.Join(all, "\n- ") + "\n"
}

func shortfalls(results []result) []string {
	byTrace := map[string]map[string]result{}
	for _, r := range results {
		if byTrace[r.trace] == nil {
			byTrace[r.trace] = map[string]result{}
		}
		byTrace[r.trace][r.policy] = r
	}
	var all []string
	for _, t := range trace.Builtin() {
		ours := byTrace[t.Name][scaler.Ours]
		for _, policy := range []string{scaler.None, scaler.Ancestor, scaler.VPA} {
			if base := byTrace[t.Name][policy]; ours.OOMKills > base.OOMKills {
				all = append(all, fmt.Sprintf("`%s`: %d OOM kills, with `%s` %d.", t.Name, ours.OOMKills, policy, base.OOMKills))
			}
		}
		// Less than what the table shows is a matter of which second one looks at the container.
		if base := byTrace[t.Name][scaler.Ancestor]; whole(ours.slack) > whole(base.slack) {
			all = append(all, fmt.Sprintf("`%s`: slack of %s, with `%s` %s.",
				t.Name, mebibytes(ours.slack), scaler.Ancestor, mebibytes(base.slack)))
		}
	}
	return all
}

// reachTable is what ours comes to by each strategy with each source.
func reachTable() (string, error) {
	header, left := []string{"trace"}, []int{0}
	rows := make([][]string, len(trace.Builtin()))
	for _, strategy := range []string{rollout, inPlace} {
		for _, source := range world.Sources() {
			header = append(header, strategy+", "+source.Name)
			o := defaults()
			o.policies, o.source, o.scaler.InPlace = []string{scaler.Ours}, source, strategy == inPlace
			results, err := playAll(o)
			if err != nil {
				return "", err
			}
			for i, r := range results {
				if len(rows[i]) == 0 {
					rows[i] = []string{r.trace}
				}
				rows[i] = append(rows[i], fmt.Sprintf("%d / %s", r.OOMKills, mebibytes(r.slack)))
			}
		}
	}
	return markdownTable(header, left, rows), nil
}
