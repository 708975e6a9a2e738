package command

// Arg describes an argument for COMMAND DOCS, from which redis-cli and others
// make hints and completion.
type Arg struct {
	Name     string
	Type     ArgType
	Token    string // the word that introduces it
	KeySpec  int    // for ArgKey, and patterns that make keys: which of the command's key specs finds it
	Since    string
	Optional bool
	Multiple bool // may be repeated
	// MultipleToken: Token is repeated with it
	MultipleToken bool
	Args          []Arg // of a block or a choice
}

// ArgType is the type of an argument.
type ArgType uint8

// The types under the names that COMMAND DOCS gives them.
const (
	ArgString ArgType = iota
	ArgInteger
	ArgDouble
	ArgKey
	ArgPattern
	ArgUnixTime
	ArgToken
	ArgOneOf
	ArgBlock
)

var argTypeNames = [...]string{
	"string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block",
}

// Key returns a key argument found by the first key spec.
func Key() Arg { return Arg{Name: "key", Type: ArgKey} }

// NewArg returns a mandatory argument.
func NewArg(name string, t ArgType) Arg { return Arg{Name: name, Type: t} }

// Token returns an argument that is a word of its own.
func Token(word string) Arg { return Arg{Name: lower(word), Type: ArgToken, Token: word} }

// OneOf returns a choice.
func OneOf(name string, choices ...Arg) Arg {
	return Arg{Name: name, Type: ArgOneOf, Args: choices}
}

// Block returns arguments that come together.
func Block(name string, args ...Arg) Arg {
	return Arg{Name: name, Type: ArgBlock, Args: args}
}

// Opt makes the argument optional.
func (a Arg) Opt() Arg { a.Optional = true; return a }

// Many lets the argument be repeated.
func (a Arg) Many() Arg { a.Multiple = true; return a }

// After puts a token in front of the argument.
func (a Arg) After(token string) Arg { a.Token = token; return a }

// From says which version brought the argument.
func (a Arg) From(version string) Arg { a.Since = version; return a }

// In says which key spec finds the argument.
func (a Arg) In(keySpec int) Arg { a.KeySpec = keySpec; return a }

// Named gives the argument another name.
func (a Arg) Named(name string) Arg { a.Name = name; return a }
