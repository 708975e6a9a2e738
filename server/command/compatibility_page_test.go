package command

import (
	"os"
	"strings"
	"testing"
)

// The page tells users what differs from Redis; its table is the one that the
// comparison with a real server goes by.
func TestTheCompatibilityPageListsEveryIntendedDifference(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "| commands | why replies or effects differ |\n|---|---|\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	if want := differencesTable(); table != want {
		t.Errorf("docs/compatibility.md has another table of differences; it should be:\n%s", want)
	}
}

func differencesTable() string {
	rows := make([]string, len(differences))
	for i, d := range differences {
		names := "`" + strings.Join(strings.Fields(d.commands), "`, `") + "`"
		rows[i] = "| " + names + " | " + d.reason + " |"
	}
	return strings.Join(rows, "\n")
}
