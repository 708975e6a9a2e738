package command

// COMMAND tells clients, proxies and people what is in the table.

func commandSpecs(t *Table) []*Spec {
	const flags = Loading | Stale
	some := []Arg{NewArg("command-name", ArgString).Opt().Many()}
	call := []Arg{NewArg("command", ArgString), NewArg("arg", ArgString).Opt().Many()}
	anyOrder := []string{"nondeterministic_output_order"}
	all := "O(N) for N commands in the table"
	sub := func(name string, arity int, run func(*Call), doc Doc) *Spec {
		doc.Group = "server"
		return &Spec{Name: name, Arity: arity, Flags: flags, Categories: CatConnection, Run: run, Doc: doc}
	}
	root := sub("command", -1, func(c *Call) { replyInfos(c, t.Commands()) }, Doc{
		Since: "2.8.13", Complexity: all, Tips: anyOrder, Summary: "Describes all commands for programs"})
	root.Subcommands = []*Spec{
		sub("count", 2, func(c *Call) { c.Out.Int(int64(len(t.Commands()))) }, Doc{
			Since: "2.8.13", Complexity: "O(1)", Summary: "Returns the number of commands"}),
		sub("docs", -2, t.runDocs, Doc{
			Since: "7.0.0", Complexity: "O(N) for N commands looked up", Tips: anyOrder, Args: some,
			Summary: "Describes commands for people"}),
		sub("getkeys", -3, func(c *Call) { t.runGetKeys(c, false) }, Doc{
			Since: "2.8.13", Complexity: "O(N) for N arguments", Args: call,
			Summary: "Returns the keys in a command"}),
		sub("getkeysandflags", -3, func(c *Call) { t.runGetKeys(c, true) }, Doc{
			Since: "7.0.0", Complexity: "O(N) for N arguments", Args: call,
			Summary: "Returns the keys in a command and what it does with them"}),
		sub("help", 2, runCommandHelp, Doc{
			Since: "5.0.0", Complexity: "O(1)", Summary: "Explains the subcommands"}),
		sub("info", -2, t.runInfo, Doc{
			Since: "2.8.13", Complexity: "O(N) for N commands looked up", Tips: anyOrder, Args: some,
			Summary: "Describes some commands for programs",
			History: []Change{{"7.0.0", "Without names it describes all commands."}}}),
		sub("list", -2, t.runList, Doc{
			Since: "7.0.0", Complexity: all, Tips: anyOrder,
			Summary: "Returns the names of commands",
			Args: []Arg{OneOf("filterby",
				NewArg("module-name", ArgString).After("MODULE"),
				NewArg("category", ArgString).After("ACLCAT"),
				NewArg("pattern", ArgPattern).After("PATTERN")).After("FILTERBY").Opt()}}),
	}
	return []*Spec{root}
}

func runCommandHelp(c *Call) {
	c.ReplyHelp(
		"(no subcommand)",
		"    Describe all commands for programs.",
		"COUNT",
		"    The number of commands.",
		"DOCS [<command-name> ...]",
		"    Describe commands for people; all of them without names.",
		"GETKEYS <command> [<arg> ...]",
		"    The keys in a command.",
		"GETKEYSANDFLAGS <command> [<arg> ...]",
		"    The keys in a command and what it does with them.",
		"INFO [<command-name> ...]",
		"    Describe commands for programs; all of them without names.",
		"LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
		"    The names of commands, subcommands included.",
	)
}

func (t *Table) runInfo(c *Call) {
	if len(c.Args) == 2 {
		replyInfos(c, t.Commands())
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if s, ok := t.Find(name); ok {
			replyInfo(c, s)
		} else {
			c.Out.NullArray()
		}
	}
}

func replyInfos(c *Call, specs []*Spec) {
	c.Out.Array(len(specs))
	for _, s := range specs {
		replyInfo(c, s)
	}
}

