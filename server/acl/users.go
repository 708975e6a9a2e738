package acl

import (
	"errors"
	"maps"
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
)

// errUserName refuses a name that could not stand in a file.
var errUserName = errors.New("Usernames can't contain spaces or null characters") //nolint:staticcheck // Redis' text

// Users are all users. There is always the default user, and it is always the same
// pointer.
type Users struct {
	table        *command.Table   // fixed, and complete
	uses         []channelUse     // by command ID
	room         []command.KeyRef // reused by Check
	openChannels bool             // what a new user may do with channels before a rule says so
	byName       map[string]*User
	fallback     *User
}

// New returns the users of a server that was told about none: the default user, who
// may do anything and needs no password.
func New(table *command.Table, openChannels bool) *Users {
	all := &Users{table: table, uses: channelUses(table), openChannels: openChannels, byName: map[string]*User{}}
	all.fallback = all.newUser(DefaultName)
	all.fallback.enabled, all.fallback.noPass = true, true
	root := all.fallback.selectors[0]
	root.setAllCommands(true)
	root.allKeys, root.allChannels = true, true
	all.byName[DefaultName] = all.fallback
	return all
}

// newUser makes a user that may do nothing.
func (all *Users) newUser(name string) *User {
	return &User{name: name, sanitize: true, selectors: []*selector{newSelector(all.table.Len(), all.openChannels)}}
}

// OpenChannels decides whether users and selectors made from now on may use all
// channels until a rule says otherwise (acl-pubsub-default).
func (all *Users) OpenChannels(open bool) { all.openChannels = open }

// Default is the user of connections that have not said who they are.
func (all *Users) Default() *User { return all.fallback }

// Find returns a user by name, nil when there is none.
func (all *Users) Find(name string) *User { return all.byName[name] }

// Sorted are all users by name.
func (all *Users) Sorted() []*User {
	users := make([]*User, 0, len(all.byName))
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		users = append(users, all.byName[name])
	}
	return users
}

// Stage tries rules on a copy of a user, or on a new one, and changes nothing. The
// error is a *RuleError, a *ParenthesisError, or about the name.
func (all *Users) Stage(name string, rules []string) (*User, error) {
	if hasSpaces(name) {
		return nil, errUserName
	}
	words, err := mergeSelectors(rules)
	if err != nil {
		return nil, err
	}
	staged := all.newUser(name)
	if u := all.byName[name]; u != nil {
		staged = u.clone()
	}
	for _, w := range words {
		if err := staged.apply(w, all); err != nil {
			return nil, &RuleError{w, err}
		}
	}
	return staged, nil
}

// Put makes a staged user effective, in place of the one of that name.
func (all *Users) Put(staged *User) {
	if u := all.byName[staged.name]; u != nil {
		*u = *staged
		return
	}
	all.byName[staged.name] = staged
}

// Set is Stage and Put.
func (all *Users) Set(name string, rules ...string) error {
	staged, err := all.Stage(name, rules)
	if err == nil {
		all.Put(staged)
	}
	return err
}

// Delete removes a user and returns it, nil when there was none. The default user
// stays.
func (all *Users) Delete(name string) *User {
	u := all.byName[name]
	if u == nil || u == all.fallback {
		return nil
	}
	delete(all.byName, name)
	return u
}

// Replace takes over all users of another set. The default user remains the same
// pointer with the other one's rules; all others are other pointers.
func (all *Users) Replace(others *Users) {
	*all.fallback = *others.fallback
	all.byName = maps.Clone(others.byName)
	all.byName[DefaultName] = all.fallback
}
