package acl

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
)

// What can be wrong with a rule, in the words of Redis.
var (
	errRuleSyntax    = errors.New("Syntax error")                                                                                                                                                            //nolint:staticcheck // Redis' text
	errNoSuchCommand = errors.New("Unknown command or category name in ACL")                                                                                                                                 //nolint:staticcheck // Redis' text
	errAllKeys       = errors.New("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")         //nolint:staticcheck // Redis' text
	errAllChannels   = errors.New("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels") //nolint:staticcheck // Redis' text
	errNoPassword    = errors.New("The password you are trying to remove from the user does not exist")                                                                                                      //nolint:staticcheck // Redis' text
	errPasswordHash  = errors.New("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")                                                                       //nolint:staticcheck // Redis' text
	errFirstArg      = errors.New("Allowing first-arg of a subcommand is not supported")                                                                                                                     //nolint:staticcheck // Redis' text
)

// RuleError says which rule of a user could not be used.
type RuleError struct {
	Rule string
	Err  error
}

// Error is in the words of ACL SETUSER.
func (e *RuleError) Error() string {
	return "Error in ACL SETUSER modifier '" + e.Rule + "': " + e.Err.Error()
}

func (e *RuleError) Unwrap() error { return e.Err }

// ParenthesisError says which word begins a selector that does not end.
type ParenthesisError struct{ Word string }

func (e *ParenthesisError) Error() string {
	return "Unmatched parenthesis in acl selector starting at '" + e.Word + "'."
}

// mergeSelectors joins the words of a selector that came as several, as
// "(+get" and "~a)" do.
func mergeSelectors(words []string) ([]string, error) {
	var merged []string
	open := -1
	for i, w := range words {
		switch {
		case open >= 0:
			merged[len(merged)-1] += " " + w
			if strings.HasSuffix(w, ")") {
				open = -1
			}
		case strings.HasPrefix(w, "(") && !strings.HasSuffix(w, ")"):
			open = i
			merged = append(merged, w)
		default:
			merged = append(merged, w)
		}
	}
	if open >= 0 {
		return nil, &ParenthesisError{words[open]}
	}
	return merged, nil
}

// apply changes the user by one rule; with an error nothing has changed.
func (u *User) apply(rule string, all *Users) error {
	if rule == "" {
		return nil
	}
	switch lower(rule) {
	case "on":
		u.enabled = true
	case "off":
		u.enabled = false
	case "nopass":
		u.noPass, u.passwords = true, nil
	case "resetpass":
		u.noPass, u.passwords = false, nil
	case "sanitize-payload":
		u.sanitize = true
	case "skip-sanitize-payload":
		u.sanitize = false
	case "clearselectors":
		u.selectors = u.selectors[:1:1]
	case "reset":
		name := u.name
		*u = *all.newUser(name)
	default:
		return u.applyOther(rule, all)
	}
	return nil
}

func (u *User) applyOther(rule string, all *Users) error {
	switch {
	case strings.ContainsRune("><#!", rune(rule[0])):
		return u.applyPassword(rule)
	case len(rule) > 1 && rule[0] == '(' && rule[len(rule)-1] == ')':
		return u.addSelector(rule[1:len(rule)-1], all)
	}
	return u.selectors[0].apply(rule, all.table)
}

func (u *User) addSelector(rules string, all *Users) error {
	words, err := resp.SplitArgs([]byte(rules))
	if err != nil {
		return errRuleSyntax
	}
	s := newSelector(all.table.Len(), all.openChannels)
	for _, w := range words {
		if bytes.ContainsAny(w, `"'`) || bytes.HasSuffix(w, []byte(")")) {
			return errRuleSyntax // it could not be spelled so that it can be read again
		}
		if err := s.apply(string(w), all.table); err != nil {
			return err
		}
	}
	u.selectors = append(u.selectors, s)
	return nil
}

// applyPassword adds (> and #) or removes (< and !) a password, given as it is (> and
// <) or as its hash.
func (u *User) applyPassword(rule string) error {
	var hash passwordHash
	if rule[0] == '>' || rule[0] == '<' {
		hash = sha256.Sum256([]byte(rule[1:]))
	} else if !parseHash(rule[1:], &hash) {
		return errPasswordHash
	}
	at := slices.Index(u.passwords, hash)
	switch rule[0] {
	case '>', '#':
		if at < 0 {
			u.passwords = append(u.passwords, hash)
		}
		u.noPass = false
	default:
		if at < 0 {
			return errNoPassword
		}
		u.passwords = slices.Delete(u.passwords, at, at+1)
	}
	return nil
}

