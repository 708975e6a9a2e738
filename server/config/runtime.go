package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Pair is a directive's name and value.
type Pair struct{ Name, Value string }

// Get returns the directives that match any of the glob patterns, sorted by
// name, under the name that matched: an alias that is asked for is answered as
// an alias. A pattern without wildcards is answered the way it was spelled, and is
// the only way to see a directive for tests.
func (c *Config) Get(match func(pattern, name string) bool, patterns []string) []Pair {
	found := map[string]string{}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?[") {
			if d := byName[strings.ToLower(pattern)]; d != nil && !d.has(fileOnly) {
				found[pattern] = d.get(c)
			}
			continue
		}
		for name, d := range byName {
			if !d.hidden() && match(strings.ToLower(pattern), name) {
				found[name] = d.get(c)
			}
		}
	}
	var pairs []Pair
	for _, name := range slices.Sorted(maps.Keys(found)) {
		pairs = append(pairs, Pair{name, found[name]})
	}
	return pairs
}

// SetError names the directive because of which CONFIG SET changed nothing.
type SetError struct {
	Name    string
	Unknown bool
	Err     error
}

func (e *SetError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("Unknown option or number of arguments for CONFIG SET - '%s'", e.Name)
	}
	return fmt.Sprintf("CONFIG SET failed (possibly related to argument '%s') - %v", e.Name, e.Err)
}

func (e *SetError) Unwrap() error { return e.Err }

// Set checks several new values and returns the configuration with all of them,
// and the names (never the aliases) of what has changed. c stays as it is, so
// that whoever applies the change can go back. local says that the request came
// from this machine.
func (c *Config) Set(pairs []Pair, local bool) (*Config, []string, error) {
	next := c.clone()
	var changed []string
	seen := map[*directive]bool{}
	for _, p := range pairs {
		d := byName[strings.ToLower(p.Name)]
		if d == nil || d.has(fileOnly) {
			return nil, nil, &SetError{Name: p.Name, Unknown: true}
		}
		if err := c.settable(d, seen, local); err != nil {
			return nil, nil, &SetError{Name: p.Name, Err: err}
		}
		seen[d] = true
		before := d.get(next)
		if err := d.set(next, []string{p.Value}); err != nil {
			return nil, nil, &SetError{Name: p.Name, Err: err}
		}
		if d.get(next) != before {
			changed = append(changed, d.name)
		}
	}
	return next, changed, nil
}

func (c *Config) settable(d *directive, seen map[*directive]bool, local bool) error {
	switch {
	case d.has(immutable):
		return errImmutable
	case d.has(protected) && (c.EnableProtectedConfs == "no" || c.EnableProtectedConfs == "local" && !local):
		return errProtected
	case seen[d]:
		return errors.New("duplicate parameter")
	}
	return nil
}

func (c *Config) clone() *Config {
	next := *c
	next.inert = maps.Clone(c.inert)
	return &next
}
