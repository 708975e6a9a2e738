package server

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/server/acl"
	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
)

const (
	errNoACLFile command.ReplyError = "ERR This Redis instance is not configured to use an ACL file. " +
		"You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE " +
		"(assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
	errACLSave       command.ReplyError = "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
	errDeleteDefault command.ReplyError = "ERR The 'default' user cannot be removed"
	errGenpassBits   command.ReplyError = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
)

// genpassBits bounds ACL GENPASS.
const genpassBits = 4096

func (s *Server) aclSpec() *command.Spec {
	open := command.NoScript | command.Loading | command.Stale
	sub := func(name string, arity int, flags command.Flags, run func(*command.Call)) *command.Spec {
		return &command.Spec{Name: name, Arity: arity, Flags: flags, Run: run}
	}
	admin := open | command.Admin
	return &command.Spec{Name: "acl", Arity: -2,
		Subcommands: []*command.Spec{
			sub("cat", -2, open, s.cmdACLCat),
			sub("deluser", -3, admin, s.cmdACLDelUser),
			sub("dryrun", -4, admin, s.cmdACLDryRun),
			sub("genpass", -2, open, cmdACLGenPass),
			sub("getuser", 3, admin, s.cmdACLGetUser),
			sub("list", 2, admin, s.cmdACLList),
			sub("load", 2, admin, s.cmdACLLoad),
			sub("log", -2, admin, s.cmdACLLog),
			sub("save", 2, admin, s.cmdACLSave),
			sub("setuser", -3, admin, s.cmdACLSetUser),
			sub("users", 2, admin, s.cmdACLUsers),
			sub("whoami", 2, open, func(c *command.Call) { c.Out.BulkString(session(c).user.Name()) }),
			aclHelp(),
		}}
}

func aclHelp() *command.Spec {
	return helpSpec("acl", command.Loading|command.Stale,
		"CAT [<category>]", "    List all commands that belong to <category>, or all command categories", "    when no category is specified.",
		"DELUSER <username> [<username> ...]", "    Delete a list of users.",
		"DRYRUN <username> <command> [<arg> ...]", "    Returns whether the user can execute the given command without executing the command.",
		"GETUSER <username>", "    Get the user's details.",
		"GENPASS [<bits>]", "    Generate a secure 256-bit user password. The optional `bits` argument can", "    be used to specify a different size.",
		"LIST", "    Show users details in config file format.",
		"LOAD", "    Reload users from the ACL file.",
		"LOG [<count> | RESET]", "    Show the ACL log entries.",
		"SAVE", "    Save the current config to the ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]", "    Create or modify a user with the specified attributes.",
		"USERS", "    List all the registered usernames.",
		"WHOAMI", "    Return the current connection username.")
}

func (s *Server) cmdACLCat(call *command.Call) {
	switch len(call.Args) {
	case 2:
		names := command.CategoryNames()
		call.Out.Array(len(names))
		for _, name := range names {
			call.Out.BulkString(name)
		}
	case 3:
		category, ok := command.CategoryByName(string(call.Args[2]))
		if !ok {
			call.Fail(command.ReplyError(fmt.Sprintf("ERR Unknown category '%.128s'", call.Args[2])))
			return
		}
		mark, n := call.Out.Mark(), 0
		for id := range s.commands.Len() {
			if spec := s.commands.ByID(id); spec.Categories&category != 0 {
				call.Out.BulkString(spec.FullName())
				n++
			}
		}
		call.Out.InsertArray(mark, n)
	default:
		call.Fail(errSubSyntax("ACL", call.Args[1]))
	}
}

func (s *Server) cmdACLDelUser(call *command.Call) {
	for _, name := range call.Args[2:] {
		if string(name) == acl.DefaultName {
			call.Fail(errDeleteDefault)
			return
		}
	}
	deleted := 0
	for _, name := range call.Args[2:] {
		u := s.users.Delete(string(name))
		if u == nil {
			continue
		}
		deleted++
		for _, c := range s.byID() {
			if c.user == u {
				s.expel(c)
			}
		}
	}
	call.Out.Int(int64(deleted))
}

func (s *Server) cmdACLDryRun(call *command.Call) {
	name, args := string(call.Args[2]), call.Args[3:]
	u := s.users.Find(name)
	if u == nil {
		call.Fail(command.ReplyError(fmt.Sprintf("ERR User '%s' not found", name)))
		return
	}
	spec, err := s.commands.Lookup(args)
	if spec == nil {
		call.Fail(command.ReplyError(fmt.Sprintf("ERR Command '%s' not found", args[0])))
		return
	}
	if err != nil {
		call.Fail(asReply(err))
		return
	}
	if d := s.users.Check(u, spec, args); d.Reason != acl.Allowed {
		call.Out.BulkString(d.Text(u, spec, args, true))
		return
	}
	call.Out.OK()
}