func parseHash(word string, hash *passwordHash) bool {
	if len(word) != hex.EncodedLen(len(hash)) || lower(word) != word {
		return false
	}
	_, err := hex.Decode(hash[:], []byte(word))
	return err == nil
}

// apply changes the selector by one rule about commands, keys or channels.
func (s *selector) apply(rule string, t *command.Table) error {
	switch lower(rule) {
	case "":
		return errRuleSyntax
	case "allkeys", "~*":
		s.allKeys, s.keys = true, nil
	case "resetkeys":
		s.allKeys, s.keys = false, nil
	case "allchannels", "&*":
		s.allChannels, s.channels = true, nil
	case "resetchannels":
		s.allChannels, s.channels = false, nil
	case "allcommands", "+@all":
		s.setAllCommands(true)
	case "nocommands", "-@all":
		s.setAllCommands(false)
	default:
		switch rule[0] {
		case '~', '%':
			return s.applyKeys(rule)
		case '&':
			return s.applyChannels(rule[1:])
		case '+', '-':
			return s.applyCommands(rule[1:], rule[0] == '+', t)
		}
		return errRuleSyntax
	}
	return nil
}

func (s *selector) applyKeys(rule string) error {
	if s.allKeys {
		return errAllKeys
	}
	permits, pattern := accessAll, rule[1:]
	if rule[0] == '%' {
		var ok bool
		if permits, pattern, ok = parseAccess(pattern); !ok {
			return errRuleSyntax
		}
	}
	if hasSpaces(pattern) {
		return errRuleSyntax
	}
	s.addKeys(pattern, permits)
	return nil
}

// parseAccess takes the letters in front of the pattern of a rule such as %RW~pattern.
// Without a ~ the pattern is empty, as in Redis.
func parseAccess(word string) (permits access, pattern string, ok bool) {
	for i := range len(word) {
		letter := access(0)
		switch word[i] {
		case 'R', 'r':
			letter = accessRead
		case 'W', 'w':
			letter = accessWrite
		case '~':
			return permits, word[i+1:], permits != 0
		}
		if letter == 0 || permits&letter != 0 {
			return 0, "", false
		}
		permits |= letter
	}
	return permits, "", permits != 0
}

func (s *selector) applyChannels(pattern string) error {
	switch {
	case s.allChannels:
		return errAllChannels
	case hasSpaces(pattern):
		return errRuleSyntax
	}
	s.addChannels(pattern)
	return nil
}

// applyCommands takes what stands behind + or -: a command, a subcommand, a category,
// or a command with its first argument.
func (s *selector) applyCommands(name string, allow bool, t *command.Table) error {
	if category, is := strings.CutPrefix(name, "@"); is {
		bit, known := command.CategoryByName(category)
		if !known {
			return errNoSuchCommand
		}
		s.noteRule(name, allow)
		s.setCategory(t.Commands(), bit, allow)
		return nil
	}
	if at := strings.LastIndexByte(name, '|'); at >= 0 && allow {
		parent, ok := t.Find([]byte(name[:at]))
		switch {
		case !ok:
			return errNoSuchCommand
		case parent.Parent() != nil:
			return errFirstArg
		case name[at+1:] == "", hasSpaces(name):
			return errRuleSyntax
		case len(parent.Subcommands) == 0:
			s.allowFirstArg(parent.ID(), name[at+1:])
			s.noteRule(name, true)
			return nil
		}
	}
	spec, ok := t.Find([]byte(name))
	if !ok {
		return errNoSuchCommand
	}
	s.setCommand(spec, allow)
	s.noteRule(spec.FullName(), allow)
	return nil
}

// lower folds letters of ASCII, as the names of rules and commands do.
func lower(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, word)
}

// hasSpaces says whether a word could not stand in a line of words.
func hasSpaces(word string) bool { return strings.ContainsAny(word, " \t\n\v\f\r\x00") }
