package document

import "testing"

func TestOnlyMarkedPartsAreWritten(t *testing.T) {
	const text = "before\n<!-- part -->\nold\n<!-- end of part -->\nafter\n"
	got, err := ReplacePart(text, "part", "new\n")
	if want := "before\n<!-- part -->\n\nnew\n\n<!-- end of part -->\nafter\n"; err != nil || got != want {
		t.Errorf("got %q and error %v, want %q", got, err, want)
	}
	if again, _ := ReplacePart(got, "part", "new\n"); again != got {
		t.Errorf("written twice: %q", again)
	}
	if _, err := ReplacePart(text, "other", ""); err == nil {
		t.Error("want an error of a part that is not there")
	}
}
