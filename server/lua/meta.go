package lua

import (
	"math"
	"strings"
)

// event is something that a metatable can redefine.
type event uint8

const (
	evIndex event = iota
	evNewIndex
	evEq
	evLen
	evCall
	evUnm
	evLt
	evLe
	evConcat // those above are remembered when absent
	evAdd
	evSub
	evMul
	evDiv
	evMod
	evPow
	evToString
	evMetatable
)

// eventNames are prepared once: they are read by all machines.
var eventNames = func() []*object {
	var all []*object
	for _, name := range []string{"__index", "__newindex", "__eq", "__len", "__call", "__unm", "__lt", "__le",
		"__concat", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__tostring", "__metatable"} {
		o := &object{kind: KindString, s: name}
		o.stringHash()
		all = append(all, o)
	}
	return all
}()

const errReadonly = "Attempt to modify a readonly table"

// event returns the metamethod that a metatable has; nil for no metatable.
func (t *Table) event(e event) Value {
	if t == nil || e < evConcat && t.absent&(1<<e) != 0 {
		return Nil
	}
	v := t.getString(eventNames[e])
	if v.o == nil && e < evConcat {
		t.absent |= 1 << e
	}
	return v
}

// metatable returns the metatable of any value, or nil.
func (l *State) metatable(v Value) *Table {
	switch v.Kind() {
	case KindTable:
		return v.o.t.meta
	case KindUserdata:
		return v.o.t
	case KindString:
		return l.stringMeta
	}
	return nil
}

func (t *Thread) metamethod(v Value, e event) Value { return t.l.metatable(v).event(e) }

// maxMetaChain bounds __index and __newindex leading to each other.
const maxMetaChain = 100

// index is v[key] with metamethods. reg is the register in which v is, for the
// message; -1: in none.
func (t *Thread) index(v, key Value, reg int) Value {
	for range maxMetaChain {
		var mm Value
		if table := v.Table(); table != nil {
			got := table.Get(key)
			if got.o != nil {
				return got
			}
			if mm = table.meta.event(evIndex); mm.o == nil {
				return Nil
			}
		} else if mm = t.metamethod(v, evIndex); mm.o == nil {
			t.typeError("index", v, reg)
		}
		if mm.Kind() == KindFunction {
			return t.callValue(mm, v, key)
		}
		v, reg = mm, -1
	}
	t.fail("loop in gettable")
	return Nil
}

// setIndex is v[key] = val with metamethods.
func (t *Thread) setIndex(v, key, val Value, reg int) {
	for range maxMetaChain {
		var mm Value
		if table := v.Table(); table != nil {
			mm = table.meta.event(evNewIndex)
			if mm.o == nil || table.Get(key).o != nil {
				t.rawSet(table, key, val)
				return
			}
		} else if mm = t.metamethod(v, evNewIndex); mm.o == nil {
			t.typeError("index", v, reg)
		}
		if mm.Kind() == KindFunction {
			t.Push(mm)
			t.Push(v)
			t.Push(key)
			t.Push(val)
			t.Call(3, 0)
			return
		}
		v, reg = mm, -1
	}
	t.fail("loop in settable")
}

// rawSet checks what a script must not do.
func (t *Thread) rawSet(table *Table, key, val Value) {
	switch {
	case table.readonly:
		t.fail("%s", errReadonly)
	case key.o == nil:
		t.fail("table index is nil")
	case key.o == &numberTag && math.IsNaN(key.n):
		t.fail("table index is NaN")
	}
	*table.slot(key) = val
}

// Index is v[key] with metamethods, for native functions.
func (t *Thread) Index(v, key Value) Value { return t.index(v, key, -1) }

// arithmetic computes what opAdd to opPow stand for.
func arithmetic(op opcode, a, b float64) float64 {
	switch op {
	case opAdd:
		return a + b
	case opSub:
		return a - b
	case opMul:
		return a * b
	case opDiv:
		return a / b
	case opMod:
		return a - math.Floor(a/b)*b
	}
	return math.Pow(a, b)
}

