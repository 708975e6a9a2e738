package acl

import (
	"errors"
	"fmt"
	"strings"
)

// errUnchanged ends the report about a file with mistakes.
const errUnchanged = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"

// Load reads a file of users, one per line, into a set of its own. name is the
// file's name, for messages. With an error nothing of the file can be used; the text
// tells of every line that is wrong, as Redis does. A default user that the file does
// not mention is as in New.
func (all *Users) Load(name, content string) (*Users, error) {
	loaded := New(all.table, all.openChannels)
	fallback := loaded.fallback
	loaded.byName = map[string]*User{}
	var report strings.Builder
	for i, line := range strings.Split(content, "\n") {
		loaded.loadLine(&report, fmt.Sprintf("%s:%d", name, i+1), i+1, strings.Trim(line, " \t\r\n"))
	}
	if report.Len() > 0 {
		return nil, errors.New(report.String() + errUnchanged)
	}
	if u := loaded.byName[DefaultName]; u != nil {
		*fallback = *u
	}
	loaded.byName[DefaultName] = fallback
	return loaded, nil
}

func (all *Users) loadLine(report *strings.Builder, where string, number int, line string) {
	if line == "" {
		return
	}
	words := strings.Split(line, " ")
	switch {
	case words[0] != "user" || len(words) < 2:
		fmt.Fprintf(report, "%s should start with user keyword followed by the username. ", where)
		return
	case hasSpaces(words[1]):
		fmt.Fprintf(report, "'%s: username '%s' contains invalid characters. ", where, words[1])
		return
	case all.byName[words[1]] != nil:
		fmt.Fprintf(report, "WARNING: Duplicate user '%s' found on line %d. ", words[1], number)
		return
	}
	u := all.newUser(words[1])
	all.byName[u.name] = u
	rules, err := mergeSelectors(words[2:])
	if err != nil {
		fmt.Fprintf(report, "%s: Unmatched parenthesis in selector definition.", where)
		return
	}
	told := false
	for _, rule := range rules {
		rule = strings.Trim(rule, "\t\r\n")
		switch err := u.apply(rule, all); {
		case err == nil:
		case errors.Is(err, errNoSuchCommand):
			fmt.Fprintf(report, "%s: Error in applying operation '%s': %s. ", where, rule, err)
		case !told:
			// What follows from a mistake is not another one, and a rule may hold a
			// password, which has no place in a log.
			fmt.Fprintf(report, "%s: %s. ", where, err)
			told = true
		}
	}
}

// Save spells all users as Load reads them.
func (all *Users) Save() string {
	var b strings.Builder
	for _, u := range all.Sorted() {
		b.WriteString(u.Line())
		b.WriteByte('\n')
	}
	return b.String()
}

// Line is the user's line in a file.
func (u *User) Line() string { return "user " + u.name + " " + u.Describe() }
