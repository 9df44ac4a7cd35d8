package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const docs = "../../../docs/explanation"

func published(t *testing.T) Results {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "comparison.json"))
	if err != nil {
		t.Fatal(err)
	}
	var results Results
	if err := json.Unmarshal(text, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestThePageIsMadeOfItsNumbers(t *testing.T) {
	files, err := Render(docs, published(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatal("there is no page, or no plot")
	}
	for name, made := range files {
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(filepath.Join(docs, name), made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		there, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(there) != string(made) {
			t.Errorf("%s is not made of comparison.json: make compare writes both, and UPDATE_GOLDEN=1 makes it anew", name)
		}
	}
}

func TestEveryNumberIsOnThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "comparison.md"))
	if err != nil {
		t.Fatal(err)
	}
	results := published(t)
	for _, table := range results.Tables {
		if !strings.Contains(string(page), "<!-- measured: "+table.Name+" -->") {
			t.Errorf("the table %q is not on the page", table.Name)
		}
	}
	for _, plot := range results.Plots {
		if !strings.Contains(string(page), "(comparison-"+plot.Name+".svg)") {
			t.Errorf("the plot %q is not on the page", plot.Name)
		}
	}
}

// Whoever measures anew has to say why another is better where that was not so before.
func TestWhereAnotherIsBetterThePageSaysWhy(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "comparison.md"))
	if err != nil {
		t.Fatal(err)
	}
	words := measured.ReplaceAllString(string(page), "")
	results := published(t)
	for _, row := range results.Behind() {
		if !strings.Contains(words, "*"+row[0]+": "+row[1]+"*") {
			t.Errorf("the page does not say why %s is better in %q of the table %q; it would begin with *%[3]s: %[2]s*", row[2], row[1], row[0])
		}
	}
}

func TestNumbersAreWrittenShort(t *testing.T) {
	for number, wanted := range map[float64]string{0: "0", 0.123: "0.123", 1.5: "1.5", 12.34: "12.3", 999.9: "1,000", 1234567: "1,234,567", 10: "10"} {
		if got := Number(number); got != wanted {
			t.Errorf("%v: %s, not %s", number, got, wanted)
		}
	}
}