// arith is arithmetic on values that are not both numbers.
func (t *Thread) arith(op opcode, a, b Value, regA, regB int) Value {
	x, ok1 := a.ToNumber()
	y, ok2 := b.ToNumber()
	ev := evUnm
	switch {
	case op == opUnm && ok1:
		return Number(-x)
	case op != opUnm && ok1 && ok2:
		return Number(arithmetic(op, x, y))
	case op != opUnm:
		ev = evAdd + event(op-opAdd)
	}
	mm := t.metamethod(a, ev)
	if mm.o == nil {
		mm = t.metamethod(b, ev)
	}
	if mm.o == nil {
		if ok1 {
			a, regA = b, regB
		}
		t.typeError("perform arithmetic on", a, regA)
	}
	return t.callValue(mm, a, b)
}

// concat joins the values in a range of registers, from the right.
func (t *Thread) concat(base, first, last int) Value {
	v := t.stack[base+last]
	for at := last - 1; at >= first; {
		a := t.stack[base+at]
		if !isText(a) || !isText(v) {
			v = t.concatMeta(a, v, at)
			at--
			continue
		}
		from := at
		for from > first && isText(t.stack[base+from-1]) {
			from--
		}
		v = t.join(t.stack[base+from:base+at+1], v)
		at = from - 1
	}
	return v
}

func isText(v Value) bool {
	k := v.Kind()
	return k == KindString || k == KindNumber
}

func (t *Thread) join(parts []Value, last Value) Value {
	size := 0
	for _, p := range parts {
		size += len(p.Str()) + 24
	}
	size += len(last.Str()) + 24
	t.l.charge(stringBytes + size)
	var b strings.Builder
	b.Grow(size)
	var scratch [32]byte
	for i := range len(parts) + 1 {
		p := last
		if i < len(parts) {
			p = parts[i]
		}
		if p.o == &numberTag {
			b.Write(AppendNumber(scratch[:0], p.n))
		} else {
			b.WriteString(p.o.s)
		}
	}
	return String(b.String())
}

func (t *Thread) concatMeta(a, b Value, reg int) Value {
	mm := t.metamethod(a, evConcat)
	if mm.o == nil {
		mm = t.metamethod(b, evConcat)
	}
	if mm.o == nil {
		if isText(a) {
			a, reg = b, reg+1
		}
		t.typeError("concatenate", a, reg)
	}
	return t.callValue(mm, a, b)
}

// equals is == for values that are not the same.
func (t *Thread) equals(a, b Value) bool {
	if Equal(a, b) {
		return true
	}
	kind := a.Kind()
	if kind != b.Kind() || kind != KindTable && kind != KindUserdata {
		return false
	}
	ma, mb := t.l.metatable(a), t.l.metatable(b)
	mm := ma.event(evEq)
	if mm.o == nil || ma != mb && !Equal(mm, mb.event(evEq)) {
		return false
	}
	return t.callValue(mm, a, b).Truth()
}

func (t *Thread) less(a, b Value) bool {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == KindNumber && kb == KindNumber:
		return a.n < b.n
	case ka == KindString && kb == KindString:
		return a.o.s < b.o.s
	}
	if r, ok := t.order(evLt, a, b); ok && ka == kb {
		return r
	}
	t.orderError(a, b)
	return false
}

func (t *Thread) lessEqual(a, b Value) bool {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == KindNumber && kb == KindNumber:
		return a.n <= b.n
	case ka == KindString && kb == KindString:
		return a.o.s <= b.o.s
	case ka == kb:
		if r, ok := t.order(evLe, a, b); ok {
			return r
		}
		if r, ok := t.order(evLt, b, a); ok {
			return !r
		}
	}
	t.orderError(a, b)
	return false
}

func (t *Thread) order(e event, a, b Value) (result, ok bool) {
	if a.Kind() != b.Kind() {
		return false, false
	}
	mm := t.metamethod(a, e)
	if mm.o == nil || !Equal(mm, t.metamethod(b, e)) {
		return false, false
	}
	return t.callValue(mm, a, b).Truth(), true
}