func cmdACLGenPass(call *command.Call) {
	bits := int64(256)
	switch len(call.Args) {
	case 2:
	case 3:
		n, ok := parseInt(call.Args[2])
		if !ok {
			call.Fail(errNotInteger)
			return
		}
		bits = n
	default:
		call.Fail(errSubSyntax("ACL", call.Args[1]))
		return
	}
	if bits <= 0 || bits > genpassBits {
		call.Fail(errGenpassBits)
		return
	}
	var raw [genpassBits / 8]byte
	rand.Read(raw[:])
	digits := (bits + 3) / 4 // four bits each
	call.Out.BulkString(hex.EncodeToString(raw[:])[:digits])
}

func (s *Server) cmdACLGetUser(call *command.Call) {
	u := s.users.Find(string(call.Args[2]))
	if u == nil {
		call.Out.Null()
		return
	}
	out := call.Out
	out.Map(6)
	out.BulkString("flags")
	flags := u.Flags()
	out.Set(len(flags))
	for _, f := range flags {
		out.BulkString(f)
	}
	out.BulkString("passwords")
	passwords := u.Passwords()
	out.Array(len(passwords))
	for _, p := range passwords {
		out.BulkString(p)
	}
	all := u.Permissions()
	replyPermissions(call, all[0])
	out.BulkString("selectors")
	out.Array(len(all) - 1)
	for _, p := range all[1:] {
		out.Map(3)
		replyPermissions(call, p)
	}
}

// replyPermissions writes the three fields of a selector.
func replyPermissions(call *command.Call, p acl.Permissions) {
	call.Out.BulkString("commands")
	call.Out.BulkString(p.Commands)
	call.Out.BulkString("keys")
	call.Out.BulkString(p.Keys)
	call.Out.BulkString("channels")
	call.Out.BulkString(p.Channels)
}

func (s *Server) cmdACLList(call *command.Call) {
	all := s.users.Sorted()
	call.Out.Array(len(all))
	for _, u := range all {
		call.Out.BulkString(u.Line())
	}
}

func (s *Server) cmdACLUsers(call *command.Call) {
	all := s.users.Sorted()
	call.Out.Array(len(all))
	for _, u := range all {
		call.Out.BulkString(u.Name())
	}
}

func (s *Server) cmdACLSetUser(call *command.Call) {
	rules := make([]string, 0, len(call.Args)-3)
	for _, a := range call.Args[3:] {
		rules = append(rules, string(a))
	}
	staged, err := s.users.Stage(string(call.Args[2]), rules)
	if err != nil {
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	s.putUser(staged)
	call.Out.OK()
}

func (s *Server) cmdACLLoad(call *command.Call) {
	if s.config.ACLFile == "" {
		call.Fail(errNoACLFile)
		return
	}
	loaded, err := s.readUsers()
	if err != nil {
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	s.replaceUsers(loaded)
	call.Out.OK()
}

func (s *Server) cmdACLSave(call *command.Call) {
	if s.config.ACLFile == "" {
		call.Fail(errNoACLFile)
		return
	}
	if err := config.ReplaceFile(s.aclPath(), []byte(s.users.Save())); err != nil {
		s.log.Warningf("Saving ACL file: %v", err)
		call.Fail(errACLSave)
		return
	}
	call.Out.OK()
}

func (s *Server) cmdACLLog(call *command.Call) {
	count := int64(10)
	switch {
	case len(call.Args) == 2:
	case len(call.Args) == 3 && foldIs(call.Args[2], "reset"):
		s.aclLog.Reset()
		call.Out.OK()
		return
	case len(call.Args) == 3:
		n, ok := parseInt(call.Args[2])
		if !ok {
			call.Fail(errNotInteger)
			return
		}
		count = n
	default:
		call.Fail(errSubSyntax("ACL", call.Args[1]))
		return
	}
	entries := s.aclLog.Newest(int(min(count, 1<<31-1)))
	call.Out.Array(len(entries))
	for _, e := range entries {
		replyDenial(call, e)
	}
}

func replyDenial(call *command.Call, e *acl.Entry) {
	out := call.Out
	out.Map(10)
	out.BulkString("count")
	out.Int(e.Count)
	for _, field := range [][2]string{
		{"reason", e.Reason.String()}, {"context", e.Context}, {"object", e.Object}, {"username", e.UserName},
	} {
		out.BulkString(field[0])
		out.BulkString(field[1])
	}
	out.BulkString("age-seconds")
	out.Double(float64(call.Now-e.Updated) / 1000)
	out.BulkString("client-info")
	out.BulkString(e.Client)
	out.BulkString("entry-id")
	out.Int(e.ID)
	out.BulkString("timestamp-created")
	out.Int(e.Created)
	out.BulkString("timestamp-last-updated")
	out.Int(e.Updated)
}

// usersForFile puts the users in force into the configuration, from where CONFIG
// REWRITE takes them. Those of an ACL file have their place there.
func (s *Server) usersForFile() {
	s.config.Users = nil
	if s.config.ACLFile != "" {
		return
	}
	for _, u := range s.users.Sorted() {
		s.config.Users = append(s.config.Users, config.User{Name: u.Name(), Rules: strings.Fields(u.Describe())})
	}
}