func replyInfo(c *Call, s *Spec) {
	c.Out.Array(10)
	c.Out.BulkString(s.full)
	c.Out.Int(int64(s.Arity))
	replyNames(c, uint32(s.Flags&^MayReplicate), flagNames[:], "") // Redis keeps that one to itself
	c.Out.Int(int64(s.FirstKey))
	c.Out.Int(int64(s.LastKey))
	c.Out.Int(int64(s.KeyStep))
	replyNames(c, uint32(s.Categories), categoryNames[:], "@")
	c.Out.Set(len(s.Tips))
	for _, tip := range s.Tips {
		c.Out.BulkString(tip)
	}
	c.Out.Set(len(s.KeySpecs))
	for i := range s.KeySpecs {
		replyKeySpec(c, &s.KeySpecs[i])
	}
	if len(s.Subcommands) == 0 {
		c.Out.Set(0) // a set when there are none, an array otherwise: so does Redis
		return
	}
	replyInfos(c, s.Subcommands)
}

// replyNames replies with the set of the names of the bits in a mask.
func replyNames(c *Call, mask uint32, names []string, prefix string) {
	mark, n := c.Out.Mark(), 0
	for i, name := range names {
		if mask&(1<<i) != 0 {
			c.Out.Simple(prefix + name)
			n++
		}
	}
	c.Out.InsertSet(mark, n)
}

func replyKeySpec(c *Call, k *KeySpec) {
	if k.Notes != "" {
		c.Out.Map(4)
		c.Out.BulkString("notes")
		c.Out.BulkString(k.Notes)
	} else {
		c.Out.Map(3)
	}
	c.Out.BulkString("flags")
	replyNames(c, uint32(k.Flags), keyFlagNames[:], "")
	c.Out.BulkString("begin_search")
	switch b := k.Begin; {
	case b.Keyword != "":
		replySearch(c, "keyword", 2)
		c.Out.BulkString("keyword")
		c.Out.BulkString(b.Keyword)
		replyField(c, "startfrom", b.From)
	case b.Index != 0:
		replySearch(c, "index", 1)
		replyField(c, "index", b.Index)
	default:
		replySearch(c, "unknown", 0)
	}
	c.Out.BulkString("find_keys")
	switch f := k.Find; f.How {
	case FindRange:
		replySearch(c, "range", 3)
		replyField(c, "lastkey", f.Last)
		replyField(c, "keystep", f.Step)
		replyField(c, "limit", f.Limit)
	case FindCount:
		replySearch(c, "keynum", 3)
		replyField(c, "keynumidx", f.CountAt)
		replyField(c, "firstkey", f.FirstAt)
		replyField(c, "keystep", f.Step)
	default:
		replySearch(c, "unknown", 0)
	}
}

// replySearch begins one of the two steps of a key spec, which n fields follow.
func replySearch(c *Call, kind string, n int) {
	c.Out.Map(2)
	c.Out.BulkString("type")
	c.Out.BulkString(kind)
	c.Out.BulkString("spec")
	c.Out.Map(n)
}

func replyField(c *Call, name string, n int) {
	c.Out.BulkString(name)
	c.Out.Int(int64(n))
}

func (t *Table) runDocs(c *Call) {
	if len(c.Args) == 2 {
		replyDocs(c, t.Commands())
		return
	}
	var found []*Spec
	for _, name := range c.Args[2:] {
		if s, ok := t.Find(name); ok {
			found = append(found, s)
		}
	}
	replyDocs(c, found)
}

func replyDocs(c *Call, specs []*Spec) {
	c.Out.Map(len(specs))
	for _, s := range specs {
		c.Out.BulkString(s.full)
		replyDoc(c, s)
	}
}

// fields writes a map whose size is known at its end: what is empty is left out,
// as clients expect.
type fields struct {
	c       *Call
	mark, n int
}

func newFields(c *Call) *fields { return &fields{c: c, mark: c.Out.Mark()} }

// name begins a field; its value follows.
func (f *fields) name(name string) {
	f.n++
	f.c.Out.BulkString(name)
}

func (f *fields) text(name, value string) {
	if value != "" {
		f.name(name)
		f.c.Out.BulkString(value)
	}
}

func (f *fields) end() { f.c.Out.InsertMap(f.mark, f.n) }

