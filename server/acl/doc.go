// Package acl knows who may do what: users, their passwords, and the rules about
// commands, keys and channels, in the language of Redis 7.2's ACL commands and
// files.
//
// A Users is a plain value without locks: the server's reactor owns its own. The
// package sees the command table, whose flags, categories and key specs its
// decisions rest on, and nothing else: no connections, no files, no clock.
// Whoever loads a file passes its contents; whoever logs a denial passes the time.
//
//	users.go     the set of users, and changing it as a whole or not at all
//	user.go      one user: switches and passwords
//	selector.go  one set of permissions; a user has one of its own and may have more
//	rule.go      from the words of SETUSER to changes
//	check.go     may this user run this command with these arguments?
//	file.go      users in a file, one per line
//	log.go       what was denied lately
package acl
