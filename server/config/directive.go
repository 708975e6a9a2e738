package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Errors of a single value. Their texts are those of Redis, since tools look at
// them.
var (
	errNotBool   = errors.New("argument must be 'yes' or 'no'")
	errNotInt    = errors.New("argument couldn't be parsed into an integer")
	errNotMemory = errors.New("argument must be a memory value")
	errArgs      = errors.New("wrong number of arguments")
	errImmutable = errors.New("can't set immutable config")
	errProtected = errors.New("can't set protected config")
)

type directiveFlags uint8

const (
	immutable directiveFlags = 1 << iota // fixed once the server has started
	protected                            // CONFIG SET needs enable-protected-configs
	secret                               // not shown in errors
	startOnly                            // shown by CONFIG GET only under its own name
	list                                 // takes several words
	repeated                             // several lines add up
	fileOnly                             // neither CONFIG GET nor CONFIG SET know it
)

// directive is one line of the table: what a name means.
type directive struct {
	name  string
	alias string // an older or a newer name for the same
	flags directiveFlags
	// get spells the value as a file does, without the quotes.
	get func(*Config) string
	// set takes the words of the value; nothing has changed when it fails.
	set func(*Config, []string) error
}

func (d *directive) has(f directiveFlags) bool { return d.flags&f != 0 }

// hidden says whether a pattern of CONFIG GET does not find the directive.
func (d *directive) hidden() bool { return d.has(startOnly | fileOnly) }

func one(words []string) (string, error) {
	if len(words) != 1 {
		return "", errArgs
	}
	return words[0], nil
}

func boolean(name, alias string, field func(*Config) *bool, flags directiveFlags) directive {
	return directive{name: name, alias: alias, flags: flags,
		get: func(c *Config) string { return yesNo(*field(c)) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			v, err := parseBool(w)
			if err == nil {
				*field(c) = v
			}
			return err
		}}
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func parseBool(w string) (bool, error) {
	switch strings.ToLower(w) {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	}
	return false, errNotBool
}

type integerField interface{ ~int | ~int64 }

func integer[T integerField](name, alias string, field func(*Config) *T, low, high int64, flags directiveFlags) directive {
	return directive{name: name, alias: alias, flags: flags,
		get: func(c *Config) string { return strconv.FormatInt(int64(*field(c)), 10) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			v, err := parseInt(w, low, high)
			if err == nil {
				*field(c) = T(v)
			}
			return err
		}}
}

func parseInt(w string, low, high int64) (int64, error) {
	v, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		return 0, errNotInt
	}
	if v < low || v > high {
		return 0, fmt.Errorf("argument must be between %d and %d inclusive", low, high)
	}
	return v, nil
}

// octal is a number of permissions.
func octal(name string, field func(*Config) *int, flags directiveFlags) directive {
	return directive{name: name, flags: flags,
		get: func(c *Config) string { return strconv.FormatInt(int64(*field(c)), 8) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			v, err := strconv.ParseInt(w, 8, 32)
			if err != nil || v < 0 || v > 0o777 {
				return errors.New("argument couldn't be parsed as an octal number between 0 and 777")
			}
			*field(c) = int(v)
			return nil
		}}
}

// memory is a size: a number with an optional unit.
func memory[T integerField](name, alias string, field func(*Config) *T, low, high int64, flags directiveFlags) directive {
	return directive{name: name, alias: alias, flags: flags,
		get: func(c *Config) string { return strconv.FormatInt(int64(*field(c)), 10) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			v, err := ParseMemory(w)
			if err != nil {
				return err
			}
			if v < low || v > high {
				return fmt.Errorf("argument must be between %d and %d inclusive", low, high)
			}
			*field(c) = T(v)
			return nil
		}}
}

