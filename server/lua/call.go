package lua

import (
	"fmt"
	"maps"
	"slices"
)

// Thread is a coroutine, or the main thread: a stack of values and the calls that
// are under way on it.
type Thread struct {
	l     *State
	obj   object
	stack []Value
	top   int // behind the last argument or result
	high  int // behind the last value that may have been used since sweep
	ci    *frame
	depth int // of calls

	// Of a coroutine.
	status  status
	resumer *Thread
	nested  int  // State.nested when it was resumed last
	yielded bool // the native function that has just returned was yield
}

// frame is a call. Frames are linked in both directions and used again.
type frame struct {
	prev, next *frame
	fn         *Function
	at         int // of the function, where its results go
	base       int // of its first register or argument
	pc         int // the next instruction
	want       int // results, -1: all
	extra      int // further arguments, which sit below base
	cells      []*cell
	fresh      bool // execute returns when the call does
}

func (l *State) newThread() *Thread {
	l.serial++
	t := &Thread{l: l, stack: make([]Value, 64)}
	t.obj = object{kind: KindThread, hash: l.serial, co: t}
	t.ci = &frame{}
	return t
}

// State is the machine that the thread belongs to.
func (t *Thread) State() *State { return t.l }

// grow makes room for values up to a stack index.
func (t *Thread) grow(to int) {
	if to > t.high {
		t.high = to
	}
	if to <= len(t.stack) {
		return
	}
	if to > maxStack {
		t.fail("stack overflow")
	}
	size := max(2*len(t.stack), to)
	t.l.charge(size * valueBytes)
	stack := make([]Value, size)
	copy(stack, t.stack)
	t.stack = stack
}

// sweep forgets values that a run has left on the stack, and a stack that has
// become large.
func (t *Thread) sweep() {
	const keep = 1 << 12
	if len(t.stack) > keep && t.top < keep {
		t.stack = append(make([]Value, 0, keep), t.stack[:keep]...)
	}
	high := min(t.high, len(t.stack))
	clear(t.stack[t.top:high])
	t.high = t.top
}

// NArgs is the number of arguments of the native function that runs; it must ask
// before it pushes anything.
func (t *Thread) NArgs() int { return t.top - t.ci.base }

// Arg returns an argument, counted from 1; nil where there is none.
func (t *Thread) Arg(i int) Value {
	if at := t.ci.base + i - 1; at < t.top {
		return t.stack[at]
	}
	return Nil
}

// Push puts a value on the stack: a result, or an argument for Call.
func (t *Thread) Push(v Value) {
	if t.top >= len(t.stack) || t.top >= t.high {
		t.grow(t.top + 1)
	}
	t.stack[t.top] = v
	t.top++
}

// Pop takes the last value from the stack.
func (t *Thread) Pop() Value {
	t.top--
	return t.stack[t.top]
}

// outcome is what precall has done.
type outcome uint8

const (
	entered outcome = iota // a Lua function: a frame was pushed
	done                   // a native function, which has returned
	yielded                // a native function, which has yielded
)

// precall begins the call of what is at a stack index, with arguments behind it.
func (t *Thread) precall(at, nargs, want int) outcome {
	f := t.stack[at].Function()
	if f == nil {
		f = t.callable(at, nargs)
		nargs++
	}
	if t.depth >= maxCalls {
		t.fail("stack overflow")
	}
	ci := t.ci.next
	if ci == nil {
		ci = &frame{prev: t.ci}
		t.ci.next = ci
	}
	ci.fn, ci.at, ci.want, ci.fresh, ci.pc = f, at, want, false, 0
	if f.proto == nil {
		return t.callNative(ci, nargs)
	}
	p := f.proto
	base := at + 1
	if p.vararg {
		base = t.shiftVarargs(ci, at, nargs)
	} else {
		ci.extra = 0
		t.grow(base + p.stack)
		for i := nargs; i < p.params; i++ {
			t.stack[base+i] = Nil
		}
	}
	ci.base = base
	ci.cells = nil
	if p.cells > 0 {
		t.l.charge(p.cells * 8)
		ci.cells = make([]*cell, p.cells)
	}
	t.ci = ci
	t.depth++
	return entered
}

// callable finds the function that is called for a value that is none, and puts it
// in front of the arguments.
func (t *Thread) callable(at, nargs int) *Function {
	v := t.stack[at]
	f := t.metamethod(v, evCall).Function()
	if f == nil {
		t.typeError("call", v, at-t.ci.base)
	}
	t.grow(at + nargs + 2)
	copy(t.stack[at+1:], t.stack[at:at+nargs+1])
	t.stack[at] = f.Value()
	return f
}