func replyDoc(c *Call, s *Spec) {
	f := newFields(c)
	defer f.end()
	f.text("summary", s.Summary)
	f.text("since", s.Since)
	f.text("group", s.Group)
	f.text("complexity", s.Complexity)
	if s.Deprecated != "" || s.SysCmd {
		f.name("doc_flags")
		replyNames(c, docFlags(s), []string{"deprecated", "syscmd"}, "")
	}
	f.text("deprecated_since", s.Deprecated)
	f.text("replaced_by", s.ReplacedBy)
	if len(s.History) > 0 {
		f.name("history")
		c.Out.Set(len(s.History))
		for _, h := range s.History {
			c.Out.Array(2)
			c.Out.BulkString(h.Since)
			c.Out.BulkString(h.What)
		}
	}
	if len(s.Args) > 0 {
		f.name("arguments")
		replyArgs(c, s.Args)
	}
	if len(s.Subcommands) > 0 {
		f.name("subcommands")
		replyDocs(c, s.Subcommands)
	}
}

func docFlags(s *Spec) (mask uint32) {
	if s.Deprecated != "" {
		mask |= 1
	}
	if s.SysCmd {
		mask |= 2
	}
	return mask
}

func replyArgs(c *Call, args []Arg) {
	c.Out.Array(len(args))
	for i := range args {
		replyArg(c, &args[i])
	}
}

func replyArg(c *Call, a *Arg) {
	f := newFields(c)
	defer f.end()
	f.text("name", a.Name)
	f.text("type", argTypeNames[a.Type])
	if a.Type != ArgOneOf && a.Type != ArgBlock {
		f.text("display_text", a.Name)
	}
	if a.Type == ArgKey || a.KeySpec > 0 {
		f.name("key_spec_index")
		c.Out.Int(int64(a.KeySpec))
	}
	f.text("token", a.Token)
	f.text("since", a.Since)
	if a.Optional || a.Multiple || a.MultipleToken {
		f.name("flags")
		replyArgFlags(c, a)
	}
	if len(a.Args) > 0 {
		f.name("arguments")
		replyArgs(c, a.Args)
	}
}

func replyArgFlags(c *Call, a *Arg) {
	var mask uint32
	for i, set := range [...]bool{a.Optional, a.Multiple, a.MultipleToken} {
		if set {
			mask |= 1 << i
		}
	}
	replyNames(c, mask, []string{"optional", "multiple", "multiple_token"}, "")
}

func (t *Table) runGetKeys(c *Call, withFlags bool) {
	args := c.Args[2:]
	s, err := t.Lookup(args)
	switch {
	case s == nil:
		c.Fail(errInvalidCommand)
		return
	case !s.HasKeys():
		c.Fail(errNoKeyArguments)
		return
	case err != nil:
		c.Fail(errInvalidArgCount)
		return
	}
	refs := s.KeyRefs(args)
	if len(refs) == 0 && !s.Has(NoMandatoryKeys) {
		c.Fail(errInvalidArgs)
		return
	}
	c.Out.Array(len(refs))
	for _, r := range refs {
		if withFlags {
			c.Out.Array(2)
			c.Out.Bulk(args[r.Index])
			replyNames(c, uint32(r.Flags), keyFlagNames[:], "")
		} else {
			c.Out.Bulk(args[r.Index])
		}
	}
}

// runList names commands and subcommands, all or those that a filter lets
// through. Servers without modules have no commands of a module.
func (t *Table) runList(c *Call) {
	keep := func(*Spec) bool { return true }
	switch args := c.Args[2:]; {
	case len(args) == 0:
	case len(args) == 3 && equalFold(args[0], "FILTERBY") && equalFold(args[1], "MODULE"):
		keep = func(*Spec) bool { return false }
	case len(args) == 3 && equalFold(args[0], "FILTERBY") && equalFold(args[1], "ACLCAT"):
		category, _ := CategoryByName(string(args[2]))
		keep = func(s *Spec) bool { return s.Categories&category != 0 }
	case len(args) == 3 && equalFold(args[0], "FILTERBY") && equalFold(args[1], "PATTERN"):
		keep = func(s *Spec) bool { return MatchFold(args[2], []byte(s.full)) }
	default:
		c.Fail(ErrSyntax)
		return
	}
	mark, n := c.Out.Mark(), 0
	for _, s := range t.specs {
		if keep(s) {
			c.Out.BulkString(s.full)
			n++
		}
	}
	c.Out.InsertArray(mark, n)
}
