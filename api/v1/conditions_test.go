package v1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var camelCase = regexp.MustCompile(`^([A-Z][a-z]*)+$`)

func TestTheVocabularyOfReasonsIsClosed(t *testing.T) {
	declared := declaredWords(t, "Reason")
	listed := Reasons()
	slices.Sort(declared)
	slices.Sort(listed)
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("Reasons() should list every reason that is declared, once (-declared +listed):\n%s", diff)
	}
}

func TestConditionsAreNamedLikeTheirConstants(t *testing.T) {
	if len(declaredWords(t, "Condition")) == 0 {
		t.Error("no condition is declared")
	}
}

// declaredWords reads the constants whose names start with the prefix out of the source: a word left out of a list
// cannot be found in any other way. Each must be CamelCase, declared once, and the rest of its constant's name.
func declaredWords(t *testing.T, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		name := spec.Names[0].Name
		if len(spec.Names) != 1 || len(spec.Values) != 1 {
			t.Fatalf("%s is declared in a way that this test does not understand", name)
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not declared as a word", name)
		}
		word, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != prefix+word {
			t.Errorf("%s is called %q: the constant should be named like the word", name, word)
		}
		if !camelCase.MatchString(word) {
			t.Errorf("%q is not CamelCase", word)
		}
		if slices.Contains(words, word) {
			t.Errorf("%q is declared twice", word)
		}
		words = append(words, word)
		return true
	})
	return words
}
