package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// inBoth are the words that are a reason of decisions and of conditions alike, and mean the same as both.
var inBoth = []string{v1.ReasonPaused, v1.ReasonStaleSample}

func TestReasonsOfDecisionsAndConditionsAreOneVocabulary(t *testing.T) {
	camelCase := regexp.MustCompile(`^([A-Z][a-z]*)+$`)
	var shared []string
	for _, reason := range scaling.Reasons() {
		if !camelCase.MatchString(string(reason)) {
			t.Errorf("the reason %q of decisions is not CamelCase", reason)
		}
		if slices.Contains(v1.Reasons(), string(reason)) {
			shared = append(shared, string(reason))
		}
	}
	for _, reason := range v1.Reasons() {
		if !camelCase.MatchString(reason) {
			t.Errorf("the reason %q of conditions is not CamelCase", reason)
		}
	}
	if diff := cmp.Diff(inBoth, shared); diff != "" {
		t.Errorf("words of both lists (-meant +found):\n%s", diff)
	}
}

func TestNoReasonIsMadeUpOnTheSpot(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	words := append(v1.Reasons(), string(scaling.Hold), string(scaling.Raise), string(scaling.Lower), string(scaling.Rollback))
	for _, reason := range scaling.Reasons() {
		words = append(words, string(reason))
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if ok && literal.Kind == token.STRING && slices.Contains(words, strings.Trim(literal.Value, `"`)) {
				t.Errorf("%s: %s stands for itself instead of the constant", files.Position(literal.Pos()), literal.Value)
			}
			return true
		})
		for _, at := range literalReasons(file) {
			t.Errorf("%s: a reason that no vocabulary has", files.Position(at))
		}
	}
}

func TestEveryReasonIsExplainedToUsers(t *testing.T) {
	var docs strings.Builder
	for _, name := range []string{"README.md", "docs/policy.md"} {
		text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		must(t, err)
		docs.Write(text)
	}
	words := v1.Reasons()
	for _, reason := range scaling.Reasons() {
		words = append(words, string(reason))
	}
	for _, word := range words {
		if !strings.Contains(docs.String(), "`"+word+"`") {
			t.Errorf("the reason %s stands in no document", word)
		}
	}
	for _, reason := range scaling.Refusals() {
		if explanations[reason] == "" {
			t.Errorf("the refusal %s is explained nowhere", reason)
		}
	}
}

// literalReasons returns where a field called Reason is given a word of its own.
func literalReasons(file *ast.File) []token.Pos {
	var found []token.Pos
	isReason := func(target ast.Expr) bool {
		switch e := target.(type) {
		case *ast.SelectorExpr:
			return e.Sel.Name == "Reason"
		case *ast.Ident:
			return e.Name == "Reason"
		default:
			return false
		}
	}
	isWord := func(value ast.Expr) bool {
		_, ok := value.(*ast.BasicLit)
		return ok
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.KeyValueExpr:
			if isReason(e.Key) && isWord(e.Value) {
				found = append(found, e.Value.Pos())
			}
		case *ast.AssignStmt:
			for i := range e.Lhs {
				if len(e.Lhs) == len(e.Rhs) && isReason(e.Lhs[i]) && isWord(e.Rhs[i]) {
					found = append(found, e.Rhs[i].Pos())
				}
			}
		}
		return true
	})
	return found
}
