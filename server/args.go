package server

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/resp"
)

// Errors that several commands of this package answer with.
const (
	errSyntax     = command.ErrSyntax
	errNotInteger = command.ErrNotInteger
)

func errSubArity(name string) command.ReplyError {
	return command.ReplyError("ERR wrong number of arguments for '" + name + "' command")
}

// errSubSyntax is for a subcommand that does not take so many arguments.
func errSubSyntax(container string, sub []byte) command.ReplyError {
	return command.ReplyError(fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%.128s'. Try %s HELP.", sub, upperWord(container)))
}

// foldIs compares an argument with a lower-case word, without regard to case.
func foldIs(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i := range len(word) {
		ch := arg[i]
		if ch >= 'A' && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		if ch != word[i] {
			return false
		}
	}
	return true
}

func parseInt(arg []byte) (int64, bool) { return resp.ParseInt(arg) }

// helpSpec makes the HELP subcommand of a container from its lines.
func helpSpec(container string, flags command.Flags, lines ...string) *command.Spec {
	head := fmt.Sprintf("%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", upperWord(container))
	all := append([]string{head}, lines...)
	all = append(all, "HELP", "    Prints this help.")
	return &command.Spec{Name: "help", Arity: 2, Flags: flags,
		Run: func(call *command.Call) {
			call.Out.Array(len(all))
			for _, line := range all {
				call.Out.Simple(line)
			}
		}}
}

func upperWord(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch >= 'a' && ch <= 'z' {
			b[i] = ch - ('a' - 'A')
		}
	}
	return string(b)
}

// session is the connection that a command runs for.
func session(call *command.Call) *conn { return call.Session.(*conn) }
