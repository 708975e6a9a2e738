package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
)

// Contexts of a denial, as ACL LOG calls them.
const (
	deniedToplevel = "toplevel"
	deniedInMulti  = "multi"
	deniedInScript = "lua"
)

var (
	errUsersTwice = errors.New("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. " + //nolint:staticcheck // Redis' text
		"This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.")
	errDuplicateUser = errors.New("Duplicate user found. A user can only be defined once in config files") //nolint:staticcheck // Redis' text
)

// initUsers makes the users that the configuration names, or those of its ACL file.
func (s *Server) initUsers() error {
	cfg := s.config
	s.users = acl.New(s.commands, cfg.ACLPubSubDefault == "allchannels")
	if err := s.setDefaultPassword(cfg.Requirepass); err != nil {
		return err
	}
	if cfg.ACLFile != "" && len(cfg.Users) > 0 {
		return errUsersTwice
	}
	seen := map[string]bool{}
	for i := range cfg.Users {
		u := &cfg.Users[i]
		if err := s.declareUser(u, seen); err != nil {
			return u.Wrong(fmt.Errorf("Error in user declaration '%s': %w", u.Name, err)) //nolint:staticcheck // Redis' text
		}
	}
	if cfg.ACLFile != "" {
		loaded, err := s.readUsers()
		if err != nil {
			return fmt.Errorf("Aborting startup because of ACL errors: %w", err) //nolint:staticcheck // follows Redis' text
		}
		s.users.Replace(loaded)
	}
	s.usersChanged()
	return nil
}

// declareUser makes a user of a line of the configuration. Only the default user is
// there already.
func (s *Server) declareUser(u *config.User, seen map[string]bool) error {
	if seen[u.Name] {
		return errDuplicateUser
	}
	seen[u.Name] = true
	rules := u.Rules
	if u.Name == acl.DefaultName {
		rules = append([]string{"reset"}, rules...)
	}
	if err := s.users.Set(u.Name, rules...); err != nil {
		var wrong *acl.RuleError
		if errors.As(err, &wrong) {
			return wrong.Err // the rule itself may be a password
		}
		return err
	}
	if !s.users.Find(u.Name).Enabled() {
		s.log.Noticef("The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error.", u.Name)
	}
	return nil
}

// setDefaultPassword is what requirepass means.
func (s *Server) setDefaultPassword(password string) error {
	rule := "nopass"
	if password != "" {
		rule = ">" + password
	}
	return s.users.Set(acl.DefaultName, "resetpass", rule)
}

func (s *Server) aclPath() string {
	if filepath.IsAbs(s.config.ACLFile) {
		return s.config.ACLFile
	}
	return filepath.Join(s.dataDir(), s.config.ACLFile)
}

// readUsers reads the ACL file; the users in force stay as they are.
func (s *Server) readUsers() (*acl.Users, error) {
	name := s.config.ACLFile
	content, err := os.ReadFile(s.aclPath())
	if err != nil {
		text := err.Error()
		var why *os.PathError
		if errors.As(err, &why) {
			text = why.Err.Error()
			text = strings.ToUpper(text[:1]) + text[1:] // as C spells it
		}
		return nil, fmt.Errorf("Error loading ACLs, opening file '%s': %s", name, text) //nolint:staticcheck // Redis' text
	}
	return s.users.Load(name, string(content))
}

// replaceUsers takes over the users of a file. Who is logged in as a user that is
// gone is disconnected, and who listens to what it may not any more.
func (s *Server) replaceUsers(loaded *acl.Users) {
	before := map[*acl.User]string{}
	channels := map[*acl.User]string{}
	for _, u := range s.users.Sorted() {
		before[u], channels[u] = u.Name(), channelRules(u)
	}
	s.users.Replace(loaded)
	for _, c := range s.byID() {
		u := s.users.Find(before[c.user])
		if u == nil || channelRules(u) != channels[c.user] && !c.mayListen(u) {
			s.expel(c)
			continue
		}
		c.user = u
	}
	s.usersChanged()
}

// channelRules spell what the user may do with channels.
func channelRules(u *acl.User) string {
	all := ""
	for _, p := range u.Permissions() {
		all += "(" + p.Channels + ")"
	}
	return all
}

// mayListen says whether a user may listen to everything that c listens to.
func (c *conn) mayListen(u *acl.User) bool {
	for kind := range topicKinds {
		if c.subs == nil {
			return true
		}
		for name := range c.subs[kind] {
			if !u.Reaches([]byte(name), kind == topicPattern) {
				return false
			}
		}
	}
	return true
}

// putUser makes a staged user effective.
func (s *Server) putUser(staged *acl.User) {
	u := s.users.Find(staged.Name())
	if u != nil && channelRules(u) != channelRules(staged) {
		for _, c := range s.byID() {
			if c.user == u && !c.mayListen(staged) {
				s.expel(c)
			}
		}
	}
	s.users.Put(staged)
	s.usersChanged()
}

