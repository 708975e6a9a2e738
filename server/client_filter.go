package server

import (
	"fmt"
	"slices"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
)

// clientFilter is what CLIENT LIST and CLIENT KILL select by; every field that is set
// must match.
type clientFilter struct {
	addr, laddr, kind string
	user              *acl.User
	ids               []int64 // one of these, in the order in which they were asked for
	maxAge            int64
	not               *conn // SKIPME: who asks
	lists             bool  // of CLIENT LIST, where an ID that nobody can have is only not found
}

// parse reads options.
func (f *clientFilter) parse(s *Server, me *conn, args [][]byte) command.ReplyError {
	for len(args) > 0 {
		if len(args) == 1 {
			return errSyntax
		}
		if foldIs(args[0], "id") {
			n, refusal := f.idList(args[1:])
			if refusal != "" {
				return refusal
			}
			args = args[1+n:]
			continue
		}
		if refusal := f.option(s, me, args[0], args[1]); refusal != "" {
			return refusal
		}
		args = args[2:]
	}
	return ""
}

// idList takes numbers as far as there are any, and returns how many that were.
func (f *clientFilter) idList(args [][]byte) (int, command.ReplyError) {
	for n, a := range args {
		id, ok := parseInt(a)
		switch {
		case !ok && n > 0:
			return n, ""
		case !ok && f.lists:
			return 0, "ERR Invalid client ID"
		case !ok, id < 1 && !f.lists:
			return 0, "ERR client-id should be greater than 0"
		}
		f.ids = append(f.ids, id)
	}
	return len(args), ""
}

func (f *clientFilter) option(s *Server, me *conn, name, value []byte) command.ReplyError {
	switch {
	case foldIs(name, "maxage"):
		age, ok := parseInt(value)
		if !ok {
			return "ERR maxage is not an integer or out of range"
		}
		if age < 1 {
			return "ERR maxage should be greater than 0"
		}
		f.maxAge = age
	case foldIs(name, "type"):
		kind, ok := parseClientType(value)
		if !ok {
			return command.ReplyError(fmt.Sprintf("ERR Unknown client type '%s'", value))
		}
		f.kind = kind
	case foldIs(name, "addr"):
		f.addr = string(value)
	case foldIs(name, "laddr"):
		f.laddr = string(value)
	case foldIs(name, "user"):
		if f.user = s.users.Find(string(value)); f.user == nil {
			return command.ReplyError(fmt.Sprintf("ERR No such user '%s'", value))
		}
	case foldIs(name, "skipme") && foldIs(value, "yes"):
		f.not = me
	case foldIs(name, "skipme") && foldIs(value, "no"):
		f.not = nil
	default:
		return errSyntax
	}
	return ""
}

func (f *clientFilter) matches(s *Server, c *conn) bool {
	return (f.addr == "" || f.addr == c.peer) &&
		(f.laddr == "" || f.laddr == c.local) &&
		(f.user == nil || f.user == c.user) &&
		(f.kind == "" || f.kind == clientType(c)) &&
		(f.ids == nil || slices.Contains(f.ids, c.id)) &&
		(f.maxAge == 0 || (s.clock.unixMs-c.created)/1000 >= f.maxAge) &&
		c != f.not
}

// parseClientType understands a type's names, those of other versions included.
func parseClientType(arg []byte) (string, bool) {
	for _, t := range []string{"normal", "master", "replica", "pubsub"} {
		if foldIs(arg, t) {
			return t, true
		}
	}
	switch {
	case foldIs(arg, "slave"):
		return "replica", true
	case foldIs(arg, "primary"):
		return "master", true
	}
	return "", false
}
