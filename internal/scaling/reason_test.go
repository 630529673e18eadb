package scaling

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheVocabularyOfReasonsIsClosed(t *testing.T) {
	var declared []Reason
	for name, value := range declaredReasons(t) {
		if name != "Reason"+value {
			t.Errorf("%s is called %q: the constant should be named like the word", name, value)
		}
		if !regexp.MustCompile(`^([A-Z][a-z]*)+$`).MatchString(value) {
			t.Errorf("%q is not CamelCase", value)
		}
		if slices.Contains(declared, Reason(value)) {
			t.Errorf("%q is declared twice", value)
		}
		declared = append(declared, Reason(value))
	}
	listed := Reasons()
	slices.Sort(declared)
	slices.Sort(listed)
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("Reasons() should list every reason that is declared, once (-declared +listed):\n%s", diff)
	}
}

// declaredReasons reads the constants of type Reason out of the source, by name: a word left out of the list cannot be
// found in any other way.
func declaredReasons(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		if !ok || kind.Name != "Reason" || len(spec.Names) != 1 || len(spec.Values) != 1 {
			t.Errorf("%s is declared in a way that this test does not understand", spec.Names[0].Name)
			return false
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Errorf("%s is not declared as a word", spec.Names[0].Name)
			return false
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Errorf("%s: %v", spec.Names[0].Name, err)
		}
		reasons[spec.Names[0].Name] = value
		return false
	})
	return reasons
}
