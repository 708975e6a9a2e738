package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/command"
)

// Refusals of CLIENT TRACKING and CLIENT CACHING, as Redis spells them.
const (
	errTwoRedirects  command.ReplyError = "ERR A client can only redirect to a single other client"
	errRedirectGone  command.ReplyError = "ERR The client ID you want redirect to does not exist"
	errPrefixNoBcast command.ReplyError = "ERR PREFIX option requires BCAST mode to be enabled"
	errSwitchBcast   command.ReplyError = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errBcastOpt      command.ReplyError = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	errBothOpts      command.ReplyError = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errSwitchOpt     command.ReplyError = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errNotTracking   command.ReplyError = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errCachingYes    command.ReplyError = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	errCachingNo     command.ReplyError = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
)

func (s *Server) cmdClientTracking(call *command.Call) {
	o, refusal := s.parseTracking(call.Args[3:])
	if refusal != "" {
		call.Fail(refusal)
		return
	}
	c := session(call)
	switch {
	case foldIs(call.Args[2], "on"):
		if refusal := trackingConflict(o, c.tracking); refusal != "" {
			call.Fail(refusal)
			return
		}
		s.startTracking(c, o)
	case foldIs(call.Args[2], "off"):
		s.stopTracking(c)
	default:
		call.Fail(errSyntax)
		return
	}
	call.Out.OK()
}

func (s *Server) parseTracking(args [][]byte) (*tracker, command.ReplyError) {
	o := &tracker{}
	for i := 0; i < len(args); i++ {
		more := i+1 < len(args)
		switch {
		case foldIs(args[i], "redirect") && more:
			i++
			if o.redirect != 0 {
				return nil, errTwoRedirects
			}
			id, ok := parseInt(args[i])
			if !ok {
				return nil, errNotInteger
			}
			if s.conns[id] == nil {
				return nil, errRedirectGone
			}
			o.redirect = id
		case foldIs(args[i], "bcast"):
			o.broadcast = true
		case foldIs(args[i], "optin"):
			o.optIn = true
		case foldIs(args[i], "optout"):
			o.optOut = true
		case foldIs(args[i], "noloop"):
			o.noLoop = true
		case foldIs(args[i], "prefix") && more:
			i++
			o.prefixes = append(o.prefixes, string(args[i]))
		default:
			return nil, errSyntax
		}
	}
	return o, ""
}

// trackingConflict says why a mode makes no sense, or not beside the one that is
// in force already.
func trackingConflict(o, old *tracker) command.ReplyError {
	switch {
	case !o.broadcast && len(o.prefixes) > 0:
		return errPrefixNoBcast
	case old != nil && old.broadcast != o.broadcast:
		return errSwitchBcast
	case o.broadcast && (o.optIn || o.optOut):
		return errBcastOpt
	case o.optIn && o.optOut:
		return errBothOpts
	case old != nil && (o.optIn && old.optOut || o.optOut && old.optIn):
		return errSwitchOpt
	case o.broadcast:
		return prefixCollision(o, old)
	}
	return ""
}

// prefixComparisons is how many pairs of prefixes are looked at for the one that
// Redis would name, some milliseconds' work.
const prefixComparisons = 1 << 20

// prefixCollision finds two prefixes of which one begins with the other: a key
// would be announced twice.
func prefixCollision(o, old *tracker) command.ReplyError {
	var existing []string
	if old != nil {
		existing = old.prefixes
	}
	one, other, found := someOverlap(existing, o.prefixes)
	if !found {
		return ""
	}
	overlaps := func(p string) func(string) bool {
		return func(q string) bool { return strings.HasPrefix(p, q) || strings.HasPrefix(q, p) }
	}
	compared := 0
	for i := 0; i < len(o.prefixes) && compared < prefixComparisons; i++ {
		p, rest := o.prefixes[i], o.prefixes[i+1:]
		if k := slices.IndexFunc(existing, overlaps(p)); k >= 0 {
			return errPrefixes(p, "an existing", existing[k])
		}
		if k := slices.IndexFunc(rest, overlaps(p)); k >= 0 {
			return errPrefixes(p, "another provided", rest[k])
		}
		compared += len(existing) + len(rest)
	}
	return errPrefixes(one, "another provided", other)
}

func errPrefixes(p, which, q string) command.ReplyError {
	return command.ReplyError(fmt.Sprintf("ERR Prefix '%s' overlaps with %s prefix '%s'. Prefixes for a single client must not overlap.", p, which, q))
}

// someOverlap finds a prefix that another one begins with, if any of the new ones
// overlaps. Sorted, whatever begins with a prefix comes right behind it.
func someOverlap(existing, added []string) (one, other string, found bool) {
	if len(added) == 0 {
		return "", "", false // those that exist may overlap: all keys can be asked for in any case
	}
	all := slices.Concat(existing, added)
	slices.Sort(all)
	for i, p := range all[1:] {
		if strings.HasPrefix(p, all[i]) {
			return p, all[i], true
		}
	}
	return "", "", false
}

func (s *Server) cmdClientCaching(call *command.Call) {
	t := session(call).tracking
	yes := foldIs(call.Args[2], "yes")
	switch {
	case t == nil:
		call.Fail(errNotTracking)
	case !yes && !foldIs(call.Args[2], "no"):
		call.Fail(errSyntax)
	case yes && !t.optIn:
		call.Fail(errCachingYes)
	case !yes && !t.optOut:
		call.Fail(errCachingNo)
	default:
		t.caching = true
		call.Out.OK()
	}
}

// cachingUsed ends the effect of CLIENT CACHING: it is for one command, or for one
// transaction.
func (c *conn) cachingUsed(spec *command.Spec) {
	if spec != nil && spec.Parent() != nil && spec.Parent().Name == "client" || c.has(flagMulti) {
		return
	}
	c.tracking.caching = false
}

func (s *Server) cmdClientGetRedir(call *command.Call) { call.Out.Int(session(call).redirection()) }

// redirection is the ID of who is told instead of c; 0 is itself, -1 nobody.
func (c *conn) redirection() int64 {
	if c.tracking == nil {
		return -1
	}
	return c.tracking.redirect
}

func (s *Server) cmdClientTrackingInfo(call *command.Call) {
	c := session(call)
	flags, prefixes := []string{"off"}, []string(nil)
	if t := c.tracking; t != nil {
		flags, prefixes = t.flags(), t.prefixes
	}
	call.Out.Map(3)
	call.Out.BulkString("flags")
	call.Out.Set(len(flags))
	for _, f := range flags {
		call.Out.BulkString(f)
	}
	call.Out.BulkString("redirect")
	call.Out.Int(c.redirection())
	call.Out.BulkString("prefixes")
	call.Out.Array(len(prefixes))
	for _, p := range prefixes {
		call.Out.BulkString(p)
	}
}

func (t *tracker) flags() []string {
	flags := []string{"on"}
	for _, f := range []struct {
		on   bool
		name string
	}{
		{t.broadcast, "bcast"}, {t.optIn, "optin"}, {t.optIn && t.caching, "caching-yes"},
		{t.optOut, "optout"}, {t.optOut && t.caching, "caching-no"},
		{t.noLoop, "noloop"}, {t.broken, "broken_redirect"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	return flags
}
