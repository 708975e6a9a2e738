// Package test holds what speaks of the whole tree. This file keeps the import
// rules, so that the two halves of the product stay apart and the data path
// stays small.
package test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/lockstep-db/lockstep"

// Each rule reads as a sentence: packages below from do not reach never,
// directly or through anything of this module that they import.
var rules = []struct {
	name  string
	from  string // package pattern below the module
	never func(importPath string) bool
	// itself restricts the rule to what the packages import themselves: the
	// contract's types may be used, and its client with them is not called.
	itself bool
	why    string
}{
	{
		name:  "the data plane does not reach Kubernetes",
		from:  "server/...",
		never: below("k8s.io", "sigs.k8s.io"),
		why:   "a server has no access to the Kubernetes API and must start in milliseconds",
	},
	{
		name:  "the server does not import the operator",
		from:  "server/...",
		never: below(module + "/controllers"),
		why:   "they meet in api/instance only",
	},
	{
		name:  "the operator does not import the server",
		from:  "controllers/...",
		never: below(module + "/server"),
		why:   "they meet in api/instance only",
	},
	{
		name:  "the contract between them is standard library only",
		from:  "api/instance",
		never: outsideStandardLibrary,
		why:   "both sides link it",
	},
	{
		name:  "the keyspace is standard library only",
		from:  "server/store/...",
		never: outsideStandardLibrary,
		why:   "it knows neither connections nor replication",
	},
	{
		name: "the Lua machine is standard library only, and knows no server",
		from: "server/lua",
		never: func(path string) bool {
			return outsideStandardLibrary(path) || below(module+"/server")(path) && path != module+"/server/lua"
		},
		why: "what a script can reach is decided by package script",
	},
	{
		name:  "scripts see the server through an interface",
		from:  "server/script",
		never: below(module+"/server/command", module+"/server/store", module+"/server/replication"),
		why:   "the sandbox does not decide what may run",
	},
	{
		name:  "the wire format is standard library only",
		from:  "server/resp",
		never: outsideStandardLibrary,
		why:   "it knows neither connections nor replication",
	},
	{
		name:  "the replication cores see no sockets and no files",
		from:  "server/replication",
		never: exactly("net", "net/http", "os", "syscall", "golang.org/x/sys/unix"),
		why:   "same input, same output: that is what lets transcripts and the simulation drive them",
	},
	{
		name:   "the role machine sees no sockets",
		from:   "server/role",
		never:  exactly("net", "net/http"),
		itself: true,
		why:    "same input, same output: that is what lets the simulation drive it",
	},
}

func TestImportRules(t *testing.T) {
	for _, rule := range rules {
		t.Run(strings.ReplaceAll(rule.name, " ", "_"), func(t *testing.T) {
			for pkg, imports := range importsBelow(t, rule.from) {
				if rule.itself && pkg != module+"/"+rule.from {
					continue
				}
				for _, path := range imports {
					if rule.never(path) {
						t.Errorf("%s imports %s, but %s: %s", pkg, path, rule.name, rule.why)
					}
				}
			}
		})
	}
}

// importsBelow returns, for each package of this module that the pattern's
// packages reach, what it imports itself; so an error names the file to change
// and not only the far end of a chain. Packages outside the module are not
// followed: their own needs are theirs.
func importsBelow(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./"+pattern)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list imports of %s: %v\n%s", pattern, err, stderr(err))
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], module) {
			imports[fields[0]] = fields[1:]
		}
	}
	if len(imports) == 0 {
		t.Fatalf("no package of the module matches %s; is the rule out of date?", pattern)
	}
	return imports
}

func stderr(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return fmt.Sprint(err)
}

func below(prefixes ...string) func(string) bool {
	return func(path string) bool {
		for _, p := range prefixes {
			if path == p || strings.HasPrefix(path, p+"/") {
				return true
			}
		}
		return false
	}
}

func exactly(paths ...string) func(string) bool {
	return func(path string) bool {
		for _, p := range paths {
			if path == p {
				return true
			}
		}
		return false
	}
}

// outsideStandardLibrary holds for import paths whose first element has a dot,
// which is how the go command tells them apart, except for this module's own.
func outsideStandardLibrary(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, module)
}
