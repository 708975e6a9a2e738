package lua

// status is what a coroutine is doing.
type status uint8

const (
	suspended status = iota
	active           // runs, or waits for one that it has resumed
	dead
)

func openCoroutine(l *State) {
	l.library("coroutine", map[string]Native{
		"create": coCreate, "resume": coResume, "running": coRunning, "status": coStatus, "wrap": coWrap, "yield": coYield,
	})
}

func (t *Thread) value() Value { return Value{o: &t.obj} }

func newCoroutine(t *Thread) *Thread {
	f := t.CheckFunction(1)
	if f.Function().proto == nil {
		t.ArgError(1, "Lua function expected")
	}
	t.l.charge(1500)
	co := t.l.newThread()
	co.Push(f)
	return co
}

func coCreate(t *Thread) int {
	t.Push(newCoroutine(t).value())
	return 1
}

func checkThread(t *Thread) *Thread {
	v := t.Arg(1)
	if v.Kind() != KindThread {
		t.ArgError(1, "coroutine expected")
	}
	return v.o.co
}

// resume runs a coroutine with the last n values of t's stack, until it yields or
// ends. What it hands over is on top of its own stack, and its number is returned.
func (t *Thread) resume(co *Thread, n int) (results int, err *Error) {
	if co.status != suspended {
		return 0, &Error{Value: String("cannot resume " + co.statusName() + " coroutine")}
	}
	if t.l.nested >= maxNested-1 {
		t.fail("C stack overflow")
	}
	for _, v := range t.stack[t.top-n : t.top] {
		co.Push(v)
	}
	t.top -= n
	nested := t.l.nested
	t.l.nested++
	co.nested, co.resumer, co.status = t.l.nested, t, active
	t.l.running = co
	defer func() {
		t.l.running, t.l.nested = t, nested
		co.resumer = nil
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok || e.Fatal {
				panic(r)
			}
			co.status = dead
			results, err = 0, e
		}
	}()
	return co.proceed(n), nil
}

// proceed enters the function of a coroutine, or goes on behind its yield, with n
// values on its stack.
func (t *Thread) proceed(n int) int {
	if t.yielded {
		t.yielded = false
		t.leave(t.ci, t.top-n, n)
	} else {
		at := t.top - n - 1
		t.precall(at, n, -1) // a Lua function: newCoroutine has seen to it
		t.ci.fresh = true
	}
	if t.execute() {
		t.status = suspended
		return t.top - t.ci.base
	}
	t.status = dead
	return t.top
}

// handOver moves n values from a coroutine's stack.
func (t *Thread) handOver(co *Thread, n int) {
	for _, v := range co.stack[co.top-n : co.top] {
		t.Push(v)
	}
	co.top -= n
}

func coResume(t *Thread) int {
	co := checkThread(t)
	n, err := t.resume(co, t.NArgs()-1)
	if err != nil {
		t.Push(Bool(false))
		t.Push(err.Value)
		return 2
	}
	t.Push(Bool(true))
	t.handOver(co, n)
	return n + 1
}

func coWrap(t *Thread) int {
	co := newCoroutine(t)
	t.Push(t.l.NewNative("wrap", func(t *Thread) int {
		n, err := t.resume(co, t.NArgs())
		if err != nil {
			if v := err.Value; v.IsString() {
				err = &Error{Value: String(t.Where(1) + v.Str())}
			}
			panic(err)
		}
		t.handOver(co, n)
		return n
	}).Value())
	return 1
}

func coYield(t *Thread) int {
	if t.l.nested > t.nested || t == t.l.main {
		t.fail("attempt to yield across metamethod/C-call boundary")
	}
	t.yielded = true
	return t.NArgs()
}

func coRunning(t *Thread) int {
	if t == t.l.main {
		t.Push(Nil)
	} else {
		t.Push(t.value())
	}
	return 1
}

func coStatus(t *Thread) int {
	t.Push(String(checkThread(t).statusName()))
	return 1
}

func (t *Thread) statusName() string {
	switch {
	case t == t.l.running:
		return "running"
	case t.status == dead:
		return "dead"
	case t.status == active:
		return "normal"
	}
	return "suspended"
}
