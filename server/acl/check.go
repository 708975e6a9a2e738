package acl

import (
	"slices"

	"github.com/lockstep-db/lockstep/server/command"
)

// Reason is why something was denied. The order is that in which Redis picks one
// of several: a later one is told rather than an earlier one.
type Reason uint8

// The reasons.
const (
	Allowed Reason = iota
	DeniedCommand
	DeniedKey
	DeniedAuth
	DeniedChannel
)

var reasonNames = [...]string{"", "command", "key", "auth", "channel"}

// String is the word for a reason in ACL LOG.
func (r Reason) String() string { return reasonNames[r] }

// Denial is the answer to a check. Arg is the argument that is not permitted, for a
// key or a channel.
type Denial struct {
	Reason Reason
	Arg    int
}

// Text tells the user why, without the error's code. verbose names the key or channel
// as well, which an ordinary reply does not.
func (d Denial) Text(u *User, spec *command.Spec, args [][]byte, verbose bool) string {
	kind := "key"
	switch d.Reason {
	case DeniedCommand:
		return "User " + u.name + " has no permissions to run the '" + spec.FullName() + "' command"
	case DeniedChannel:
		kind = "channel"
	}
	if !verbose {
		return "No permissions to access a " + kind
	}
	return "User " + u.name + " has no permissions to access the '" + string(args[d.Arg]) + "' " + kind
}

// channelUse says which arguments of a command are channels: from the first to the
// last, or all that follow when last is negative. Leaving a channel needs no
// permission, so the commands for that are not among them.
type channelUse struct {
	first, last int
	patterns    bool
}

func channelUses(t *command.Table) []channelUse {
	uses := make([]channelUse, t.Len())
	for name, use := range map[string]channelUse{
		"subscribe": {1, -1, false}, "psubscribe": {1, -1, true}, "ssubscribe": {1, -1, false},
		"publish": {1, 1, false}, "spublish": {1, 1, false},
	} {
		if spec, ok := t.Find([]byte(name)); ok {
			uses[spec.ID()] = use
		}
	}
	return uses
}

// request is a command that is being checked. Its keys are found once, for all
// selectors that have to be asked.
type request struct {
	spec  *command.Spec
	args  [][]byte
	use   channelUse
	keys  []command.KeyRef // before they are found, room for them
	found bool
}

func (r *request) keyRefs() []command.KeyRef {
	if !r.found {
		r.found = true
		r.keys = r.spec.AppendKeyRefs(r.keys[:0], r.args)
	}
	return r.keys
}

// keepKeys is how many keys of a request room is kept for.
const keepKeys = 256

func (all *Users) request(spec *command.Spec, args [][]byte) request {
	return request{spec: spec, args: args, use: all.uses[spec.ID()], keys: all.room}
}

// done keeps the room that a request has made for its keys.
func (all *Users) done(r *request) {
	if cap(r.keys) <= keepKeys {
		all.room = r.keys[:0]
	}
}

// Check says whether a user may run a command with these arguments, whose number
// was checked before. A nil user may do anything.
func (all *Users) Check(u *User, spec *command.Spec, args [][]byte) Denial {
	if u == nil {
		return Denial{}
	}
	r := all.request(spec, args)
	defer all.done(&r)
	worst := Denial{Reason: DeniedCommand}
	for _, s := range u.selectors {
		d := s.check(&r)
		if d.Reason == Allowed {
			return d
		}
		if d.Reason > worst.Reason || d.Reason == worst.Reason && d.Arg > worst.Arg {
			worst = d
		}
	}
	return worst
}

// ReadsEverything says whether a user may run a command and, by the same selector,
// read every key there is: what SORT needs whose BY and GET make up names of keys.
func (all *Users) ReadsEverything(u *User, spec *command.Spec, args [][]byte) bool {
	if u == nil {
		return true
	}
	r := all.request(spec, args)
	for _, s := range u.selectors {
		if s.check(&r).Reason == Allowed && s.readsEverything() {
			return true
		}
	}
	return false
}

func (s *selector) readsEverything() bool {
	if s.allKeys {
		return true
	}
	for _, k := range s.keys {
		if k.pattern == "*" && k.access&accessRead != 0 {
			return true
		}
	}
	return false
}

func (s *selector) check(r *request) Denial {
	if !s.runs(r) {
		return Denial{Reason: DeniedCommand}
	}
	if !s.allKeys && r.spec.HasKeys() {
		for _, ref := range r.keyRefs() {
			if !s.touches(r.args[ref.Index], ref.Flags) {
				return Denial{DeniedKey, ref.Index}
			}
		}
	}
	if !s.allChannels && r.use.first != 0 {
		last := r.use.last
		if last < 0 {
			last += len(r.args)
		}
		for i := r.use.first; i <= last; i++ {
			if !s.reaches(r.args[i], r.use.patterns) {
				return Denial{DeniedChannel, i}
			}
		}
	}
	return Denial{}
}

// runs says whether the selector allows the command as such.
func (s *selector) runs(r *request) bool {
	if s.allCommands || r.spec.Has(command.NoAuth) || s.allows(r.spec.ID()) {
		return true
	}
	if len(r.args) < 2 {
		return false
	}
	args := s.firstArgs[r.spec.ID()]
	return len(args) > 0 && slices.Contains(args, lower(string(r.args[1])))
}

// touches says whether a key may be used in this way.
func (s *selector) touches(key []byte, flags command.KeyFlags) bool {
	var need access
	if flags&command.KeyAccess != 0 {
		need |= accessRead
	}
	if flags&(command.KeyInsert|command.KeyDelete|command.KeyUpdate) != 0 {
		need |= accessWrite
	}
	for _, k := range s.keys {
		if k.access&need == need && command.Match([]byte(k.pattern), key) {
			return true
		}
	}
	return false
}

// reaches says whether a channel may be used. A pattern must be permitted as it is
// spelled: what it matches is not known.
func (s *selector) reaches(channel []byte, isPattern bool) bool {
	for _, pattern := range s.channels {
		if isPattern && pattern == string(channel) || !isPattern && command.Match([]byte(pattern), channel) {
			return true
		}
	}
	return false
}

// Reaches says whether the user may use a channel, or subscribe to a pattern.
func (u *User) Reaches(channel []byte, isPattern bool) bool {
	if u == nil {
		return true
	}
	for _, s := range u.selectors {
		if s.allChannels || s.reaches(channel, isPattern) {
			return true
		}
	}
	return false
}