// expel disconnects somebody whose user is not what it was. What the connection
// executes right now is still answered.
func (s *Server) expel(c *conn) {
	c.login(s, s.users.Default(), false)
	if c == s.current {
		s.closeAfterReply(c)
		return
	}
	s.closeConn(c)
}

// usersChanged brings what is derived from the users up to date.
func (s *Server) usersChanged() {
	d := s.users.Default()
	s.authRequired = !d.NoPass() || !d.Enabled()
	for _, c := range s.conns {
		c.login(s, c.user, c.has(flagAuthenticated))
	}
}

// loginDefault makes c what a new connection is.
func (c *conn) loginDefault(s *Server) { c.login(s, s.users.Default(), !s.authRequired) }

// login notes as whom c acts. It has authenticated when nothing has to be asked of it
// any more, even if the default user gets a password.
func (c *conn) login(s *Server, u *acl.User, authenticated bool) {
	c.user = u
	c.set(flagAuthenticated, authenticated)
	c.set(flagRestricted, !u.Unrestricted())
	c.parser.Unauthenticated = !authenticated && s.authRequired
}

// admission says why the user of a connection may not run a command. It is asked
// only when something about the connection is not ordinary.
func (s *Server) admission(c *conn, spec *command.Spec, args [][]byte) command.ReplyError {
	switch {
	case c.has(flagPrimary):
		return ""
	case !c.has(flagAuthenticated) && s.authRequired && !spec.Has(command.NoAuth):
		return command.ErrNoAuth
	case !c.has(flagRestricted):
		return ""
	}
	context := deniedToplevel
	if c.has(flagMulti) {
		context = deniedInMulti
	}
	d := s.users.Check(c.user, spec, args)
	if d.Reason == acl.Allowed {
		return ""
	}
	s.noteDenial(c, d, context, spec, args)
	return command.ReplyError("NOPERM " + d.Text(c.user, spec, args, false))
}

// aclCheck says whether a connection's user may run a command, and in the words of
// NOPERM why not; "" is yes. It leaves no trace.
func (s *Server) aclCheck(c *conn, spec *command.Spec, args [][]byte) command.ReplyError {
	if !c.has(flagRestricted) {
		return ""
	}
	if d := s.users.Check(c.user, spec, args); d.Reason != acl.Allowed {
		return command.ReplyError("NOPERM " + d.Text(c.user, spec, args, false))
	}
	return ""
}

// readsAll says whether the user of a call may read every key, which is what BY and
// GET of SORT need.
func (s *Server) readsAll(call *command.Call) bool {
	c, ok := call.Session.(*conn)
	return !ok || c == nil || !c.has(flagRestricted) || s.users.ReadsEverything(c.user, call.Spec, call.Args)
}

// aclCheckScript is aclCheck for a command that a script is about to call; a refusal
// is logged, and says where it happened.
func (s *Server) aclCheckScript(c *conn, spec *command.Spec, args [][]byte) command.ReplyError {
	if !c.has(flagRestricted) {
		return ""
	}
	d := s.users.Check(c.user, spec, args)
	if d.Reason == acl.Allowed {
		return ""
	}
	s.noteDenial(c, d, deniedInScript, spec, args)
	return command.ReplyError("NOPERM ACL failure in script: " + d.Text(c.user, spec, args, false))
}

// aclCheckExec checks a queued command once more: the rules may have changed since.
func (s *Server) aclCheckExec(c *conn, q queued) command.ReplyError {
	if !c.has(flagRestricted) {
		return ""
	}
	d := s.users.Check(c.user, q.spec, q.args)
	var why string
	switch d.Reason {
	case acl.Allowed:
		return ""
	case acl.DeniedCommand:
		why = "no permission to execute the command or subcommand"
	case acl.DeniedKey:
		why = "no permission to touch the specified keys"
	default:
		why = "no permission to access one of the channels used as arguments"
	}
	s.noteDenial(c, d, deniedInMulti, q.spec, q.args)
	return command.ReplyError("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
		"This command is no longer allowed for the following reason: " + why)
}

// noteDenial counts and logs a command that was denied.
func (s *Server) noteDenial(c *conn, d acl.Denial, context string, spec *command.Spec, args [][]byte) {
	object := spec.FullName()
	if d.Reason == acl.DeniedKey || d.Reason == acl.DeniedChannel {
		object = string(args[d.Arg])
	}
	s.logDenial(c, acl.Entry{Reason: d.Reason, Context: context, Object: object, UserName: c.user.Name()})
}

func (s *Server) logDenial(c *conn, e acl.Entry) {
	s.stats.denied[e.Reason]++
	client := c
	if s.current != nil {
		client = s.current
	}
	e.Client = s.clientLine(client)
	s.aclLog.Add(s.clock.unixMs, e, s.config.ACLLogMaxLen)
}
