package lua

import "math"

// rk is an operand that is a register or a constant.
func rk(regs, k []Value, x int) Value {
	if x >= constant {
		return k[x-constant]
	}
	return regs[x]
}

// slowly prepares for what may call: the frame knows where it is, and pushes go
// behind its registers.
func (t *Thread) slowly(ci *frame, pc int) {
	ci.pc = pc
	t.top = ci.base + ci.fn.proto.stack
	if t.top > t.high {
		t.high = t.top
	}
}

// execute runs the Lua function on top until its frame, which is marked fresh, has
// returned. It reports whether the thread has yielded instead.
//
// It is one function, and longer than others, because the state of a running
// function has to stay in registers of the processor.
func (t *Thread) execute() (yield bool) { //nolint:gocyclo // an instruction loop
	l := t.l
enter:
	ci := t.ci
	p := ci.fn.proto
	code, k := p.code, p.k
	base, pc := ci.base, ci.pc
	regs := t.stack[base : base+p.stack]
	for {
		i := &code[pc]
		pc++
		switch i.op {
		case opMove:
			regs[i.a] = regs[i.b]
		case opLoadK:
			regs[i.a] = k[i.c]
		case opLoadNil:
			clear(regs[i.a : int(i.b)+1])
		case opLoadBool:
			regs[i.a] = Bool(i.b != 0)
		case opNewCell:
			ci.cells[i.c] = &cell{regs[i.a]}
		case opGetCell:
			regs[i.a] = ci.cells[i.c].v
		case opSetCell:
			ci.cells[i.c].v = rk(regs, k, int(i.b))
		case opGetUp:
			regs[i.a] = ci.fn.up[i.c].v
		case opSetUp:
			ci.fn.up[i.c].v = rk(regs, k, int(i.b))

		case opGetGlobal:
			v := ci.fn.env.getString(k[i.c].o)
			if v.o == nil && ci.fn.env.meta != nil {
				t.slowly(ci, pc)
				v = t.index(ci.fn.env.Value(), k[i.c], -1)
				regs = t.stack[base : base+p.stack]
			}
			regs[i.a] = v
		case opSetGlobal:
			t.slowly(ci, pc)
			t.setIndex(ci.fn.env.Value(), k[i.c], rk(regs, k, int(i.b)), -1)
			regs = t.stack[base : base+p.stack]
		case opGetField:
			of := regs[i.b]
			var v Value
			if table := of.Table(); table != nil {
				v = table.getString(k[i.c].o)
				if v.o != nil || table.meta == nil {
					regs[i.a] = v
					continue
				}
			}
			t.slowly(ci, pc)
			v = t.index(of, k[i.c], int(i.b))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opGetIndex:
			of, key := regs[i.b], rk(regs, k, int(i.c))
			if table := of.Table(); table != nil {
				v := table.Get(key)
				if v.o != nil || table.meta == nil {
					regs[i.a] = v
					continue
				}
			}
			t.slowly(ci, pc)
			v := t.index(of, key, int(i.b))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opSetIndex:
			of, key, v := regs[i.a], rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if table := of.Table(); table != nil && table.meta == nil && !table.readonly {
				if at := int(key.n); key.o == &numberTag && uint(at-1) < uint(len(table.arr)) && float64(at) == key.n {
					table.arr[at-1] = v
					continue
				}
			}
			t.slowly(ci, pc)
			t.setIndex(of, key, v, int(i.a))
			regs = t.stack[base : base+p.stack]
		case opNewTable:
			regs[i.a] = l.NewTable(int(i.b), int(i.c)).Value()
		case opSelf:
			of := regs[i.b]
			t.slowly(ci, pc)
			v := t.index(of, rk(regs, k, int(i.c)), int(i.b))
			regs = t.stack[base : base+p.stack]
			regs[int(i.a)+1] = of
			regs[i.a] = v

		case opAdd:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, a.n + b.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opSub:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, a.n - b.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opMul:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, a.n * b.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opDiv:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, a.n / b.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opMod:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, a.n - math.Floor(a.n/b.n)*b.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opPow:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			if a.o == &numberTag && b.o == &numberTag {
				regs[i.a] = Value{&numberTag, math.Pow(a.n, b.n)}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(i.op, a, b, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opUnm:
			a := rk(regs, k, int(i.b))
			if a.o == &numberTag {
				regs[i.a] = Value{&numberTag, -a.n}
				continue
			}
			t.slowly(ci, pc)
			v := t.arith(opUnm, a, a, int(i.b), int(i.b))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opNot:
			regs[i.a] = Bool(!rk(regs, k, int(i.b)).Truth())
		case opLen:
			t.slowly(ci, pc)
			v := t.length(rk(regs, k, int(i.b)), int(i.b))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v
		case opConcat:
			t.slowly(ci, pc)
			v := t.concat(base, int(i.b), int(i.c))
			regs = t.stack[base : base+p.stack]
			regs[i.a] = v

		case opJump:
			pc += int(i.c)
		case opLoop:
			if l.fuel--; l.fuel <= 0 {
				t.slowly(ci, pc) // where the loop is, before it begins anew
				t.interrupt()
			}
			pc += int(i.c)
		case opEq:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			equal := Equal(a, b)
			if !equal && a.o != nil && b.o != nil && a.o.kind >= KindTable {
				t.slowly(ci, pc)
				equal = t.equals(a, b)
				regs = t.stack[base : base+p.stack]
			}
			if equal == (i.a != 0) {
				pc += int(code[pc].c)
			}
			pc++
		case opLt, opLe:
			a, b := rk(regs, k, int(i.b)), rk(regs, k, int(i.c))
			var holds bool
			switch {
			case a.o != &numberTag || b.o != &numberTag:
				t.slowly(ci, pc)
				if i.op == opLt {
					holds = t.less(a, b)
				} else {
					holds = t.lessEqual(a, b)
				}
				regs = t.stack[base : base+p.stack]
			case i.op == opLt:
				holds = a.n < b.n
			default:
				holds = a.n <= b.n
			}
			if holds == (i.a != 0) {
				pc += int(code[pc].c)
			}
			pc++
		case opTest:
			if regs[i.b].Truth() == (i.a != 0) {
				pc += int(code[pc].c)
			}
			pc++

		case opCall:
			at := base + int(i.a)
			nargs := int(i.b) - 1
			if nargs < 0 {
				nargs = t.top - at - 1
			}
			ci.pc = pc
			if l.fuel--; l.fuel <= 0 {
				top := t.top
				t.slowly(ci, pc)
				t.interrupt()
				t.top = top
			}
			switch t.precall(at, nargs, int(i.c)-1) {
			case entered:
				goto enter
			case yielded:
				return true
			}
			regs = t.stack[base : base+p.stack]
		case opTail:
			at := base + int(i.a)
			nargs := int(i.b) - 1
			if nargs < 0 {
				nargs = t.top - at - 1
			}
			ci.pc = pc
			if l.fuel--; l.fuel <= 0 {
				top := t.top
				t.slowly(ci, pc)
				t.interrupt()
				t.top = top
			}
			if f := t.stack[at].Function(); f != nil && f.proto != nil {
				t.replaceFrame(ci, at, nargs)
				goto enter
			}
			switch t.precall(at, nargs, -1) {
			case entered: // through __call
				goto enter
			case yielded:
				return true
			}
			regs = t.stack[base : base+p.stack] // the return that follows does the rest
		case opReturn:
			from := base + int(i.a)
			n := int(i.b) - 1
			if n < 0 {
				n = t.top - from
			}
			fresh := ci.fresh
			t.leave(ci, from, n)
			if fresh {
				return false
			}
			goto enter

		case opForPrep:
			t.slowly(ci, pc)
			t.prepareLoop(regs[i.a : int(i.a)+3])
			pc += int(i.c)
		case opForLoop:
			r := regs[i.a : int(i.a)+4]
			n, limit, step := r[0].n+r[2].n, r[1].n, r[2].n
			if step > 0 && n <= limit || step <= 0 && limit <= n {
				r[0].n = n
				r[3] = Value{&numberTag, n}
				pc += int(i.c)
				if l.fuel--; l.fuel <= 0 {
					t.slowly(ci, pc)
					t.interrupt()
				}
			}
		case opTForCall:
			a := int(i.a)
			if i.c <= 2 && l.stepOverTable(regs[a:a+5]) {
				continue
			}
			copy(regs[a+3:a+6], regs[a:a+3])
			ci.pc = pc
			switch t.precall(base+a+3, 2, int(i.c)) {
			case entered:
				goto enter
			case yielded:
				return true
			}
			regs = t.stack[base : base+p.stack]
		case opTForLoop:
			if v := regs[int(i.a)+3]; v.o != nil {
				regs[int(i.a)+2] = v
				pc += int(i.c)
				if l.fuel--; l.fuel <= 0 {
					t.slowly(ci, pc)
					t.interrupt()
				}
			}
		case opSetList:
			a, n := base+int(i.a), int(i.b)
			if n == 0 {
				n = t.top - a - 1
			}
			regs[i.a].o.t.setList(int(i.c), t.stack[a+1:a+1+n])
		case opClosure:
			regs[i.a] = t.newClosure(ci, p.protos[i.c]).Value()
		case opVararg:
			a, n := int(i.a), int(i.b)-1
			if n < 0 {
				n = ci.extra
				t.grow(base + a + n)
				t.top = base + a + n
				regs = t.stack[base : base+p.stack]
			}
			to := t.stack[base+a : base+a+n]
			clear(to[copy(to, t.stack[base-ci.extra:base]):])
		}
	}
}

// stepOverTable does what a call of the iterator of ipairs or pairs would, and tells
// whether the loop has one of these. r is the iterator, the table, where it is, and
// where the next key and value go.
func (l *State) stepOverTable(r []Value) bool {
	table, f := r[1].Table(), r[0].Function()
	switch {
	case table == nil:
	case f == l.ipairsStep && r[2].o == &numberTag:
		i := int(r[2].n) + 1
		v := table.GetInt(i)
		if v.o == nil {
			r[3] = Nil
			return true
		}
		r[3], r[4] = Number(float64(i)), v
		return true
	case f == l.pairsStep && f != nil:
		k, v, ok := table.Next(r[2])
		if !ok {
			return false // the call says what is wrong
		}
		r[3], r[4] = k, v
		return true
	}
	return false
}

// replaceFrame makes the frame that of a function called in its last statement.
func (t *Thread) replaceFrame(ci *frame, at, nargs int) {
	copy(t.stack[ci.at:], t.stack[at:at+nargs+1])
	want, fresh, to := ci.want, ci.fresh, ci.at
	t.ci = ci.prev
	t.depth--
	t.precall(to, nargs, want)
	t.ci.fresh = fresh
}

// prepareLoop checks what a numeric loop counts with: from, limit, step.
func (t *Thread) prepareLoop(r []Value) {
	for i, what := range [...]string{"initial value", "limit", "step"} {
		n, ok := r[i].ToNumber()
		if !ok {
			t.fail("'for' %s must be a number", what)
		}
		r[i] = Number(n)
	}
	r[0].n -= r[2].n
}

func (t *Thread) newClosure(ci *frame, p *proto) *Function {
	t.l.charge(120 + 8*len(p.ups))
	f := t.l.closure(p, ci.fn.env)
	if len(p.ups) > 0 {
		f.up = make([]*cell, len(p.ups))
		for i := range p.ups {
			if v := p.ups[i].local; v != nil {
				f.up[i] = ci.cells[v.cell]
			} else {
				f.up[i] = ci.fn.up[p.ups[i].index]
			}
		}
	}
	return f
}

// setList sets elements from done+1 on.
func (t *Table) setList(done int, values []Value) {
	if need := done + len(values); need > len(t.arr) {
		t.resize(need, t.hashed())
	}
	copy(t.arr[done:], values)
}

// hashed is the room that the hash must keep when the array is resized.
func (t *Table) hashed() int {
	if len(t.nodes) == 0 {
		return 0
	}
	return min(len(t.nodes), math.MaxInt32)
}
