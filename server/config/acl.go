package config

import (
	"math"
	"strings"
)

// User is a `user` line: who may do what. The rules mean something to package acl
// only.
type User struct {
	Name  string
	Rules []string
	line  LineError // where it stands
}

// Wrong makes the report that stops the start because of the line. The rules are
// not repeated: there may be a password among them.
func (u *User) Wrong(err error) error {
	e := u.line
	e.Text, e.Err = "user "+u.Name+" (hidden)", err
	return &e
}

func aclDirectives() []directive {
	return []directive{
		text("aclfile", "", func(c *Config) *string { return &c.ACLFile }, immutable),
		integer("acllog-max-len", "", func(c *Config) *int { return &c.ACLLogMaxLen }, 0, math.MaxInt, 0),
		enum("acl-pubsub-default", "", func(c *Config) *string { return &c.ACLPubSubDefault }, 0, "allchannels", "resetchannels"),
		userDirective(),
	}
}

// userDirective adds a user with every line.
func userDirective() directive {
	return directive{name: "user", flags: list | repeated | fileOnly | secret,
		get: func(c *Config) string {
			return strings.Join(c.userLines(), "\n")
		},
		set: func(c *Config, words []string) error {
			if len(words) == 0 {
				return errArgs
			}
			c.Users = append(c.Users[:len(c.Users):len(c.Users)], User{Name: words[0], Rules: words[1:]})
			return nil
		}}
}

func (c *Config) userLines() []string {
	lines := make([]string, len(c.Users))
	for i, u := range c.Users {
		words := []string{"user", quoteRule(u.Name)}
		for _, rule := range u.Rules {
			words = append(words, quoteRule(rule))
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines
}

// quoteRule is quote, which would quote the # of passwords and the like.
func quoteRule(word string) string {
	for _, ch := range []byte(word) {
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte("\"'\\", ch) >= 0 {
			return quote(word)
		}
	}
	if word == "" {
		return quote(word)
	}
	return word
}

// placed notes where the last user stands.
func (c *Config) placed(file string, line int) {
	if n := len(c.Users); n > 0 && c.Users[n-1].line.Line == 0 {
		c.Users[n-1].line = LineError{File: file, Line: line}
	}
}