func (t *Thread) callNative(ci *frame, nargs int) outcome {
	ci.base, ci.cells, ci.extra = ci.at+1, nil, 0
	t.top = ci.base + nargs
	t.grow(t.top)
	t.ci = ci
	t.depth++
	n := ci.fn.native(t)
	if t.yielded {
		return yielded
	}
	t.leave(ci, t.top-n, n)
	return done
}

// leave ends a call: its results move to where the caller wants them.
func (t *Thread) leave(ci *frame, from, n int) {
	t.ci = ci.prev
	t.depth--
	to := ci.at
	if ci.want < 0 {
		copy(t.stack[to:], t.stack[from:from+n])
		t.top = to + n
		return
	}
	for i := range ci.want {
		if i < n {
			t.stack[to+i] = t.stack[from+i]
		} else {
			if to+i >= len(t.stack) {
				t.grow(to + ci.want)
			}
			t.stack[to+i] = Nil
		}
	}
	t.top = to + ci.want
}

// shiftVarargs moves the fixed parameters behind the arguments, where the registers
// begin, and leaves the further arguments below.
func (t *Thread) shiftVarargs(ci *frame, at, nargs int) int {
	p := ci.fn.proto
	base := at + 1 + nargs
	t.grow(base + p.stack)
	for i := range p.params {
		v := Nil
		if i < nargs {
			v = t.stack[at+1+i]
			t.stack[at+1+i] = Nil
		}
		t.stack[base+i] = v
	}
	ci.extra = max(0, nargs-p.params)
	if p.argTable >= 0 {
		arg := t.l.NewTable(ci.extra, 1)
		copy(arg.arr, t.stack[base-ci.extra:base])
		arg.SetString("n", Number(float64(ci.extra)))
		t.stack[base+p.argTable] = arg.Value()
	} else if p.vararg && p.params < p.stack {
		t.stack[base+p.params] = Nil // arg, when the body uses ... instead
	}
	return base
}

// Call calls the function below the last nargs values on the stack. Its results
// take their place: want of them, or all when want is -1.
func (t *Thread) Call(nargs, want int) {
	t.l.nested++
	if t.l.nested >= maxNested {
		t.nestedTooDeep()
	}
	if t.precall(t.top-nargs-1, nargs, want) == entered {
		t.ci.fresh = true
		t.execute()
	}
	t.l.nested--
}

func (t *Thread) nestedTooDeep() {
	if t.l.nested < maxNested+maxNested/8 {
		t.fail("C stack overflow")
	}
	panic(&Error{Value: String("error in error handling")})
}

// callValue calls a function with arguments and returns its first result.
func (t *Thread) callValue(f Value, args ...Value) Value {
	t.Push(f)
	for _, a := range args {
		t.Push(a)
	}
	t.Call(len(args), 1)
	return t.Pop()
}

// protect is Call that catches errors. After one the stack is as it was before the
// function was pushed.
func (t *Thread) protect(nargs, want int, handler func(*Thread, *Error) *Error) (err *Error) {
	ci, depth, nested, at := t.ci, t.depth, t.l.nested, t.top-nargs-1
	running := t.l.running
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		e, ok := r.(*Error)
		if !ok {
			panic(r)
		}
		err = e
		if handler != nil {
			err = t.handle(e, handler)
		}
		t.ci, t.depth, t.l.nested, t.top = ci, depth, nested, at
		t.l.running = running
		if err.Fatal && nested > 0 {
			panic(err)
		}
	}()
	t.Call(nargs, want)
	return nil
}

// handle runs an error handler on top of the frames that the error has left. A
// handler that fails leaves Lua's last words.
func (t *Thread) handle(e *Error, handler func(*Thread, *Error) *Error) (out *Error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			out = failed
			if !failed.Fatal {
				out = &Error{Value: String("error in error handling")}
			}
		}
	}()
	if t.ci.fn != nil && t.ci.fn.proto != nil {
		t.top = t.ci.base + t.ci.fn.proto.stack
	}
	t.depth = min(t.depth, maxCalls-maxNested) // after a stack overflow it still has some room
	return handler(t, e)
}

// Throw raises a value as an error.
func (t *Thread) Throw(v Value) { panic(&Error{Value: v}) }

