package lua

import (
	"fmt"
	"runtime"
	"runtime/metrics"
)

// Limits of execution. Those on calls are 5.1's.
const (
	maxCalls   = 16384   // Lua calls within each other
	maxNested  = 200     // calls from native functions into Lua within each other
	maxStack   = 1 << 20 // values
	maxNatives = 8000    // values that one native function may push
)

// fuelPerInterrupt is how many loop turns and calls pass between two calls of
// Interrupt: some hundred microseconds.
const fuelPerInterrupt = 10000

// State is one virtual machine: global variables and everything reachable from
// there. It is not safe for use by two goroutines at a time.
type State struct {
	Globals *Table
	// Interrupt is called every now and then while code runs. When it returns an
	// error, that ends the run, past all pcalls. nil: nothing is called.
	Interrupt func() *Error
	// Limit is what a run may occupy, in bytes; 0: unlimited. It is not exact.
	Limit int64

	strings    map[string]Value // constants of the chunk being compiled
	ipairsStep *Function        // what ipairs returns
	pairsStep  *Function        // what pairs returns
	stringMeta *Table
	serial     uint32
	fuel       int
	nested     int
	main       *Thread
	running    *Thread
	mem        memory
}

// memory estimates what a run occupies: what it has allocated is counted, and what
// of that still lives is looked at now and then.
type memory struct {
	allocated int64 // by the run so far
	checkAt   int64
	others    int64 // on the heap that is not the run's, as far as known
	known     bool
	bounded   bool // a run is under way: then Limit holds
}

// memoryCheckEvery is how many bytes are allocated between two looks at the heap,
// each of which costs a collection.
const memoryCheckEvery = 128 << 20

// NewState makes a machine with an empty table of globals.
func NewState() *State {
	l := &State{fuel: fuelPerInterrupt, strings: map[string]Value{}}
	l.mem.checkAt = memoryCheckEvery
	l.Globals = l.NewTable(0, 0)
	l.main = l.newThread()
	l.running = l.main
	return l
}

// Main is the thread on which Run and Call execute.
func (l *State) Main() *Thread { return l.main }

// intern makes equal constants of a chunk one object.
func (l *State) intern(s string) Value {
	v, ok := l.strings[s]
	if !ok {
		v = String(s)
		v.o.stringHash()
		l.strings[s] = v
	}
	return v
}

// Load compiles a chunk. Its source is "@name" to be called name in messages. The
// error is a *SyntaxError.
func (l *State) Load(source, code string) (f *Function, err error) {
	defer clear(l.strings)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *SyntaxError:
			err = r
		default:
			panic(r)
		}
	}()
	p := compile(l, parse(source, code), source)
	l.charge(p.bytes())
	return l.closure(p, l.Globals), nil
}

// Bytes is about what the code of a function occupies.
func (f *Function) Bytes() int {
	if f.proto == nil {
		return 0
	}
	return f.proto.bytes()
}

func (l *State) closure(p *proto, env *Table) *Function {
	l.serial++
	f := &Function{proto: p, env: env}
	f.obj = object{kind: KindFunction, hash: l.serial}
	f.obj.f = f
	return f
}

// NewNative makes a function of Go code. The name is for messages.
func (l *State) NewNative(name string, fn Native) *Function {
	l.serial++
	f := &Function{native: fn, name: name, env: l.Globals}
	f.obj = object{kind: KindFunction, hash: l.serial}
	f.obj.f = f
	return f
}

// Register puts native functions into a table.
func (l *State) Register(t *Table, fns map[string]Native) {
	for _, name := range sortedNames(fns) {
		t.SetString(name, l.NewNative(name, fns[name]).Value())
	}
}

// Error is what ended a run, or is caught by pcall.
type Error struct {
	Value Value
	Fatal bool // pcall does not catch it
}

func (e *Error) Error() string {
	if s, ok := e.Value.Text(); ok {
		return s
	}
	return fmt.Sprintf("(error object is a %s value)", e.Value.Kind())
}

// Call runs a function with arguments and returns its first result. handler, when
// it is not nil, sees the error while the frames in which it happened are still
// there, and returns the error to report.
func (l *State) Call(f *Function, handler func(t *Thread, e *Error) *Error, args ...Value) (Value, *Error) {
	t := l.main
	l.beginRun()
	l.fuel = fuelPerInterrupt
	at := t.top
	t.Push(f.Value())
	for _, a := range args {
		t.Push(a)
	}
	err := t.protect(len(args), 1, handler)
	l.mem.bounded = false
	var result Value
	if err == nil {
		result = t.stack[at]
	}
	t.top = at
	t.sweep()
	return result, err
}

func (l *State) beginRun() {
	m := &l.mem
	m.allocated, m.checkAt, m.known, m.bounded = 0, min(memoryCheckEvery, l.Limit/2), false, true
}

// ErrMemory has the text of Lua's own.
const ErrMemory = "not enough memory"

// charge counts an allocation that is about to be made, in bytes.
func (l *State) charge(n int) {
	m := &l.mem
	m.allocated += int64(n)
	if m.allocated >= m.checkAt && m.bounded && l.Limit > 0 {
		l.checkMemory(int64(n))
	}
}

func (l *State) checkMemory(coming int64) {
	m := &l.mem
	if coming > l.Limit {
		m.allocated -= coming
		panic(&Error{Value: String(ErrMemory)})
	}
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	live := int64(sample[0].Value.Uint64()) + coming
	if !m.known {
		m.others, m.known = max(0, live-m.allocated), true
	}
	m.checkAt = m.allocated + min(memoryCheckEvery, l.Limit/2)
	if live-m.others > l.Limit {
		m.checkAt = m.allocated // the next allocation is looked at as well
		panic(&Error{Value: String(ErrMemory)})
	}
}

// interrupt gives whoever runs the script a chance to end it.
func (t *Thread) interrupt() {
	l := t.l
	l.fuel = fuelPerInterrupt
	if l.Interrupt == nil {
		return
	}
	if err := l.Interrupt(); err != nil {
		err.Fatal = true
		panic(err)
	}
}

// Spend counts work of a native function, in units of a loop turn, so that it can
// be interrupted as well.
func (t *Thread) Spend(n int) {
	if t.l.fuel -= n; t.l.fuel <= 0 {
		t.interrupt()
	}
}

// NewUserdata makes a value of which a script knows only whether it is the same.
func (l *State) NewUserdata() Value {
	l.serial++
	return Value{o: &object{kind: KindUserdata, hash: l.serial}}
}

// Same says whether two values are the same object, number or boolean.
func (v Value) Same(other Value) bool { return v == other }
