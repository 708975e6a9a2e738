package acl

import (
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/command"
)

// access is what a key pattern permits.
type access uint8

const (
	accessRead access = 1 << iota
	accessWrite
	accessAll = accessRead | accessWrite
)

type keyPattern struct {
	pattern string
	access  access
}

func (k keyPattern) String() string {
	switch k.access {
	case accessRead:
		return "%R~" + k.pattern
	case accessWrite:
		return "%W~" + k.pattern
	}
	return "~" + k.pattern
}

// selector is one set of permissions: a command must be allowed, and its keys, and
// its channels, all by the same selector.
//
// Invariant: allCommands implies that every bit of allowed is set; the patterns are
// empty while allKeys, and the channels while allChannels.
type selector struct {
	allCommands bool
	allKeys     bool
	allChannels bool

	everything bool             // the rules begin with +@all, not with -@all
	rules      []string         // what was said about commands since, e.g. "+get", "-@slow"
	allowed    []uint64         // a bit per command ID
	firstArgs  map[int][]string // command ID: the first arguments, in lower case, with which it is allowed although its bit is not set

	keys     []keyPattern
	channels []string
}

func newSelector(commands int, openChannels bool) *selector {
	return &selector{allowed: make([]uint64, (commands+63)/64), allChannels: openChannels}
}

func (s *selector) clone() *selector {
	c := *s
	c.rules, c.allowed = slices.Clone(s.rules), slices.Clone(s.allowed)
	c.keys, c.channels = slices.Clone(s.keys), slices.Clone(s.channels)
	c.firstArgs = maps.Clone(s.firstArgs)
	for id, args := range c.firstArgs {
		c.firstArgs[id] = slices.Clone(args)
	}
	return &c
}

func (s *selector) allows(id int) bool { return s.allowed[id/64]&(1<<(id%64)) != 0 }

func (s *selector) setAllCommands(allow bool) {
	s.allCommands, s.everything = allow, allow
	s.rules, s.firstArgs = nil, nil
	bits := uint64(0)
	if allow {
		bits = ^bits
	}
	for i := range s.allowed {
		s.allowed[i] = bits
	}
}

// setCommand allows or forbids a command with all of its subcommands.
func (s *selector) setCommand(spec *command.Spec, allow bool) {
	s.setBit(spec.ID(), allow)
	delete(s.firstArgs, spec.ID())
	for _, sub := range spec.Subcommands {
		s.setBit(sub.ID(), allow)
	}
}

func (s *selector) setBit(id int, allow bool) {
	if allow {
		s.allowed[id/64] |= 1 << (id % 64)
		return
	}
	s.allowed[id/64] &^= 1 << (id % 64)
	s.allCommands = false
}

// setCategory goes over commands and subcommands one by one. A container that is in
// the category takes its subcommands along, whatever theirs are.
func (s *selector) setCategory(specs []*command.Spec, category command.Categories, allow bool) {
	for _, spec := range specs {
		if spec.Categories&category != 0 {
			s.setCommand(spec, allow)
		}
		s.setCategory(spec.Subcommands, category, allow)
	}
}

func (s *selector) allowFirstArg(id int, arg string) {
	if s.firstArgs == nil {
		s.firstArgs = map[int][]string{}
	}
	if arg = lower(arg); !slices.Contains(s.firstArgs[id], arg) {
		s.firstArgs[id] = append(s.firstArgs[id], arg)
	}
}

// noteRule remembers what was said about a command or category, in place of what
// was said of it, or of its subcommands, before.
func (s *selector) noteRule(name string, allow bool) {
	name = lower(name)
	s.rules = slices.DeleteFunc(s.rules, func(rule string) bool {
		rest, same := strings.CutPrefix(rule[1:], name)
		return same && (rest == "" || rest[0] == '|')
	})
	sign := "-"
	if allow {
		sign = "+"
	}
	s.rules = append(s.rules, sign+name)
}

func (s *selector) addKeys(pattern string, a access) {
	s.allKeys = false
	for i := range s.keys {
		if s.keys[i].pattern == pattern {
			s.keys[i].access |= a
			return
		}
	}
	s.keys = append(s.keys, keyPattern{pattern, a})
}

func (s *selector) addChannels(pattern string) {
	s.allChannels = false
	if !slices.Contains(s.channels, pattern) {
		s.channels = append(s.channels, pattern)
	}
}

// words are the rules from which the selector can be made again.
func (s *selector) words() []string {
	words := s.keyRules()
	if !s.allChannels {
		words = append(words, "resetchannels")
	}
	words = append(words, s.channelRules()...)
	return append(words, s.commandRules()...)
}

func (s *selector) commandRules() []string {
	base := "-@all"
	if s.everything {
		base = "+@all"
	}
	return append([]string{base}, s.rules...)
}

func (s *selector) keyRules() []string {
	if s.allKeys {
		return []string{"~*"}
	}
	words := make([]string, len(s.keys))
	for i, k := range s.keys {
		words[i] = k.String()
	}
	return words
}

func (s *selector) channelRules() []string {
	if s.allChannels {
		return []string{"&*"}
	}
	words := make([]string, len(s.channels))
	for i, c := range s.channels {
		words[i] = "&" + c
	}
	return words
}
