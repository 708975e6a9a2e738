package command

func sortSpecs() []*Spec {
	source := KeyAt(1, 0, 1, KeyRO|KeyAccess)
	patterns := KeySpec{Flags: KeyRO | KeyAccess, Find: KeyFind{How: FindUnknown},
		Notes: "Keys made from the elements by BY and GET are known only while sorting"}
	store := KeySpec{Flags: KeyOW | KeyUpdate, Find: KeyFind{How: FindUnknown},
		Notes: "STORE may be anywhere among the options"}
	args := []Arg{
		Key(), NewArg("pattern", ArgPattern).After("BY").In(1).Opt(),
		Block("offset_count", NewArg("offset", ArgInteger), NewArg("count", ArgInteger)).After("LIMIT").Opt(),
		{Name: "pattern", Type: ArgPattern, Token: "GET", KeySpec: 1, Optional: true, Multiple: true, MultipleToken: true},
		OneOf("order", Token("ASC"), Token("DESC")).Opt(),
		Token("ALPHA").Named("sorting").Opt(),
	}
	const (
		summary    = "Sorts the elements of a list, set or sorted set"
		complexity = "O(N+M*log(M)) for N elements of which M are returned"
		cats       = CatSet | CatSortedSet | CatList | CatDangerous
	)
	return []*Spec{
		{Name: "sort", Arity: -2, Flags: Write | DenyOOM, Categories: cats, Run: runSort, Keys: sortKeys,
			KeySpecs: []KeySpec{source, patterns, store},
			Doc: Doc{Since: "1.0.0", Complexity: complexity, Summary: summary + ", and returns or stores them",
				Args: append(args[:len(args):len(args)], Key().Named("destination").After("STORE").In(2).Opt())}},
		{Name: "sort_ro", Arity: -2, Flags: ReadOnly, Categories: cats, Run: runSort, Keys: sortKeys,
			KeySpecs: []KeySpec{source, patterns},
			Doc:      Doc{Since: "7.0.0", Complexity: complexity, Summary: summary + " and returns them", Args: args}},
	}
}

// sortKeys finds the source and, wherever it is, the destination.
func sortKeys(args [][]byte) []KeyRef {
	refs := []KeyRef{{1, KeyRO | KeyAccess}}
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "LIMIT"):
			i += 2
		case equalFold(args[i], "GET"), equalFold(args[i], "BY"):
			i++
		case equalFold(args[i], "STORE") && i+1 < len(args) && equalFold(args[0], "SORT"):
			i++
			store = i
		}
	}
	if store != 0 {
		refs = append(refs, KeyRef{store, KeyOW | KeyUpdate})
	}
	return refs
}

// parseSort checks the options and finds the destination, if there is one.
func parseSort(c *Call) (store []byte, ok bool) {
	for i := 2; i < len(c.Args); i++ {
		arg, more := c.Args[i], len(c.Args)-1-i
		switch {
		case equalFold(arg, "ASC"), equalFold(arg, "DESC"), equalFold(arg, "ALPHA"):
		case equalFold(arg, "LIMIT") && more >= 2:
			for range 2 {
				i++
				if _, ok := c.intArg(i); !ok {
					return nil, false
				}
			}
		case equalFold(arg, "STORE") && more >= 1 && c.Spec.Has(Write):
			i++
			store = c.Args[i]
		case (equalFold(arg, "BY") || equalFold(arg, "GET")) && more >= 1:
			i++
		default:
			c.Fail(ErrSyntax)
			return nil, false
		}
	}
	return store, true
}

// runSort is SORT and SORT_RO for the values there are: strings can not be
// sorted, and a missing key sorts to nothing.
func runSort(c *Call) {
	dst, ok := parseSort(c)
	if !ok {
		return
	}
	if _, found := c.FindRead(c.Args[1]); found {
		c.Fail(ErrWrongType)
		return
	}
	if dst == nil {
		c.Out.Array(0)
		return
	}
	if c.DB.Delete(dst) {
		c.modified(EventGeneric, "del", dst)
	}
	c.Out.Int(0)
}
