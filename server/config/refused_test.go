package config

import (
	"os"
	"strings"
	"testing"
)

func TestThePagesNameEveryRefusedDirective(t *testing.T) {
	for _, path := range []string{"../../docs/compatibility.md", "../../docs/configuration.md"} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range unsupportedDirectives() {
			if !strings.Contains(string(page), "`"+d.name+"`") {
				t.Errorf("%s does not name %s, which the server refuses", path, d.name)
			}
		}
	}
}