// ParseMemory reads a size in bytes: a number, then b, k, kb, m, mb, g or gb;
// those with a b count in 1024, those without in 1000.
func ParseMemory(w string) (int64, error) {
	digits := strings.TrimRight(strings.ToLower(w), "abcdefghijklmnopqrstuvwxyz%")
	unit := strings.ToLower(w)[len(digits):]
	factor, known := map[string]int64{
		"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000 * 1000, "mb": 1 << 20, "g": 1000 * 1000 * 1000, "gb": 1 << 30,
	}[unit]
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || v < 0 || v > math.MaxInt64/factor {
		return 0, errNotMemory
	}
	return v * factor, nil
}

func text(name, alias string, field func(*Config) *string, flags directiveFlags) directive {
	return directive{name: name, alias: alias, flags: flags,
		get: func(c *Config) string { return *field(c) },
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err == nil {
				*field(c) = w
			}
			return err
		}}
}

func enum(name, alias string, field func(*Config) *string, flags directiveFlags, choices ...string) directive {
	d := text(name, alias, field, flags)
	d.set = func(c *Config, words []string) error {
		w, err := one(words)
		if err != nil {
			return err
		}
		for _, choice := range choices {
			if strings.EqualFold(choice, w) {
				*field(c) = choice
				return nil
			}
		}
		return fmt.Errorf("argument(s) must be one of the following: %s", strings.Join(choices, ", "))
	}
	return d
}

// words is a list of words; check may be nil.
func words(name string, field func(*Config) *[]string, flags directiveFlags, check func([]string) error) directive {
	return directive{name: name, flags: flags | list,
		get: func(c *Config) string { return strings.Join(*field(c), " ") },
		set: func(c *Config, w []string) error {
			w = splitWords(w)
			if check != nil {
				if err := check(w); err != nil {
					return err
				}
			}
			*field(c) = w
			return nil
		}}
}

// splitWords takes words that came as one, as CONFIG SET gives them, apart.
func splitWords(w []string) []string {
	return strings.Fields(strings.Join(w, " "))
}

// inert is a directive of Redis that concerns nothing that this server has, or
// that changes nothing it does. Its value is kept, checked by kind, and shown.
func inert(name, alias, def string, check func(string) error) directive {
	return directive{name: name, alias: alias,
		get: func(c *Config) string {
			if v, set := c.inert[name]; set {
				return v
			}
			return def
		},
		set: func(c *Config, words []string) error {
			value := strings.Join(words, " ")
			if check != nil {
				if err := check(value); err != nil {
					return err
				}
			}
			if c.inert == nil {
				c.inert = map[string]string{}
			}
			c.inert[name] = value
			return nil
		}}
}

func isBool(w string) error { _, err := parseBool(w); return err }

func isInt(w string) error { _, err := parseInt(w, math.MinInt64, math.MaxInt64); return err }

func isMemory(w string) error { _, err := ParseMemory(w); return err }

func isOneOf(choices ...string) func(string) error {
	return func(w string) error {
		for _, choice := range choices {
			if strings.EqualFold(choice, w) {
				return nil
			}
		}
		return fmt.Errorf("argument(s) must be one of the following: %s", strings.Join(choices, ", "))
	}
}

// UnsupportedError refuses a directive that asks for something the server does
// not have.
type UnsupportedError struct {
	Directive string
	Off       string // the value at which it is accepted
	What      string // what is missing
}

func (e *UnsupportedError) Error() string {
	off := e.Off
	if off == "" {
		off = `""`
	}
	return fmt.Sprintf("%s is not supported by this server (%s); remove the line or set it to %s", e.Directive, e.What, off)
}

// unsupported accepts only the value that does not ask for the feature.
func unsupported(name, off, what string) directive {
	return directive{name: name,
		get: func(*Config) string { return off },
		set: func(_ *Config, words []string) error {
			if value := strings.Join(words, " "); strings.EqualFold(value, off) {
				return nil
			}
			return &UnsupportedError{Directive: name, Off: off, What: what}
		}}
}