// Errorf raises a text as an error, with the position of the code that runs or, in a
// native function, of its caller.
func (t *Thread) Errorf(format string, args ...any) {
	level := 0
	if t.ci.fn != nil && t.ci.fn.proto == nil {
		level = 1
	}
	t.Throw(String(t.Where(level) + fmt.Sprintf(format, args...)))
}

// fail is Errorf for what the machine itself complains about: it gives a position
// only when Lua code runs, and not that of a native function's caller.
func (t *Thread) fail(format string, args ...any) {
	where := ""
	if t.ci.fn != nil {
		where = t.Where(0)
	}
	t.Throw(String(where + fmt.Sprintf(format, args...)))
}

// Where is the position of the call at a level, as in "name:3: ": 0 is the function
// that runs, 1 its caller. It is "" where there is no Lua code.
func (t *Thread) Where(level int) string {
	if source, line, ok := t.Position(level); ok {
		return fmt.Sprintf("%s:%d: ", chunkName(source), line)
	}
	return ""
}

// Position is Where in parts. ok is false where there is no Lua code.
func (t *Thread) Position(level int) (source string, line int, ok bool) {
	ci := t.frameAt(level)
	if ci == nil || ci.fn.proto == nil {
		return "", 0, false
	}
	return ci.fn.proto.source, ci.line(), true
}

// Native says whether the function at a level is native; false as well when there is
// none.
func (t *Thread) Native(level int) bool {
	ci := t.frameAt(level)
	return ci != nil && ci.fn.proto == nil
}

func (t *Thread) frameAt(level int) *frame {
	ci := t.ci
	for ; level > 0 && ci.fn != nil; level-- {
		ci = ci.prev
	}
	if ci == nil || ci.fn == nil {
		return nil
	}
	return ci
}

func (ci *frame) line() int { return int(ci.fn.proto.lines[max(0, ci.pc-1)]) }

// ArgError complains about an argument of the native function that runs.
func (t *Thread) ArgError(i int, message string) {
	name, kind := t.callName()
	if kind == "method" {
		i--
		if i == 0 {
			t.Errorf("calling '%s' on bad self (%s)", name, message)
		}
	}
	if name == "" {
		name = "?"
	}
	t.Errorf("bad argument #%d to '%s' (%s)", i, name, message)
}

// TypeError complains about the type of an argument.
func (t *Thread) TypeError(i int, expected string) {
	got := "no value"
	if t.ci.base+i-1 < t.top {
		got = t.Arg(i).Kind().String()
	}
	t.ArgError(i, expected+" expected, got "+got)
}

// CheckString returns an argument that must be a string or number.
func (t *Thread) CheckString(i int) string {
	s, ok := t.Arg(i).Text()
	if !ok {
		t.TypeError(i, "string")
	}
	return s
}

// CheckNumber returns an argument that must be a number or spell one.
func (t *Thread) CheckNumber(i int) float64 {
	n, ok := t.Arg(i).ToNumber()
	if !ok {
		t.TypeError(i, "number")
	}
	return n
}

// CheckInt is CheckNumber for an integer; a fraction is cut off.
func (t *Thread) CheckInt(i int) int { return int(t.CheckNumber(i)) }

// OptInt is CheckInt with a value for an argument that is missing or nil.
func (t *Thread) OptInt(i, otherwise int) int {
	if t.Arg(i).IsNil() {
		return otherwise
	}
	return t.CheckInt(i)
}

// CheckTable returns an argument that must be a table.
func (t *Thread) CheckTable(i int) *Table {
	v := t.Arg(i).Table()
	if v == nil {
		t.TypeError(i, "table")
	}
	return v
}

// CheckFunction returns an argument that must be a function.
func (t *Thread) CheckFunction(i int) Value {
	v := t.Arg(i)
	if v.Kind() != KindFunction {
		t.TypeError(i, "function")
	}
	return v
}

// CheckAny demands that there is an argument.
func (t *Thread) CheckAny(i int) Value {
	if t.ci.base+i-1 >= t.top {
		t.ArgError(i, "value expected")
	}
	return t.Arg(i)
}

// CheckWritable demands that a table is not read-only.
func (t *Thread) CheckWritable(table *Table) {
	if table.readonly {
		t.fail("%s", errReadonly)
	}
}

// Charge counts memory that a native function is about to take, in bytes.
func (t *Thread) Charge(n int) { t.l.charge(n) }

// PushString pushes a string and counts its memory.
func (t *Thread) PushString(s string) {
	t.l.charge(stringBytes + len(s))
	t.Push(String(s))
}

func sortedNames(fns map[string]Native) []string { return slices.Sorted(maps.Keys(fns)) }
