package lua

// Kind is the type of a Value.
type Kind uint8

// The types that a script can tell apart.
const (
	KindNil Kind = iota
	KindBool
	KindNumber
	KindString
	KindTable
	KindFunction
	KindUserdata
	KindThread
)

var kindNames = [...]string{"nil", "boolean", "number", "string", "table", "function", "userdata", "thread"}

// String is the name that type() returns.
func (k Kind) String() string { return kindNames[k] }

// Value is any Lua value; the zero Value is nil. Two words without an allocation
// for numbers and booleans: the object says which type it is, and the number sits
// beside it.
type Value struct {
	o *object
	n float64
}

// object is what a Value that is neither nil nor a number refers to. One struct for
// all types, so that the type can be read without a type assertion.
type object struct {
	kind Kind
	hash uint32 // of a string: 0 until it is needed; of others: a number of their own
	s    string
	t    *Table // of a table, itself; of userdata, its metatable
	f    *Function
	co   *Thread
}

// What all numbers and booleans share.
var (
	numberTag = object{kind: KindNumber}
	falseTag  = object{kind: KindBool, hash: 0}
	trueTag   = object{kind: KindBool, hash: 1}
)

// Nil is the value nil.
var Nil = Value{}

// Number makes a number.
func Number(n float64) Value { return Value{&numberTag, n} }

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return Value{o: &trueTag}
	}
	return Value{o: &falseTag}
}

// String makes a string of any bytes.
func String(s string) Value { return Value{o: &object{kind: KindString, s: s}} }

// Kind returns the type of the value.
func (v Value) Kind() Kind {
	if v.o == nil {
		return KindNil
	}
	return v.o.kind
}

// IsNil says whether the value is nil.
func (v Value) IsNil() bool { return v.o == nil }

// Truth says whether a condition holds with this value: all but nil and false.
func (v Value) Truth() bool { return v.o != nil && v.o != &falseTag }

// IsNumber says whether the value is a number, not one spelled as a string.
func (v Value) IsNumber() bool { return v.o == &numberTag }

// IsString says whether the value is a string.
func (v Value) IsString() bool { return v.o != nil && v.o.kind == KindString }

// Float is the number of a number, and unspecified for everything else.
func (v Value) Float() float64 { return v.n }

// Str is the text of a string, and "" for everything else.
func (v Value) Str() string {
	if v.o == nil {
		return ""
	}
	return v.o.s
}

// Table returns the table, or nil when the value is none.
func (v Value) Table() *Table {
	if v.o == nil || v.o.kind != KindTable {
		return nil
	}
	return v.o.t
}

// Function returns the function, or nil when the value is none.
func (v Value) Function() *Function {
	if v.o == nil || v.o.kind != KindFunction {
		return nil
	}
	return v.o.f
}

// Text returns strings, and numbers as they are spelled; ok is false for
// everything else.
func (v Value) Text() (s string, ok bool) {
	switch v.Kind() {
	case KindString:
		return v.o.s, true
	case KindNumber:
		return FormatNumber(v.n), true
	}
	return "", false
}

// ToNumber returns numbers, and strings that spell one.
func (v Value) ToNumber() (n float64, ok bool) {
	switch v.Kind() {
	case KindNumber:
		return v.n, true
	case KindString:
		return ParseNumber(v.o.s)
	}
	return 0, false
}

// Equal compares without metamethods.
func Equal(a, b Value) bool {
	if a.o == b.o {
		return a.o != &numberTag || a.n == b.n
	}
	return a.o != nil && b.o != nil && a.o.kind == KindString && b.o.kind == KindString && a.o.s == b.o.s
}

// stringHash is the hash by which strings find their place in a table. The order
// of pairs follows from it, so it has to be this one: up to 32 bytes, taken from
// the end in even steps.
func (o *object) stringHash() uint32 {
	if o.hash == 0 {
		h := uint32(len(o.s))
		step := len(o.s)>>5 + 1
		for i := len(o.s); i >= step; i -= step {
			h ^= h<<5 + h>>2 + uint32(o.s[i-1])
		}
		o.hash = h
	}
	return o.hash
}

// Native is a function written in Go. It finds its arguments with Thread.Arg,
// pushes its results, and returns how many of those on top are its results.
type Native func(t *Thread) int

// Function is a Lua or native function.
type Function struct {
	obj    object
	proto  *proto // nil: native
	up     []*cell
	env    *Table
	native Native
	name   string // of a native, for error texts when its caller's code gives none
}

// cell holds a local variable that a closure refers to.
type cell struct{ v Value }

// Value returns the function as a value.
func (f *Function) Value() Value { return Value{o: &f.obj} }

// SetEnv changes the table in which the function finds its global variables. It
// must not be called while the function runs on another goroutine.
func (f *Function) SetEnv(t *Table) { f.env = t }