func (t *Thread) orderError(a, b Value) {
	if a.Kind() == b.Kind() {
		t.fail("attempt to compare two %s values", a.Kind())
	}
	t.fail("attempt to compare %s with %s", a.Kind(), b.Kind())
}

func (t *Thread) length(v Value, reg int) Value {
	switch v.Kind() {
	case KindTable:
		return Number(float64(v.o.t.Len()))
	case KindString:
		return Number(float64(len(v.o.s)))
	}
	mm := t.metamethod(v, evLen)
	if mm.o == nil {
		t.typeError("get length of", v, reg)
	}
	return t.callValue(mm, v)
}

// typeError says what can not be done with a value, and how the code calls it.
func (t *Thread) typeError(what string, v Value, reg int) {
	if ci := t.ci; reg >= 0 && ci.fn != nil && ci.fn.proto != nil {
		if kind, name := ci.fn.proto.nameOf(reg, ci.pc-1); kind != "" {
			t.fail("attempt to %s %s '%s' (a %s value)", what, kind, name, v.Kind())
		}
	}
	t.fail("attempt to %s a %s value", what, v.Kind())
}

// nameOf says how the source calls what is in a register when an instruction runs:
// the name of the local variable, or where the value came from.
func (p *proto) nameOf(reg, pc int) (kind, name string) {
	for i := len(p.locals) - 1; i >= 0; i-- {
		if v := &p.locals[i]; v.reg == reg && v.start <= pc && pc < v.end {
			return "local", v.name
		}
	}
	at := p.setter(reg, pc)
	if at < 0 {
		return "", ""
	}
	switch ins := &p.code[at]; ins.op {
	case opMove:
		if int(ins.b) < reg {
			return p.nameOf(int(ins.b), at)
		}
	case opGetGlobal:
		return "global", p.k[ins.c].Str()
	case opGetField:
		return "field", p.k[ins.c].Str()
	case opGetIndex:
		if ins.c >= constant && p.k[ins.c-constant].IsString() {
			return "field", p.k[ins.c-constant].Str()
		}
		return "field", "?"
	case opGetUp:
		return "upvalue", p.ups[ins.c].name
	case opGetCell:
		return "local", p.cellNames[ins.c]
	case opSelf:
		return "method", p.k[ins.c-constant].Str()
	}
	return "", ""
}

// setter is the instruction that has given a register its value, when all jumps
// forward are taken; -1: none. A test counts: then it may be this value or another.
func (p *proto) setter(reg, pc int) int {
	last := -1
	for at := 0; at < pc; at++ {
		ins := &p.code[at]
		if ins.op == opJump || ins.op == opForPrep {
			if dest := at + 1 + int(ins.c); dest > at && dest <= pc {
				at = dest - 1
			}
			continue
		}
		if ins.writes(reg) {
			last = at
		}
	}
	return last
}

// writes says whether an instruction changes a register.
func (i *instruction) writes(reg int) bool {
	a := int(i.a)
	switch i.op {
	case opTest:
		return reg == int(i.b)
	case opNewCell, opSetCell, opSetUp, opSetGlobal, opSetIndex, opJump, opLoop, opEq, opLt, opLe,
		opReturn, opSetList, opTail, opForPrep:
		return false
	case opLoadNil:
		return a <= reg && reg <= int(i.b)
	case opSelf:
		return reg == a || reg == a+1
	case opCall, opVararg, opTForCall:
		return reg >= a
	}
	return a == reg
}

// callName is how the caller's code calls the function that runs.
func (t *Thread) callName() (name, kind string) {
	ci := t.ci.prev
	if t.ci.fresh || ci == nil || ci.fn == nil || ci.fn.proto == nil {
		return "", ""
	}
	ins := ci.fn.proto.code[max(0, ci.pc-1)]
	switch ins.op {
	case opCall, opTail:
		kind, name = ci.fn.proto.nameOf(int(ins.a), ci.pc-1)
	}
	return name, kind
}
