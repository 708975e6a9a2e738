package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// DefaultName is the user of connections that have not said who they are.
const DefaultName = "default"

// passwordHash is the SHA-256 of a password; the password itself is not kept.
type passwordHash [sha256.Size]byte

// User is one user. Its rules change in place, so that connections may point to it.
type User struct {
	name      string
	enabled   bool
	noPass    bool
	sanitize  bool // false: skip-sanitize-payload, which is only shown: payloads are checked in any case
	passwords []passwordHash
	// selectors[0] is the user's own set of permissions; what any of them allows
	// is allowed.
	selectors []*selector
}

// Name is the user's name, "(superuser)" for a nil user, who may do anything: the
// stream of a primary has none.
func (u *User) Name() string {
	if u == nil {
		return "(superuser)"
	}
	return u.name
}

// NoPass says whether the user needs no password.
func (u *User) NoPass() bool { return u.noPass }

// Enabled says whether anybody may authenticate as the user.
func (u *User) Enabled() bool { return u.enabled }

// Unrestricted says whether the user may run every command with every argument, so
// that nothing has to be checked. A nil user may.
func (u *User) Unrestricted() bool {
	if u == nil {
		return true
	}
	return slices.ContainsFunc(u.selectors, func(s *selector) bool { return s.allCommands && s.allKeys && s.allChannels })
}

// Accepts says whether a password lets somebody in as the user. How long it takes
// does not tell how much of the password was right.
func (u *User) Accepts(password []byte) bool {
	if !u.enabled {
		return false
	}
	if u.noPass {
		return true
	}
	given, right := sha256.Sum256(password), 0
	for i := range u.passwords {
		right |= subtle.ConstantTimeCompare(given[:], u.passwords[i][:])
	}
	return right == 1
}

// Flags are the names of the user's switches, as GETUSER shows them.
func (u *User) Flags() []string {
	flags := []string{"off"}
	if u.enabled {
		flags[0] = "on"
	}
	if u.noPass {
		flags = append(flags, "nopass")
	}
	if u.sanitize {
		return append(flags, "sanitize-payload")
	}
	return append(flags, "skip-sanitize-payload")
}

// Passwords are the hashes of the user's passwords, in hexadecimal.
func (u *User) Passwords() []string {
	all := make([]string, len(u.passwords))
	for i := range u.passwords {
		all[i] = hex.EncodeToString(u.passwords[i][:])
	}
	return all
}

// Permissions describe one selector: what GETUSER shows of it.
type Permissions struct{ Commands, Keys, Channels string }

// Permissions are those of the user's selectors, the user's own first.
func (u *User) Permissions() []Permissions {
	all := make([]Permissions, len(u.selectors))
	for i, s := range u.selectors {
		all[i] = Permissions{strings.Join(s.commandRules(), " "), strings.Join(s.keyRules(), " "), strings.Join(s.channelRules(), " ")}
	}
	return all
}

// Describe spells the user as rules from which it can be made again.
func (u *User) Describe() string {
	words := u.Flags()
	for _, p := range u.Passwords() {
		words = append(words, "#"+p)
	}
	for i, s := range u.selectors {
		if i == 0 {
			words = append(words, s.words()...)
		} else {
			words = append(words, "("+strings.Join(s.words(), " ")+")")
		}
	}
	return strings.Join(words, " ")
}

// clone copies the user, so that rules can be tried.
func (u *User) clone() *User {
	c := *u
	c.passwords = slices.Clone(u.passwords)
	c.selectors = make([]*selector, len(u.selectors))
	for i, s := range u.selectors {
		c.selectors[i] = s.clone()
	}
	return &c
}
